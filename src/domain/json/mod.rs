//! JSON as sites send it, and the paths that ask for its parts (RFC 8259, RFC 9535).

mod document;
mod filter;
mod number;
mod path;
mod path_text;
mod query;
mod reader;
mod steps;

pub use document::{Document, Kind, Node};
pub use number::compare;
pub use path::JsonPath;
pub use path_text::{NAME_MISSING, PathError};
pub use query::Look;
pub use reader::JsonFault;
pub use steps::{STEPS_MAX, Spent, Steps};

#[cfg(test)]
mod tests;
