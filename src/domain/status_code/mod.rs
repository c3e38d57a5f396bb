//! HTTP status codes explained to the owner of a site: one table for commands, mails and pages.

mod code;
mod lookup;
mod registered;
mod vendor;

pub use code::{Class, Side, Standing, StatusCode};
pub use lookup::{all, lookup, nearest_class, search};
