//! The log of two hubs: who leads, and what changed in its database. Each entry is a line of JSON, which people
//! read with `nats`, and then what changed, compressed. A long list of changes takes several entries. And how a hub
//! asks the one that leads for a copy of its database.

use serde::{Deserialize, Serialize};

use super::fields::WireError;
use super::squeeze::{squeezed, unsqueezed};
use crate::domain::hub_copy::Change;

/// The version of this form.
const VERSION: u8 = 1;
/// What one entry holds of a list of changes, and one answer of a database.
pub const PIECE_BYTES: usize = 400 * 1024;
/// No first line is longer.
const LINE_BYTES_MAX: usize = 4096;
/// What all entries of one list hold together, unpacked.
const CHANGES_BYTES_MAX: usize = 256 << 20;
/// A list has at most so many entries.
pub const PIECES_MAX: u32 = 1024;

/// What an entry says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A hub leads from here on.
    Begin,
    /// It still does.
    Beat,
    /// Rows changed.
    Changes,
    /// It ends in order, and has written everything.
    End,
}

/// The first line of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryHead {
    /// The version of the form.
    pub v: u8,
    /// What it says.
    pub kind: Kind,
    /// The leadership.
    pub term: u64,
    /// The process that leads.
    pub boot: u64,
    /// The name of its machine.
    pub host: String,
    /// The format of its database.
    pub format: i64,
    /// The newest change that the log had before.
    pub from: i64,
    /// The newest change that it has with all pieces of this list.
    pub to: i64,
    /// Which piece this is, from 0 on.
    #[serde(default)]
    pub piece: u32,
    /// How many there are.
    #[serde(default)]
    pub pieces: u32,
}

impl EntryHead {
    /// Whether nothing is missing that follows: the last piece of a list, or anything else.
    pub const fn is_last(&self) -> bool {
        self.piece + 1 >= self.pieces
    }

    /// The newest change that the log has with this entry.
    pub const fn position(&self) -> i64 {
        match self.is_last() {
            true => self.to,
            false => self.from,
        }
    }
}

/// An entry without its version.
pub fn head(kind: Kind, (term, boot): (u64, u64), host: &str, format: i64, at: i64) -> EntryHead {
    EntryHead {
        v: VERSION,
        kind,
        term,
        boot,
        host: host.to_owned(),
        format,
        from: at,
        to: at,
        piece: 0,
        pieces: 0,
    }
}

/// A line of JSON and what follows it, as bytes.
pub fn write(head: &impl Serialize, body: &[u8]) -> Vec<u8> {
    // Heads have numbers and texts only: they can always be written.
    let mut bytes = serde_json::to_vec(head).unwrap_or_default();
    bytes.push(b'\n');
    bytes.extend_from_slice(body);
    bytes
}

/// An entry as it was written: its head, and its piece of a list.
///
/// # Errors
/// It is of another version, or none of ours.
pub fn read(bytes: &[u8]) -> Result<(EntryHead, &[u8]), WireError> {
    let (head, body): (EntryHead, _) = parted(bytes)?;
    match head.v == VERSION && head.pieces <= PIECES_MAX && head.piece < head.pieces.max(1) {
        true => Ok((head, body)),
        false => Err(WireError::Damaged("it is an entry of another version")),
    }
}

fn parted<'b, T: Deserialize<'b>>(bytes: &'b [u8]) -> Result<(T, &'b [u8]), WireError> {
    const NOT_SO: WireError = WireError::Damaged("it is no entry of a hub's log");
    let line = bytes
        .get(..bytes.len().min(LINE_BYTES_MAX))
        .unwrap_or_default();
    let end = line.iter().position(|byte| *byte == b'\n').ok_or(NOT_SO)?;
    let head = serde_json::from_slice(bytes.get(..end).unwrap_or_default()).map_err(|_| NOT_SO)?;
    Ok((head, bytes.get(end + 1..).unwrap_or_default()))
}

/// A list of changes as bytes, to be cut into pieces.
pub fn pack(changes: &[Change]) -> Vec<u8> {
    let rows: Vec<(&str, bool, &str)> = changes
        .iter()
        .map(|change| {
            (
                change.name.as_str(),
                change.is_gone,
                change.literals.as_str(),
            )
        })
        .collect();
    squeezed(&serde_json::to_vec(&rows).unwrap_or_default())
}

