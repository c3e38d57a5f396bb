//! Events, a line each: for people, and as JSON.

use std::fmt::{self, Write};

use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use super::json::{self, CauseObject, Utc};
use super::order_objects::ByObject;
use super::terminal::{Screen, Tone};
use super::time_text::Clock;
use crate::domain::event::{Event, What};
use crate::domain::location::Seen;
use crate::domain::order::OrderArgs;

/// So wide is the longest type.
const TYPE_COLUMNS: usize = 8;

/// Where texts begin: `2026-11-29 13:57:44  delivery  `.
const TEXT_COLUMN: usize = 31;

/// The least width of a screen on which the lines of a long text stand below its first one.
const WIDE: u16 = 64;

/// Where they begin on one that is narrower.
const NARROW_INDENT: usize = 4;

/// Writes an event as a line for people; on a terminal that is too narrow for it as several.
pub fn line(event: &Event, clock: &Clock, screen: Screen, out: &mut impl Write) -> fmt::Result {
    let at = clock.civil(event.at);
    let monitor = match &event.monitor {
        Some(name) => format!("{name}: "),
        None => String::new(),
    };
    let (kind, tone, text) = match &event.what {
        What::State {
            from, to, cause, ..
        } => {
            let why = cause.as_ref().map(|cause| &*cause.failure.detail);
            let why = why.filter(|why| !why.is_empty());
            let why = why.map_or_else(String::new, |why| format!(" ({why})"));
            ("state", tone(to), format!("{from} to {to}{why}"))
        }
        What::Delivery {
            kind, to, outcome, ..
        } => {
            let tone = if outcome == "failed" {
                Tone::Bad
            } else {
                Tone::Faint
            };
            let kind = kind.replace('_', " ").to_uppercase();
            ("delivery", tone, format!("{kind} to {to} {outcome}"))
        }
        What::Order(order) => {
            let text = format!(
                "{}{} by {}",
                order.word.as_str(),
                said(&order.args, clock),
                order.by
            );
            ("order", Tone::Accent, text)
        }
        What::Location { location, seen } => {
            let (tone, text) = match seen {
                Seen::Fresh => (Tone::Good, "is heard"),
                Seen::Silent => (Tone::Warning, "is silent"),
                Seen::Offline => (Tone::Warning, "is offline"),
            };
            ("location", tone, format!("{location} {text}"))
        }
        What::Gap { from, reason } => {
            let why = match reason.as_str() {
                "offline" => "we were offline",
                _ => "sitewatch did not run",
            };
            (
                "gap",
                Tone::Warning,
                format!("{why} since {}", clock.civil(*from)),
            )
        }
    };
    let kind = format!("{kind:TYPE_COLUMNS$}");
    let kind = screen.paint(tone, &kind);
    place(&at, &kind, &format!("{monitor}{text}"), screen, out)
}

/// Puts the text beside its time and type, or below them where the screen is narrow.
fn place(at: &str, kind: &str, text: &str, screen: Screen, out: &mut impl Write) -> fmt::Result {
    match screen.columns {
        Some(columns) if usize::from(columns) >= TEXT_COLUMN + text.width() => {
            writeln!(out, "{at}  {kind}  {text}")
        }
        Some(columns) if columns < WIDE => {
            let text = screen.hanging(text, NARROW_INDENT);
            writeln!(
                out,
                "{at}  {}\n{:NARROW_INDENT$}{text}",
                kind.trim_end(),
                ""
            )
        }
        Some(_) => writeln!(out, "{at}  {kind}  {}", screen.hanging(text, TEXT_COLUMN)),
        None => writeln!(out, "{at}  {kind}  {text}"),
    }
}

fn tone(state: &str) -> Tone {
    match state {
        "up" => Tone::Good,
        "down" => Tone::Bad,
        _ => Tone::Warning,
    }
}

