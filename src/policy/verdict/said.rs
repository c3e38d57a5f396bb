//! How what is wrong is told: one masked line of bounded length.

use crate::domain::check::{Failure, FailureKind};
use crate::domain::redaction::Masks;
use crate::domain::safe_text;

/// Values, URLs and a server's words are cut to this many characters in a detail.
pub(super) const SHOWN_CHARS: usize = 200;

/// All of a detail: some of them list what several assertions met.
const DETAIL_BYTES_MAX: usize = 4 * 1024;

/// What is wrong, before masks are applied.
pub(super) type Found = (FailureKind, String);

/// What is recorded of it.
pub(super) fn failure_of(masks: &Masks, (kind, detail): Found) -> Failure {
    Failure {
        kind,
        detail: safe_text::middle_bytes(&masks.apply(&detail), DETAIL_BYTES_MAX)
            .as_ref()
            .into(),
    }
}
