//! What some kinds of checks add, in few bytes: a tag and its content, one after the other.

use crate::domain::check::{Extras, Micros, Packets};
use crate::domain::varint;
use crate::store::error::{Result, StoreError};

/// Two counts and two times.
const PACKETS: u8 = 1;
/// A count, then each text with its length before it.
const ANSWERS: u8 = 2;

/// Nothing where there are none.
pub(in crate::store) fn encode(extras: Option<&Extras>) -> Vec<u8> {
    let mut out = Vec::new();
    let Some(Extras { packets, answers }) = extras else {
        return out;
    };
    if let Some(packets) = packets {
        out.extend([PACKETS, packets.sent, packets.received]);
        for time in [packets.min, packets.max] {
            varint::put(&mut out, time.map_or(0, |time| u64::from(time.get()) + 1));
        }
    }
    if let Some(answers) = answers {
        out.push(ANSWERS);
        varint::put(&mut out, answers.len() as u64);
        for answer in answers {
            varint::put(&mut out, answer.len() as u64);
            out.extend(answer.as_bytes());
        }
    }
    out
}

/// The reverse of [`encode`].
pub(super) fn decode(bytes: &[u8]) -> Result<Option<Box<Extras>>> {
    if bytes.is_empty() {
        return Ok(None);
    }
    read(bytes)
        .map(|extras| Some(Box::new(extras)))
        .ok_or_else(|| {
            StoreError::Damaged("what a check of its kind adds cannot be read".to_owned())
        })
}

fn read(mut bytes: &[u8]) -> Option<Extras> {
    let mut extras = Extras::default();
    while let Some((tag, rest)) = bytes.split_first() {
        bytes = rest;
        match *tag {
            PACKETS => {
                let [sent, received] = *take(&mut bytes, 2)? else {
                    return None;
                };
                extras.packets = Some(Packets {
                    sent,
                    received,
                    min: time(&mut bytes)?,
                    max: time(&mut bytes)?,
                });
            }
            ANSWERS => {
                let count = usize::try_from(varint::take(&mut bytes)?).ok()?;
                // Each takes a byte at least.
                if count > bytes.len() {
                    return None;
                }
                let answers = (0..count).map(|_| {
                    let length = usize::try_from(varint::take(&mut bytes)?).ok()?;
                    let text = std::str::from_utf8(take(&mut bytes, length)?).ok()?;
                    Some(text.to_owned())
                });
                extras.answers = Some(answers.collect::<Option<_>>()?);
            }
            _ => return None,
        }
    }
    Some(extras)
}

fn take<'b>(bytes: &mut &'b [u8], count: usize) -> Option<&'b [u8]> {
    let (taken, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(taken)
}

fn time(bytes: &mut &[u8]) -> Option<Option<Micros>> {
    match varint::take(bytes)? {
        0 => Some(None),
        more => u32::try_from(more - 1).ok().map(|us| Some(Micros::new(us))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_encoded_comes_back() {
        let packets = Packets {
            sent: 3,
            received: 2,
            min: Some(Micros::new(0)),
            max: Some(Micros::new(70_000)),
        };
        let none = Packets {
            received: 0,
            min: None,
            max: None,
            ..packets
        };
        let answers: Box<[String]> = ["10 mx.example.com", "", "\u{fc}"]
            .map(str::to_owned)
            .into();
        for extras in [
            Extras {
                packets: Some(packets),
                ..Extras::default()
            },
            Extras {
                packets: Some(none),
                answers: Some(Box::default()),
            },
            Extras {
                answers: Some(answers),
                ..Extras::default()
            },
        ] {
            let bytes = encode(Some(&extras));
            assert_eq!(decode(&bytes).unwrap().as_deref(), Some(&extras));
            for end in 1..bytes.len() {
                let _ = decode(&bytes[..end]);
            }
        }
        assert_eq!(encode(None), b"");
        assert_eq!(decode(b"").unwrap(), None);
    }

    proptest! {
        #![proptest_config(crate::cases::cases(256))]
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = decode(&bytes);
        }
    }
}
