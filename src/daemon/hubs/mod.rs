//! Two hubs: the one that leads writes what changed into a log, the other does it again and takes over.

mod copies;
mod entries;
mod follower;
pub mod gate;
mod leader;
pub mod standby;
mod standby_desk;
#[cfg(test)]
mod takeovers;

pub use leader::{Leader, say_farewell};
