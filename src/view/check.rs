//! One check for a person: verdict, redirect chain hop by hop, where the time went, what to do.

use std::fmt::{self, Write};

use unicode_width::UnicodeWidthStr;

use super::sparkline;
use super::table::cut;
use super::terminal::{Screen, Tone};
use super::time_text::{self, Clock};
use super::wrap;
use crate::domain::check::{Certificate, Check, CheckState, Extras, Failure, FailureKind, Micros};
use crate::domain::status_code::{self, Side};
use crate::domain::subject::SubjectKind;
use crate::domain::{failure_help, redaction, safe_text};

/// Wider bars show nothing more.
const BAR_COLUMNS_MAX: usize = 50;

/// Narrower bars show nothing and are left out.
const BAR_COLUMNS_MIN: usize = 12;

/// A certificate that ends within this many days is worth a colour.
const CERTIFICATE_DAYS_WARNING: i64 = 21;
const CERTIFICATE_DAYS_BAD: i64 = 7;

/// So many records stand in one line; the others stand below it.
const ANSWERS_AT_ONCE_MAX: usize = 8;

/// A longer record is cut; `--json` has it.
const ANSWER_CHARS_MAX: usize = 300;

/// A check and what it is of.
#[derive(Debug, Clone, Copy)]
pub struct CheckView<'a> {
    /// The monitor's name.
    pub monitor: &'a str,
    /// Its URL, as it may be shown.
    pub url: &'a str,
    /// What came out.
    pub check: &'a Check,
}

/// Writes everything about one check.
pub fn whole(
    view: &CheckView<'_>,
    clock: &Clock,
    screen: Screen,
    out: &mut impl Write,
) -> fmt::Result {
    headline(view, screen, out)?;
    writeln!(out)?;
    hops(view, screen, out)?;
    writeln!(out)?;
    phases(view.check, screen, out)?;
    if let Some(certificate) = &view.check.certificate {
        certificate_line(certificate, clock, screen, out)?;
    }
    if let Some(extras) = &view.check.extras {
        packets_and_answers(extras, screen, out)?;
        addresses(extras, screen, out)?;
        versions(extras, screen, out)?;
    }
    for remark in &view.check.remarks {
        let columns = screen.columns.map_or(usize::MAX, usize::from);
        for line in wrap::lines(remark, columns.saturating_sub(2)) {
            writeln!(out, "  {}", screen.paint(Tone::Faint, &line))?;
        }
    }
    if let Some(hint) = hint(view) {
        writeln!(out)?;
        let columns = screen
            .columns
            .map_or(100, |columns| usize::from(columns).min(100));
        for line in wrap::lines(&hint, columns.saturating_sub(2)) {
            writeln!(out, "  {line}")?;
        }
    }
    Ok(())
}

/// Whether the verdict's own words say when to come back.
fn says_retry_after(check: &Check) -> bool {
    let failure = check.verdict.failure();
    failure.is_some_and(|failure| failure.detail.contains("Retry-After: "))
}

/// What is good, worth a look, broken or unknown, in its colour.
pub const fn tone(state: CheckState) -> Tone {
    match state {
        CheckState::Up => Tone::Good,
        CheckState::Degraded => Tone::Warning,
        CheckState::Down => Tone::Bad,
        CheckState::Unknown => Tone::Warning,
    }
}

fn headline(view: &CheckView<'_>, screen: Screen, out: &mut impl Write) -> fmt::Result {
    let state = view.check.verdict.state();
    let word = match state {
        CheckState::Up => "UP",
        CheckState::Degraded => "DEGRADED",
        CheckState::Down => "DOWN",
        CheckState::Unknown => "UNKNOWN",
    };
    write!(
        out,
        "{}  {}",
        screen.paint(tone(state), word),
        screen.paint(Tone::Strong, view.monitor)
    )?;
    let said = match (view.check.verdict.failure(), view.check.status) {
        (Some(failure), _) => failure.detail.to_string(),
        (None, Some(status)) => named(status),
        (None, None) if view.check.kind() != SubjectKind::Http => met(view.check),
        (None, None) => return writeln!(out),
    };
    let Some(columns) = screen.columns else {
        return writeln!(out, "  {said}");
    };
    // What stands before is painted; a filler of its width takes its place while lines are broken.
    let filler = "x".repeat(word.len() + 2 + view.monitor.width() + 1);
    let lines = wrap::hanging(
        &filler,
        &format!(" {said}"),
        word.len() + 2,
        usize::from(columns),
    );
    let rest = lines.strip_prefix(&filler).unwrap_or(&lines);
    let space = if rest.starts_with('\n') { "" } else { " " };
    writeln!(out, "{space}{rest}")
}

