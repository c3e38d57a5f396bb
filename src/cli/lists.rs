//! What `config check` says of the lists of `[[source]]`. It reads files and asks no network.

use super::output::quoted;
use crate::config::source_lists::entry::InForce;
use crate::config::source_lists::model::{ListPlace, ListSource};
use crate::config::source_lists::read::{LIST_BYTES_MAX, List, bytes_of, read};
use crate::domain::duration_text::Written;

/// The list in a file; `None` for one that has a URL.
///
/// # Errors
/// Why there is none, as a sentence.
pub fn look(source: &ListSource) -> Result<Option<List>, String> {
    let ListPlace::File(path) = &source.place else {
        return Ok(None);
    };
    let called = quoted(&source.called);
    let bytes = bytes_of(path, LIST_BYTES_MAX)
        .map_err(|why| format!("the list `{called}` cannot be read: {why}"))?;
    let list = read(&bytes, InForce::default())
        .map_err(|why| format!("the list `{called}` would be refused: {why}"))?;
    Ok(Some(list))
}

/// `customers.txt: 3 monitors, every 5m`
pub fn described(source: &ListSource) -> String {
    let called = quoted(&source.called);
    let every = Written(source.refresh);
    match look(source) {
        Ok(Some(list)) => {
            let monitors = match list.entries.len() {
                1 => "1 monitor".to_owned(),
                many => format!("{many} monitors"),
            };
            let skipped = list.skipped.sentence();
            let skipped =
                skipped.map_or_else(String::new, |skipped| format!("; {}", quoted(&skipped)));
            format!("{called}: {monitors}, every {every}{skipped}")
        }
        Ok(None) => format!("{called}: asked for by the daemon, every {every}"),
        Err(_) => format!("{called}: no list, every {every}"),
    }
}
