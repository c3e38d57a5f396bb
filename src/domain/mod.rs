//! Vocabulary: plain values without clock or I/O.

pub mod address;
pub mod certificates;
pub mod check;
pub mod colour;
pub mod expectation;
pub mod failure_meaning;
pub mod incident;
pub mod json;
pub mod mask;
pub mod monitor;
pub mod name_server;
pub mod notice;
pub mod pattern_size;
pub mod probe;
pub mod secret;
pub mod settings;
pub mod span;
pub mod status_code;
pub mod target;
pub mod text;
pub mod timestamp;
pub mod visitor_words;
