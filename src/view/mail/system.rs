//! BLIND, TROUBLE, TEST: mails about sitewatch itself.

use std::time::Duration;

use crate::domain::monitor::MonitorName;
use crate::domain::notification::Stopped;
use crate::domain::timestamp::Timestamp;

use super::context::Context;
use super::footer;
use super::outline::{Doc, Tone};
use super::words;

/// A mail about us, before its parts.
pub(super) fn about_us(tone: Tone, badge: String, ctx: &Context) -> Doc {
    Doc {
        tone,
        badge,
        title: format!("sitewatch on {}", ctx.host),
        page: ctx.page_url.clone(),
        ..Doc::default()
    }
}

/// We were offline.
pub(super) fn blind(
    from: Timestamp,
    to: Timestamp,
    monitors: u32,
    names: &[MonitorName],
    stopped: Option<Stopped>,
    ctx: &Context,
) -> Doc {
    let lasted = words::span(to.since(from));
    let mut doc = about_us(Tone::Warn, format!("\u{25c6} BLIND {lasted}"), ctx);
    doc.lead.push(format!(
        "sitewatch on {} was BLIND for {lasted}, from {} to {}: it reached neither the sites nor its \
         canaries. What happened to the sites meanwhile is unknown: no alert was sent for \
         it, and it does not count in any uptime.",
        ctx.host,
        words::moment(from, ctx),
        words::moment(to, ctx),
    ));
    doc.lead.extend(stopped.map(|stopped| rested(stopped, ctx)));
    doc.lead
        .push("It is online again, and checks continue.".to_owned());
    footer::delay(&mut doc, ctx);
    let mut not_verified: Vec<String> = names.iter().map(ToString::to_string).collect();
    let more = usize::try_from(monitors)
        .unwrap_or(usize::MAX)
        .saturating_sub(names.len());
    if more > 0 && !names.is_empty() {
        not_verified.push(format!("and {more} more"));
    }
    doc.prose(
        "Not verified",
        if not_verified.is_empty() {
            words::count(monitors.into(), "monitor", "monitors")
        } else {
            format!(
                "{}: {}",
                words::count(monitors.into(), "monitor", "monitors"),
                not_verified.join(", ")
            )
        },
    );
    doc.prose(
        "Look at",
        "the line, router and name servers of this host; [connectivity].canaries (by default the mail \
         server), if they are what failed",
    );
    doc.footer = footer::footer(ctx, "");
    doc
}

/// Says that sitewatch did not run for a part of an offline time, and what that leaves open.
fn rested(stopped: Stopped, ctx: &Context) -> String {
    let Stopped {
        from,
        to,
        times,
        blind_after,
    } = stopped;
    let (from, to) = (words::moment(from, ctx), words::moment(to, ctx));
    let pause = match times {
        0 | 1 => format!("sitewatch itself did not run from {from} to {to}"),
        many => format!(
            "sitewatch itself ended {many} times meanwhile, first at {from}, and started last at {to}"
        ),
    };
    if blind_after {
        format!("{pause}; it was still offline then.")
    } else {
        format!(
            "{pause}, and was online as soon as it ran again: the line came back at some moment in between."
        )
    }
}

/// Something of sitewatch itself is broken, or works again.
pub(super) fn trouble(what: &str, detail: &str, ctx: &Context) -> Doc {
    let mut doc = about_us(Tone::Down, format!("\u{25bc} TROUBLE {what}"), ctx);
    doc.lead.push(detail.to_owned());
    footer::delay(&mut doc, ctx);
    doc.prose("More", "journalctl -u sitewatch --since -1h");
    doc.footer = footer::footer(ctx, "");
    doc
}

/// A trouble that was mailed is over.
pub(super) fn back(what: &str, after: Duration, detail: &str, ctx: &Context) -> Doc {
    let after = words::span(after);
    let mut doc = about_us(Tone::Up, format!("\u{25b2} BACK {what} after {after}"), ctx);
    doc.lead.push(detail.to_owned());
    footer::delay(&mut doc, ctx);
    doc.prose("More", "journalctl -u sitewatch --since -1h");
    doc.footer = footer::footer(ctx, "");
    doc
}

/// A test.
pub(super) fn test(ctx: &Context) -> Doc {
    let mut doc = about_us(Tone::Plain, "TEST".to_owned(), ctx);
    doc.lead.push(format!(
        "This is a test from sitewatch on {}, sent {}. If you can read it, alerts will reach you.",
        ctx.host,
        words::moment(ctx.now, ctx)
    ));
    doc.prose(
        "Check",
        "that it is in the inbox and not among the spam, and that the sender is shown as you expect",
    );
    doc.prose(
        "Filter",
        "every mail of sitewatch carries X-Sitewatch-State and List-Id, those about a monitor \
         X-Sitewatch-Monitor as well",
    );
    doc.footer = footer::footer(ctx, "");
    doc
}
