//! The parts that explain a check: what was expected and came, the redirect chain, the times, the certificate.

use crate::domain::check::{Chain, Check, Failure, FailureKind, Micros, Verdict};
use crate::domain::expectation::{Expectation, JsonTest, TextMatch};
use crate::domain::failure_help;
use crate::domain::incident::Cause;
use crate::domain::safe_text;
use crate::domain::slow_limit::SlowLimit;
use crate::domain::status_code::{self, Class, Side};
use crate::domain::subject::{Dialogue, Subject, SubjectKind};
use crate::domain::text_secrets;

use super::context::Context;
use super::outline::{Body, Cell, Doc, Table, Tone};
use super::words;

/// At most this much of a body is quoted.
const EXCERPT_CHARS_MAX: usize = 400;
/// Of this many failed checks each has its line; of more the first and the last ones.
const CHECK_LINES_MAX: usize = 8;

/// What the code or failure means, whose side it suggests, what to look at, when to come back.
pub(super) fn meaning(doc: &mut Doc, cause: &Cause, check: &Check) {
    let (meaning, side, advice) = match (cause.failure.kind, cause.status) {
        (FailureKind::Status, Some(code)) => match status_code::lookup(code) {
            Some(known) => (known.meaning, known.side, known.advice),
            None => (Class::of(code).meaning(), Class::of(code).side(), ""),
        },
        (kind, _) => {
            let explained = failure_help::of_failure(check.kind(), kind, &cause.failure.detail);
            (explained.meaning, explained.side, explained.advice)
        }
    };
    // What `explain` says of a header in general the mail says of this answer, below.
    let meaning = meaning.split(" Retry-After, if sent").next();
    let meaning = meaning.unwrap_or_default();
    let mut paragraphs = vec![match side {
        // A good answer that was not the expected one.
        Side::Nobody => meaning.to_owned(),
        side if check.kind() == SubjectKind::Http => {
            format!("{meaning} This points at {}.", side.phrase())
        }
        Side::Network => format!("{meaning} This points at the network between."),
        Side::Request | Side::Site | Side::Server | Side::Gateway | Side::Protection => {
            format!("{meaning} This points at the server.")
        }
    }];
    if !advice.is_empty() {
        paragraphs.push(format!("Look at: {advice}."));
    }
    let failure = check.verdict.failure();
    let is_said = failure.is_some_and(|failure| failure.detail.contains("Retry-After: "));
    if let Some(seconds) = check.retry_after_s.filter(|_| !is_said) {
        paragraphs.push(format!("Retry-After: {} s.", words::number(seconds.into())));
    }
    doc.part("What it means", Body::Prose(paragraphs));
}

/// Expected against got.
pub(super) fn expectation(doc: &mut Doc, check: &Check, ctx: &Context) {
    if let Some(monitor) = ctx.monitor {
        doc.prose("Expected", expected(&monitor.subject, check, ctx));
    }
    doc.prose("Got", got(check, ctx));
    for remark in &check.remarks {
        doc.prose("Beside that", words::shown(remark, ctx));
    }
}

fn expected(subject: &Subject, check: &Check, ctx: &Context) -> String {
    let wanted = match subject {
        Subject::Http(http) => expected_of_answer(&http.expectation, check, ctx),
        other => expected_of_port(other, check, ctx),
    };
    words::masked(&wanted, ctx)
}

/// What is wanted of what is no web site.
fn expected_of_port(subject: &Subject, check: &Check, ctx: &Context) -> String {
    let at = words::shown(&check.chain.final_url, ctx);
    let talk = |dialogue: &Dialogue| match dialogue.expect_text() {
        "" => String::new(),
        pattern => format!(
            " and says /{}/",
            safe_text::line(pattern, EXCERPT_CHARS_MAX)
        ),
    };
    let mut wanted = match subject {
        Subject::Http(_) => at,
        Subject::Tcp(tcp) => format!("{at} takes a connection{}", talk(&tcp.manner.dialogue)),
        Subject::Tls(tls) => format!(
            "{at} speaks TLS with a valid certificate{}",
            talk(&tls.tcp.manner.dialogue)
        ),
        Subject::Icmp(icmp) => format!(
            "{at} replies to at least {} % of {}",
            100 - icmp.manner.max_loss.min(100),
            words::count(icmp.manner.packets.into(), "ping", "pings")
        ),
        Subject::Dns(dns) => match &*dns.manner.answers {
            [] => format!("{at} has an answer"),
            answers => format!("{at} answers {}", answers.join(", ")),
        },
    };
    let is_slow = check
        .verdict
        .failure()
        .is_some_and(|failure| failure.kind == FailureKind::Slow);
    if is_slow {
        wanted.push_str(&within(subject.degraded_after()));
    }
    wanted
}

