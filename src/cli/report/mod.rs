//! `sitewatch report`.

pub mod command;
pub mod mail;
pub mod page;
