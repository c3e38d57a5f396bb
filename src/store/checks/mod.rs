//! Recorded checks: how they are stored, packed and read.

pub mod baselines;
pub(super) mod chain_codec;
pub(super) mod extras_codec;
pub mod history;
pub(super) mod hour_block;
pub(super) mod hydrate;
pub(super) mod intern;
pub(super) mod journal;
pub mod latest;
pub mod observed_period;
