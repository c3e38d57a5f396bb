//! One world: time that only we move, sites that fail by a script, and a mailbox.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sitewatch::cli::why::command::Asked;
use sitewatch::config::Config;
use sitewatch::daemon::recorder::engine::Recorder;
use sitewatch::daemon::recorder::message::{Entry, Reply, Turn};
use sitewatch::domain::check::{Chain, Check, Failure, FailureKind, Micros, Timings, Verdict};
use sitewatch::domain::incident::{Incident, IncidentKey};
use sitewatch::domain::monitor::MonitorId;
use sitewatch::domain::notification::MailKind;
use sitewatch::domain::recipient::Recipient;
use sitewatch::domain::settings::AlertSettings;
use sitewatch::domain::timestamp::Timestamp;
use sitewatch::policy::alert::monitor::Order;
use sitewatch::policy::outbox::plan::{self, Deed};
use sitewatch::policy::outbox::queued::{Holds, Lane, RowId};
use sitewatch::policy::outbox::retry::{self, Outcome};
use sitewatch::policy::replay::Replay;
use sitewatch::store::checks::history::HistoryQuery;
use sitewatch::store::facts::incidents::IncidentQuery;
use sitewatch::store::outbox::{attempts, channels as stored_channels, collecting, queries};
use sitewatch::store::reader::Reader;
use sitewatch::store::writer::Store;
use sitewatch::view::time_text::Clock;
use sitewatch::view::why::Why;

pub const START: Timestamp = Timestamp::from_ms(1_795_377_600_000);

/// What a site does from a moment on: up, down with this status, slow, or unreachable for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    Up,
    Down(u16),
    Slow,
    Unknown,
}

/// What happens in a world.
#[derive(Debug, Clone, Default)]
pub struct Script {
    /// Of each monitor, by its place: changes of weather; it begins up.
    pub weather: Vec<BTreeMap<Timestamp, Weather>>,
    /// Orders of people.
    pub orders: BTreeMap<Timestamp, (usize, Order)>,
    /// Out of ten mails so many are refused for now, and so many are taken without an answer.
    pub refused: u64,
    pub unanswered: u64,
    /// Until then the services of channels refuse, hang, hang up and answer by turns; later all take everything.
    pub turns_until: Option<Timestamp>,
}

/// One mail that reached the mailbox.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Delivered {
    pub at: Timestamp,
    pub to: Recipient,
    pub message_id: String,
    pub kind: MailKind,
    /// What it tells: kind and incident, several for a digest.
    pub tells: Vec<(MailKind, Option<IncidentKey>)>,
}

pub struct World {
    path: PathBuf,
    config: Arc<Config>,
    script: Script,
    pub now: Timestamp,
    recorder: Option<Recorder>,
    reader: Reader,
    ids: Vec<MonitorId>,
    last: BTreeMap<MonitorId, Timestamp>,
    again: BTreeMap<MonitorId, Timestamp>,
    paused: BTreeSet<MonitorId>,
    uncommitted: Vec<(MonitorId, Check)>,
    died_sending: Option<RowId>,
    cut_short: BTreeMap<RowId, u32>,
    /// How many requests the service of each channel has had.
    turns: BTreeMap<String, usize>,
    /// How often nobody knew whether a message arrived, by Message-ID and recipient.
    pub unknown: BTreeMap<(String, String), u32>,
    /// Dies also while the server refuses or says nothing.
    pub reckless: bool,
    orders_done: Option<Timestamp>,
    operations: u64,
    kill_every: Option<u64>,
    pub kills: u64,
    pub delivered: Vec<Delivered>,
}

impl World {
    /// A world in a copy of `template`, so that worlds of one seed share the database's random number. With
    /// `kill_every`, the process dies at every so many operations.
    pub fn new(
        path: &Path,
        template: &Path,
        config: Config,
        script: Script,
        kill_every: Option<u64>,
    ) -> Self {
        std::fs::copy(template, path).unwrap();
        let config = Arc::new(config);
        let store = Store::open(path, START).unwrap();
        let (mut recorder, enrolled) = Recorder::open(store, Arc::clone(&config), START).unwrap();
        let outcome = recorder.work([], START);
        assert!(outcome.turns.is_empty());
        Self {
            reader: Reader::open(path).unwrap(),
            path: path.to_owned(),
            config,
            script,
            now: START,
            recorder: Some(recorder),
            ids: enrolled.ids.iter().map(|(_, id)| *id).collect(),
            last: BTreeMap::new(),
            again: BTreeMap::new(),
            paused: BTreeSet::new(),
            uncommitted: Vec::new(),
            died_sending: None,
            cut_short: BTreeMap::new(),
            turns: BTreeMap::new(),
            unknown: BTreeMap::new(),
            reckless: false,
            orders_done: None,
            operations: 0,
            kill_every,
            kills: 0,
            delivered: Vec::new(),
        }
    }

