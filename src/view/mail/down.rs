//! DOWN, STILL DOWN, DEGRADED, FLAPPING, REDIRECT CHANGED: what is wrong with one monitor.

use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::domain::check::{Chain, Check, FailureKind, Verdict};
use crate::domain::duration_text::Written;
use crate::domain::incident::{Cause, IncidentKey};
use crate::domain::location::LocationStatus;
use crate::domain::notification::{About, News};
use crate::domain::probe::ROOT;
use crate::domain::settings::Flapping;
use crate::domain::timestamp::Timestamp;
use crate::policy::verdict::addresses::who_serves;

use super::context::Context;
use super::diagnosis;
use super::footer;
use super::locations;
use super::outline::{Body, Doc, Table, Tone};
use super::words;

/// What a segment of a path is written with as it is (RFC 3986 section 2.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The facts of a DOWN.
pub(super) struct Down<'a> {
    pub(super) incident: IncidentKey,
    pub(super) cause: &'a Cause,
    pub(super) up_since: Option<Timestamp>,
    pub(super) check: &'a Check,
    pub(super) checks_failed: u32,
    pub(super) last_good: Option<&'a Check>,
    pub(super) held: Option<&'a str>,
    pub(super) locations: &'a [LocationStatus],
    /// The step of an escalation.
    pub(super) escalated_after: Option<Duration>,
}

/// A mail about one monitor, before its parts.
pub(super) fn about_one(tone: Tone, badge: String, about: &About, ctx: &Context) -> Doc {
    Doc {
        tone,
        badge,
        title: about.name.as_str().to_owned(),
        link: Some(words::shown(&about.url, ctx)),
        page: ctx.page_url.as_ref().map(|base| {
            let name = utf8_percent_encode(about.name.as_str(), SEGMENT);
            format!("{base}monitor/{name}")
        }),
        ..Doc::default()
    }
}

/// The diagnosis.
pub(super) fn down(about: &About, facts: &Down, ctx: &Context) -> Doc {
    let word = words::cause_word(&facts.cause.failure, facts.cause.status);
    let badge = match facts.escalated_after {
        None => format!("DOWN {word}"),
        Some(after) => format!("ESCALATED {}", words::span(after)),
    };
    let mut doc = about_one(Tone::Down, format!("\u{25bc} {badge}"), about, ctx);
    let opened_at = ctx.beginnings.of(facts.incident);
    let mut story = format!(
        "{} is DOWN since {}: {}.",
        about.name,
        words::moment(opened_at, ctx),
        words::cause_clause(facts.cause, ctx)
    );
    if let Some(places) = locations::sentence(facts.locations) {
        story.push_str(&format!(" {places}"));
    }
    match facts.up_since {
        Some(since) => story.push_str(&format!(
            " It was up for {}.",
            words::span(opened_at.since(since))
        )),
        None => story.push_str(" It has never been up."),
    }
    story.push_str(&format!(
        " {} failed{}.",
        words::count(facts.checks_failed.into(), "check", "checks"),
        spread(opened_at, facts.check.at)
    ));
    doc.lead.push(story);
    if let Some(after) = facts.escalated_after {
        doc.lead.push(format!(
            "It is escalated after {}: {}. It has been down for {} now.",
            words::span(after),
            match ctx.acks.is_empty() {
                true => "nobody has acknowledged it",
                false => "its acknowledgement is over",
            },
            words::span(ctx.now.since(opened_at))
        ));
    }
    doc.lead.extend(facts.held.map(held));
    footer::delay(&mut doc, ctx);

    locations::each(&mut doc, facts.locations, ctx);
    // Facts first, what they mean after them.
    diagnosis::expectation(&mut doc, facts.check, ctx);
    changed_cause(&mut doc, facts.cause, facts.check);
    diagnosis::way(&mut doc, facts.check, facts.last_good, ctx);
    diagnosis::addresses(&mut doc, facts.check, ctx);
    diagnosis::versions(&mut doc, facts.check, ctx);
    diagnosis::excerpt(&mut doc, facts.check, ctx);
    diagnosis::changed(&mut doc, ctx);
    diagnosis::checks(&mut doc, facts.check, facts.last_good, ctx);
    diagnosis::times(&mut doc, facts.check, ctx);
    diagnosis::meaning(&mut doc, facts.cause, facts.check);
    footer::also_down(&mut doc, ctx);
    footer::month(&mut doc, ctx);
    footer::ack(&mut doc, facts.incident, ctx);
    footer::note(&mut doc, ctx);
    footer::try_it(&mut doc, ctx);
    footer::commands(&mut doc, about, "1h");
    doc.footer = footer::footer(ctx, &next_reminder(ctx.history.next_reminder, ctx));
    doc
}

