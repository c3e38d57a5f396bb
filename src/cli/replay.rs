//! `sitewatch replay`: recorded checks through the alert rules of another configuration.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::time::Duration;

use super::context::{Context, Used};
use super::error::{CliError, Outcome};
use super::recorded::{RecordedCheck, recorded};
use super::resolve;
use crate::clock;
use crate::config::{self, Config};
use crate::domain::incident::IncidentKey;
use crate::domain::monitor::{Monitor, MonitorId, MonitorName};
use crate::domain::notification::MailKind;
use crate::domain::recipient::Recipient;
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::monitor::{Order, Recipients};
use crate::policy::availability::error_budget::{self, LOOKS_BACK};
use crate::policy::outbox::collecting::CauseKey;
use crate::policy::outbox::simulate::{Decided, rehearse};
use crate::policy::replay::{Dropped, Replay, Said, order_of};
use crate::policy::schedule::time_range;
use crate::store::error::StoreError;
use crate::store::facts::monitors::StoredMonitor;
use crate::store::outbox::queries::{self, ToldOf};
use crate::store::reader::Reader;
use crate::store::transaction::SpanKind;
use crate::view::replay::{self as view, Leaving, Mails, ReplayRow};
use crate::view::time_text::Clock;
use crate::view::wrap;

/// So much is read at once: of 1 000 monitors a minute 180 000 checks.
const CHUNK: Duration = Duration::from_secs(3 * 3600);

/// News of no outage (slow, a certificate, another chain) is the same on both sides if it was decided within this time.
const NEAR: Duration = Duration::from_secs(3600);

/// So often the daemon looks at error budgets.
const BURNS_EVERY: Duration = Duration::from_secs(30);

/// Arguments of `sitewatch replay`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  sitewatch replay --config new.toml --since 30d\n  \
    sitewatch replay                      the current configuration\n\n\
    Verdicts stay as recorded; only the alerting rules are evaluated again:\n\
    failures_before_down, successes_before_up, flapping, reminders, escalation,\n\
    hours, maintenance, depends_on, and those of digests: group_wait, group_limit,\n\
    group_interval. AFTER counts from the first failed check until the mail\n\
    leaves, if the mail server accepts everything at once. Acknowledgements,\n\
    mutes and pauses count as they were ordered; windows by order and times\n\
    offline are left out. The checks of several locations vote again, by the\n\
    locations and the down_when of the new configuration.\n\
    Burns of an [[objective]] stand under its name, by the recorded outages."
)]
pub struct Args {
    /// Checks from this time on: 30d (ago), yesterday, 2026-10
    #[arg(long, value_name = "TIME", default_value = "30d")]
    pub since: String,
}

/// Runs the command.
pub fn run(context: &mut Context, args: &Args) -> Result<Outcome, CliError> {
    let mut new = resolve::config(context)?;
    find_database(context, &mut new);
    let new = resolve::with_lists(context, new);
    context.used = Some(Used {
        file: Some(new.file.clone()),
        database: new.daemon.database.clone(),
        control_socket: Some(new.daemon.control_socket.clone()),
    });
    let clock = Clock {
        zone: new.daemon.timezone.clone(),
        now: clock::now(),
    };
    let since = time_range::named(&args.since, &clock.zone, clock.now)
        .map_err(|error| CliError::Usage(format!("--since: {error}")))?
        .from;
    let reader = Reader::open(&new.daemon.database)?;
    let known = reader.monitors()?;
    let played = played(&new, &known);
    let past = play(&reader, &new, &played, since, clock.now)?;
    let (mut rows, mut mails) = beside(&reader, &new, &played, &past, (since, clock.now))?;
    burns(
        &reader,
        &new,
        &played,
        (since, clock.now),
        &mut rows,
        &mut mails,
    )?;
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
    let summary = view::summary(&rows, mails);
    let columns = context.out.message_screen().columns.map(usize::from);
    let lines = wrap::lines(&summary, columns.unwrap_or(usize::MAX));
    context.out.note(&lines.join("\n"));
    Ok(Outcome::Fine)
}

