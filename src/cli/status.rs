//! `sitewatch status`: the current state of each monitor, from the database.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::context::Context;
use super::error::{CliError, Outcome};
use super::resolve::{self, Place};
use super::{complete, from_store, status_watch};
use crate::clock;
use crate::control::{self, Answer, ControlError, DaemonStatus, Request};
use crate::domain::check::Micros;
use crate::domain::duration_text::Human;
use crate::domain::monitor::{Monitor, MonitorId, MonitorName, Schedule};
use crate::domain::staleness;
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::state::{Flags, ShownState};
use crate::policy::schedule::cron::Cron;
use crate::policy::schedule::next_check::next_check_at;
use crate::store::error::StoreError;
use crate::store::facts::monitors::StoredMonitor;
use crate::store::facts::status::StatusRow as StoredStatus;
use crate::store::reader::Reader;
use crate::view::csv;
use crate::view::json::{self, Audience};
use crate::view::rows::StatusRow;
use crate::view::status as view;
use crate::view::terminal::{Screen, Tone};
use crate::view::time_text::Clock;

/// For more monitors than this the latency of each hour is not read.
const SPARKLINES_MAX: usize = 200;

/// Arguments of `sitewatch status`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  sitewatch status\n  sitewatch status shop blog\n  \
    sitewatch status --json | jq 'select(.state == \"down\")'\n  \
    sitewatch status --watch\n\n\
    What is broken comes first. A state is unknown when the newest check is older\n\
    than two intervals and its timeout, or no daemon runs. A monitor with\n\
    enabled = false is listed as disabled, and unknown in JSON."
)]
pub struct Args {
    /// Only these monitors
    #[arg(value_name = "NAME", add = complete::monitors())]
    pub names: Vec<String>,
    /// Show the table until you press q or Ctrl-C, refreshed every 2 s or as often as TIME says
    #[arg(
        long,
        value_name = "TIME",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "2s",
        value_parser = super::options::duration,
        conflicts_with_all = ["json", "csv"]
    )]
    pub watch: Option<Duration>,
    /// Print CSV with a header, times in UTC
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
}

/// Runs the command.
pub fn run(context: &mut Context, args: &Args) -> Result<Outcome, CliError> {
    if let Some(every) = args.watch {
        return status_watch::run(context, args, every);
    }
    let is_whole = context.options.json || args.csv;
    let seen = Seen::look(context, args, is_whole)?;
    let out = &mut context.out;
    if context.options.json {
        for row in seen.rows() {
            json::line(&json::status(row, Audience::Owner), out)?;
        }
    } else if args.csv {
        writeln!(out, "{}", csv::STATUS_HEADER)?;
        for row in seen.rows() {
            csv::status(row, out)?;
        }
    } else {
        let screen = out.screen();
        seen.draw(screen, usize::MAX, out)?;
    }
    // The process ends now: giving ten thousand rows back piece by piece would be a tenth of the whole command.
    std::mem::forget(seen);
    Ok(Outcome::Fine)
}

/// What one look at the configuration, the database and the daemon found.
pub struct Seen {
    place: Place,
    stored: Stored,
    /// The order of the configuration, as places in `stored.rows`.
    order: Vec<usize>,
    daemon: Daemon,
    newest_at: Option<Timestamp>,
    clock: Clock,
}

impl Seen {
    /// Looks; the redirect chain of each newest check is only read if whole rows are wanted.
    ///
    /// # Errors
    /// If there is no configuration or database, or a monitor is not known.
    pub fn look(context: &mut Context, args: &Args, is_whole: bool) -> Result<Self, CliError> {
        let now = clock::now();
        let (place, mut stored) = read(context, |database| {
            Stored::read(database, &args.names, now, is_whole)
        })?;
        place.select(&stored.known, &args.names)?;
        let clock = Clock {
            zone: place.zone.clone(),
            now,
        };
        let daemon = Daemon::of(&place, &stored.reader);
        let order = completed(&place, &mut stored.rows, args, clock.now, daemon.runs());
        let newest_at = stored.reader.newest_at()?;
        Ok(Self {
            place,
            stored,
            order,
            daemon,
            newest_at,
            clock,
        })
    }

