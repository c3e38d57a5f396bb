//! How the daemon itself is doing: counters that everybody writes without a lock and that the
//! watchdog, the heartbeat, the status line and `/metrics` read.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::daemon::recorder::files::FilesTrouble;
use crate::domain::monitor::MonitorName;
use crate::domain::timestamp::Timestamp;
use crate::policy::outbox::rest::Rest;
use crate::policy::outbox::transport_pause::Pause;
use crate::store::outbox::queries::Resting;

use super::standstill::Standstill;

/// How many bounds a histogram here has.
const BOUNDS: usize = 12;

/// The upper bounds of the lateness histogram, in milliseconds; one more bin holds the rest.
pub const LATENESS_BOUNDS_MS: [u64; BOUNDS] =
    [1, 2, 5, 10, 20, 50, 100, 250, 1000, 5000, 15_000, 60_000];

/// The upper bounds of the histogram of commits, in microseconds; one more bin holds the rest.
pub const COMMIT_BOUNDS_US: [u64; BOUNDS] = [
    500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000,
    30_000_000,
];

/// The parts whose progress the watchdog asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Starts checks.
    Scheduler,
    /// Writes the database.
    Recorder,
    /// Sends mails.
    Notifier,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Scheduler, Self::Recorder, Self::Notifier];

    /// Its name in a message.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduler => "scheduler",
            Self::Recorder => "recorder",
            Self::Notifier => "notifier",
        }
    }
}

/// Shared by all parts of one daemon.
#[derive(Debug)]
pub struct Health {
    /// When the daemon started.
    pub started_at: Timestamp,
    /// What tells that the whole process stood still, and the clock that leaves such times out.
    pub standstill: Standstill,
    beats: [AtomicU64; 3],
    /// Monitors that are scheduled.
    pub monitors: AtomicU64,
    /// Checks on their way.
    pub in_flight: AtomicU64,
    /// Monitors that are due and wait for a free place.
    pub waiting: AtomicU64,
    /// Checks begun since the start.
    pub checks: AtomicU64,
    /// Slots that passed without a check since the start.
    pub missed: AtomicU64,
    /// Checks that ended in a panic since the start.
    pub panics: AtomicU64,
    overdue: Moment,
    written: Moment,
    lateness_ms: Bins,
    commits_us: Bins,
    /// Results on their way to the recorder.
    pub queued: AtomicU64,
    /// Results that had to be given up because the database took no writes.
    pub given_up: AtomicU64,
    /// The newest successful commit (Unix ms; 0: none yet).
    pub written_at_ms: AtomicI64,
    /// Whether the last attempt to write failed.
    pub write_failing: AtomicBool,
    /// Mails that have not left.
    pub mails_waiting: AtomicU64,
    /// Those of them that wait for the opening hours of their recipients.
    pub mails_for_hours: AtomicU64,
    /// Since when the oldest of them waits (Unix ms; 0: none waits).
    pub mail_waits_since_ms: AtomicI64,
    /// The newest refusal for good (Unix ms; 0: never).
    pub mail_refused_at_ms: AtomicI64,
    /// Mails accepted since the start.
    pub mails_sent: AtomicU64,
    /// Since when we are offline (Unix ms; 0: we are not, as far as we know).
    pub blind_since_ms: AtomicI64,
    /// Whether this hub leads: 1, 0; without `[cluster]` -1.
    pub leads: AtomicI64,
    mail: Mutex<MailAges>,
    heartbeat_trouble: Mutex<Option<String>>,
    mail_pause: Mutex<Option<Pause>>,
    mail_troubles: Mutex<MailTroubles>,
    states: Mutex<States>,
    /// With when it was over, by the clock that neither steps nor stands still.
    files: Mutex<Option<(FilesTrouble, Duration)>>,
    config_changed: Mutex<Option<String>>,
    /// The lists of `[[source]]`.
    pub lists: AtomicU64,
    /// Those of them that are refused now.
    pub lists_refused: AtomicU64,
    list_troubles: Mutex<Vec<String>>,
    database: Mutex<Option<PathBuf>>,
    moves: AtomicU64,
}

