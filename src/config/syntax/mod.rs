//! TOML as people write it, and what is said where it cannot be parsed.

pub(super) mod duplicate_key;
pub(super) mod odd_characters;
pub(super) mod other_formats;
pub(super) mod parse;
pub(super) mod parser_words;
pub(super) mod slips;
pub(super) mod split_large;
pub(super) mod unclosed;