    /// The rows in the order of the configuration.
    fn rows(&self) -> impl Iterator<Item = &StatusRow> {
        let rows = self.order.iter().filter_map(|at| self.stored.rows.get(*at));
        rows.map(|(row, _)| row)
    }

    /// Draws the table, what is broken first, and the line about the daemon, on at most so many lines.
    pub fn draw(
        &self,
        screen: Screen,
        lines_max: usize,
        out: &mut impl std::fmt::Write,
    ) -> std::fmt::Result {
        let mut rows: Vec<&StatusRow> = self.rows().collect();
        view::broken_first(&mut rows);
        let line = format!(
            "{} · {}",
            view::summary(&rows),
            self.daemon.line(self.newest_at, &self.place, &self.clock)
        );
        let line = if screen.unicode {
            line
        } else {
            line.replace('·', "-")
        };
        let last = screen.broken(&line);
        // The heading, an empty line, and one that says how many are left out.
        let others = last.lines().count() + 3;
        let shown = rows.len().min(lines_max.saturating_sub(others).max(1));
        let (shown, hidden) = rows.split_at(if rows.len() + others - 1 <= lines_max {
            rows.len()
        } else {
            shown
        });
        view::write(shown, &self.clock, screen, out)?;
        if !hidden.is_empty() {
            let words = view::states(hidden);
            writeln!(
                out,
                "{}",
                screen.paint(Tone::Faint, &format!("and {words}"))
            )?;
        }
        if !rows.is_empty() {
            writeln!(out)?;
        }
        writeln!(out, "{last}")
    }
}

/// Reads the configuration, and beside it what `stored` reads of the database: of many monitors both take their time.
fn read<T: Send>(
    context: &mut Context,
    stored: impl FnOnce(&Path) -> Result<T, StoreError> + Send + Copy,
) -> Result<(Place, T), CliError> {
    std::thread::scope(|scope| {
        let mut reading = None;
        let place = resolve::brief_telling(context, &mut |database| {
            let database = database.to_owned();
            // A machine in trouble may have no thread left: then one comes after the other.
            reading = std::thread::Builder::new()
                .spawn_scoped(scope, move || stored(&database))
                .ok();
        })?;
        let read = match reading {
            Some(reading) => reading
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            None => stored(&place.database),
        };
        Ok((place, read?))
    })
}

struct Stored {
    reader: Reader,
    /// All monitors of the database, if some were named.
    known: Vec<StoredMonitor>,
    /// Those that are wanted, each with the time between two of its checks if it has any.
    rows: Vec<(StatusRow, Option<Duration>)>,
}

impl Stored {
    /// Reads it; the redirect chain of each newest check only if whole rows are wanted.
    fn read(
        database: &Path,
        names: &[String],
        now: Timestamp,
        is_whole: bool,
    ) -> Result<Self, StoreError> {
        let reader = Reader::open(database)?;
        // In one transaction: otherwise each of ten thousand look-ups would lock the file for itself.
        let (known, rows) = reader.together(|reader| {
            let known = match names {
                [] => Vec::new(),
                _ => reader.monitors()?,
            };
            let ids: Vec<MonitorId> = known
                .iter()
                .filter(|one| names.iter().any(|name| name == one.name.as_str()))
                .map(|one| one.id)
                .collect();
            let found = match ids.is_empty() && !names.is_empty() {
                true => Vec::new(),
                false => reader.status(&ids, now)?,
            };
            let mut latency = latency(reader, &found, now)?;
            let mut locations = reader.location_statuses(&ids, now)?;
            let mut rows = Vec::with_capacity(found.len());
            for one in found {
                let newest = one.newest.as_ref().map(|check| match is_whole {
                    true => reader.resolve(check),
                    false => reader.outline(check),
                });
                let newest = newest.transpose()?;
                let bars = latency.remove(&one.monitor.id).unwrap_or_default();
                let interval = Some(one.monitor.interval);
                let id = one.monitor.id;
                let mut row = from_store::status(one, newest, bars);
                row.locations = locations.remove(&id).unwrap_or_default();
                rows.push((row, interval));
            }
            Ok((known, rows))
        })?;
        Ok(Self {
            reader,
            known,
            rows,
        })
    }
}

/// What the daemon's socket and lock say of it.
enum Daemon {
    /// It answered.
    Answered(Box<DaemonStatus>),
    /// It holds the database, and does not talk to us.
    Holds(String),
    /// It holds the database, took the question and is silent.
    Hangs(String),
    /// No daemon runs.
    None,
}