    pub fn run_for(&mut self, time: Duration) {
        let end = self.now.plus(time);
        loop {
            let mail_at = self.mail();
            let next = self.next_moment(mail_at);
            if next > end {
                break;
            }
            self.now = next.max(self.now);
            self.moment();
        }
        self.now = end;
        // What still waits for company is written.
        let outcome = self.recorder().take([], end);
        assert!(outcome.committed);
        self.uncommitted.clear();
    }

    fn recorder(&mut self) -> &mut Recorder {
        self.recorder.as_mut().expect("dead only within `die`")
    }

    fn next_moment(&mut self, mail_at: Option<Timestamp>) -> Timestamp {
        let mut next = self.recorder().wake_at();
        let mut sooner = |at: Option<Timestamp>| next = [next, at].into_iter().flatten().min();
        sooner(mail_at);
        let from = self.orders_done;
        let mut orders = self.script.orders.keys().copied();
        sooner(orders.find(|at| from.is_none_or(|done| *at > done)));
        for id in &self.ids {
            sooner(self.due(*id));
        }
        // Nothing: everybody is paused.
        next.unwrap_or(Timestamp::MAX)
    }

    /// When a monitor is to be checked next.
    fn due(&self, id: MonitorId) -> Option<Timestamp> {
        if self.paused.contains(&id) {
            return None;
        }
        let Some(last) = self.last.get(&id) else {
            return Some(START);
        };
        let grid = Timestamp::from_ms((last.as_ms().div_euclid(60_000) + 1) * 60_000);
        Some(self.again.get(&id).map_or(grid, |again| grid.min(*again)))
    }

    /// Everything that is due now.
    fn moment(&mut self) {
        let order = self.script.orders.get(&self.now).cloned();
        if let Some((place, order)) = order
            && self.orders_done < Some(self.now)
        {
            self.orders_done = Some(self.now);
            let monitors = vec![self.ids[place]];
            self.operation(|| {
                vec![Entry::Order {
                    monitors: monitors.clone(),
                    order: order.clone(),
                    given: None,
                    reply: Reply::none(),
                }]
            });
        }
        for place in 0..self.ids.len() {
            let id = self.ids[place];
            if self.due(id).is_some_and(|due| due <= self.now) {
                self.again.remove(&id);
                self.last.insert(id, self.now);
                let check = self.look(place);
                self.uncommitted.push((id, check.clone()));
                self.operation(|| {
                    vec![Entry::Checked {
                        monitor: id,
                        check: Box::new(check.clone()),
                    }]
                });
            }
        }
        self.operation(Vec::new);
    }

    /// Hands entries to the recorder; dies before or after it where its time has come, and then hands them
    /// over again, as a check that was not recorded is made again.
    fn operation(&mut self, entries: impl Fn() -> Vec<Entry>) {
        let checks = entries()
            .iter()
            .any(|entry| matches!(entry, Entry::Checked { .. }));
        if self.dies() {
            // The checks among `entries` are the newest of those that are not recorded.
            self.die();
            if checks {
                return;
            }
        }
        let now = self.now;
        let outcome = self.recorder().work(entries(), now);
        if outcome.committed {
            self.uncommitted.clear();
        }
        self.follow(outcome.turns);
        if self.dies() {
            self.die();
        }
    }

    fn dies(&mut self) -> bool {
        self.operations += 1;
        self.kill_every
            .is_some_and(|every| self.operations.is_multiple_of(every))
    }

