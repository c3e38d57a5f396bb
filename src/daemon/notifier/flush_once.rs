//! `email retry` without a daemon: this process takes the database and sends what waits, once.

use super::channels::{Misfit, misfit, outcome};
use super::compose::{Letter, Posting, Writer};
use super::dispatcher::{Desk, Task};
use super::levels::once::post_once;
use crate::channel::Sender;
use crate::clock;
use crate::config::Config;
use crate::daemon::health::live_status::Board;
use crate::daemon::recorder::message::WriteWork;
use crate::domain::channel::Channel;
use crate::domain::recipient::Recipient;
use crate::domain::settings::AlertSettings;
use crate::domain::timestamp::Timestamp;
use crate::mail::mailer::Mailer;
use crate::mail::smtp::Line;
use crate::policy::alert::maintenance::Windows;
use crate::policy::alert::monitor::Hold;
use crate::policy::outbox::plan::Silenced;
use crate::policy::outbox::queued::{Lane, Waiting};
use crate::policy::outbox::retry::{Outcome, Settled};
use crate::policy::outbox::transport_pause::Pause;
use crate::store::error::StoreError;
use crate::store::outbox::queries::Retried;
use crate::store::outbox::{attempts, channels, queries};
use crate::store::reader::Reader;
use crate::store::writer::Store;
use crate::tls;

/// More turns than rows can need: against a fault of ours that would send for ever.
const TURNS_MAX: usize = 100_000;

/// What became of the queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Emptied {
    /// A line for each attempt.
    pub lines: Vec<String>,
    /// How many left.
    pub sent: usize,
    /// How many nobody needs any more: their outage is over, and their recipient knows.
    pub dropped: usize,
    /// How many are still there.
    pub left: usize,
    /// What goes on holding some of them, a line each.
    pub held: Vec<String>,
}

/// A way out: mail, or one channel.
struct Way<'a> {
    out: Out<'a>,
    desk: Desk,
    settings: AlertSettings,
}

enum Out<'a> {
    Mail(&'a Mailer, Line),
    Channel(&'a Channel, Box<Sender>),
}

impl Out<'_> {
    /// Whether the messages of a lane leave by it.
    fn is_for(&self, lane: &Lane) -> bool {
        match self {
            Self::Mail(..) => lane.to.channel().is_none(),
            Self::Channel(channel, _) => lane.to.channel() == Some(&channel.name),
        }
    }
}

/// What all ways have in common.
struct Room<'a> {
    reader: Reader,
    board: Board,
    config: &'a Config,
    host: &'a str,
    started_at: Timestamp,
    silenced: Silenced,
}

/// Sends everything that waits or was given up, one message after the other, each once.
///
/// # Errors
/// What the database says.
pub async fn empty(
    store: &mut Store,
    config: &Config,
    mailer: Option<&Mailer>,
    host: &str,
) -> Result<Emptied, StoreError> {
    let started_at = clock::now();
    let batch = store.batch()?;
    // Before what was given up is revived: an attempt cut short counts as one.
    attempts::recover(batch.outbox(), started_at)?;
    let retried = queries::retry(batch.outbox(), started_at)?;
    batch.commit()?;
    let room = Room {
        reader: Reader::open(store.path())?,
        board: Board::default(),
        config,
        host,
        started_at,
        silenced: silenced(store, config, started_at)?,
    };
    let mut ways = ways(store, config, mailer, started_at)?;
    let mut emptied = Emptied::default();
    for _ in 0..TURNS_MAX {
        let mut has_done = false;
        for way in &mut ways {
            has_done |= turn(store, &room, way, &mut emptied).await?;
        }
        if !has_done {
            break;
        }
    }
    for way in &mut ways {
        if let Out::Mail(mailer, line) = &mut way.out {
            mailer.close(line).await;
        }
    }
    emptied.lines.extend(post_once(store, config).await?);
    emptied.dropped = retried.dropped;
    let health = queries::health(store.outbox())?;
    emptied.left = usize::try_from(health.waiting + health.failed).unwrap_or(usize::MAX);
    emptied.held = hold_lines(&queries::held(store.outbox())?);
    Ok(emptied)
}

