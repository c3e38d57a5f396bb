//! From parsed TOML to values: every key read, every fault collected.

pub(super) mod alert_rules;
pub(super) mod channel;
pub(super) mod channel_names;
pub(super) mod cluster;
pub(super) mod email;
pub(super) mod env_vars;
pub(super) mod expectation;
pub(super) mod include;
pub(super) mod kinds;
pub(super) mod look;
pub(super) mod maintenance;
pub(super) mod monitor;
pub(super) mod objective;
pub(super) mod patterns;
pub(super) mod portable;
pub(super) mod presence;
mod quorum;
pub(super) mod reader;
pub(super) mod referenced_files;
pub(super) mod references;
mod request_fields;
pub(super) mod scalars;
pub(super) mod sections;
pub(super) mod table;
pub(super) mod target;
pub(super) mod telling;
pub(super) mod whole;
