//! What leaves the outbox next: grouping, digests, merging and order per recipient, and the way of one row.

pub mod delivery;
mod held;
pub mod message_id;
pub mod pause;
pub mod plan;
pub mod refusal;
pub mod rehearsal;
pub mod rest;
pub mod row;
