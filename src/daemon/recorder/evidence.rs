//! Which answers are kept: the first failing one of each suspicion, dropped when it was none, and a good one a day.
//!
//! Masking and packing take milliseconds: a thread does it that comes after everything else and ends when there is
//! nothing to do. What it packed comes back by the recorder's door. At a stop the recorder waits for it for a moment.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use super::engine::Recorder;
use super::evidence_shelf::{Shelf, bytes_of};
use super::message::Entry;
use super::queue::Door;
use super::staged::Deed;
use crate::daemon::process::background;
use crate::domain::check::{Check, Verdict};
use crate::domain::evidence::RawEvidence;
use crate::domain::monitor::MonitorId;
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::state::Status;
use crate::policy::verdict::evidence;
use crate::store::facts::evidence::{EvidenceRow, KeptAnswer};
use crate::store::transaction::Batch;

/// When what waits to be packed takes this much, in bytes, only the beginnings of bodies are kept; at twice as much
/// nothing is.
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// So much of a body is kept then, in bytes.
const SHORT_BODY_BYTES: usize = 2 * 1024;

/// So many rows are written in one go.
const ROWS_MAX: usize = 64;

/// The thread waits so long for work before it ends.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// At a stop the recorder waits so long for what is being packed. The whole of its last write may take 20 s.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// A day, in milliseconds.
const DAY_MS: i64 = 86_400_000;

/// An answer that is kept.
struct Job {
    monitor: MonitorId,
    check: Arc<Check>,
    raw: Box<RawEvidence>,
    is_good: bool,
    bytes_max: u64,
    /// What it takes while it waits.
    bytes: usize,
}

/// Takes answers from the shelf and has them packed.
pub struct Keeper {
    shelf: Shelf,
    door: Door,
    jobs: Option<Sender<Job>>,
    /// Its other end is dropped when the thread that was started last ends.
    ended: Option<Receiver<()>>,
    waiting_bytes: Arc<AtomicUsize>,
}

impl Keeper {
    /// Of this shelf; what is packed comes in by the door.
    pub fn new(shelf: Shelf, door: Door) -> Self {
        Self {
            shelf,
            door,
            jobs: None,
            ended: None,
            waiting_bytes: Arc::default(),
        }
    }

    fn pack(&mut self, mut job: Job) {
        let waiting = self.waiting_bytes.load(Relaxed);
        if waiting > BYTES_MAX {
            job.raw.is_cut |= job.raw.body.len() > SHORT_BODY_BYTES;
            job.raw.body.truncate(SHORT_BODY_BYTES);
            job.raw.body.shrink_to_fit();
        }
        job.bytes = bytes_of(&job.raw);
        if waiting + job.bytes > 2 * BYTES_MAX {
            tracing::warn!("too many answers wait to be packed; one is not kept");
            return;
        }
        self.waiting_bytes.fetch_add(job.bytes, Relaxed);
        let job = match &self.jobs {
            None => job,
            Some(jobs) => match jobs.send(job) {
                Ok(()) => return,
                // It had nothing to do for a while, and ended.
                Err(returned) => returned.0,
            },
        };
        self.waiting_bytes.store(job.bytes, Relaxed);
        match self.start() {
            Ok((jobs, ended)) => {
                // It has just begun, and waits.
                let _ = jobs.send(job);
                self.jobs = Some(jobs);
                self.ended = Some(ended);
            }
            Err(error) => {
                self.waiting_bytes.store(0, Relaxed);
                tracing::warn!("the system gives no thread to pack an answer: {error}");
            }
        }
    }

    fn start(&self) -> io::Result<(Sender<Job>, Receiver<()>)> {
        let (sender, receiver) = channel();
        let (alive, ended) = channel();
        let (door, waiting_bytes) = (self.door.clone(), Arc::clone(&self.waiting_bytes));
        thread::Builder::new()
            .name("evidence".into())
            .spawn(move || {
                work(&receiver, &door, &waiting_bytes);
                drop::<Sender<()>>(alive);
            })?;
        Ok((sender, ended))
    }

    /// Waits until everything is packed and has come in by the door, for so long at most. Whether it is.
    fn finish(mut self, most: Duration) -> bool {
        // Without a sender the thread ends when it has packed what waits.
        drop(self.jobs.take());
        let ended = self.ended.take();
        ended.is_none_or(|ended| {
            let ended = ended.recv_timeout(most);
            matches!(ended, Err(RecvTimeoutError::Disconnected))
        })
    }
}

