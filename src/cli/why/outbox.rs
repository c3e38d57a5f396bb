//! The part of the outbox that is about one monitor, and what keeps it there.

use super::command::Asked;
use crate::domain::channel::ChannelName;
use crate::domain::monitor::MonitorId;
use crate::domain::settings::AlertSettings;
use crate::domain::timestamp::Timestamp;
use crate::policy::outbox::held_by::{HeldBy, Way, held_by};
use crate::policy::outbox::hours::Hours;
use crate::policy::outbox::plan;
use crate::policy::outbox::queued::Waiting;
use crate::store::error::StoreError;
use crate::store::outbox::{attempts, channels, queries};
use crate::store::reader::Reader;
use crate::view::why::HoldRow;

/// The part of the outbox that is about one monitor.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// What keeps messages.
    pub(super) holds: Vec<HoldRow>,
    /// Since when the oldest waits that nothing keeps.
    pub(super) due_since: Option<Timestamp>,
}

impl Asked<'_> {
    /// What keeps the messages about a monitor that are decided and have not left, by the mechanism of `email queue`.
    pub(super) fn waiting(
        &self,
        reader: &Reader,
        monitor: MonitorId,
        then: &AlertSettings,
    ) -> Result<Outbox, StoreError> {
        let hours = self
            .config
            .map_or_else(Hours::default, |config| config.hours.clone());
        let of_mail = attempts::pause(reader.outbox())?;
        let of_channels = channels::pauses(reader.outbox())?;
        let mut outbox = Outbox::default();
        for lane in queries::lanes_about(reader.outbox(), monitor)? {
            let settings = match self.config {
                Some(config) => config.alerts_for(&lane.to),
                None => then.clone(),
            };
            let pause = match lane.to.channel() {
                None => of_mail.as_ref(),
                Some(name) => {
                    let mut pauses = of_channels.iter();
                    pauses.find_map(|(paused, pause)| (*paused == name.as_str()).then_some(pause))
                }
            };
            let channel = lane.to.channel().map(ChannelName::as_str);
            let rest = attempts::rests_until(reader.outbox(), channel, self.at)?;
            let way = Way { pause, rest };
            let waits = plan::waits(&settings, &lane, &hours, self.at);
            let about =
                |row: &&Waiting| row.monitor == Some(monitor) || row.members.contains(&monitor);
            for row in lane.waiting.iter().filter(about) {
                let waits = waits.get(&row.id).copied();
                match held_by(row, &lane.to, waits, way, self.at) {
                    Some(held) => add(&mut outbox.holds, held, lane.to.key()),
                    None => {
                        let since = row.waits_since();
                        let before = outbox.due_since.unwrap_or(since);
                        outbox.due_since = Some(before.min(since));
                    }
                }
            }
        }
        Ok(outbox)
    }
}

/// Adds what keeps a message to a recipient; what keeps those to others likewise is one row.
fn add(rows: &mut Vec<HoldRow>, held: HeldBy, to: &str) {
    let same = rows
        .iter_mut()
        .find(|row| row.by == held.by && row.until == held.until);
    let row = match same {
        Some(row) => row,
        None => rows.push_mut(HoldRow {
            by: held.by,
            until: held.until,
            who: None,
            to: Vec::new(),
        }),
    };
    if !row.to.iter().any(|known| known == to) {
        row.to.push(to.to_owned());
    }
}
