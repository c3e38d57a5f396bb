//! `[[channel]]` as valid values.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::event::{Event, Events};
use super::format::Format;
use super::name::ChannelName;
use super::service::Service;
use crate::domain::redaction::Masks;
use crate::domain::secret::Secret;
use crate::domain::settings::AlertSettings;
use crate::domain::target::Proxy;

/// One channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// What `to` calls it.
    pub name: ChannelName,
    /// Where its messages go.
    pub service: Service,
    /// Header fields that are sent in place of ours of the same name, or beside them. Valid names and values.
    pub headers: Vec<(String, Secret)>,
    /// Laid over the top level of the request's JSON object: a key of ours with the same name is replaced.
    pub fields: Map<String, Value>,
    /// What it takes.
    pub events: Events,
    /// One whole request.
    pub timeout: Duration,
    /// The way there.
    pub proxy: Proxy,
    /// An extra trust anchor, PEM.
    pub ca_pem: Option<Arc<[u8]>>,
    /// Whether the service's certificate is verified.
    pub verify_tls: bool,
    /// What of it may not be shown, in whatever the service answers either.
    pub masks: Masks,
}

impl Channel {
    /// How its messages are written.
    pub const fn format(&self) -> Format {
        self.service.format()
    }

    /// The rules of `[alerts]` as they are for it.
    pub fn alerts(&self, of_all: &AlertSettings) -> AlertSettings {
        let mut settings = of_all.clone();
        // A recipient without recoveries is told of an outage that is over in one message, or not at all.
        settings.recovery &= self.events.has(Event::Up);
        if self.format().takes_incidents_only() {
            settings.group_limit = u32::MAX;
            // What a DOWN opened there, nothing but an UP closes.
            settings.recovery = self.events.has(Event::Up);
        }
        settings
    }
}
