//! What a channel is told: the object of format `json`, on which all other formats stand.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::{Serialize, Serializer};

use super::story;
use crate::domain::check::Check;
use crate::domain::incident::{Cause, IncidentKey};
use crate::domain::notification::{MailKind, News, Notice, Parcel};
use crate::domain::timestamp::Timestamp;
use crate::domain::{redaction, safe_text};
use crate::view::json::{self, CheckObject};
use crate::view::mail::context::Context;
use crate::view::mail::render;
use crate::view::page;

/// Receivers have limits of a request: Express refuses one of more than 100 KiB, and a message that is refused is lost.
/// Rows, text and check together stay below that.
const ROWS_BYTES_MAX: usize = 32 * 1024;
/// Of the text, within its JSON string.
const TEXT_BYTES_MAX: usize = 32 * 1024;
/// Of the check: a site may answer with fifty redirects to addresses of many thousand characters.
const CHECK_BYTES_MAX: usize = 24 * 1024;

/// One message. Serialized it is the object of format `json`; what does not apply is null.
#[derive(Debug, Serialize)]
pub struct Message<'a> {
    /// The webhook-id: the same at every attempt.
    pub id: &'a str,
    /// One of the events, or `was_down`, `flapping`, `digest`, `test`.
    pub kind: &'static str,
    /// The monitor of a message about one.
    pub monitor: Option<&'a str>,
    /// Its URL, masked as in mails.
    pub url: Option<Cow<'a, str>>,
    /// `up`, `degraded`, `down` or `unknown`.
    pub state: Option<&'static str>,
    /// The id of the incident.
    pub incident: Option<String>,
    /// When the incident began.
    #[serde(serialize_with = "moment")]
    pub opened_at: Option<Timestamp>,
    /// When it ended.
    #[serde(serialize_with = "moment")]
    pub closed_at: Option<Timestamp>,
    /// What the incident's first failed check said; what is wrong where there is no incident.
    pub cause: Option<CauseObject<'a>>,
    /// The subject of a mail without brackets: `DOWN 503 shop`. One line.
    pub summary: String,
    /// The text part of a mail.
    pub text: String,
    /// What the text begins with, without addresses. Not for programs.
    #[serde(skip)]
    pub lead: String,
    /// The newest check, as `check --json` prints it; none that is larger than a receiver might take.
    pub check: Option<CheckObject<'a>>,
    /// One row a monitor: of a digest as many as a receiver takes, those that are down first where not all do; else the
    /// one that the message is about.
    pub monitors: Vec<Row<'a>>,
    /// How many more the digest is about.
    pub monitors_more: usize,
    /// The monitor's page, or the overview, where the configuration has `public_url`.
    pub link: Option<String>,
    /// The host that sitewatch runs on.
    pub host: &'a str,
    /// When it was decided.
    #[serde(serialize_with = "instant")]
    pub decided_at: Timestamp,
}

/// A cause, as in `incidents --json`.
#[derive(Debug, Clone, Serialize)]
pub struct CauseObject<'a> {
    /// The failure's kind.
    pub kind: &'static str,
    /// The status, where one came.
    pub status: Option<u16>,
    /// One line for a person.
    pub detail: &'a str,
}

/// What changed for one monitor.
#[derive(Debug, Clone, Serialize)]
pub struct Row<'a> {
    /// The monitor's name.
    pub monitor: &'a str,
    /// Its URL, masked as in mails.
    pub url: Cow<'a, str>,
    /// Its state when the message leaves, or by the newest of the news where that is not known.
    pub state: Option<&'static str>,
    /// The id of the incident.
    pub incident: Option<String>,
    /// When the incident began.
    #[serde(serialize_with = "moment")]
    pub opened_at: Option<Timestamp>,
    /// When it ended.
    #[serde(serialize_with = "moment")]
    pub closed_at: Option<Timestamp>,
    /// What the incident's first failed check said.
    pub cause: Option<CauseObject<'a>>,
    /// How many news of it the message holds.
    pub changes: u32,
}

/// What one notice says of its monitor.
struct Facts<'a> {
    state: Option<&'static str>,
    incident: Option<IncidentKey>,
    closed_at: Option<Timestamp>,
    cause: Option<CauseObject<'a>>,
    check: Option<&'a Check>,
}

