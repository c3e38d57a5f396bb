//! Channels: the ways beside mail on which alerts leave.

mod event;
mod format;
mod name;
mod service;
mod settings;
mod signing_key;

pub use event::{Event, Events, EventsError};
pub use format::{Format, Need, Needs};
pub use name::{ChannelName, ChannelNameError};
pub use service::{Given, Service};
pub use settings::Channel;
pub use signing_key::{SigningKey, SigningKeyError};
