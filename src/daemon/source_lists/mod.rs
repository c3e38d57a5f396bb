//! The lists of `[[source]]`: read beside the checks, compared with what is in force, and put in force or refused.

pub mod apply;
pub mod kept;
mod mark;
pub mod reading;
pub mod rounds;
pub mod shelf;
