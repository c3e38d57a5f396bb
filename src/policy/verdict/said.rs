//! How what is wrong is told: one masked line of bounded length.

use crate::domain::check::{CheckState, Failure, FailureKind};
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

/// What one of several checks found that make one, short: its detail is cut to `chars_max` characters.
pub(super) fn in_short(
    state: CheckState,
    status: Option<u16>,
    failure: Option<&Failure>,
    chars_max: usize,
) -> String {
    match (failure, status) {
        (Some(failure), Some(status)) if failure.kind == FailureKind::Status => {
            format!("{} {status}", failure.kind)
        }
        (Some(failure), _) => {
            let detail = safe_text::middle(&failure.detail, chars_max);
            format!("{} ({detail})", failure.kind)
        }
        (None, _) => state.to_string(),
    }
}