impl Daemon {
    fn of(place: &Place, reader: &Reader) -> Self {
        let Some(pid) = reader.daemon() else {
            return Self::None;
        };
        let answer = place
            .control_socket
            .as_deref()
            .map(|socket| control::ask_within(socket, &Request::Status, control::STATUS_WAIT));
        match answer {
            Some(Ok(Answer::Daemon(status))) => Self::Answered(status),
            Some(Err(ControlError::Late { .. })) => Self::Hangs(pid),
            Some(Ok(_) | Err(_)) | None => Self::Holds(pid),
        }
    }

    const fn runs(&self) -> bool {
        match self {
            Self::Answered(_) | Self::Holds(_) | Self::Hangs(_) => true,
            Self::None => false,
        }
    }

    fn line(&self, newest: Option<Timestamp>, place: &Place, clock: &Clock) -> String {
        match self {
            Self::Answered(status) => {
                let mut parts = Vec::new();
                parts.push(
                    if status.on_time {
                        "checks on time"
                    } else {
                        "checks are late"
                    }
                    .to_owned(),
                );
                parts.push(match (status.mails, status.mails_waiting) {
                    (false, _) => "no [email] and no [[channel]]: nobody is told".to_owned(),
                    (true, 1) => "1 mail waiting".to_owned(),
                    (true, waiting) => format!("{waiting} mails waiting"),
                });
                match status.mails_for_hours {
                    0 => {}
                    1 => parts.push("1 of them for the hours of its recipient".to_owned()),
                    many => parts.push(format!("{many} of them for the hours of their recipients")),
                }
                parts.extend(status.blind.clone());
                parts.extend(status.heartbeat.clone());
                parts.extend(status.mail_pause.clone());
                parts.extend(status.mail_rests.iter().cloned());
                parts.extend(status.troubles.iter().cloned());
                match status.log_lines_lost {
                    0 => {}
                    1 => parts.push("1 line of the log was lost".to_owned()),
                    lost => parts.push(format!("{lost} lines of the log were lost")),
                }
                parts.extend(status.notes.iter().cloned());
                let up = status
                    .up_s
                    .map_or_else(|| clock.now.since(status.started_at), Duration::from_secs);
                parts.push(format!("daemon up {}", Human(up)));
                parts.join(" · ")
            }
            Self::Holds(pid) => format!("a daemon runs (process {pid})"),
            Self::Hangs(pid) => format!(
                "the daemon (process {pid}) does not answer{}",
                newest.map_or_else(String::new, |at| format!(
                    ", the newest check is {} old",
                    clock.ago(at)
                ))
            ),
            Self::None => {
                let last = match newest {
                    Some(at) => format!("the newest check is {} old", clock.ago(at)),
                    None => "nothing was ever checked".to_owned(),
                };
                let mails = match &place.config {
                    Some(config) if !config.has_way_out() => {
                        " · no [email] and no [[channel]]: nobody is told"
                    }
                    _ => "",
                };
                format!("no daemon runs, {last}{mails}")
            }
        }
    }
}

/// Adds what only the configuration knows, and its monitors that the database does not know yet. Answers the order of
/// the rows: the configuration's, and last, by name, what it does not name.
fn completed(
    place: &Place,
    rows: &mut Vec<(StatusRow, Option<Duration>)>,
    args: &Args,
    now: Timestamp,
    daemon_runs: bool,
) -> Vec<usize> {
    let config = place.config.as_ref();
    let configured = |index: usize| config.and_then(|config| config.monitors.get(index));
    let indices: HashMap<&str, usize> = place
        .names
        .iter()
        .map(MonitorName::as_str)
        .zip(0..)
        .collect();
    let mut stored = vec![false; place.names.len()];
    let mut order = Vec::with_capacity(rows.len().max(place.names.len()));
    for ((row, interval), at) in rows.iter_mut().zip(0..) {
        let index = indices.get(row.monitor.as_str()).copied();
        if let Some(is_stored) = index.and_then(|index| stored.get_mut(index)) {
            *is_stored = true;
        }
        order.push((index.unwrap_or(usize::MAX), at));
        let monitor = index.and_then(configured).map(|monitor| &**monitor);
        if let Some(monitor) = monitor {
            row.tags = monitor.tags_shown();
            row.note = monitor.note.to_string();
            row.enabled = monitor.enabled;
            if daemon_runs && monitor.enabled && !row.flags.paused {
                row.next_check_at =
                    config.and_then(|config| next_check_at(monitor, &config.daemon.timezone, now));
            }
        }
        outdate(row, *interval, monitor, place, now, daemon_runs);
    }
    for (index, _) in (0..).zip(&stored).filter(|(_, is_stored)| !**is_stored) {
        if let Some(row) = configured(index).and_then(|monitor| never_seen(monitor, args)) {
            order.push((index, rows.len()));
            rows.push((row, None));
        }
    }
    order.sort_unstable();
    order.into_iter().map(|(_, at)| at).collect()
}

