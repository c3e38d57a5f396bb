//! Pages from made-up rows: whatever names and sites send, the markup keeps its shape.

use jiff::civil::{date, time};
use jiff::tz::TimeZone;
use proptest::prelude::*;
use sitewatch::domain::check::{CheckState, Micros};
use sitewatch::domain::timestamp::Timestamp;
use sitewatch::view::objective::ObjectiveRow;
use sitewatch::view::page::brand::Brand;
use sitewatch::view::page::rows::{
    Bucket, CertificateRow, ChainChangeRow, Chart, CheckRow, Day, Frame, HopRow, IncidentRow,
    MonitorPage, MonitorRow, Overview, PartRow, PhaseRow, State, Times, WindowRow,
};
use sitewatch::view::page::{assets, monitor, overview};

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
        brand: Brand {
            description: text.to_owned(),
            ..Brand::default()
        },
    }
}

fn incident(text: &str, open: bool) -> IncidentRow {
    IncidentRow {
        amended: "",
        amended_at: None,
        is_outage: false,
        notes: Vec::new(),
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
        escalated_at: open.then(|| ago(12)),
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
                hour: None,
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
        hours: Vec::new(),
        spark: (0..24)
            .map(|hour| (hour != 9).then_some(Micros::new(100_000 + hour * 9_000)))
            .collect(),
        last_incident: Some(incident(text, state == State::Down)),
        locations: Vec::new(),
    }
}

fn objectives(text: &str) -> Vec<ObjectiveRow> {
    vec![ObjectiveRow {
        name: text.to_owned(),
        period: text.to_owned(),
        target_percent: 99.9,
        monitors: 1,
        uptime_percent: Some(99.0),
        coverage_percent: None,
        budget_ms: 2_592_000,
        left_ms: -1,
        burns: [Some(14.4), None, None],
    }]
}

