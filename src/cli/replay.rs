//! `sitewatch replay`: recorded checks through the alert rules of another configuration.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::time::Duration;

use super::context::Context;
use super::error::{CliError, Outcome};
use super::place;
use crate::clock;
use crate::config::{self, Config};
use crate::domain::check::Check;
use crate::domain::monitor::{Monitor, MonitorId, MonitorName};
use crate::domain::notice::MailKind;
use crate::domain::timestamp::Timestamp;
use crate::policy::period;
use crate::policy::replay::{Replay, Said};
use crate::store::history::HistoryQuery;
use crate::store::incidents::IncidentQuery;
use crate::store::monitors::StoredMonitor;
use crate::store::reader::Reader;
use crate::view::replay::{self as view, ReplayRow};
use crate::view::when::Clock;

/// So much is read at once: of 1 000 monitors a minute 180 000 checks.
const CHUNK: Duration = Duration::from_secs(3 * 3600);

/// Arguments of `sitewatch replay`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  sitewatch replay --config new.toml --since 30d\n\n\
    Verdicts are taken as recorded; what is run anew are the rules that make mails of them:\n\
    failures_before_down, successes_before_up, flapping, reminders, maintenance, depends_on.\n\
    Mails are shown one by one, not gathered into digests. Only mails about incidents are\n\
    compared; of others (degraded, flapping) only what would be sent is known."
)]
pub struct Args {
    /// Checks from here on: 30d (ago), yesterday, 2026-10
    #[arg(long, value_name = "TIME", default_value = "30d")]
    pub since: String,
}

/// Runs the command.
pub fn run(context: &mut Context, args: &Args) -> Result<Outcome, CliError> {
    if context.options.config.is_none() {
        return Err(CliError::Usage(
            "name the configuration to try: sitewatch replay --config NEW".to_owned(),
        ));
    }
    let mut new = place::config(context)?;
    find_database(context, &mut new);
    let clock = Clock {
        zone: new.daemon.timezone.clone(),
        now: clock::now(),
    };
    let since = period::named(&args.since, &clock.zone, clock.now)
        .map_err(|error| CliError::Usage(format!("--since: {error}")))?
        .from;
    let reader = Reader::open(&new.daemon.database).map_err(CliError::machine)?;
    let known = reader.monitors().map_err(CliError::machine)?;
    let played = played(&new, &known);
    let said = play(&reader, &new, &played, since, clock.now)?;
    let rows = beside(&reader, &played, said, since, clock.now)?;
    let screen = context.out.screen();
    if context.options.json {
        for row in &rows {
            writeln!(context.out, "{}", view::json(row))?;
        }
        return Ok(Outcome::Fine);
    }
    if !rows.is_empty() {
        view::write(&rows, &clock, screen, &mut context.out)?;
        context.out.flush()?;
    }
    context.out.note(&view::summary(&rows));
    Ok(Outcome::Fine)
}

/// A configuration that is only tried seldom names the database in use: then that of the one in use is read.
fn find_database(context: &Context, new: &mut Config) {
    if context.options.database.is_some() || new.daemon.database.exists() {
        return;
    }
    let current = config::locate(None, &context.environment)
        .ok()
        .and_then(|located| config::load_brief(&located.file, &context.environment).ok());
    if let Some(current) = current {
        new.daemon.database = current.database;
    }
}

/// The enabled monitors of the new configuration that have a history, under this or their former name.
fn played<'a>(new: &'a Config, known: &[StoredMonitor]) -> Vec<(MonitorId, &'a Monitor)> {
    new.monitors
        .iter()
        .filter(|monitor| monitor.enabled)
        .filter_map(|monitor| {
            let named = |name: &MonitorName| known.iter().find(|stored| stored.name == *name);
            let stored = named(&monitor.name).or_else(|| named(monitor.renamed_from.as_ref()?))?;
            Some((stored.id, monitor))
        })
        .collect()
}

