//! Lines for a log that may be slow, or that nobody reads. The lines wait here, so that their writers need not wait.

use std::io::{self, Write};
use std::mem;
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};

use super::journal;
use super::targets;

/// Lines that wait at most: what a start with 10 000 monitors says at the level `debug`.
const LINES_MAX: usize = 10_000;
/// Bytes of all lines that wait at most. Twice as much is in memory while a batch is being written.
const BYTES_MAX: usize = 1024 * 1024;
/// Buffers that a burst made larger than this are given back.
const KEPT_BYTES: usize = 64 * 1024;

/// Lines that were lost since the start. One process has one log.
static LOST: AtomicU64 = AtomicU64::new(0);

/// How many lines of the log were lost since the start.
pub fn lost() -> u64 {
    LOST.load(Relaxed)
}

/// Where the lines go.
#[derive(Debug)]
pub(super) enum Outlet {
    /// Standard error.
    Stderr,
    /// The journal's socket, by this one.
    Journal(UnixDatagram),
    /// A pipe of a test.
    #[cfg(test)]
    Pipe(std::io::PipeWriter),
}

/// Takes lines and never blocks; a thread writes them.
#[derive(Debug, Clone)]
pub(super) struct Queue(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Batch,
    /// Lost since that was last said.
    lost: u64,
    is_writing: bool,
}

/// Records one after the other, each with its end.
#[derive(Debug, Default)]
struct Batch {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Batch {
    fn clear(&mut self) {
        if self.bytes.capacity() > KEPT_BYTES {
            *self = Self::default();
        } else {
            self.bytes.clear();
            self.ends.clear();
        }
    }

    fn records(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .filter_map(|(start, end)| self.bytes.get(start..*end))
    }
}

impl Queue {
    /// Starts the thread that writes.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(outlet: Outlet) -> io::Result<Self> {
        let queue = Self(Arc::default());
        let shared = Arc::clone(&queue.0);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || shared.write_on(&outlet))?;
        Ok(queue)
    }

    /// Takes one record, or counts it as lost.
    pub(super) fn push(&self, record: &[u8]) {
        let mut state = self.0.lock();
        let waiting = &mut state.waiting;
        if waiting.ends.len() >= LINES_MAX || waiting.bytes.len() + record.len() > BYTES_MAX {
            state.lost += 1;
            LOST.fetch_add(1, Relaxed);
            return;
        }
        waiting.bytes.extend_from_slice(record);
        waiting.ends.push(waiting.bytes.len());
        drop(state);
        self.0.changed.notify_all();
    }

    /// Waits until everything is written, but not longer than this.
    pub(super) fn flush(&self, within: Duration) {
        let state = self.0.lock();
        let busy = |state: &mut State| state.is_writing || !state.waiting.ends.is_empty();
        drop(self.0.changed.wait_timeout_while(state, within, busy));
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_on(&self, outlet: &Outlet) {
        let mut batch = Batch::default();
        // A reader that takes nothing is not told that it lost something: that would be the next line to be lost.
        let mut is_refused = false;
        loop {
            let mut state = self.lock();
            state.is_writing = false;
            self.changed.notify_all();
            let mut state = self
                .changed
                .wait_while(state, |state| state.waiting.ends.is_empty())
                .unwrap_or_else(PoisonError::into_inner);
            mem::swap(&mut batch, &mut state.waiting);
            state.is_writing = true;
            drop(state);
            if !is_refused {
                // They are missing behind this batch and the queue is empty: the word about them comes here.
                self.say_lost();
            }
            let not_taken = write(outlet, &batch);
            batch.clear();
            LOST.fetch_add(not_taken, Relaxed);
            self.lock().lost += not_taken;
            if mem::replace(&mut is_refused, not_taken > 0) && !is_refused {
                self.say_lost();
            }
        }
    }

    fn say_lost(&self) {
        let lost = mem::take(&mut self.lock().lost);
        match lost {
            0 => {}
            1 => tracing::warn!(target: targets::TROUBLE, "1 line of the log was lost"),
            lost => tracing::warn!(target: targets::TROUBLE, "{lost} lines of the log were lost"),
        }
    }
}

