//! `sitewatch history`: recorded checks, newest first.

use std::fmt::Write as _;
use std::ops::{ControlFlow, RangeInclusive};

use super::context::Context;
use super::error::{CliError, Outcome};
use super::{complete, output, resolve};
use crate::domain::check::{Check, CheckState};
use crate::domain::expectation::StatusSet;
use crate::domain::location::LocationName;
use crate::domain::timestamp::Timestamp;
use crate::policy::schedule::time_range;
use crate::store::checks::history::{Dated, HistoryQuery, Whence};
use crate::store::facts::locations::Series;
use crate::store::facts::monitors::StoredMonitor;
use crate::view::csv;
use crate::view::history::HistoryTable;
use crate::view::json::{self, Audience};
use crate::view::time_text::Clock;

/// Rows of a table by default.
const ROWS_DEFAULT: u64 = 50;

/// Arguments of `sitewatch history`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  sitewatch history shop\n  sitewatch history shop --since yesterday --state down,degraded\n  \
    sitewatch history --since 7d --status 5xx,404\n  sitewatch history shop --changes\n  \
    sitewatch history shop --since 2026-10 --until 2026-10 --csv > october.csv\n\n\
    Times are read and shown in the configured zone; JSON and CSV are in UTC."
)]
pub struct Args {
    /// Only these monitors
    #[arg(value_name = "NAME", add = complete::monitors())]
    pub names: Vec<String>,
    /// Checks from this time on: 7d (ago), yesterday, 2026-10, 2026-10-01, 2026-10-01T08:00
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Checks up to this time, in the same forms; a day, month or year is included whole
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Show at most N, newest first; 0 for all [default: 50; all with --since, --json or --csv]
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// Only checks with these verdicts: up, degraded, down, unknown
    #[arg(long, value_name = "STATE", value_delimiter = ',', add = complete::states())]
    pub state: Vec<String>,
    /// Only checks with these HTTP statuses: 404, 5xx, 500-503
    #[arg(long, value_name = "STATUS", value_delimiter = ',')]
    pub status: Vec<String>,
    /// Only checks from these locations (repeatable)
    #[arg(long, value_name = "LOCATION", add = complete::locations())]
    pub location: Vec<String>,
    /// Only where the state, the status or the redirect chain changed
    #[arg(long)]
    pub changes: bool,
    /// Include checks recorded while the clock was wrong; they are marked and not counted
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
    let mut query = query(args, &clock, context.options.json)?;
    let reader = place.reader()?;
    let known = reader.monitors()?;
    query.monitors = place.select(&known, &args.names)?;
    let series = reader.series(None)?;
    query.whose = whence(&series, &args.location)?;
    let with_locations = series
        .iter()
        .any(|series| query.monitors.is_empty() || query.monitors.contains(&series.monitor));
    let nothing_recorded = !args.names.is_empty() && query.monitors.is_empty();
    let columns = (query.monitors.len() != 1, with_locations);
    let mut sink = Sink::new(context, args, clock, columns)?;
    let mut failed = None;
    if !nothing_recorded {
        reader.history_of_locations(&query, &mut |monitor, location, check, dated| match sink
            .take(context, monitor, location, check, dated)
        {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        })?;
    }
    if let Some(error) = failed {
        return Err(error);
    }
    let rows = sink.end(context)?;
    if rows == 0 && !context.options.json && !args.csv {
        context
            .out
            .note(&format!("no such check is recorded; {}", place.looked_in()));
    }
    let cut = args.limit.is_none() && query.limit == Some(rows);
    if cut {
        context.out.flush()?;
        context
            .out
            .note(&format!("the newest {rows}; --limit or --since show more"));
    }
    Ok(Outcome::Fine)
}

enum Sink {
    Json,
    /// With or without a column for marks, and one for locations.
    Csv {
        marks: bool,
        locations: bool,
    },
    Table(Box<HistoryTable>),
}

impl Sink {
    fn new(
        context: &mut Context,
        args: &Args,
        clock: Clock,
        (with_names, with_locations): (bool, bool),
    ) -> Result<Self, CliError> {
        if context.options.json {
            return Ok(Self::Json);
        }
        if args.csv {
            let clock = if args.all { ",clock" } else { "" };
            let location = if with_locations { ",location" } else { "" };
            writeln!(context.out, "{}{clock}{location}", csv::CHECK_HEADER)?;
            return Ok(Self::Csv {
                marks: args.all,
                locations: with_locations,
            });
        }
        let table = HistoryTable::new(context.out.screen(), clock, with_names, with_locations);
        Ok(Self::Table(Box::new(table)))
    }