/// What was said with an order, in words.
fn said(args: &OrderArgs, clock: &Clock) -> String {
    let mut text = String::new();
    if args.end {
        text.push_str(" --end");
    }
    if let Some(counts_as) = &args.counts_as {
        text.push_str(&format!(" as {counts_as}"));
    }
    if args.undo {
        text.push_str(" --undo");
    }
    if args.accept_lists {
        text.push_str(" --accept-lists");
    }
    if args.all {
        text.push_str(" of all");
    }
    if let Some(incident) = &args.incident {
        text.push_str(&format!(" of incident {incident}"));
    }
    for tag in &args.tags {
        text.push_str(&format!(" of tag {tag}"));
    }
    if args.monitors.len() > 1 {
        text.push_str(&format!(" of {}", args.monitors.join(", ")));
    }
    if let Some(until) = args.until {
        text.push_str(&format!(" until {}", clock.civil(until)));
    }
    if args.with_command {
        text.push_str(" at most, while a command runs");
    }
    if let Some(note) = &args.note {
        text.push_str(&format!(" ({note})"));
    }
    text
}

/// An event, as `events --json` prints it.
pub fn object(event: &Event) -> EventObject<'_> {
    EventObject {
        cursor: event.cursor.to_string(),
        at: Utc(event.at),
        r#type: match event.what {
            What::State { .. } => "state",
            What::Delivery { .. } => "delivery",
            What::Order(_) => "order",
            What::Location { .. } => "location",
            What::Gap { .. } => "gap",
        },
        monitor: event.monitor.as_deref(),
        what: match &event.what {
            What::State {
                from,
                to,
                incident,
                cause,
            } => WhatObject::State {
                from,
                to,
                incident: incident.map(|key| key.to_string()),
                cause: cause.as_ref().map(CauseObject::of),
            },
            What::Delivery {
                id,
                kind,
                to,
                outcome,
            } => WhatObject::Delivery {
                id: *id,
                kind,
                to: to.contains('@').then_some(to),
                channel: (!to.contains('@')).then_some(to),
                outcome,
            },
            What::Order(order) => WhatObject::Order {
                order: order.word.as_str(),
                args: ArgsObject::of(&order.args),
                by: ByObject::of(&order.by),
            },
            What::Location { location, seen } => WhatObject::Location {
                location: location.as_str(),
                seen: seen.as_str(),
            },
            What::Gap { from, reason } => WhatObject::Gap {
                from: Utc(*from),
                to: Utc(event.at),
                reason,
            },
        },
    }
}

/// The object of an event.
#[derive(Debug, Serialize)]
pub struct EventObject<'a> {
    cursor: String,
    at: Utc,
    r#type: &'static str,
    monitor: Option<&'a str>,
    #[serde(flatten)]
    what: WhatObject<'a>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum WhatObject<'a> {
    State {
        from: &'a str,
        to: &'a str,
        incident: Option<String>,
        cause: Option<CauseObject<'a>>,
    },
    Delivery {
        id: i64,
        kind: &'a str,
        to: Option<&'a String>,
        channel: Option<&'a String>,
        outcome: &'a str,
    },
    Order {
        order: &'static str,
        args: ArgsObject<'a>,
        by: ByObject<'a>,
    },
    Location {
        location: &'a str,
        seen: &'static str,
    },
    Gap {
        from: Utc,
        to: Utc,
        reason: &'a str,
    },
}

/// What was said with an order; what was not is left out.
#[derive(Debug, Serialize)]
struct ArgsObject<'a> {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    all: bool,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    tags: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    monitors: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    incident: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#as: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    undo: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Utc>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    with_command: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    end: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    public: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    accept_lists: bool,
}

impl<'a> ArgsObject<'a> {
    fn of(args: &'a OrderArgs) -> Self {
        Self {
            all: args.all,
            tags: &args.tags,
            monitors: &args.monitors,
            incident: args.incident.as_deref(),
            r#as: args.counts_as.as_deref(),
            undo: args.undo,
            until: args.until.map(Utc),
            with_command: args.with_command,
            end: args.end,
            note: args.note.as_deref(),
            public: args.public,
            accept_lists: args.accept_lists,
        }
    }
}