    /// The process is killed and started again.
    fn die(&mut self) {
        self.kills += 1;
        self.recorder = None;
        let store = Store::open(&self.path, self.now).unwrap();
        let config = Arc::clone(&self.config);
        let (mut recorder, enrolled) = Recorder::open(store, config, self.now).unwrap();
        self.again.clear();
        self.paused = enrolled.paused.into_iter().collect();
        let turns = recorder.work([], self.now).turns;
        self.recorder = Some(recorder);
        self.follow(turns);
        let lost = std::mem::take(&mut self.uncommitted);
        for (monitor, check) in lost {
            self.again.remove(&monitor);
            self.uncommitted.push((monitor, check.clone()));
            let check = Box::new(check);
            let now = self.now;
            let entry = Entry::Checked { monitor, check };
            let outcome = self.recorder().work([entry], now);
            if outcome.committed {
                self.uncommitted.clear();
            }
            self.follow(outcome.turns);
        }
    }

    fn follow(&mut self, turns: Vec<Turn>) {
        for turn in turns {
            match turn {
                Turn::CheckAt { monitor, at } => {
                    self.again.insert(monitor, at);
                }
                Turn::CheckNow {
                    monitor,
                    unless_since,
                } => {
                    if self.last.get(&monitor).is_none_or(|at| *at < unless_since) {
                        self.again.insert(monitor, self.now);
                    }
                }
                Turn::SetPaused { monitor, paused } => {
                    if paused {
                        self.paused.insert(monitor);
                    } else {
                        self.paused.remove(&monitor);
                        self.again.insert(monitor, self.now);
                    }
                }
            }
        }
    }

    fn look(&self, place: usize) -> Check {
        let weather = self.script.weather[place].range(..=self.now).next_back();
        look(
            weather.map_or(Weather::Up, |(_, weather)| *weather),
            self.now,
        )
    }

    /// The notifier: delivers what may leave, and says when to look again.
    fn mail(&mut self) -> Option<Timestamp> {
        let mut wake_at: Option<Timestamp> = None;
        for lane in queries::lanes(self.reader.outbox()).unwrap() {
            let silenced = self.recorder().board().silenced();
            let plan = plan::plan(
                &self.settings(&lane),
                &lane,
                &silenced,
                &self.config.hours,
                self.now,
            );
            for deed in plan.deeds {
                if !self.deliver(lane.to.key(), &deed) {
                    break;
                }
            }
        }
        for lane in queries::lanes(self.reader.outbox()).unwrap() {
            let silenced = self.recorder().board().silenced();
            let plan = plan::plan(
                &self.settings(&lane),
                &lane,
                &silenced,
                &self.config.hours,
                self.now,
            );
            // After a message that was put off the next one of its lane is looked for at once.
            let at_once = Some(self.now).filter(|_| !plan.deeds.is_empty());
            wake_at = [wake_at, plan.wake_at, at_once].into_iter().flatten().min();
        }
        wake_at.map(|at| at.max(self.now.plus(Duration::from_millis(1))))
    }

    /// The rules of a lane: a service that holds incidents gets no digests.
    fn settings(&self, lane: &Lane) -> AlertSettings {
        let mut settings = self.config.alerts.clone();
        let channel = lane.to.channel().and_then(|name| self.config.channel(name));
        if channel.is_some_and(|channel| channel.format().takes_incidents_only()) {
            settings.group_limit = u32::MAX;
        }
        settings
    }

    fn deliver(&mut self, to: &str, deed: &Deed) -> bool {
        let to = to.to_owned();
        let (kind, members) = match deed {
            Deed::Send(row) => return self.send(*row),
            Deed::Supersede(row) => {
                let (row, now) = (*row, self.now);
                self.write(move |db| queries::supersede(db, row, now));
                return true;
            }
            Deed::Hold(rows, why) => {
                let (rows, why) = (rows.clone(), *why);
                self.write(move |db| attempts::hold(db, &rows, why));
                return true;
            }
            Deed::Release(rows) => {
                let (rows, now) = (rows.clone(), self.now);
                self.write(move |db| attempts::release(db, &rows, now));
                return true;
            }
            Deed::Merge { down, up } => (MailKind::WasDown, vec![*down, *up]),
            Deed::Digest(rows, next) => {
                let next = next.clone();
                self.write(move |db| collecting::put(db, &to, &next));
                (MailKind::Digest, rows.clone())
            }
            Deed::Collect(next) => {
                let next = next.clone();
                self.write(move |db| collecting::put(db, &to, &next));
                return true;
            }
        };
        let now = self.now;
        let carrier = std::sync::Arc::new(std::sync::Mutex::new(None));
        let formed = Arc::clone(&carrier);
        self.write(move |db| {
            *formed.lock().unwrap() = queries::form(db, kind, &members, now)?;
            Ok(())
        });
        let carrier = carrier.lock().unwrap().take();
        carrier.is_some_and(|row| self.send(row))
    }

