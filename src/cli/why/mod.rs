//! `sitewatch why`.

pub mod command;
mod past;
