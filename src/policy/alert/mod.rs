//! The alert machine of one monitor: its rules, its memory, and what it announces.

pub mod agree;
pub(super) mod announce;
pub mod certificate_expiry;
pub(super) mod conditions;
pub mod confirm;
pub mod dependencies;
pub mod escalation;
pub mod flapping;
pub mod fleet;
pub mod intermittent;
pub mod location_news;
pub(super) mod machine;
pub mod maintenance;
pub mod monitor;
pub mod ordered_windows;
pub mod quorum;
pub mod redirect_drift;
pub mod reminder;
pub mod seats;
pub(super) mod shown;
pub mod slow;
pub mod state;
#[cfg(test)]
pub(super) mod timelines;
pub mod votes;
