//! What a reload would change.

pub mod compare;
pub(super) mod fields;
mod kinds;
pub(super) mod settings;