/// The new configuration seldom names the database in use; if it does not, the database of the one in use is read.
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
    let ids: HashMap<&MonitorName, MonitorId> = known
        .iter()
        .map(|stored| (&stored.name, stored.id))
        .collect();
    new.monitors
        .iter()
        .filter(|monitor| monitor.enabled)
        .filter_map(|monitor| {
            let named = |name: &MonitorName| ids.get(name).copied();
            let id = named(&monitor.name).or_else(|| named(monitor.renamed_from.as_ref()?))?;
            Some((id, &**monitor))
        })
        .collect()
}

/// What the rules would have made of a time.
#[derive(Debug, Default)]
struct Past {
    said: Vec<Said>,
    dropped: Vec<Dropped>,
}

impl Past {
    fn take(&mut self, world: &mut Replay<'_>) {
        self.said.extend(world.take_said());
        self.dropped.extend(world.take_dropped());
    }
}

/// How much earlier the checks of a monitor are gone through than what is told of them. Locations that are not heard
/// yet have no vote: those that are would decide alone.
fn warm_up(monitor: &Monitor) -> Duration {
    match monitor.rules.quorum {
        Some(_) => monitor.rules.fresh_for(),
        None => Duration::ZERO,
    }
}

fn play(
    reader: &Reader,
    new: &Config,
    played: &[(MonitorId, &Monitor)],
    since: Timestamp,
    now: Timestamp,
) -> Result<Past, CliError> {
    let longest = played.iter().map(|(_, monitor)| warm_up(monitor)).max();
    let start = since.minus(longest.unwrap_or_default());
    let mut world = Replay::new(
        played.iter().copied(),
        &new.alerts,
        &new.escalation,
        &new.maintenance,
        &new.daemon.timezone,
        start,
    );
    let mut orders = orders(reader, played, since, now)?.into_iter().peekable();
    let mut past = Past::default();
    let mut waiting: Vec<RecordedCheck> = Vec::new();
    let mut from = start;
    while from < now && !played.is_empty() {
        let to = from.plus(CHUNK).min(now);
        waiting.extend(recorded(reader, played, from, to, |monitor| {
            to > since.minus(warm_up(monitor))
        })?);
        // What comes late is decided on with what is made later.
        waiting.sort_by_key(|check| check.arrived_at);
        let is_due = |check: &RecordedCheck| check.arrived_at < to || to == now;
        let due = waiting.partition_point(is_due);
        for recorded in waiting.drain(..due) {
            let at = recorded.arrived_at;
            while let Some((at, place, order)) = orders.next_if(|(given_at, ..)| *given_at <= at) {
                world.order(place, &order, at);
            }
            match &recorded.location {
                Some(location) => world.heard(recorded.place, location, recorded.check, at),
                None => world.check(recorded.place, recorded.check),
            }
        }
        past.take(&mut world);
        from = to;
    }
    for (at, place, order) in orders {
        world.order(place, &order, at);
    }
    world.pass(now);
    past.take(&mut world);
    past.said.retain(|said| said.at >= since);
    Ok(past)
}

/// What people ordered, in the order of time, each with the place of its monitor.
fn orders(
    reader: &Reader,
    played: &[(MonitorId, &Monitor)],
    since: Timestamp,
    now: Timestamp,
) -> Result<Vec<(Timestamp, usize, Order)>, StoreError> {
    let mut orders = Vec::new();
    for (place, (id, _)) in played.iter().enumerate() {
        let spans = reader.spans(*id, since, now)?.into_iter();
        for span in spans.filter(|span| span.kind == SpanKind::Paused) {
            orders.push((span.from.max(since), place, Order::Pause));
            orders.extend(span.to.map(|at| (at, place, Order::Resume)));
        }
        let kept = reader.orders_between(*id, since, now)?.into_iter();
        orders.extend(kept.filter_map(|kept| Some((kept.at, place, order_of(&kept.order)?))));
    }
    orders.sort_by_key(|(at, ..)| *at);
    Ok(orders)
}

