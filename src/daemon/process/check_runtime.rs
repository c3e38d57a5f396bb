//! The runtime of the thread that checks.

use std::io;

use tokio::runtime::{Builder, Runtime};

/// So many turns of tasks at most lie between two looks at sockets and timers; tokio's own number is 61. A peer that
/// keeps a few tasks busy (QUIC has three for a connection) makes healthy checks wait for so many: with 61 for two
/// milliseconds. More looks cost a saturated daemon less than a hundredth.
const TURNS: u32 = 16;

/// A runtime on the thread that calls.
///
/// # Errors
/// The system gives no descriptors.
pub fn new() -> io::Result<Runtime> {
    Builder::new_current_thread()
        .event_interval(TURNS)
        .enable_all()
        .build()
}