/// Writes an event as a line of JSON.
pub fn json_line(event: &Event, out: &mut impl Write) -> fmt::Result {
    json::line(&object(event), out)
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::domain::check::{Failure, FailureKind};
    use crate::domain::incident::{Cause, IncidentKey};
    use crate::domain::location::LocationName;
    use crate::domain::monitor::MonitorId;
    use crate::domain::order::{By, GivenOrder, OrderWord};
    use crate::domain::timestamp::Timestamp;

    const AT: Timestamp = Timestamp::from_ms(1_795_377_600_123);

    fn event(what: What) -> Event {
        Event {
            cursor: 7,
            at: AT,
            monitor: Some("shop".into()),
            what,
        }
    }

    #[track_caller]
    fn check(event: &Event, line: &str, json: &str) {
        let clock = Clock {
            zone: TimeZone::UTC,
            now: AT,
        };
        let mut text = String::new();
        super::line(event, &clock, Screen::PLAIN, &mut text).unwrap();
        assert_eq!(text, format!("2026-11-22 20:00:00  {line}\n"));
        let mut text = String::new();
        json_line(event, &mut text).unwrap();
        let begin = r#"{"cursor":"7","at":"2026-11-22T20:00:00.123Z","type":"#;
        assert_eq!(text, format!("{begin}{json}\n"));
    }

    #[test]
    fn a_long_line_is_broken_on_a_terminal() {
        let event = event(What::State {
            from: "pending".into(),
            to: "down".into(),
            incident: None,
            cause: Some(Cause {
                failure: Failure {
                    kind: FailureKind::ConnectRefused,
                    detail: "connection refused: nothing is listening on that port".into(),
                },
                status: None,
            }),
        });
        let clock = Clock {
            zone: TimeZone::UTC,
            now: AT,
        };
        let written = |screen| {
            let mut text = String::new();
            line(&event, &clock, screen, &mut text).unwrap();
            text
        };
        assert_eq!(
            written(Screen::terminal(80)),
            "2026-11-22 20:00:00  state     shop: pending to down (connection refused:
                               nothing is listening on that port)\n"
        );
        assert_eq!(
            written(Screen::terminal(40)),
            "2026-11-22 20:00:00  state
    shop: pending to down (connection
    refused: nothing is listening on
    that port)\n"
        );
        assert_eq!(written(Screen::PLAIN).lines().count(), 1);
    }

    #[test]
    fn each_type_has_a_line_and_an_object() {
        let state = event(What::State {
            from: "up".into(),
            to: "down".into(),
            incident: Some(IncidentKey {
                monitor: MonitorId(3),
                opened_at: AT,
            }),
            cause: Some(Cause {
                failure: Failure {
                    kind: FailureKind::Status,
                    detail: "503, not 200-299".into(),
                },
                status: Some(503),
            }),
        });
        check(
            &state,
            "state     shop: up to down (503, not 200-299)",
            r#""state","monitor":"shop","from":"up","to":"down","incident":"3-1795377600123","cause":{"kind":"status","status":503,"detail":"503, not 200-299"}}"#,
        );
        let delivery = event(What::Delivery {
            id: 4,
            kind: "down".into(),
            to: "ops@example.com".into(),
            outcome: "sent".into(),
        });
        check(
            &delivery,
            "delivery  shop: DOWN to ops@example.com sent",
            r#""delivery","monitor":"shop","id":4,"kind":"down","to":"ops@example.com","channel":null,"outcome":"sent"}"#,
        );
        let order = event(What::Order(GivenOrder {
            by: By {
                uid: 1000,
                name: Some("kim".into()),
            },
            word: OrderWord::Ack,
            args: OrderArgs {
                monitors: vec!["shop".into()],
                note: Some("on it".into()),
                ..OrderArgs::default()
            },
        }));
        check(
            &order,
            "order     shop: ack (on it) by kim",
            r#""order","monitor":"shop","order":"ack","args":{"monitors":["shop"],"note":"on it"},"by":{"uid":1000,"name":"kim"}}"#,
        );
        let location = Event {
            monitor: None,
            ..event(What::Location {
                location: LocationName::parse("nyc").unwrap(),
                seen: Seen::Silent,
            })
        };
        check(
            &location,
            "location  nyc is silent",
            r#""location","monitor":null,"location":"nyc","seen":"silent"}"#,
        );
        let gap = Event {
            monitor: None,
            ..event(What::Gap {
                from: Timestamp::from_ms(1_795_377_000_123),
                reason: "stopped".into(),
            })
        };
        check(
            &gap,
            "gap       sitewatch did not run since 2026-11-22 19:50:00",
            r#""gap","monitor":null,"from":"2026-11-22T19:50:00.123Z","to":"2026-11-22T20:00:00.123Z","reason":"stopped"}"#,
        );
    }
}