    fn take(
        &mut self,
        context: &mut Context,
        monitor: &StoredMonitor,
        location: Option<&LocationName>,
        check: Check,
        dated: Dated,
    ) -> Result<(), CliError> {
        let (name, url) = (monitor.name.as_str(), monitor.url.as_str());
        let out = &mut context.out;
        match self {
            Self::Json => {
                let object = match dated {
                    Dated::Well => json::check(name, url, &check, Audience::Owner),
                    Dated::Wrongly => {
                        json::check_by_wrong_clock(name, url, &check, Audience::Owner)
                    }
                };
                json::line(&object.from_location(location), out)?;
            }
            Self::Csv { marks, locations } => {
                let marks = marks.then_some(dated == Dated::Wrongly);
                let location = locations.then_some(location);
                csv::check(name, url, &check, (marks, location), out)?;
            }
            Self::Table(table) => {
                table.push(name, url, location, check, dated == Dated::Wrongly, out)?;
            }
        }
        Ok(())
    }

    /// How many rows a table had.
    fn end(self, context: &mut Context) -> Result<u64, CliError> {
        match self {
            Self::Json | Self::Csv { .. } => Ok(0),
            Self::Table(mut table) => {
                table.end(&mut context.out)?;
                Ok(table.rows())
            }
        }
    }
}

fn query(args: &Args, clock: &Clock, json: bool) -> Result<HistoryQuery, CliError> {
    let (since, until) = between(args.since.as_deref(), args.until.as_deref(), clock)?;
    let whole = args.since.is_some() || json || args.csv;
    Ok(HistoryQuery {
        monitors: Vec::new(),
        since,
        until,
        states: args
            .state
            .iter()
            .map(|word| state(word))
            .collect::<Result<_, _>>()?,
        statuses: args
            .status
            .iter()
            .map(|text| statuses(text))
            .collect::<Result<_, _>>()?,
        changes: args.changes,
        by_wrong_clock: args.all,
        whose: Whence::Each,
        limit: match args.limit {
            Some(0) => None,
            Some(limit) => Some(limit),
            None if whole => None,
            None => Some(ROWS_DEFAULT),
        },
    })
}

/// Which locations are wanted: those that are named, if any is.
fn whence(series: &[Series], named: &[String]) -> Result<Whence, CliError> {
    if named.is_empty() {
        return Ok(Whence::Each);
    }
    let mut known: Vec<&str> = series.iter().map(|one| one.location.as_str()).collect();
    known.sort_unstable();
    known.dedup();
    let mut wanted = Vec::new();
    for name in named {
        let found = series.iter().find(|one| one.location.as_str() == name);
        let Some(found) = found else {
            let there = match known.is_empty() {
                true => "no monitor has locations".to_owned(),
                false => format!("there are {}", known.join(", ")),
            };
            return Err(CliError::Usage(format!(
                "--location: nothing was seen from `{}`; {there}",
                output::quoted(name)
            )));
        };
        wanted.push(found.location.clone());
    }
    Ok(Whence::Some(wanted))
}

/// The moments of `--since` and `--until`.
pub fn between(
    since: Option<&str>,
    until: Option<&str>,
    clock: &Clock,
) -> Result<(Option<Timestamp>, Option<Timestamp>), CliError> {
    let moment = |option: &str, text: Option<&str>| {
        text.map(|text| time_range::named(text, &clock.zone, clock.now))
            .transpose()
            .map_err(|error| CliError::Usage(format!("{option}: {error}")))
    };
    let since = moment("--since", since)?.map(|period| period.from);
    let until = moment("--until", until)?.map(|period| period.to);
    if let (Some(since), Some(until)) = (since, until)
        && since >= until
    {
        return Err(CliError::Usage("--until is not after --since".to_owned()));
    }
    Ok((since, until))
}

fn state(word: &str) -> Result<CheckState, CliError> {
    let lower = word.trim().to_ascii_lowercase();
    CheckState::ALL
        .into_iter()
        .find(|state| state.as_str() == lower)
        .ok_or_else(|| {
            CliError::Usage(format!(
                "--state: `{}` is not a state; a check is up, degraded, down or unknown",
                output::quoted(word)
            ))
        })
}

fn statuses(text: &str) -> Result<RangeInclusive<u16>, CliError> {
    StatusSet::member(text)
        .map(|(low, high)| low..=high)
        .map_err(|error| CliError::Usage(format!("--status: {error}")))
}