fn work(jobs: &Receiver<Job>, door: &Door, waiting_bytes: &AtomicUsize) {
    background::step_back();
    loop {
        let first = match jobs.recv_timeout(IDLE_MAX) {
            Ok(job) => job,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
        };
        let bytes_max = first.bytes_max;
        let rows: Vec<EvidenceRow> = std::iter::once(first)
            .chain(jobs.try_iter())
            .take(ROWS_MAX)
            .filter_map(|job| {
                waiting_bytes.fetch_sub(job.bytes, Relaxed);
                packed(job)
            })
            .collect();
        if rows.is_empty() {
            continue;
        }
        door.push(Entry::Write(Box::new(move |batch: &mut Batch<'_>| {
            for row in &rows {
                batch.put_evidence(row, bytes_max)?;
            }
            Ok(())
        })));
    }
}

/// The answer as it is stored; a site that makes packing fail is one of which nothing is kept.
fn packed(job: Job) -> Option<EvidenceRow> {
    let work = move || {
        let kept = KeptAnswer {
            evidence: evidence::fit(*job.raw, &job.check),
            check: Check::clone(&job.check),
        };
        EvidenceRow::new(job.monitor, job.is_good, &kept)
    };
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)) {
        Ok(Ok(row)) => Some(row),
        Ok(Err(error)) => {
            tracing::warn!("an answer cannot be kept: {error}");
            None
        }
        Err(_) => {
            tracing::error!("an answer could not be packed; this is a bug");
            None
        }
    }
}

impl Recorder {
    /// Keeps answers from now on.
    pub fn keep_evidence(&mut self, keeper: Keeper) {
        keeper
            .shelf
            .set_on(self.config.history.evidence.keep.is_some());
        self.evidence = Some(keeper);
    }

    /// Nothing is kept from now on; what is being packed has come in by the door when this returns, if it is in time.
    pub(super) fn finish_evidence(&mut self) {
        let Some(keeper) = self.evidence.take() else {
            return;
        };
        if !keeper.finish(LAST_WAIT) {
            tracing::warn!(
                "stopping: some answers of failed checks were not packed in time, and are not kept as evidence"
            );
        }
    }

    /// The configuration is another one.
    pub(super) fn evidence_changed(&mut self) {
        if let Some(keeper) = &self.evidence {
            keeper
                .shelf
                .set_on(self.config.history.evidence.keep.is_some());
            keeper.shelf.forget_wishes();
        }
    }

    /// Looks at the answer of a check that was just decided on. `began` is what the check said of its beginning.
    pub(super) fn look_at_answer(&mut self, place: usize, check: &Arc<Check>, began: Timestamp) {
        let Some(keeper) = &mut self.evidence else {
            return;
        };
        let slot = &mut self.fleet.slots[place];
        let history = &self.config.history.evidence;
        if !slot.monitor.keep_evidence || history.keep.is_none() {
            return;
        }
        let is_good = match check.verdict {
            Verdict::Up => true,
            Verdict::Down(_) => false,
            Verdict::Degraded(_) | Verdict::Unknown(_) => {
                drop(keeper.shelf.take(slot.id, began));
                return;
            }
        };
        if is_good {
            let day = good_day(slot.id, check.at);
            if slot.good_day == day {
                return;
            }
            let Some(raw) = keeper.shelf.take(slot.id, began) else {
                keeper.shelf.want_good(slot.id);
                return;
            };
            slot.good_day = day;
            return self.keep(place, check, raw, true);
        }
        let Some(raw) = keeper.shelf.take(slot.id, began) else {
            return;
        };
        if first_failed(&slot.memory.kept.status) == Some(check.at) {
            self.keep(place, check, raw, false);
        }
    }

    fn keep(&mut self, place: usize, check: &Arc<Check>, mut raw: Box<RawEvidence>, is_good: bool) {
        // What waits for a database that takes no writes would pile up.
        if self.failure.is_some() {
            return;
        }
        let email = self.config.email.as_ref();
        if email.is_some_and(|email| !email.body_excerpt) {
            raw.is_cut |= !raw.body.is_empty();
            raw.body = Vec::new();
        }
        let monitor = self.fleet.slots[place].id;
        let bytes_max = self.config.history.evidence.bytes_max;
        if let Some(keeper) = &mut self.evidence {
            keeper.pack(Job {
                monitor,
                check: Arc::clone(check),
                raw,
                is_good,
                bytes_max,
                bytes: 0,
            });
        }
    }

