//! Work that may take long while nothing is watched: of a start, and of a new start within the same process.

use std::io;
use std::time::Duration;

use tokio::sync::oneshot;

use super::parent_pipe::Leash;
use super::signals::{Ending, Signals, Told};
use crate::service;

/// While the database is migrated or looked through, systemd is asked for this much more time ..
pub(in crate::daemon) const PATIENCE: Duration = Duration::from_secs(30);
/// .. this often.
const PATIENCE_EVERY: Duration = Duration::from_secs(10);

/// What became of the work.
#[must_use]
pub(in crate::daemon) enum Waited<T> {
    /// It ended.
    Done(T),
    /// The daemon is to end, and does not wait for it.
    Stopped(Ending),
}

/// Does what may take long on a thread of its own, and says `what` it is in the unit's status. Meanwhile systemd is
/// asked for patience, its watchdog is fed, and a signal that stops is obeyed at once: then the work goes on until the
/// process ends, as if it had been killed. What is to take only so long has to see to that itself.
///
/// # Errors
/// When the system gives no thread, or the work panicked.
pub(in crate::daemon) fn patiently<T: Send + 'static>(
    what: &str,
    is_leashed: bool,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<Waited<T>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (done, mut is_done) = oneshot::channel();
    runtime.block_on(async {
        let leash = match is_leashed {
            true => Leash::of_standard_input()?,
            false => Leash::none(),
        };
        let mut signals = Signals::listen(leash)?;
        let every = service::watchdog_within().map_or(PATIENCE_EVERY, |within| within / 4);
        let every = every.min(PATIENCE_EVERY);
        std::thread::Builder::new()
            .name("start".to_owned())
            .spawn(move || {
                let _ = done.send(work());
            })?;
        loop {
            let ending = tokio::select! {
                outcome = &mut is_done => return outcome.map(Waited::Done).map_err(io::Error::other),
                told = signals.next() => match told {
                    Told::Stop => Ending::Orderly,
                    Told::Abandoned => {
                        // Its files go with it: nothing may be written any more.
                        let _ = (&mut is_done).await;
                        Ending::Abandoned
                    }
                    Told::Reload => {
                        tracing::warn!("the configuration is not read again before sites are watched");
                        continue;
                    }
                },
                () = tokio::time::sleep(every) => {
                    service::extend_timeout(PATIENCE);
                    service::watchdog();
                    service::status(what);
                    continue;
                }
            };
            service::stopping("stopping");
            tracing::info!("stopped, before sites were watched");
            return Ok(Waited::Stopped(ending));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outcome_of_the_work_or_that_it_broke() {
        let done = patiently("at work", false, || 7).unwrap();
        assert!(matches!(done, Waited::Done(7)));
        assert!(patiently("at work", false, || panic!("on purpose")).is_err());
    }
}
