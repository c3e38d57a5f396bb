//! systemd: readiness, reload, status and watchdog by `sd_notify`. Without it every call does nothing.

use std::io;
use std::time::Duration;

use sd_notify::NotifyState;

use crate::domain::text;

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
    text::line(status, STATUS_CHARS_MAX).into_owned()
}

fn send(state: &[NotifyState<'_>]) {
    if let Err(error) = report(sd_notify::notify(state)) {
        tracing::warn!(%error, "systemd cannot be told");
    }
}

/// A manager that does not listen any more is no fault of ours.
fn report(sent: io::Result<()>) -> io::Result<()> {
    match sent {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        other => other,
    }
}
