//! A body as an assertion or a person reads it: decoded, bounded, as text.

mod body;
mod charset;
mod codings;
mod excerpt;
mod release;

pub(in crate::policy) use body::Content;
pub(super) use codings::{Tail, decoded, named as codings};
pub(in crate::policy) use excerpt::excerpt;
pub use release::release;

#[cfg(test)]
mod tests;
