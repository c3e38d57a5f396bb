//! systemd: readiness, reload, status and watchdog by `sd_notify`. Without it every call does nothing.

use std::collections::VecDeque;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sd_notify::NotifyState;

use crate::domain::safe_text;

/// systemctl shows the whole line; a longer one helps nobody.
const STATUS_CHARS_MAX: usize = 300;

/// Still at it: what the unit's status says.
pub fn status(text: &str) {
    send(&[NotifyState::Status(&one_line(text))]);
}

/// The daemon watches.
pub fn ready(text: &str) {
    send(&[NotifyState::Ready, NotifyState::Status(&one_line(text))]);
}

/// The configuration is being read again; [`ready`] follows in every case.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        // From systemd 253 on both belong into one datagram, with the monotonic time.
        Ok(now) => send(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "the monotonic clock cannot be read for systemd"),
    }
}

/// The daemon ends.
pub fn stopping(text: &str) {
    send(&[NotifyState::Stopping, NotifyState::Status(&one_line(text))]);
}

/// Starting or stopping takes longer: this much more, from now.
pub fn extend_timeout(by: Duration) {
    let usec = u32::try_from(by.as_micros()).unwrap_or(u32::MAX);
    send(&[NotifyState::ExtendTimeoutUsec(usec)]);
}

/// All parts made progress.
pub fn watchdog() {
    send(&[NotifyState::Watchdog]);
}

/// Within which time systemd wants to hear [`watchdog`], if at all.
pub fn watchdog_within() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

fn one_line(status: &str) -> String {
    safe_text::line(status, STATUS_CHARS_MAX).into_owned()
}

/// A few words of [`ready`], [`reloading`] and [`stopping`] wait where systemd takes nothing at the moment.
const OWED_MAX: usize = 8;

/// What could not be said yet and must not get lost.
static OWED: Mutex<VecDeque<String>> = Mutex::new(VecDeque::new());

/// Says what systemd did not take before; to be called now and then.
pub fn catch_up() {
    let mut owed = OWED.lock().unwrap_or_else(PoisonError::into_inner);
    say_owed(&mut owed);
}

/// Whether everything is said.
fn say_owed(owed: &mut VecDeque<String>) -> bool {
    while let Some(message) = owed.front() {
        if tell(message).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
            return false;
        }
        owed.pop_front();
    }
    true
}

fn send(state: &[NotifyState<'_>]) {
    let message: String = state.iter().map(|part| format!("{part}\n")).collect();
    let must_arrive = state.iter().any(|part| {
        matches!(
            part,
            NotifyState::Ready | NotifyState::Reloading | NotifyState::Stopping
        )
    });
    let mut owed = OWED.lock().unwrap_or_else(PoisonError::into_inner);
    let told = match say_owed(&mut owed) {
        true => tell(&message),
        false => Err(io::ErrorKind::WouldBlock.into()),
    };
    match told {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            if must_arrive && owed.len() < OWED_MAX {
                owed.push_back(message);
            }
        }
        Err(error) => tracing::warn!(%error, "systemd cannot be told"),
        Ok(()) => {}
    }
}

/// One datagram to systemd, which is never waited for.
#[expect(
    clippy::disallowed_methods,
    reason = "what systemd gave this process is no setting of the user"
)]
fn tell(message: &str) -> io::Result<()> {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else {
        return Ok(());
    };
    let address = match path.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(&path)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    match socket.send_to_addr(message.as_bytes(), &address) {
        Ok(_) => Ok(()),
        // A manager that does not listen any more is no fault of ours.
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        Err(error) => Err(error),
    }
}