fn expected_of_answer(expectation: &Expectation, check: &Check, ctx: &Context) -> String {
    let mut wanted = format!(
        "{} at {}",
        expectation.status,
        words::shown(&check.chain.final_url, ctx)
    );
    let kind = check.verdict.failure().map(|failure| failure.kind);
    match kind {
        Some(FailureKind::FinalUrl) => {
            if let Some(url) = &expectation.final_url {
                wanted.push_str(&format!("; the final URL {}", matcher(url)));
            }
        }
        Some(FailureKind::Header) => {
            for (name, value) in &expectation.headers {
                wanted.push_str(&format!("; {name}: {}", matcher(value)));
            }
        }
        Some(FailureKind::Body) => {
            let all = expectation
                .body_contains
                .iter()
                .map(|t| format!("containing \"{t}\""));
            let none = expectation
                .body_excludes
                .iter()
                .map(|t| format!("without \"{t}\""));
            let matches = expectation
                .body_matches
                .iter()
                .map(|p| format!("matching /{p}/"));
            for one in all.chain(none).chain(matches) {
                wanted.push_str(&format!("; a body {one}"));
            }
        }
        Some(FailureKind::Slow) => {
            wanted.push_str(&within(expectation.degraded_after));
        }
        Some(FailureKind::Json) => {
            for assertion in &expectation.json {
                let wish = wish(&assertion.test);
                wanted.push_str(&format!("; JSON {} {wish}", assertion.path_text));
            }
        }
        _ => {}
    }
    wanted
}

/// ` within 2s`, ` within 3x its usual time`; nothing where there is no limit.
fn within(limit: SlowLimit) -> String {
    match limit {
        SlowLimit::Never => String::new(),
        SlowLimit::After(limit) => format!(" within {}", words::span(limit)),
        SlowLimit::Usual(factor) => format!(" within {factor} its usual time"),
    }
}

/// `equals "ok"`
fn wish(test: &JsonTest) -> String {
    match test {
        JsonTest::Equals(want) => format!("equals {}", want.root().compact(EXCERPT_CHARS_MAX)),
        JsonTest::Exists(true) => "exists".to_owned(),
        JsonTest::Exists(false) => "does not exist".to_owned(),
        JsonTest::Matches(pattern) => format!("matches /{pattern}/"),
        JsonTest::LessThan(limit) => format!("less than {limit}"),
        JsonTest::GreaterThan(limit) => format!("greater than {limit}"),
    }
}

fn matcher(wanted: &TextMatch) -> String {
    match wanted {
        TextMatch::Exact(text) => text.clone(),
        TextMatch::Pattern(pattern) => format!("/{pattern}/"),
    }
}

fn got(check: &Check, ctx: &Context) -> String {
    let (mut got, more) = match (check.verdict.failure(), check.status) {
        (Some(failure), Some(code)) => {
            let detail = match tells_more_below(failure.kind) {
                // What stands before it, what came and was expected, stands beside it already.
                true => failure.detail.split_once("; ").map(|(_, more)| more),
                false => Some(&*failure.detail),
            };
            (words::status(code), detail)
        }
        (Some(failure), None) => (words::failure(failure, ctx), None),
        (None, Some(code)) => (words::status(code), None),
        (None, None) => (words::met(check.kind()).to_owned(), None),
    };
    if let Some(address) = check.chain.remote_shown()
        && !got.contains(&address)
    {
        got.push_str(&format!(" from {address}"));
    }
    if let Some(version) = check.http_version {
        got.push_str(&format!(" ({})", version.as_str()));
    }
    got.push_str(&format!(" after {}", words::ms(check.timings.total)));
    if let Some(more) = more {
        got.push_str(&format!(": {}", words::shown(more, ctx)));
    }
    got
}

/// Whether the first clause of a failure's detail says what stands beside it in other words.
const fn tells_more_below(kind: FailureKind) -> bool {
    matches!(kind, FailureKind::Status | FailureKind::Slow)
}

/// The chain with its codes, marked where it is another than at the last good check.
pub(super) fn way(doc: &mut Doc, check: &Check, before: Option<&Check>, ctx: &Context) {
    // Only HTTP has one.
    if check.kind() != SubjectKind::Http {
        return;
    }
    let rows = chain_rows(
        check,
        before.map(|good| (good.chain.as_ref(), good.status)),
        ctx,
    );
    doc.part(
        "Redirects",
        Body::Table(Table {
            head: vec![],
            right: vec![],
            breaks: 1,
            rows,
        }),
    );
}

