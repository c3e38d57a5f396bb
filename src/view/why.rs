//! Why a monitor is in its state, and what was told or is held back: a sentence, the steps, the holds.

use std::fmt::{self, Write};
use std::sync::Arc;

use serde::Serialize;

use super::json::{self, Audience, CheckObject, MailObject, Utc};
use super::rows::MailRow;
use super::shell::shell_word;
use super::terminal::{Screen, Tone};
use super::time_text::Clock;
use super::wrap;
use crate::domain::check::Check;
use crate::domain::location::LocationName;
use crate::domain::redaction;
use crate::domain::safe_text;
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::state::ShownState;

/// Times stand before the texts of steps: `2026-11-29 13:57:44  `.
const INDENT: usize = 21;

/// Texts are this wide where the screen has no width.
const COLUMNS: usize = 80;

/// Everything that is said.
#[derive(Debug, Clone)]
pub struct Why {
    /// Its name.
    pub monitor: String,
    /// Its URL.
    pub url: String,
    /// The time that is asked about.
    pub at: Timestamp,
    /// Its state then.
    pub state: ShownState,
    /// Since when.
    pub since: Option<Timestamp>,
    /// The id of the incident that was open.
    pub incident: Option<String>,
    /// One sentence.
    pub reason: String,
    /// What led to it, oldest first.
    pub steps: Vec<StepRow>,
    /// What holds messages back.
    pub holds: Vec<HoldRow>,
    /// Messages about the incident.
    pub told: Vec<MailRow>,
    /// When it is checked next.
    pub next_check_at: Option<Timestamp>,
    /// When a message can leave next.
    pub next_message_at: Option<Timestamp>,
    /// Whether everything that decided is known.
    pub complete: bool,
    /// Whether it is paused: then no check comes.
    pub is_paused: bool,
}

/// One step.
#[derive(Debug, Clone)]
pub struct StepRow {
    /// The moment of the step.
    pub at: Timestamp,
    /// One word.
    pub event: &'static str,
    /// What happened.
    pub text: String,
    /// The check that it came of.
    pub check: Option<Arc<Check>>,
    /// From where that came; `None` for a single place.
    pub location: Option<LocationName>,
}

/// One thing that holds messages back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldRow {
    /// What: one word.
    pub by: &'static str,
    /// Until when; `None` if that is not known.
    pub until: Option<Timestamp>,
    /// Who, or which monitor.
    pub who: Option<String>,
    /// Whose messages.
    pub to: Vec<String>,
}

/// As `why --json` prints it.
#[derive(Debug, Serialize)]
pub struct WhyObject<'a> {
    monitor: &'a str,
    at: Utc,
    state: &'static str,
    since: Option<Utc>,
    incident: Option<&'a str>,
    reason: &'a str,
    steps: Vec<StepObject<'a>>,
    holds: Vec<HoldObject<'a>>,
    told: Vec<MailObject<'a>>,
    next_check_at: Option<Utc>,
    next_message_at: Option<Utc>,
    complete: bool,
}

#[derive(Debug, Serialize)]
struct StepObject<'a> {
    at: Utc,
    event: &'static str,
    text: &'a str,
    check: Option<CheckObject<'a>>,
}

#[derive(Debug, Serialize)]
struct HoldObject<'a> {
    by: &'static str,
    until: Option<Utc>,
    who: Option<&'a str>,
    to: &'a [String],
}

/// As `why --json` prints it.
pub fn object(why: &Why) -> WhyObject<'_> {
    WhyObject {
        monitor: &why.monitor,
        at: Utc(why.at),
        state: why.state.as_str(),
        since: why.since.map(Utc),
        incident: why.incident.as_deref(),
        reason: &why.reason,
        steps: why
            .steps
            .iter()
            .map(|step| StepObject {
                at: Utc(step.at),
                event: step.event,
                text: &step.text,
                check: step.check.as_deref().map(|check| {
                    json::check(&why.monitor, &why.url, check, Audience::Owner)
                        .from_location(step.location.as_ref())
                }),
            })
            .collect(),
        holds: why
            .holds
            .iter()
            .map(|hold| HoldObject {
                by: hold.by,
                until: hold.until.map(Utc),
                who: hold.who.as_deref(),
                to: &hold.to,
            })
            .collect(),
        told: why.told.iter().map(MailObject::of).collect(),
        next_check_at: why.next_check_at.map(Utc),
        next_message_at: why.next_message_at.map(Utc),
        complete: why.complete,
    }
}