/// One hop of the chain.
struct HopLine {
    status: Option<u16>,
    url: String,
    address: String,
    took: Option<Micros>,
    aside: String,
}

fn hop_lines(view: &CheckView<'_>) -> Vec<HopLine> {
    let check = view.check;
    let address = |address: Option<std::net::SocketAddr>| {
        address.map_or_else(|| "-".to_owned(), |address| address.to_string())
    };
    let mut lines: Vec<HopLine> = check
        .chain
        .redirects
        .iter()
        .enumerate()
        .map(|(index, redirect)| HopLine {
            status: Some(redirect.status),
            url: shown(&redirect.url, view.url),
            address: address(redirect.remote_addr),
            took: check.redirect_times.get(index).copied(),
            aside: String::new(),
        })
        .collect();
    if ended_on_redirect(check) {
        if let (Some(line), Some(redirect)) = (lines.last_mut(), check.chain.redirects.last()) {
            let location = redirect.location.as_deref().unwrap_or("nothing");
            line.aside = format!("not followed to {}", redaction::shown(location));
        }
        return lines;
    }
    let before: u32 = check
        .redirect_times
        .iter()
        .fold(0, |sum, time| sum.saturating_add(time.get()));
    let answered = check.chain.redirects.is_empty() || check.http_version.is_some();
    lines.push(HopLine {
        status: check.status.filter(|_| answered),
        url: shown(&check.chain.final_url, view.url),
        address: address(check.chain.remote_addr),
        took: Some(Micros::new(
            check.timings.total.get().saturating_sub(before),
        )),
        aside: match check.retry_after_s {
            Some(seconds) if !says_retry_after(check) => format!("Retry-After: {seconds} s"),
            _ => String::new(),
        },
    });
    lines
}

/// Whether the last redirect was an answer that could not be followed.
fn ended_on_redirect(check: &Check) -> bool {
    use FailureKind as K;
    let refused = check.verdict.failure().is_some_and(|failure| {
        matches!(
            failure.kind,
            K::RedirectInvalid | K::RedirectLimit | K::RedirectLoop | K::RedirectDowngrade
        )
    });
    refused && !check.chain.redirects.is_empty()
}

/// What came of a good check that has no status, in a few words.
pub const fn met_words(kind: SubjectKind) -> &'static str {
    match kind {
        SubjectKind::Http | SubjectKind::Dns => "answered",
        SubjectKind::Tcp => "connected",
        SubjectKind::Tls => "TLS connection made",
        SubjectKind::Icmp => "replied",
    }
}

/// The same with what its kind has seen.
fn met(check: &Check) -> String {
    let extras = check.extras.as_deref();
    if let Some(packets) = extras.and_then(|extras| extras.packets) {
        return format!("{} of {} replies", packets.received, packets.sent);
    }
    if let Some(answers) = extras.and_then(|extras| extras.answers.as_deref()) {
        let answers: Vec<_> = answers
            .iter()
            .take(ANSWERS_AT_ONCE_MAX)
            .map(|answer| safe_text::line(answer, ANSWER_CHARS_MAX))
            .collect();
        return answers.join(", ");
    }
    met_words(check.kind()).to_owned()
}

/// Where a check went that is of no web site.
fn single_hop(view: &CheckView<'_>, screen: Screen, out: &mut impl Write) -> fmt::Result {
    let check = view.check;
    write!(out, "  {}", shown(&check.chain.final_url, view.url))?;
    if let Some(address) = check.chain.remote_shown() {
        write!(out, "  {}", screen.paint(Tone::Faint, &address))?;
    }
    writeln!(out, "  {}", time_text::ms(check.timings.total))
}

