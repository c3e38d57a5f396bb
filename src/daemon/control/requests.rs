//! Answers what people ask through the control socket.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::held_windows::HELD_MAX;
use super::recheck::recheck;
use super::socket::{Handler, Peer};
use super::{amend, reload};
use crate::blocking;
use crate::clock;
use crate::control::{Answer, DaemonStatus, Request, WINDOW_MAX, Which};
use crate::daemon::active::{Force, Running};
use crate::daemon::health::self_check;
use crate::daemon::hubs::gate::Shut;
use crate::daemon::logging;
use crate::daemon::recorder::message::{Entry, Refused, Reply};
use crate::domain::duration_text::Written;
use crate::domain::monitor::{MonitorId, MonitorName};
use crate::domain::nearest::nearest;
use crate::domain::order::{By, GivenOrder, OrderArgs, OrderWord};
use crate::domain::safe_text;
use crate::domain::timestamp::Timestamp;
use crate::own_files;
use crate::policy::alert::monitor::Order;
use crate::policy::alert::ordered_windows::{Ends, OrderedWindow};

/// The recorder writes at least every second; a disk that hangs this long takes no order.
pub(super) const RECORDED_WITHIN: Duration = Duration::from_secs(60);

/// The list of this machine's users is a small file.
const NAMED_WITHIN: Duration = Duration::from_secs(2);

/// A note is a line beside a state, not a diary.
const NOTE_CHARS_MAX: usize = 300;

/// So many unknown names are compared with those that are known.
const SUGGESTED_MAX: usize = 3;

/// No monitor has a longer name.
const NAME_CHARS_MAX: usize = 200;

/// The daemon's side of the control socket.
pub struct Desk(pub Arc<Running>);

impl Handler for Desk {
    async fn answer(&self, request: Request, peer: Peer) -> Answer {
        let running = &self.0;
        let now = clock::now();
        match request {
            Request::Status => Answer::Daemon(Box::new(status(running, now))),
            Request::Maintenance {
                which,
                for_ms,
                note,
                held,
            } => maintain(running, &which, for_ms, note.as_deref(), held, peer).await,
            Request::EndMaintenance { which } => {
                let said = Said::new(
                    "out of maintenance",
                    "is no longer in maintenance by order",
                    true,
                );
                order(running, &which, Order::EndMaintenance, peer, said).await
            }
            Request::HoldMaintenance { window } => match running.held_windows.hold(window) {
                true => Answer::Held {
                    window,
                    lines: Vec::new(),
                },
                false => failed("that maintenance window is over".to_owned()),
            },
            Request::Amend {
                incident,
                counts_as,
                note,
            } => {
                let note = note.as_deref().and_then(note_line);
                amend::amend(
                    running,
                    incident,
                    &counts_as,
                    note.as_deref(),
                    by(peer).await,
                )
                .await
            }
            Request::UndoAmend { incident } => amend::undo(running, incident, by(peer).await).await,
            Request::Note {
                incident,
                text,
                public,
            } => match note_line(&text) {
                Some(text) => {
                    amend::note(running, incident, text.to_string(), public, by(peer).await).await
                }
                None => refused("a note needs a text".to_owned()),
            },
            Request::EmailTest { to } => running.notifier.test(to).await,
            Request::ChannelTest { name } => running.notifier.test_channel(name).await,
            Request::EmailRetry => running.notifier.retry().await,
            Request::Reload { accept_lists } => {
                let args = OrderArgs {
                    accept_lists,
                    ..OrderArgs::default()
                };
                let given = given(by(peer).await, OrderWord::Reload, args);
                reload::reload(running, accept_lists, Some(given)).await
            }
            Request::Recheck { which } => recheck(running, &which, by(peer).await).await,
            Request::Pause { which } => {
                let said = Said::new("paused", "is paused", true);
                order(running, &which, Order::Pause, peer, said).await
            }
            Request::Resume { which } => {
                let said = Said::new("resumed", "resumed", true);
                order(running, &which, Order::Resume, peer, said).await
            }
            Request::Mute { which, for_ms } => {
                let until = now.plus(Duration::from_millis(for_ms));
                let done = format!("is muted until {}", local(running, until));
                let said = Said::new("muted", &done, true);
                order(running, &which, Order::Mute { until }, peer, said).await
            }
            Request::Unmute { which } => {
                let said = Said::new("unmuted", "is no longer muted", true);
                order(running, &which, Order::Unmute, peer, said).await
            }
            Request::Ack {
                which,
                for_ms,
                note,
            } => {
                let until = for_ms.map(|ms| now.plus(Duration::from_millis(ms)));
                let done = match until {
                    Some(until) => format!("is acknowledged until {}", local(running, until)),
                    None => "is acknowledged until it is up again".to_owned(),
                };
                let said = Said::new("acknowledged", &done, false);
                let note = note.as_deref().and_then(note_line);
                order(running, &which, Order::Ack { until, note }, peer, said).await
            }
        }
    }

