//! Uptime, outages and latency of a period as a table, and what made up the loss.

use std::fmt::{self, Write};
use std::time::Duration;

use serde_json::{Value, json};

use super::rows::ReportRow;
use super::table::{self, Cell, Column, Fit};
use super::terminal::{Screen, Tone};
use super::time_text::{self, Clock, grouped};
use crate::domain::duration_text::Human;
use crate::domain::location::LocationName;
use crate::domain::timestamp::Timestamp;

/// Writes the table.
pub fn write(
    rows: &[ReportRow],
    clock: &Clock,
    screen: Screen,
    out: &mut impl Write,
) -> fmt::Result {
    let with_locations = rows.iter().any(|row| row.location.is_some());
    let mut columns = vec![
        Column::left("NAME").fit(Fit::Name),
        Column::right("UPTIME"),
        Column::right("COVERED").fit(Fit::Drop(3)),
        Column::right("OUTAGES"),
        Column::right("DOWN"),
        Column::right("LONGEST").fit(Fit::Drop(5)),
        Column::right("MTTR").fit(Fit::Drop(4)),
        Column::right("P50").fit(Fit::Drop(2)),
        Column::right("P95").fit(Fit::Drop(1)),
        Column::right("P99").fit(Fit::Drop(6)),
        Column::right("CHECKS").fit(Fit::Drop(7)),
    ];
    if with_locations {
        columns.insert(1, Column::left("LOCATION"));
    }
    let cells = rows.iter().map(|row| {
        let mut cells = of(row);
        if with_locations {
            let location = row.location.iter().flatten().next();
            cells.insert(1, location.map_or("-", LocationName::as_str).into());
        }
        cells
    });
    table::write(&columns, cells, screen, out)?;
    if let (Some(from), Some(to)) = (
        rows.iter().filter(observed).map(|row| row.from).min(),
        rows.iter().filter(observed).map(|row| row.to).max(),
    ) {
        let caption = format!(
            "{} to {}, {}",
            clock.civil(from),
            clock.civil(to),
            clock.caption()
        );
        let caption = screen.broken(&caption);
        writeln!(out, "\n{}", screen.paint(Tone::Faint, &caption))?;
    }
    Ok(())
}

/// Whether the monitor had its first check before the end of the period.
fn observed(row: &&ReportRow) -> bool {
    row.from < row.to
}

fn of(row: &ReportRow) -> Vec<Cell> {
    let latency = |time: Option<_>| time.map_or_else(|| "-".to_owned(), time_text::ms);
    let length = |ms: Option<u64>| time_text::length(ms.map(Duration::from_millis));
    vec![
        row.monitor.as_str().into(),
        match row.uptime_percent {
            Some(value) if value < 99.0 => Cell::toned(uptime(row), Tone::Bad),
            Some(_) | None => uptime(row).into(),
        },
        time_text::percent(row.coverage_percent).into(),
        row.outages.to_string().into(),
        length((row.down_ms > 0).then_some(row.down_ms)).into(),
        length(row.longest_outage_ms).into(),
        length(row.mttr_ms).into(),
        latency(row.p50).into(),
        latency(row.p95).into(),
        latency(row.p99).into(),
        grouped(row.checks).into(),
    ]
}

/// `99.95 % (99.81 % before 1 amendment)`
fn uptime(row: &ReportRow) -> String {
    let uptime = time_text::percent(row.uptime_percent);
    match &row.raw {
        None => uptime,
        Some(raw) => {
            let before = time_text::percent(raw.uptime_percent);
            let amendments = match row.amendments {
                1 => "1 amendment".to_owned(),
                many => format!("{} amendments", grouped(many)),
            };
            format!("{uptime} ({before} before {amendments})")
        }
    }
}

/// A piece of a period that was not simply up.
#[derive(Debug, Clone, PartialEq)]
pub struct Loss {
    /// Its begin.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
    /// What it counts as.
    pub class: LossClass,
    /// The incident's id and cause, if it is an outage.
    pub incident: Option<(String, String)>,
}