    /// Drops the answer of a failure that was not confirmed, where the last step ended a suspicion.
    pub(super) fn drop_unconfirmed(
        &mut self,
        place: usize,
        suspected: Option<Timestamp>,
        now: Timestamp,
    ) {
        let slot = &self.fleet.slots[place];
        let Some(at) = suspected.filter(|_| self.evidence.is_some()) else {
            return;
        };
        if first_failed(&slot.memory.kept.status) == Some(at) {
            return;
        }
        let monitor = slot.id;
        let write = move |batch: &mut Batch<'_>| batch.drop_evidence(monitor, at);
        self.staged.deed(Deed::Write(Box::new(write)), now);
    }
}

/// The day of a monitor to which a good answer belongs. Each monitor's begins at a time of its own: those of thousands
/// are not packed all at once.
fn good_day(monitor: MonitorId, at: Timestamp) -> u16 {
    // Steps of the golden ratio lie far apart, however many they are.
    let step = monitor.0.wrapping_mul(53_398_771).rem_euclid(DAY_MS);
    // Days are counted from 1970 and fit for as long as anybody cares.
    u16::try_from((at.as_ms() + step).div_euclid(DAY_MS)).unwrap_or(u16::MAX)
}

/// The first failed check of a suspicion.
pub(super) fn suspected(status: &Status) -> Option<Timestamp> {
    match status {
        Status::Suspect { first_bad, .. } => Some(*first_bad),
        Status::Pending | Status::Up { .. } | Status::Down(_) | Status::Recovering { .. } => None,
    }
}

/// The first failed check of a suspicion or an outage.
fn first_failed(status: &Status) -> Option<Timestamp> {
    match status {
        Status::Suspect { first_bad, .. } => Some(*first_bad),
        Status::Down(outage) | Status::Recovering { outage, .. } => Some(outage.key.opened_at),
        Status::Pending | Status::Up { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::checks::test_monitors;
    use crate::daemon::recorder::queue::queue;
    use crate::domain::redaction::Masks;

    #[test]
    fn at_a_stop_everything_is_packed_first() {
        const JOBS: usize = 150;
        let (door, queue) = queue();
        let mut keeper = Keeper::new(Shelf::default(), door);
        let check = Arc::new(test_monitors::check());
        for number in 0..JOBS {
            let raw = RawEvidence {
                heads: Vec::new(),
                body: format!("line {number}\n").repeat(2_000).into_bytes(),
                is_decoded: true,
                is_cut: false,
                body_bytes: 0,
                masks: Masks::default(),
            };
            keeper.pack(Job {
                monitor: MonitorId(1),
                check: Arc::clone(&check),
                raw: Box::new(raw),
                is_good: false,
                bytes_max: 1 << 30,
                bytes: 0,
            });
        }
        let waiting = Arc::clone(&keeper.waiting_bytes);
        // A thread that steps back for others may wait long on a busy machine.
        assert!(keeper.finish(Duration::from_secs(300)));
        assert_eq!(waiting.load(Relaxed), 0);
        // Each write holds at most so many of them, and each has come in.
        let writes = queue.take(Duration::ZERO);
        assert!(writes.len() >= JOBS.div_ceil(ROWS_MAX), "{writes:?}");
        let is_write = |entry: &Entry| matches!(entry, Entry::Write(_));
        assert!(writes.iter().all(is_write), "{writes:?}");
    }

    #[test]
    fn the_days_of_monitors_begin_at_all_times() {
        let midnight = Timestamp::from_ms(1_795_392_000_000);
        let mut of_hours = [0; 24];
        for number in 1..=1_000 {
            let monitor = MonitorId(number);
            let first = good_day(monitor, midnight);
            assert_eq!(
                good_day(monitor, midnight.plus(Duration::from_secs(86_400))),
                first + 1
            );
            let hour = |hour: u64| midnight.plus(Duration::from_secs(hour * 3600));
            let begins = (0..24).find(|it| good_day(monitor, hour(it + 1)) > first);
            of_hours[usize::try_from(begins.unwrap()).unwrap()] += 1;
        }
        let (least, most) = (of_hours.iter().min(), of_hours.iter().max());
        assert!(least >= Some(&35) && most <= Some(&50), "{of_hours:?}");
    }
}