/// Why nothing leaves by a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelTrouble {
    /// Its name.
    pub name: String,
    /// Somebody has to mend it.
    pub pause: Option<Pause>,
    /// It is not to be had for a moment.
    pub rest: Option<Rest>,
}

/// What keeps single mails, or all of them for a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailTroubles {
    /// The server is not to be had for a moment.
    pub rest: Option<Rest>,
    /// The newest refusal for good: recipient, and why.
    pub refused: Option<(String, String)>,
    /// Recipients whose mail the server refuses because of the sender.
    pub resting: Vec<Resting>,
    /// The channels that pause or rest.
    pub channels: Vec<ChannelTrouble>,
    /// Whether mail and all channels pause.
    pub is_shut: bool,
}

/// How many monitors are in which state, as the recorder last saw them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct States {
    /// Not checked yet.
    pub pending: u32,
    /// Up.
    pub up: u32,
    /// Degraded.
    pub degraded: u32,
    /// Down.
    pub down: u32,
    /// Unknown.
    pub unknown: u32,
    /// Paused by a person; counted in no other number.
    pub paused: u32,
    /// The first of those that are down, longest first, with the begin of the outage; at most 3.
    pub down_first: Vec<(MonitorName, Timestamp)>,
}

/// A moment of [`Standstill::lived`], or never.
#[derive(Debug, Default)]
struct Moment {
    /// One more than the milliseconds; 0: never.
    ms: AtomicU64,
}

impl Moment {
    fn note(&self, lived: Duration) {
        let ms = u64::try_from(lived.as_millis()).unwrap_or(u64::MAX - 1);
        self.ms.store(ms.saturating_add(1), Relaxed);
    }

    fn ago(&self, lived: Duration) -> Option<Duration> {
        let ms = self.ms.load(Relaxed).checked_sub(1)?;
        Some(lived.saturating_sub(Duration::from_millis(ms)))
    }
}

/// How old the news about mails is, by the clock that neither steps nor stands still.
#[derive(Debug, Default)]
struct MailAges {
    waits: Age,
    refused: Age,
}

/// The age of something that the database dates by wall time.
#[derive(Debug, Default)]
struct Age {
    /// Its date, how old it was when it was first seen, and when that was.
    known: Option<(Timestamp, Duration, Duration)>,
}

impl Age {
    fn see(&mut self, dated: Option<Timestamp>, now: Timestamp, lived: Duration) {
        self.known = match (dated, self.known) {
            (None, _) => None,
            (Some(dated), Some(known)) if known.0 == dated => Some(known),
            (Some(dated), _) => Some((dated, now.since(dated), lived)),
        };
    }

    fn age(&self, lived: Duration) -> Option<Duration> {
        let (_, then, seen) = self.known?;
        Some(then + lived.saturating_sub(seen))
    }
}

/// A histogram that everybody writes without a lock: one bin for each bound, and one for what is above all.
#[derive(Debug, Default)]
struct Bins {
    counts: [AtomicU64; BOUNDS + 1],
    sum: AtomicU64,
}

impl Bins {
    fn note(&self, bounds: &[u64; BOUNDS], value: u128) {
        let value = u64::try_from(value).unwrap_or(u64::MAX);
        let bin = bounds.partition_point(|bound| *bound < value);
        self.counts[bin].fetch_add(1, Relaxed);
        self.sum.fetch_add(value, Relaxed);
    }

    fn read(&self) -> ([u64; BOUNDS + 1], u64) {
        let counts = std::array::from_fn(|bin| self.counts[bin].load(Relaxed));
        (counts, self.sum.load(Relaxed))
    }
}

