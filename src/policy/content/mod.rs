//! A body as an assertion or a person reads it: decoded, bounded, as text.

mod body;
mod charset;
mod codings;
mod excerpt;

pub(super) use body::Content;
pub(super) use codings::{Tail, named as codings};
pub(super) use excerpt::excerpt;

#[cfg(test)]
mod tests;
