//! Format `alertmanager`: open incidents as alerts of Prometheus Alertmanager, again and again while they last.
//!
//! Source: Alertmanager's `api/v2/openapi.yaml`, `POST /api/v2/alerts` (`postableAlerts`: labels, annotations,
//! startsAt, endsAt, generatorURL); 200 taken, 400 with a JSON string that says why.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde_json::Map;

use super::request::{self, Request};
use crate::domain::channel::{Channel, Service};
use crate::domain::incident::{Cause, IncidentKey};
use crate::domain::safe_text;
use crate::domain::secret::Secret;
use crate::domain::timestamp::Timestamp;
use crate::view::page;

/// An alert ends so long after it was posted, unless it is posted again: five rounds of a minute may be lost.
pub const ENDS_AFTER: Duration = Duration::from_secs(300);
/// How long the alert of a test lasts.
pub const TEST_LASTS: Duration = Duration::from_secs(60);
/// A longer note or detail is cut.
const TEXT_CHARS_MAX: usize = 4000;

/// An incident, as an alert tells of it.
#[derive(Debug, Clone, Copy)]
pub struct Outage<'a> {
    /// Its key.
    pub incident: IncidentKey,
    /// The monitor's name.
    pub monitor: &'a str,
    /// Its URL, where it may be shown.
    pub url: Option<&'a str>,
    /// When it began.
    pub opened_at: Timestamp,
    /// When it ended, if it has.
    pub closed_at: Option<Timestamp>,
    /// What its first failed check said.
    pub cause: &'a Cause,
    /// `DOWN 503 shop`.
    pub summary: &'a str,
    /// The monitor's note, masked; empty if there is none.
    pub note: &'a str,
}

/// One alert of a post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<&'static str, String>,
    starts_at: String,
    ends_at: String,
    #[serde(rename = "generatorURL", skip_serializing_if = "Option::is_none")]
    generator_url: Option<String>,
}

/// The alert of an incident at `now`. The same incident has the same labels always, so that Alertmanager knows it
/// again.
pub fn alert(
    channel: &Channel,
    outage: &Outage,
    public_url: Option<&str>,
    now: Timestamp,
) -> Alert {
    let mut labels = labels(channel, "SiteDown", "critical");
    labels.insert("monitor".to_owned(), value(outage.monitor));
    if let Some(url) = outage.url {
        labels.insert("instance".to_owned(), value(url));
    }
    let cause = &outage.cause.failure;
    let mut annotations: BTreeMap<&'static str, String> = [
        ("summary", value(outage.summary)),
        ("description", value(&cause.detail)),
        ("cause", cause.kind.as_str().to_owned()),
        ("incident", outage.incident.to_string()),
    ]
    .into();
    if !outage.note.is_empty() {
        let note = safe_text::block(outage.note);
        annotations.insert(
            "note",
            safe_text::line_end(&note, TEXT_CHARS_MAX).into_owned(),
        );
    }
    Alert {
        labels,
        annotations,
        starts_at: outage.opened_at.to_string(),
        ends_at: outage
            .closed_at
            .unwrap_or_else(|| now.plus(ENDS_AFTER))
            .to_string(),
        generator_url: public_url.map(|base| {
            let path = page::words::monitor_path(outage.monitor);
            format!("{}{path}", base.trim_end_matches('/'))
        }),
    }
}

/// The alert of `channel test`: `SitewatchTest`, which ends after a minute.
pub fn test_alert(
    channel: &Channel,
    host: &str,
    public_url: Option<&str>,
    now: Timestamp,
) -> Alert {
    let mut labels = labels(channel, "SitewatchTest", "info");
    labels.insert("instance".to_owned(), value(host));
    Alert {
        labels,
        annotations: [
            ("summary", format!("TEST sitewatch on {}", value(host))),
            (
                "description",
                "A test: alerts reach this Alertmanager. It ends after a minute.".to_owned(),
            ),
        ]
        .into(),
        starts_at: now.to_string(),
        ends_at: now.plus(TEST_LASTS).to_string(),
        generator_url: public_url.map(str::to_owned),
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

/// The labels that all alerts of a channel have, those of the configuration included.
fn labels(channel: &Channel, name: &str, severity: &str) -> BTreeMap<String, String> {
    let mut labels: BTreeMap<String, String> = [
        ("alertname".to_owned(), name.to_owned()),
        ("severity".to_owned(), severity.to_owned()),
    ]
    .into();
    if let Service::Alertmanager { labels: own, .. } = &channel.service {
        labels.extend(own.clone());
    }
    labels
}

/// One safe line.
fn value(text: &str) -> String {
    safe_text::line(text, TEXT_CHARS_MAX).into_owned()
}
