//! Recorded checks as a table that may go on for ever.

use std::collections::HashMap;
use std::fmt::{self, Write};

use unicode_width::UnicodeWidthStr;

use super::check::tone;
use super::sparkline::{self, Slot};
use super::table::{Cell, Column, Fit, Layout};
use super::terminal::{Screen, Tone};
use super::time_text::{self, Clock};
use crate::domain::check::{Check, CheckState, Micros};
use crate::domain::location::LocationName;
use crate::domain::redaction;

/// Column widths are found on this many rows; later rows follow them.
const SAMPLE_ROWS: usize = 200;

/// A bar of this width shows how long a check took beside the others.
const BAR_COLUMNS: usize = 8;

/// Beyond this many monitors the strips at the end would be a table of their own.
const STRIPS_MAX: usize = 8;

/// One check of the table.
struct Row {
    monitor: String,
    url: String,
    location: Option<LocationName>,
    check: Check,
    clock_is_wrong: bool,
}

/// Collects rows until the layout is known, then writes them one by one.
pub struct HistoryTable {
    screen: Screen,
    clock: Clock,
    with_names: bool,
    with_locations: bool,
    sample: Vec<Row>,
    layout: Option<(Layout, Micros)>,
    strips: Strips,
    rows: u64,
}

impl HistoryTable {
    /// A table; with the monitors' names where more than one is shown, and with locations where any has them.
    pub fn new(screen: Screen, clock: Clock, with_names: bool, with_locations: bool) -> Self {
        Self {
            screen,
            clock,
            with_names,
            with_locations,
            sample: Vec::new(),
            layout: None,
            strips: Strips::default(),
            rows: 0,
        }
    }

    /// How many rows it has.
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Takes one check, newest first, and whether it was recorded while the clock was ahead.
    pub fn push(
        &mut self,
        monitor: &str,
        url: &str,
        location: Option<&LocationName>,
        check: Check,
        clock_is_wrong: bool,
        out: &mut impl Write,
    ) -> fmt::Result {
        self.rows += 1;
        match location {
            None => self.strips.push(monitor, &check),
            Some(location) if self.with_names => {
                self.strips.push(&format!("{monitor} {location}"), &check);
            }
            Some(location) => self.strips.push(location.as_str(), &check),
        }
        let row = Row {
            monitor: monitor.to_owned(),
            url: url.to_owned(),
            location: location.cloned(),
            check,
            clock_is_wrong,
        };
        if let Some((layout, longest)) = &self.layout {
            return layout.row(&self.cells(&row, *longest), out);
        }
        self.sample.push(row);
        if self.sample.len() >= SAMPLE_ROWS {
            self.settle(out)?;
        }
        Ok(())
    }

    /// Writes what is left: the rows of a short table, and the strips.
    pub fn end(&mut self, out: &mut impl Write) -> fmt::Result {
        if self.layout.is_none() && !self.sample.is_empty() {
            self.settle(out)?;
        }
        if self.rows > 1 {
            self.strips.write(self.screen, out)?;
            writeln!(
                out,
                "{}",
                self.screen.paint(Tone::Faint, &self.clock.caption())
            )?;
        }
        Ok(())
    }

    fn settle(&mut self, out: &mut impl Write) -> fmt::Result {
        let sample = std::mem::take(&mut self.sample);
        let longest = sample.iter().map(|row| row.check.timings.total).max();
        let longest = longest.unwrap_or_default();
        let rows: Vec<Vec<Cell>> = sample.iter().map(|row| self.cells(row, longest)).collect();
        let layout = Layout::of(&self.columns(), &rows, self.screen);
        layout.heading(out)?;
        rows.iter().try_for_each(|row| layout.row(row, out))?;
        self.layout = Some((layout, longest));
        Ok(())
    }

    fn columns(&self) -> Vec<Column> {
        let mut columns = vec![Column::left("TIME")];
        if self.with_names {
            columns.push(Column::left("NAME").fit(Fit::Name));
        }
        if self.with_locations {
            columns.push(Column::left("LOCATION"));
        }
        columns.extend([
            Column::left("STATE"),
            Column::right("CODE"),
            Column::right("TOOK").fit(Fit::Drop(1)),
            Column::left("").fit(Fit::Drop(2)),
            Column::left("WHAT").fit(Fit::CutOrDrop(20)),
        ]);
        columns
    }

