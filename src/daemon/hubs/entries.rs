//! Entries of the log as the rules of leadership see them.

use crate::link::error::LinkError;
use crate::link::ways::{LogEnd, LogWay, Logged};
use crate::policy::leadership::Tail;
use crate::wire::hub_log::{self, EntryHead, Kind};

/// The end of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    /// What an entry must follow.
    pub(super) number: u64,
    pub(super) tail: Option<Tail>,
    /// The machine of the one that wrote last.
    pub(super) host: String,
    pub(super) format: i64,
}

/// Reads the end of the log.
pub(super) async fn end(way: &impl LogWay) -> Result<End, LinkError> {
    let LogEnd { number, newest } = way.end().await?;
    let Some(newest) = newest else {
        return Ok(End {
            number,
            tail: None,
            host: String::new(),
            format: 0,
        });
    };
    let (head, _) = head_of(&newest)?;
    Ok(End {
        number,
        tail: Some(Tail {
            number: newest.number,
            boot: head.boot,
            term: head.term,
            position: head.position(),
            is_end: head.kind == Kind::End,
        }),
        host: crate::domain::safe_text::line(&head.host, 100).into_owned(),
        format: head.format,
    })
}

/// The head of an entry, and its body.
pub(super) fn head_of(entry: &Logged) -> Result<(EntryHead, &[u8]), LinkError> {
    hub_log::read(&entry.bytes).map_err(|_| {
        LinkError::Odd("an entry of the hubs' log that this version cannot read; update both hubs")
    })
}
