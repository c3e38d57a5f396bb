//! `/incident/ID`: what a site answered when it failed, and what differs from its last good answer.

use maud::{Markup, html};

use super::rows::{Frame, Look, State};
use super::{frame, words};
use crate::domain::evidence::{Evidence, Head, KeptBody};
use crate::domain::redaction;
use crate::domain::timestamp::Timestamp;
use crate::view::evidence::status_line;
use crate::view::time_text::grouped;

/// What is shown of an incident.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its monitor.
    pub monitor: &'a str,
    /// Its first failed check.
    pub opened_at: Timestamp,
    /// What was wrong, in one line.
    pub cause: &'a str,
    /// The answers of that check; `None` if they are not kept.
    pub evidence: Option<&'a Evidence>,
    /// The last good check of which an answer is kept.
    pub good_at: Option<Timestamp>,
    /// The lines that differ from it; `None` if there is nothing to compare with.
    pub diff: Option<&'a [String]>,
}

/// The page.
pub fn evidence(page: &Frame, shown: &Shown<'_>) -> Markup {
    let heading = html! { h1 { a href="/" { (page.title) } } };
    let look: Look = State::Down.into();
    let tab = format!("Incident {} - {}", shown.id, page.title);
    let main = html! {
        section aria-labelledby="incident" {
            h2 id="incident" { a href=(words::monitor_path(shown.monitor)) { (shown.monitor) } }
            dl.facts {
                dt { "First failed check" } dd { (words::moment(page, shown.opened_at)) }
                dt { "What was wrong" } dd { (shown.cause) }
                dt { "Incident" } dd { (shown.id) }
            }
        }
        @match shown.evidence {
            Some(kept) if !kept.heads.is_empty() || kept.body.is_some() => {
                (answers(kept))
                (differences(page, shown))
            }
            Some(_) => { section { p.quiet { "No answer came." } } }
            None => { section { p.quiet { "The answer is not kept." } } }
        }
    };
    frame::page(page, &heading, &tab, look, &main)
}

fn answers(kept: &Evidence) -> Markup {
    html! {
        section aria-labelledby="answer" {
            h2 id="answer" { "Answer" }
            @for head in &kept.heads { (answer(head)) }
            @match &kept.body {
                Some(KeptBody::Text(text)) => { pre.answer { (text.trim_end()) } }
                Some(KeptBody::Bytes(bytes)) => {
                    p.quiet { (grouped(bytes.len() as u64)) " bytes that are no text." }
                }
                None => {}
            }
            @if kept.truncated {
                p.quiet { (grouped(kept.body_bytes)) " bytes of body came; only the first are kept." }
            }
        }
    }
}

fn answer(head: &Head) -> Markup {
    html! {
        h3 { (redaction::shown(&head.url)) }
        pre.answer {
            (status_line(head)) "\n"
            @for (name, value) in &head.fields { (name) ": " (value) "\n" }
        }
    }
}

fn differences(page: &Frame, shown: &Shown<'_>) -> Markup {
    html! {
        @if let (Some(lines), Some(good_at)) = (shown.diff, shown.good_at) {
            section aria-labelledby="diff" {
                h2 id="diff" { "Against the last good answer" }
                p.quiet { "That was " (words::moment(page, good_at)) "." }
                @if lines.is_empty() { p { "Nothing that is kept differs." } }
                @else { pre.answer { @for line in lines { (line) "\n" } } }
            }
        }
    }
}