fn hops(view: &CheckView<'_>, screen: Screen, out: &mut impl Write) -> fmt::Result {
    if view.check.kind() != SubjectKind::Http {
        return single_hop(view, screen, out);
    }
    let lines = hop_lines(view);
    let widest = |of: &dyn Fn(&HopLine) -> usize| lines.iter().map(of).max().unwrap_or(0);
    let address_columns = widest(&|line| line.address.width());
    let time = |line: &HopLine| line.took.map_or_else(|| "-".to_owned(), time_text::ms);
    let time_columns = widest(&|line| time(line).width());
    let number_columns = lines.len().to_string().len();
    let used = 2 + number_columns + 2 + 3 + 2 + 2 + address_columns + 2 + time_columns;
    let url_columns = match screen.columns {
        Some(columns) => usize::from(columns)
            .saturating_sub(used)
            .max(20)
            .min(widest(&|line| line.url.width())),
        None => widest(&|line| line.url.width()),
    };
    for (index, line) in lines.iter().enumerate() {
        let url = cut(&line.url, url_columns);
        let url_pad = url_columns.saturating_sub(url.width());
        let status = line
            .status
            .map_or_else(|| "---".to_owned(), |status| status.to_string());
        let status_tone = match line.status {
            Some(200..=299) => Tone::Good,
            Some(300..=399) => Tone::Accent,
            Some(_) | None => Tone::Bad,
        };
        let address_pad = address_columns.saturating_sub(line.address.width());
        let took = time(line);
        let number = index + 1;
        write!(
            out,
            "  {number:>number_columns$}  {}  {url}{:url_pad$}  {}{:address_pad$}  {took:>time_columns$}",
            screen.paint(status_tone, &status),
            "",
            screen.paint(Tone::Faint, &line.address),
            "",
        )?;
        if line.aside.is_empty() {
            writeln!(out)?;
        } else {
            let room = screen.columns.map_or(usize::MAX, usize::from);
            let so_far = used - 2 + url_columns;
            if so_far + 2 + line.aside.width() <= room {
                writeln!(out, "  {}", line.aside)?;
            } else {
                let indent = 2 + number_columns + 2 + 3 + 2;
                let aside = cut(&line.aside, room.saturating_sub(indent));
                writeln!(out, "\n{:indent$}{aside}", "")?;
            }
        }
    }
    Ok(())
}

fn phases(check: &Check, screen: Screen, out: &mut impl Write) -> fmt::Result {
    let total = check.timings.total;
    let known: Vec<(&str, Micros)> = check
        .timings
        .phases()
        .into_iter()
        .filter_map(|(name, time)| Some((if name == "ttfb" { "first byte" } else { name }, time?)))
        .collect();
    let bar_columns = screen
        .columns
        .filter(|_| screen.unicode)
        .map(|columns| usize::from(columns).saturating_sub(28).min(BAR_COLUMNS_MAX))
        .filter(|columns| *columns >= BAR_COLUMNS_MIN && total.get() > 0);
    let Some(bar_columns) = bar_columns else {
        let mut line = String::from("  ");
        for (name, time) in &known {
            write!(line, "{name} {}, ", time_text::ms(*time))?;
        }
        write!(line, "total {}", time_text::ms(total))?;
        return writeln!(out, "{line}");
    };
    let share = |time: u64| time as f64 / f64::from(total.get());
    let mut begin: u64 = 0;
    for (name, time) in &known {
        let end = begin + u64::from(time.get());
        let bar = sparkline::span(share(begin), share(end), bar_columns);
        writeln!(
            out,
            "  {name:<10}  {:>11}  {}",
            time_text::ms(*time),
            screen.paint(Tone::Accent, &bar)
        )?;
        begin = end;
    }
    writeln!(out, "  {:<10}  {:>11}", "total", time_text::ms(total))
}

/// What only a ping or a name server has.
fn packets_and_answers(extras: &Extras, screen: Screen, out: &mut impl Write) -> fmt::Result {
    if let Some(packets) = extras.packets {
        write!(
            out,
            "  packets     {} sent, {} received",
            packets.sent, packets.received
        )?;
        if let (Some(min), Some(max)) = (packets.min, packets.max) {
            let (min, max) = (time_text::ms(min), time_text::ms(max));
            write!(out, ", {min} to {max}")?;
        }
        writeln!(out)?;
    }
    let Some(answers) = &extras.answers else {
        return Ok(());
    };
    let columns = screen.columns.map_or(usize::MAX, |columns| {
        usize::from(columns).saturating_sub(14)
    });
    for (index, answer) in answers.iter().enumerate() {
        let head = if index == 0 { "answers" } else { "" };
        let answer = safe_text::line_end(answer, ANSWER_CHARS_MAX);
        writeln!(out, "  {head:<10}  {}", cut(&answer, columns))?;
    }
    Ok(())
}

/// Each address that was checked by itself.
fn addresses(extras: &Extras, screen: Screen, out: &mut impl Write) -> fmt::Result {
    let all = extras.addresses.as_deref().unwrap_or_default();
    let widest = all.iter().map(|one| one.addr.to_string().len()).max();
    let widest = widest.unwrap_or(0);
    let columns = screen.columns.map_or(usize::MAX, usize::from);
    for (index, one) in all.iter().enumerate() {
        let head = if index == 0 { "addresses" } else { "" };
        let words = outcome(one.status, one.failure.as_ref(), one.total);
        let room = columns.saturating_sub(widest + 27);
        writeln!(
            out,
            "  {head:<10}  {:<widest$}  {:<8}  {}",
            one.addr.to_string(),
            one.state,
            cut(words.trim(), room)
        )?;
    }
    Ok(())
}

