//! The journal's own form: each event with its fields, as one datagram (systemd.io/JOURNAL_NATIVE_PROTOCOL).

use std::fmt;
use std::io::{self, Write as _};
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use super::queue::Queue;
use super::targets;

/// Where the journal listens.
const SOCKET: &str = "/run/systemd/journal/socket";
/// A longer value is cut: one datagram must hold the whole event, and the kernel takes about 200 kB.
const VALUE_BYTES_MAX: usize = 32 * 1024;
/// What a field of ours is called before its name, so that it is never one of the journal's.
const PREFIX: &str = "SITEWATCH_";

/// A socket to the journal, if it listens.
pub(super) fn connect() -> io::Result<UnixDatagram> {
    connect_to(Path::new(SOCKET))
}

fn connect_to(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    // An empty datagram is thrown away there, and a socket that nobody listens at is refused here.
    match socket.send_to(&[], path) {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
        Ok(_) | Err(_) => {}
    }
    socket.set_nonblocking(false)?;
    Ok(socket)
}

/// Hands one event over; waits for as long as the journal takes.
pub(super) fn send(socket: &UnixDatagram, event: &[u8]) -> io::Result<()> {
    socket.send_to(event, SOCKET).map(drop)
}

/// Writes events in the journal's form into the queue.
pub(super) struct Journal(pub(super) Queue);

impl<S: Subscriber> Layer<S> for Journal {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        self.0.push(&datagram(event));
    }
}

fn datagram(event: &Event<'_>) -> Vec<u8> {
    let about = event.metadata();
    let mut fields = Fields(Vec::with_capacity(512));
    let priority = match *about.level() {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        Level::DEBUG | Level::TRACE => "7",
    };
    fields.put("PRIORITY", priority);
    fields.put("TARGET", about.target());
    if let Some(file) = about.file() {
        fields.put("CODE_FILE", file);
    }
    if let Some(line) = about.line() {
        fields.put("CODE_LINE", &line.to_string());
    }
    fields.put("SYSLOG_IDENTIFIER", "sitewatch");
    let kind = targets::MESSAGE_IDS
        .iter()
        .find(|(kind, _)| *kind == about.target());
    if let Some((_, id)) = kind {
        fields.put("MESSAGE_ID", id);
    }
    event.record(&mut fields);
    fields.0
}

struct Fields(Vec<u8>);

impl Fields {
    /// One field by its length, so that a value may hold line breaks.
    fn put(&mut self, name: &str, value: &str) {
        let value = match value.len() > VALUE_BYTES_MAX {
            true => value
                .get(..value.floor_char_boundary(VALUE_BYTES_MAX))
                .unwrap_or(""),
            false => value,
        };
        self.0.extend_from_slice(name.as_bytes());
        self.0.push(b'\n');
        self.0
            .extend_from_slice(&(value.len() as u64).to_le_bytes());
        self.0.extend_from_slice(value.as_bytes());
        self.0.push(b'\n');
    }

    fn put_own(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.put("MESSAGE", value),
            name => {
                let plain = name.chars().map(|c| match c.is_ascii_alphanumeric() {
                    true => c.to_ascii_uppercase(),
                    false => '_',
                });
                let name: String = PREFIX.chars().chain(plain).collect();
                self.put(&name, value);
            }
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put_own(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = Vec::new();
        // A Vec takes all writes.
        let _ = write!(text, "{value:?}");
        self.put_own(field, &String::from_utf8_lossy(&text));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    struct Kept(Arc<Mutex<Vec<Vec<u8>>>>);

    impl<S: Subscriber> Layer<S> for Kept {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            self.0.lock().unwrap().push(datagram(event));
        }
    }

    fn field(name: &str, value: &str) -> Vec<u8> {
        let mut fields = Fields(Vec::new());
        fields.put(name, value);
        fields.0
    }

    #[test]
    fn an_event_has_its_fields() {
        let kept = Arc::default();
        let subscriber = tracing_subscriber::registry().with(Kept(Arc::clone(&kept)));
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(target: targets::STATE, monitor = "a\nb", status = 503, "it is {}", "down");
            tracing::info!(long = "ä".repeat(VALUE_BYTES_MAX), "x");
        });
        let kept = kept.lock().unwrap();
        let has = |index: usize, want: &[u8]| {
            let found: &[u8] = &kept[index];
            found.windows(want.len()).any(|window| window == want)
        };
        let id = targets::MESSAGE_IDS[0].1;
        for (name, value) in [
            ("PRIORITY", "4"),
            ("MESSAGE", "it is down"),
            ("SITEWATCH_MONITOR", "a\nb"),
            ("SITEWATCH_STATUS", "503"),
            ("SYSLOG_IDENTIFIER", "sitewatch"),
            ("MESSAGE_ID", id),
            ("TARGET", targets::STATE),
        ] {
            assert!(has(0, &field(name, value)), "{name}");
        }
        assert!(!has(1, b"MESSAGE_ID"));
        assert!(kept[1].len() < VALUE_BYTES_MAX + 1000);
    }

    #[test]
    fn a_journal_that_is_not_there_is_no_journal() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        assert!(connect_to(&path).is_err());
        let _listening = UnixDatagram::bind(&path).unwrap();
        assert!(connect_to(&path).is_ok());
    }
}
