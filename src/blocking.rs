//! Work that blocks, on a thread of its own; a machine that gives no thread is an error and no panic.

use std::io;
use std::panic::{self, AssertUnwindSafe};

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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_outcome_or_an_error() {
        assert_eq!(run(|| 7).await.unwrap(), 7);
        let broken = run(|| panic!("on purpose")).await;
        assert!(broken.is_err());
    }
}
