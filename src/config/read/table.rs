//! What is read out of a parsed file: tables, values and texts, each with its place.

use std::borrow::Cow;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use crate::config::diagnostic::source_map::Place;
use crate::config::keys::{self, Key};

/// One table of a file, with the one that fills in what it lacks.
#[derive(Clone, Copy)]
pub(in crate::config) struct Table<'t> {
    /// What stands in it.
    pub own: &'t DeTable<'t>,
    /// What it may hold.
    pub keys: &'static [Key],
    /// How it is called in messages: `[email]`, `basic_auth`.
    pub called: &'static str,
    /// Its header.
    pub header: Place,
    /// `[defaults]`, below a monitor, and the file it stands in.
    pub fallback: Option<(&'t DeTable<'t>, u32)>,
}

/// A value where it was found.
#[derive(Clone, Copy)]
pub(in crate::config) struct Found<'t> {
    /// The key, or that of the list or table it is in.
    pub key: &'t str,
    /// The value.
    pub value: &'t DeValue<'t>,
    /// Where the value stands.
    pub place: Place,
    /// Where its key stands.
    pub key_place: Place,
    /// Whether it comes from `[defaults]`, whose faults are reported there.
    pub inherited: bool,
    /// Whether it is a member of its key's list.
    pub is_member: bool,
}

/// A value with its place.
#[derive(Debug, Clone)]
pub(in crate::config) struct Placed<T> {
    pub it: T,
    pub place: Place,
    pub inherited: bool,
}

/// A string after its names were replaced.
pub(in crate::config) struct Text<'t> {
    pub value: Cow<'t, str>,
    /// As it stands in the file, names not replaced.
    pub raw: &'t str,
    pub place: Place,
    pub inherited: bool,
    /// Whether some of it came by `${NAME}`.
    pub came_by_name: bool,
    /// Whether byte n of the value is byte n + 1 of the file's text.
    pub(super) verbatim: bool,
}

impl Text<'_> {
    /// Where a part of the value stands; the whole where that cannot be told.
    pub(in crate::config) fn part(&self, part: Option<Range<usize>>) -> Place {
        match part {
            Some(part) if self.verbatim => self
                .place
                .part(part.start + 1, (part.end + 1).max(part.start + 2)),
            _ => self.place,
        }
    }
}

impl<'t> Table<'t> {
    /// A value of the table itself or, failing that, of its fallback.
    pub(in crate::config) fn get(&self, key: &'static str) -> Option<Found<'t>> {
        debug_assert!(
            keys::find(self.keys, key).is_some(),
            "{key} is not declared in {}",
            self.called
        );
        let look = |table: &'t DeTable<'t>, file: u32, inherited: bool| {
            let (written, value) = table.get_key_value(key)?;
            Some(Found {
                key,
                value: value.get_ref(),
                place: place(file, value.span()),
                key_place: place(file, written.span()),
                inherited,
                is_member: false,
            })
        };
        look(self.own, self.header.file, false).or_else(|| {
            let (table, file) = self.fallback?;
            look(table, file, true)
        })
    }

    /// A value of the table itself.
    pub(in crate::config) fn own(&self, key: &'static str) -> Option<Found<'t>> {
        self.get(key).filter(|found| !found.inherited)
    }

    /// Whether a key is absent or an empty string, which counts as absent where it may be.
    pub(in crate::config) fn is_blank(&self, key: &'static str) -> bool {
        self.get(key)
            .is_none_or(|found| matches!(found.value, DeValue::String(text) if text.is_empty()))
    }

    /// Whether the table itself has one of these keys.
    pub(super) fn has_any(&self, keys: &[&str]) -> bool {
        self.own
            .keys()
            .any(|own| keys.iter().any(|key| *key == own.get_ref().as_ref()))
    }
}

pub(in crate::config) fn place(file: u32, span: Range<usize>) -> Place {
    let byte = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Place {
        file,
        start: byte(span.start),
        end: byte(span.end),
    }
}

/// Whether a value is a list of tables, as `[[name]]` makes one.
pub(in crate::config) fn is_table_list(value: &DeValue<'_>) -> bool {
    value.as_array().is_some_and(|array| {
        !array.is_empty() && array.iter().all(|item| item.get_ref().is_table())
    })
}

/// What a value is, in words that fit after "is".
pub(super) fn described(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a decimal number",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
