//! Judges answers: beside the thread that starts checks where the site decides what that costs.
//!
//! A few threads, since each may hold what one answer may take (a decoder's window, a list of JSON values); the others
//! wait for a place. They wait in the task of their check, so there are never more of them than checks, and what they
//! wait is not counted as their site's time. Who was expensive last time shares one place with all who were: a few
//! expensive sites do not hold up the rest.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::AssertUnwindSafe;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use regex::bytes::Regex;
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::blocking;
use crate::daemon::process::background;
use crate::domain::check::Check;
use crate::domain::duration_text::Human;
use crate::domain::evidence::Keep;
use crate::domain::expectation::Expectation;
use crate::domain::observed::Observed;
use crate::domain::pattern_search::{STEPS_MAX, Searched, Searches, TooCostly};
use crate::domain::probe::{Answer, End, Probe};
use crate::domain::safe_text;
use crate::domain::subject::Subject;
use crate::domain::target::Target;
use crate::policy::verdict::judge::{body_of, is_light, judge_and_keep, judge_unread, release};
use crate::policy::verdict::{dns, evidence, judge, ping, socket};
use crate::probe::Search;

/// So many answers are decoded, read and searched at a time: each may take 32 MiB beside its body.
const THREADS: usize = 2;

/// So many of them may be those of sites that were expensive last time.
const EXPENSIVE_AT_ONCE: usize = 1;

/// An answer that took more of the processor than this was expensive. A page of 1 MiB that is decoded and searched for
/// a few words takes a tenth of it.
const EXPENSIVE_FROM: Duration = Duration::from_millis(100);

/// Expensive sites that are remembered; beyond, all are forgotten and found out again.
const EXPENSIVE_KEPT_MAX: usize = 10_000;

/// An answer of the daemon waits at most this long for a place. Then its check is `unknown`: its site is not to blame
/// for what others cost.
pub const WAIT_MAX: Duration = Duration::from_secs(30);

/// So long after it got one, the daemon waits for the verdict no longer: who else wants the processor may leave little
/// of it, and a check has to end. The work goes on and keeps its place.
pub const VERDICT_MAX: Duration = Duration::from_secs(60);

/// Paths of a configuration go as deep as they are long; this is reserved, and used as far as one goes.
const STACK_BYTES: usize = 8 * 1024 * 1024;

type Job = Box<dyn FnOnce() + Send>;

/// A check, and the message of a panic while its answer was judged.
pub type Judged = (Check, Option<String>);

/// The threads, from the first answer on that needs one.
#[derive(Debug)]
pub struct Judges {
    places: Arc<Semaphore>,
    expensive_places: Arc<Semaphore>,
    /// Sites whose last answer was expensive, as hashes of their URLs.
    expensive: Mutex<HashSet<u64>>,
    jobs: OnceLock<Option<SyncSender<Job>>>,
    manner: Manner,
}

/// Who else wants the processor, and how long an answer may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// A command: nothing else is to be done.
    Alone,
    /// The daemon: the thread that starts checks comes first.
    Behind,
}

impl Default for Judges {
    fn default() -> Self {
        Self::new(Manner::Alone)
    }
}

/// What an answer may hold while it is judged.
struct Places(
    #[expect(dead_code, reason = "they are given back when they are dropped")]
    [Option<OwnedSemaphorePermit>; 2],
);

impl Judges {
    /// For the daemon: the thread that starts checks comes first, and no answer is waited for for ever.
    pub fn behind_checks() -> Self {
        Self::new(Manner::Behind)
    }

    fn new(manner: Manner) -> Self {
        Self {
            places: Arc::new(Semaphore::new(THREADS)),
            expensive_places: Arc::new(Semaphore::new(EXPENSIVE_AT_ONCE)),
            expensive: Mutex::default(),
            jobs: OnceLock::new(),
            manner,
        }
    }

    /// Judges what a probe of a subject saw.
    ///
    /// # Errors
    /// The message of a panic that was not the answer's.
    pub async fn judge(&self, subject: &Subject, observed: Observed) -> Result<Judged, String> {
        let judged = self
            .judge_and_keep(subject, observed, Keep::Nothing)
            .await?;
        Ok((judged.check, judged.panic))
    }

