//! A text that is wrong, as it was meant.

use std::sync::Arc;

use super::brackets;
use super::foreign;
use super::reading::Reading;
use super::slips;

/// The text without other languages' comments, look-alikes and brackets that are never closed. Each of them is a
/// fault; a file in another tool's format is one, and nothing of it is read.
pub(super) fn as_meant(reading: &mut Reading<'_>, file: u32, text: Arc<str>) -> Arc<str> {
    let source = reading.sources.get(file as usize);
    let shown = source.map_or("", |source| source.shown.as_str());
    if let Some(fault) = foreign::of_text(shown, file, &text) {
        reading.syntax_faults.push(fault);
        return Arc::from("");
    }
    let text = slips::mended(reading, file, text);
    brackets::mended(reading, file, text)
}
