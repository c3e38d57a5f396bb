//! A text that is wrong, as it was meant.

use std::sync::Arc;

use crate::config::read::reader::Reading;
use crate::config::syntax::other_formats;
use crate::config::syntax::slips;
use crate::config::syntax::unclosed;

/// The text without other languages' comments, look-alikes and brackets that are never closed. Each of them is a
/// fault; a file in another tool's format is one, and nothing of it is read.
pub(in crate::config) fn as_meant(
    reading: &mut Reading<'_>,
    file: u32,
    text: Arc<str>,
) -> Arc<str> {
    let source = reading.sources.get(file as usize);
    let shown = source.map_or("", |source| source.shown.as_str());
    if let Some(fault) = other_formats::of_text(shown, file, &text) {
        reading.syntax_faults.push(fault);
        return Arc::from("");
    }
    let text = slips::mended(reading, file, text);
    unclosed::mended(reading, file, text)
}
