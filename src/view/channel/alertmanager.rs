//! Format `alertmanager`: open incidents as alerts of Prometheus Alertmanager, again and again while they last.
//!
//! Source: Alertmanager's `api/v2/openapi.yaml`, `POST /api/v2/alerts` (`postableAlerts`: labels, annotations,
//! startsAt, endsAt, generatorURL); 200 taken, 400 with a JSON string that says why: it takes the good ones of a post
//! all the same.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Map;

use super::request::{self, Request};
use crate::domain::channel::{Channel, Service};
use crate::domain::incident::{Cause, IncidentKey};
use crate::domain::secret::Secret;
use crate::domain::timestamp::Timestamp;
use crate::domain::{redaction, safe_text};
use crate::view::mail::cause_word;
use crate::view::page;

/// An alert ends so long after it was posted, unless it is posted again: five rounds of a minute may be lost.
pub const ENDS_AFTER: Duration = Duration::from_secs(300);
/// How long the alert of a test lasts.
pub const TEST_LASTS: Duration = Duration::from_secs(60);
/// A longer note or detail is cut.
const TEXT_CHARS_MAX: usize = 4000;

/// An incident when it is raised.
#[derive(Debug, Clone, Copy)]
pub struct Outage<'a> {
    /// Its key.
    pub incident: IncidentKey,
    /// The monitor's name.
    pub monitor: &'a str,
    /// Its URL, shown form.
    pub url: &'a str,
    /// What its first failed check said.
    pub cause: &'a Cause,
    /// The monitor's note, masked; empty if there is none.
    pub note: &'a str,
}

/// What an alert says besides its times. The same at each post, so that Alertmanager knows the incident again,
/// whatever the configuration becomes meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    #[serde(rename = "generatorURL", skip_serializing_if = "Option::is_none")]
    generator_url: Option<String>,
}

impl Facts {
    /// As they are stored.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts under texts can be written as JSON")
    }

    /// Those of [`Self::to_json`]; `None` where another version wrote them otherwise.
    pub fn from_json(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }
}

/// One alert of a post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    #[serde(flatten)]
    facts: Facts,
    starts_at: String,
    ends_at: String,
}

/// What the alert of an incident says; `public_url` is where the status page is found.
pub fn facts(outage: &Outage, public_url: Option<&str>) -> Facts {
    let failure = &outage.cause.failure;
    let word = cause_word(failure, outage.cause.status);
    let summary = format!("DOWN {word} {}", outage.monitor);
    let incident = outage.incident.to_string();
    let mut annotations = texts([
        ("summary", summary.as_str()),
        ("description", &*failure.detail),
        ("cause", failure.kind.as_str()),
        ("incident", incident.as_str()),
    ]);
    if !outage.note.is_empty() {
        let note = safe_text::block(outage.note);
        let note = safe_text::line_end(&note, TEXT_CHARS_MAX).into_owned();
        annotations.insert("note".to_owned(), note);
    }
    Facts {
        labels: texts([
            ("alertname", "SiteDown"),
            ("severity", "critical"),
            ("monitor", outage.monitor),
            ("instance", &redaction::shown(outage.url)),
        ]),
        annotations,
        generator_url: public_url.map(|base| {
            let path = page::words::monitor_path(outage.monitor);
            format!("{}{path}", base.trim_end_matches('/'))
        }),
    }
}

/// The alert of an incident at `now`, with the labels of the channel.
pub fn alert(
    channel: &Channel,
    facts: &Facts,
    opened_at: Timestamp,
    closed_at: Option<Timestamp>,
    now: Timestamp,
) -> Alert {
    let ends_at = closed_at.unwrap_or_else(|| now.plus(ENDS_AFTER));
    Alert {
        facts: labelled(channel, facts.clone()),
        starts_at: opened_at.to_string(),
        // It refuses an end before the beginning.
        ends_at: ends_at.max(opened_at).to_string(),
    }
}

/// The alert of `channel test`: `SitewatchTest`, which ends after a minute.
pub fn test_alert(
    channel: &Channel,
    host: &str,
    public_url: Option<&str>,
    now: Timestamp,
) -> Alert {
    let summary = format!("TEST sitewatch on {host}");
    let facts = Facts {
        labels: texts([
            ("alertname", "SitewatchTest"),
            ("severity", "info"),
            ("instance", host),
        ]),
        annotations: texts([
            ("summary", summary.as_str()),
            (
                "description",
                "A test: alerts reach this Alertmanager. It ends after a minute.",
            ),
        ]),
        generator_url: public_url.map(str::to_owned),
    };
    Alert {
        facts: labelled(channel, facts),
        starts_at: now.to_string(),
        ends_at: now.plus(TEST_LASTS).to_string(),
    }
}

/// One post of alerts to one instance, `url` being one of the channel's `urls`.
pub fn post(channel: &Channel, url: &Secret, alerts: &[Alert]) -> Request {
    let mut request = Request::post(request::below(url, "api/v2/alerts"), &alerts, &Map::new())
        .bearer(channel.service.token());
    for (name, value) in &channel.headers {
        request.set(name, value.reveal());
    }
    request
}

/// With the labels of the configuration, which replace ours.
fn labelled(channel: &Channel, mut facts: Facts) -> Facts {
    if let Service::Alertmanager { labels, .. } = &channel.service {
        facts.labels.extend(labels.clone());
    }
    facts
}

/// Safe lines under their names.
fn texts<const N: usize>(texts: [(&str, &str); N]) -> BTreeMap<String, String> {
    texts
        .into_iter()
        .map(|(name, text)| {
            let text = safe_text::line(text, TEXT_CHARS_MAX).into_owned();
            (name.to_owned(), text)
        })
        .collect()
}
