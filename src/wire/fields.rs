//! Numbers, texts and addresses, one after the other.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::domain::safe_text;
use crate::domain::varint;

/// Why bytes are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// They end too early, go on too long, or say what cannot be.
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    /// They are of a version that this program does not know.
    #[error("it is of version {found} of the format, and this program reads {known}; update it")]
    Version {
        /// Theirs.
        found: u8,
        /// Ours.
        known: u8,
    },
    /// More than is taken.
    #[error("it is larger than {0} bytes")]
    Large(usize),
}

/// No text is longer, in bytes.
pub(super) const TEXT_BYTES_MAX: usize = 2048;

pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    let text = match text.len() {
        0..=TEXT_BYTES_MAX => text,
        _ => text
            .get(..text.floor_char_boundary(TEXT_BYTES_MAX))
            .unwrap_or_default(),
    };
    put_bytes(out, text.as_bytes());
}

pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    varint::put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub(super) fn put_addr(out: &mut Vec<u8>, addr: SocketAddr) {
    match addr.ip() {
        IpAddr::V4(ip) => {
            out.push(4);
            out.extend(ip.octets());
        }
        IpAddr::V6(ip) => {
            out.push(6);
            out.extend(ip.octets());
        }
    }
    varint::put(out, addr.port().into());
}

/// Takes one thing after the other off the front.
pub(super) struct Fields<'b>(pub(super) &'b [u8]);

impl<'b> Fields<'b> {
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn byte(&mut self) -> Result<u8, WireError> {
        let (first, rest) = self.0.split_first().ok_or(ENDED)?;
        self.0 = rest;
        Ok(*first)
    }

    pub(super) fn number(&mut self) -> Result<u64, WireError> {
        varint::take(&mut self.0).ok_or(ENDED)
    }

    pub(super) fn signed(&mut self) -> Result<i64, WireError> {
        varint::take_signed(&mut self.0).ok_or(ENDED)
    }

    /// A number of some smaller type.
    pub(super) fn small<T: TryFrom<u64>>(&mut self) -> Result<T, WireError> {
        T::try_from(self.number()?).map_err(|_| WireError::Damaged("a number is too large"))
    }

    /// How many of something follow.
    pub(super) fn count(&mut self, max: usize) -> Result<usize, WireError> {
        match self.small::<usize>()? {
            count if count <= max => Ok(count),
            _ => Err(WireError::Damaged("too many of something")),
        }
    }

    pub(super) fn exact(&mut self, bytes: usize) -> Result<&'b [u8], WireError> {
        let (taken, rest) = self.0.split_at_checked(bytes).ok_or(ENDED)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn bytes(&mut self, max: usize) -> Result<&'b [u8], WireError> {
        let count = self.count(max)?;
        self.exact(count)
    }

    pub(super) fn raw_text(&mut self, max: usize) -> Result<&'b str, WireError> {
        std::str::from_utf8(self.bytes(max)?).map_err(|_| WireError::Damaged("a text is not UTF-8"))
    }

    /// One line that may be shown as it is: who sent it is not trusted with that.
    pub(super) fn line(&mut self) -> Result<String, WireError> {
        let text = self.raw_text(TEXT_BYTES_MAX)?;
        Ok(match safe_text::first_unsafe(text) {
            None => text.to_owned(),
            Some(_) => safe_text::line(text, TEXT_BYTES_MAX).into_owned(),
        })
    }

    pub(super) fn addr(&mut self) -> Result<SocketAddr, WireError> {
        let ip = match self.byte()? {
            4 => IpAddr::V4(Ipv4Addr::from(self.array::<4>()?)),
            6 => IpAddr::V6(Ipv6Addr::from(self.array::<16>()?)),
            _ => return Err(WireError::Damaged("an address of no known kind")),
        };
        Ok(SocketAddr::new(ip, self.small()?))
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        self.exact(N)?.try_into().map_err(|_| ENDED)
    }
}

const ENDED: WireError = WireError::Damaged("it ends too early");