    /// As [`Self::judge`], with what is kept of the answer.
    ///
    /// # Errors
    /// The message of a panic that was not the answer's.
    pub async fn judge_and_keep(
        &self,
        subject: &Subject,
        observed: Observed,
        keep: Keep,
    ) -> Result<judge::Judged, String> {
        let evidence = evidence::of_other_kinds(subject, &observed, keep).map(Box::new);
        let check = match (subject, observed) {
            (Subject::Http(http), Observed::Http(probe)) => {
                return self
                    .judge_http(&http.expectation, &http.target, probe, keep)
                    .await;
            }
            (subject, Observed::Socket(probe)) => socket::judge(subject, *probe),
            (Subject::Icmp(icmp), Observed::Pings(probe)) => ping::judge(icmp, *probe),
            (Subject::Dns(dns), Observed::Answers(probe)) => dns::judge(dns, *probe),
            (_, Observed::Http(_) | Observed::Pings(_) | Observed::Answers(_)) => {
                return Err("the probe was of another kind of monitor".to_owned());
            }
        };
        Ok(judge::Judged {
            check,
            panic: None,
            evidence,
        })
    }

    /// Judges an answer in HTTP.
    ///
    /// # Errors
    /// The message of a panic that was not the answer's.
    pub async fn judge_answer(
        &self,
        expectation: &Arc<Expectation>,
        target: &Target,
        probe: Probe,
    ) -> Result<Judged, String> {
        let judged = self
            .judge_http(expectation, target, probe, Keep::Nothing)
            .await?;
        Ok((judged.check, judged.panic))
    }

    async fn judge_http(
        &self,
        expectation: &Arc<Expectation>,
        target: &Target,
        mut probe: Probe,
        keep: Keep,
    ) -> Result<judge::Judged, String> {
        if is_light(expectation, &probe) {
            return Ok(judge_and_keep(expectation, target, probe, keep));
        }
        let site = hash_of(target.url_text());
        let was_expensive = self.expensive().contains(&site);
        let Some(places) = self.places(was_expensive).await else {
            if let Some(body) = body_of(&mut probe) {
                // Nobody waits for it, and where there is no thread for it, it is dropped here.
                drop(tokio::spawn(blocking::run(move || release(body))));
            }
            let why = unjudged_within(WAIT_MAX, "those of other sites take long");
            return Ok(unread_judged(expectation, target, probe, &why));
        };
        let unread = (self.manner == Manner::Behind).then(|| without_body(&mut probe));
        let work = {
            let (expectation, target) = (Arc::clone(expectation), target.clone());
            move || {
                let before = processor_time();
                let judged = judge_and_keep(&expectation, &target, probe, keep);
                (judged, processor_time().saturating_sub(before))
            }
        };
        let Some(done) = self.at_most(VERDICT_MAX, self.run(places, work)).await else {
            // It may not have been expensive, but neither may it hold up both places again.
            self.note(site, VERDICT_MAX);
            let why = unjudged_within(VERDICT_MAX, "this host is busy, or it takes long");
            let unread = unread.ok_or_else(|| why.clone())?;
            return Ok(unread_judged(expectation, target, unread, &why));
        };
        let (judged, took) = done?;
        self.note(site, took);
        Ok(judged)
    }

    /// Searches what a server said, as an answer in HTTP is searched.
    async fn search_aside(
        &self,
        site: u64,
        pattern: Arc<Regex>,
        bytes: Vec<u8>,
    ) -> Result<(Vec<u8>, bool), String> {
        let was_expensive = self.expensive().contains(&site);
        let Some(places) = self.places(was_expensive).await else {
            return Err(unjudged_within(WAIT_MAX, "those of other sites take long"));
        };
        let work = move || {
            let before = processor_time();
            let is_match =
                Searches::default().is_match(pattern.as_str(), Searched::Bytes, &bytes, || {
                    pattern.is_match(&bytes)
                });
            (bytes, is_match, processor_time().saturating_sub(before))
        };
        let Some(done) = self.at_most(VERDICT_MAX, self.run(places, work)).await else {
            self.note(site, VERDICT_MAX);
            let why = "this host is busy, or it takes long";
            return Err(unjudged_within(VERDICT_MAX, why));
        };
        let (bytes, is_match, took) = done?;
        self.note(site, took);
        match is_match {
            Ok(is_match) => Ok((bytes, is_match)),
            Err(TooCostly) => Err(format!(
                "`expect` takes more than {STEPS_MAX} steps in an answer of {} bytes; write one that repeats less",
                bytes.len()
            )),
        }
    }

    /// Waits for a place, in the order of asking; `None` if that takes too long.
    async fn places(&self, was_expensive: bool) -> Option<Places> {
        let both = async {
            let shared = match was_expensive {
                true => Arc::clone(&self.expensive_places)
                    .acquire_owned()
                    .await
                    .ok(),
                false => None,
            };
            let place = Arc::clone(&self.places).acquire_owned().await.ok();
            Places([place, shared])
        };
        self.at_most(WAIT_MAX, both).await
    }