    fn cells(&self, row: &Row, longest: Micros) -> Vec<Cell> {
        let (url, check) = (&row.url, &row.check);
        let state = check.verdict.state();
        let total = check.timings.total;
        let mut cells = vec![Cell::from(self.clock.column(check.at, self.screen))];
        if self.with_names {
            cells.push(row.monitor.as_str().into());
        }
        if self.with_locations {
            let location = row.location.as_ref();
            cells.push(location.map_or("", LocationName::as_str).into());
        }
        let share = f64::from(total.get()) / f64::from(longest.get().max(1));
        let bar = if self.screen.unicode {
            sparkline::span(0.0, share, BAR_COLUMNS)
        } else {
            String::new()
        };
        cells.extend([
            Cell::toned(state.as_str(), tone(state)),
            check
                .status
                .map_or_else(String::new, |status| status.to_string())
                .into(),
            time_text::ms(total).into(),
            Cell::toned(bar, Tone::Accent),
            marked(what(url, check, self.screen), row.clock_is_wrong).into(),
        ]);
        cells
    }
}

/// With the mark of what was recorded while the clock was ahead.
fn marked(what: String, clock_is_wrong: bool) -> String {
    match (clock_is_wrong, what.is_empty()) {
        (false, _) => what,
        (true, true) => "clock?".to_owned(),
        (true, false) => format!("clock? {what}"),
    }
}

/// The failure, or where the redirect chain led.
fn what(url: &str, check: &Check, screen: Screen) -> String {
    let arrow = if screen.unicode { "→" } else { "->" };
    let shown = |other: &str| {
        if other == url {
            other.to_owned()
        } else {
            redaction::shown(other).into_owned()
        }
    };
    let chain = || {
        let codes: Vec<String> = check
            .chain
            .redirects
            .iter()
            .map(|redirect| redirect.status.to_string())
            .collect();
        format!(
            "{} {arrow} {}",
            codes.join(" "),
            shown(&check.chain.final_url)
        )
    };
    match check.verdict.failure() {
        Some(failure) if check.chain.redirects.is_empty() => failure.detail.to_string(),
        Some(failure) => format!("{} ({})", failure.detail, chain()),
        None if check.chain.redirects.is_empty() => String::new(),
        None => chain(),
    }
}

/// State and latency of the newest checks of each monitor, for the end.
#[derive(Default)]
struct Strips {
    order: Vec<String>,
    slots: HashMap<String, Vec<(Slot, Option<f64>)>>,
}

/// A strip longer than this would not fit the narrowest terminals beside a name.
const STRIP_SLOTS_MAX: usize = 60;

impl Strips {
    fn push(&mut self, monitor: &str, check: &Check) {
        if !self.slots.contains_key(monitor) {
            if self.order.len() > STRIPS_MAX {
                return;
            }
            self.order.push(monitor.to_owned());
        }
        let slots = self.slots.entry(monitor.to_owned()).or_default();
        if slots.len() < STRIP_SLOTS_MAX {
            let state = check.verdict.state();
            let slot = match state {
                CheckState::Up => Slot::Up,
                CheckState::Degraded => Slot::Degraded,
                CheckState::Down => Slot::Down,
                CheckState::Unknown => Slot::Unknown,
            };
            let good = matches!(state, CheckState::Up | CheckState::Degraded);
            slots.push((slot, good.then(|| check.timings.total.as_ms())));
        }
    }

