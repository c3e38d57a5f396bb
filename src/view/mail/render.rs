//! From the facts of a mail to its subject, text, HTML and fields.

use std::num::NonZeroU32;

use crate::domain::incident::{Beginnings, IncidentKey};
use crate::domain::notification::{MailKind, News, Notice, Parcel};
use crate::domain::safe_text::line;
use crate::domain::settings::Flapping;
use crate::domain::timestamp::Timestamp;

use super::context::{Context, Currents};
use super::degraded::{self, Degraded};
use super::outline::Doc;
use super::recovery::{self, Up};
use super::rendered::Rendered;
use super::{burn, digest, down, html, report, subject as subjects, system, text};

/// Renders a mail as it leaves now.
pub fn render(parcel: &Parcel, ctx: &Context) -> Rendered {
    let doc = doc(parcel, ctx);
    Rendered {
        subject: subject(parcel, &ctx.host, ctx.now, &ctx.beginnings, &ctx.currents),
        text: text::write(&doc),
        lead: text::lead(&doc),
        html: html::write(&doc),
        headers: headers(parcel, &ctx.host),
    }
}

/// The subject alone, for lists.
pub fn subject(
    parcel: &Parcel,
    host: &str,
    now: Timestamp,
    beginnings: &Beginnings,
    currents: &Currents,
) -> String {
    line(&subjects::of(parcel, host, now, beginnings, currents), 300).into_owned()
}

fn doc(parcel: &Parcel, ctx: &Context) -> Doc {
    if let [
        Notice {
            about: Some(about),
            news:
                News::Down { check: failed, .. }
                | News::StillDown { check: failed, .. }
                | News::Escalated { check: failed, .. },
            ..
        },
        up,
    ] = parcel.notices.as_slice()
        && parcel.kind != MailKind::Digest
        && subjects::was_down(&parcel.notices[0], up, &ctx.beginnings).is_some()
        && let Some(facts) = up_facts(up)
    {
        return recovery::was_down(about, &facts, failed, ctx);
    }
    match parcel.notices.as_slice() {
        [one] if parcel.kind != MailKind::Digest => single(one, ctx),
        many => digest::digest(many, ctx),
    }
}

fn up_facts(notice: &Notice) -> Option<Up<'_>> {
    match &notice.news {
        News::Up {
            incident,
            cause,
            closed_at,
            check,
            checks_failed,
            flapping_since,
        } => Some(Up {
            incident: *incident,
            cause,
            closed_at: *closed_at,
            check,
            checks_failed: *checks_failed,
            flapping_since: *flapping_since,
        }),
        _ => None,
    }
}

fn single(notice: &Notice, ctx: &Context) -> Doc {
    let Some(about) = &notice.about else {
        return match &notice.news {
            News::Blind {
                from,
                to,
                monitors,
                names,
                stopped,
            } => system::blind(*from, *to, *monitors, names, *stopped, ctx),
            News::Trouble { what, detail } => system::trouble(what, detail, ctx),
            News::Back {
                what,
                after,
                detail,
            } => system::back(what, *after, detail, ctx),
            News::Burn { .. } => burn::burn(&notice.news, ctx),
            News::Report { from, to } => report::report(*from, *to, ctx),
            News::Test => system::test(ctx),
            // News of a monitor that says not of which: shown as a table of one.
            _ => digest::digest(std::slice::from_ref(notice), ctx),
        };
    };
    match &notice.news {
        News::Down {
            incident,
            cause,
            up_since,
            check,
            checks_failed,
            last_good,
            held,
            locations,
        } => down::down(
            about,
            &down::Down {
                incident: *incident,
                cause,
                up_since: *up_since,
                check,
                checks_failed: *checks_failed,
                last_good: last_good.as_deref(),
                held: held.as_deref(),
                locations,
                escalated_after: None,
            },
            ctx,
        ),
        News::Escalated {
            incident,
            cause,
            after,
            up_since,
            check,
            checks_failed,
            last_good,
            locations,
        } => down::down(
            about,
            &down::Down {
                incident: *incident,
                cause,
                up_since: *up_since,
                check,
                checks_failed: *checks_failed,
                last_good: last_good.as_deref(),
                held: None,
                locations,
                escalated_after: Some(*after),
            },
            ctx,
        ),
        News::StillDown {
            incident,
            cause,
            check,
            checks_failed,
            next,
        } => down::still_down(about, *incident, cause, check, *checks_failed, *next, ctx),
        News::Up { .. } => {
            let facts = up_facts(notice).expect("the news was matched as Up");
            recovery::up(about, &facts, ctx)
        }
        News::Degraded { .. } => {
            let facts = Degraded::of(&notice.news).expect("the news was matched as Degraded");
            degraded::degraded(about, &facts, ctx)
        }
        News::CertificateExpiring { check, step } => down::certificate(about, check, *step, ctx),
        News::Flapping {
            changes,
            within,
            down_after,
            end_after,
            check,
            incident: _,
        } => {
            let rule = Flapping {
                changes: NonZeroU32::new(*changes).unwrap_or(NonZeroU32::MIN),
                within: *within,
                down_after: *down_after,
                end_after: *end_after,
            };
            down::flapping(about, check, rule, ctx)
        }
        News::RedirectChanged { before, check, .. } => {
            down::redirect_changed(about, before, check, &notice.news, ctx)
        }
        News::Blind {
            from,
            to,
            monitors,
            names,
            stopped,
        } => system::blind(*from, *to, *monitors, names, *stopped, ctx),
        News::Trouble { what, detail } => system::trouble(what, detail, ctx),
        News::Back {
            what,
            after,
            detail,
        } => system::back(what, *after, detail, ctx),
        News::Burn { .. } => burn::burn(&notice.news, ctx),
        News::Report { from, to } => report::report(*from, *to, ctx),
        News::Test => system::test(ctx),
    }
}

/// The fields by which mails are filtered; an incident's comes once per incident.
fn headers(parcel: &Parcel, host: &str) -> Vec<(&'static str, String)> {
    let host: String = host
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '.' || c == '-' {
                c
            } else {
                '-'
            }
        })
        .collect();
    let mut headers = vec![(
        "List-Id",
        format!("sitewatch alerts <alerts.sitewatch.{host}>"),
    )];
    let merged = parcel.kind != MailKind::Digest;
    if merged && let Some(about) = parcel.notices.first().and_then(|n| n.about.as_ref()) {
        headers.push((
            "X-Sitewatch-Monitor",
            line(about.name.as_str(), 200).into_owned(),
        ));
    }
    headers.push(("X-Sitewatch-State", parcel.kind.as_str().to_owned()));
    let mut incidents: Vec<IncidentKey> = Vec::new();
    for notice in &parcel.notices {
        if let Some(incident) = notice.news.incident()
            && !incidents.contains(&incident)
        {
            incidents.push(incident);
        }
    }
    headers.extend(
        incidents
            .iter()
            .map(|incident| ("X-Sitewatch-Incident", incident.to_string())),
    );
    headers
}