/// ` in 22s`, from the first to the last failed check.
fn spread(first: Timestamp, last: Timestamp) -> String {
    let spread = last.since(first);
    if spread.is_zero() {
        String::new()
    } else {
        format!(" in {}", words::span(spread))
    }
}

/// Why a DOWN was decided later than its outage was confirmed.
fn held(why: &str) -> String {
    let reason = words::hold(why);
    format!("This mail was held back until now: {reason}.")
}

fn changed_cause(doc: &mut Doc, first: &Cause, check: &Check) {
    if let Some(now) = check.verdict.failure() {
        let before = words::cause_name(&first.failure, first.status);
        let after = words::cause_name(now, check.status);
        if before != after {
            doc.prose("Now", format!("{after} (it began with {before})"));
        }
    }
}

fn next_reminder(next: Option<Timestamp>, ctx: &Context) -> String {
    next.map_or_else(String::new, |at| {
        format!("next reminder {}", words::clock_time(at, ctx))
    })
}

/// A reminder: short, what is still wrong and since when.
pub(super) fn still_down(
    about: &About,
    incident: IncidentKey,
    cause: &Cause,
    check: &Check,
    checks_failed: u32,
    next: Option<Timestamp>,
    ctx: &Context,
) -> Doc {
    let opened_at = ctx.beginnings.of(incident);
    let lasted = words::span(ctx.now.since(opened_at));
    let mut doc = about_one(
        Tone::Down,
        format!("\u{25bc} STILL DOWN {lasted}"),
        about,
        ctx,
    );
    doc.lead.push(format!(
        "{} is STILL DOWN, for {lasted} now, since {}: {}. {} failed so far.",
        about.name,
        words::moment(opened_at, ctx),
        words::cause_clause(cause, ctx),
        words::count(checks_failed.into(), "check", "checks"),
    ));
    footer::delay(&mut doc, ctx);
    footer::ack(&mut doc, incident, ctx);
    diagnosis::expectation(&mut doc, check, ctx);
    changed_cause(&mut doc, cause, check);
    diagnosis::way(&mut doc, check, None, ctx);
    diagnosis::excerpt(&mut doc, check, ctx);
    diagnosis::meaning(&mut doc, cause, check);
    footer::also_down(&mut doc, ctx);
    footer::note(&mut doc, ctx);
    footer::try_it(&mut doc, ctx);
    footer::commands(&mut doc, about, "1d");
    doc.footer = footer::footer(ctx, &next_reminder(next, ctx));
    doc
}

/// A certificate that ends soon.
pub(super) fn certificate(about: &About, check: &Check, step: Duration, ctx: &Context) -> Doc {
    let mut doc = about_one(
        Tone::Warn,
        format!("\u{25c6} DEGRADED {}", FailureKind::CertificateExpiring),
        about,
        ctx,
    );
    let ends = check.certificate.as_ref().map_or_else(
        || "its certificate expires soon".to_owned(),
        |certificate| {
            format!(
                "its certificate expires {} ({})",
                words::moment(certificate.not_after, ctx),
                words::certificate_left(certificate, ctx.now)
            )
        },
    );
    let root = check
        .verdict
        .failure()
        .map(|failure| &*failure.detail)
        .filter(|detail| detail.starts_with(ROOT));
    doc.lead.push(match root {
        None => format!(
            "{} is up, but {ends}. After that browsers refuse it, and so does this monitor. \
             This is the warning of {} before.",
            about.name,
            Written(step)
        ),
        Some(root) => {
            let mut lead = format!(
                "{} is up, but {root}. This monitor goes on trusting a root that has expired; most other clients do not.",
                about.name
            );
            if check.certificate.as_ref().is_some_and(|ends| ends.not_after > ctx.now) {
                lead.push_str(&format!(" This is the warning of {} before.", Written(step)));
            }
            lead
        }
    });
    footer::delay(&mut doc, ctx);
    if let Some(certificate) = &check.certificate {
        doc.prose("Certificate", certificate.subject.clone());
        doc.prose("Issuer", certificate.issuer.clone());
        let serve = who_serves(check.extras.as_deref(), certificate);
        if !serve.is_empty() {
            doc.prose("Served by", format!("{} only", serve.join(", ")));
        }
        doc.prose(
            "Valid",
            format!(
                "{} to {}",
                words::date(certificate.not_before, ctx),
                words::date(certificate.not_after, ctx)
            ),
        );
    }
    doc.prose("Address", check.chain.remote_shown().unwrap_or_default());
    doc.prose(
        "Look at",
        if root.is_some() {
            "a new root of this authority: on the clients, in ca_file of the monitor, and as the issuer of the \
             server's certificate"
        } else {
            "the renewal (ACME timer, its log and its permission to reload the server); \
             whether the renewed certificate is the one that is served"
        },
    );
    footer::note(&mut doc, ctx);
    footer::more(&mut doc, about, "1d");
    doc.footer = footer::footer(ctx, "");
    doc
}

