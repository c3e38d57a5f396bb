//! The bars: one column a day, or an hour while there are no days yet. What was bad stands at its bottom by its share
//! of the time, and grey is what nobody observed.

use std::fmt::Write as _;

use maud::{Markup, PreEscaped, html};

use super::rows::{Day, Times};
use super::words;

/// How many days are shown.
pub const DAYS: usize = 90;
/// How many hours are shown while there are no days yet: they take as much room as [`DAYS`].
pub const HOURS: usize = 72;
/// The length of a row of bars, in units of the drawing and pixels of the page.
const LENGTH: usize = 360;
/// Between two columns.
const GAP: usize = 1;
const HEIGHT: u64 = 24;
/// Where the signs stand below the columns.
const SIGN: u64 = 26;
/// The drawing with its row of signs.
const WHOLE: u64 = 31;
/// An outage of a minute must still be seen.
const LEAST: u64 = 7;
/// How many bad days the text for screen readers names.
const NAMED_DAYS_MAX: usize = 5;

/// How much is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A drawing as wide as what it stands in, with signs below the bad days.
    Wide,
    /// A row among others, with words for what was bad.
    Row,
    /// A row among hundreds: the drawing alone, since the figures stand beside it.
    Lean,
}

/// What a day is marked with below its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Down,
    Degraded,
    Maintenance,
    None,
}

const fn mark(times: &Times) -> Mark {
    if times.down_ms > 0 {
        Mark::Down
    } else if times.degraded_ms > 0 {
        Mark::Degraded
    } else if times.maintenance_ms > 0 {
        Mark::Maintenance
    } else {
        Mark::None
    }
}

/// The heights of down, degraded, maintenance, unknown and up, from the bottom; they sum to [`HEIGHT`].
fn heights(times: &Times) -> [u64; 5] {
    let whole = times.whole_ms();
    let parts = [
        times.down_ms,
        times.degraded_ms,
        times.maintenance_ms,
        times.unknown_ms,
    ];
    let mut left = HEIGHT;
    let mut heights = [0; 5];
    for (height, part) in heights.iter_mut().zip(parts) {
        if part == 0 || whole == 0 {
            continue;
        }
        let share = u128::from(part) * u128::from(HEIGHT) / u128::from(whole);
        let share = u64::try_from(share).unwrap_or(HEIGHT);
        *height = share.max(LEAST).min(left);
        left -= *height;
    }
    if times.up_ms > 0 || whole == 0 {
        heights[4] = left;
    } else {
        // Rounding must not paint time as up that was not.
        let tallest = (0..4).max_by_key(|i| parts[*i]).unwrap_or(3);
        heights[tallest] += left;
    }
    heights
}

/// What lies below the others: up where any of it was, else grey.
fn is_up(day: &Day) -> bool {
    day.times.up_ms > 0
}

/// The bars of one monitor; hours where days are hours. `label` names it for screen readers.
pub fn bars(days: &[Day], label: &str, form: Form) -> Markup {
    let places = match days.first() {
        Some(day) if day.hour.is_some() => HOURS,
        _ => DAYS,
    };
    bars_in(places, days, label, form)
}

/// The newest of the days in so many places, the last one at the right.
pub fn bars_in(places: usize, days: &[Day], label: &str, form: Form) -> Markup {
    let days = &days[days.len().saturating_sub(places)..];
    let pitch = (LENGTH / places.max(1)).clamp(2, 24);
    let of_hours = (places == HOURS).then_some("hours");
    let drawn = draw(places, pitch, days, form);
    let width = (places * pitch).saturating_sub(GAP);
    let whole = if form == Form::Wide { WHOLE } else { HEIGHT };
    // Only letters and numbers of ours; without quotes and closing tags, since there are thousands of them.
    let mut inside = String::new();
    for (class, d) in drawn.runs.iter().chain(&drawn.parts) {
        let _ = write!(inside, "<path class={class} d=\"{d}\"/>");
    }
    inside.push_str(&drawn.titles);
    let inside = PreEscaped(inside);
    match form {
        Form::Lean => html! { svg class=[of_hours] { (inside) } },
        Form::Row => html! {
            svg class=[of_hours] role="img" aria-label={ (label) ": " (summary(days)) } { (inside) }
        },
        Form::Wide => html! {
            svg.bars role="img" aria-label={ (label) ": " (summary(days)) } stroke-dasharray={ (pitch - GAP) " " (GAP) }
                viewBox={ "0 0 " (width) " " (whole) } preserveAspectRatio="none" { (inside) }
        },
    }
}

