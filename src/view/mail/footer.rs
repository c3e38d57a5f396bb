//! What stands at the end of mails about a monitor: neighbours, 30 days, note, commands; and why it is late.

use std::collections::BTreeSet;

use crate::domain::check::{Check, CheckState};
use crate::domain::incident::IncidentKey;
use crate::domain::monitor::MonitorName;
use crate::domain::notification::About;

use super::context::{Context, OtherDown};
use super::outline::{Body, Doc};
use super::reproduce;
use super::words;
use crate::view::shell::shell_word;

/// At most this many other sites are named.
const OTHERS_MAX: usize = 8;

/// Others that are down now, and how many may be soon.
pub(super) fn also_down(doc: &mut Doc, ctx: &Context) {
    let confirming = match ctx.confirming {
        0 => None,
        one @ 1 => Some(format!("{one} more is being confirmed")),
        many => Some(format!("{many} more are being confirmed")),
    };
    if ctx.also_down.is_empty() {
        doc.prose("Also failing", confirming.unwrap_or_default());
        return;
    }
    let mut names = named(ctx.also_down.iter(), ctx);
    names.extend(confirming);
    doc.prose("Also down now", names.join(", "));
}

/// Other monitors that are down, without those that this mail is about.
pub(super) fn others_down(doc: &mut Doc, but: &BTreeSet<&MonitorName>, ctx: &Context) {
    let others = ctx.also_down.iter();
    let others = others.filter(|other| !but.contains(&other.name));
    doc.prose("Also down now", named(others, ctx).join(", "));
}

fn named<'a>(others: impl Iterator<Item = &'a OtherDown> + Clone, ctx: &Context) -> Vec<String> {
    let mut names: Vec<String> = others
        .clone()
        .take(OTHERS_MAX)
        .map(|other| {
            format!(
                "{} (since {})",
                other.name,
                words::clock_time(other.since, ctx)
            )
        })
        .collect();
    if let more @ 1.. = others.count().saturating_sub(OTHERS_MAX) {
        names.push(format!("and {more} more"));
    }
    names
}

/// How the last thirty days went, or the time since the first check where that is less.
pub(super) fn month(doc: &mut Doc, ctx: &Context) {
    let Some(month) = ctx.history.month else {
        return;
    };
    let outages = match month.outages {
        0 => "no outage".to_owned(),
        1 => format!("1 outage, {}", words::span(month.longest)),
        many => format!("{many} outages, longest {}", words::span(month.longest)),
    };
    let since = match month.observed {
        Some(observed) => format!("since {} ago", words::span(observed)),
        None => "in the last 30 days".to_owned(),
    };
    doc.prose(
        "Uptime",
        format!(
            "{} {since} (coverage {}), {outages}",
            words::percent(month.uptime_percent),
            words::percent(month.coverage_percent)
        ),
    );
}

/// Who acknowledged the outage, and the note.
pub(super) fn ack(doc: &mut Doc, incident: IncidentKey, ctx: &Context) {
    if let Some(acked) = ctx.acks.iter().find(|acked| acked.incident == incident) {
        let at = words::clock_time(acked.at, ctx);
        doc.prose(
            "Acknowledged",
            match &acked.note {
                Some(note) => format!("at {at}: {note}"),
                None => format!("at {at}"),
            },
        );
    }
}

/// The configuration's note.
pub(super) fn note(doc: &mut Doc, ctx: &Context) {
    if let Some(monitor) = ctx.monitor {
        doc.part("Note", Body::Note(words::masked(&monitor.note, ctx)));
    }
}

/// How to do the check by hand.
pub(super) fn try_it(doc: &mut Doc, ctx: &Context) {
    if let Some(monitor) = ctx.monitor {
        doc.part("Try it", Body::Command(reproduce::words(monitor, None)));
    }
}

/// The same by the version of HTTP that fails, where it is one of several.
pub(super) fn try_version(doc: &mut Doc, check: &Check, ctx: &Context) {
    let extras = check.extras.as_deref();
    let mut versions = extras
        .iter()
        .flat_map(|extras| extras.versions.iter().flatten());
    let failing = versions.find(|one| one.state == CheckState::Down);
    if let Some(monitor) = ctx.monitor {
        let words = reproduce::words(monitor, failing.map(|one| one.version));
        doc.part("Try it", Body::Command(words));
    }
}

/// The command that shows more.
pub(super) fn more(doc: &mut Doc, about: &About, since: &str) {
    let words = command("sitewatch history", about, &format!("--since {since}"));
    doc.part("More", Body::Command(words));
}

/// The commands that show more and that rest the reminders.
pub(super) fn commands(doc: &mut Doc, about: &About, since: &str) {
    more(doc, about, since);
    let words = command("sitewatch ack", about, "--for 2h --note 'name, reason'");
    doc.part("Acknowledge", Body::Command(words));
}

/// The command that holds the mails of a monitor that need not be down.
pub(super) fn mute(doc: &mut Doc, about: &About) {
    let words = command("sitewatch mute", about, "--for 2h");
    doc.part("Mute", Body::Command(words));
}

/// A command about a monitor; a name that begins with a dash is kept from being an option.
fn command(words: &str, about: &About, options: &str) -> Vec<String> {
    let name = shell_word(about.name.as_str());
    if name.starts_with('-') {
        vec![words.into(), options.into(), format!("-- {name}")]
    } else {
        vec![words.into(), name, options.into()]
    }
}

/// Says that a mail is late, and why.
pub(super) fn delay(doc: &mut Doc, ctx: &Context) {
    if let Some(delay) = &ctx.delay {
        doc.lead.push(format!(
            "This {} left {} after it was decided: {}.",
            delay.what,
            words::span(delay.by),
            delay.why
        ));
    }
}

/// The last line: program, version, host.
pub(super) fn footer(ctx: &Context, more: &str) -> String {
    let mut footer = format!("sitewatch {} on {}", env!("CARGO_PKG_VERSION"), ctx.host);
    if let Some(interval) = ctx
        .monitor
        .map(|monitor| words::span(monitor.rules.interval))
        && more.is_empty()
    {
        footer.push_str(&format!(", checked every {interval}"));
    }
    if !more.is_empty() {
        footer.push_str(", ");
        footer.push_str(more);
    }
    footer
}
