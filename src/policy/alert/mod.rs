//! The alert machine of one monitor: its rules, its memory, and what it announces.

pub(super) mod announce;
pub mod certificate_expiry;
pub(super) mod conditions;
pub mod dependencies;
pub mod escalation;
pub mod flapping;
pub mod intermittent;
pub(super) mod machine;
pub mod maintenance;
pub mod monitor;
pub mod ordered_windows;
pub mod redirect_drift;
pub mod reminder;
pub(super) mod shown;
pub mod slow;
pub mod state;
#[cfg(test)]
pub(super) mod timelines;