/// For people.
pub fn write(why: &Why, clock: &Clock, screen: Screen, out: &mut impl Write) -> fmt::Result {
    let columns = screen.columns.map_or(COLUMNS, usize::from).clamp(40, 120);
    for line in wrap::lines(&why.reason, columns) {
        writeln!(out, "{}", screen.paint(Tone::Strong, &line))?;
    }
    if !why.steps.is_empty() {
        writeln!(out)?;
    }
    for step in &why.steps {
        let text = redaction::shown(&step.text).into_owned();
        entry(&clock.civil(step.at), &text, columns, out)?;
    }
    if !why.holds.is_empty() {
        writeln!(out, "\nHeld back until")?;
    }
    for hold in &why.holds {
        let until = hold
            .until
            .map_or_else(|| "not known".to_owned(), |until| clock.civil(until));
        entry(&until, &hold_text(hold, &why.monitor), columns, out)?;
    }
    if !why.told.is_empty() {
        writeln!(out, "\nTold")?;
    }
    for mail in &why.told {
        let to = safe_text::line(&mail.to, 200);
        let text = match mail.sent_at {
            Some(_) => format!("{} to {to}", words(mail.kind.as_str())),
            None => format!("{} to {to}: not sent yet", words(mail.kind.as_str())),
        };
        entry(
            &clock.civil(mail.sent_at.unwrap_or(mail.queued_at)),
            &text,
            columns,
            out,
        )?;
    }
    let mut next = Vec::new();
    next.extend(
        why.next_check_at
            .map(|at| format!("next check {}", clock.civil(at))),
    );
    next.extend(
        why.next_message_at
            .map(|at| format!("next message {}", clock.civil(at))),
    );
    if !why.complete {
        next.push("not all that decided this is recorded".to_owned());
    }
    next.push(clock.caption());
    writeln!(
        out,
        "\n{}",
        screen.paint(Tone::Faint, &next.join(" \u{b7} "))
    )
}

fn entry(at: &str, text: &str, columns: usize, out: &mut impl Write) -> fmt::Result {
    let lines = wrap::lines(text, columns.saturating_sub(INDENT));
    for (index, line) in lines.iter().enumerate() {
        let head = if index == 0 { at } else { "" };
        writeln!(out, "{head:INDENT$}{line}")?;
    }
    Ok(())
}

fn words(kind: &str) -> String {
    kind.replace('_', " ").to_uppercase()
}

/// What a hold means, and what ends it where a person can.
fn hold_text(hold: &HoldRow, monitor: &str) -> String {
    let who = hold
        .who
        .as_deref()
        .map(|who| safe_text::line(who, 100).into_owned());
    let of = |what: &str| match &who {
        Some(who) => format!("{what} ({who})"),
        None => what.to_owned(),
    };
    let name = shell_word(monitor);
    let text = match hold.by {
        "threshold" => "more checks in a row are needed".to_owned(),
        "window" => of("a maintenance window is open"),
        "mute" => of("it is muted"),
        "parent" => of("a monitor it depends on fails, or has not answered yet"),
        "ack" => format!("{}, so no reminders or escalation", of("acknowledged")),
        "flapping" => "flapping: it changes too often for single messages".to_owned(),
        "offline" => "this machine is offline".to_owned(),
        "hours" => "outside the hours of the recipient".to_owned(),
        "digest" => "waiting for other messages to the same recipient".to_owned(),
        "transport" => "the mail server accepts no mail from us".to_owned(),
        "recipient" => "the mail server deferred this recipient".to_owned(),
        "channel" => "the service has not accepted it yet".to_owned(),
        "nobody" => "there is nobody to tell".to_owned(),
        other => other.to_owned(),
    };
    let ends = match hold.by {
        // One of the configuration has nobody who ordered it.
        "window" if who.is_some() => format!("; ends by `sitewatch maintenance {name} --end`"),
        "mute" => format!("; ends by `sitewatch unmute {name}`"),
        "digest" => "; leaves now by `sitewatch email retry`".to_owned(),
        "transport" | "recipient" | "channel" => {
            "; `sitewatch email queue` has its answer".to_owned()
        }
        "nobody" => "; `to` of the monitor or of [alerts] names who is told".to_owned(),
        _ => String::new(),
    };
    match hold.to.as_slice() {
        [] => format!("{text}{ends}"),
        to => format!("{text}: {}{ends}", to.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_says_what_ends_it() {
        let hold = |by, who: Option<&str>, to: &[&str]| HoldRow {
            by,
            until: None,
            who: who.map(str::to_owned),
            to: to.iter().map(|to| (*to).to_owned()).collect(),
        };
        let check = |hold: HoldRow, text: &str| assert_eq!(hold_text(&hold, "the shop"), text);
        check(
            hold("window", Some("kim"), &["ops@example.com"]),
            "a maintenance window is open (kim): ops@example.com; ends by `sitewatch maintenance 'the shop' --end`",
        );
        check(
            hold("window", None, &["ops@example.com"]),
            "a maintenance window is open: ops@example.com",
        );
        check(
            hold("mute", Some("kim"), &[]),
            "it is muted (kim); ends by `sitewatch unmute 'the shop'`",
        );
        check(
            hold("threshold", None, &[]),
            "more checks in a row are needed",
        );
    }
}
