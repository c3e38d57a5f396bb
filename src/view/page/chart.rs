//! The latency chart: the median as a line, up to the 95th percentile as a band, outages as a foot.

use std::fmt::Write as _;

use jiff::ToSpan;
use maud::{Markup, html};

use super::rows::{Bucket, Chart, Frame};
use super::words;
use crate::domain::check::Micros;
use crate::domain::timestamp::Timestamp;

/// The drawing area; it is stretched to the room there is, and its axes stand beside it.
const WIDTH: u64 = 640;
const HEIGHT: u64 = 160;
/// With fewer steps of the last day measured, the last hour is shown first.
const DAY_STEPS_MIN: usize = 8;
/// A line goes on over a gap of so many usual ones.
const GAP_MAX: usize = 2;
/// Lines across, so that there are `LINES` steps from zero to the top.
const LINES: u64 = 4;
/// Days written below, at most about so many.
const TICKS_MAX: i64 = 8;
/// Steps of a tick that are tried; the first ones may lie before the chart.
const TICKS_TRIED: i64 = 64;
/// Half of what a date takes.
const TICK_ROOM: u64 = 22;
/// A table of more rows than this is thinned for the reader.
const TABLE_ROWS_MAX: usize = 30;

/// The smallest of 1, 2, 2.5, 5 times a power of ten, times [`LINES`], that holds the highest value.
fn ceiling(highest: Micros) -> u64 {
    let highest = u64::from(highest.get()).max(1);
    let mut power = 100;
    loop {
        for tenth in [10, 20, 25, 50] {
            let top = power * tenth / 10 * LINES;
            if top >= highest {
                return top;
            }
        }
        power *= 10;
    }
}

struct Scale<'a> {
    chart: &'a Chart,
    top: u64,
}

impl Scale<'_> {
    fn x(&self, at: Timestamp) -> u64 {
        let whole = self.chart.to.since(self.chart.from).as_millis().max(1);
        let part = at.since(self.chart.from).as_millis().min(whole);
        u64::try_from(part * u128::from(WIDTH) / whole).unwrap_or(WIDTH)
    }

    fn y(&self, time: Micros) -> u64 {
        HEIGHT - (u64::from(time.get()) * HEIGHT / self.top).min(HEIGHT)
    }

    fn end(&self, index: usize) -> Timestamp {
        self.chart
            .buckets
            .get(index + 1)
            .map_or(self.chart.to, |next| next.at)
    }
}

/// What was measured, in runs that are drawn as one line: an outage ends a run, and so does a gap of more than
/// [`GAP_MAX`] times the usual one, since checks may be further apart than the chart's steps.
fn runs(buckets: &[Bucket]) -> Vec<Vec<(Timestamp, Micros, Micros)>> {
    let measured: Vec<usize> = (0..buckets.len())
        .filter(|&index| buckets[index].latency.is_some())
        .collect();
    let mut gaps: Vec<usize> = measured.windows(2).map(|pair| pair[1] - pair[0]).collect();
    gaps.sort_unstable();
    let gap_max = gaps.get(gaps.len() / 2).map_or(1, |usual| match usual {
        1 => 1,
        usual => usual * GAP_MAX,
    });
    let mut runs: Vec<Vec<_>> = Vec::new();
    let mut before: Option<usize> = None;
    for index in measured {
        let Some((p50, p95)) = buckets[index].latency else {
            continue;
        };
        let goes_on = before.is_some_and(|before| {
            index - before <= gap_max && !buckets[before + 1..index].iter().any(|one| one.down)
        });
        match runs.last_mut() {
            Some(run) if goes_on => run.push((buckets[index].at, p50, p95)),
            _ => runs.push(vec![(buckets[index].at, p50, p95)]),
        }
        before = Some(index);
    }
    runs
}

/// One chart with its table; `whose` tells it from those of others on the same page.
pub fn chart(frame: &Frame, whose: &str, chart: &Chart) -> Markup {
    let highest = chart
        .buckets
        .iter()
        .filter_map(|bucket| bucket.latency.map(|(_, p95)| p95))
        .max();
    let Some(highest) = highest else {
        return html! {
            figure.chart { figcaption { "Latency over " (chart.span) }
            p.quiet { "No latency was measured in this time." } }
        };
    };
    let scale = Scale {
        chart,
        top: ceiling(highest),
    };
    let (line, band, foot) = paths(&scale);
    html! {
        figure.chart {
            figcaption { "Latency over " (chart.span) }
            div.plot role="img" aria-label=(summary(chart)) {
                svg.ys aria-hidden="true" { @for index in 0..=LINES {
                    @let value = u32::try_from(scale.top * index / LINES).unwrap_or(u32::MAX);
                    text x="100%" y={ ((LINES - index) * 100 / LINES) "%" } { (words::millis(Micros::new(value))) }
                } }
                svg.drawn aria-hidden="true" viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" {
                    @for index in 0..=LINES { path.grid d={ "M0 " (HEIGHT * index / LINES) "h" (WIDTH) } {} }
                    path.band d=(band) {}
                    path.line d=(line) {}
                    @if !foot.is_empty() { path.foot d=(foot) {} }
                }
                svg.xs aria-hidden="true" { @for (x, text) in ticks(frame, &scale) {
                    text x={ (x * 1000 / WIDTH / 10) "." (x * 1000 / WIDTH % 10) "%" } y="1.1em" { (text) }
                } }
            }
            details {
                summary { "As a table" }
                div.scroll tabindex="0" role="region" aria-label={ (whose) ": latency over " (chart.span) } { (table(frame, chart)) }
            }
        }
    }
}

