//! `sitewatch why`: why a monitor is in its state, who was told, and what holds messages back.
//!
//! The recorded checks run through the alert machine once more, by the rules that held then.

use std::time::Duration;

use super::outbox::Outbox;
use super::past::Found;
use super::sentence::Telling;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Outcome};
use crate::cli::resolve::{self, Place};
use crate::cli::{from_store, output};
use crate::config::Config;
use crate::control::{self, ControlError, Request};
use crate::domain::incident::Incident;
use crate::domain::monitor::{Monitor, MonitorName, Rules};
use crate::domain::notification::MailKind;
use crate::domain::order::{KeptOrder, OrderWord};
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::dependencies::Parent;
use crate::policy::alert::state::{Ack, Announcement, Kept, Status};
use crate::policy::alert::{escalation, reminder};
use crate::policy::schedule::next_check::next_check_at;
use crate::policy::schedule::time_range;
use crate::policy::why::{self, Around, Held};
use crate::store::error::StoreError;
use crate::store::facts::monitors::StoredMonitor;
use crate::store::facts::rules::StoredRules;
use crate::store::outbox::queries;
use crate::store::reader::Reader;
use crate::view::rows::MailRow;
use crate::view::time_text::Clock;
use crate::view::why::{HoldRow, StepRow, Why};
use crate::view::{json, why as view};

/// So much before an incident, or before the time that is asked about, the checks are gone through. Flapping looks back
/// an hour by default.
pub(super) const BEFORE: Duration = Duration::from_secs(2 * 3600);

/// Steps that are told at most, the newest.
const STEPS_MAX: usize = 60;

/// The messages about an incident are shown for this long after its end.
const TOLD_FOR: Duration = Duration::from_secs(24 * 3600);

/// Said behind the sentence while no daemon runs.
const NO_DAEMON: &str = " No daemon runs here: nothing is checked, and no message leaves.";

/// Arguments of `sitewatch why`.
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Show why a monitor is in its state, step by step, who was told what, what holds \
        a message back, and until when. It runs the recorded checks through the alert rules of that \
        time again, so it also works without the daemon.",
    after_help = "Examples:\n  sitewatch why shop\n  sitewatch why shop --at '2026-11-29 03:12'\n  \
        sitewatch why shop --at 2h --json"
)]
pub struct Args {
    /// The monitor
    #[arg(value_name = "NAME", add = crate::cli::complete::monitors())]
    pub name: String,
    /// As it was then: 2h (ago), '2026-11-29 03:12'
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
}

/// Runs the command.
pub fn run(context: &mut Context, args: &Args) -> Result<Outcome, CliError> {
    let place = resolve::brief(context)?;
    let clock = place.clock();
    let at = match &args.at {
        None => clock.now,
        Some(text) => {
            let named = time_range::named(text, &clock.zone, clock.now)
                .map_err(|error| CliError::Usage(format!("--at: {error}")))?;
            named.from
        }
    };
    if at > clock.now {
        return Err(CliError::Usage("--at: that is in the future".to_owned()));
    }
    let reader = place.reader()?;
    let monitor = known(&place, &reader, &args.name)?;
    let config = place.config.as_ref();
    let asked = Asked {
        config,
        clock: &clock,
        at,
        is_now: args.at.is_none(),
    };
    let Some(mut why) = reader.together(|reader| asked.why(reader, &monitor))? else {
        return Err(CliError::Machine(format!(
            "no rules of `{}` are recorded for that time, and it is not in the configuration\n  {}",
            output::quoted(&args.name),
            place.looked_in()
        )));
    };
    if args.at.is_none() {
        match is_served(&place) {
            Some(true) if !why.is_paused => {
                why.next_check_at = next_check(&place, &monitor.name, clock.now);
            }
            Some(true) | None => {}
            Some(false) => {
                why.next_message_at = None;
                why.reason.push_str(NO_DAEMON);
            }
        }
    }
    let screen = context.out.screen();
    match context.options.json {
        true => json::line(&view::object(&why), &mut context.out)?,
        false => view::write(&why, &clock, screen, &mut context.out)?,
    }
    Ok(Outcome::Fine)
}

/// How much earlier checks are gone through than what is told of them: locations that were not heard yet have no vote,
/// and of a monitor with long intervals there may be no check at all.
fn warm_up(rules: &Rules) -> Duration {
    let fresh_for = rules.fresh_for();
    match rules.quorum {
        Some(_) => fresh_for,
        None => fresh_for.saturating_sub(BEFORE),
    }
}

