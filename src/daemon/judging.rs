//! Judges answers: beside the thread that starts checks where the site decides what that costs.
//!
//! A few threads, since each may hold what one answer may take (a decoder's window, a list of JSON values); the others
//! wait for a place. They wait in the task of their check, so there are never more of them than checks, and what they
//! wait is not counted as their site's time.

use std::panic::AssertUnwindSafe;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::{Semaphore, oneshot};

use crate::domain::check::Check;
use crate::domain::expectation::Expectation;
use crate::domain::probe::Probe;
use crate::domain::target::Target;
use crate::domain::text;
use crate::policy::judge::{is_light, judge_or_fail};

/// So many answers are decoded, read and searched at a time: each may take 32 MiB beside its body.
const THREADS: usize = 2;

/// Paths of a configuration go as deep as they are long; this is reserved, and used as far as one goes.
const STACK_BYTES: usize = 8 * 1024 * 1024;

/// The thread that starts checks comes first where both want the processor.
const NICE: i32 = 10;

type Job = Box<dyn FnOnce() + Send>;

/// A check, and the message of a panic while its answer was judged.
pub type Judged = (Check, Option<String>);

/// The threads, from the first answer on that needs one.
#[derive(Debug)]
pub struct Judges {
    places: Arc<Semaphore>,
    jobs: OnceLock<Option<SyncSender<Job>>>,
}

impl Default for Judges {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(THREADS)),
            jobs: OnceLock::new(),
        }
    }
}

impl Judges {
    /// Judges a probe.
    ///
    /// # Errors
    /// The message of a panic that was not the answer's.
    pub async fn judge(
        &self,
        expectation: &Arc<Expectation>,
        target: &Target,
        probe: Probe,
    ) -> Result<Judged, String> {
        if is_light(expectation, &probe) {
            return Ok(judge_or_fail(expectation, target, probe));
        }
        let (expectation, target) = (Arc::clone(expectation), target.clone());
        self.run(move || judge_or_fail(&expectation, &target, probe))
            .await
    }

    /// Does some work on one of the threads, and here where the system gives us none.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, String> {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let Some(jobs) = self.jobs.get_or_init(start) else {
            return Ok(work());
        };
        let (done, outcome) = oneshot::channel();
        let job: Job = Box::new(move || {
            let result = std::panic::catch_unwind(AssertUnwindSafe(work))
                .map_err(|panic| text::of_panic(&*panic));
            // Only now may another begin, also where nobody waits for this one any more.
            drop(place);
            let _ = done.send(result);
        });
        // There are as many seats in the queue as places, so it is never full.
        if jobs.try_send(job).is_err() {
            return Err("no thread takes the answer".to_owned());
        }
        outcome
            .await
            .unwrap_or_else(|_| Err("the thread that judged the answer ended".to_owned()))
    }
}

/// Starts the threads; none if there is not one.
fn start() -> Option<SyncSender<Job>> {
    let (sender, receiver) = sync_channel(THREADS);
    let receiver = Arc::new(Mutex::new(receiver));
    let mut started = 0;
    for number in 1..=THREADS {
        let receiver = Arc::clone(&receiver);
        let thread = std::thread::Builder::new()
            .name(format!("judge-{number}"))
            .stack_size(STACK_BYTES)
            .spawn(move || serve(&receiver));
        match thread {
            Ok(_) => started += 1,
            Err(error) => tracing::warn!(
                %error,
                "no thread to judge answers: long ones may hold up other checks for a moment"
            ),
        }
    }
    (started > 0).then_some(sender)
}

/// Takes one job after the other until nobody can send any more.
fn serve(jobs: &Mutex<Receiver<Job>>) {
    // 0 is this thread alone. Being less polite is no reason to give up.
    let _ = rustix::process::setpriority_process(None, NICE);
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            Ok(job) => job(),
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::time::Duration;

    use super::*;

    /// Keeps a thread busy for a while.
    fn pass(ms: u64) {
        let (_kept, nothing) = std::sync::mpsc::channel::<()>();
        let _ = nothing.recv_timeout(Duration::from_millis(ms));
    }

    #[tokio::test]
    async fn no_more_than_the_threads_work_at_once_and_the_runtime_goes_on() {
        let judges = Arc::new(Judges::default());
        let working = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(0));
        let mut tasks = Vec::new();
        for number in 0..6 {
            let (judges, working, most) =
                (Arc::clone(&judges), Arc::clone(&working), Arc::clone(&most));
            tasks.push(tokio::spawn(async move {
                let work = move || {
                    most.fetch_max(working.fetch_add(1, SeqCst) + 1, SeqCst);
                    pass(20);
                    working.fetch_sub(1, SeqCst);
                    let name = std::thread::current().name().unwrap_or_default().to_owned();
                    (number, name)
                };
                judges.run(work).await
            }));
        }
        for (number, task) in tasks.into_iter().enumerate() {
            let (it, name) = task.await.unwrap().unwrap();
            assert_eq!(it, number);
            assert!(name.starts_with("judge-"), "{name}");
        }
        assert_eq!(most.load(SeqCst), THREADS);
    }

    #[tokio::test]
    async fn a_panic_is_told_and_ends_no_thread() {
        let judges = Judges::default();
        for _ in 0..2 * THREADS {
            let panicked = judges.run(|| panic!("told")).await;
            let panicked: Result<(), String> = panicked;
            assert_eq!(panicked, Err("told".to_owned()));
        }
        assert_eq!(judges.run(|| 1).await, Ok(1));
    }

    #[tokio::test]
    async fn a_check_that_is_given_up_keeps_its_place_until_it_ends() {
        let judges = Judges::default();
        for _ in 0..THREADS {
            let work = judges.run(|| pass(100));
            let given_up = tokio::time::timeout(Duration::from_millis(5), work).await;
            assert!(given_up.is_err());
        }
        assert_eq!(judges.places.available_permits(), 0);
        assert_eq!(judges.run(|| 1).await, Ok(1));
    }
}