    fn command_ended(&self, window: u64) {
        self.0.held_windows.ended(window, &self.0.door);
    }

    fn connection_lost(&self, window: u64) {
        self.0.held_windows.let_go(window, &self.0.door);
    }
}

/// A note as it is kept, if it says anything.
fn note_line(note: &str) -> Option<Arc<str>> {
    let note = safe_text::line(note.trim(), NOTE_CHARS_MAX);
    (!note.is_empty()).then(|| Arc::from(&*note))
}

/// Opens windows; where `held`, for as long as the connection says that a command runs.
async fn maintain(
    running: &Running,
    which: &Which,
    for_ms: u64,
    note: Option<&str>,
    held: bool,
    peer: Peer,
) -> Answer {
    let now = clock::now();
    let length = Duration::from_millis(for_ms);
    if length.is_zero() || length > WINDOW_MAX {
        return refused("`--for` takes a time above zero, at most 30d".to_owned());
    }
    if held && !running.held_windows.has_room() {
        return failed(format!(
            "{HELD_MAX} commands run in maintenance windows already; wait until one of them exits"
        ));
    }
    let chosen = match select(running, which) {
        Ok(chosen) => chosen,
        Err(answer) => return answer,
    };
    let window = OrderedWindow {
        id: running.held_windows.number(now),
        from: now,
        until: now.plus(length),
        ends: match held {
            true => Ends::WithCommand,
            false => Ends::InTime,
        },
        note: note.and_then(note_line),
    };
    let (number, until) = (window.id, local(running, window.until));
    let done = match held {
        true => format!("is in maintenance while the command runs, at most until {until}"),
        false => format!("is in maintenance until {until}"),
    };
    let said = Said::new("in maintenance", &done, false);
    let answer = order(running, which, Order::Maintain(window), peer, said).await;
    if !held {
        return answer;
    }
    let monitors = chosen.into_iter().map(|(id, _)| id).collect();
    running.held_windows.opened(number, monitors);
    match answer {
        Answer::Done { lines } => Answer::Held {
            window: number,
            lines,
        },
        // It may be queued behind a slow disk, or some were refused: nobody will hold it.
        answer => {
            running.held_windows.let_go(number, &running.door);
            answer
        }
    }
}

/// Who is at the other end of the control socket.
async fn by(peer: Peer) -> By {
    let name = blocking::run(move || own_files::user_name(peer.uid));
    // A disk that hangs gives no name; the number is known.
    let name = timeout(NAMED_WITHIN, name).await;
    By {
        uid: peer.uid,
        name: name.ok().and_then(Result::ok).flatten(),
    }
}

pub(super) fn given(by: By, word: OrderWord, args: OrderArgs) -> Box<GivenOrder> {
    Box::new(GivenOrder { by, word, args })
}

/// What an order says, to be kept.
fn kept(
    order: &Order,
    which: &Which,
    chosen: &[(MonitorId, MonitorName)],
) -> (OrderWord, OrderArgs) {
    let (word, until, note) = match order {
        Order::Pause => (OrderWord::Pause, None, None),
        Order::Resume => (OrderWord::Resume, None, None),
        Order::Mute { until } => (OrderWord::Mute, Some(*until), None),
        Order::Unmute => (OrderWord::Unmute, None, None),
        Order::Ack { until, note } => (OrderWord::Ack, *until, note.as_deref()),
        Order::Maintain(window) => (
            OrderWord::Maintenance,
            Some(window.until),
            window.note.as_deref(),
        ),
        Order::EndMaintenance | Order::CommandEnded { .. } | Order::RunnerGone { .. } => {
            (OrderWord::Maintenance, None, None)
        }
    };
    let args = OrderArgs {
        end: word == OrderWord::Maintenance && until.is_none(),
        with_command: matches!(order, Order::Maintain(window) if window.ends == Ends::WithCommand),
        until,
        note: note.map(str::to_owned),
        ..about(which, chosen)
    };
    (word, args)
}