/// One row a hop: arrow, URL, code, and what it was before.
pub(super) fn chain_rows(
    check: &Check,
    before: Option<(&Chain, Option<u16>)>,
    ctx: &Context,
) -> Vec<Vec<Cell>> {
    let hops = hops(&check.chain, check.status);
    let old = before.map(|(chain, status)| self::hops(chain, status));
    let mut rows = Vec::new();
    for (index, hop) in hops.iter().enumerate() {
        let arrow = if index == 0 { "" } else { "->" };
        let was = old.as_ref().and_then(|old| old.get(index));
        let mark = match (was, &old) {
            (Some(was), _) if was.url != hop.url => Cell::toned(
                format!(
                    "(was {} {})",
                    code_word(was.status),
                    words::shown(was.url, ctx)
                ),
                Tone::Warn,
            ),
            (Some(was), _) if was.status != hop.status => {
                Cell::toned(format!("(was {})", code_word(was.status)), Tone::Warn)
            }
            (None, Some(_)) => Cell::toned("(new)", Tone::Warn),
            (Some(_) | None, _) => Cell::default(),
        };
        let last = index + 1 == hops.len();
        let bad = last && !check.verdict.is_good();
        let tone = if bad { Tone::Down } else { Tone::Plain };
        let (mark, long_mark) = if mark.text.chars().count() > 12 {
            (Cell::default(), Some(mark))
        } else {
            (mark, None)
        };
        rows.push(vec![
            arrow.into(),
            words::shown(hop.url, ctx).into(),
            Cell::toned(code_word(hop.status), tone),
            mark,
        ]);
        if let Some(mark) = long_mark {
            rows.push(vec!["".into(), mark]);
        }
    }
    if let Some(old) = &old
        && old.len() > hops.len()
    {
        let more = old.len() - hops.len();
        rows.push(vec![
            "".into(),
            Cell::toned(
                format!(
                    "(went on for {} before)",
                    words::count(more as u64, "hop", "hops")
                ),
                Tone::Warn,
            ),
        ]);
    }
    rows
}

struct HopRef<'a> {
    url: &'a str,
    status: Option<u16>,
}

fn hops(chain: &Chain, status: Option<u16>) -> Vec<HopRef<'_>> {
    let mut hops: Vec<HopRef> = chain
        .redirects
        .iter()
        .map(|redirect| HopRef {
            url: &redirect.url,
            status: Some(redirect.status),
        })
        .collect();
    // A redirect that was not followed is the end of its chain already.
    let refused = chain
        .redirects
        .last()
        .is_some_and(|last| *last.url == *chain.final_url && status == Some(last.status));
    if !refused {
        // Where the chain broke without an answer the last status is that of the redirect before.
        let answered = chain
            .redirects
            .last()
            .is_none_or(|last| Some(last.status) != status);
        hops.push(HopRef {
            url: &chain.final_url,
            status: status.filter(|_| answered),
        });
    }
    hops
}

fn code_word(status: Option<u16>) -> String {
    status.map_or_else(|| "-".to_owned(), |code| code.to_string())
}

/// The phases beside their usual values, and the address that answered.
pub(super) fn times(doc: &mut Doc, check: &Check, ctx: &Context) {
    let names = ["dns", "connect", "tls", "first byte", "body"];
    let usual = ctx.history.usual.unwrap_or_default();
    let mut phases = Vec::new();
    let mut first = true;
    for (index, (_, time)) in check.timings.phases().into_iter().enumerate() {
        let Some(time) = time else { continue };
        let mut phase = format!("{} {}", names[index], words::ms(time));
        if let (_, Some(usually)) = usual.phases()[index] {
            let usually = words::whole_ms(usually);
            let word = if first { "usual " } else { "" };
            phase.push_str(&format!(" ({word}{usually})"));
            first = false;
        }
        phases.push(phase);
    }
    if !phases.is_empty() {
        phases.push(format!("total {}", words::ms(check.timings.total)));
    }
    doc.prose("Time", phases.join(", "));
    if let Some(certificate) = &check.certificate {
        doc.prose(
            "Certificate",
            format!(
                "{} by {}, {}",
                words::common_name(&certificate.subject),
                words::common_name(&certificate.issuer),
                words::certificate_end(certificate, ctx)
            ),
        );
    }
}

/// Each address that was checked by itself.
pub(super) fn addresses(doc: &mut Doc, check: &Check, ctx: &Context) {
    let extras = check.extras.as_deref();
    let all = extras.and_then(|extras| extras.addresses.as_deref());
    let words: Vec<String> = all
        .unwrap_or_default()
        .iter()
        .map(|one| {
            let said = format!("{} {}", one.addr.ip(), one.state);
            outcome(said, one.status, one.failure.as_ref(), one.total, ctx)
        })
        .collect();
    doc.part("Addresses", Body::Prose(words));
}

