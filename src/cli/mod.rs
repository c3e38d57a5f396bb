//! One file a command; `entry` is the way in, `output` the one file that prints, `error` the one map to exit codes.

pub mod args;
pub mod context;
pub mod dispatch;
pub mod error;
pub mod from_store;
mod help;
pub mod man;
pub mod output;

pub mod amend;
pub mod backup;
pub mod channel;
pub mod check;
pub mod cluster;
pub mod complete;
pub mod completions;
pub mod config;
mod config_init;
pub mod control;
pub mod demo;
mod demo_past;
pub mod email;
pub mod events;
pub mod evidence;
pub mod explain;
pub mod history;
pub mod import;
pub mod incidents;
pub mod lists;
pub mod maintenance;
pub mod replay;
pub mod report;
pub mod resolve;
pub mod run;
pub mod status;
mod status_watch;
pub mod why;