fn play(
    reader: &Reader,
    new: &Config,
    played: &[(MonitorId, &Monitor)],
    since: Timestamp,
    now: Timestamp,
) -> Result<Vec<Said>, CliError> {
    let mut world = Replay::new(
        played.iter().copied(),
        &new.alerts,
        &new.maintenance,
        &new.daemon.timezone,
        since,
    );
    let places: HashMap<MonitorId, usize> = played
        .iter()
        .enumerate()
        .map(|(place, (id, _))| (*id, place))
        .collect();
    let mut said = Vec::new();
    let mut from = since;
    while from < now && !played.is_empty() {
        let to = from.plus(CHUNK).min(now);
        let query = HistoryQuery {
            monitors: played.iter().map(|(id, _)| *id).collect(),
            since: Some(from),
            until: Some(to),
            ..HistoryQuery::default()
        };
        let mut checks: Vec<(usize, Check)> = Vec::new();
        reader
            .history(&query, &mut |stored, check| {
                if let Some(place) = places.get(&stored.id) {
                    checks.push((*place, check));
                }
                ControlFlow::Continue(())
            })
            .map_err(CliError::machine)?;
        for (place, check) in checks.into_iter().rev() {
            world.check(place, check);
        }
        said.extend(world.take_said());
        from = to;
    }
    world.pass(now);
    said.extend(world.take_said());
    Ok(said)
}

/// Each mail that would be sent with the one that was, and those that only were.
fn beside(
    reader: &Reader,
    played: &[(MonitorId, &Monitor)],
    said: Vec<Said>,
    since: Timestamp,
    now: Timestamp,
) -> Result<Vec<ReplayRow>, CliError> {
    let mut sent = sent(reader, played, since, now)?;
    let mut rows: Vec<ReplayRow> = said
        .into_iter()
        .filter(|said| !played[said.place].1.rules.to.is_empty())
        .map(|said| {
            let monitor = played[said.place].1.name.as_str();
            let kind = said.news.kind();
            let opened_at = said.news.incident().map(|incident| incident.opened_at);
            let found = sent.iter().position(|row| {
                row.monitor == monitor && row.kind == kind && row.opened_at == opened_at
            });
            ReplayRow {
                monitor: monitor.to_owned(),
                kind,
                opened_at,
                would_at: Some(said.at),
                sent_at: found.and_then(|index| sent.remove(index).sent_at),
            }
        })
        .collect();
    rows.extend(sent);
    rows.sort_by_key(ReplayRow::at);
    Ok(rows)
}

fn sent(
    reader: &Reader,
    played: &[(MonitorId, &Monitor)],
    since: Timestamp,
    now: Timestamp,
) -> Result<Vec<ReplayRow>, CliError> {
    if played.is_empty() {
        return Ok(Vec::new());
    }
    let query = IncidentQuery {
        monitors: played.iter().map(|(id, _)| *id).collect(),
        since: Some(since),
        until: Some(now),
        ..IncidentQuery::default()
    };
    let names: HashMap<MonitorId, &str> = played
        .iter()
        .map(|(id, monitor)| (*id, monitor.name.as_str()))
        .collect();
    let mut rows: Vec<ReplayRow> = Vec::new();
    for listed in reader.incidents(&query).map_err(CliError::machine)? {
        let key = listed.incident.key;
        for mail in &listed.mails {
            let row = ReplayRow {
                monitor: names[&key.monitor].to_owned(),
                kind: told(mail.kind),
                opened_at: Some(key.opened_at),
                would_at: None,
                sent_at: Some(mail.queued_at),
            };
            // One mail has a row for each recipient.
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
    }
    rows.sort_by_key(ReplayRow::at);
    Ok(rows)
}

/// What a mail was decided as, whatever it was merged into.
const fn told(kind: MailKind) -> MailKind {
    match kind {
        MailKind::WasDown => MailKind::Down,
        other => other,
    }
}
