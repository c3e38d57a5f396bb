//! Text to a [`Config`] that is only constructible when valid; every fault collected with its place.

mod email;
pub mod environment;
mod expand;
mod expectation;
mod fault;
mod files;
pub mod keys;
mod links;
mod load;
mod maintenance;
pub mod model;
mod monitor;
pub mod paths;
mod reading;
mod redact;
mod render;
mod rules;
mod sections;
mod source;
mod suggest;
mod syntax;
mod target;
mod value;

pub use environment::Environment;
pub use fault::ConfigErrors;
pub use load::{Brief, load, load_brief};
pub use model::Config;
pub use paths::{Located, NotFound, locate};
