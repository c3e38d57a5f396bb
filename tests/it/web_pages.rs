//! Pages from made-up rows: whatever names and sites send, the markup keeps its shape.

use jiff::civil::date;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use sitewatch::domain::check::{CheckState, Micros};
use sitewatch::domain::timestamp::Timestamp;
use sitewatch::view::page::rows::{
    Bucket, CertificateRow, ChainChangeRow, Chart, CheckRow, Day, Frame, HopRow, IncidentRow,
    MonitorPage, MonitorRow, Overview, PhaseRow, State, Times, WindowRow,
};
use sitewatch::view::page::{monitor, overview};

const DAY_MS: u64 = 86_400_000;

fn now() -> Timestamp {
    Timestamp::from_ms(1_795_377_600_000)
}

fn ago(minutes: i64) -> Timestamp {
    Timestamp::from_ms(now().as_ms() - minutes * 60_000)
}

fn frame(text: &str) -> Frame {
    Frame {
        title: text.to_owned(),
        zone: TimeZone::get("Europe/Berlin").expect("the zone is bundled"),
        now: now(),
        trusted: true,
    }
}

fn incident(text: &str, open: bool) -> IncidentRow {
    IncidentRow {
        id: "1-1795374000000".to_owned(),
        monitor: text.to_owned(),
        opened_at: ago(if open { 14 } else { 30_000 }),
        closed_at: (!open).then(|| ago(29_960)),
        cause: text.to_owned(),
        detail: text.to_owned(),
        checks_failed: 16,
        maintenance: true,
        acked_at: open.then(|| ago(10)),
        ack_note: String::new(),
    }
}

fn days() -> Vec<Day> {
    let first = date(2026, 8, 25);
    (0..90_u64)
        .map(|index| {
            let mut times = Times {
                up_ms: DAY_MS,
                ..Times::default()
            };
            match index % 17 {
                3 => times.down_ms = 40 * 60_000,
                5 => times.degraded_ms = DAY_MS / 3,
                7 => times.maintenance_ms = DAY_MS / 12,
                11 => times.unknown_ms = DAY_MS / 2,
                _ => {}
            }
            times.up_ms -=
                times.down_ms + times.degraded_ms + times.maintenance_ms + times.unknown_ms;
            if index < 12 {
                times = Times::default();
            }
            Day {
                date: first.saturating_add(jiff::Span::new().days(index.cast_signed())),
                times,
            }
        })
        .collect()
}

fn row(text: &str, state: State) -> MonitorRow {
    MonitorRow {
        name: text.to_owned(),
        url: text.to_owned(),
        tags: vec![text.to_owned()],
        state,
        since: Some(ago(14)),
        cause: text.to_owned(),
        flags: vec!["maintenance", "acked"],
        day: days()[20].times,
        month: days()[24].times,
        days: days(),
        spark: (0..24)
            .map(|hour| (hour != 9).then_some(Micros::new(100_000 + hour * 9_000)))
            .collect(),
        last_incident: Some(incident(text, state == State::Down)),
    }
}

fn overview_of(text: &str) -> String {
    let states = [State::Down, State::Up, State::Degraded, State::Unknown];
    overview::overview(&Overview {
        frame: frame(text),
        monitors: states.map(|state| row(text, state)).into(),
        open: vec![incident(text, true)],
        windows: vec![WindowRow {
            start: ago(-60),
            end: ago(-120),
            monitors: vec![text.to_owned(), text.to_owned()],
        }],
        trouble: vec![text.to_owned()],
        tag: None,
        page: 0,
    })
    .into_string()
}

fn hop(text: &str) -> HopRow {
    HopRow {
        url: text.to_owned(),
        status: Some(301),
        address: text.to_owned(),
        took: Some(Micros::new(21_400)),
    }
}

fn chart() -> Chart {
    let buckets = (0..288_u32)
        .map(|index| {
            let p50 = 180_000 + (index * 7919) % 40_000;
            Bucket {
                at: ago(1440 - i64::from(index) * 5),
                latency: (!(100..110).contains(&index))
                    .then_some((Micros::new(p50), Micros::new(p50 * 2))),
                down: (100..104).contains(&index),
            }
        })
        .collect();
    Chart {
        span: "24 hours",
        from: ago(1440),
        to: now(),
        buckets,
    }
}

