//! Sentences about what is wrong that more than one place says.

use super::nearest::nearest;
use super::problem::Fault;
use crate::config::keys;
use crate::config::read::env_vars::ExpandError;
use crate::config::read::table::Text;

/// `"a", "b" or "c"`.
pub(in crate::config) fn either(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => format!("\"{one}\""),
        [start @ .., last] => {
            let start: Vec<String> = start.iter().map(|word| format!("\"{word}\"")).collect();
            format!("{} or \"{last}\"", start.join(", "))
        }
    }
}

/// Where a key belongs that stands in the wrong section.
pub(in crate::config) fn elsewhere(name: &str) -> Option<String> {
    if keys::SECTIONS.iter().any(|section| section.name == name) {
        let section = keys::SECTIONS.iter().find(|section| section.name == name)?;
        return Some(format!("{} is a section of its own", section.header()));
    }
    if keys::find(keys::TOP, name).is_some() {
        return Some(format!(
            "`{name}` belongs at the top, before the first section"
        ));
    }
    let owner = keys::owner(name)?;
    Some(format!("`{name}` belongs in {}", owner.header()))
}

/// What to do about a key or section that stands in an included file.
pub(in crate::config) fn instead_of_included(name: &str) -> String {
    let is_known = keys::find(keys::TOP, name).is_some()
        || keys::SECTIONS.iter().any(|section| section.name == name);
    match nearest(name, keys::ENTRIES.iter().copied()).filter(|_| !is_known) {
        Some(meant) => format!("did you mean [[{meant}]]?"),
        None => {
            let entries: Vec<String> = keys::ENTRIES.iter().map(|it| format!("[[{it}]]")).collect();
            format!("an included file holds {} only", entries.join(", "))
        }
    }
}

/// What is wrong with a `${NAME}`.
pub(in crate::config) fn expand_fault(error: ExpandError, text: &Text<'_>) -> Fault {
    match error {
        ExpandError::Unset(name, part) => Fault::new(
            text.part(Some(part)),
            format!("the environment variable `{name}` is not set"),
            "set it, or write $${ for a literal ${",
        ),
        ExpandError::Unclosed(part) => Fault::new(
            text.part(Some(part)),
            "`${` is not closed",
            "close it with }, or write $${ for a literal ${",
        ),
        ExpandError::NoName(name, part) => Fault::new(
            text.part(Some(part)),
            format!("`${{{name}}}` does not name an environment variable"),
            "a name has letters, digits and _; write $${ for a literal ${",
        ),
    }
}

/// A file's name as a shell takes it.
pub(in crate::config) fn command_word(name: &str) -> String {
    let is_plain = !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || "/._-+@%:,".contains(c));
    match is_plain {
        true => name.to_owned(),
        false => format!("'{}'", name.replace('\'', "'\\''")),
    }
}
