//! One file a command; `entry` is the way in, `output` the one file that prints, `error` the one map to exit codes.

pub mod args;
pub mod context;
pub mod entry;
pub mod error;
pub mod output;
pub mod place;

pub mod backup;
pub mod check;
pub mod completions;
pub mod config;
mod config_init;
pub mod control;
pub mod demo;
pub mod email;
pub mod explain;
pub mod history;
pub mod import;
pub mod incidents;
pub mod lists;
pub mod man;
pub mod man_config;
pub mod replay;
pub mod report;
pub mod report_mail;
pub mod report_page;
pub mod rows;
pub mod run;
pub mod status;