/// What an order is about, to be kept.
pub(super) fn about(which: &Which, chosen: &[(MonitorId, MonitorName)]) -> OrderArgs {
    let names = || chosen.iter().map(|(_, name)| name.as_str().to_owned());
    match which {
        Which::All => OrderArgs {
            all: true,
            ..OrderArgs::default()
        },
        Which::Tagged(tags) => OrderArgs {
            tags: tags.clone(),
            ..OrderArgs::default()
        },
        Which::Named(_) => OrderArgs {
            monitors: names().collect(),
            ..OrderArgs::default()
        },
    }
}

/// How the outcome of an order is told.
struct Said {
    /// `3 monitors paused`
    participle: &'static str,
    /// `shop is paused`
    predicate: String,
    /// Whether a refusal means that things are already as wanted.
    refusal_is_fine: bool,
}

impl Said {
    fn new(participle: &'static str, predicate: &str, refusal_is_fine: bool) -> Self {
        Self {
            participle,
            predicate: predicate.to_owned(),
            refusal_is_fine,
        }
    }
}

fn local(running: &Running, at: Timestamp) -> String {
    let zone = running.force().config.daemon.timezone.clone();
    at.in_zone(&zone).strftime("%Y-%m-%d %H:%M %Z").to_string()
}

/// The monitors that a request is about, or what to say to names that are not known.
pub(super) fn select(
    running: &Running,
    which: &Which,
) -> Result<Vec<(MonitorId, MonitorName)>, Answer> {
    let force = running.force();
    let enabled: HashMap<&MonitorName, bool> = force
        .config
        .monitors
        .iter()
        .map(|monitor| (&monitor.name, monitor.enabled))
        .collect();
    match which {
        Which::All => Ok(force
            .config
            .monitors
            .iter()
            .filter(|monitor| monitor.enabled)
            .filter_map(|monitor| Some((*force.ids.get(&monitor.name)?, monitor.name.clone())))
            .collect()),
        Which::Tagged(tags) => tagged(&force, tags),
        Which::Named(names) => {
            let (mut chosen, mut seen) = (Vec::new(), HashSet::new());
            let mut wrong = Vec::new();
            for name in names {
                match (enabled.get(name), force.ids.get(name)) {
                    (Some(true), Some(id)) => {
                        if seen.insert(*id) {
                            chosen.push((*id, name.clone()));
                        }
                    }
                    (Some(false), _) => {
                        wrong.push(format!("`{name}` is disabled in the configuration"));
                    }
                    // Each costs a look at all names.
                    _ if wrong.len() >= SUGGESTED_MAX => wrong.push(format!(
                        "no monitor `{}`",
                        safe_text::line(name.as_str(), NAME_CHARS_MAX)
                    )),
                    _ => wrong.push(unknown(name, enabled.keys().copied())),
                }
            }
            if wrong.is_empty() {
                Ok(chosen)
            } else {
                Err(Answer::Refused { lines: wrong })
            }
        }
    }
}

/// The monitors with any of these tags.
fn tagged(force: &Force, tags: &[String]) -> Result<Vec<(MonitorId, MonitorName)>, Answer> {
    let wanted: HashSet<&String> = tags.iter().collect();
    let mut unused = wanted.clone();
    let mut chosen = Vec::new();
    for monitor in force.config.monitors.iter().filter(|one| one.enabled) {
        if !monitor.tags.iter().any(|tag| wanted.contains(tag)) {
            continue;
        }
        unused.retain(|tag| !monitor.tags.contains(tag));
        if let Some(id) = force.ids.get(&monitor.name) {
            chosen.push((*id, monitor.name.clone()));
        }
    }
    if unused.is_empty() {
        return Ok(chosen);
    }
    let mut lines: Vec<String> = unused
        .into_iter()
        .map(|tag| {
            format!(
                "no enabled monitor has the tag `{}`",
                safe_text::line(tag, NAME_CHARS_MAX)
            )
        })
        .collect();
    lines.sort_unstable();
    Err(Answer::Refused { lines })
}

fn unknown<'a>(name: &MonitorName, known: impl Iterator<Item = &'a MonitorName>) -> String {
    let name = safe_text::line(name.as_str(), NAME_CHARS_MAX);
    match nearest(&name, known.map(MonitorName::as_str)) {
        Some(other) => format!("no monitor `{name}`; did you mean `{other}`?"),
        None => format!("no monitor `{name}`"),
    }
}

