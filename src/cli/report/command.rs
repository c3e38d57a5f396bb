//! `sitewatch report`: uptime, coverage, outages and latency of a period.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::{mail, page};
use crate::cli::context::Context;
use crate::cli::error::{CliError, Outcome};
use crate::cli::from_store;
use crate::cli::resolve::{self, Place};
use crate::daemon::notifier::report_rows;
use crate::domain::monitor::MonitorId;
use crate::domain::timestamp::Timestamp;
use crate::policy::availability::uptime::{Class, Piece};
use crate::policy::schedule::time_range::{self, Period};
use crate::store::facts::report::{Losses, ReportRow as StoredReport};
use crate::store::reader::Reader;
use crate::view::csv;
use crate::view::json::{self, Audience};
use crate::view::objective::{self, ObjectiveRow};
use crate::view::report::{self as view, Loss, LossClass};
use crate::view::rows::ReportRow;
use crate::view::time_text::Clock;

/// After a pause the first check is due within 10 s, and takes its time; what is longer has another reason.
const RESUMED_MS_MAX: i64 = 60_000;

/// Arguments of `sitewatch report`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  sitewatch report\n  sitewatch report shop --period 2026-10\n  \
    sitewatch report shop --explain\n  sitewatch report --period 2026 --html > 2026.html\n  \
    sitewatch report --period 7d --email\n\n\
    Uptime is (up + degraded) / (up + degraded + down); covered is how much of the\n\
    period was observed. Percentages are truncated, never rounded up. Below the\n\
    monitors stand the objectives, with their error budgets."
)]
pub struct Args {
    /// Only these monitors
    #[arg(value_name = "NAME", add = crate::cli::complete::monitors())]
    pub names: Vec<String>,
    /// 30d (the last), yesterday, 2026-10 (a month), 2026 (a year), 2026-10-01..2026-10-15
    #[arg(long, value_name = "PERIOD", default_value = "30d")]
    pub period: String,
    /// Print CSV with a header, times in UTC
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
    /// Print a self-contained HTML page with charts
    #[arg(long, conflicts_with_all = ["json", "csv"])]
    pub html: bool,
    /// Mail it to the recipients of `[report]`, or of `[email]`
    #[arg(long, conflicts_with_all = ["json", "csv", "html", "names"])]
    pub email: bool,
    /// Ignore amendments: the figures as recorded
    #[arg(long, conflicts_with = "email")]
    pub raw: bool,
    /// Add a row for each location of the monitors that have any
    #[arg(long, conflicts_with_all = ["html", "email", "explain"])]
    pub by_location: bool,
    /// List the incidents and gaps behind the lost uptime
    #[arg(long, conflicts_with_all = ["csv", "html", "email"])]
    pub explain: bool,
}

/// Runs the command.
pub fn run(context: &mut Context, args: &Args) -> Result<Outcome, CliError> {
    let place = resolve::brief(context)?;
    let clock = place.clock();
    let period = time_range::period(&args.period, &clock.zone, clock.now)
        .map_err(|error| CliError::Usage(format!("--period: {error}")))?;
    let reader = place.reader()?;
    if args.email {
        return mail::send(context, &reader, period, &clock);
    }
    let known = reader.monitors()?;
    let ids = place.select(&known, &args.names)?;
    let stored = if ids.is_empty() && !args.names.is_empty() {
        Vec::new()
    } else {
        let mut stored = stored(&reader, &ids, period, &place)?;
        if args.raw {
            stored
                .iter_mut()
                .for_each(StoredReport::leave_out_amendments);
        }
        stored
    };
    if args.explain {
        return explain(context, &reader, &stored, period, args.raw, &clock);
    }
    let rows = rows(&reader, &stored, period, args.by_location)?;
    let objectives = objectives(&reader, &place, args, period.to.min(clock.now))?;
    let screen = context.out.screen();
    let out = &mut context.out;
    if context.options.json {
        for row in &rows {
            json::line(&json::report(row, Audience::Owner), out)?;
        }
        for row in &objectives {
            json::line(&objective::object(row), out)?;
        }
    } else if args.csv {
        let location = if args.by_location { ",location" } else { "" };
        writeln!(out, "{}{location}", csv::REPORT_HEADER)?;
        for row in &rows {
            csv::report(row, out)?;
        }
        for row in &objectives {
            csv::objective(row, args.by_location, out)?;
        }
    } else if args.html {
        let named = &args.period;
        page::write(
            context,
            &reader,
            &stored,
            &objectives,
            period,
            named,
            &clock,
        )?;
    } else if rows.is_empty() {
        out.note(&format!("nothing is recorded; {}", place.looked_in()));
    } else {
        view::write(&rows, &clock, screen, out)?;
        if !objectives.is_empty() {
            writeln!(out)?;
            objective::write(&objectives, screen, out)?;
        }
    }
    Ok(Outcome::Fine)
}

