//! SQLite: the only place with SQL.

pub mod backup;
pub mod batch;
mod block;
mod chain;
pub mod course;
pub mod damage;
pub mod error;
pub mod history;
pub mod incidents;
mod intern;
mod journal;
mod lock;
mod migrate;
pub mod monitors;
pub mod outbox;
mod outbox_row;
pub mod reader;
pub mod recent;
pub mod report;
mod resolve;
pub mod retain;
pub mod rollup;
pub mod settle;
pub mod status;
mod summary;
pub mod usual;
pub mod writer;
