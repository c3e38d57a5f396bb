//! Text to a [`Config`] that is only constructible when valid; every fault collected with its place.

mod brackets;
pub mod diff;
mod email;
pub mod environment;
mod expand;
mod expectation;
mod facts;
mod fault;
mod files;
mod fingerprint;
pub mod first_file;
mod foreign;
mod found;
mod hints;
pub mod import;
mod include;
pub mod keys;
mod links;
mod load;
mod maintenance;
mod meant;
pub mod model;
mod monitor;
mod odd;
mod parser_words;
pub mod paths;
mod patterns;
mod pieces;
mod reading;
mod redact;
mod render;
mod rules;
pub mod schema;
mod sections;
pub mod show;
mod slips;
mod source;
mod suggest;
mod syntax;
mod target;
mod twice;
mod url_words;
mod value;
mod warnings;
mod wording;

pub use diff::{Diff, diff};
pub use environment::Environment;
pub use fault::ConfigErrors;
pub use fingerprint::Watch;
pub use include::Included;
pub use load::{Brief, load, load_again, load_brief, load_brief_telling};
pub use model::Config;
pub use paths::{Located, NotFound, locate};

/// The commented file with every key, as `config example` prints it.
pub const EXAMPLE: &str = include_str!("../../monitors.example.toml");
