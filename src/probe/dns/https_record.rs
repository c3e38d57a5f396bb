//! The HTTPS record of a site (RFC 9460): whether and where it serves HTTP/3.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use tokio::time::{Instant, timeout_at};

use super::lookup::{LAST_WORDS, Resolver};
use super::message::{RecordKind, WireName};
use super::servers::{Asker, Round, Span};
use crate::clock;

/// Keys of parameters (RFC 9460 section 14.3.2).
const ALPN: u16 = 1;
const PORT: u16 = 3;

/// What a site has no alias for is at its own port.
const HTTPS_PORT: u16 = 443;

/// Asks for HTTPS records.
#[derive(Debug, Clone, Copy)]
struct Https;

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Service {
    /// The smallest is meant; 0 is an alias, which is not followed.
    priority: u16,
    /// `None`: the site's own host.
    host: Option<String>,
    port: Option<u16>,
    has_http3: bool,
}

impl RecordKind for Https {
    type Record = Service;

    const PARTS_WILL_DO: bool = true;

    fn code(self) -> u16 {
        65
    }

    fn record(self, message: &[u8], data: Range<usize>) -> Option<Service> {
        let word = |at: usize| {
            let bytes = message.get(at..at + 2).filter(|_| at + 2 <= data.end)?;
            Some(u16::from_be_bytes([bytes[0], bytes[1]]))
        };
        let priority = word(data.start)?;
        let (target, mut at) = WireName::read(message, data.start + 2)?;
        let target = target.text();
        let mut service = Service {
            priority,
            host: (target != ".").then_some(target),
            port: None,
            has_http3: false,
        };
        // Each has four bytes at least.
        while at < data.end {
            let (key, length) = (word(at)?, usize::from(word(at + 2)?));
            let end = at + 4 + length;
            let value = message.get(at + 4..end).filter(|_| end <= data.end)?;
            match (key, value) {
                (ALPN, value) => service.has_http3 = has_http3(value)?,
                (PORT, [high, low]) => service.port = Some(u16::from_be_bytes([*high, *low])),
                _ => {}
            }
            at = end;
        }
        Some(service)
    }
}

/// Whether a list of protocols, each with its length before it, has HTTP/3; `None` if it is broken.
fn has_http3(mut list: &[u8]) -> Option<bool> {
    let mut has = false;
    while let Some((length, rest)) = list.split_first() {
        let (protocol, rest) = rest.split_at_checked(usize::from(*length))?;
        has |= protocol == b"h3";
        list = rest;
    }
    Some(has)
}

impl Resolver {
    /// The host, where it is another one, and the port at which a site serves HTTP/3 by the word of its HTTPS record.
    /// Nothing if there is none, or it cannot be had.
    pub(in crate::probe) async fn http3_place(
        &self,
        name: &str,
        port: u16,
        deadline: Instant,
    ) -> Option<(Option<String>, u16)> {
        let asked = match port {
            HTTPS_PORT => name.to_owned(),
            port => format!("_{port}._https.{name}"),
        };
        let wire = WireName::parse(asked.trim_end_matches('.'))?;
        let end = deadline.checked_sub(LAST_WORDS).unwrap_or(deadline);
        let shared = self.shared();
        let view = shared.system.view().await;
        let until = end.min(clock::tick() + shared.timeout);
        let _place = timeout_at(until, shared.lookups.acquire())
            .await
            .ok()?
            .ok()?;
        let asker = Asker {
            first: shared.system.first(&view),
            view,
            extras: Arc::clone(&shared.extras),
        };
        let round = Round::new(asker, wire, Https, Arc::new(AtomicUsize::new(0)));
        let span = Span {
            share: until,
            until,
        };
        let (_, records) = Box::pin(round.run(span)).await.ok()?;
        let offers = records
            .into_iter()
            .filter(|service| service.priority > 0 && service.has_http3);
        let first = offers.min_by_key(|service| service.priority)?;
        Some((first.host, first.port.unwrap_or(port)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(data: &[u8], want: Option<(u16, Option<&str>, Option<u16>, bool)>) {
        let message = [data, &[0xff; 8]].concat();
        let read = Https.record(&message, 0..data.len());
        let read = read.map(|service| {
            let host = service.host.clone();
            (service.priority, host, service.port, service.has_http3)
        });
        let want =
            want.map(|(priority, host, port, has)| (priority, host.map(str::to_owned), port, has));
        assert_eq!(read, want, "{data:?}");
    }

    #[test]
    fn records_are_read_or_refused() {
        check(&[0, 1, 0], Some((1, None, None, false)));
        check(
            b"\0\x01\0\0\x01\0\x06\x02h3\x02h2",
            Some((1, None, None, true)),
        );
        check(
            b"\0\x02\x01a\x04test\0\0\x01\0\x03\x02h3\0\x03\0\x02\x20\xfb",
            Some((2, Some("a.test"), Some(8443), true)),
        );
        check(
            b"\0\x01\0\0\x01\0\x03\x02h2\0\x04\0\x04\xc0\0\x02\x01",
            Some((1, None, None, false)),
        );
        for broken in [
            &b"\0"[..],
            b"\0\x01",
            b"\0\x01\0\0",
            b"\0\x01\0\0\x01\0\x09\x02h3",
            b"\0\x01\0\0\x01\0\x03\x03h3",
            b"\0\x01\0\0\x01\0\x03\x02h3\0",
        ] {
            check(broken, None);
        }
    }
}
