//! Signals to the daemon, and the end of the process that it belongs to.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::parent_pipe::Leash;

/// How the daemon ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Ending {
    /// As asked, everything written.
    Orderly,
    /// Orderly, since the process that it belonged to is gone.
    Abandoned,
    /// By a second signal, or because something did not end in time: what is not written is lost.
    Forced,
}

/// What the daemon is asked from outside.
pub(in crate::daemon) enum Told {
    Stop,
    /// The process it belongs to is gone.
    Abandoned,
    Reload,
}

/// SIGTERM and SIGINT stop, SIGHUP reloads, the end of the leash stops as well.
pub(in crate::daemon) struct Signals {
    /// A file that reached a limit of this process is an error of its write; by itself the signal would end us.
    _file_too_large: Signal,
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    leash: Leash,
}

impl Signals {
    pub(in crate::daemon) fn listen(leash: Leash) -> io::Result<Self> {
        let file_too_large = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
        Ok(Self {
            _file_too_large: signal(file_too_large)?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            leash,
        })
    }

    pub(in crate::daemon) async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::Stop,
            _ = self.interrupt.recv() => Told::Stop,
            _ = self.hang_up.recv() => Told::Reload,
            () = self.leash.slipped() => Told::Abandoned,
        }
    }

    /// Waits until the daemon is to end.
    pub(in crate::daemon) async fn told_to_end(&mut self) -> Ending {
        loop {
            match self.next().await {
                Told::Stop => return Ending::Orderly,
                Told::Abandoned => return Ending::Abandoned,
                Told::Reload => {}
            }
        }
    }

    /// The next one that stops.
    pub(in crate::daemon) async fn second(&mut self) {
        while !matches!(self.next().await, Told::Stop) {}
    }
}