/// Each alert that would be sent with the one that was, and those that only were; and how many mails that makes.
fn beside(
    reader: &Reader,
    new: &Config,
    played: &[(MonitorId, &Monitor)],
    Past { said, dropped }: &Past,
    (since, now): (Timestamp, Timestamp),
) -> Result<(Vec<ReplayRow>, Mails), CliError> {
    let (mut was, was_mails) = was(reader, played, since)?;
    let decided = decided(new, played, said);
    let sendings = if new.has_way_out() {
        rehearse(|to| new.alerts_for(to), &new.hours, &decided, dropped, now)
    } else {
        Vec::new()
    };
    let mut rows: Vec<ReplayRow> = Vec::new();
    for sending in &sendings {
        let alone = sending.tells.len() == 1;
        for place in &sending.tells {
            let one = &decided[*place];
            let monitor = played[said[*place].place].1.name.as_str();
            let mut row = ReplayRow {
                monitor: monitor.to_owned(),
                kind: one.kind,
                opened_at: one.incident.map(|incident| incident.opened_at),
                would: Some(Leaving {
                    decided_at: one.at,
                    sent_at: Some(sending.at),
                    within: (!alone).then_some((sending.kind, sending.tells.len())),
                }),
                was: None,
            };
            let found = was.iter().position(|was| is_same(was, &row));
            row.was = found.and_then(|index| was.remove(index).was);
            rows.push(row);
        }
    }
    rows.extend(was);
    rows.sort_by_key(ReplayRow::at);
    let mails = Mails {
        would: sendings.len(),
        was: was_mails,
    };
    Ok((rows, mails))
}

/// What was said as the outbox would have it, each with its recipients.
fn decided(new: &Config, played: &[(MonitorId, &Monitor)], said: &[Said]) -> Vec<Decided> {
    // Who was told of an incident by a step of escalation, and gets its UP.
    let mut escalated: HashMap<IncidentKey, Vec<Recipient>> = HashMap::new();
    said.iter()
        .map(|said| {
            let incident = said.news.incident();
            let mut again = match &said.to {
                Recipients::Escalation { again, .. } => again.clone(),
                _ => Vec::new(),
            };
            let mut to = match &said.to {
                Recipients::Escalation { to, .. } => to.clone(),
                Recipients::Configured
                | Recipients::Told(_)
                | Recipients::Untold(_)
                | Recipients::Of(..) => played[said.place].1.rules.to.clone(),
            };
            if let Some(incident) = incident {
                match said.news.kind() {
                    MailKind::Escalated => {
                        escalated.entry(incident).or_default().extend(to.clone());
                    }
                    MailKind::Up => {
                        to.extend(escalated.get(&incident).cloned().unwrap_or_default())
                    }
                    _ => {}
                }
            }
            let mut known = HashSet::new();
            to.retain(|to| said.side.is_none_or(|side| new.side(to) == side));
            to.retain(|to| new.takes(to, said.news.kind()) && known.insert(to.key().to_owned()));
            again.retain(|to| new.takes(to, said.news.kind()));
            Decided {
                at: said.at,
                kind: said.news.kind(),
                monitor: played[said.place].0,
                incident,
                cause: CauseKey::of_news(&said.news),
                to,
                again,
            }
        })
        .collect()
}

