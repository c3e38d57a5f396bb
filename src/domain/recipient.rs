//! Who is told: a mailbox, or a channel of the configuration.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::address::{Address, AddressError};
use super::channel::ChannelName;

/// One who is told. Two are the same when their [`Recipient::key`] is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Recipient {
    /// By mail.
    Mail(Address),
    /// By a channel.
    Channel(ChannelName),
}

impl Recipient {
    /// A recipient that a version of this program wrote down: whatever that version took is taken.
    ///
    /// # Errors
    /// When it is neither an address nor a channel's name.
    pub fn restored(text: &str) -> Result<Self, AddressError> {
        if text.contains('@') {
            return Address::restored(text).map(Self::Mail);
        }
        ChannelName::parse(text)
            .map(Self::Channel)
            .map_err(|_| AddressError::None(text.to_owned()))
    }

    /// What tells recipients apart, and what people see: the bare address, or the channel's name.
    pub fn key(&self) -> &str {
        match self {
            Self::Mail(address) => address.mailbox(),
            Self::Channel(name) => name.as_str(),
        }
    }

    /// The address, where it is told by mail.
    pub const fn address(&self) -> Option<&Address> {
        match self {
            Self::Mail(address) => Some(address),
            Self::Channel(_) => None,
        }
    }

    /// The channel's name, where it is told by one.
    pub const fn channel(&self) -> Option<&ChannelName> {
        match self {
            Self::Mail(_) => None,
            Self::Channel(name) => Some(name),
        }
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mail(address) => address.fmt(f),
            Self::Channel(name) => name.fmt(f),
        }
    }
}

impl From<Address> for Recipient {
    fn from(address: Address) -> Self {
        Self::Mail(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_an_at_and_a_channel_has_none() {
        let key = |text: &str| Recipient::restored(text).unwrap().key().to_owned();
        assert_eq!(key("Ops <ops@example.com>"), "ops@example.com");
        assert_eq!(key("oncall"), "oncall");
        assert!(Recipient::restored("").is_err());
    }
}