/// Each version of HTTP that was checked by itself.
pub(super) fn versions(doc: &mut Doc, check: &Check, ctx: &Context) {
    let extras = check.extras.as_deref();
    let all = extras.and_then(|extras| extras.versions.as_deref());
    let words: Vec<String> = all
        .unwrap_or_default()
        .iter()
        .map(|one| {
            let said = format!("{} {}", one.version, one.state);
            outcome(said, one.status, one.failure.as_ref(), one.total, ctx)
        })
        .collect();
    doc.part("Versions", Body::Prose(words));
}

/// What came of one of several checks: `said` is which one, and its state.
fn outcome(
    mut said: String,
    status: Option<u16>,
    failure: Option<&Failure>,
    total: Option<Micros>,
    ctx: &Context,
) -> String {
    if let Some(status) = status {
        said.push_str(&format!(" {status}"));
    }
    match failure {
        Some(failure) if status.is_none() => {
            said.push_str(&format!(" {}", words::failure(failure, ctx)));
        }
        Some(failure) if failure.kind != FailureKind::Status => {
            said.push_str(&format!(" {}", failure.kind));
        }
        Some(_) | None => {}
    }
    if let Some(total) = total {
        said.push_str(&format!(" after {}", words::ms(total)));
    }
    said
}

/// The last good check and each failed one since, newest first.
pub(super) fn checks(doc: &mut Doc, check: &Check, before: Option<&Check>, ctx: &Context) {
    let mut all: Vec<&Check> = ctx.history.checks.iter().collect();
    if !all.iter().any(|known| known.at == check.at) {
        all.push(check);
    }
    if let Some(good) = before
        && !all.iter().any(|known| known.at == good.at)
    {
        all.push(good);
    }
    all.sort_by_key(|known| std::cmp::Reverse(known.at));
    let mut rows = Vec::new();
    let cut = all.len() > CHECK_LINES_MAX;
    let failed = !check.verdict.is_good();
    let last_good = all
        .iter()
        .position(|known| failed && known.verdict.is_good() && known.at < check.at);
    for (index, known) in all.iter().enumerate() {
        // The newest ones, the first failed one and the good one before it.
        let shown = !cut || index + 4 < CHECK_LINES_MAX || index + 3 > all.len();
        if !shown {
            if rows.last().is_none_or(|row: &Vec<Cell>| row.len() > 1) {
                rows.push(vec![Cell::toned("...", Tone::Muted)]);
            }
            continue;
        }
        let tone = match known.verdict {
            Verdict::Up => Tone::Up,
            Verdict::Degraded(_) => Tone::Warn,
            Verdict::Down(_) => Tone::Down,
            Verdict::Unknown(_) => Tone::Muted,
        };
        let remark = if Some(index) == last_good {
            "last success"
        } else {
            ""
        };
        rows.push(vec![
            words::clock_time(known.at, ctx).into(),
            Cell::toned(words::outcome_word(known), tone),
            words::ms(known.timings.total).into(),
            remark.into(),
        ]);
    }
    doc.part(
        "Checks",
        Body::Table(Table {
            head: vec![],
            right: vec![2],
            breaks: 3,
            rows,
        }),
    );
}

/// What differs from the last good answer, where that is short.
pub(super) fn changed(doc: &mut Doc, ctx: &Context) {
    if let Some(changed) = ctx.changed.as_ref().filter(|_| ctx.body_excerpt) {
        let since = words::moment(changed.good_at, ctx);
        let sides = [
            format!("- good answer of {since}"),
            "+ first failing answer".to_owned(),
        ];
        let lines = changed.lines.iter().map(|line| words::shown(line, ctx));
        doc.part(
            "What changed",
            Body::Lines(sides.into_iter().chain(lines).collect()),
        );
    }
}

/// The first bytes of a failing answer, where the configuration lets them be quoted.
pub(super) fn excerpt(doc: &mut Doc, check: &Check, ctx: &Context) {
    if let Some(excerpt) = check.excerpt.as_ref().filter(|_| ctx.body_excerpt) {
        let clean = safe_text::line(excerpt, EXCERPT_CHARS_MAX);
        let title = match check.kind() {
            SubjectKind::Http => "Body begins",
            SubjectKind::Tcp | SubjectKind::Tls | SubjectKind::Icmp | SubjectKind::Dns => "It says",
        };
        let shown = words::shown(&clean, ctx);
        doc.part(
            title,
            Body::Quote(text_secrets::starred(&shown).into_owned()),
        );
    }
}
