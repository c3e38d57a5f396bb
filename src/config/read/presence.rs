//! Keys that exclude each other, and keys that must be there.

use super::reader::{KEY_BYTES_MAX, Reading};
use super::table::Table;
use crate::config::diagnostic::nearest::nearest;
use crate::config::diagnostic::problem::Fault;
use crate::config::keys;

impl Reading<'_> {
    /// Reports two keys of one table that exclude each other; true when both are there.
    pub(crate) fn exclusive(
        &mut self,
        table: &Table<'_>,
        first: &'static str,
        second: &'static str,
    ) -> bool {
        let is_set = |key| table.own(key).filter(|_| !table.is_blank(key));
        let (Some(one), Some(other)) = (is_set(first), is_set(second)) else {
            return false;
        };
        let (one, other) = match one.key_place.start <= other.key_place.start {
            true => (one, other),
            false => (other, one),
        };
        self.fault(
            Fault::new(
                other.key_place,
                format!("`{}` and `{}` exclude each other", one.key, other.key),
                "keep one of them",
            )
            .and(one.key_place, ""),
        );
        true
    }

    /// Whether the table has an unknown key for which one of these was probably meant.
    pub(super) fn is_misspelt(&self, table: &Table<'_>, meant: &[&str]) -> bool {
        self.may_suggest()
            && table.own.keys().any(|own| {
                let own: &str = own.get_ref();
                keys::find(table.keys, own).is_none()
                    && own.len() <= KEY_BYTES_MAX
                    && nearest(own, table.keys.iter().map(|key| key.name))
                        .is_some_and(|near| meant.contains(&near))
            })
    }

    /// Reports a key that must be there.
    pub(crate) fn missing(&mut self, table: &Table<'_>, key: &str, label: impl Into<String>) {
        // An unknown key that is nearly this one is reported as such.
        if self.is_misspelt(table, &[key]) {
            return;
        }
        let message = format!("{} needs `{key}`", table.called);
        let mut fault = Fault::new(table.header, message, label);
        fault.follows_from_syntax = true;
        self.fault(fault);
    }
}
