//! `/incident/ID` and `/api/v1/incidents/ID/evidence`: what a site answered when it failed. With the token only: an
//! answer may hold what its site shows to nobody else.

use hyper::StatusCode;

use super::api;
use super::history_cache::Past;
use super::pages;
use super::query::Query;
use super::reply::{Keep, Made, NOTHING_HERE, Reply};
use super::visible::View;
use crate::domain::incident::{Incident, IncidentKey};
use crate::store::error::StoreError;
use crate::store::facts::evidence::IncidentEvidence;
use crate::store::facts::monitors::StoredMonitor;
use crate::view::evidence::{Shown, diff, object};
use crate::view::json::Audience;
use crate::view::page::evidence as page;

/// An incident with its answers.
struct Found {
    incident: Incident,
    monitor: StoredMonitor,
    kept: Option<IncidentEvidence>,
}

/// The incident of an id; `None` for readers who may not know of it, too.
fn find(view: &View<'_>, past: &mut Past, id: &str) -> Result<Option<Found>, StoreError> {
    let key = match (view.audience, id.parse::<IncidentKey>()) {
        (Audience::Owner, Ok(key)) => key,
        (Audience::Owner, Err(_)) | (Audience::Public { .. }, _) => return Ok(None),
    };
    past.reader()?.together(|reader| {
        let Some(incident) = reader.incident(key)? else {
            return Ok(None);
        };
        let known = reader.monitors()?;
        let monitor = known.into_iter().find(|monitor| monitor.id == key.monitor);
        let kept = reader.evidence(key)?;
        Ok(monitor.map(|monitor| Found {
            incident,
            monitor,
            kept,
        }))
    })
}

/// `/api/v1/incidents/ID/evidence`, with `diff=1` beside the last good answer.
pub(super) fn json(view: &View<'_>, past: &mut Past, id: &str, query: &str) -> Made {
    let nothing = |what: &str| Ok(Reply::fault(StatusCode::NOT_FOUND, what));
    if matches!(view.audience, Audience::Public { .. }) {
        return nothing(NOTHING_HERE);
    }
    let wants_diff = match Query::parse(query, &["diff"]).and_then(|query| query.is_set("diff")) {
        Ok(wants_diff) => wants_diff,
        Err(what) => return Ok(Reply::fault(StatusCode::BAD_REQUEST, &what)),
    };
    let Some(found) = find(view, past, id)? else {
        return nothing("no such incident");
    };
    let Some(kept) = &found.kept else {
        return nothing("the answer of this incident is not kept");
    };
    let good = kept.good.as_ref();
    let lines = good
        .filter(|_| wants_diff)
        .map(|good| diff(&good.evidence, &kept.failing.evidence));
    let incident = found.incident.key.to_string();
    let shown = Shown {
        incident: &incident,
        monitor: found.monitor.name.as_str(),
        url: &found.monitor.url,
        check: &kept.failing.check,
        evidence: Some(&kept.failing.evidence),
        good: good.map(|good| (&good.check, &good.evidence)),
        diff: lines.as_deref(),
    };
    Ok(api::object(&object(&shown)))
}

/// `/incident/ID`.
pub(super) fn html(view: &View<'_>, past: &mut Past, id: &str) -> Made {
    let Some(found) = find(view, past, id)? else {
        return Ok(pages::nothing_here(view.config, view.now));
    };
    let kept = found.kept.as_ref();
    let good = kept.and_then(|kept| kept.good.as_ref());
    let lines = kept
        .zip(good)
        .map(|(kept, good)| diff(&good.evidence, &kept.failing.evidence));
    let cause = &found.incident.cause;
    let shown = page::Shown {
        id: &found.incident.key.to_string(),
        monitor: found.monitor.name.as_str(),
        opened_at: found.incident.opened_at(),
        cause: &view.detail(&cause.failure, cause.status),
        evidence: kept.map(|kept| &kept.failing.evidence),
        good_at: good.map(|good| good.check.at),
        diff: lines.as_deref(),
    };
    let page = page::evidence(&view.frame(), &shown).into_string();
    Ok(Reply::new(pages::HTML, Keep::Revalidate, page))
}