/// What a piece of a period counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LossClass {
    /// An outage.
    Down,
    /// Good with something to say, or a failure that was not confirmed.
    Degraded,
    /// A maintenance window.
    Maintenance,
    /// No check: the daemon was stopped, or the host suspended.
    Silent,
    /// Checks could not tell: we were offline.
    Blind,
    /// Paused, disabled or removed.
    Unwatched,
    /// Resumed, before the first check.
    Resumed,
}

impl LossClass {
    const fn state(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Degraded => "degraded",
            Self::Maintenance => "maintenance",
            Self::Silent | Self::Blind | Self::Unwatched | Self::Resumed => "unknown",
        }
    }

    const fn reason(self) -> &'static str {
        match self {
            Self::Down => "an incident",
            Self::Degraded => "slow, or failures that were not confirmed",
            Self::Maintenance => "a maintenance window",
            Self::Silent => "no check spoke: the daemon stopped, or this machine slept",
            Self::Blind => "checks could not tell: our own line was down",
            Self::Unwatched => "paused, disabled or not in the configuration",
            Self::Resumed => "back from a pause, before the first check",
        }
    }
}

/// Writes what one monitor's row is made of: each outage and gap with its length; degraded time as a sum.
pub fn explain(
    row: &ReportRow,
    losses: &[Loss],
    clock: &Clock,
    screen: Screen,
    out: &mut impl Write,
) -> fmt::Result {
    if !observed(&row) {
        let monitor = screen.paint(Tone::Strong, &row.monitor);
        return writeln!(out, "{monitor}: nothing is recorded of this period");
    }
    let human = |ms: u64| Human(Duration::from_millis(ms)).to_string();
    let period = row.to.since(row.from);
    let figures = format!(
        "{}: {} up, {} covered, {} to {} ({})",
        row.monitor,
        uptime(row),
        time_text::percent(row.coverage_percent),
        clock.civil(row.from),
        clock.civil(row.to),
        Human(period)
    );
    let figures = screen.broken(&figures);
    match figures.strip_prefix(&*row.monitor) {
        Some(rest) => writeln!(out, "{}{rest}", screen.paint(Tone::Strong, &row.monitor))?,
        None => writeln!(out, "{figures}")?,
    }
    let times = format!(
        "up {}, degraded {}, down {}, maintenance {}, unknown {}",
        human(row.up_ms),
        human(row.degraded_ms),
        human(row.down_ms),
        human(row.maintenance_ms),
        human(row.unknown_ms)
    );
    writeln!(out, "  {}", screen.hanging(&times, 2))?;
    let listed: Vec<Vec<Cell>> = losses
        .iter()
        .filter(|loss| loss.class != LossClass::Degraded)
        .map(|loss| of_loss(loss, clock, screen))
        .collect();
    if listed.is_empty() {
        return writeln!(out, "  nothing was lost");
    }
    let columns = [
        Column::left("  FROM"),
        Column::right("LASTED"),
        Column::left("COUNTS AS"),
        // Whole on every screen: other commands take it.
        Column::left("INCIDENT"),
        Column::left("BECAUSE OF").fit(Fit::Cut(16)),
    ];
    table::write(&columns, listed, screen, out)
}

fn of_loss(loss: &Loss, clock: &Clock, screen: Screen) -> Vec<Cell> {
    let from = format!("  {}", clock.column(loss.from, screen));
    let (incident, because) = match &loss.incident {
        Some((id, cause)) => (id.as_str(), cause.as_str()),
        None => ("-", loss.class.reason()),
    };
    let tone = match loss.class {
        LossClass::Down => Tone::Bad,
        LossClass::Degraded => Tone::Warning,
        LossClass::Maintenance => Tone::Accent,
        LossClass::Silent | LossClass::Blind | LossClass::Unwatched | LossClass::Resumed => {
            Tone::Faint
        }
    };
    vec![
        from.into(),
        Human(loss.to.since(loss.from)).to_string().into(),
        Cell::toned(loss.class.state(), tone),
        incident.into(),
        because.into(),
    ]
}

