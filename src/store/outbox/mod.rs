//! The outbox in SQL.

pub mod alerts;
pub mod attempts;
pub mod channels;
pub mod collecting;
pub mod escalations;
pub mod health;
mod kinds;
pub mod queries;
pub(super) mod rows;
pub mod told;
