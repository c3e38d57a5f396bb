//! `sitewatch incidents`: outages with cause, start, end, duration and mails.

use std::fmt::Write as _;

use super::context::Context;
use super::error::{CliError, Outcome};
use super::{complete, from_store, history, resolve};
use crate::store::facts::incidents::IncidentQuery;
use crate::view::json::{self, Audience};
use crate::view::rows::IncidentRow;
use crate::view::{csv, incidents};

/// Arguments of `sitewatch incidents`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  sitewatch incidents --open\n  sitewatch incidents shop --since 2026-10\n  \
    sitewatch incidents --since 30d --csv > outages.csv"
)]
pub struct Args {
    /// Only these monitors
    #[arg(value_name = "NAME", add = complete::monitors())]
    pub names: Vec<String>,
    /// Only incidents that are still open
    #[arg(long)]
    pub open: bool,
    /// Only incidents still open at this time or later: 7d (ago), yesterday, 2026-10
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only incidents that began before this time; a day, month or year is included whole
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Show at most N, newest first
    #[arg(long, value_name = "N")]
    pub limit: Option<u32>,
    /// Include incidents recorded while the clock was wrong; they are marked and not counted
    #[arg(long)]
    pub all: bool,
    /// Print CSV with a header, times in UTC
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
}

/// Runs the command.
pub fn run(context: &mut Context, args: &Args) -> Result<Outcome, CliError> {
    let place = resolve::brief(context)?;
    let clock = place.clock();
    let (since, until) = history::between(args.since.as_deref(), args.until.as_deref(), &clock)?;
    let reader = place.reader()?;
    let known = reader.monitors()?;
    let monitors = place.select(&known, &args.names)?;
    let rows: Vec<IncidentRow> = if monitors.is_empty() && !args.names.is_empty() {
        Vec::new()
    } else {
        let query = IncidentQuery {
            monitors,
            open: args.open,
            since,
            until,
            limit: args.limit,
            by_wrong_clock: args.all,
        };
        let listed = reader.incidents(&query)?;
        listed.into_iter().map(from_store::incident).collect()
    };
    let screen = context.out.screen();
    let out = &mut context.out;
    if context.options.json {
        for row in &rows {
            json::line(&json::incident(row, clock.now, Audience::Owner), out)?;
        }
    } else if args.csv {
        writeln!(out, "{}", csv::INCIDENT_HEADER)?;
        for row in &rows {
            csv::incident(row, clock.now, out)?;
        }
    } else if rows.is_empty() {
        out.note(&format!(
            "no such incident is recorded; {}",
            place.looked_in()
        ));
    } else {
        incidents::write(&rows, &clock, screen, out)?;
    }
    Ok(Outcome::Fine)
}
