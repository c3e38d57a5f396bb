//! Maintenance that runs or is announced, as `/api/v1/maintenance` has it.

use serde::Serialize;

use super::json::Utc;
use super::page::rows::WindowRow;
use crate::domain::timestamp::Timestamp;

/// A window.
#[derive(Debug, Serialize)]
pub struct WindowObject<'a> {
    monitors: &'a [String],
    from: Utc,
    to: Utc,
    running: bool,
    note: &'a str,
}

/// The object of a window.
pub fn window(window: &WindowRow, now: Timestamp) -> WindowObject<'_> {
    WindowObject {
        monitors: &window.monitors,
        from: Utc(window.start),
        to: Utc(window.end),
        running: window.start <= now,
        note: &window.note,
    }
}
