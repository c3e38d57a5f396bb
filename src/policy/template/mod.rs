//! Templates of channels: the user's text over the object of format `json`.

mod check;
mod engine;

pub use check::{TEXT_BYTES_MAX, TemplateError, check, sample};
pub use engine::{OUTPUT_BYTES_MAX, Printing, render};
