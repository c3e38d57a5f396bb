//! Some checks on their way to the hub.
//!
//! In clear: three letters, the version, the location, the spool, the number of the frame and of the one before it,
//! when it was made, the version of the monitor list. Then, compressed: its observations, with times told from the
//! first one's.

use super::check;
use super::fields::{Fields, WireError, put_bytes};
use super::squeeze::{squeezed, unsqueezed};
use crate::domain::location::{Frame, LocationName, Observation, ProbeName};
use crate::domain::monitor::MonitorId;
use crate::domain::timestamp::Timestamp;
use crate::domain::varint;

/// A frame begins with these letters.
const MAGIC: &[u8; 3] = b"SWF";
/// The version of the format that is written. A reader takes this and the one before, once there is one.
const VERSION: u8 = 1;

/// So many observations make a frame.
pub const OBSERVATIONS_MAX: usize = 100;
/// No frame on the wire is larger: the stream takes no more.
pub const FRAME_BYTES_MAX: usize = 512 * 1024;
/// A frame with so many bytes before compression is full; one more observation has at most 300 KiB.
const FULL_BYTES: usize = 64 * 1024;
/// No frame is larger before compression.
const RAW_BYTES_MAX: usize = 512 * 1024;
/// The room of a frame that a reader grants: a spool that gave up checks counts those of many frames in one.
const READ_MAX: usize = 100_000;
/// A count of missed slots takes at least so many bytes.
const MISSED_BYTES_MIN: usize = 4;

/// The observations of a frame, compressed: what a spool keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// How many observations they hold.
    pub count: usize,
}

/// Packs observations from the front of the list: as many as make a frame. Empty only where the list is.
pub fn pack(observations: &[Observation]) -> Packed {
    let base = observations.first().map_or(Timestamp::from_ms(0), time_of);
    let mut out = Vec::with_capacity(4096);
    varint::put_signed(&mut out, base.as_ms());
    let mut count = 0;
    for observation in observations.iter().take(OBSERVATIONS_MAX) {
        put(&mut out, observation, base);
        count += 1;
        if out.len() >= FULL_BYTES {
            break;
        }
    }
    Packed {
        bytes: squeezed(&out),
        count,
    }
}

/// Packs any number of counts of missed slots into one frame, those that fit; they are small.
pub fn pack_missed(observations: &[Observation]) -> Packed {
    let base = observations.first().map_or(Timestamp::from_ms(0), time_of);
    let mut out = Vec::new();
    varint::put_signed(&mut out, base.as_ms());
    let mut count = 0;
    for observation in observations {
        if out.len() >= RAW_BYTES_MAX - 1024 {
            break;
        }
        put(&mut out, observation, base);
        count += 1;
    }
    Packed {
        bytes: squeezed(&out),
        count,
    }
}

fn time_of(observation: &Observation) -> Timestamp {
    match observation {
        Observation::Checked { check, .. } => check.at,
        Observation::Missed { from, .. } => *from,
    }
}

fn put(out: &mut Vec<u8>, observation: &Observation, base: Timestamp) {
    match observation {
        Observation::Missed {
            monitor,
            from,
            count,
        } => {
            out.push(0);
            varint::put_signed(out, monitor.0);
            varint::put_signed(out, from.as_ms().saturating_sub(base.as_ms()));
            varint::put(out, (*count).into());
        }
        Observation::Checked { monitor, check } => {
            out.push(1);
            varint::put_signed(out, monitor.0);
            check::put(out, check, base);
        }
    }
}

/// The observations of a packed frame.
///
/// # Errors
/// If the bytes are not such a frame's.
pub fn unpack(bytes: &[u8]) -> Result<Vec<Observation>, WireError> {
    let raw = unsqueezed(bytes, RAW_BYTES_MAX)?;
    let mut fields = Fields(&raw);
    let base = Timestamp::from_ms(fields.signed()?);
    let mut observations = Vec::with_capacity((raw.len() / 64).min(OBSERVATIONS_MAX));
    while !fields.is_empty() {
        if observations.len() >= READ_MAX {
            return Err(WireError::Damaged("too many of something"));
        }
        let tag = fields.byte()?;
        let monitor = MonitorId(fields.signed()?);
        observations.push(match tag {
            0 => Observation::Missed {
                monitor,
                from: Timestamp::from_ms(base.as_ms().saturating_add(fields.signed()?)),
                count: fields.small()?,
            },
            1 => Observation::Checked {
                monitor,
                check: Box::new(check::take(&mut fields, base)?),
            },
            _ => return Err(WireError::Damaged("an observation of no known kind")),
        });
    }
    Ok(observations)
}