    fn send(&mut self, row: RowId) -> bool {
        let Some(mail) = queries::outgoing(self.reader.outbox(), row).unwrap() else {
            return false;
        };
        // Tries that a death cut short are none for the server.
        let tries = mail.row.attempts() - self.cut_short.get(&row).unwrap_or(&0);
        let seed = mail.message_id.bytes().fold(u64::from(tries), |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(u64::from(byte))
        });
        let now = self.now;
        self.write_undisturbed(move |db| attempts::begin(db, row, now));
        let dice = seed / 7 % 10;
        let is_well = self.script.turns_until.is_some_and(|until| now >= until);
        let outcome = if mail.to.channel().is_some() {
            self.turn(mail.to.key())
        } else if is_well {
            Outcome::Accepted("250 taken".into())
        } else if dice < self.script.refused {
            Outcome::Temporary {
                holds: delivery_holds(seed),
                error: "450 later".into(),
            }
        } else if dice < self.script.refused + self.script.unanswered {
            Outcome::Unknown("cut after DATA".into())
        } else {
            Outcome::Accepted("250 taken".into())
        };
        let arrives = match outcome {
            Outcome::Accepted(_) | Outcome::Unknown(_) => true,
            Outcome::Temporary { .. }
            | Outcome::Later { .. }
            | Outcome::Permanent(_)
            | Outcome::Rest(_)
            | Outcome::Pause(_) => false,
        };
        if arrives {
            self.delivered.push(Delivered {
                at: self.now,
                to: mail.to.clone(),
                message_id: mail.message_id.clone(),
                kind: mail.parcel.kind,
                tells: mail
                    .parcel
                    .notices
                    .iter()
                    .map(|notice| (notice.news.kind(), notice.news.incident()))
                    .collect(),
            });
        }
        let key = (mail.message_id.clone(), mail.to.key().to_owned());
        if matches!(outcome, Outcome::Unknown(_)) {
            *self.unknown.entry(key.clone()).or_default() += 1;
        }
        // Where the server said something else, a death makes of it a mail that may have arrived, which is
        // never merged: that is another story.
        let same_story = matches!(outcome, Outcome::Accepted(_));
        let cuts = self.cut_short.get(&row).copied().unwrap_or(0);
        // Cut once more, a mail that was refused each time would be given up: it may have arrived three times.
        let may_die = same_story || (self.reckless && cuts < retry::REPEATS_MAX);
        if self.dies() && self.died_sending != Some(row) && may_die {
            // Nobody wrote what the server said: it is sent again, as the same mail.
            self.died_sending = Some(row);
            *self.cut_short.entry(row).or_default() += 1;
            *self.unknown.entry(key).or_default() += 1;
            self.die();
            return self.send(row);
        }
        let settled = retry::settle(&mail.row, &outcome, seed, self.now);
        let now = self.now;
        if same_story {
            self.write(move |db| queries::settle(db, row, &settled, now));
        } else {
            self.write_undisturbed(move |db| queries::settle(db, row, &settled, now));
        }
        arrives
    }

    /// What the service of a channel does with its next request.
    fn turn(&mut self, channel: &str) -> Outcome {
        if self
            .script
            .turns_until
            .is_none_or(|until| self.now >= until)
        {
            return Outcome::Accepted("204 No Content".into());
        }
        let turn = self
            .turns
            .entry(channel.to_owned())
            .or_insert(channel.len());
        *turn += 1;
        match *turn % 7 {
            0 => Outcome::Temporary {
                holds: Holds::Transport,
                error: "connection refused".into(),
            },
            1 => Outcome::Unknown("no answer within 30s".into()),
            2 => Outcome::Unknown("the answer was cut".into()),
            3 => Outcome::Temporary {
                holds: Holds::Recipient,
                error: "answers 500 Internal Server Error".into(),
            },
            4 => Outcome::Later {
                after: Duration::from_secs(7),
                error: "answers 429 Too Many Requests".into(),
            },
            5 => Outcome::Pause("answers 410 Gone".into()),
            _ => Outcome::Accepted("204 No Content".into()),
        }
    }

    /// Writes without a death before or after it.
    fn write_undisturbed<F>(&mut self, write: F)
    where
        F: Fn(&rusqlite::Connection) -> rusqlite::Result<()> + Send + 'static,
    {
        let entry = Entry::Write(Box::new(move |batch| Ok(write(batch.outbox())?)));
        let now = self.now;
        let outcome = self.recorder().take([entry], now);
        assert!(outcome.committed);
        self.uncommitted.clear();
        self.follow(outcome.turns);
    }

    fn write<F>(&mut self, write: F)
    where
        F: Fn(&rusqlite::Connection) -> rusqlite::Result<()> + Send + Clone + 'static,
    {
        let write = move || -> Vec<Entry> {
            let write = write.clone();
            vec![Entry::Write(Box::new(move |batch| {
                Ok(write(batch.outbox())?)
            }))]
        };
        self.operation(write);
    }

    pub fn incidents(&self) -> Vec<Incident> {
        let listed = self.reader.incidents(&IncidentQuery::default()).unwrap();
        listed.into_iter().map(|listed| listed.incident).collect()
    }

    /// Mails that were given up although nobody ever got them.
    pub fn lost(&self) -> usize {
        let db = self.reader.outbox();
        let mut failed = db
            .prepare("SELECT message_id, mailbox FROM outbox WHERE state = 'failed' AND carrier_id IS NULL")
            .unwrap();
        let failed = failed
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        let failed: Vec<(String, String)> = failed.map(Result::unwrap).collect();
        failed
            .iter()
            .filter(|(id, to)| {
                !self
                    .delivered
                    .iter()
                    .any(|mail| mail.message_id == *id && mail.to.key() == to)
            })
            .count()
    }

    /// What `sitewatch why` says now of the monitor at this place.
    pub fn why(&self, place: usize) -> Why {
        let known = self.reader.monitors().unwrap();
        let id = self.ids[place];
        let monitor = known.iter().find(|monitor| monitor.id == id).unwrap();
        let clock = Clock {
            zone: self.config.daemon.timezone.clone(),
            now: self.now,
        };
        let asked = Asked {
            config: Some(&self.config),
            clock: &clock,
            at: self.now,
            is_now: true,
        };
        asked.why(&self.reader, monitor).unwrap().unwrap()
    }

    /// How many windows by order are open over the monitor at this place, as the daemon shows it.
    pub fn windows(&mut self, place: usize) -> usize {
        let board = self.recorder().board();
        let live = board.get(self.ids[place]).unwrap();
        usize::from(live.shown.flags.maintenance)
    }

    /// Whether a message about an incident was given up: nobody knows whether it arrived.
    pub fn gave_up(&self, incident: &str) -> bool {
        let db = self.reader.outbox();
        let mut failed = db
            .prepare(
                "SELECT 1 FROM outbox
                 WHERE state = 'failed' AND monitor_id || '-' || incident_opened_at = ?1",
            )
            .unwrap();
        failed.exists([incident]).unwrap()
    }

    /// Recipients with a waiting message about the monitor at this place, and its kind.
    pub fn waiting_about(&self, place: usize) -> Vec<(String, MailKind)> {
        let id = self.ids[place];
        let lanes = queries::lanes(self.reader.outbox()).unwrap();
        let rows = lanes.iter().flat_map(|lane| {
            let about = lane.waiting.iter().filter(|row| row.monitor == Some(id));
            about.map(|row| (lane.to.key().to_owned(), row.kind))
        });
        rows.collect()
    }

    /// How many messages have not left.
    pub fn waiting(&self) -> usize {
        let lanes = queries::lanes(self.reader.outbox()).unwrap();
        lanes.iter().map(|lane| lane.waiting.len()).sum()
    }

    /// Has the channels of the configuration written down, as the notifier does.
    pub fn note_channels(&mut self) {
        let channels = self.config.channels.iter();
        let known: Vec<(String, &'static str)> = channels
            .map(|channel| (channel.name.to_string(), channel.format().as_str()))
            .collect();
        self.write_undisturbed(move |db| stored_channels::put(db, &known));
    }

    /// What was decided of outages and not dropped since, as `kind recipient incident`; when, and whether it left.
    pub fn decided(&self) -> Vec<(String, Timestamp, bool)> {
        let db = self.reader.outbox();
        let mut rows = db
            .prepare(
                "SELECT kind || ' ' || mailbox || ' ' || monitor_id || '-' || incident_opened_at, queued_at,
                        state = 'sent'
                 FROM outbox
                 WHERE notice IS NOT NULL AND state <> 'dropped' AND incident_opened_at IS NOT NULL ORDER BY id",
            )
            .unwrap();
        let rows = rows
            .query_map([], |row| {
                Ok((row.get(0)?, Timestamp::from_ms(row.get(1)?), row.get(2)?))
            })
            .unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// What is kept of every monitor, by a replay of what was recorded.
    pub fn replayed(&self) -> Vec<(i64, String)> {
        let monitors = self.ids.iter().copied();
        let monitors = monitors.zip(self.config.monitors.iter().map(|monitor| &**monitor));
        let (config, zone) = (&self.config, &self.config.daemon.timezone);
        let mut replay = Replay::new(
            monitors,
            &config.alerts,
            &config.escalation,
            &config.maintenance,
            zone,
            START,
        );
        let mut recorded: BTreeMap<(Timestamp, usize), Check> = BTreeMap::new();
        self.reader
            .history(&HistoryQuery::default(), &mut |known, check, _| {
                let place = self.ids.iter().position(|id| *id == known.id);
                recorded.insert((check.at, place.unwrap()), check);
                ControlFlow::Continue(())
            })
            .unwrap();
        let mut orders = self.script.orders.range(..=self.now);
        let mut order = orders.next();
        for ((at, place), check) in recorded {
            // What was ordered in the moment of a check came before it.
            while let Some((ordered, (whose, what))) = order.filter(|(ordered, _)| **ordered <= at)
            {
                replay.order(*whose, what, *ordered);
                order = orders.next();
            }
            replay.check(place, check);
        }
        while let Some((ordered, (whose, what))) = order {
            replay.order(*whose, what, *ordered);
            order = orders.next();
        }
        replay.pass(self.now);
        let kept = (0..self.ids.len()).map(|place| {
            let kept = serde_json::to_string(&replay.memory(place).kept).unwrap();
            (self.ids[place].0, kept)
        });
        kept.collect()
    }

    /// What is kept of every monitor, and all mails with their kinds and incidents: the whole alert state.
    pub fn dump(&self) -> (Vec<(i64, String)>, BTreeSet<String>) {
        let db = self.reader.outbox();
        let mut states = db
            .prepare("SELECT monitor_id, kept FROM states ORDER BY 1")
            .unwrap();
        let states = states
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let mut mails = db
            .prepare(
                "SELECT message_id || ' ' || kind || ' ' || mailbox || ' ' || coalesce(monitor_id, 0)
                        || ' ' || coalesce(incident_opened_at, 0)
                 FROM outbox",
            )
            .unwrap();
        let mails = mails
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        (states, mails)
    }
}

fn delivery_holds(seed: u64) -> Holds {
    if seed.is_multiple_of(2) {
        Holds::Mail
    } else {
        Holds::Recipient
    }
}

/// What a check finds in such weather.
pub fn look(weather: Weather, at: Timestamp) -> Check {
    let failure = |kind, detail: &str| Failure {
        kind,
        detail: detail.into(),
    };
    let (verdict, status) = match weather {
        Weather::Up => (Verdict::Up, Some(200)),
        Weather::Slow => {
            let slow = failure(FailureKind::Slow, "took 3 s");
            (Verdict::Degraded(slow), Some(200))
        }
        Weather::Down(status) => {
            let wrong = failure(FailureKind::Status, "not expected");
            (Verdict::Down(wrong), Some(status))
        }
        Weather::Unknown => (
            Verdict::Unknown(failure(FailureKind::Local, "offline")),
            None,
        ),
    };
    Check {
        at,
        verdict,
        status,
        chain: Arc::new(Chain {
            final_url: "https://example.com/".into(),
            ..Chain::default()
        }),
        redirect_times: Box::default(),
        timings: Timings {
            total: Micros::new(0),
            ..Timings::default()
        },
        http_version: None,
        body_bytes: 0,
        retry_after_s: None,
        certificate: None,
        excerpt: None,
        remarks: Box::default(),
        extras: None,
    }
}
