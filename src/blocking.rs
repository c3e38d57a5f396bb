//! Work that blocks, or that others make long, on a thread of its own; a machine that gives no thread is an error and
//! no panic.

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::thread;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::runtime;
use tokio::sync::oneshot;

/// A thread that a peer keeps busy comes after those that check and send.
const NICENESS: i32 = 5;

/// How often it is looked at what such a thread has cost.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Does the work on another thread than the one that checks.
///
/// # Errors
/// When the system gives no thread, or the work panicked.
pub(crate) async fn run<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    // The runtime panics where it has no thread and can have none.
    let begun = panic::catch_unwind(AssertUnwindSafe(|| tokio::task::spawn_blocking(work)));
    match begun {
        Ok(working) => working.await.map_err(io::Error::other),
        Err(_) => Err(io::ErrorKind::WouldBlock.into()),
    }
}

/// Talks to a peer on a thread and in a runtime of their own: what the peer makes it cost delays nothing else. Ends
/// with `None` when that was more than `cost_max` of the processor; ends also when nobody waits for the outcome any
/// more.
///
/// # Errors
/// When the system gives no thread or no runtime, or the work panicked.
pub(crate) async fn talk_apart<F>(
    cost_max: Duration,
    work: impl FnOnce() -> F + Send + 'static,
) -> io::Result<Option<F::Output>>
where
    F: Future,
    F::Output: Send + 'static,
{
    let (mut answer, came) = oneshot::channel();
    let talking = move || {
        // 0 is this thread alone. A sandbox may forbid it.
        let _ = rustix::process::setpriority_process(None, NICENESS);
        let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                let _ = answer.send(Err(error));
                return;
            }
        };
        let outcome = runtime.block_on(async {
            tokio::select! {
                outcome = work() => Some(Some(outcome)),
                () = costs_more_than(cost_max) => Some(None),
                () = answer.closed() => None,
            }
        });
        if let Some(outcome) = outcome {
            let _ = answer.send(Ok(outcome));
        }
        // A name that the system is still looking up is not waited for.
        runtime.shutdown_background();
    };
    thread::Builder::new()
        .name("peer".to_owned())
        .spawn(talking)?;
    came.await.map_err(io::Error::other)?
}

/// Returns when this thread has taken more than that of the processor.
async fn costs_more_than(cost_max: Duration) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let cost = clock_gettime(ClockId::ThreadCPUTime);
        let seconds = u64::try_from(cost.tv_sec).unwrap_or_default();
        let nanoseconds = u32::try_from(cost.tv_nsec).unwrap_or_default();
        if Duration::new(seconds, nanoseconds) > cost_max {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A peer that always has something to read.
    async fn busy() {
        loop {
            let work: u64 = (0..200_000_u64).fold(0, |sum, n| sum ^ n.wrapping_mul(7));
            std::hint::black_box(work);
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_peer_costs_so_much_and_no_more() {
        let cost_max = Duration::from_millis(100);
        let mut talk = std::pin::pin!(talk_apart(cost_max, busy));
        let mut turns = 0;
        let outcome = loop {
            tokio::select! {
                outcome = &mut talk => break outcome,
                () = tokio::time::sleep(Duration::from_millis(5)) => turns += 1,
            }
        };
        assert!(outcome.unwrap().is_none());
        assert!(turns > 0, "nothing else went on meanwhile");
        let done = talk_apart(cost_max, || async { 7 }).await;
        assert_eq!(done.unwrap(), Some(7));
        let broken = talk_apart(cost_max, || async { panic!("on purpose") }).await;
        assert!(broken.is_err());
    }

    #[tokio::test]
    async fn what_nobody_waits_for_ends() {
        let (alive, gone) = oneshot::channel::<()>();
        let waits = talk_apart(Duration::from_secs(60), || async move {
            let _alive = alive;
            std::future::pending::<()>().await;
        });
        let soon = tokio::time::timeout(Duration::from_millis(20), waits).await;
        assert!(soon.is_err());
        assert!(gone.await.is_err());
    }

    #[tokio::test]
    async fn the_outcome_or_an_error() {
        assert_eq!(run(|| 7).await.unwrap(), 7);
        let broken = run(|| panic!("on purpose")).await;
        assert!(broken.is_err());
    }
}