fn ways<'a>(
    store: &Store,
    config: &'a Config,
    mailer: Option<&'a Mailer>,
    now: Timestamp,
) -> Result<Vec<Way<'a>>, StoreError> {
    // Nothing is waited for: there is no company to come.
    let mut alerts = config.alerts.clone();
    alerts.group_wait = std::time::Duration::ZERO;
    alerts.group_interval = std::time::Duration::ZERO;
    let mut ways = Vec::new();
    if let Some(mailer) = mailer {
        ways.push(Way {
            out: Out::Mail(mailer, Line::default()),
            desk: Desk::new(attempts::pause(store.outbox())?),
            settings: alerts.clone(),
        });
    }
    let mut pauses = channels::pauses(store.outbox())?;
    let mut basis = None;
    for channel in &config.channels {
        if channel.format().is_level() {
            continue;
        }
        let basis = basis.get_or_insert_with(tls::Basis::load);
        match Sender::new(channel, basis) {
            Ok(sender) => ways.push(Way {
                out: Out::Channel(channel, Box::new(sender)),
                desk: Desk::new(take_pause(&mut pauses, channel)),
                settings: channel.alerts(&alerts),
            }),
            Err(error) => tracing::error!("channel {}: {error}", channel.name),
        }
    }
    for way in &mut ways {
        way.desk.wake_up(now);
    }
    Ok(ways)
}

/// The pause that a process left behind.
fn take_pause(pauses: &mut Vec<(String, Pause)>, channel: &Channel) -> Option<Pause> {
    let at = pauses
        .iter()
        .position(|(of, _)| of == channel.name.as_str())?;
    Some(pauses.swap_remove(at).1)
}

/// Does for one way what is due. Answers whether there was anything.
async fn turn(
    store: &mut Store,
    room: &Room<'_>,
    way: &mut Way<'_>,
    emptied: &mut Emptied,
) -> Result<bool, StoreError> {
    let mut lanes = queries::lanes(store.outbox())?;
    lanes.retain(|lane| way.out.is_for(lane));
    let (tasks, _) = way.desk.next(
        (&way.settings, &room.config.hours),
        &lanes,
        &room.silenced,
        clock::now(),
    );
    let has_any = !tasks.is_empty();
    let mut rows = Vec::new();
    for task in tasks {
        match task {
            Task::Write(work) => write(store, work)?,
            Task::Deliver(mails) => {
                way.desk.conversation_ended([]);
                rows.extend(mails);
            }
        }
    }
    for row in rows {
        let Some(lane) = lanes.iter().find(|lane| lane.waiting.contains(&row)) else {
            continue;
        };
        let now = clock::now();
        let is_kept = way.desk.pause().is_some_and(|pause| pause.rests(now))
            || way.desk.rest().is_some_and(|rest| rest.rests(now));
        if is_kept {
            way.desk.gone(lane.to.key());
            continue;
        }
        deliver(store, room, way, (&lane.to, &row), emptied).await?;
    }
    Ok(has_any)
}

/// Sends one message.
async fn deliver(
    store: &mut Store,
    room: &Room<'_>,
    way: &mut Way<'_>,
    (to, row): (&Recipient, &Waiting),
    emptied: &mut Emptied,
) -> Result<(), StoreError> {
    let writer = Writer {
        reader: &room.reader,
        board: &room.board,
        config: room.config,
        host: room.host,
        started_at: room.started_at,
        trouble: way.desk.trouble(),
        now: clock::now(),
    };
    let id = row.id;
    if let Out::Channel(channel, _) = &way.out
        && let Some(misfit) = misfit(channel, row.kind)
    {
        let now = clock::now();
        let work: WriteWork = match misfit {
            Misfit::Drop => way.desk.dropped(to.key(), row, now),
            Misfit::Dissolve => {
                way.desk.gone(to.key());
                Box::new(move |batch| Ok(channels::dissolve(batch.outbox(), id, now)?))
            }
        };
        return write(store, work);
    }
    let begin = |store: &mut Store| {
        let begin: WriteWork =
            Box::new(move |batch| Ok(attempts::begin(batch.outbox(), id, clock::now())?));
        write(store, begin).map_err(|error| error.to_string())
    };
    let (outcome, subject) = match &mut way.out {
        Out::Mail(mailer, line) => match (writer.write(id)?, to) {
            (Letter::Ready(_, mail), Recipient::Mail(address)) => {
                let noted = async { begin(store) };
                let outcome = mailer.send_over(line, &mail, address, noted).await;
                (Some(outcome), mail.rendered.subject.clone())
            }
            (Letter::Void, _) => (None, String::new()),
            (Letter::Gone, _) | (Letter::Ready(..), Recipient::Channel(_)) => {
                way.desk.gone(to.key());
                return Ok(());
            }
        },
        Out::Channel(channel, sender) => match writer.post(id, channel)? {
            Posting::Ready { request, .. } => {
                let noted = async { begin(store).map(|()| clock::now()) };
                let sent = sender.send(&request, noted).await;
                let kind = row.kind.as_str().to_owned();
                (Some(outcome(channel, sent, clock::now())), kind)
            }
            Posting::Void => (None, String::new()),
            Posting::Gone => {
                way.desk.gone(to.key());
                return Ok(());
            }
        },
    };
    let now = clock::now();
    let Some(outcome) = outcome else {
        let work = way.desk.dropped(to.key(), row, now);
        return write(store, work);
    };
    let (settled, work) = way.desk.delivered(to.key(), row, &outcome, now);
    write(store, work)?;
    emptied.sent += usize::from(settled == Settled::Sent);
    let line = format!("{}: {subject}: {}", to.key(), said(&outcome));
    emptied.lines.push(line);
    Ok(())
}