/// The paths of a drawing, with their classes, and the words that a pointer finds on them.
#[derive(Default)]
struct Drawn {
    /// Dashed lines, a dash a column.
    runs: Vec<(&'static str, String)>,
    /// What stands on them.
    parts: Vec<(&'static str, String)>,
    titles: String,
}

fn draw(places: usize, pitch: usize, days: &[Day], form: Form) -> Drawn {
    let first = places - days.len();
    let column = pitch - GAP;
    // A run begins with its column and ends with that of its last day.
    let run = |from: usize, count: usize, d: &mut String| {
        let _ = write!(
            d,
            "M{} {}h{}",
            from * pitch,
            HEIGHT / 2,
            count * pitch - GAP
        );
    };
    let (mut none, mut up) = (String::new(), String::new());
    if first > 0 {
        run(0, first, &mut none);
    }
    let mut at = first;
    for same in days.chunk_by(|one, other| is_up(one) == is_up(other)) {
        let d = if is_up(&same[0]) { &mut up } else { &mut none };
        run(at, same.len(), d);
        at += same.len();
    }
    let mut parts = [const { String::new() }; 4];
    let mut titles = String::new();
    for (index, day) in days.iter().enumerate() {
        let x = (first + index) * pitch;
        let times = &day.times;
        if times.up_ms == times.whole_ms() {
            continue;
        }
        let mut bottom = HEIGHT;
        for (path, height) in parts.iter_mut().zip(heights(times)) {
            if height > 0 {
                bottom -= height;
                let _ = write!(path, "M{x} {bottom}h{column}v{height}h-{column}z");
            }
        }
        if form == Form::Wide {
            let _ = match mark(times) {
                Mark::Down => write!(parts[0], "M{x} {SIGN}h{column}l-{} 5z", column / 2),
                Mark::Degraded => write!(parts[1], "M{x} {}h{column}v2h-{column}z", SIGN + 1),
                Mark::Maintenance => write!(parts[2], "M{x} {SIGN}h{column}v4h-{column}z"),
                Mark::None => Ok(()),
            };
        }
        if form != Form::Lean && (mark(times) != Mark::None || times.unknown_ms > 0) {
            let _ = write!(
                titles,
                "<path class=\"hit\" d=\"M{x} 0h{pitch}v{HEIGHT}h-{pitch}z\"><title>{}</title></path>",
                sentence(day)
            );
        }
    }
    let named = |texts: Vec<(&'static str, String)>| {
        let texts = texts.into_iter();
        texts.filter(|(_, d)| !d.is_empty()).collect()
    };
    let [down, degraded, maintenance, unknown] = parts;
    Drawn {
        runs: named(vec![("n", none), ("u", up)]),
        parts: named(vec![
            ("q", unknown),
            ("m", maintenance),
            ("g", degraded),
            ("d", down),
        ]),
        titles,
    }
}

/// `3 Nov: 14m 5s down, 1h not observed`. Only words of ours and numbers: it needs no escaping.
pub fn sentence(day: &Day) -> String {
    let mut text = format!("{}:", name(day));
    let mut gap = " ";
    for (ms, word) in [
        (day.times.down_ms, "down"),
        (day.times.degraded_ms, "degraded"),
        (day.times.maintenance_ms, "maintenance"),
        (day.times.unknown_ms, "not observed"),
    ] {
        if ms > 0 {
            let _ = write!(text, "{gap}{} {word}", words::span(ms));
            gap = ", ";
        }
    }
    if gap == " " {
        text.push_str(" up");
    }
    text
}

/// `3 Nov`, `3 Nov 14:00`.
fn name(day: &Day) -> String {
    match day.hour {
        None => words::day(day.date),
        Some(hour) => format!(
            "{} {:02}:{:02}",
            words::day(day.date),
            hour.hour(),
            hour.minute()
        ),
    }
}

/// The bars in words.
fn summary(days: &[Day]) -> String {
    let mut sum = Times::default();
    for day in days {
        sum.add(&day.times);
    }
    let Some(share) = sum.uptime() else {
        return "no data yet".to_owned();
    };
    let mut text = format!(
        "{} up in {}",
        words::percent(Some(share)),
        match days.first().and_then(|day| day.hour) {
            None => words::counted(days.len(), "day"),
            Some(_) => words::counted(days.len(), "hour"),
        }
    );
    let bad: Vec<&Day> = days.iter().filter(|day| day.times.down_ms > 0).collect();
    if bad.is_empty() {
        text.push_str(", no outage seen");
        return text;
    }
    for (index, day) in bad.iter().rev().take(NAMED_DAYS_MAX).enumerate() {
        let gap = if index == 0 { "; down " } else { ", " };
        let _ = write!(
            text,
            "{gap}{} on {}",
            words::span(day.times.down_ms),
            name(day)
        );
    }
    if bad.len() > NAMED_DAYS_MAX {
        let _ = write!(text, " and {} more times", bad.len() - NAMED_DAYS_MAX);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(crate::cases::cases(256))]
        #[test]
        fn columns_are_full_and_nothing_bad_is_lost(
            up in 0_u64..100_000_000, degraded in 0_u64..100_000_000, down in 0_u64..100_000_000,
            maintenance in 0_u64..100_000_000, unknown in 0_u64..100_000_000,
        ) {
            let times = Times { up_ms: up, degraded_ms: degraded, down_ms: down,
                maintenance_ms: maintenance, unknown_ms: unknown };
            let heights = heights(&times);
            prop_assert_eq!(heights.iter().sum::<u64>(), HEIGHT);
            prop_assert_eq!(heights[0] > 0, down > 0);
            prop_assert!(up > 0 || times.whole_ms() == 0 || heights[4] == 0);
        }
    }

    #[test]
    fn runs_are_dashed_lines_and_bad_parts_stand_on_them() {
        let day = |number: i8, down_ms| Day {
            date: jiff::civil::date(2026, 11, number),
            hour: None,
            times: Times {
                up_ms: 86_400_000 - down_ms,
                down_ms,
                ..Times::default()
            },
        };
        let days = [day(1, 0), day(2, 0), day(3, 5000), day(4, 0)];
        let lean = bars(&days, "shop", Form::Lean).0;
        // Columns stand at the right end: the 87th of 90 is the first, what lies before is grey.
        assert_eq!(
            lean,
            "<svg><path class=n d=\"M0 12h343\"/><path class=u d=\"M344 12h15\"/>\
             <path class=d d=\"M352 17h3v7h-3z\"/></svg>"
        );
        let row = bars(&days, "shop", Form::Row).0;
        assert!(row.contains("<title>3 Nov: 5s down</title>"), "{row}");
        let short = bars_in(2, &days, "shop", Form::Wide).0;
        assert!(short.contains("viewBox=\"0 0 47 31\""), "{short}");
        let hour = |hour| Day {
            hour: Some(jiff::civil::time(hour, 0, 0, 0)),
            ..day(1, 0)
        };
        let hours = bars(&[hour(7), hour(8)], "shop", Form::Row).0;
        assert!(hours.starts_with("<svg class=\"hours\""), "{hours}");
        assert!(hours.contains("d=\"M350 12h9\""), "{hours}");
        assert!(hours.contains("up in 2 hours, no outage seen"), "{hours}");
    }

    #[test]
    fn what_nobody_observed_is_grey() {
        let day = Day {
            date: jiff::civil::date(2026, 11, 3),
            hour: None,
            times: Times {
                unknown_ms: 1000,
                ..Times::default()
            },
        };
        let drawn = bars(&[day], "shop", Form::Lean).0;
        assert!(!drawn.contains("class=u"), "{drawn}");
        let nothing = bars(&[], "shop", Form::Lean).0;
        assert_eq!(nothing, "<svg><path class=n d=\"M0 12h359\"/></svg>");
    }

    #[test]
    fn a_day_in_words() {
        let date = jiff::civil::date(2026, 11, 3);
        let times = Times {
            up_ms: 1,
            down_ms: 845_000,
            unknown_ms: 3_600_000,
            ..Times::default()
        };
        let day = Day {
            date,
            hour: None,
            times,
        };
        assert_eq!(sentence(&day), "3 Nov: 14m 5s down, 1h not observed");
        assert_eq!(
            summary(&[day]),
            "0.00\u{202f}% up in 1 day; down 14m 5s on 3 Nov"
        );
    }
}
