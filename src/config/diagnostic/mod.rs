//! What is wrong with a configuration, shown as a compiler does.

mod fault;
pub(super) mod hints;
pub(super) mod meant;
pub(super) mod messages;
pub(super) mod nearest;
pub(super) mod problem;
pub(super) mod redact;
pub(super) mod snippet;
pub(super) mod source_map;
pub(super) mod url_words;
pub(super) mod warnings;