fn monitor_of(text: &str) -> String {
    let phase = |phase, last| PhaseRow {
        phase,
        last: Some(Micros::new(last)),
        usual: Some(Micros::new(last / 2)),
    };
    monitor::monitor(&MonitorPage {
        frame: frame(text),
        row: row(text, State::Down),
        how: text.to_owned(),
        note: text.to_owned(),
        next_check_at: Some(ago(-1)),
        charts: vec![chart()],
        phases: vec![
            phase("dns", 3_000),
            phase("connect", 12_000),
            phase("tls", 24_000),
            phase("ttfb", 1_001_000),
            phase("body", 3_000),
        ],
        chain: vec![hop(text), hop(text)],
        chain_changes: vec![ChainChangeRow {
            at: ago(3000),
            hops: vec![hop(text)],
        }],
        certificate: Some(CertificateRow {
            subject: text.to_owned(),
            issuer: text.to_owned(),
            not_after: ago(-60_000),
        }),
        incidents: vec![incident(text, true), incident(text, false)],
        checks: vec![CheckRow {
            at: ago(1),
            state: CheckState::Down,
            status: Some(503),
            total: Micros::new(1_043_000),
            redirects: 2,
            detail: text.to_owned(),
        }],
        windows: Vec::new(),
    })
    .into_string()
}

/// The tags of a page with the names of their attributes: its shape, without any text.
fn shape(html: &str) -> Vec<String> {
    let mut tags = Vec::new();
    let mut rest = html;
    while let Some(open) = rest.find('<') {
        rest = &rest[open + 1..];
        let mut tag = String::new();
        let mut quoted = false;
        let mut end = rest.len();
        for (at, c) in rest.char_indices() {
            match c {
                '"' => quoted = !quoted,
                '>' if !quoted => {
                    end = at;
                    break;
                }
                _ if quoted => {}
                c => tag.push(c),
            }
        }
        tags.push(tag);
        rest = rest.get(end + 1..).unwrap_or("");
    }
    tags
}

fn assert_shape_kept(text: &str) {
    assert_eq!(
        shape(&overview_of(text)),
        shape(&overview_of("x")),
        "{text:?}"
    );
    assert_eq!(
        shape(&monitor_of(text)),
        shape(&monitor_of("x")),
        "{text:?}"
    );
}

#[test]
fn known_attacks_stay_text() {
    for text in [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "' onmouseover='alert(1)",
        "</style><svg/onload=alert(1)>",
        "javascript:alert(1)",
        "]]><!--",
        "&lt;b&gt; &amp; &#60;",
        "${7*7}{{7*7}}",
        "../../etc/passwd",
        "a\u{202e}b",
        "名前 🦀 נתן",
    ] {
        assert_shape_kept(text);
        // A link is always one of ours, whatever the name.
        for page in [overview_of(text), monitor_of(text)] {
            assert!(!page.contains("<img"), "{text}");
            for link in page.split("href=\"").skip(1) {
                assert!(link.starts_with(['/', '#']), "{link:.60}");
            }
        }
    }
}

proptest! {
    #![proptest_config(crate::support::cases::cases(64))]
    #[test]
    fn anything_stays_text(text in any::<String>().prop_filter("an empty text has no element", |text| !text.is_empty())) {
        assert_shape_kept(&text);
    }
}

#[test]
fn pages_hold_one_heading_and_nothing_inline() {
    for page in [overview_of("shop"), monitor_of("shop")] {
        assert_eq!(page.matches("<h1").count(), 1);
        assert_eq!(page.matches("<main").count(), 1);
        assert!(page.starts_with("<!DOCTYPE html><html lang=\"en\">"));
        assert!(!page.contains("style=\""), "inline style");
        assert!(!page.contains("<style"), "inline style");
        assert_eq!(page.matches("<script").count(), 1);
        assert!(!page.contains("http"), "a foreign source");
    }
}

#[test]
fn pages_speak_to_people() {
    let monitor = monitor_of("shop");
    for said in [
        "<p>Down for 14m: shop, in maintenance, acknowledged</p>",
        "Latency over 24 hours",
        "<td>shop</td>",
    ] {
        assert!(monitor.contains(said), "{said} in {monitor}");
    }
    for page in [overview_of("shop"), monitor] {
        assert!(
            !page.contains(">acked<") && !page.contains(", acked"),
            "{page}"
        );
    }
}

/// For looking at them in a browser.
#[test]
fn pages_are_laid_out_for_the_eye() {
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("overview.html"), overview_of("shop")).unwrap();
    std::fs::write(directory.join("monitor.html"), monitor_of("shop")).unwrap();
}
