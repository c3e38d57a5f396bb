//! SQLite: the only place with SQL.

pub mod batch;
#[cfg_attr(not(test), expect(dead_code, reason = "settling comes next"))]
mod block;
mod chain;
pub mod error;
pub mod history;
pub mod incidents;
mod intern;
#[expect(dead_code, reason = "settling comes next")]
mod journal;
mod lock;
mod migrate;
pub mod monitors;
pub mod outbox;
pub mod reader;
pub mod recent;
mod resolve;
pub mod writer;
