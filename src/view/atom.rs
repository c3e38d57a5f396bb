//! `/feed.atom`: incidents and maintenance as an Atom feed (RFC 4287), one entry each that changes when it ends.

use maud::{Markup, PreEscaped, html};

use super::page::rows::{Frame, IncidentRow, WindowRow};
use super::page::words;
use crate::domain::timestamp::Timestamp;

/// How many incidents a feed holds.
pub const ENTRIES_MAX: usize = 50;

/// The feed.
#[derive(Debug, Clone)]
pub struct Feed<'a> {
    /// Title, zone, time.
    pub frame: &'a Frame,
    /// `https://status.example.com` as the reader asked for it; empty where that is not known.
    pub base: &'a str,
    /// What makes ids of this watcher its own: stays the same for ever.
    pub origin: &'a str,
    /// The newest first.
    pub incidents: &'a [IncidentRow],
    /// Running and announced maintenance, the next first.
    pub windows: &'a [WindowRow],
}

/// When an entry last had something new to say.
fn updated(incident: &IncidentRow) -> Timestamp {
    let noted = incident.acked_at.unwrap_or(incident.opened_at);
    let told = incident.notes.iter().map(|(at, _)| *at).max();
    let changed = incident.closed_at.unwrap_or(noted).max(incident.opened_at);
    let later = told.max(incident.amended_at);
    changed.max(later.unwrap_or(changed))
}

/// `urn:sitewatch:ORIGIN:incident:ID`, percent-encoded as RFC 8141 wants it.
fn urn(origin: &str, id: &str) -> String {
    format!(
        "urn:sitewatch:{}:incident:{}",
        words::segment(origin),
        words::segment(id)
    )
}

/// The document.
pub fn feed(data: &Feed<'_>) -> Markup {
    let incidents = data.incidents.iter().map(updated);
    let windows = data.windows.iter().map(|window| window.announced_at);
    let newest = incidents.chain(windows).max();
    // Without any the feed has not changed since the beginning.
    let updated_at = newest.unwrap_or(Timestamp::from_ms(0));
    html! {
        (PreEscaped("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"))
        feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en" {
            id { "urn:sitewatch:" (words::segment(data.origin)) ":incidents" }
            title { (words::xml_safe(&data.frame.title)) ": incidents and maintenance" }
            updated { (updated_at) }
            author { name { (words::xml_safe(&data.frame.title)) } }
            generator version=(env!("CARGO_PKG_VERSION")) { "sitewatch" }
            link rel="self" type="application/atom+xml" href={ (data.base) "/feed.atom" } {}
            link rel="alternate" type="text/html" href={ (data.base) "/" } {}
            @for window in data.windows { (maintenance(data, window)) }
            @for incident in data.incidents.iter().take(ENTRIES_MAX) { (entry(data, incident)) }
        }
    }
}

/// What is announced stays one entry when it begins: its begin and its first monitor make it.
fn maintenance(data: &Feed<'_>, window: &WindowRow) -> Markup {
    let first = window.monitors.first();
    let covered = match window.monitors.as_slice() {
        [] => "all monitors".to_owned(),
        names => names.join(", "),
    };
    let id = format!(
        "urn:sitewatch:{}:maintenance:{}-{}",
        words::segment(data.origin),
        window.start.as_ms(),
        words::segment(first.map_or("", String::as_str))
    );
    html! {
        entry {
            id { (id) }
            title { "Maintenance: " (words::xml_safe(&covered)) }
            published { (window.announced_at) }
            updated { (window.announced_at) }
            link rel="alternate" type="text/html" href={ (data.base) "/" } {}
            content type="text" {
                "From " (words::moment_text(data.frame, window.start)) " to "
                (words::moment_text(data.frame, window.end)) "."
                @if !window.note.is_empty() { " " (words::xml_safe(&window.note)) }
            }
        }
    }
}

