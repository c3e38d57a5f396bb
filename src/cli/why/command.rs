//! `sitewatch why`: why a monitor is in its state, who was told, and what holds messages back.
//!
//! The recorded checks run through the alert machine once more, by the rules that held then.

use std::time::Duration;

use super::past::Found;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Outcome};
use crate::cli::resolve::{self, Place};
use crate::cli::{from_store, output};
use crate::config::Config;
use crate::control::{self, Request};
use crate::domain::duration_text::Human;
use crate::domain::incident::Incident;
use crate::domain::monitor::{Monitor, MonitorId, MonitorName};
use crate::domain::order::{KeptOrder, OrderWord};
use crate::domain::settings::AlertSettings;
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::state::{Ack, Announcement, Kept, Status};
use crate::policy::alert::{escalation, reminder};
use crate::policy::outbox::held_by::{HeldBy, held_by};
use crate::policy::outbox::hours::Hours;
use crate::policy::outbox::plan;
use crate::policy::outbox::queued::Waiting;
use crate::policy::schedule::next_check::next_check_at;
use crate::policy::schedule::time_range;
use crate::policy::why::{self, Around, Held};
use crate::store::error::StoreError;
use crate::store::facts::monitors::StoredMonitor;
use crate::store::facts::rules::StoredRules;
use crate::store::outbox::{attempts, channels, queries};
use crate::store::reader::Reader;
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
    let series = reader.series(Some(monitor.id))?;
    if series
        .iter()
        .any(|one| one.from <= at && one.to.is_none_or(|to| at < to))
    {
        return Err(CliError::Usage(format!(
            "`{}` is checked from several locations, which this version of why cannot retell; `sitewatch status` \
             tells what each location says and `sitewatch history` what it saw",
            output::quoted(&args.name)
        )));
    }
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
    if args.at.is_none() && !why.is_paused {
        why.next_check_at = next_check(&place, &monitor.name, clock.now);
    }
    let screen = context.out.screen();
    match context.options.json {
        true => json::line(&view::object(&why), &mut context.out)?,
        false => view::write(&why, &clock, screen, &mut context.out)?,
    }
    Ok(Outcome::Fine)
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
        let from = open.map_or(self.at, Incident::opened_at).minus(BEFORE);
        let played = self.played(reader, &known, monitor, from)?;
        let Some((_, rules)) = played[0].rules.last().cloned() else {
            return Ok(None);
        };
        let has_recorded_rules = !reader.rules(monitor.id, from, self.at)?.is_empty();
        let found = self.retrace(reader, &played, &rules.alerts(), open, from)?;
        let told_of = newest.as_ref().filter(|incident| {
            incident
                .closed_at
                .is_none_or(|end| self.at.since(end) <= TOLD_FOR)
        });
        let told = told_of.map_or(Ok(Vec::new()), |incident| self.told(reader, incident))?;
        let around = Around {
            at: self.at,
            window: found.around.window,
            failing_parent: found.around.failing_parent.as_ref(),
            has_parents: found.around.has_parents,
            offline: found.around.offline,
            down_after: rules.alerts().flapping.down_after,
        };
        let mut holds: Vec<HoldRow> = Vec::new();
        for held in why::holds(&found.kept, &around) {
            let mut row = row_of(held, &rules);
            let word = match row.by {
                "mute" => Some(OrderWord::Mute),
                "ack" => Some(OrderWord::Ack),
                _ => None,
            };
            if let Some(word) = word {
                let order = reader.newest_order(monitor.id, word, self.at)?;
                row.who = order.map(|kept| kept.order.by.to_string());
            }
            holds.push(row);
        }
        let may_tell = rules.can_tell && !rules.to.is_empty();
        if !may_tell && !matches!(found.kept.status, Status::Pending | Status::Up { .. }) {
            holds.push(HoldRow {
                by: "nobody",
                until: None,
                who: None,
                to: Vec::new(),
            });
        }
        let waiting = match self.is_now {
            true => self.waiting(reader, monitor.id, &rules.alerts())?,
            false => Vec::new(),
        };
        let next_message_at = waiting.iter().filter_map(|hold| hold.until).min();
        holds.extend(waiting);
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
            reason: self.reason(monitor, &found, &holds, &told),
            steps,
            holds,
            told,
            next_check_at: None,
            next_message_at,
            complete: found.agrees && has_recorded_rules,
            is_paused: found.kept.paused,
        }))
    }

    /// What keeps the messages about a monitor that are decided and have not left, by the mechanism of `email queue`.
    fn waiting(
        &self,
        reader: &Reader,
        monitor: MonitorId,
        then: &AlertSettings,
    ) -> Result<Vec<HoldRow>, StoreError> {
        let settings = self.config.map_or(then, |config| &config.alerts);
        let hours = self
            .config
            .map_or_else(Hours::default, |config| config.hours.clone());
        let of_mail = attempts::pause(reader.outbox())?;
        let of_channels = channels::pauses(reader.outbox())?;
        let mut rows: Vec<HoldRow> = Vec::new();
        for lane in queries::lanes_about(reader.outbox(), monitor)? {
            let pause = match lane.to.channel() {
                None => of_mail.as_ref(),
                Some(name) => {
                    let mut pauses = of_channels.iter();
                    pauses.find_map(|(paused, pause)| (*paused == name.as_str()).then_some(pause))
                }
            };
            let waits = plan::waits(settings, &lane, &hours, self.at);
            let about =
                |row: &&Waiting| row.monitor == Some(monitor) || row.members.contains(&monitor);
            for row in lane.waiting.iter().filter(about) {
                let waits = waits.get(&row.id).copied();
                let Some(held) = held_by(row, &lane.to, waits, pause, self.at) else {
                    continue;
                };
                add(&mut rows, held, lane.to.key());
            }
        }
        Ok(rows)
    }

    fn told(
        &self,
        reader: &Reader,
        incident: &Incident,
    ) -> Result<Vec<crate::view::rows::MailRow>, StoreError> {
        let mails = queries::mails_of(reader.outbox(), incident.key)?;
        let mails = mails.into_iter().filter(|mail| mail.queued_at <= self.at);
        Ok(mails
            .map(|mail| {
                let mut row = from_store::mail(mail);
                row.sent_at = row.sent_at.filter(|sent_at| *sent_at <= self.at);
                row
            })
            .collect())
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
            text.push_str(&format!(", until {}", self.clock.civil(until)));
        }
        if let Some(note) = &order.args.note {
            text.push_str(&format!(": {note}"));
        }
        StepRow {
            at: kept.at,
            event: "order",
            text,
            check: None,
        }
    }

    /// One sentence.
    fn reason(
        &self,
        monitor: &StoredMonitor,
        found: &Found,
        holds: &[HoldRow],
        told: &[crate::view::rows::MailRow],
    ) -> String {
        let (name, kept) = (&monitor.name, &found.kept);
        let since = |at: Timestamp| self.clock.civil(at);
        if kept.paused {
            return format!("{name} is paused: it is not checked, so there is nothing to tell.");
        }
        match &kept.status {
            Status::Pending => format!("{name} is pending: no check has said anything of it yet."),
            Status::Up { since: at } => {
                let reason = match (kept.shown.reason, &found.reservation) {
                    (None, _) => String::new(),
                    (Some(reason), None) => format!(" ({reason})"),
                    (Some(reason), Some(said)) => format!(" ({reason}: {said})"),
                };
                let state = kept.shown.state;
                let since = since(*at);
                match holds.iter().find(|hold| hold.by != "ack") {
                    None => format!(
                        "{name} is {state}{reason} since {since}: there is no outage to tell of."
                    ),
                    Some(hold) => format!(
                        "{name} is {state}{reason} since {since}; a message about it waits: held by {}{}.",
                        hold.by,
                        self.until(hold)
                    ),
                }
            }
            Status::Suspect {
                first_bad,
                count,
                cause,
                ..
            } => format!(
                "{name} is still {}: since {} {count} of its checks failed in a row ({}), which are not \
                 enough to call it down.",
                kept.shown.state,
                since(*first_bad),
                cause.failure.detail
            ),
            Status::Down(outage) | Status::Recovering { outage, .. } => {
                let recovering = match &kept.status {
                    Status::Recovering { .. } => ", and a recovery is being confirmed",
                    Status::Pending
                    | Status::Up { .. }
                    | Status::Suspect { .. }
                    | Status::Down(_) => "",
                };
                format!(
                    "{name} is down since {} ({}){recovering}; {}.",
                    since(outage.opened_at()),
                    outage.cause.failure.detail,
                    self.telling(holds, told)
                )
            }
        }
    }

    /// ` until 14:02:11 (for 30s)`; nothing where that is not known.
    fn until(&self, hold: &HoldRow) -> String {
        hold.until.map_or_else(String::new, |until| {
            let left = Human(until.since(self.at));
            format!(" until {} (for {left})", self.clock.civil(until))
        })
    }

    /// What was told of an outage.
    fn telling(&self, holds: &[HoldRow], told: &[crate::view::rows::MailRow]) -> String {
        let sent = told.iter().filter(|mail| mail.sent_at.is_some()).count();
        if let Some(first) = told.iter().find_map(|mail| mail.sent_at) {
            let count = if sent == 1 {
                "1 message".to_owned()
            } else {
                format!("{sent} messages")
            };
            return format!("{count} left, the first at {}", self.clock.civil(first));
        }
        match holds.iter().find(|hold| hold.by != "ack") {
            Some(hold) if hold.by == "nobody" => "nobody is told: it has no recipients".to_owned(),
            Some(hold) => {
                format!("no message has left yet: held by {}{}", hold.by, self.until(hold))
            }
            None if told.is_empty() => "no message has left yet".to_owned(),
            None => {
                "no message has left, and none waits: `sitewatch email queue` says which were refused".to_owned()
            }
        }
    }
}

/// When a daemon that runs checks it next.
fn next_check(place: &Place, name: &MonitorName, now: Timestamp) -> Option<Timestamp> {
    let config = place.config.as_ref()?;
    let monitor = configured(config, name).filter(|monitor| monitor.enabled)?;
    let socket = place.control_socket.as_deref()?;
    control::ask_within(socket, &Request::Status, control::STATUS_WAIT).ok()?;
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

/// Adds what keeps a message to a recipient; what keeps those to others likewise is one row.
fn add(rows: &mut Vec<HoldRow>, held: HeldBy, to: &str) {
    let same = rows
        .iter_mut()
        .find(|row| row.by == held.by && row.until == held.until);
    let row = match same {
        Some(row) => row,
        None => rows.push_mut(HoldRow {
            by: held.by,
            until: held.until,
            who: None,
            to: Vec::new(),
        }),
    };
    if !row.to.iter().any(|known| known == to) {
        row.to.push(to.to_owned());
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
    }
}