const _: () = assert!(READ_MAX * MISSED_BYTES_MIN < RAW_BYTES_MAX);

/// The part of a frame that is not compressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Where it was made.
    pub location: LocationName,
    /// Which spool numbered it.
    pub spool: u64,
    /// The number of the frame before it in that spool; below `seq`.
    pub after: u64,
    /// Its number.
    pub seq: u64,
    /// When it was made, by the probe's clock.
    pub made_at: Timestamp,
    /// The version of the monitor list that it was made with.
    pub list_version: u64,
}

/// A frame as it travels.
pub fn write(head: &Head, packed: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(packed.len() + 80);
    out.extend(MAGIC);
    out.push(VERSION);
    put_bytes(&mut out, head.location.as_str().as_bytes());
    out.extend(head.spool.to_le_bytes());
    varint::put(&mut out, head.after);
    varint::put(&mut out, head.seq);
    varint::put_signed(&mut out, head.made_at.as_ms());
    varint::put(&mut out, head.list_version);
    out.extend(packed);
    out
}

/// The head of a frame, and its packed observations.
///
/// # Errors
/// If the bytes are not a frame's.
pub fn read_head(bytes: &[u8]) -> Result<(Head, &[u8]), WireError> {
    if bytes.len() > FRAME_BYTES_MAX {
        return Err(WireError::Large(FRAME_BYTES_MAX));
    }
    let mut fields = Fields(bytes);
    if fields.array::<3>()? != *MAGIC {
        return Err(WireError::Damaged("it is no frame"));
    }
    let version = fields.byte()?;
    if version != VERSION {
        return Err(WireError::Version {
            found: version,
            known: VERSION,
        });
    }
    let location = LocationName::parse(fields.raw_text(64)?)
        .map_err(|_| WireError::Damaged("its location has no name"))?;
    let head = Head {
        location,
        spool: u64::from_le_bytes(fields.array()?),
        after: fields.number()?,
        seq: fields.number()?,
        made_at: Timestamp::from_ms(fields.signed()?),
        list_version: fields.number()?,
    };
    match head.after < head.seq {
        true => Ok((head, fields.0)),
        false => Err(WireError::Damaged(
            "its number is not above the one before it",
        )),
    }
}

/// A whole frame of this sender as the hub takes it.
///
/// # Errors
/// If its observations cannot be read.
pub fn whole(
    head: &Head,
    packed: &[u8],
    sender: ProbeName,
    received_at: Timestamp,
) -> Result<Frame, WireError> {
    let observations = unpack(packed)?;
    Ok(Frame {
        observations,
        ..empty(head, sender, received_at)
    })
}

