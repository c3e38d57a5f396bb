//! sitewatch: an uptime monitor for people with a server, a TOML file and an inbox.
//!
//! The layers, lowest first; a module imports its own directory and lower layers only
//! (`tests/tidy/` enforces it, `ARCHITECTURE.md` explains it):
//!
//! 0. [`domain`]: vocabulary, plain values.
//! 1. [`policy`]: decisions as pure functions.
//! 2. [`config`] (text to values), [`view`] (values to text) and [`wire`] (values to bytes and back).
//! 3. the edges: [`clock`], `blocking` (work on other threads), [`tls`], [`own_files`], [`probe`], [`store`], [`mail`],
//!    [`channel`], [`link`], [`service`], [`control`].
//! 4. [`daemon`]: wiring, the only place that spawns.
//! 5. [`cli`]: one file a command.

pub(crate) mod blocking;
#[cfg(test)]
#[path = "../tests/it/support/cases.rs"]
mod cases;
pub mod channel;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod daemon;
pub mod domain;
pub mod link;
pub mod mail;
pub mod own_files;
pub mod policy;
pub mod probe;
pub mod service;
pub mod store;
pub mod tls;
pub mod view;
pub mod wire;
