//! Turns what echo requests met into what it means.

use super::reservation::{self, Limits};
use super::said::{Found, failure_of};
use crate::domain::check::{Check, Extras, FailureKind, Packets, Verdict};
use crate::domain::observed::PingProbe;
use crate::domain::subject::IcmpSubject;

/// Judges one check of `icmp://`. Of several failures the first in this order counts: transport, packet loss, slow.
pub fn judge(subject: &IcmpSubject, probe: PingProbe) -> Check {
    let manner = &*subject.manner;
    let limits = Limits {
        degraded_after: manner.degraded_after.fixed(),
        certificate_expiry: &[],
    };
    let verdict = match (probe.fault, probe.packets) {
        (Some((FailureKind::Local, detail)), _) => {
            Verdict::Unknown(failure_of(&manner.masks, (FailureKind::Local, detail)))
        }
        (Some(found), _) => Verdict::Down(failure_of(&manner.masks, found)),
        (None, packets) => {
            let lost = packets.and_then(|packets| loss(packets, manner.max_loss));
            let slow =
                || reservation::reservation(limits, &probe.timings, None, None, probe.started);
            match lost.or_else(slow) {
                Some(found) => Verdict::Degraded(failure_of(&manner.masks, found)),
                None => Verdict::Up,
            }
        }
    };
    Check {
        extras: probe.packets.map(|packets| {
            Box::new(Extras {
                packets: Some(packets),
                ..Extras::default()
            })
        }),
        ..super::bare_check::of(
            &subject.url,
            &manner.masks,
            probe.started,
            probe.timings,
            probe.remote_addr,
            verdict,
        )
    }
}

/// What is said of lost packets, where more than `max` per cent of them are.
fn loss(packets: Packets, max: u8) -> Option<Found> {
    let (sent, received) = (u32::from(packets.sent), u32::from(packets.received));
    let lost = sent.saturating_sub(received);
    // Whole numbers: half of two packets is not more than 50 %.
    (lost * 100 > u32::from(max) * sent).then(|| {
        let share = f64::from(lost) * 100.0 / f64::from(sent);
        (
            FailureKind::PacketLoss,
            format!("{lost} of {sent} packets lost ({share:.0} %), more than {max} %"),
        )
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use url::Host;

    use super::*;
    use crate::domain::check::{Micros, Timings};
    use crate::domain::redaction::Masks;
    use crate::domain::slow_limit::SlowLimit;
    use crate::domain::subject::IcmpManner;
    use crate::domain::target::IpVersion;
    use crate::domain::timestamp::Timestamp;

    fn judged(sent: u8, received: u8, max_loss: u8, total_ms: u64, fault: Option<Found>) -> String {
        let subject = IcmpSubject {
            url: "icmp://h.test".into(),
            host: Host::Domain("h.test".to_owned()),
            manner: Arc::new(IcmpManner {
                timeout: Duration::from_secs(10),
                ip_version: IpVersion::Any,
                packets: sent,
                max_loss,
                degraded_after: SlowLimit::After(Duration::from_secs(2)),
                masks: Masks::new([]),
            }),
        };
        let check = judge(
            &subject,
            PingProbe {
                started: Timestamp::from_ms(0),
                timings: Timings {
                    total: Micros::of(Duration::from_millis(total_ms)),
                    ..Timings::default()
                },
                remote_addr: None,
                packets: Some(Packets {
                    sent,
                    received,
                    min: None,
                    max: None,
                }),
                fault,
            },
        );
        let extras = check.extras.expect("packets were counted");
        assert_eq!(extras.packets.expect("they are there").received, received);
        match check.verdict.failure() {
            None => check.verdict.state().to_string(),
            Some(failure) => {
                format!(
                    "{} {}: {}",
                    check.verdict.state(),
                    failure.kind,
                    failure.detail
                )
            }
        }
    }

    #[test]
    fn equal_loss_is_not_more() {
        for (sent, received, max, want) in [
            (3, 3, 50, "up"),
            (2, 1, 50, "up"),
            (3, 2, 50, "up"),
            (
                3,
                1,
                50,
                "degraded packet_loss: 2 of 3 packets lost (67 %), more than 50 %",
            ),
            (20, 20, 0, "up"),
            (
                20,
                19,
                0,
                "degraded packet_loss: 1 of 20 packets lost (5 %), more than 0 %",
            ),
            (20, 1, 95, "up"),
            (3, 1, 100, "up"),
            (1, 1, 0, "up"),
        ] {
            assert_eq!(judged(sent, received, max, 1, None), want);
        }
    }

    #[test]
    fn the_first_of_several_counts() {
        let slow = judged(3, 3, 50, 2001, None);
        assert!(slow.starts_with("degraded slow: 2 001 ms"), "{slow}");
        let lost = judged(3, 1, 50, 2001, None);
        assert!(lost.starts_with("degraded packet_loss"), "{lost}");
        let fault = |kind| Some((kind, "why".to_owned()));
        let told = judged(3, 0, 50, 2001, fault(FailureKind::PingTimeout));
        assert_eq!(told, "down ping_timeout: why");
        let told = judged(3, 0, 50, 1, fault(FailureKind::Local));
        assert_eq!(told, "unknown local: why");
    }
}