impl Health {
    /// All well, nothing done yet.
    pub fn new(now: Timestamp) -> Self {
        let health = Self {
            started_at: now,
            standstill: Standstill::new(),
            beats: Default::default(),
            monitors: AtomicU64::new(0),
            in_flight: AtomicU64::new(0),
            waiting: AtomicU64::new(0),
            checks: AtomicU64::new(0),
            missed: AtomicU64::new(0),
            panics: AtomicU64::new(0),
            overdue: Moment::default(),
            written: Moment::default(),
            lateness_ms: Bins::default(),
            commits_us: Bins::default(),
            queued: AtomicU64::new(0),
            given_up: AtomicU64::new(0),
            written_at_ms: AtomicI64::new(0),
            write_failing: AtomicBool::new(false),
            mails_waiting: AtomicU64::new(0),
            mails_for_hours: AtomicU64::new(0),
            mail_waits_since_ms: AtomicI64::new(0),
            mail_refused_at_ms: AtomicI64::new(0),
            mails_sent: AtomicU64::new(0),
            blind_since_ms: AtomicI64::new(0),
            leads: AtomicI64::new(-1),
            mail: Mutex::default(),
            heartbeat_trouble: Mutex::default(),
            mail_pause: Mutex::default(),
            mail_troubles: Mutex::default(),
            states: Mutex::default(),
            files: Mutex::default(),
            config_changed: Mutex::default(),
            lists: AtomicU64::new(0),
            lists_refused: AtomicU64::new(0),
            list_troubles: Mutex::default(),
            database: Mutex::default(),
            moves: AtomicU64::new(0),
        };
        for part in Part::ALL {
            health.beat(part);
        }
        health
    }

    /// A part says that it made progress, or had nothing to do; at least once a second or so.
    pub fn beat(&self, part: Part) {
        let lived = self.standstill.lived().as_millis();
        self.beats[part as usize].store(u64::try_from(lived).unwrap_or(u64::MAX), Relaxed);
    }

    /// How long ago a part made progress; a standstill of all is not its fault.
    pub fn silent_for(&self, part: Part) -> Duration {
        let beat = Duration::from_millis(self.beats[part as usize].load(Relaxed));
        self.standstill.lived().saturating_sub(beat)
    }

    /// How long the daemon has been up, whatever the wall clock did.
    pub fn up(&self) -> Duration {
        self.standstill.elapsed()
    }

    /// Notes that a check was later than its interval.
    pub fn note_overdue(&self) {
        self.overdue.note(self.standstill.lived());
    }

    /// How long ago a check was later than its interval; none: never.
    pub fn overdue_for(&self) -> Option<Duration> {
        self.overdue.ago(self.standstill.lived())
    }

    /// Notes that the database took a write.
    pub fn note_written(&self, now: Timestamp) {
        self.written_at_ms.store(now.as_ms(), Relaxed);
        self.written.note(self.standstill.lived());
    }

    /// How long ago the database took its newest write; without one, how long the daemon runs.
    pub fn unwritten_for(&self) -> Duration {
        let lived = self.standstill.lived();
        self.written.ago(lived).unwrap_or(lived)
    }

    /// Notes since when the oldest mail that may leave waits, and when the newest was refused for good.
    pub fn note_mail(
        &self,
        waits_since: Option<Timestamp>,
        refused_at: Option<Timestamp>,
        now: Timestamp,
    ) {
        let ms = |at: Option<Timestamp>| at.map_or(0, Timestamp::as_ms);
        self.mail_waits_since_ms.store(ms(waits_since), Relaxed);
        self.mail_refused_at_ms.store(ms(refused_at), Relaxed);
        let lived = self.standstill.lived();
        let mut ages = self
            .mail
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        ages.waits.see(waits_since, now, lived);
        ages.refused.see(refused_at, now, lived);
    }

    /// How long the oldest mail that may leave has been waiting, and how long ago the newest was refused for good.
    pub fn mail_ages(&self) -> (Option<Duration>, Option<Duration>) {
        let lived = self.standstill.lived();
        let ages = self
            .mail
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        (ages.waits.age(lived), ages.refused.age(lived))
    }

