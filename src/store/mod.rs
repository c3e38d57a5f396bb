//! SQLite: the only place with SQL.

pub mod checks;
pub mod compaction;
pub mod error;
pub mod facts;
pub mod file;
pub mod outbox;
pub mod reader;
pub mod replica;
pub mod spool;
pub mod transaction;
pub mod writer;