/// The rows of the table, with those of each location if they are wanted.
fn rows(
    reader: &Reader,
    stored: &[StoredReport],
    period: Period,
    by_location: bool,
) -> Result<Vec<ReportRow>, CliError> {
    let mut rows = Vec::with_capacity(stored.len());
    for one in stored {
        let mut row = from_store::report(one);
        row.location = by_location.then_some(None);
        rows.push(row);
        if !by_location {
            continue;
        }
        let (from, to) = (period.from, period.to);
        for (location, seen) in reader.report_by_location(&one.monitor, from, to)? {
            let mut row = from_store::report(&seen);
            row.location = Some(Some(location));
            rows.push(row);
        }
    }
    Ok(rows)
}

/// The objectives that are about any of the named monitors, or all.
fn objectives(
    reader: &Reader,
    place: &Place,
    args: &Args,
    end: Timestamp,
) -> Result<Vec<ObjectiveRow>, CliError> {
    let Some(config) = &place.config else {
        return Ok(Vec::new());
    };
    let named = |name: &str| args.names.is_empty() || args.names.iter().any(|named| named == name);
    let rows = report_rows::objectives(reader, config, end, args.raw, |one| {
        let mut covered = config.monitors_of(one);
        args.names.is_empty() || covered.any(|monitor| named(monitor.name.as_str()))
    });
    Ok(rows?)
}

/// The rows in the order of the configuration.
fn stored(
    reader: &Reader,
    ids: &[MonitorId],
    period: Period,
    place: &Place,
) -> Result<Vec<StoredReport>, CliError> {
    let mut stored = reader.report(ids, period.from, period.to)?;
    let order: HashMap<&str, usize> = place
        .names
        .iter()
        .enumerate()
        .map(|(index, name)| (name.as_str(), index))
        .collect();
    stored.sort_by_key(|row| {
        order
            .get(row.monitor.name.as_str())
            .copied()
            .unwrap_or(usize::MAX)
    });
    Ok(stored)
}

fn explain(
    context: &mut Context,
    reader: &Reader,
    stored: &[StoredReport],
    period: Period,
    raw: bool,
    clock: &Clock,
) -> Result<Outcome, CliError> {
    let screen = context.out.screen();
    for (index, row) in stored.iter().enumerate() {
        let found = reader.losses(row.monitor.id, period.from, period.to, raw)?;
        let Some(found) = found else { continue };
        let losses = losses(&found);
        let out = &mut context.out;
        if context.options.json {
            for loss in &losses {
                writeln!(out, "{}", view::loss_json(row.monitor.name.as_str(), loss))?;
            }
            continue;
        }
        if index > 0 {
            writeln!(out)?;
        }
        view::explain(&from_store::report(row), &losses, clock, screen, out)?;
    }
    Ok(Outcome::Fine)
}

fn losses(found: &Losses) -> Vec<Loss> {
    let before = std::iter::once(None).chain(found.pieces.iter().map(|(piece, _)| Some(piece)));
    let losses = found
        .pieces
        .iter()
        .zip(before)
        .filter_map(|((piece, incident), before)| {
            Some(Loss {
                from: Timestamp::from_ms(piece.from),
                to: Timestamp::from_ms(piece.to),
                class: class(piece, before)?,
                incident: incident.as_ref().map(|listed| {
                    let incident = &listed.incident;
                    (
                        incident.key.to_string(),
                        incident.cause.failure.detail.to_string(),
                    )
                }),
            })
        });
    losses.collect()
}

/// What a piece counts as, given the one before it; `None` if nothing was lost.
fn class(piece: &Piece, before: Option<&Piece>) -> Option<LossClass> {
    let resumed =
        || before.is_some_and(|one| one.class == Class::Unwatched && one.to == piece.from);
    Some(match piece.class {
        Class::Up => return None,
        Class::Degraded => LossClass::Degraded,
        Class::Down(_) => LossClass::Down,
        Class::Maintenance => LossClass::Maintenance,
        Class::Silent if piece.to - piece.from <= RESUMED_MS_MAX && resumed() => LossClass::Resumed,
        Class::Silent => LossClass::Silent,
        Class::Blind => LossClass::Blind,
        Class::Unwatched => LossClass::Unwatched,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_for_the_first_check_after_a_pause_is_no_stop_of_the_daemon() {
        let piece = |from, to, class| Piece { from, to, class };
        let pause = piece(0, 1000, Class::Unwatched);
        for (piece, before, want) in [
            (
                piece(1000, 2000, Class::Silent),
                Some(&pause),
                LossClass::Resumed,
            ),
            (
                piece(1000, 900_000, Class::Silent),
                Some(&pause),
                LossClass::Silent,
            ),
            (
                piece(1500, 2000, Class::Silent),
                Some(&pause),
                LossClass::Silent,
            ),
            (piece(1000, 2000, Class::Silent), None, LossClass::Silent),
            (
                piece(1000, 2000, Class::Blind),
                Some(&pause),
                LossClass::Blind,
            ),
        ] {
            assert_eq!(class(&piece, before), Some(want), "{piece:?}");
        }
    }
}
