//! The monitors of each location as a list, and its way into the stream of lists.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::sync::Arc;

use crate::clock;
use crate::config::Config;
use crate::domain::location::LocationName;
use crate::domain::monitor::{MonitorId, MonitorName};
use crate::domain::timestamp::Timestamp;
use crate::link::error::LinkError;
use crate::link::ways::HubWay;
use crate::wire::list::{self, List, PIECE_BYTES, PIECES_MAX};
use crate::wire::notes::{ListHead, Told};

/// What lists are made of.
#[derive(Debug, Clone)]
pub(in crate::daemon) struct Watched {
    /// The configuration in force.
    pub(in crate::daemon) config: Arc<Config>,
    /// The numbers of its monitors.
    pub(in crate::daemon) ids: Arc<HashMap<MonitorName, MonitorId>>,
    /// Those that a person paused.
    pub(in crate::daemon) paused: HashSet<MonitorId>,
}

impl Watched {
    /// What a location is to check; `None` for one that has no say in anything.
    fn list(&self, location: &LocationName) -> List {
        let monitors = self.config.monitors.iter().zip(&self.config.portable);
        let monitors = monitors.filter_map(|(monitor, text)| {
            let id = *self.ids.get(&monitor.name)?;
            let quorum = monitor.rules.quorum.as_ref()?;
            let is_checked = monitor.enabled && !self.paused.contains(&id) && quorum.has(location);
            (is_checked && !text.is_empty()).then(|| (id, text.clone()))
        });
        List {
            zone: self
                .config
                .daemon
                .timezone
                .iana_name()
                .unwrap_or_default()
                .to_owned(),
            certificate_expiry: self.config.alerts.certificate_expiry.clone(),
            monitors: monitors.collect(),
        }
    }

    /// The locations that get a list: all but the hub's own.
    pub(super) fn locations(&self) -> Vec<LocationName> {
        let mut all: Vec<LocationName> = Vec::new();
        let Some(places) = self.config.places() else {
            return all;
        };
        let of_monitors = self.config.monitors.iter();
        let of_monitors = of_monitors.filter_map(|monitor| monitor.rules.quorum.as_ref());
        let others = of_monitors.flat_map(|quorum| quorum.locations.iter());
        for location in places.locations.iter().chain(others) {
            if places.here.as_ref() != Some(location) && !all.contains(location) {
                all.push(location.clone());
            }
        }
        all
    }
}

/// Lists as they were put down last.
#[derive(Debug, Default)]
pub(super) struct Lists {
    heads: HashMap<LocationName, ListHead>,
}

impl Lists {
    /// What a location should know.
    pub(super) fn head(&self, location: &LocationName) -> Option<&ListHead> {
        self.heads.get(location)
    }

    /// Puts down the lists that differ from those that are there, and tells their locations.
    pub(super) async fn publish(
        &mut self,
        way: &impl HubWay,
        watched: &Watched,
    ) -> Result<(), LinkError> {
        for location in watched.locations() {
            let bytes = list::write(&watched.list(&location));
            let pieces: Vec<&[u8]> = bytes.chunks(PIECE_BYTES).collect();
            if pieces.len() > PIECES_MAX {
                tracing::error!(
                    "the list of {location} takes {} bytes, and at most {} are sent: it stays as it was",
                    bytes.len(),
                    PIECE_BYTES * PIECES_MAX
                );
                continue;
            }
            let digest = ring::digest::digest(&ring::digest::SHA256, &bytes);
            let sha256 = hexadecimal(digest.as_ref());
            let there = match way.list_of(&location).await {
                Ok(there) => there,
                // Somebody else wrote it; it is written anew.
                Err(LinkError::Odd(_)) => None,
                Err(why) => return Err(why),
            };
            let head = match there {
                Some(there) if there.sha256 == sha256 && there.pieces == pieces.len() => there,
                there => {
                    let head = ListHead {
                        version: next_version(there.as_ref(), clock::now()),
                        pieces: pieces.len(),
                        sha256,
                    };
                    way.put_list(&location, &head, &pieces).await?;
                    head
                }
            };
            way.tell(&location, &Told::List(head.clone())).await?;
            self.heads.insert(location, head);
        }
        Ok(())
    }
}

/// Versions grow, also for a hub that lost its streams: they are the time.
fn next_version(there: Option<&ListHead>, now: Timestamp) -> u64 {
    let time = u64::try_from(now.as_ms()).unwrap_or(1);
    there.map_or(time, |there| time.max(there.version.saturating_add(1)))
}

/// Bytes as text.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // A string takes everything.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
