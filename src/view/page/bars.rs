//! The 90-day bars: one column a day, its five kinds stacked by share and told apart without colour
//! by place, outline and a sign below.

use std::fmt::Write as _;

use maud::{Markup, PreEscaped, html};

use super::rows::{Day, Times};
use super::words;

/// How many days are shown.
pub const DAYS: usize = 90;
/// A column and the gap after it, in units of the drawing.
const PITCH: usize = 6;
const COLUMN: usize = 4;
const HEIGHT: u64 = 36;
/// Where the signs stand below the columns.
const SIGN: u64 = 40;
/// The drawing with its row of signs.
const WHOLE: u64 = 48;
/// An outage of a minute must still be seen.
const LEAST: u64 = 7;
/// How many bad days the text for screen readers names.
const NAMED_DAYS_MAX: usize = 5;

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

/// Whether a day was up from its first check to its end.
const fn is_whole(day: &Day) -> bool {
    day.times.up_ms > 0 && day.times.up_ms == day.times.whole_ms()
}

/// The bars of one monitor over [`DAYS`]; `label` names it for screen readers.
pub fn bars(days: &[Day], label: &str) -> Markup {
    bars_in(DAYS, days, label)
}

/// The newest of the days in so many places, the last one at the right.
pub fn bars_in(places: usize, days: &[Day], label: &str) -> Markup {
    let days = &days[days.len().saturating_sub(places)..];
    let mut paths = [const { String::new() }; 5];
    let mut signs = [const { String::new() }; 3];
    let mut none = String::new();
    let mut whole = String::new();
    let mut titles = String::new();
    for (index, day) in days.iter().enumerate() {
        let x = (places - days.len() + index) * PITCH;
        if day.times.whole_ms() == 0 {
            let _ = write!(none, "M{x} {HEIGHT}h{COLUMN}");
            continue;
        }
        if is_whole(day) {
            // Days that were up from end to end are most days: a dash for each, drawn by the style sheet.
            if index == 0 || !is_whole(&days[index - 1]) {
                let run = days[index..].iter().take_while(|day| is_whole(day)).count();
                let _ = write!(
                    whole,
                    "M{x} {}h{}",
                    HEIGHT / 2,
                    run * PITCH - (PITCH - COLUMN)
                );
            }
            continue;
        }
        let mut bottom = HEIGHT;
        for (path, height) in paths.iter_mut().zip(heights(&day.times)) {
            if height > 0 {
                bottom -= height;
                let _ = write!(path, "M{x} {bottom}h{COLUMN}v{height}h-{COLUMN}z");
            }
        }
        let _ = match mark(&day.times) {
            Mark::Down => write!(signs[0], "M{x} {SIGN}h4l-2 7z"),
            Mark::Degraded => write!(signs[1], "M{} {SIGN}l2 3.5l-2 3.5l-2 -3.5z", x + 2),
            Mark::Maintenance => write!(signs[2], "M{x} {}h4v4h-4z", SIGN + 1),
            Mark::None => Ok(()),
        };
        if mark(&day.times) != Mark::None || day.times.unknown_ms > 0 {
            let _ = write!(
                titles,
                "<path class=\"hit\" d=\"M{x} 0h{PITCH}v{WHOLE}h-{PITCH}z\"><title>{}</title></path>",
                sentence(day)
            );
        }
    }
    let classes = ["f-down", "f-degraded", "f-maintenance", "f-unknown", "f-up"];
    let width = (places * PITCH).saturating_sub(PITCH - COLUMN);
    html! {
        svg.bars role="img" aria-label={ (label) ": " (summary(days)) }
            viewBox={ "0 0 " (width) " " (WHOLE) } preserveAspectRatio="none" {
            @if !none.is_empty() { path.f-none d=(none) {} }
            @if !whole.is_empty() { path.f-whole d=(whole) {} }
            @for (path, class) in paths.iter().zip(classes) {
                @if !path.is_empty() { path class=(class) d=(path) {} }
            }
            @for (path, class) in signs.iter().zip(classes) {
                @if !path.is_empty() { path class=(class) d=(path) {} }
            }
            (PreEscaped(titles))
        }
    }
}

/// `3 Nov: 14m 5s down, 1h unknown`. Only words of ours and numbers: it needs no escaping.
pub fn sentence(day: &Day) -> String {
    let mut text = format!("{}:", words::day(day.date));
    let mut gap = " ";
    for (ms, word) in [
        (day.times.down_ms, "down"),
        (day.times.degraded_ms, "degraded"),
        (day.times.maintenance_ms, "maintenance"),
        (day.times.unknown_ms, "unknown"),
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
        match days.len() {
            1 => "1 day".to_owned(),
            count => format!("{count} days"),
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
            words::day(day.date)
        );
    }
    if bad.len() > NAMED_DAYS_MAX {
        let _ = write!(text, " and on {} more days", bad.len() - NAMED_DAYS_MAX);
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
    fn whole_days_are_one_dashed_line_and_others_stand_apart() {
        let day = |number: i8, down_ms| Day {
            date: jiff::civil::date(2026, 11, number),
            times: Times {
                up_ms: 86_400_000 - down_ms,
                down_ms,
                ..Times::default()
            },
        };
        let drawn = bars(&[day(1, 0), day(2, 0), day(3, 5000), day(4, 0)], "shop").0;
        // Columns stand at the right end: the 87th of 90 is the first.
        assert!(
            drawn.contains("<path class=\"f-whole\" d=\"M516 18h10M534 18h4\">"),
            "{drawn}"
        );
        assert!(drawn.contains("<path class=\"f-down\" d=\"M528 29h4v7h-4z\">"));
        let short = bars_in(2, &[day(1, 0), day(2, 0), day(3, 0)], "shop").0;
        assert!(short.contains("viewBox=\"0 0 10 48\""), "{short}");
        assert!(short.contains("d=\"M0 18h10\""), "{short}");
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
        let day = Day { date, times };
        assert_eq!(sentence(&day), "3 Nov: 14m 5s down, 1h unknown");
        assert_eq!(
            summary(&[day]),
            "0.00\u{202f}% up in 1 day; down 14m 5s on 3 Nov"
        );
    }
}
