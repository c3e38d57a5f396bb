//! SQLite: the only place with SQL.

pub mod outbox;
