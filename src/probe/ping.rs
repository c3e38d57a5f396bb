//! One check of `icmp://`: the address, then echo requests.

use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use tokio::time::sleep_until;
use url::Host;

use super::classify;
use super::dns::Wanted;
use super::exchange::within;
use super::icmp::{self, PingFault, Pings};
use super::shared::Shared;
use crate::clock;
use crate::domain::check::{FailureKind, Micros, Packets, Timings};
use crate::domain::duration_text::Exact;
use crate::domain::observed::PingProbe;
use crate::domain::subject::{IcmpSubject, NO_RIGHT_TO_PING};
use crate::domain::timestamp::Timestamp;

/// Runs one check. Never fails: whatever goes wrong is what it saw.
pub(super) async fn visit(shared: &Shared, subject: &IcmpSubject, started: Timestamp) -> PingProbe {
    let manner = &*subject.manner;
    let begun = clock::tick();
    let deadline = begun + manner.timeout;
    let mut probe = PingProbe {
        started,
        timings: Timings::default(),
        remote_addr: None,
        packets: None,
        fault: None,
    };
    let mut alarm = pin!(sleep_until(deadline));
    let address = match &subject.host {
        Host::Ipv4(address) => Ok(IpAddr::from(*address)),
        Host::Ipv6(address) => Ok(IpAddr::from(*address)),
        Host::Domain(name) => {
            let wanted = Wanted {
                ip_version: manner.ip_version,
                public_only: false,
            };
            let looking = Box::pin(shared.resolver.lookup(name, wanted, deadline));
            match within(alarm.as_mut(), looking).await {
                Some(Ok(found)) => found.now.first().copied().ok_or_else(|| {
                    let detail = "the name has no address that can be pinged".to_owned();
                    (FailureKind::DnsNotFound, detail)
                }),
                Some(Err(fault)) => Err((fault.kind, fault.detail)),
                None => Err((
                    FailureKind::DnsTimeout,
                    format!("no address within the timeout of {}", Exact(manner.timeout)),
                )),
            }
        }
    };
    let address = match address {
        Ok(address) => address,
        Err(fault) => {
            probe.timings.dns = Some(Micros::of(begun.elapsed()));
            probe.timings.total = Micros::of(begun.elapsed());
            probe.fault = Some(fault);
            return probe;
        }
    };
    probe.remote_addr = Some(SocketAddr::new(address, 0));
    let pinged = icmp::ping(address, manner.packets, deadline).await;
    let took = Micros::of(begun.elapsed());
    match pinged {
        Ok(pings) => {
            probe.timings.total = pings.median().map_or(took, Micros::of);
            probe.packets = Some(packets(&pings));
            probe.fault = of_silence(&pings, manner.timeout);
        }
        Err(fault) => {
            probe.timings.total = took;
            probe.fault = Some(match fault {
                PingFault::NoRight => (FailureKind::Local, NO_RIGHT_TO_PING.to_owned()),
                PingFault::Io(io) => classify::of_ping(&io, address),
            });
        }
    }
    probe
}

fn packets(pings: &Pings) -> Packets {
    Packets {
        sent: pings.sent,
        received: pings.received(),
        min: pings.round_trips.first().map(|time| Micros::of(*time)),
        max: pings.round_trips.last().map(|time| Micros::of(*time)),
    }
}

/// Not one reply came.
fn of_silence(pings: &Pings, timeout: Duration) -> Option<classify::Fault> {
    if pings.received() > 0 {
        return None;
    }
    Some(match &pings.unreachable {
        Some(why) => (
            FailureKind::ConnectUnreachable,
            format!("the network says of the echo requests: {why}"),
        ),
        None => (
            FailureKind::PingTimeout,
            format!(
                "no reply to {} within the timeout of {}",
                match pings.sent {
                    1 => "an echo request".to_owned(),
                    sent => format!("{sent} echo requests"),
                },
                Exact(timeout)
            ),
        ),
    })
}