/// Several charts of one monitor, of which one is shown: a radio button for each, which needs no script.
pub fn charts(frame: &Frame, whose: &str, charts: &[Chart]) -> Markup {
    let measured = |chart: &Chart| {
        let buckets = chart.buckets.iter();
        buckets.filter(|bucket| bucket.latency.is_some()).count()
    };
    let first = usize::from(
        charts
            .get(1)
            .is_some_and(|day| measured(day) >= DAY_STEPS_MIN),
    );
    html! {
        fieldset.spans {
            legend.hidden { "Period" }
            @for (index, drawn) in charts.iter().enumerate() {
                @let id = format!("span-{index}");
                input type="radio" name="span" id=(id) checked[index == first];
                label for=(id) { (drawn.span) }
            }
            @for drawn in charts { (chart(frame, whose, drawn)) }
        }
        p.quiet { "The line is the median, the band reaches to the 95th percentile, red blocks on the axis mark outages." }
    }
}

fn paths(scale: &Scale<'_>) -> (String, String, String) {
    let (mut line, mut band, mut foot) = (String::new(), String::new(), String::new());
    for run in runs(&scale.chart.buckets) {
        let lone = run.len() == 1;
        for (index, (at, p50, p95)) in run.iter().enumerate() {
            let letter = if index == 0 { 'M' } else { 'L' };
            let x = scale.x(*at);
            let _ = write!(line, "{letter}{x} {}", scale.y(*p50));
            let _ = write!(band, "{letter}{x} {}", scale.y(*p95));
            if lone {
                line.push_str("h2");
                band.push_str("h2");
            }
        }
        for (at, p50, _) in run.iter().rev() {
            let x = scale.x(*at) + if lone { 2 } else { 0 };
            let _ = write!(band, "L{x} {}", scale.y(*p50));
        }
        if lone {
            band.push_str("h-2");
        }
        band.push('z');
    }
    for (index, bucket) in scale.chart.buckets.iter().enumerate() {
        if bucket.down {
            let x = scale.x(bucket.at);
            let width = (scale.x(scale.end(index)) - x).max(2);
            let _ = write!(foot, "M{x} {}h{width}v7h-{width}z", HEIGHT - 7);
        }
    }
    (line, band, foot)
}

/// Round minutes of an hour, hours of a day or two, else whole days, as the configured zone has them.
fn ticks(frame: &Frame, scale: &Scale<'_>) -> Vec<(u64, String)> {
    let hours = scale.chart.to.since(scale.chart.from).as_secs() / 3600;
    let (step, form) = match i64::try_from(hours).unwrap_or(i64::MAX) {
        0..=1 => (10.minutes(), "%H:%M"),
        2..=24 => (4.hours(), "%H:%M"),
        25..=48 => (8.hours(), "%H:%M"),
        more => ((more / 24 / TICKS_MAX + 1).days(), "%-d %b"),
    };
    let from = scale.chart.from.in_zone(&frame.zone);
    let midnight = from.start_of_day().unwrap_or(from.clone());
    let hour = from.with().minute(0).second(0).subsec_nanosecond(0).build();
    let base = match hours {
        0..=1 => hour.unwrap_or(from),
        _ => midnight,
    };
    let mut ticks = Vec::new();
    for index in 0..TICKS_TRIED {
        let Ok(at) = step
            .checked_mul(index)
            .and_then(|steps| base.checked_add(steps))
        else {
            break;
        };
        let moment = Timestamp::from_jiff(at.timestamp());
        if moment > scale.chart.to {
            break;
        }
        let x = scale.x(moment);
        // What stands in the middle below its tick must not be cut at the right, nor meet the other axis at the left.
        if moment >= scale.chart.from && (TICK_ROOM..=WIDTH - TICK_ROOM).contains(&x) {
            ticks.push((x, at.strftime(form).to_string()));
        }
    }
    ticks
}

