//! DEGRADED: slow, failing now and then, bad in a part, or failing from some locations only.

use crate::domain::check::{Check, FailureKind};
use crate::domain::location::LocationStatus;
use crate::domain::notification::{About, News};
use crate::domain::slow_limit::SlowLimit;
use crate::domain::timestamp::Timestamp;

use super::context::Context;
use super::diagnosis;
use super::down::about_one;
use super::footer;
use super::locations;
use super::outline::{Doc, Tone};
use super::words;

/// The facts of a DEGRADED.
pub(super) struct Degraded<'a> {
    pub(super) check: &'a Check,
    pub(super) since: Timestamp,
    pub(super) count: u32,
    pub(super) reason: FailureKind,
    /// Of `regional`; else empty.
    pub(super) locations: &'a [LocationStatus],
}

impl<'a> Degraded<'a> {
    /// Those of the news, if it is a DEGRADED.
    pub(super) fn of(news: &'a News) -> Option<Self> {
        match news {
            News::Degraded {
                check,
                since,
                count,
                reason,
                locations,
            } => Some(Self {
                check,
                since: *since,
                count: *count,
                reason: *reason,
                locations,
            }),
            _ => None,
        }
    }
}

/// Slow, failing now and then, or bad in a part.
pub(super) fn degraded(about: &About, facts: &Degraded<'_>, ctx: &Context) -> Doc {
    let (check, reason) = (facts.check, facts.reason);
    let mut doc = about_one(
        Tone::Warn,
        format!("\u{25c6} DEGRADED {reason}"),
        about,
        ctx,
    );
    let since = words::moment(facts.since, ctx);
    doc.lead.push(degraded_lead(
        about,
        check,
        &since,
        facts.count,
        reason,
        ctx,
    ));
    footer::delay(&mut doc, ctx);
    locations::each(&mut doc, facts.locations, ctx);
    // The check of a regional failure is one of a location that it works from.
    if reason != FailureKind::Regional {
        diagnosis::expectation(&mut doc, check, ctx);
    }
    diagnosis::way(&mut doc, check, None, ctx);
    diagnosis::addresses(&mut doc, check, ctx);
    diagnosis::versions(&mut doc, check, ctx);
    diagnosis::times(&mut doc, check, ctx);
    diagnosis::checks(&mut doc, check, None, ctx);
    footer::month(&mut doc, ctx);
    footer::note(&mut doc, ctx);
    footer::try_version(&mut doc, check, ctx);
    footer::more(&mut doc, about, "1d");
    doc.footer = footer::footer(ctx, "");
    doc
}

/// What is degraded, in a sentence.
fn degraded_lead(
    about: &About,
    check: &Check,
    since: &str,
    count: u32,
    reason: FailureKind,
    ctx: &Context,
) -> String {
    let bad = check
        .verdict
        .failure()
        .map_or_else(String::new, |failure| words::shown(&failure.detail, ctx));
    let name = &about.name;
    if reason == FailureKind::Intermittent {
        format!(
            "{name} is DEGRADED since {since}: {count} of its last 20 checks failed, never enough in a \
             row to call it down. 20 good ones in a row end this."
        )
    } else if reason == FailureKind::Regional {
        let where_from = check
            .verdict
            .failure()
            .map_or_else(String::new, |failure| words::shown(&failure.detail, ctx));
        format!("{name} is DEGRADED since {since}: it {where_from}.")
    } else if reason == FailureKind::AddressDown {
        format!(
            "{name} is DEGRADED since {since}, in the last {}: {bad}. Visitors who reach a good address notice nothing.",
            words::count(count.into(), "check", "checks"),
        )
    } else if reason == FailureKind::HttpVersion {
        format!(
            "{name} is DEGRADED since {since}, in the last {}: {bad}. Browsers may fall back to another version, after \
             a while.",
            words::count(count.into(), "check", "checks"),
        )
    } else {
        let limit = ctx.monitor.map(|monitor| monitor.subject.degraded_after());
        let took = words::ms(check.timings.total);
        let (limit, latest) = match limit {
            Some(SlowLimit::After(limit)) => (format!("longer than {}", words::span(limit)), took),
            // What was said of it begins with how long it took.
            Some(SlowLimit::Usual(_)) if !bad.is_empty() => ("too long".to_owned(), bad),
            Some(SlowLimit::Usual(_) | SlowLimit::Never) | None => ("too long".to_owned(), took),
        };
        format!(
            "{name} is DEGRADED since {since}: slow. The last {} took {limit}, the latest {latest}.",
            words::count(count.into(), "check", "checks"),
        )
    }
}
