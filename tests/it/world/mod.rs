//! The simulation: virtual time, scripted sites, a real database, mail in memory.

#![expect(
    clippy::unwrap_used,
    reason = "a world that cannot go on is a failed test"
)]

mod addresses;
mod clock;
mod commands;
mod config;
mod places;
mod posting;
mod recording;
mod runs;
mod scene;
mod telling;
mod usual;
mod why;
mod windows;