    /// The heartbeat tells why its pings are not heard; none: they are.
    pub fn set_heartbeat_trouble(&self, why: Option<String>) {
        *self
            .heartbeat_trouble
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = why;
    }

    /// Why the pings of the heartbeat are not heard, while they are not.
    pub fn heartbeat_trouble(&self) -> Option<String> {
        self.heartbeat_trouble
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }

    /// Notes how much later than planned a check began.
    pub fn note_lateness(&self, late: Duration) {
        self.lateness_ms.note(&LATENESS_BOUNDS_MS, late.as_millis());
    }

    /// The lateness bins (not cumulative) and the sum of all lateness in milliseconds.
    pub fn lateness(&self) -> ([u64; BOUNDS + 1], u64) {
        self.lateness_ms.read()
    }

    /// Notes how long one transaction took, from its first statement to the end of its commit.
    pub fn note_commit(&self, took: Duration) {
        self.commits_us.note(&COMMIT_BOUNDS_US, took.as_micros());
    }

    /// The bins of commits (not cumulative) and the sum of their time in microseconds.
    pub fn commits(&self) -> ([u64; BOUNDS + 1], u64) {
        self.commits_us.read()
    }

    /// The notifier tells whether the way out is paused after a refusal that concerns all mails.
    pub fn set_mail_pause(&self, pause: Option<&Pause>) {
        let mut known = self
            .mail_pause
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if known.as_ref() != pause {
            *known = pause.cloned();
        }
    }

    /// Why no mail leaves, while none does.
    pub fn mail_pause(&self) -> Option<Pause> {
        self.mail_pause
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }

    /// The recorder tells whether files of the database were taken away.
    pub fn set_files(&self, trouble: Option<&FilesTrouble>) {
        let mut known = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_ref().map(|(known, _)| known) != trouble {
            let lived = self.standstill.lived();
            *known = trouble.cloned().map(|trouble| (trouble, lived));
        }
    }

    /// Whether files of the database were taken away, and if all is where it belongs again, for how long.
    pub fn files(&self) -> Option<(String, Option<Duration>)> {
        let known = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let (trouble, since) = known.as_ref()?;
        let over = self.standstill.lived().saturating_sub(*since);
        Some((trouble.text.clone(), trouble.is_over.then_some(over)))
    }

    /// Which lists are refused, a sentence each.
    pub fn set_list_troubles(&self, sentences: Vec<String>) {
        *self
            .list_troubles
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = sentences;
    }