/// A monitor of the configuration that the database does not know yet, if it is wanted.
fn never_seen(monitor: &Arc<Monitor>, args: &Args) -> Option<StatusRow> {
    let is_wanted =
        args.names.is_empty() || args.names.iter().any(|name| name == monitor.name.as_str());
    (monitor.enabled && is_wanted).then(|| StatusRow {
        monitor: monitor.name.as_str().to_owned(),
        url: monitor.url_shown(),
        enabled: true,
        state: ShownState::Pending,
        since: None,
        reason: None,
        flags: Flags::default(),
        incident: None,
        ack_note: None,
        cause_status: None,
        orders: Some(Vec::new()),
        last_check: None,
        next_check_at: None,
        uptime_percent_24h: None,
        uptime_percent_30d: None,
        latency_24h: Vec::new(),
        tags: monitor.tags_shown(),
        note: monitor.note.to_string(),
        locations: Vec::new(),
    })
}

/// Turns a state that is too old into unknown.
fn outdate(
    row: &mut StatusRow,
    interval: Option<Duration>,
    monitor: Option<&Monitor>,
    place: &Place,
    now: Timestamp,
    daemon_runs: bool,
) {
    let Some(newest) = row.last_check.as_ref().map(|check| check.at) else {
        return;
    };
    let stale = match monitor.map(|monitor| &monitor.schedule) {
        Some(Schedule::Cron(text)) => cron_missed(&text.0, place, newest, now),
        Some(Schedule::Every(_)) | None => {
            let timeout = monitor.map_or(Duration::ZERO, |monitor| monitor.subject.timeout());
            interval.is_some_and(|interval| now.since(newest) > staleness::after(interval, timeout))
        }
    };
    if (stale || !daemon_runs || !row.enabled) && row.state != ShownState::Unknown {
        row.state = ShownState::Unknown;
        row.since = Some(newest);
        row.reason = None;
    }
}

/// Whether a cron monitor missed two of its moments.
fn cron_missed(text: &str, place: &Place, newest: Timestamp, now: Timestamp) -> bool {
    let Ok(cron) = Cron::parse(text) else {
        return false;
    };
    let before = |moment: Timestamp| cron.last_at_or_before(&place.zone, moment);
    let last = before(now);
    let one_before = last.and_then(|last| before(last.minus(Duration::from_millis(1))));
    one_before.is_some_and(|moment| newest < moment)
}

/// The median of each of the last 24 hours, oldest first.
fn latency(
    reader: &Reader,
    stored: &[StoredStatus],
    now: Timestamp,
) -> Result<HashMap<MonitorId, Vec<Option<Micros>>>, StoreError> {
    if stored.is_empty() || stored.len() > SPARKLINES_MAX {
        return Ok(HashMap::new());
    }
    let ids: Vec<MonitorId> = stored.iter().map(|row| row.monitor.id).collect();
    let hour = Duration::from_secs(3600);
    let end = Timestamp::from_ms((now.as_ms() / 3_600_000 + 1) * 3_600_000);
    let edges: Vec<Timestamp> = (0..=24)
        .rev()
        .map(|hours| end.minus(hour * hours))
        .collect();
    let tallies = reader.tallies(&ids, &edges)?;
    Ok(tallies
        .into_iter()
        .map(|(id, hours)| {
            let medians = hours.iter().map(|tally| tally.latency.percentile(50));
            (id, medians.collect())
        })
        .collect())
}
