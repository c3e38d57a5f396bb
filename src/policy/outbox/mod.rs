//! What leaves the outbox next: grouping, digests, merging and order per recipient, and the way of one row.

pub mod collecting;
mod deed;
pub mod held_by;
mod hold;
pub mod hours;
pub mod message_id;
pub mod out_of_reach;
pub mod plan;
pub mod queued;
pub mod refusal;
pub mod rest;
pub mod retry;
pub mod simulate;
pub mod transport_pause;