/// Up and down too often.
pub(super) fn flapping(about: &About, check: &Check, rule: Flapping, ctx: &Context) -> Doc {
    let current = ctx.currents.get(&about.monitor);
    let is_down = match current.filter(|current| current.is_known) {
        Some(current) => current.is_down,
        None => !check.verdict.is_good(),
    };
    let now = if is_down { "down" } else { "up" };
    let badge = format!("\u{25c6} FLAPPING, {now} now");
    let mut doc = about_one(Tone::Warn, badge, about, ctx);
    doc.lead.push(format!(
        "{} is FLAPPING: {} changes between up and down within {}. Single changes are not mailed while this lasts. \
         If it stays down for {}, a DOWN mail comes; after {} up, one UP mail ends this. \
         Everything is recorded meanwhile.",
        about.name,
        rule.changes,
        words::span(rule.within),
        words::span(rule.down_after),
        words::span(rule.end_after)
    ));
    let failed = std::iter::once(check)
        .chain(&ctx.history.checks)
        .filter(|known| matches!(known.verdict, Verdict::Down(_)))
        .max_by_key(|known| known.at);
    let cause = failed.and_then(|failed| {
        let failure = failed.verdict.failure()?.clone();
        let status = failed.status;
        Some(Cause { failure, status })
    });
    doc.lead.push(swing(check, cause.as_ref()));
    footer::delay(&mut doc, ctx);
    diagnosis::expectation(&mut doc, failed.unwrap_or(check), ctx);
    diagnosis::way(&mut doc, check, None, ctx);
    diagnosis::checks(&mut doc, check, None, ctx);
    diagnosis::times(&mut doc, check, ctx);
    if let (Some(cause), Some(failed)) = (&cause, failed) {
        diagnosis::meaning(&mut doc, cause, failed);
    }
    doc.prose(
        "Typical causes",
        "A limit being hit (memory, connections, workers), a crash loop, one unhealthy backend \
         behind a load balancer, a timeout close to the usual time.",
    );
    footer::month(&mut doc, ctx);
    footer::note(&mut doc, ctx);
    footer::try_it(&mut doc, ctx);
    footer::more(&mut doc, about, "2h");
    footer::mute(&mut doc, about);
    doc.footer = footer::footer(ctx, "");
    doc
}

/// What it was at the newest check, and what it says when it is down.
fn swing(check: &Check, cause: Option<&Cause>) -> String {
    let cause = cause.map(|cause| words::cause_name(&cause.failure, cause.status));
    match (check.verdict.is_good(), cause) {
        (true, Some(cause)) => {
            format!("Its newest check was good; the newest failed one: {cause}.")
        }
        (true, None) => "Its newest check was good.".to_owned(),
        (false, Some(cause)) => format!("Its newest check failed: {cause}."),
        (false, None) => "Its newest check failed.".to_owned(),
    }
}

/// Another chain than before.
pub(super) fn redirect_changed(
    about: &About,
    before: &Chain,
    check: &Check,
    news: &News,
    ctx: &Context,
) -> Doc {
    let mut doc = about_one(
        Tone::Warn,
        "\u{25c6} REDIRECT CHANGED".to_owned(),
        about,
        ctx,
    );
    doc.lead.push(format!(
        "{} is up, but its redirects changed, confirmed by several checks in a row. If that was intended, do \
         nothing: the new chain is expected from now on.",
        about.name
    ));
    doc.lead.extend(locations::led_elsewhere(news));
    footer::delay(&mut doc, ctx);
    let table = |rows| {
        Body::Table(Table {
            head: vec![],
            right: vec![],
            breaks: 1,
            rows,
        })
    };
    // The status at the end of the old chain was a good one, and is not part of the chain.
    let old = Check {
        chain: std::sync::Arc::new(before.clone()),
        verdict: crate::domain::check::Verdict::Up,
        ..check.clone()
    };
    doc.part("Before", table(diagnosis::chain_rows(&old, None, ctx)));
    doc.part(
        "Now",
        table(diagnosis::chain_rows(
            check,
            Some((before, check.status)),
            ctx,
        )),
    );
    footer::note(&mut doc, ctx);
    footer::try_it(&mut doc, ctx);
    footer::more(&mut doc, about, "1d");
    doc.footer = footer::footer(ctx, "");
    doc
}