/// Adds the burns of error budgets, as recorded incidents make them: verdicts and outages stay what they are.
fn burns(
    reader: &Reader,
    new: &Config,
    played: &[(MonitorId, &Monitor)],
    (since, now): (Timestamp, Timestamp),
    rows: &mut Vec<ReplayRow>,
    mails: &mut Mails,
) -> Result<(), CliError> {
    let told = queries::burns_since(reader.outbox(), since).map_err(StoreError::from)?;
    mails.was += told.len();
    let row = |objective: &str| ReplayRow {
        monitor: objective.to_owned(),
        kind: MailKind::Burn,
        opened_at: None,
        would: None,
        was: None,
    };
    let leaving = |decided_at, sent_at| {
        Some(Leaving {
            decided_at,
            sent_at,
            within: None,
        })
    };
    let mut was: Vec<ReplayRow> = told
        .into_iter()
        .map(|(objective, queued_at, sent_at)| ReplayRow {
            was: leaving(queued_at, sent_at),
            ..row(&objective)
        })
        .collect();
    let is_told = new.told.iter().any(|to| new.takes(to, MailKind::Burn));
    let objectives = new
        .objectives
        .iter()
        .filter(|one| one.alerts_on_burn && is_told);
    for objective in objectives {
        let covered: Vec<MonitorId> = played
            .iter()
            .filter(|(_, monitor)| objective.covers.has(&monitor.name, &monitor.tags))
            .map(|(id, _)| *id)
            .collect();
        let mut pieces = Vec::new();
        reader.pieces(
            &covered,
            since.minus(LOOKS_BACK),
            now,
            false,
            &mut |some, _| {
                pieces.extend_from_slice(some);
            },
        )?;
        let burns = error_budget::burns(
            &pieces,
            covered.len(),
            objective.target,
            (since, now),
            BURNS_EVERY,
        );
        for (at, _) in burns {
            let mut row = ReplayRow {
                would: leaving(at, Some(at)),
                ..row(&objective.name)
            };
            let found = was.iter().position(|was| is_same(was, &row));
            row.was = found.and_then(|index| was.remove(index).was);
            mails.would += 1;
            rows.push(row);
        }
    }
    rows.extend(was);
    rows.sort_by_key(ReplayRow::at);
    Ok(())
}

/// Whether both are the same alert: by the beginning of its outage, otherwise by being near in time.
fn is_same(was: &ReplayRow, would: &ReplayRow) -> bool {
    let near = || {
        let at = |leaving: &Option<Leaving>| leaving.as_ref().map(|leaving| leaving.decided_at);
        match (at(&was.was), at(&would.would)) {
            (Some(a), Some(b)) => a.since(b).max(b.since(a)) <= NEAR,
            _ => false,
        }
    };
    was.monitor == would.monitor
        && was.kind == would.kind
        && was.opened_at == would.opened_at
        && (was.opened_at.is_some() || near())
}

/// The monitor, the kind of mail, and the outage.
type Alert = (MonitorId, MailKind, Option<Timestamp>);

/// The alerts that were decided then, and how many mails they left in.
fn was(
    reader: &Reader,
    played: &[(MonitorId, &Monitor)],
    since: Timestamp,
) -> Result<(Vec<ReplayRow>, usize), CliError> {
    let names: HashMap<MonitorId, &str> = played
        .iter()
        .map(|(id, monitor)| (*id, monitor.name.as_str()))
        .collect();
    let told = queries::told_since(reader.outbox(), since).map_err(StoreError::from)?;
    let told: Vec<ToldOf> = told
        .into_iter()
        .filter(|told| names.contains_key(&told.monitor))
        .collect();
    let mut together: HashMap<&str, HashSet<Alert>> = HashMap::new();
    for one in &told {
        let alerts = together.entry(&one.message_id).or_default();
        alerts.insert((one.monitor, one.kind, one.opened_at));
    }
    let mut seen = HashSet::new();
    let mut rows = Vec::new();
    for one in &told {
        // A mail has a row for each recipient, and two recipients may get an alert in two digests.
        if !seen.insert((one.monitor, one.kind, one.opened_at, &one.message_id)) {
            continue;
        }
        let alerts = together
            .get(one.message_id.as_str())
            .map_or(1, HashSet::len);
        rows.push(ReplayRow {
            monitor: names[&one.monitor].to_owned(),
            kind: one.kind,
            opened_at: one.opened_at,
            would: None,
            was: Some(Leaving {
                decided_at: one.queued_at,
                sent_at: one.sent_at,
                within: one.carried_by.map(|kind| (kind, alerts)),
            }),
        });
    }
    Ok((rows, together.len()))
}
