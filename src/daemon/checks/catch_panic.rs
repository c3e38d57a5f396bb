//! Runs a future so that its panic is a value: one broken check is not the end of the daemon.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::Poll;

use crate::domain::safe_text;

/// Runs a future to its end, or to the message of its panic. It is pinned by the caller: taken by value it would
/// take its room twice.
pub(in crate::daemon) fn caught<T>(
    mut future: Pin<&mut impl Future<Output = T>>,
) -> impl Future<Output = Result<T, String>> {
    std::future::poll_fn(move |context| {
        // A future that panicked is not polled again, so nobody sees what it left half done.
        let polled = std::panic::catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Err(panic) => Poll::Ready(Err(safe_text::of_panic(&*panic))),
        }
    })
}