/// One loss as JSON, for `report --explain --json`.
pub fn loss_json(monitor: &str, loss: &Loss) -> Value {
    json!({
        "monitor": monitor,
        "from": loss.from.to_string(),
        "to": loss.to.to_string(),
        "duration_s": loss.to.since(loss.from).as_secs_f64(),
        "state": loss.class.state(),
        "reason": loss.class.reason(),
        "incident": loss.incident.as_ref().map(|(id, _)| id),
        "cause": loss.incident.as_ref().map(|(_, cause)| cause),
    })
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::super::rows::RawFigures;
    use super::*;
    use crate::domain::check::Micros;

    const NOW: Timestamp = Timestamp::from_ms(1_795_377_600_123);

    fn row() -> ReportRow {
        ReportRow {
            monitor: "shop".into(),
            url: "https://shop/".into(),
            from: NOW.minus(Duration::from_secs(86_400)),
            to: NOW,
            uptime_percent: Some(99.022),
            coverage_percent: Some(99.5),
            outages: 1,
            up_ms: 85_000_000,
            degraded_ms: 123_000,
            down_ms: 845_000,
            maintenance_ms: 0,
            unknown_ms: 432_000,
            longest_outage_ms: Some(845_000),
            mttr_ms: None,
            amendments: 0,
            raw: None,
            checks: 1440,
            p50: Some(Micros::new(180_000)),
            p95: Some(Micros::new(300_000)),
            p99: None,
            location: None,
        }
    }

    fn clock() -> Clock {
        Clock {
            zone: TimeZone::UTC,
            now: NOW,
        }
    }

    #[test]
    fn a_terminal_gets_a_table_that_fits() {
        let mut out = String::new();
        write(&[row()], &clock(), Screen::terminal(60), &mut out).unwrap();
        assert_eq!(
            out,
            "NAME   UPTIME  COVERED  OUTAGES    DOWN     P50     P95
shop  99.02 %  99.50 %        1  14m 5s  180 ms  300 ms

2026-11-21 20:00:00 to 2026-11-22 20:00:00, times in UTC
"
        );
    }

    #[test]
    fn both_figures_are_shown_where_incidents_are_amended() {
        let mut row = row();
        row.amendments = 2;
        row.raw = Some(RawFigures {
            uptime_percent: Some(98.5),
            outages: 3,
            up_ms: 84_000_000,
            down_ms: 1_845_000,
            maintenance_ms: 0,
            mttr_ms: None,
        });
        assert_eq!(uptime(&row), "99.02 % (98.50 % before 2 amendments)");
        row.amendments = 1;
        assert_eq!(uptime(&row), "99.02 % (98.50 % before 1 amendment)");
    }

    #[test]
    fn losses_are_listed_with_their_causes() {
        let losses = [
            Loss {
                from: NOW.minus(Duration::from_secs(3_600)),
                to: NOW.minus(Duration::from_secs(2_755)),
                class: LossClass::Down,
                incident: Some(("4-1796061175277".into(), "503: expected 200-299".into())),
            },
            Loss {
                from: NOW.minus(Duration::from_secs(600)),
                to: NOW.minus(Duration::from_secs(168)),
                class: LossClass::Silent,
                incident: None,
            },
        ];
        let mut out = String::new();
        explain(&row(), &losses, &clock(), Screen::terminal(100), &mut out).unwrap();
        assert_eq!(
            out,
            "shop: 99.02 % up, 99.50 % covered, 2026-11-21 20:00:00 to 2026-11-22 20:00:00 (1d)
  up 23h 36m, degraded 2m 3s, down 14m 5s, maintenance 0s, unknown 7m 12s
  FROM                 LASTED  COUNTS AS  INCIDENT         BECAUSE OF
  2026-11-22 19:00:00  14m 5s  down       4-1796061175277  503: expected 200-299
  2026-11-22 19:50:00  7m 12s  unknown    -                no check spoke: the daemon stopped, or t…
"
        );
        let mut narrow = String::new();
        explain(&row(), &losses, &clock(), Screen::terminal(60), &mut narrow).unwrap();
        let table = narrow.split_once("  FROM").map(|(_, table)| table);
        assert_eq!(
            table,
            Some(
                "      LASTED  COUNTS AS  INCIDENT         BECAUSE OF
  19:00:00  14m 5s  down       4-1796061175277  503: expect…
  19:50:00  7m 12s  unknown    -                no check sp…
"
            )
        );
    }
}