/// Each version of HTTP that was checked by itself.
fn versions(extras: &Extras, screen: Screen, out: &mut impl Write) -> fmt::Result {
    let columns = screen.columns.map_or(usize::MAX, usize::from);
    for (index, one) in extras.versions.iter().flatten().enumerate() {
        let head = if index == 0 { "versions" } else { "" };
        let words = outcome(one.status, one.failure.as_ref(), one.total);
        writeln!(
            out,
            "  {head:<10}  {:<8}  {:<8}  {}",
            one.version,
            one.state,
            cut(words.trim(), columns.saturating_sub(35))
        )?;
    }
    Ok(())
}

/// `21 ms 503 status: ..`
fn outcome(status: Option<u16>, failure: Option<&Failure>, total: Option<Micros>) -> String {
    let mut words = status.map_or_else(String::new, |status| status.to_string());
    if let Some(failure) = failure {
        let detail = safe_text::line(&failure.detail, ANSWER_CHARS_MAX);
        words = format!("{words} {}: {detail}", failure.kind);
    }
    if let Some(total) = total {
        words = format!("{} {words}", time_text::ms(total));
    }
    words
}

fn certificate_line(
    certificate: &Certificate,
    clock: &Clock,
    screen: Screen,
    out: &mut impl Write,
) -> fmt::Result {
    let days = time_text::days_left(certificate.not_after, clock.now);
    let date = clock.date(certificate.not_after);
    let left = match days {
        _ if certificate.not_after.is_endless() => "no end".to_owned(),
        ..0 => format!("ended {date}"),
        0 => format!("ends today, {date}"),
        1 => format!("1 day left, until {date}"),
        _ => format!("{days} days left, until {date}"),
    };
    let tone = if days <= CERTIFICATE_DAYS_BAD {
        Tone::Bad
    } else if days <= CERTIFICATE_DAYS_WARNING {
        Tone::Warning
    } else {
        Tone::Good
    };
    writeln!(
        out,
        "  certificate {}, issued by {}, {}",
        common_name(&certificate.subject),
        common_name(&certificate.issuer),
        screen.paint(tone, &left)
    )
}

/// The common name of a subject or issuer (RFC 4514 text), or all of it.
pub fn common_name(name: &str) -> &str {
    name.split(", ")
        .flat_map(|part| part.split(','))
        .find_map(|part| part.trim().strip_prefix("CN="))
        .filter(|name| !name.is_empty())
        .unwrap_or(if name.is_empty() { "nobody" } else { name })
}

/// What the verdict means and what to do next; empty if there is nothing to add.
fn hint(view: &CheckView<'_>) -> Option<String> {
    let check = view.check;
    let Some(failure) = check.verdict.failure() else {
        return permanent_redirect(view);
    };
    if failure.kind == FailureKind::Status {
        let status = check.status?;
        return Some(match status_code::lookup(status) {
            Some(known) => {
                let side = match known.side {
                    Side::Nobody => String::new(),
                    side => format!(" Responsible: {}.", side.phrase()),
                };
                format!(
                    "{}{side} `sitewatch explain {status}` says more.",
                    known.meaning
                )
            }
            None => format!("`sitewatch explain {status}` says what its class means."),
        });
    }
    let explained = failure_help::of_failure(check.kind(), failure.kind, &failure.detail);
    Some(format!(
        "{} Look at: {}.",
        explained.meaning, explained.advice
    ))
}

/// A chain that begins with permanent redirects could begin where they lead.
fn permanent_redirect(view: &CheckView<'_>) -> Option<String> {
    let redirects = &view.check.chain.redirects;
    let permanent = redirects
        .iter()
        .take_while(|redirect| matches!(redirect.status, 301 | 308))
        .count();
    if permanent == 0 {
        return None;
    }
    let target = redirects
        .get(permanent)
        .map_or(&*view.check.chain.final_url, |redirect| {
            redirect.url.as_str()
        });
    let status = redirects[0].status;
    Some(format!(
        "{status} is permanent: consider changing the url to {}",
        shown(target, view.url)
    ))
}

/// `503 Service Unavailable`, or the number alone.
pub fn named(status: u16) -> String {
    match status_code::lookup(status) {
        Some(known) => format!("{status} {}", known.name),
        None => status.to_string(),
    }
}

/// A URL as it may be shown: the monitor's own as it is, others masked.
pub(super) fn shown(url: &str, own: &str) -> String {
    if url == own {
        url.to_owned()
    } else {
        redaction::shown(url).into_owned()
    }
}

pub(super) const fn arrow(screen: Screen) -> &'static str {
    if screen.unicode { "→" } else { "->" }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
