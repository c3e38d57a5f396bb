//! The JSON objects of orders: who gave them, how an incident counts by order, what was noted of it.

use serde::Serialize;

use super::audience::Audience;
use super::json::Utc;
use crate::domain::amendment::{Amendment, IncidentNote};
use crate::domain::order::{By, KeptOrder};
/// Readers without the token learn how an incident counts since when, not who said so.
#[derive(Debug, Serialize)]
pub(super) struct AmendmentObject<'a> {
    r#as: &'static str,
    at: Utc,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<ByObject<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    undone_at: Option<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    undone_by: Option<ByObject<'a>>,
}

impl<'a> AmendmentObject<'a> {
    pub(super) fn of(amendment: &'a Amendment, audience: Audience) -> Self {
        let is_owner = audience == Audience::Owner;
        let undone = amendment.undone.as_ref().filter(|_| is_owner);
        Self {
            r#as: amendment.counts_as.as_str(),
            at: Utc(amendment.at),
            by: is_owner.then(|| ByObject::of(&amendment.by)),
            note: is_owner.then_some(amendment.note.as_deref()),
            undone_at: undone.map(|(at, _)| Utc(*at)),
            undone_by: undone.map(|(_, by)| ByObject::of(by)),
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct NoteObject<'a> {
    at: Utc,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<ByObject<'a>>,
    text: &'a str,
    public: bool,
}

impl<'a> NoteObject<'a> {
    pub(super) fn of(note: &'a IncidentNote, audience: Audience) -> Self {
        Self {
            at: Utc(note.at),
            by: (audience == Audience::Owner).then(|| ByObject::of(&note.by)),
            text: &note.text,
            public: note.public,
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct ByObject<'a> {
    uid: u32,
    name: Option<&'a str>,
}

impl<'a> ByObject<'a> {
    pub(super) fn of(by: &'a By) -> Self {
        Self {
            uid: by.uid,
            name: by.name.as_deref(),
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct OrderObject<'a> {
    order: &'static str,
    at: Utc,
    by: ByObject<'a>,
    until: Option<Utc>,
    note: Option<&'a str>,
}

impl<'a> OrderObject<'a> {
    pub(super) fn of(kept: &'a KeptOrder) -> Self {
        let order = &kept.order;
        Self {
            order: order.word.as_str(),
            at: Utc(kept.at),
            by: ByObject::of(&order.by),
            until: order.args.until.map(Utc),
            note: order.args.note.as_deref(),
        }
    }
}