/// Whose mails a mute or a window holds back, by the database and the configuration.
fn silenced(store: &Store, config: &Config, now: Timestamp) -> Result<Silenced, StoreError> {
    let mutes = attempts::mutes(store.outbox())?;
    let mut silenced: Silenced = mutes
        .into_iter()
        .filter(|(_, until)| now < *until)
        .map(|(monitor, _)| (monitor, Hold::Mute))
        .collect();
    for (monitor, until) in attempts::ordered_windows(store.outbox())? {
        if now < until {
            silenced.insert(monitor, Hold::Maintenance);
        }
    }
    let windows = Windows::new(&config.maintenance, &config.daemon.timezone, now);
    let known = store.monitors()?;
    for monitor in &config.monitors {
        let stored = known.iter().find(|stored| stored.name == monitor.name);
        let covering = windows.covering(monitor);
        if let Some(stored) = stored
            && covering
                .iter()
                .any(|number| windows.open(*number).is_some())
        {
            silenced.insert(stored.id, Hold::Maintenance);
        }
    }
    Ok(silenced)
}

fn write(store: &mut Store, mut work: WriteWork) -> Result<(), StoreError> {
    let mut batch = store.batch()?;
    work(&mut batch)?;
    batch.commit()
}

/// What an attempt came to, for a person.
pub fn said(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Accepted(answer) => format!("accepted: {answer}"),
        Outcome::Temporary { error, .. } | Outcome::Later { error, .. } => {
            format!("not now: {error}")
        }
        Outcome::Permanent(error) => format!("refused: {error}"),
        Outcome::Rest(error) => format!("refused until it is fixed: {error}"),
        Outcome::Pause(error) => format!("nothing more can be sent: {error}"),
        Outcome::Unknown(error) => format!("may have arrived: {error}"),
    }
}

/// What `email retry` did, a line each.
pub(super) fn retry_lines(retried: &Retried) -> Vec<String> {
    let Retried {
        waiting,
        failed,
        dropped,
        ref held,
    } = *retried;
    let mut lines = Vec::new();
    if waiting + failed > 0 {
        lines.push(format!(
            "tried now: {waiting} waiting and {failed} failed mails"
        ));
    }
    match dropped {
        0 => {}
        1 => lines.push(
            "1 failed mail is dropped: its outage is over, and its recipient was told so".to_owned(),
        ),
        many => lines.push(format!(
            "{many} failed mails are dropped: their outages are over, and their recipients were told so"
        )),
    }
    lines.extend(hold_lines(held));
    if lines.is_empty() {
        lines.push("no mail waits and none has failed".to_owned());
    }
    lines
}

/// What goes on holding mails, a line each.
fn hold_lines(held: &[(Hold, usize)]) -> Vec<String> {
    let line = |(hold, count): &(Hold, usize)| {
        let mails = if *count == 1 {
            "mail waits"
        } else {
            "mails wait"
        };
        let what = match hold {
            Hold::Maintenance => "a maintenance window",
            Hold::Mute => "a mute",
            Hold::Parent => "a parent's outage",
            Hold::Flapping => "the flapping",
            Hold::Offline => "our own line's outage",
            Hold::Hours => {
                return format!("{count} {mails} for the opening hours of the recipients");
            }
        };
        format!("{count} {mails} for the end of {what}")
    };
    held.iter().map(line).collect()
}