fn entry(data: &Feed<'_>, incident: &IncidentRow) -> Markup {
    let now = data.frame.now;
    let href = format!("{}{}", data.base, words::monitor_path(&incident.monitor));
    html! {
        entry {
            id { (urn(data.origin, &incident.id)) }
            title {
                (words::xml_safe(&incident.monitor))
                @if incident.closed_at.is_some() { " was down for " (words::lasted(incident, now)) }
                @else { " is down" }
                ": " (incident.cause)
            }
            published { (incident.opened_at) }
            updated { (updated(incident)) }
            link rel="alternate" type="text/html" href=(href) {}
            content type="text" {
                (words::xml_safe(&incident.detail))
                @if !incident.detail.is_empty() { ". " } "Down since " (words::moment_text(data.frame, incident.opened_at))
                @if let Some(at) = incident.closed_at { ", up again " (words::moment_text(data.frame, at)) }
                ". " (words::counted(incident.checks_failed as usize, "failed check")) "."
                @if incident.maintenance { " In maintenance." }
                @if !incident.amended.is_empty() { " Afterwards: " (incident.amended) "." }
                @for (at, text) in &incident.notes {
                    "\n" (words::moment_text(data.frame, *at)) ": " (words::xml_safe(text))
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::page::rows::tests::frame;
    use super::*;

    fn incident(monitor: &str, detail: &str) -> IncidentRow {
        IncidentRow {
            id: "12-1795374000000".to_owned(),
            monitor: monitor.to_owned(),
            opened_at: Timestamp::from_ms(1_795_374_000_000),
            closed_at: Some(Timestamp::from_ms(1_795_374_840_000)),
            cause: "503".to_owned(),
            detail: detail.to_owned(),
            checks_failed: 16,
            maintenance: false,
            acked_at: None,
            ack_note: String::new(),
            escalated_at: None,
            amended: "",
            amended_at: None,
            is_outage: true,
            notes: Vec::new(),
        }
    }

    fn written(incidents: &[IncidentRow]) -> String {
        let frame = frame();
        feed(&Feed {
            frame: &frame,
            base: "http://status.example.com",
            origin: "ab12",
            incidents,
            windows: &[],
        })
        .into_string()
    }

    #[test]
    fn maintenance_is_an_entry() {
        let (begin, end) = (1_795_374_000_000, 1_795_374_840_000);
        let frame = frame();
        let window = WindowRow {
            announced_at: Timestamp::from_ms(begin - 600_000),
            start: Timestamp::from_ms(begin),
            end: Timestamp::from_ms(end),
            monitors: vec!["shop".to_owned(), "blog <b>".to_owned()],
            note: "new disks".to_owned(),
        };
        let text = feed(&Feed {
            frame: &frame,
            base: "http://status.example.com",
            origin: "ab12",
            incidents: &[],
            windows: &[window],
        })
        .into_string();
        for piece in [
            "<id>urn:sitewatch:ab12:maintenance:1795374000000-shop</id>",
            "<title>Maintenance: shop, blog &lt;b&gt;</title>",
            "From 22 Nov 19:00:00 to 22 Nov 19:14:00. new disks</content>",
        ] {
            assert!(text.contains(piece), "{piece} in {text}");
        }
        let updated = "<updated>2026-11-22T18:50:00.000Z</updated>";
        assert_eq!(text.matches(updated).count(), 2, "{text}");
    }

    #[test]
    fn an_entry_tells_the_incident() {
        let text = written(&[incident("shop <b>", "503 Service Unavailable")]);
        for piece in [
            "<id>urn:sitewatch:ab12:incident:12-1795374000000</id>",
            "<title>shop &lt;b&gt; was down for 14m: 503</title>",
            "<updated>2026-11-22T19:14:00.000Z</updated>",
            "href=\"http://status.example.com/monitor/shop%20%3Cb%3E\"></link>",
            "503 Service Unavailable. Down since 22 Nov 19:00:00, up again 22 Nov 19:14:00. 16 failed checks.",
        ] {
            assert!(text.contains(piece), "{piece} in {text}");
        }
    }

    #[test]
    fn an_amendment_and_its_end_are_news() {
        let mut amended = incident("shop", "");
        amended.amended_at = Some(Timestamp::from_ms(1_795_461_240_000));
        let text = written(&[amended]);
        let updated = "<updated>2026-11-23T19:14:00.000Z</updated>";
        assert_eq!(text.matches(updated).count(), 2, "{text}");
    }

    proptest! {
        #![proptest_config(crate::cases::cases(256))]
        #[test]
        fn the_feed_stays_xml(monitor in any::<String>(), detail in any::<String>()) {
            let text = written(&[incident(&monitor, &detail)]);
            let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}'
                | '\u{10000}'..);
            prop_assert!(text.chars().all(allowed));
            prop_assert_eq!(text.matches('<').count(), text.matches('>').count());
            prop_assert_eq!(text.matches("<entry>").count(), 1);
        }
    }
}
