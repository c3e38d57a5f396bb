//! `[[source]]`: monitors from a list that another program keeps. The table, the reader of lists, and a configuration
//! with the monitors of its lists.

pub mod compose;
pub mod entry;
mod file_sd;
pub mod model;
pub mod read;
pub(super) mod settings;