    /// Waits for something; a command for as long as it takes, the daemon no longer than this.
    async fn at_most<T>(&self, limit: Duration, awaited: impl Future<Output = T>) -> Option<T> {
        match self.manner {
            Manner::Alone => Some(awaited.await),
            Manner::Behind => tokio::time::timeout(limit, awaited).await.ok(),
        }
    }

    fn expensive(&self) -> MutexGuard<'_, HashSet<u64>> {
        self.expensive
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, site: u64, took: Duration) {
        let mut expensive = self.expensive();
        if took <= EXPENSIVE_FROM {
            expensive.remove(&site);
            return;
        }
        if expensive.len() >= EXPENSIVE_KEPT_MAX {
            expensive.clear();
        }
        expensive.insert(site);
    }

    /// Does some work on one of the threads, and here where the system gives us none.
    async fn run<T: Send + 'static>(
        &self,
        places: Places,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, String> {
        let Some(jobs) = self.jobs.get_or_init(|| start(self.manner)) else {
            return Ok(work());
        };
        let (done, outcome) = oneshot::channel();
        let job: Job = Box::new(move || {
            let result = std::panic::catch_unwind(AssertUnwindSafe(work))
                .map_err(|panic| safe_text::of_panic(&*panic));
            // Only now may another begin, also where nobody waits for this one any more.
            drop(places);
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

impl Search for Judges {
    async fn search(
        &self,
        site: &str,
        pattern: Arc<Regex>,
        bytes: Vec<u8>,
    ) -> Result<(Vec<u8>, bool), String> {
        self.search_aside(hash_of(site), pattern, bytes).await
    }
}

fn unread_judged(
    expectation: &Expectation,
    target: &Target,
    probe: Probe,
    why: &str,
) -> judge::Judged {
    let (check, panic) = judge_unread(expectation, target, probe, why);
    judge::Judged {
        check,
        panic,
        evidence: None,
    }
}

fn unjudged_within(limit: Duration, why: &str) -> String {
    format!(
        "the answer could not be judged within {}: {why}",
        Human(limit)
    )
}

/// A copy of a probe without its body and its share of the room for bodies, which stay where they are.
fn without_body(probe: &mut Probe) -> Probe {
    fn answer_of(probe: &mut Probe) -> Option<&mut Answer> {
        match &mut probe.end {
            End::Answered(answer) => Some(answer),
            End::Failed { header, .. } => header.as_deref_mut(),
            End::Refused { .. } => None,
        }
    }
    let body = body_of(probe);
    let mut copy = probe.clone();
    if let Some(answer) = answer_of(&mut copy) {
        answer.place = None;
    }
    if let (Some(answer), Some(body)) = (answer_of(probe), body) {
        answer.body = body;
    }
    copy
}

fn hash_of(url: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    url.hash(&mut hasher);
    hasher.finish()
}

/// What this thread had of the processor so far.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.try_into().unwrap_or(0),
        time.tv_nsec.try_into().unwrap_or(0),
    )
}

/// Starts the threads; none if there is not one.
fn start(manner: Manner) -> Option<SyncSender<Job>> {
    let (sender, receiver) = sync_channel(THREADS);
    let receiver = Arc::new(Mutex::new(receiver));
    let mut started = 0;
    for number in 1..=THREADS {
        let receiver = Arc::clone(&receiver);
        let thread = std::thread::Builder::new()
            .name(format!("judge-{number}"))
            .stack_size(STACK_BYTES)
            .spawn(move || serve(&receiver, manner));
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
fn serve(jobs: &Mutex<Receiver<Job>>, manner: Manner) {
    match manner {
        Manner::Alone => {}
        Manner::Behind => background::step_back(),
    }
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

    use super::super::test_monitors;
    use super::*;
    use crate::domain::check::FailureKind;

    impl Judges {
        async fn do_work<T: Send + 'static>(
            &self,
            work: impl FnOnce() -> T + Send + 'static,
        ) -> Result<T, String> {
            let places = self.places(false).await.expect("a place");
            self.run(places, work).await
        }
    }

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
                judges.do_work(work).await
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
            let panicked = judges.do_work(|| panic!("told")).await;
            let panicked: Result<(), String> = panicked;
            assert_eq!(panicked, Err("told".to_owned()));
        }
        assert_eq!(judges.do_work(|| 1).await, Ok(1));
    }

    #[tokio::test]
    async fn a_check_that_is_given_up_keeps_its_place_until_it_ends() {
        let judges = Judges::default();
        for _ in 0..THREADS {
            let work = judges.do_work(|| pass(100));
            let given_up = tokio::time::timeout(Duration::from_millis(5), work).await;
            assert!(given_up.is_err());
        }
        assert_eq!(judges.places.available_permits(), 0);
        assert_eq!(judges.do_work(|| 1).await, Ok(1));
    }

    #[tokio::test]
    async fn those_that_were_expensive_leave_a_place_to_others() {
        let judges = Arc::new(Judges::behind_checks());
        judges.note(7, EXPENSIVE_FROM * 2);
        let first = judges.places(true).await.expect("a place");
        for _ in 0..3 {
            let judges = Arc::clone(&judges);
            tokio::spawn(async move { judges.places(true).await.is_some() });
        }
        tokio::task::yield_now().await;
        assert_eq!(judges.do_work(|| 1).await, Ok(1));
        drop(first);
        judges.note(7, EXPENSIVE_FROM);
        assert!(judges.expensive().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_waits_for_a_place_and_gives_up_in_the_end() {
        let judges = Judges::behind_checks();
        let taken = [judges.places(false).await, judges.places(false).await];
        assert!(taken.iter().all(Option::is_some));
        let begun = crate::clock::tick();
        assert!(judges.places(false).await.is_none());
        assert_eq!(begun.elapsed(), WAIT_MAX);
        drop(taken);
        assert!(judges.places(false).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_could_judge_is_our_fault() {
        let judges = Judges::behind_checks();
        let _taken = [judges.places(false).await, judges.places(false).await];
        let (expectation, target, probe) = test_monitors::heavy_answer();
        let (check, panic) = judges
            .judge_answer(&expectation, &target, probe)
            .await
            .unwrap();
        assert_eq!(panic, None);
        let failure = check.verdict.failure().expect("a reason");
        assert_eq!(check.verdict.state().to_string(), "unknown");
        assert_eq!(failure.kind.as_str(), "local");
        assert_eq!(
            &*failure.detail,
            "the answer could not be judged within 30s: those of other sites take long"
        );
        assert_eq!((check.status, check.body_bytes), (Some(200), 1 << 20));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_that_is_known_without_the_body_stays_one() {
        let judges = Judges::behind_checks();
        let _taken = [judges.places(false).await, judges.places(false).await];
        let (expectation, target, mut probe) = test_monitors::heavy_answer();
        let End::Answered(mut answer) = probe.end.clone() else {
            panic!("an answer");
        };
        answer.hop.status = 500;
        probe.end = End::Answered(answer.clone());
        let judged = judges
            .judge_answer(&expectation, &target, probe.clone())
            .await;
        let (check, panic) = judged.unwrap();
        let failure = check.verdict.failure().expect("a reason");
        assert_eq!(check.verdict.state().to_string(), "down");
        assert_eq!(failure.kind.as_str(), "status");
        assert_eq!((panic, &check.excerpt), (None, &None));
        assert_eq!((check.status, check.body_bytes), (Some(500), 1 << 20));
        probe.end = End::Failed {
            kind: FailureKind::BodyTruncated,
            detail: "it was closed".to_owned(),
            url: answer.hop.url.clone(),
            remote_addr: None,
            header: Some(Box::new(answer)),
        };
        let (check, _) = judges
            .judge_answer(&expectation, &target, probe)
            .await
            .unwrap();
        let failure = check.verdict.failure().expect("a reason");
        assert_eq!(check.verdict.state().to_string(), "down");
        assert_eq!(&*failure.detail, "it was closed");
    }

    #[tokio::test(start_paused = true)]
    async fn a_verdict_that_does_not_come_is_waited_for_no_longer() {
        let judges = Judges::behind_checks();
        // Threads that take no jobs, as where others have all of the processor.
        let (jobs, waiting) = sync_channel(THREADS);
        judges.jobs.set(Some(jobs)).expect("none yet");
        let (expectation, target, probe) = test_monitors::heavy_answer();
        let begun = crate::clock::tick();
        let (check, _) = judges
            .judge_answer(&expectation, &target, probe)
            .await
            .unwrap();
        assert_eq!(begun.elapsed(), VERDICT_MAX);
        let failure = check.verdict.failure().expect("a reason");
        assert_eq!(check.verdict.state().to_string(), "unknown");
        assert_eq!(
            &*failure.detail,
            "the answer could not be judged within 1m: this host is busy, or it takes long"
        );
        // The work is still to be done, whole, and has its place until then.
        assert_eq!(judges.places.available_permits(), THREADS - 1);
        waiting.try_recv().expect("the job")();
        assert_eq!(judges.places.available_permits(), THREADS);
        assert_eq!(judges.expensive().len(), 1);
    }
}