impl<'a> Message<'a> {
    /// The message that `parcel` is at the moment `ctx.now`, under the id that its rows keep.
    pub fn new(parcel: &'a Parcel, ctx: &'a Context<'a>, id: &'a str) -> Self {
        let rendered = render::render(parcel, ctx);
        let mut rows = rows(parcel, ctx);
        let monitors_more = shorten(&mut rows);
        let newest = parcel.notices.last();
        let single = match parcel.kind {
            MailKind::Digest => None,
            _ => newest.and_then(|notice| Some((notice, notice.about.as_ref()?))),
        };
        let facts = single.map(|(notice, _)| facts(notice));
        let row = single.and(rows.first());
        let kind = if row.is_some_and(|row| row.is_over_before_told(parcel)) {
            MailKind::WasDown
        } else {
            parcel.kind
        };
        Self {
            id,
            kind: kind.as_str(),
            monitor: single.map(|(_, about)| about.name.as_str()),
            url: single.map(|(_, about)| redaction::shown(&about.url)),
            state: facts.as_ref().and_then(|facts| facts.state),
            incident: row.and_then(|row| row.incident.clone()),
            opened_at: row.and_then(|row| row.opened_at),
            closed_at: row.and_then(|row| row.closed_at),
            cause: row.and_then(|row| row.cause.clone()),
            summary: summary(&rendered.subject, single.is_some()),
            lead: rendered.lead,
            text: story::cut(&rendered.text, TEXT_BYTES_MAX, story::json_byte),
            check: single.zip(facts).and_then(|((_, about), facts)| {
                let check = facts.check?;
                let object = json::check_for_others(about.name.as_str(), &about.url, check);
                (length(&object) <= CHECK_BYTES_MAX).then_some(object)
            }),
            link: ctx.page_url.as_deref().map(|base| {
                let base = base.trim_end_matches('/');
                match single {
                    Some((_, about)) => {
                        format!("{base}{}", page::words::monitor_path(about.name.as_str()))
                    }
                    None => format!("{base}/"),
                }
            }),
            monitors: rows,
            monitors_more,
            host: &ctx.host,
            decided_at: newest.map_or(ctx.now, |notice| notice.decided_at),
        }
    }
}

impl Message<'_> {
    /// Whether its incident is over: services that hold incidents close theirs.
    pub(super) fn is_over(&self) -> bool {
        let is_end = matches!(
            MailKind::parse(self.kind),
            Some(MailKind::Up | MailKind::WasDown)
        );
        is_end && self.incident.is_some()
    }
}

impl Row<'_> {
    /// Whether the outage's begin and end leave together.
    fn is_over_before_told(&self, parcel: &Parcel) -> bool {
        parcel.kind != MailKind::Digest && parcel.notices.len() > 1 && self.closed_at.is_some()
    }
}

/// How many bytes an object takes as JSON.
fn length(object: &impl Serialize) -> usize {
    serde_json::to_vec(object).map_or(usize::MAX, |json| json.len())
}

/// Leaves as many rows as a receiver takes, and says how many it left out. One is always left.
fn shorten(rows: &mut Vec<Row<'_>>) -> usize {
    let lengths = |rows: &[Row]| {
        let mut used = 0;
        let mut fits = |row: &Row| {
            used += length(row) + 1;
            used <= ROWS_BYTES_MAX
        };
        rows.iter().take_while(|row| fits(row)).count()
    };
    if lengths(rows) == rows.len() {
        return 0;
    }
    rows.sort_by_key(|row| match row.state {
        Some("down") => 0,
        Some("degraded" | "unknown") => 1,
        _ => 2,
    });
    let kept = lengths(rows).max(1);
    let more = rows.len() - kept;
    rows.truncate(kept);
    more
}

