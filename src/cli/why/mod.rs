//! `sitewatch why`.

pub mod command;
mod outbox;
mod past;
mod sentence;
