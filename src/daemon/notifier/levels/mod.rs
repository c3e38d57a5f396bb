//! Alertmanager: each instance is shown what is open, again each minute, and every end until it has taken it.

pub(super) mod all;
mod instance;
pub(super) mod once;
pub(super) mod posting;
