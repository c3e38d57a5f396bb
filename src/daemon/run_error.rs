//! What the machine refused to a daemon, with what to do about it.

use std::io;
use std::net::SocketAddr;

use super::control::socket::SocketError;
use super::notifier::run;
use crate::probe::ProbeSetupError;
use crate::store::error::StoreError;

/// What the machine refused.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The database.
    #[error("cannot {}", to_use(.0))]
    Store(#[from] StoreError),
    /// The control socket.
    #[error("cannot {0}")]
    Socket(#[from] SocketError),
    /// The TLS parts.
    #[error("cannot {0}")]
    Probe(#[from] ProbeSetupError),
    /// The way out for mail.
    #[error("cannot set up mail: {0}")]
    Mail(#[from] run::SetupError),
    /// The status page.
    #[error(
        "cannot listen on {listen} for the status page: {}",
        why_no_port(source)
    )]
    Web {
        /// `[web].listen`
        listen: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The limit of open files.
    #[error(
        "cannot start: {0} open files are too few to run; raise the limit (LimitNOFILE= of the unit, `ulimit -n`)"
    )]
    Descriptors(u64),
    /// Threads, signals, timers.
    #[error("cannot start: {}", why_no_start(.0))]
    System(#[from] io::Error),
    /// A part of ours broke.
    #[error("the {0} broke; this is a bug")]
    Broken(&'static str),
}

/// What could not be done with the database; some faults say it themselves.
fn to_use(error: &StoreError) -> String {
    if error.names_its_file() {
        error.to_string()
    } else {
        format!("use the database: {error}")
    }
}

fn why_no_start(error: &io::Error) -> String {
    match error.kind() {
        // EAGAIN of clone(2).
        io::ErrorKind::WouldBlock => {
            "the system gives no thread; raise the limit (TasksMax= or LimitNPROC= of the unit, `ulimit -u`)"
                .to_owned()
        }
        _ => error.to_string(),
    }
}

fn why_no_port(error: &io::Error) -> String {
    match error.kind() {
        // No port is at fault, but the thread.
        io::ErrorKind::WouldBlock => why_no_start(error),
        io::ErrorKind::AddrInUse => {
            "another program has the port; set another [web].listen".to_owned()
        }
        io::ErrorKind::AddrNotAvailable => {
            "this machine has no such address; set another [web].listen".to_owned()
        }
        _ => error.to_string(),
    }
}
