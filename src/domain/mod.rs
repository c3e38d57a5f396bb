//! Vocabulary: plain values without clock or I/O.

pub mod address;
pub mod certificates;
pub mod check;
pub mod colour;
pub mod duration_text;
pub mod expectation;
mod failure_by_kind;
pub mod failure_help;
pub mod incident;
pub mod json;
pub mod monitor;
pub mod name_server;
pub mod notification;
pub mod observed;
pub mod pattern_size;
pub mod probe;
pub mod redaction;
pub mod safe_text;
pub mod secret;
pub mod settings;
pub mod starttls;
pub mod status_code;
pub mod subject;
pub mod target;
pub mod timestamp;
pub mod varint;
pub mod visitor_words;