fn overview_of(text: &str) -> String {
    let states = [State::Down, State::Up, State::Degraded, State::Unknown];
    overview::overview(&Overview {
        frame: frame(text),
        monitors: states.map(|state| row(text, state)).into(),
        open: vec![incident(text, true)],
        open_count: 1,
        windows: vec![WindowRow {
            note: String::new(),
            announced_at: ago(-60),
            start: ago(-60),
            end: ago(-120),
            monitors: vec![text.to_owned(), text.to_owned()],
        }],
        objectives: objectives(text),
        trouble: vec![text.to_owned()],
        tag: None,
        filter: String::new(),
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

fn part(text: &str) -> PartRow {
    PartRow {
        name: text.to_owned(),
        state: CheckState::Down,
        status: Some(503),
        total: Some(Micros::new(21_400)),
        detail: text.to_owned(),
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
        addresses: vec![part(text), part(text)],
        versions: vec![part(text)],
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

/// The script says aloud what changed; it finds the states by these names.
#[test]
fn the_script_finds_the_state_of_either_page() {
    let script = assets::SCRIPT.body;
    let page = monitor_of("shop");
    assert!(
        page.contains(
            "<div class=\"banner maintenance\" data-monitor=\"shop\" data-state=\"down\">"
        ),
        "{page}"
    );
    assert!(script.contains("querySelectorAll(\".banner[data-monitor]\")"));
    assert!(overview_of("shop").contains("<li data-monitor=\"shop\" data-state=\"down\">"));
    assert!(script.contains("querySelectorAll(\".monitors > li\")"));
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

const GROUPS: [&str; 8] = [
    "Website", "Shop", "API", "Mail", "Intranet", "Partners", "Media", "Tools",
];

/// Sites as a company has them; every `bad_every`-th is down, the first one in maintenance.
fn fleet(count: usize, young: bool, bad_every: usize) -> Overview {
    let monitors: Vec<MonitorRow> = (0..count)
        .map(|index| {
            let bad = index % bad_every == bad_every - 1;
            let state = match bad {
                true => State::Down,
                false if index % 23 == 5 => State::Degraded,
                false => State::Up,
            };
            let name = format!("api-{index:03}.customer-{}.example.com", index % 10);
            let days = match young {
                true => days()[89..].to_vec(),
                false if index % 5 == 0 => days(),
                false => days().into_iter().map(well).collect(),
            };
            let hours = hours(if young { 3 } else { 0 });
            MonitorRow {
                name: name.clone(),
                url: String::new(),
                tags: vec![GROUPS[index * GROUPS.len() / count.max(1)].to_owned()],
                cause: match state {
                    State::Down => "the page does not show what it should".to_owned(),
                    State::Degraded => "it answers slowly".to_owned(),
                    _ => String::new(),
                },
                flags: if index == 0 {
                    vec!["maintenance"]
                } else {
                    Vec::new()
                },
                days,
                hours,
                last_incident: (state == State::Down || index % 40 == 0).then(|| IncidentRow {
                    monitor: name.clone(),
                    cause: "it cannot be reached".to_owned(),
                    detail: String::new(),
                    maintenance: false,
                    escalated_at: None,
                    ..incident("x", state == State::Down)
                }),
                ..row("x", state)
            }
        })
        .collect();
    let open: Vec<IncidentRow> = monitors
        .iter()
        .filter(|row| row.state == State::Down && !row.in_maintenance())
        .enumerate()
        .map(|(index, row)| IncidentRow {
            monitor: row.name.clone(),
            cause: [
                "the page does not show what it should",
                "it cannot be reached",
            ][index % 2]
                .to_owned(),
            detail: String::new(),
            maintenance: false,
            acked_at: None,
            escalated_at: None,
            ..incident("x", true)
        })
        .collect();
    let mut frame = frame("Example Status");
    frame.trusted = false;
    frame.brand.description = "How the services of Example Ltd are doing.".to_owned();
    frame.brand.link = Some("https://www.example.com/".to_owned());
    Overview {
        frame,
        monitors,
        open_count: open.len(),
        open,
        windows: vec![WindowRow {
            note: String::new(),
            announced_at: ago(60),
            start: ago(60),
            end: ago(-60),
            monitors: vec!["api-000.customer-0.example.com".to_owned()],
        }],
        objectives: Vec::new(),
        trouble: Vec::new(),
        tag: None,
        filter: String::new(),
        page: 0,
    }
}

fn well(mut day: Day) -> Day {
    let times = &mut day.times;
    times.up_ms += times.down_ms + times.degraded_ms + times.unknown_ms + times.maintenance_ms;
    (
        times.down_ms,
        times.degraded_ms,
        times.unknown_ms,
        times.maintenance_ms,
    ) = (0, 0, 0, 0);
    day
}

/// The last hours, so many of them observed.
fn hours(observed: u64) -> Vec<Day> {
    if observed == 0 {
        return Vec::new();
    }
    (0..72_u64)
        .map(|index| Day {
            date: date(2026, 11, 22),
            hour: i8::try_from(index % 24)
                .ok()
                .map(|hour| time(hour, 0, 0, 0)),
            times: Times {
                up_ms: if index >= 72 - observed { 3_600_000 } else { 0 },
                ..Times::default()
            },
        })
        .collect()
}

#[test]
fn a_thousand_sites_weigh_little() {
    let page = overview::overview(&fleet(1000, false, 100)).into_string();
    assert!(page.len() < 300_000, "{} bytes", page.len());
    assert_eq!(page.matches("<li data-state=").count(), 1000);
}

#[test]
fn groups_that_are_well_are_folded_where_there_are_many() {
    let count = |page: &str, what: &str| page.matches(what).count();
    let many = overview::overview(&fleet(200, false, 200)).into_string();
    // One has the site that is down, one the site in maintenance, and some have a degraded one.
    assert_eq!(count(&many, "<details id=\"group-"), 8);
    assert!(
        count(&many, "<details id=\"group-0-sites\" open") == 1,
        "{many}"
    );
    let few = overview::overview(&fleet(12, false, 200)).into_string();
    assert_eq!(count(&few, "-sites\" open>"), count(&few, "<details"));
}

#[test]
fn five_incidents_are_cards_and_the_others_share_lines() {
    let page = overview::overview(&fleet(200, false, 2)).into_string();
    let incidents = page.split("class=\"incidents\"").nth(1).expect("a list");
    let incidents = incidents.split("</section>").next().expect("its end");
    assert_eq!(incidents.matches("Down since").count(), 5);
    assert!(
        incidents.contains("<strong>48 sites</strong> more: it cannot be reached"),
        "{incidents}"
    );
    assert!(incidents.len() < 8000);
}

#[test]
fn incidents_that_were_not_read_are_counted() {
    let mut data = fleet(300, false, 2);
    data.open.truncate(20);
    data.open_count = 150;
    let page = overview::overview(&data).into_string();
    let incidents = page.split("class=\"incidents\"").nth(1).expect("a list");
    let incidents = incidents.split("</section>").next().expect("its end");
    assert!(incidents.contains("Open incidents <span class=\"quiet\">150</span>"));
    assert!(incidents.contains("and 130 sites more"), "{incidents}");
}

#[test]
fn planned_maintenance_is_no_incident() {
    let data = fleet(1, false, 1);
    let page = overview::overview(&data).into_string();
    assert!(page.contains("class=\"banner maintenance\""), "{page}");
    assert!(page.contains("The only site is in maintenance"));
    assert!(!page.contains("Open incidents"), "{page}");
}

#[test]
fn the_first_hours_have_hours_for_bars() {
    let page = overview::overview(&fleet(3, true, 9)).into_string();
    assert!(
        page.contains("3 days ago") && page.contains("so far"),
        "{page}"
    );
    assert!(page.contains("<svg class=\"hours\""));
}

#[test]
fn a_filter_finds_names_and_groups() {
    for (filter, want) in [
        ("api-007", 1),
        ("customer-3", 4),
        ("shop", 5),
        ("nothing", 0),
        ("", 40),
    ] {
        let mut data = fleet(40, false, 50);
        data.filter = filter.to_owned();
        let page = overview::overview(&data).into_string();
        assert_eq!(page.matches("<li data-monitor=").count(), want, "{filter}");
    }
}

/// For looking at them in a browser.
#[test]
fn pages_are_laid_out_for_the_eye() {
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
    std::fs::create_dir_all(&directory).unwrap();
    let write = |name: &str, page: String| std::fs::write(directory.join(name), page).unwrap();
    write("overview.html", overview_of("shop"));
    write("monitor.html", monitor_of("shop"));
    for count in [3, 12, 200, 2000] {
        let page = |young, bad| overview::overview(&fleet(count, young, bad)).into_string();
        write(&format!("first-hour-{count}.html"), page(true, 10_000));
        write(&format!("well-{count}.html"), page(false, 10_000));
        write(&format!("incidents-{count}.html"), page(false, 3));
    }
    for asset in [&*assets::STYLE, &*assets::SCRIPT, &*assets::ICON] {
        let path = directory.join(asset.path.trim_start_matches('/'));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, asset.body).unwrap();
    }
}
