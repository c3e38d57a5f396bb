//! Keys that exclude each other, and keys that must be there.

use toml::de::{DeTable, DeValue};

use super::reader::{KEY_BYTES_MAX, Reading};
use super::table::{Table, is_table_list, place};
use crate::config::diagnostic::nearest::nearest;
use crate::config::diagnostic::problem::Fault;
use crate::config::keys;
use crate::config::syntax::other_formats;

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

/// Reports what stands at the top of a file and is no section.
pub(in crate::config) fn refuse_unknown_sections(reading: &mut Reading<'_>, root: &DeTable<'_>) {
    let shown = reading
        .sources
        .first()
        .map_or_else(String::new, |source| source.shown.clone());
    let known = || {
        keys::SECTIONS
            .iter()
            .map(|section| section.name)
            .chain(keys::TOP.iter().map(|key| key.name))
    };
    for (key, value) in root {
        let name: &str = key.get_ref();
        if known().any(|known| known == name) {
            continue;
        }
        let is_section = match value.get_ref() {
            DeValue::Table(_) => true,
            other => is_table_list(other),
        };
        let header = |name: &str| {
            keys::SECTIONS
                .iter()
                .find(|section| section.name == name)
                .map_or_else(|| format!("`{name}`"), |section| section.header())
        };
        let owner = keys::owner(name).filter(|_| !is_section);
        let near = nearest(name, known());
        let is_near = near.is_some();
        let label = match (owner, near) {
            (None, _) if is_section && let Some(hint) = other_formats::of_section(&shown, name) => hint,
            (Some(section), _) => format!("`{name}` belongs in {}", section.header()),
            (None, Some(meant)) => format!("did you mean {}?", header(meant)),
            (None, None) => match is_section {
                true => "the sections are [email], [[monitor]], [defaults], [daemon], [history], [dns], [web], [alerts], [connectivity], [report], [heartbeat], [cluster], [[channel]], [[escalation]], [[hours]], [[source]], [[maintenance]], [[objective]]".to_owned(),
                false => "a key stands below the header of its section".to_owned(),
            },
        };
        let what = if is_section { "section" } else { "key" };
        let mut fault = Fault::new(
            place(0, key.span()),
            format!("unknown {what} `{name}`"),
            label,
        );
        fault.follows_from_syntax = !is_section || !is_near;
        reading.fault(fault);
    }
}
