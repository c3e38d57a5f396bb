//! Values to text: tables, JSON, mails, pages. Pure; writes to any `fmt::Write`.

pub mod explain;
pub mod mail;
pub mod screen;
pub mod wrap;
