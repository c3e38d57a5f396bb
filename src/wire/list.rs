//! The monitors of a location on their way from the hub, in pieces.

use std::time::Duration;

use super::fields::{Fields, WireError, put_bytes, put_text};
use super::squeeze::{squeezed, unsqueezed};
use crate::domain::monitor::MonitorId;
use crate::domain::varint;

/// A list begins with these letters.
const MAGIC: &[u8; 3] = b"SWL";
/// The version of the format.
const VERSION: u8 = 1;

/// A piece of a list; the server takes messages of up to a MiB.
pub const PIECE_BYTES: usize = 384 * 1024;
/// 100 000 monitors take 40 MB before compression, and a tenth of that after.
pub const PIECES_MAX: usize = 64;
/// No list is larger before compression.
const RAW_BYTES_MAX: usize = 128 * 1024 * 1024;
/// A monitor's text, as the hub's configuration bounds it, with room.
const TEXT_BYTES_MAX: usize = 256 * 1024;
/// More monitors than any hub has.
const MONITORS_MAX: usize = 2_000_000;
/// More steps than anybody writes.
const STEPS_MAX: usize = 64;

/// What a probe is to check.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct List {
    /// The IANA name of the hub's time zone, which cron expressions are in; empty for UTC.
    pub zone: String,
    /// The hub's steps before a certificate ends, longest first.
    pub certificate_expiry: Vec<Duration>,
    /// The monitors: their numbers at the hub, and their texts.
    pub monitors: Vec<(MonitorId, Box<str>)>,
}

/// A list, compressed.
pub fn write(list: &List) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + list.monitors.len() * 300);
    put_text(&mut out, &list.zone);
    varint::put(&mut out, list.certificate_expiry.len() as u64);
    for step in &list.certificate_expiry {
        varint::put(&mut out, step.as_secs());
    }
    varint::put(&mut out, list.monitors.len() as u64);
    for (id, text) in &list.monitors {
        varint::put_signed(&mut out, id.0);
        put_bytes(&mut out, text.as_bytes());
    }
    let mut bytes = [MAGIC.as_slice(), &[VERSION]].concat();
    bytes.extend(squeezed(&out));
    bytes
}

/// A list as it was written.
///
/// # Errors
/// If the bytes are not a list's.
pub fn read(bytes: &[u8]) -> Result<List, WireError> {
    let mut fields = Fields(bytes);
    if fields.array::<3>()? != *MAGIC {
        return Err(WireError::Damaged("it is no list of monitors"));
    }
    let version = fields.byte()?;
    if version != VERSION {
        return Err(WireError::Version {
            found: version,
            known: VERSION,
        });
    }
    let raw = unsqueezed(fields.0, RAW_BYTES_MAX)?;
    let mut fields = Fields(&raw);
    let zone = fields.line()?;
    let steps = fields.count(STEPS_MAX)?;
    let certificate_expiry = (0..steps)
        .map(|_| {
            fields
                .small::<u32>()
                .map(|secs| Duration::from_secs(secs.into()))
        })
        .collect::<Result<_, _>>()?;
    let count = fields.count(MONITORS_MAX)?;
    let mut monitors = Vec::with_capacity(count.min(raw.len() / 16));
    for _ in 0..count {
        let id = MonitorId(fields.signed()?);
        monitors.push((id, fields.raw_text(TEXT_BYTES_MAX)?.into()));
    }
    match fields.is_empty() {
        true => Ok(List {
            zone,
            certificate_expiry,
            monitors,
        }),
        false => Err(WireError::Damaged("something follows its end")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_as_it_was_written() {
        let list = List {
            zone: "Europe/Berlin".to_owned(),
            certificate_expiry: vec![Duration::from_secs(86_400 * 21), Duration::from_secs(3600)],
            monitors: vec![
                (
                    MonitorId(1),
                    "name = \"a\"\nurl = \"https://a.example/\"\n".into(),
                ),
                (
                    MonitorId(70_000),
                    "name = \"b\"\nurl = \"https://${B}/\"\n".into(),
                ),
            ],
        };
        let bytes = write(&list);
        assert_eq!(read(&bytes).unwrap(), list);
        for cut in 0..bytes.len() {
            assert!(read(&bytes[..cut]).is_err(), "cut at {cut}");
        }
        assert_eq!(read(&write(&List::default())).unwrap(), List::default());
        let mut newer = bytes;
        newer[3] = 9;
        assert_eq!(read(&newer), Err(WireError::Version { found: 9, known: 1 }));
    }
}
