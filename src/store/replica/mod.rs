//! A copy of the database on another hub: what changes here is noted, and there it is done again.

mod apply;
mod capture;
pub mod standing;

pub use standing::Unsent;
