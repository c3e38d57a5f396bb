//! Values to text: tables, JSON, mails, pages. Pure; writes to any `fmt::Write`.

pub mod screen;