async fn order(running: &Running, which: &Which, order: Order, peer: Peer, said: Said) -> Answer {
    let chosen = match select(running, which) {
        Ok(chosen) => chosen,
        Err(answer) => return answer,
    };
    let (word, args) = kept(&order, which, &chosen);
    let given = given(by(peer).await, word, args);
    let (tell, told) = oneshot::channel();
    running.door.push(Entry::Order {
        monitors: chosen.iter().map(|(id, _)| *id).collect(),
        order,
        given: Some(given),
        reply: Reply::with(move |written| {
            // Whoever asked may have hung up.
            let _ = tell.send(written);
        }),
    });
    match timeout(RECORDED_WITHIN, told).await {
        Ok(Ok(Ok(refused))) => outcome(which, &chosen, &refused, &said),
        Ok(Ok(Err(error))) => failed(error.to_string()),
        Ok(Err(_)) => failed("the daemon is stopping".to_owned()),
        Err(_) => failed(format!(
            "the database has not taken the order within {}; it stays queued",
            Written(RECORDED_WITHIN)
        )),
    }
}

fn outcome(
    which: &Which,
    chosen: &[(MonitorId, MonitorName)],
    refused: &[Refused],
    said: &Said,
) -> Answer {
    let done = chosen.len() - refused.len();
    match which {
        Which::All | Which::Tagged(_) => {
            let total = chosen.len();
            let (monitors, word) = (plural(done), said.participle);
            let line = if done == total {
                format!("{monitors} {word}")
            } else {
                format!("{monitors} of {total} {word}")
            };
            Answer::Done { lines: vec![line] }
        }
        Which::Named(_) => {
            let mut lines = Vec::new();
            for (_, name) in chosen {
                match refused.iter().find(|refused| refused.name == *name) {
                    None => lines.push(format!("{name} {}", said.predicate)),
                    Some(Refused { why, .. }) => lines.push(format!("{name}: {why}")),
                }
            }
            if refused.is_empty() || said.refusal_is_fine {
                Answer::Done { lines }
            } else {
                Answer::Failed { lines }
            }
        }
    }
}

pub(super) fn plural(count: usize) -> String {
    match count {
        1 => "1 monitor".to_owned(),
        many => format!("{many} monitors"),
    }
}

fn refused(line: String) -> Answer {
    Answer::Refused { lines: vec![line] }
}

pub(super) fn failed(line: String) -> Answer {
    Answer::Failed { lines: vec![line] }
}

fn notes(running: &Running) -> Vec<String> {
    let mut notes = self_check::notes(&running.health);
    let leads = running.gate().note();
    if !leads.is_empty() {
        notes.push(leads);
    }
    notes
}

fn troubles(running: &Running) -> Vec<String> {
    let mut troubles = self_check::troubles(&running.health);
    if !running.gate().is_open() {
        troubles.push(format!("{}: nothing is told meanwhile", Shut::Silent));
    }
    troubles
}

fn status(running: &Running, now: Timestamp) -> DaemonStatus {
    let force = running.force();
    let health = &running.health;
    DaemonStatus {
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: health.started_at,
        up_s: Some(health.up().as_secs()),
        config: running.file.clone(),
        database: force.config.daemon.database.clone(),
        files: health
            .files()
            .and_then(|(text, over)| over.is_none().then_some(text)),
        configured_at: force.since,
        monitors: health.monitors.load(Relaxed),
        in_flight: health.in_flight.load(Relaxed),
        checks: health.checks.load(Relaxed),
        missed: health.missed.load(Relaxed),
        on_time: self_check::on_time(health),
        mails_waiting: health.mails_waiting.load(Relaxed),
        mails_for_hours: health.mails_for_hours.load(Relaxed),
        mails: force.config.has_way_out(),
        mail_pause: self_check::pause(health, now).filter(|_| force.config.email.is_some()),
        mail_rests: self_check::rests(health, now),
        blind: self_check::blind(health, now),
        log_lines_lost: logging::lost(),
        lease: (!running.gate().is_open()).then(|| Shut::Silent.to_string()),
        heartbeat: self_check::heartbeat(health),
        notes: notes(running),
        troubles: troubles(running),
        line: running.line(now),
    }
}
