//! A channel of each format.

use std::time::Duration;

use serde_json::Map;
use sitewatch::domain::channel::{
    Channel, ChannelName, Events, Format, Given, Need, Service, SigningKey,
};
use sitewatch::domain::redaction::Masks;
use sitewatch::domain::secret::Secret;
use sitewatch::domain::target::Proxy;

/// Where a message of this format goes.
fn url(format: Format) -> &'static str {
    match format {
        Format::Json | Format::Template => "https://hooks.example.com/sitewatch",
        Format::Slack => "https://hooks.slack.com/services/T0/B0/XX",
        Format::Discord => "https://discord.com/api/webhooks/1/XX",
        Format::Teams => {
            "https://prod.westeurope.logic.azure.com/workflows/1/triggers/manual/paths/invoke?sig=XX"
        }
        Format::Ntfy => "https://ntfy.example.com/alerts",
        Format::Gotify => "https://gotify.example.com",
        Format::Matrix => "https://matrix.example.com",
        Format::Apprise => "http://apprise.example.com:8000/notify/oncall",
        Format::Alertmanager => "http://am1.example.com:9093",
        Format::Telegram | Format::Pushover | Format::Pagerduty | Format::Opsgenie => {
            format.default_url().unwrap()
        }
    }
}

/// A template that people write.
const TEMPLATE: &str = r#"{
  "content": {{ summary }},
  "since": {{ opened_at }},
  "sites": [{% for row in monitors %}{{ row.monitor }}{% if not loop.last %}, {% endif %}{% endfor %}]
}
"#;

/// A channel with all that its format has.
pub fn of(format: Format) -> Channel {
    let needs = format.needs();
    let has = |need: Need| need != Need::Unknown;
    let secret = |need: Need, value: &str| has(need).then(|| Secret::new(value));
    let given = Given {
        url: secret(needs.url, url(format)),
        urls: secret(needs.urls, url(format)).into_iter().collect(),
        token: secret(needs.token, "t0ken"),
        chat: has(needs.chat).then(|| {
            match format {
                Format::Matrix => "!abc:example.com",
                Format::Telegram => "-100123",
                _ => "us3r",
            }
            .to_owned()
        }),
        key: has(needs.secret)
            .then(|| SigningKey::parse(b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap()),
        body: has(needs.body).then(|| TEMPLATE.to_owned()),
        labels: match has(needs.labels) {
            true => [("team".to_owned(), "web".to_owned())].into(),
            false => [].into(),
        },
    };
    assert_eq!(given.faults(format), (vec![], vec![]), "{format}");
    Channel {
        name: ChannelName::parse("oncall").unwrap(),
        service: Service::new(format, given).unwrap(),
        headers: Vec::new(),
        fields: Map::new(),
        events: Events::default_of(format),
        timeout: Duration::from_secs(30),
        proxy: Proxy::None,
        ca_pem: None,
        verify_tls: true,
        masks: Masks::new(["t0ken".to_owned()]),
    }
}