fn known(place: &Place, reader: &Reader, name: &str) -> Result<StoredMonitor, CliError> {
    let known = reader.monitors()?;
    let ids = place.select(&known, &[name.to_owned()])?;
    let found = known
        .into_iter()
        .find(|monitor| ids.first() == Some(&monitor.id));
    found.ok_or_else(|| {
        CliError::Machine(format!(
            "`{}` was never checked\n  {}",
            output::quoted(name),
            place.looked_in()
        ))
    })
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The configuration in force, where it is known.
    pub config: Option<&'a Config>,
    /// For the sentence.
    pub clock: &'a Clock,
    /// The time that is asked about.
    pub at: Timestamp,
    /// Whether that is now: what is stored counts then, not what is gone through.
    pub is_now: bool,
}

impl Asked<'_> {
    /// Everything that is said; `None` if nothing tells by which rules the monitor was judged.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn why(&self, reader: &Reader, monitor: &StoredMonitor) -> Result<Option<Why>, StoreError> {
        let known = reader.monitors()?;
        let newest = reader.incident_by(monitor.id, self.at)?;
        let is_open = |incident: &Incident| incident.closed_at.is_none_or(|end| end > self.at);
        let open = newest.as_ref().filter(|incident| is_open(incident));
        let told_from = open.map_or(self.at, Incident::opened_at).minus(BEFORE);
        let mut played = self.played(reader, &known, monitor, told_from)?;
        let Some((_, rules)) = played[0].rules.last().cloned() else {
            return Ok(None);
        };
        let has_recorded_rules = !reader.rules(monitor.id, told_from, self.at)?.is_empty();
        let from = told_from.minus(warm_up(&rules.rules()));
        if from < told_from {
            played = self.played(reader, &known, monitor, from)?;
        }
        let mut found = self.retrace(reader, &played, &rules.alerts(), open, from)?;
        found.traced.retain(|traced| traced.at >= told_from);
        let is_told = |end| self.at.since(end) <= TOLD_FOR;
        let mut told_of = newest.as_ref();
        told_of = told_of.filter(|incident| incident.closed_at.is_none_or(is_told));
        let (told, first_after) = match told_of {
            Some(incident) => self.told(reader, incident)?,
            None => (Vec::new(), None),
        };
        let mut holds = self.undecided(reader, monitor, &found, &rules)?;
        let waiting = match self.is_now {
            true => self.waiting(reader, monitor.id, &rules.alerts())?,
            false => Outbox::default(),
        };
        let until = waiting.holds.iter().filter_map(|hold| hold.until).min();
        let next_message_at = match waiting.due_since {
            Some(_) => Some(self.at),
            None => until,
        };
        holds.extend(waiting.holds);
        let next_message_at =
            next_message_at.or_else(|| next_reminder(&found.kept, &holds, &rules));
        let shown = found.kept.shown;
        let steps = why::steps(&found.traced).into_iter().map(step_row);
        let mut steps: Vec<StepRow> = steps
            .chain(played[0].orders.iter().map(|kept| self.order_row(kept)))
            .collect();
        steps.sort_by_key(|step| step.at);
        steps.drain(..steps.len().saturating_sub(STEPS_MAX));
        Ok(Some(Why {
            monitor: monitor.name.as_str().to_owned(),
            url: monitor.url.clone(),
            at: self.at,
            state: shown.state,
            since: Some(shown.since).filter(|since| *since > Timestamp::from_ms(0)),
            incident: open.map(|incident| incident.key.to_string()),
            reason: self.reason(
                monitor,
                &found,
                &Telling {
                    holds: &holds,
                    told: &told,
                    due_since: waiting.due_since,
                    first_after,
                },
            ),
            steps,
            holds,
            told,
            next_check_at: None,
            next_message_at,
            complete: found.agrees && has_recorded_rules,
            is_paused: found.kept.paused,
        }))
    }

    /// What holds messages that are not decided yet.
    fn undecided(
        &self,
        reader: &Reader,
        monitor: &StoredMonitor,
        found: &Found,
        rules: &StoredRules,
    ) -> Result<Vec<HoldRow>, StoreError> {
        let mut parents = found.around.parents.iter();
        let failing = parents.find(|(_, parent)| parent.failing);
        let parents = found.around.parents.iter().map(|(_, parent)| *parent);
        let parents: Vec<Parent> = parents.collect();
        let around = Around {
            at: self.at,
            window: found.around.window,
            failing_parent: failing.map(|(name, _)| name),
            parents: &parents,
            offline: found.around.offline,
            down_after: rules.alerts().flapping.down_after,
        };
        let mut holds: Vec<HoldRow> = Vec::new();
        for held in why::holds(&found.kept, &around) {
            let mut row = row_of(held, rules);
            let word = match row.by {
                "mute" => Some(OrderWord::Mute),
                "ack" => Some(OrderWord::Ack),
                "window" if !found.kept.windows.is_empty() => Some(OrderWord::Maintenance),
                _ => None,
            };
            if let Some(word) = word {
                let order = reader.newest_order(monitor.id, word, self.at)?;
                let order = order.filter(|kept| !kept.order.args.end);
                row.who = order.map(|kept| kept.order.by.to_string());
            }
            holds.push(row);
        }
        let may_tell = rules.can_tell && self.anybody_takes_downs(rules);
        if !may_tell && !matches!(found.kept.status, Status::Pending | Status::Up { .. }) {
            holds.push(HoldRow {
                by: "nobody",
                until: None,
                who: None,
                to: match rules.can_tell {
                    true => rules.to.clone(),
                    false => Vec::new(),
                },
            });
        }
        Ok(holds)
    }

    /// Whether any recipient is told of outages: a channel may not take them.
    fn anybody_takes_downs(&self, rules: &StoredRules) -> bool {
        let known = rules.rules().to;
        let Some(config) = self.config.filter(|_| self.is_now) else {
            return !rules.to.is_empty();
        };
        // One whose name is masked is somebody.
        known.len() < rules.to.len()
            || known.iter().any(|to| {
                let channel = to.channel().and_then(|name| config.channel(name));
                let is_shown = channel.is_some_and(|channel| channel.format().is_level());
                is_shown || config.takes(to, MailKind::Down)
            })
    }

    /// The messages about an incident that were decided by then, and when the first of those left that left after it.
    fn told(
        &self,
        reader: &Reader,
        incident: &Incident,
    ) -> Result<(Vec<MailRow>, Option<Timestamp>), StoreError> {
        let mut first_after: Option<Timestamp> = None;
        let mut told = Vec::new();
        for mail in queries::mails_of(reader.outbox(), incident.key)? {
            if mail.queued_at > self.at {
                continue;
            }
            let mut row = from_store::mail(mail);
            if let Some(at) = row.sent_at.take_if(|sent_at| *sent_at > self.at) {
                first_after = Some(first_after.map_or(at, |first| first.min(at)));
            }
            told.push(row);
        }
        Ok((told, first_after))
    }

    fn order_row(&self, kept: &KeptOrder) -> StepRow {
        let order = &kept.order;
        let word = order.word.as_str();
        let what = match (&order.args.counts_as, order.args.end || order.args.undo) {
            (Some(counts_as), _) => format!("{word} as {counts_as}"),
            (None, true) if order.args.end => format!("{word} --end"),
            (None, true) => format!("{word} --undo"),
            (None, false) => word.to_owned(),
        };
        let mut text = format!("{what} by {}", order.by);
        if let Some(until) = order.args.until {
            let until = self.clock.civil(until);
            text.push_str(&match order.args.with_command {
                true => format!(", while a command runs, at most until {until}"),
                false => format!(", until {until}"),
            });
        }
        if let Some(note) = &order.args.note {
            text.push_str(&format!(": {note}"));
        }
        StepRow {
            at: kept.at,
            event: "order",
            text,
            check: None,
            location: None,
        }
    }
}