/// A frame as the hub takes it where its observations cannot be read: it counts as taken.
pub fn empty(head: &Head, sender: ProbeName, received_at: Timestamp) -> Frame {
    Frame {
        sender,
        spool: head.spool,
        seq: head.seq,
        after: head.after,
        sent_at: head.made_at,
        received_at,
        list_version: head.list_version,
        observations: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::check::{
        AddressCheck, Certificate, Chain, Check, CheckState, Extras, Failure, FailureKind,
        HttpVersion, Micros, Packets, Redirect, Timings, Verdict,
    };

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(1_764_500_000_000 + ms)
    }

    /// What a site looks like in the long run: TLS, every second one with a redirect, one of a hundred down.
    fn usual(number: u32) -> Check {
        let host = format!("https://shop-{number}.example.com/");
        let us = |base: u32| Micros::new(base + number.wrapping_mul(7919) % (base / 2 + 1));
        let redirects = match number % 2 {
            0 => vec![Redirect {
                url: host.replace("https", "http"),
                status: 301,
                location: Some(host.clone()),
                remote_addr: Some(([203, 0, 113, (number % 250) as u8], 80).into()),
            }],
            _ => Vec::new(),
        };
        let times = redirects.iter().map(|_| us(20_000)).collect();
        let is_down = number % 100 == 99;
        Check {
            at: at(i64::from(number) * 37),
            verdict: match is_down {
                true => Verdict::Down(Failure {
                    kind: FailureKind::Status,
                    detail: "503 Service Unavailable, expected 2xx".into(),
                }),
                false => Verdict::Up,
            },
            status: Some(if is_down { 503 } else { 200 }),
            chain: Arc::new(Chain {
                redirects,
                final_url: host.into(),
                remote_addr: Some(([203, 0, 113, (number % 250) as u8], 443).into()),
            }),
            redirect_times: times,
            timings: Timings {
                dns: Some(us(4_000)),
                connect: Some(us(15_000)),
                tls: Some(us(30_000)),
                ttfb: Some(us(80_000)),
                body: Some(us(3_000)),
                total: us(140_000),
            },
            http_version: Some(HttpVersion::Http11),
            body_bytes: u64::from(number.wrapping_mul(104_729) % 60_000),
            retry_after_s: None,
            certificate: Some(Arc::new(Certificate {
                not_after: at(5_000_000_000 + i64::from(number % 60) * 86_400_000),
                not_before: at(-2_700_000_000 + i64::from(number % 60) * 86_400_000),
                subject: format!("CN=shop-{number}.example.com"),
                issuer: "C=US, O=Let's Encrypt, CN=R11".to_owned(),
                fingerprint: u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15),
            })),
            excerpt: is_down.then(|| "<html><body><h1>503 Service Unavailable</h1>".into()),
            remarks: Box::default(),
            extras: None,
        }
    }

    fn odd() -> Check {
        Check {
            verdict: Verdict::Unknown(Failure {
                kind: FailureKind::Local,
                detail: "we are offline".into(),
            }),
            status: None,
            chain: Arc::new(Chain {
                redirects: Vec::new(),
                final_url: "icmp://[2001:db8::1]".into(),
                remote_addr: Some("[2001:db8::1]:0".parse().unwrap()),
            }),
            redirect_times: Box::default(),
            timings: Timings {
                total: Micros::MAX,
                ..Timings::default()
            },
            http_version: None,
            body_bytes: u64::MAX,
            retry_after_s: Some(u32::MAX),
            certificate: None,
            excerpt: Some("one\ntwo".into()),
            remarks: vec!["a remark".to_owned(); 3].into(),
            extras: Some(Box::new(Extras {
                packets: Some(Packets {
                    sent: 3,
                    received: 1,
                    min: Some(Micros::new(5)),
                    max: None,
                }),
                addresses: Some(
                    vec![AddressCheck {
                        addr: "192.0.2.1:443".parse().unwrap(),
                        state: CheckState::Down,
                        status: None,
                        failure: Some(Failure {
                            kind: FailureKind::ConnectRefused,
                            detail: "nobody listens".into(),
                        }),
                        total: None,
                        certificate: None,
                    }]
                    .into(),
                ),
                ..Extras::default()
            })),
            ..usual(1)
        }
    }

    fn checked(monitor: i64, check: Check) -> Observation {
        Observation::Checked {
            monitor: MonitorId(monitor),
            check: Box::new(check),
        }
    }

    fn head() -> Head {
        Head {
            location: LocationName::parse("nyc").unwrap(),
            spool: 0x1234_5678_9abc_def0,
            after: 6,
            seq: 7,
            made_at: at(0),
            list_version: 1_764_500_000_123,
        }
    }

    #[test]
    fn a_frame_is_read_as_it_was_written() {
        let observations = vec![
            checked(1, usual(99)),
            Observation::Missed {
                monitor: MonitorId(i64::MAX),
                from: at(-5),
                count: u32::MAX,
            },
            checked(-3, odd()),
        ];
        let packed = pack(&observations);
        assert_eq!(packed.count, 3);
        let bytes = write(&head(), &packed.bytes);
        let (read, rest) = read_head(&bytes).unwrap();
        assert_eq!(read, head());
        let sender = ProbeName::of_subject("nyc.2-4").unwrap();
        let frame = whole(&read, rest, sender.clone(), at(9)).unwrap();
        assert_eq!(frame.sender, sender);
        assert_eq!(frame.observations, observations);
        assert_eq!((frame.seq, frame.after, frame.received_at), (7, 6, at(9)));
    }

    #[test]
    fn a_hundred_usual_checks_take_at_most_70_bytes_each() {
        let observations: Vec<_> = (0..100)
            .map(|number| checked(number.into(), usual(number as u32)))
            .collect();
        let packed = pack(&observations);
        assert_eq!(packed.count, 100);
        let bytes = write(&head(), &packed.bytes).len();
        assert!(bytes <= 7000, "{bytes} bytes");
    }

    #[test]
    fn a_frame_is_bounded_in_number_and_in_bytes() {
        let many: Vec<_> = (0..250).map(|n| checked(1, usual(n))).collect();
        assert_eq!(pack(&many).count, OBSERVATIONS_MAX);
        // Texts that cannot be compressed, all as long as they may be.
        let mut state = 1_u64;
        let mut noise = |length: usize| -> String {
            (0..length)
                .map(|_| {
                    state = state
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1);
                    char::from(b'!' + (state >> 33) as u8 % 90)
                })
                .collect()
        };
        let mut check = usual(0);
        let redirect = |noise: &mut dyn FnMut(usize) -> String| Redirect {
            url: noise(9000),
            status: 302,
            location: Some(noise(9000)),
            remote_addr: None,
        };
        check.chain = Arc::new(Chain {
            redirects: (0..64).map(|_| redirect(&mut noise)).collect(),
            final_url: noise(9000).into(),
            remote_addr: None,
        });
        check.redirect_times = vec![Micros::new(1); 64].into();
        check.excerpt = Some(noise(100_000).into());
        check.remarks = (0..50).map(|_| noise(9000)).collect();
        let large = vec![checked(1, check); 3];
        let packed = pack(&large);
        assert_eq!(packed.count, 1, "one such check is a frame");
        assert!(write(&head(), &packed.bytes).len() <= FRAME_BYTES_MAX);
        assert_eq!(unpack(&packed.bytes).unwrap().len(), 1);
    }

    #[test]
    fn what_a_stolen_probe_sends_cannot_reach_a_terminal() {
        let mut check = usual(99);
        check.chain = Arc::new(Chain {
            final_url: "https://x.example/\u{1b}[2J\u{202e}".into(),
            ..Chain::default()
        });
        check.redirect_times = Box::default();
        let packed = pack(&[checked(1, check)]);
        let Observation::Checked { check, .. } = &unpack(&packed.bytes).unwrap()[0] else {
            panic!("no check");
        };
        assert!(
            !check.chain.final_url.contains(['\u{1b}', '\u{202e}']),
            "{}",
            check.chain.final_url
        );
    }

    #[test]
    fn other_versions_bombs_and_cut_frames_are_refused() {
        let packed = pack(&[checked(1, usual(1))]).bytes;
        let good = write(&head(), &packed);
        let mut newer = good.clone();
        newer[3] = 2;
        assert_eq!(
            read_head(&newer),
            Err(WireError::Version { found: 2, known: 1 })
        );
        for cut in 0..packed.len() {
            assert!(unpack(&packed[..cut]).is_err(), "cut at {cut}");
        }
        assert!(unpack(&[packed.as_slice(), &[0]].concat()).is_err());
        let bomb = squeezed(&vec![0; 64 << 20]);
        assert!(bomb.len() < 100_000);
        assert_eq!(unpack(&bomb), Err(WireError::Large(RAW_BYTES_MAX)));
        assert!(read_head(&vec![b'S'; FRAME_BYTES_MAX + 1]).is_err());
        let backwards = Head { after: 7, ..head() };
        assert!(read_head(&write(&backwards, &packed)).is_err());
    }

    proptest! {
        #[test]
        fn hostile_bytes_are_an_error_and_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            let _ = read_head(&bytes);
            let _ = unpack(&bytes);
            let _ = unpack(&squeezed(&bytes));
            let _ = super::super::list::read(&bytes);
        }

        #[test]
        fn a_changed_frame_is_an_error_or_another_frame(
            at_byte in 0_usize..4000,
            to in any::<u8>(),
        ) {
            let observations: Vec<_> = (0..20).map(|n| checked(n.into(), usual(n as u32))).collect();
            let mut raw = unsqueezed(&pack(&observations).bytes, RAW_BYTES_MAX).unwrap();
            let index = at_byte % raw.len();
            raw[index] = to;
            if let Ok(read) = unpack(&squeezed(&raw)) {
                prop_assert!(read.len() <= READ_MAX);
            }
        }
    }
}