/// A list of changes of which all pieces are together.
///
/// # Errors
/// It is damaged or too large.
pub fn unpack(bytes: &[u8]) -> Result<Vec<Change>, WireError> {
    let text = unsqueezed(bytes, CHANGES_BYTES_MAX)?;
    let rows: Vec<(String, bool, String)> = serde_json::from_slice(&text)
        .map_err(|_| WireError::Damaged("it is no list of changes"))?;
    let changes = rows.into_iter().map(|(name, is_gone, literals)| Change {
        name,
        is_gone,
        literals,
    });
    Ok(changes.collect())
}

/// A hub asks for a piece of a copy of the leader's database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyAsked {
    /// Which copy; a number that was not asked for before makes a new one.
    pub id: u64,
    /// Where the piece begins.
    pub offset: u64,
    /// Who asks.
    pub host: String,
}

/// The first line of the answer; the piece follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CopyTold {
    /// It is being made: ask again.
    Making,
    /// It cannot be made.
    Failed(String),
    /// A piece.
    Piece(CopyHead),
}

/// What a copy is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyHead {
    /// How many bytes it has.
    pub size: u64,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
    /// The format of the database.
    pub format: i64,
    /// The newest entry of the log when it was made: everything after it is to be done.
    pub number: u64,
    /// The leadership.
    pub term: u64,
    /// The process that leads.
    pub boot: u64,
}

/// An answer as it was written.
///
/// # Errors
/// It is none.
pub fn read_copy(bytes: &[u8]) -> Result<(CopyTold, &[u8]), WireError> {
    parted(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_as_they_were_written() {
        let mut begun = head(Kind::Begin, (3, u64::MAX), "fra1", 16, 41);
        assert_eq!(
            String::from_utf8(write(&begun, b"")).unwrap(),
            "{\"v\":1,\"kind\":\"begin\",\"term\":3,\"boot\":18446744073709551615,\"host\":\"fra1\",\"format\":16,\
             \"from\":41,\"to\":41,\"piece\":0,\"pieces\":0}\n"
        );
        assert_eq!(begun.position(), 41);
        begun.kind = Kind::Changes;
        (begun.to, begun.pieces) = (44, 2);
        assert_eq!(begun.position(), 41, "the second piece is missing");
        let bytes = write(&begun, b"a\nb");
        assert_eq!(read(&bytes).unwrap(), (begun.clone(), &b"a\nb"[..]));
        begun.piece = 1;
        assert_eq!(begun.position(), 44);
        begun.v = 2;
        assert!(read(&write(&begun, b"")).is_err());
        begun.v = 1;
        begun.piece = 2;
        assert!(read(&write(&begun, b"")).is_err());
        for bad in [&b""[..], b"\n", b"{}\n", b"null\n", &[b' '; 5000]] {
            assert!(read(bad).is_err());
        }
    }

    #[test]
    fn changes_are_read_as_they_were_written() {
        let changes = vec![
            Change {
                name: "meta".to_owned(),
                is_gone: false,
                literals: "'k','it''s \u{1f600}\n'".to_owned(),
            },
            Change {
                name: "missed".to_owned(),
                is_gone: true,
                literals: "1,2".to_owned(),
            },
        ];
        assert_eq!(unpack(&pack(&changes)).unwrap(), changes);
        assert_eq!(unpack(&pack(&[])).unwrap(), []);
        let mut bytes = pack(&changes);
        assert!(unpack(&bytes[..bytes.len() - 1]).is_err());
        bytes.push(0);
        assert!(unpack(&bytes).is_err());
    }

    #[test]
    fn a_copy_is_asked_for_and_told() {
        let told = CopyTold::Piece(CopyHead {
            size: 9,
            sha256: "00".to_owned(),
            format: 16,
            number: 7,
            term: 1,
            boot: 2,
        });
        let bytes = write(&told, b"SQLite\n");
        assert_eq!(read_copy(&bytes).unwrap(), (told, &b"SQLite\n"[..]));
        let making = write(&CopyTold::Making, b"");
        assert_eq!(read_copy(&making).unwrap(), (CopyTold::Making, &b""[..]));
        assert!(read_copy(b"x").is_err());
    }
}