fn summary(chart: &Chart) -> String {
    let mut medians: Vec<Micros> = Vec::new();
    let mut highest = Micros::new(0);
    for (p50, p95) in chart.buckets.iter().filter_map(|bucket| bucket.latency) {
        medians.push(p50);
        highest = highest.max(p95);
    }
    medians.sort_unstable();
    let typical = medians.get(medians.len() / 2).copied().unwrap_or_default();
    let down = chart.buckets.iter().filter(|bucket| bucket.down).count();
    let mut text = format!(
        "Latency over {}: typical median {}, highest 95th percentile {}",
        chart.span,
        words::millis(typical),
        words::millis(highest)
    );
    if down > 0 {
        let _ = write!(text, ", outages in {down} of {} steps", chart.buckets.len());
    }
    text
}

fn table(frame: &Frame, chart: &Chart) -> Markup {
    let every = chart.buckets.len().div_ceil(TABLE_ROWS_MAX).max(1);
    html! {
        table {
            thead { tr { th scope="col" { "From" } th.num scope="col" { "Median" }
                th.num scope="col" { "95th percentile" } th scope="col" { "Outage" } } }
            tbody {
                @for group in chart.buckets.chunks(every) {
                    @let worst = group.iter().filter_map(|bucket| bucket.latency).max_by_key(|pair| pair.1);
                    tr {
                        td { @if let Some(first) = group.first() { (words::moment(frame, first.at)) } }
                        @if let Some((p50, p95)) = worst {
                            td.num { (words::millis(p50)) } td.num { (words::millis(p95)) }
                        } @else { td.num { "–" } td.num { "–" } }
                        td { @if group.iter().any(|bucket| bucket.down) { "yes" } @else { "no" } }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::super::rows::tests::frame;
    use super::*;

    #[test]
    fn the_top_is_a_round_number_of_steps() {
        for (highest, top) in [
            (0, 400),
            (400, 400),
            (401, 800),
            (90_000, 100_000),
            (231_000, 400_000),
            (2_100_000, 4_000_000),
        ] {
            assert_eq!(ceiling(Micros::new(highest)), top, "{highest}");
        }
        assert!(ceiling(Micros::MAX) >= u64::from(Micros::MAX.get()));
    }

    #[test]
    fn a_line_goes_on_where_checks_are_far_apart_and_ends_at_outages_and_gaps() {
        // A digit is a measured step, `.` one without, `x` an outage.
        for (steps, want) in [
            ("111.11", "3 2"),
            ("1..1..1..1", "4"),
            ("1..1.....1..1......1..1", "4 2"),
            ("1..1.x1..1..1", "2 3"),
            ("11x1", "2 1"),
            ("", ""),
            ("..1..", "1"),
        ] {
            let frame = frame();
            let buckets: Vec<_> = steps
                .chars()
                .map(|step| Bucket {
                    at: frame.now,
                    latency: step
                        .is_ascii_digit()
                        .then_some((Micros::new(1), Micros::new(2))),
                    down: step == 'x',
                })
                .collect();
            let lengths: Vec<_> = runs(&buckets)
                .iter()
                .map(|run| run.len().to_string())
                .collect();
            assert_eq!(lengths.join(" "), want, "{steps}");
        }
    }

    #[test]
    fn ticks_are_round_in_the_zone() {
        let mut frame = frame();
        frame.zone = jiff::tz::TimeZone::get("Asia/Kathmandu").unwrap();
        let to = Timestamp::from_jiff("2026-11-25T16:15:00Z".parse().unwrap());
        for (days, want) in [
            (1, "00:00 04:00 08:00 12:00 16:00 20:00"),
            (2, "00:00 08:00 16:00 00:00 08:00 16:00"),
            (7, "20 Nov 21 Nov 22 Nov 23 Nov 24 Nov 25 Nov"),
            (90, "8 Sep 20 Sep 2 Oct 14 Oct 26 Oct 7 Nov 19 Nov"),
        ] {
            let from = to.minus(Duration::from_secs(days * 86_400));
            let chart = Chart {
                span: "24 hours",
                from,
                to,
                buckets: Vec::new(),
            };
            let scale = Scale {
                chart: &chart,
                top: 1,
            };
            let found = ticks(&frame, &scale);
            let texts: Vec<_> = found.iter().map(|(_, text)| text.as_str()).collect();
            assert_eq!(texts.join(" "), want, "{days} days");
        }
    }

    proptest! {
        #![proptest_config(crate::cases::cases(256))]
        #[test]
        fn any_data_makes_a_drawing(values in prop::collection::vec(
            (prop::option::of((any::<u32>(), any::<u32>())), any::<bool>()), 0..200)) {
            let frame = frame();
            let step = Duration::from_secs(300);
            let from = frame.now.minus(step * u32::try_from(values.len()).unwrap());
            let buckets = values.iter().enumerate().map(|(index, (latency, down))| Bucket {
                at: from.plus(step * u32::try_from(index).unwrap()),
                latency: latency.map(|(a, b)| (Micros::new(a), Micros::new(b))),
                down: *down,
            }).collect();
            let drawn = chart(&frame, "shop", &Chart { span: "24 hours", from, to: frame.now, buckets });
            prop_assert!(!drawn.into_string().contains("NaN"));
        }
    }
}