/// Whether a daemon runs here; `None` where that cannot be found out.
fn is_served(place: &Place) -> Option<bool> {
    let socket = place.control_socket.as_deref()?;
    match control::ask_within(socket, &Request::Status, control::STATUS_WAIT) {
        Ok(_) => Some(true),
        Err(ControlError::NoDaemon { .. }) => Some(false),
        Err(_) => None,
    }
}

/// When a daemon that runs checks it next.
fn next_check(place: &Place, name: &MonitorName, now: Timestamp) -> Option<Timestamp> {
    let config = place.config.as_ref()?;
    let monitor = configured(config, name).filter(|monitor| monitor.enabled)?;
    next_check_at(monitor, &config.daemon.timezone, now)
}

pub(super) fn configured<'a>(config: &'a Config, name: &MonitorName) -> Option<&'a Monitor> {
    let mut monitors = config.monitors.iter();
    monitors
        .find(|monitor| monitor.name == *name)
        .map(|monitor| &**monitor)
}

fn row_of(held: Held, rules: &StoredRules) -> HoldRow {
    HoldRow {
        by: held.by,
        until: held.until,
        who: held.who,
        to: rules.to.clone(),
    }
}

/// When a reminder or a step of escalation is due, where nothing holds it.
fn next_reminder(kept: &Kept, holds: &[HoldRow], rules: &StoredRules) -> Option<Timestamp> {
    let Status::Down(outage) = &kept.status else {
        return None;
    };
    let Announcement::Made { last, reminders } = outage.announcement else {
        return None;
    };
    if outage.ack != Ack::None || !holds.is_empty() {
        return None;
    }
    let reminder = reminder::due_at(&rules.alerts(), last, reminders);
    let step = escalation::due_at(&rules.steps(), outage);
    [reminder, step].into_iter().flatten().min()
}

fn step_row(step: why::Step) -> StepRow {
    StepRow {
        at: step.at,
        event: step.event,
        text: step.text,
        check: step.check,
        location: step.location,
    }
}
