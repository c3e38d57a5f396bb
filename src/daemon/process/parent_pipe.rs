//! A daemon that belongs to another process: it notices when that one is gone, however it ended.

use std::io;
use std::os::fd::AsFd;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

/// Standard input as a pipe whose other end nobody writes to: it ends with whoever holds it.
#[derive(Debug)]
pub(in crate::daemon) struct Leash(Option<Receiver>);

impl Leash {
    /// Nobody's daemon.
    pub(in crate::daemon) const fn none() -> Self {
        Self(None)
    }

    /// Must be called in a runtime.
    ///
    /// # Errors
    /// Standard input is no pipe.
    pub(in crate::daemon) fn of_standard_input() -> io::Result<Self> {
        let pipe = io::stdin().as_fd().try_clone_to_owned()?;
        Ok(Self(Some(Receiver::from_owned_fd(pipe)?)))
    }

    /// Returns once, when the other end is gone.
    pub(super) async fn slipped(&mut self) {
        let Some(pipe) = &mut self.0 else {
            return std::future::pending().await;
        };
        let mut heard = [0; 64];
        while matches!(pipe.read(&mut heard).await, Ok(1..)) {}
        self.0 = None;
    }
}
