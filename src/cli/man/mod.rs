//! `sitewatch man`.

pub mod command;
pub mod config_page;