    /// Which lists are refused, a sentence each.
    pub fn list_troubles(&self) -> Vec<String> {
        self.list_troubles
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Whether the configuration on the disk is another than the one in force, in a sentence.
    pub fn set_config_changed(&self, sentence: Option<String>) {
        *self
            .config_changed
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = sentence;
    }

    /// Whether the configuration on the disk is another than the one in force.
    pub fn config_changed(&self) -> Option<String> {
        let known = self
            .config_changed
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        known.clone()
    }

    /// Records that the database was rewritten, at `place`, so that its readers open it again.
    pub fn database_moved(&self, place: &Path) {
        *self.database.lock().unwrap_or_else(PoisonError::into_inner) = Some(place.to_owned());
        self.moves.fetch_add(1, Release);
    }

    /// How often the database was rewritten.
    pub fn database_moves(&self) -> u64 {
        self.moves.load(Acquire)
    }

    /// Where it is; at the start it is where the configuration says.
    pub fn database_at(&self, configured: &Path) -> PathBuf {
        let moved = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        moved.clone().unwrap_or_else(|| configured.to_owned())
    }

    /// The notifier tells whether the server is not to be had for a moment.
    pub fn set_mail_rest(&self, rest: Option<&Rest>) {
        let mut troubles = self.lock_mail_troubles();
        if troubles.rest.as_ref() != rest {
            troubles.rest = rest.cloned();
        }
    }

    /// The notifier tells of the newest refusal for good and of the recipients that rest.
    pub fn set_mail_refusals(&self, refused: Option<(String, String)>, resting: Vec<Resting>) {
        let mut troubles = self.lock_mail_troubles();
        troubles.refused = refused;
        troubles.resting = resting;
    }

    /// The notifier tells which channels pause or rest, and whether nothing can leave at all.
    pub fn set_channel_troubles(&self, channels: Vec<ChannelTrouble>, is_shut: bool) {
        let mut troubles = self.lock_mail_troubles();
        troubles.channels = channels;
        troubles.is_shut = is_shut;
    }

    /// What keeps single mails, or all of them for a moment.
    pub fn mail_troubles(&self) -> MailTroubles {
        self.lock_mail_troubles().clone()
    }

    fn lock_mail_troubles(&self) -> std::sync::MutexGuard<'_, MailTroubles> {
        self.mail_troubles
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The recorder tells how many monitors are in which state.
    pub fn set_states(&self, states: States) {
        *self.states.lock().unwrap_or_else(PoisonError::into_inner) = states;
    }

    /// How many monitors are in which state.
    pub fn states(&self) -> States {
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        states.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_part_that_stops_is_seen() {
        let health = Health::new(Timestamp::from_ms(0));
        for second in 0..45 {
            tokio::time::advance(Duration::from_secs(1)).await;
            health.standstill.beat();
            if second < 40 {
                health.beat(Part::Recorder);
            }
        }
        assert_eq!(health.silent_for(Part::Recorder), Duration::from_secs(5));
        assert_eq!(health.silent_for(Part::Scheduler), Duration::from_secs(45));
        // Nobody beats while all stand still, and nobody is to blame.
        tokio::time::advance(Duration::from_secs(600)).await;
        health.standstill.beat();
        assert_eq!(health.silent_for(Part::Scheduler), Duration::from_secs(45));
        assert_eq!(health.up(), Duration::from_secs(645));
    }

    #[tokio::test(start_paused = true)]
    async fn mails_age_by_a_clock_that_neither_steps_nor_stands_still() {
        let health = Health::new(Timestamp::from_ms(0));
        let (queued, at) = (Timestamp::from_ms(1_000_000), |s: i64| {
            Timestamp::from_ms(1_000_000 + s * 1000)
        });
        health.note_mail(Some(queued), None, at(60));
        assert_eq!(health.mail_ages(), (Some(Duration::from_secs(60)), None));
        // The clock is set, both ways: the mail grows no older by it.
        for second in 0..10 {
            tokio::time::advance(Duration::from_secs(1)).await;
            health.standstill.beat();
            let now = if second % 2 == 0 { at(7260) } else { at(-7000) };
            health.note_mail(Some(queued), None, now);
        }
        assert_eq!(health.mail_ages(), (Some(Duration::from_secs(70)), None));
        // Another one is the oldest now.
        health.note_mail(Some(at(0)), Some(at(5)), at(65));
        health.note_mail(Some(at(60)), Some(at(5)), at(65));
        let seconds = |s| Some(Duration::from_secs(s));
        assert_eq!(health.mail_ages(), (seconds(5), seconds(60)));
        health.note_mail(None, None, at(65));
        assert_eq!(health.mail_ages(), (None, None));
    }

    #[test]
    fn lateness_falls_into_its_bin() {
        let health = Health::new(Timestamp::from_ms(0));
        for ms in [0, 1, 2, 3, 100, 101, 70_000] {
            health.note_lateness(Duration::from_millis(ms));
        }
        let (bins, sum) = health.lateness();
        assert_eq!(bins, [2, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1]);
        assert_eq!(sum, 70_207);
    }

    #[test]
    fn commits_fall_into_their_bin() {
        let health = Health::new(Timestamp::from_ms(0));
        for us in [1, 500, 501, 31_000_000] {
            health.note_commit(Duration::from_micros(us));
        }
        let (bins, sum) = health.commits();
        assert_eq!(bins, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(sum, 31_001_002);
    }
}