/// One row a monitor, in the order of the first news of each.
fn rows<'a>(parcel: &'a Parcel, ctx: &Context) -> Vec<Row<'a>> {
    let mut rows: Vec<Row<'a>> = Vec::new();
    // A storm may tell of very many.
    let mut places: HashMap<&str, usize> = HashMap::new();
    for notice in &parcel.notices {
        let Some(about) = &notice.about else { continue };
        let facts = facts(notice);
        let place = *places.entry(about.name.as_str()).or_insert(rows.len());
        if place == rows.len() {
            rows.push(Row {
                monitor: about.name.as_str(),
                url: redaction::shown(&about.url),
                state: None,
                incident: None,
                opened_at: None,
                closed_at: None,
                cause: None,
                changes: 0,
            });
        }
        let row = &mut rows[place];
        row.state = facts.state.or(row.state);
        if let Some(incident) = facts.incident {
            row.incident = Some(incident.to_string());
            row.opened_at = Some(ctx.beginnings.of(incident));
            row.closed_at = facts.closed_at;
        }
        row.cause = facts.cause.or_else(|| row.cause.take());
        row.changes += 1;
        let current = ctx.currents.get(&about.monitor);
        if let Some(current) = current.filter(|it| it.is_known && parcel.kind == MailKind::Digest) {
            match (current.is_down, row.state) {
                (true, _) => row.state = Some("down"),
                (false, Some("down") | None) => row.state = Some("up"),
                (false, Some(_)) => {}
            }
            if !current.is_down && row.incident.is_some() {
                row.closed_at.get_or_insert(current.since);
            }
        }
    }
    rows
}

fn facts(notice: &Notice) -> Facts<'_> {
    let state_of = |check: &Check| match check.verdict.is_good() {
        true => check.verdict.state().as_str(),
        false => "down",
    };
    let by_check = |check| Facts {
        state: Some(state_of(check)),
        incident: notice.news.incident(),
        closed_at: None,
        cause: check.verdict.failure().map(|failure| CauseObject {
            kind: failure.kind.as_str(),
            status: check.status,
            detail: &failure.detail,
        }),
        check: Some(check),
    };
    match &notice.news {
        News::Down { cause, check, .. }
        | News::StillDown { cause, check, .. }
        | News::Escalated { cause, check, .. } => Facts {
            state: Some("down"),
            cause: Some(of(cause)),
            ..by_check(check)
        },
        News::Up {
            cause,
            closed_at,
            check,
            ..
        } => Facts {
            closed_at: Some(*closed_at),
            cause: Some(of(cause)),
            ..by_check(check)
        },
        News::Degraded { check, .. } | News::CertificateExpiring { check, .. } => Facts {
            state: Some("degraded"),
            ..by_check(check)
        },
        News::Flapping { check, .. } | News::RedirectChanged { check, .. } => by_check(check),
        News::Blind { .. }
        | News::Trouble { .. }
        | News::Back { .. }
        | News::Burn { .. }
        | News::Report { .. }
        | News::Test => Facts {
            state: None,
            incident: None,
            closed_at: None,
            cause: None,
            check: None,
        },
    }
}

fn of(cause: &Cause) -> CauseObject<'_> {
    CauseObject {
        kind: cause.failure.kind.as_str(),
        status: cause.status,
        detail: &cause.failure.detail,
    }
}

/// `[DOWN 503] shop` without its brackets. A name may hold brackets too: about one monitor it stands behind ours, in
/// all other subjects between them.
pub fn summary(subject: &str, is_about_one: bool) -> String {
    let end = match is_about_one {
        true => subject.find("] "),
        false => subject
            .rfind("] sitewatch on ")
            .or_else(|| subject.find("] ")),
    };
    let plain = match (subject.strip_prefix('['), end) {
        (Some(inner), Some(end)) => format!("{}{}", &inner[..end - 1], &subject[end + 1..]),
        _ => subject.to_owned(),
    };
    safe_text::line(&plain, 300).into_owned()
}

fn moment<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => serializer.collect_str(at),
        None => serializer.serialize_none(),
    }
}

fn instant<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_go_and_those_of_names_stay() {
        for (subject, is_about_one, want) in [
            ("[DOWN 503] shop", true, "DOWN 503 shop"),
            ("[UP after 14m 5s] a] b", true, "UP after 14m 5s a] b"),
            ("[TEST] sitewatch on mon1", false, "TEST sitewatch on mon1"),
            (
                "[2 DOWN: a] b, c] sitewatch on mon1",
                false,
                "2 DOWN: a] b, c sitewatch on mon1",
            ),
            ("[BURN 14x] Shop", false, "BURN 14x Shop"),
            ("no brackets", true, "no brackets"),
        ] {
            assert_eq!(summary(subject, is_about_one), want);
        }
    }
}