    fn write(&mut self, screen: Screen, out: &mut impl Write) -> fmt::Result {
        if self.order.len() > STRIPS_MAX {
            return Ok(());
        }
        let columns = screen.columns.map_or(80, usize::from);
        let names = self.order.len() > 1;
        // Names are whole, as far as they leave half of the line to the strips.
        let widest = self.order.iter().map(|name| name.width()).max();
        let name_columns = widest
            .filter(|_| names)
            .unwrap_or_default()
            .min(columns / 2);
        let pad = if names { name_columns + 2 } else { 0 };
        writeln!(out)?;
        for monitor in &self.order {
            let Some(slots) = self.slots.get_mut(monitor) else {
                continue;
            };
            let room = columns.saturating_sub(pad + 2);
            slots.truncate(room);
            // Newest came first; a strip runs from left to right.
            slots.reverse();
            let states: Vec<Slot> = slots.iter().map(|(slot, _)| *slot).collect();
            let times: Vec<Option<f64>> = slots.iter().map(|(_, time)| *time).collect();
            let name = if names {
                super::table::cut_end(monitor, name_columns)
            } else {
                String::new()
            };
            let space = pad.saturating_sub(name.width());
            writeln!(
                out,
                "{name}{:space$}{}",
                "",
                sparkline::strip(&states, screen)
            )?;
            if screen.unicode {
                let bars = sparkline::bars(&times);
                if bars.trim().is_empty() {
                    continue;
                }
                writeln!(
                    out,
                    "{:pad$}{}",
                    "",
                    screen.paint(Tone::Accent, bars.trim_end())
                )?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::tz::TimeZone;

    use super::*;
    use crate::domain::check::{Chain, Failure, FailureKind, Redirect, Timings, Verdict};
    use crate::domain::timestamp::Timestamp;

    const AT: Timestamp = Timestamp::from_ms(1_795_377_600_123);

    fn check(seconds_ago: u64, status: u16, ms: u32) -> Check {
        let verdict = if status < 400 {
            Verdict::Up
        } else {
            Verdict::Down(Failure {
                kind: FailureKind::Status,
                detail: format!("{status}: expected 200-299").into(),
            })
        };
        Check {
            at: AT.minus(std::time::Duration::from_secs(seconds_ago)),
            verdict,
            status: Some(status),
            chain: Arc::new(Chain {
                redirects: vec![Redirect {
                    url: "http://shop/".into(),
                    status: 301,
                    location: None,
                    remote_addr: None,
                }],
                final_url: "https://shop/".into(),
                remote_addr: None,
            }),
            redirect_times: [Micros::new(1)].into(),
            timings: Timings {
                total: Micros::new(ms * 1000),
                ..Timings::default()
            },
            http_version: None,
            body_bytes: 0,
            retry_after_s: None,
            certificate: None,
            excerpt: None,
            remarks: Box::default(),
            extras: None,
        }
    }

    fn write(screen: Screen) -> String {
        let clock = Clock {
            zone: TimeZone::UTC,
            now: AT,
        };
        let mut table = HistoryTable::new(screen, clock, false, false);
        let mut out = String::new();
        for (ago, status, ms) in [(0, 503, 1043), (60, 200, 180), (120, 200, 90)] {
            table
                .push(
                    "shop",
                    "http://shop/",
                    None,
                    check(ago, status, ms),
                    false,
                    &mut out,
                )
                .unwrap();
        }
        table.end(&mut out).unwrap();
        out
    }

    #[test]
    fn a_terminal_gets_a_table_and_a_strip() {
        assert_eq!(
            write(Screen::terminal(80)),
            "TIME      STATE  CODE      TOOK            WHAT
20:00:00  down    503  1 043 ms  ████████  503: expected 200-299 (301 → https:/…
19:59:00  up      200    180 ms  █▍        301 → https://shop/
19:58:00  up      200     90 ms  ▊         301 → https://shop/

██▁
▅█
times in UTC
"
        );
    }

    #[test]
    fn a_pipe_gets_the_same_table_with_whole_texts() {
        assert_eq!(
            write(Screen::PLAIN),
            "TIME                 STATE  CODE      TOOK            WHAT
2026-11-22 20:00:00  down    503  1 043 ms  ████████  503: expected 200-299 (301 → https://shop/)
2026-11-22 19:59:00  up      200    180 ms  █▍        301 → https://shop/
2026-11-22 19:58:00  up      200     90 ms  ▊         301 → https://shop/

██▁
▅█
times in UTC
"
        );
    }
}