/// Writes everything. Answers how many lines were not taken although more may be taken later; a standard error that
/// is closed hears nothing any more, and nothing is missed there.
fn write(outlet: &Outlet, batch: &Batch) -> u64 {
    match outlet {
        Outlet::Stderr => {
            // Not by the library's handle: its lock would be held for as long as the write takes.
            write_all(&batch.bytes, |bytes| {
                Ok(rustix::io::write(rustix::stdio::stderr(), bytes)?)
            });
            0
        }
        Outlet::Journal(socket) => {
            let refused = batch
                .records()
                .filter(|record| journal::send(socket, record).is_err());
            u64::try_from(refused.count()).unwrap_or(u64::MAX)
        }
        #[cfg(test)]
        Outlet::Pipe(pipe) => {
            let mut pipe = pipe;
            write_all(&batch.bytes, |bytes| pipe.write(bytes));
            0
        }
    }
}

fn write_all(mut bytes: &[u8], mut write: impl FnMut(&[u8]) -> io::Result<usize>) {
    while !bytes.is_empty() {
        match write(bytes) {
            Ok(0) => return,
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Another process has made our standard error non-blocking.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let stderr = rustix::stdio::stderr();
                if poll(&mut [PollFd::new(&stderr, PollFlags::OUT)], None).is_err() {
                    return;
                }
            }
            Err(_) => return,
        }
    }
}

/// The formatter's writer: it hands over one whole line at a time.
impl Write for Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes a last message to standard error, but waits no longer than this for somebody to take it.
pub fn say_within(text: String, within: Duration) {
    let (done, is_done) = mpsc::channel();
    let writing = thread::Builder::new().spawn(move || {
        write_all(text.as_bytes(), |bytes| {
            Ok(rustix::io::write(rustix::stdio::stderr(), bytes)?)
        });
        // Nobody may wait any more.
        let _ = done.send(());
    });
    if writing.is_ok() {
        // Too late or done: the process ends in both cases.
        let _ = is_done.recv_timeout(within);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::clock;

    /// Long enough for a busy machine.
    const PATIENCE: Duration = Duration::from_secs(30);

    #[test]
    fn what_is_written_arrives_in_order() {
        let (mut reader, writer) = io::pipe().unwrap();
        let queue = Queue::start(Outlet::Pipe(writer)).unwrap();
        for line in ["one\n", "two\n", "three\n"] {
            queue.push(line.as_bytes());
        }
        queue.flush(PATIENCE);
        let mut heard = [0; 14];
        reader.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"one\ntwo\nthree\n");
    }

    /// A queue whose thread is held up by a full pipe.
    fn held_up() -> (io::PipeReader, Queue) {
        let (reader, writer) = io::pipe().unwrap();
        let queue = Queue::start(Outlet::Pipe(writer)).unwrap();
        // More than a pipe holds.
        queue.push(&[b'x'; 100_000]);
        let begun = clock::tick();
        while !queue.0.lock().is_writing {
            assert!(begun.elapsed() < PATIENCE);
        }
        (reader, queue)
    }

    #[test]
    fn a_reader_that_sleeps_costs_lines_and_no_time() {
        let (mut reader, queue) = held_up();
        let line = [b'x'; 1000];
        for _ in 0..5000 {
            queue.push(&line);
        }
        queue.flush(Duration::from_millis(50));
        {
            let state = queue.0.lock();
            assert_eq!(state.waiting.ends.len(), BYTES_MAX / 1000);
            assert_eq!(state.lost, 5000 - BYTES_MAX as u64 / 1000);
        }
        thread::Builder::new()
            .spawn(move || io::copy(&mut reader, &mut io::sink()))
            .unwrap();
        queue.flush(PATIENCE);
        assert_eq!(queue.0.lock().lost, 0, "it was said");
    }

    #[test]
    fn many_small_lines_are_bounded_too() {
        let (_reader, queue) = held_up();
        for _ in 0..=LINES_MAX {
            queue.push(b"x\n");
        }
        let state = queue.0.lock();
        assert_eq!((state.waiting.ends.len(), state.lost), (LINES_MAX, 1));
    }

    #[test]
    fn a_closed_log_is_no_reason_to_wait() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let queue = Queue::start(Outlet::Pipe(writer)).unwrap();
        for _ in 0..1000 {
            queue.push(&[b'x'; 1000]);
        }
        let before = clock::tick();
        queue.flush(PATIENCE);
        assert!(before.elapsed() < PATIENCE);
        assert_eq!(queue.0.lock().waiting.ends.len(), 0);
    }
}
