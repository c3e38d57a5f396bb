//! UP and WAS DOWN: an outage that is over.

use crate::domain::check::Check;
use crate::domain::incident::{Cause, IncidentKey};
use crate::domain::notification::About;
use crate::domain::timestamp::Timestamp;

use super::context::Context;
use super::diagnosis;
use super::down::about_one;
use super::footer;
use super::outline::{Doc, Tone};
use super::words;

/// The facts of an UP.
pub(super) struct Up<'a> {
    pub(super) incident: IncidentKey,
    pub(super) cause: &'a Cause,
    pub(super) closed_at: Timestamp,
    pub(super) check: &'a Check,
    pub(super) checks_failed: u32,
    pub(super) flapping_since: Option<Timestamp>,
}

impl Up<'_> {
    fn lasted(&self, ctx: &Context) -> String {
        let opened_at = ctx.beginnings.of(self.incident);
        let began = self.flapping_since.unwrap_or(opened_at);
        words::between(began, self.closed_at)
    }

    fn story(&self, ctx: &Context) -> String {
        if let Some(since) = self.flapping_since {
            return format!(
                "The flapping is over: it went up and down from {} on, last with {}, and has been good for {} now.",
                words::clock_time(since, ctx),
                words::cause_name(&self.cause.failure, self.cause.status),
                words::span(self.check.at.since(self.closed_at)),
            );
        }
        format!(
            "It was down for {}, from {} to {}, with {}: {}.",
            self.lasted(ctx),
            words::clock_time(ctx.beginnings.of(self.incident), ctx),
            words::clock_time(self.closed_at, ctx),
            words::count(self.checks_failed.into(), "failed check", "failed checks"),
            self.causes(ctx)
        )
    }

    /// `503 Service Unavailable (14), connection refused (2)`
    fn causes(&self, ctx: &Context) -> String {
        if ctx.history.causes.is_empty() {
            return words::cause_name(&self.cause.failure, self.cause.status);
        }
        let causes: Vec<String> = ctx
            .history
            .causes
            .iter()
            .map(|(cause, count)| format!("{cause} ({count})"))
            .collect();
        causes.join(", ")
    }

    fn answer(&self, ctx: &Context) -> String {
        let status = self
            .check
            .status
            .map_or_else(|| words::met(self.check.kind()).to_owned(), words::status);
        let reserved = match self.check.verdict.failure() {
            Some(failure) => format!(", degraded: {}", words::shown(&failure.detail, ctx)),
            None => String::new(),
        };
        format!(
            "{status} in {}{reserved}",
            words::ms(self.check.timings.total)
        )
    }
}

/// Up again.
pub(super) fn up(about: &About, facts: &Up, ctx: &Context) -> Doc {
    let mut doc = about_one(
        Tone::Up,
        format!("\u{25b2} UP after {}", facts.lasted(ctx)),
        about,
        ctx,
    );
    doc.lead.push(format!(
        "{} is UP again since {}: {}.",
        about.name,
        words::moment(facts.closed_at, ctx),
        facts.answer(ctx)
    ));
    doc.lead.push(facts.story(ctx));
    footer::delay(&mut doc, ctx);
    finish(&mut doc, about, facts, None, ctx);
    doc
}

/// Over before anybody could be told.
pub(super) fn was_down(about: &About, facts: &Up, down: &Check, ctx: &Context) -> Doc {
    let mut doc = about_one(
        Tone::Up,
        format!("\u{25b2} WAS DOWN {}", facts.lasted(ctx)),
        about,
        ctx,
    );
    doc.lead.push(format!(
        "{} WAS DOWN and is up again since {}: {}. The outage was over before anybody could be told.",
        about.name,
        words::moment(facts.closed_at, ctx),
        facts.answer(ctx)
    ));
    doc.lead.push(facts.story(ctx));
    footer::delay(&mut doc, ctx);
    diagnosis::excerpt(&mut doc, down, ctx);
    finish(&mut doc, about, facts, Some(down), ctx);
    doc
}

/// The other parts; `down` is a check of an outage that nobody was told of before.
fn finish(doc: &mut Doc, about: &About, facts: &Up, down: Option<&Check>, ctx: &Context) {
    diagnosis::way(doc, facts.check, None, ctx);
    diagnosis::times(doc, facts.check, ctx);
    if let Some(down) = down {
        diagnosis::meaning(doc, facts.cause, down);
    }
    footer::also_down(doc, ctx);
    footer::month(doc, ctx);
    footer::ack(doc, facts.incident, ctx);
    footer::note(doc, ctx);
    footer::more(doc, about, "1d");
    doc.footer = footer::footer(ctx, "");
}
