//! What a plan says is to be done with rows of the outbox.

use std::collections::BTreeMap;

use super::collecting::Collecting;
use super::queued::RowId;
use crate::domain::monitor::MonitorId;
use crate::policy::alert::state::Hold;

/// One thing to do with rows of a lane; done in order, and stopped at the first that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Deed {
    /// Deliver a row as it is.
    Send(RowId),
    /// An outage that ended before anything of it could leave: form one WAS DOWN mail of the two, and deliver it.
    Merge {
        /// The DOWN that never left; a reminder to somebody who was not to get the DOWN.
        down: RowId,
        /// The UP that came after it.
        up: RowId,
    },
    /// Form one digest of these rows, and deliver it; news collects after it.
    Digest(Vec<RowId>, Box<Collecting>),
    /// What collected is one mail, which leaves as it is: the next interval begins.
    Collect(Box<Collecting>),
    /// A newer row says all that this one would: it is dropped.
    Supersede(RowId),
    /// A window or a mute began while these waited, or their recipient's hours ended: mark them.
    Hold(Vec<RowId>, Hold),
    /// It ended: they wait no longer for it.
    Release(Vec<RowId>),
}

/// Whose mails are held back now, and why.
pub type Silenced = BTreeMap<MonitorId, Hold>;
