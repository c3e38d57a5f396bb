//! `[[channel]]`: text to channels.

use std::collections::BTreeMap;
use std::time::Duration;

use toml::de::{DeTable, DeValue};
use url::Url;

use super::reader::Reading;
use super::referenced_files::TEMPLATE_BYTES_MAX;
use super::request_fields::{fields, note_fields};
use super::scalars::{self, Wrong};
use super::table::{Placed, Table};
use super::target;
use crate::config::diagnostic::nearest::nearest;
use crate::config::diagnostic::problem::Fault;
use crate::config::diagnostic::source_map::Place;
use crate::config::keys;
use crate::domain::channel::{
    Channel, ChannelName, Event, Events, Format, Given, Service, SigningKey,
};
use crate::domain::redaction::Masks;
use crate::domain::secret::Secret;
use crate::policy::http::private_address::is_private;
use crate::policy::template::{self, Printing};

/// One whole request, without `timeout`.
const TIMEOUT: Duration = Duration::from_secs(30);
/// A longer wait for one request would hold what waits behind it for too long.
const TIMEOUT_MAX: Duration = Duration::from_secs(300);
/// A shorter part of a URL hides nothing, and masking it would hide words of other texts.
const SECRET_BYTES_MIN: usize = 6;

/// A channel with what is still to be checked against the others.
pub(in crate::config) struct Draft {
    /// The channel; `None` if it is wrong.
    pub channel: Option<Channel>,
    /// Its name, where that can be told.
    pub name: Option<Placed<ChannelName>>,
    /// What must be shown nowhere.
    pub secrets: Vec<String>,
}

impl Draft {
    /// Its name, if it shows open incidents.
    pub fn level(&self) -> Option<Placed<ChannelName>> {
        let channel = self.channel.as_ref()?;
        let name = self.name.as_ref()?;
        channel.format().is_level().then(|| Placed {
            it: name.it.clone(),
            ..*name
        })
    }
}

/// Reads one channel.
pub(in crate::config) fn channel(
    reading: &mut Reading<'_>,
    own: &DeTable<'_>,
    header: Place,
) -> Draft {
    let table = Table {
        own,
        keys: keys::CHANNEL.keys,
        called: "[[channel]]",
        header,
        fallback: None,
    };
    let faults_before = reading.faults.len();
    reading.came_by_name.clear();
    reading.refuse_unknown(&table, &[]);
    let name = match table.get("name") {
        Some(found) => reading.parsed(found, "a channel's name", name),
        None => {
            reading.missing(&table, "name", "add name = \"oncall\": what `to` calls it");
            None
        }
    };
    let format = format(reading, &table);
    let mut secrets = Vec::new();
    let plain = Plain {
        name: name.as_ref().map(|name| name.it.as_str()),
        format,
    };
    let given = given(reading, &table, &plain, &mut secrets);
    let headers = target::headers(reading, &table, &mut secrets);
    let fields = fields(reading, &table);
    note_fields(&fields, &mut secrets);
    let timeout = timeout(reading, &table);
    let proxy = target::proxy(reading, &table, &mut secrets);
    let ca_pem = reading.certificates(&table, "ca_file");
    let verify_tls = reading.flag(&table, "verify_tls", true);
    check_template(reading, &table, &given, &headers);
    if let Some(format) = format {
        check_needs(reading, &table, format, &given);
        check_place(reading, &table, format, &given);
    }
    let events = format.and_then(|format| events(reading, &table, format));
    secrets.append(&mut reading.came_by_name);
    let channel = (|| {
        let format = format?;
        if reading.faults.len() != faults_before {
            return None;
        }
        Some(Channel {
            name: name.as_ref()?.it.clone(),
            service: Service::new(format, given)?,
            headers,
            fields,
            events: events?,
            timeout,
            proxy: proxy?,
            ca_pem,
            verify_tls,
            masks: Masks::new(secrets.iter().cloned()),
        })
    })();
    Draft {
        channel,
        name,
        secrets,
    }
}

fn name(text: &str) -> Result<ChannelName, Wrong> {
    // A single star stands for every channel while a configuration is read.
    if text.trim() == "*" {
        return Err(Wrong::new(
            "a channel cannot be called `*`",
            "write a name like \"oncall\"",
        ));
    }
    ChannelName::parse(text)
        .map_err(|error| Wrong::new(error.to_string(), "write a name like \"oncall\""))
}

fn format(reading: &mut Reading<'_>, table: &Table<'_>) -> Option<Format> {
    if table.get("format").is_none() {
        let all: Vec<&str> = Format::ALL.iter().map(|format| format.as_str()).collect();
        let label = format!("add format = \"json\", or one of {}", all[1..].join(", "));
        reading.missing(table, "format", label);
        return None;
    }
    let written = reading.choice(table, "format")?;
    written.it.parse().ok()
}

/// The keys that say where messages go.
fn given(
    reading: &mut Reading<'_>,
    table: &Table<'_>,
    plain: &Plain,
    secrets: &mut Vec<String>,
) -> Given {
    let mut given = Given::default();
    if !reading.exclusive(table, "url", "url_file") {
        let literal = table
            .get("url")
            .filter(|_| !table.is_blank("url"))
            .and_then(|found| reading.parsed(found, "a URL", scalars::url));
        given.url = match literal {
            Some(url) => {
                note_url(reading, url.place, &url.it, plain, secrets);
                Some(Secret::new(url.it.as_str()))
            }
            None => url_of_file(reading, table, plain, secrets),
        };
    }
    if let Some(list) = reading.list(table, "urls", "a URL", scalars::url) {
        for url in list.it {
            note_url(reading, url.place, &url.it, plain, secrets);
            given.urls.push(Secret::new(url.it.as_str()));
        }
    }
    if !reading.exclusive(table, "token", "token_file") {
        given.token = reading
            .secret_text(table, "token")
            .or_else(|| reading.secret_file(table, "token_file"));
    }
    secrets.extend(given.token.as_ref().map(|token| token.reveal().to_owned()));
    given.chat = reading
        .some_text(table, "chat")
        .map(|text| text.value.into_owned());
    // Pushover's is a secret, and nobody needs to read the others.
    secrets.extend(given.chat.iter().cloned());
    given.key = signing_key(reading, table);
    given.body = template_text(reading, table);
    given.labels = labels(reading, table);
    given
}

fn url_of_file(
    reading: &mut Reading<'_>,
    table: &Table<'_>,
    plain: &Plain,
    secrets: &mut Vec<String>,
) -> Option<Secret> {
    let found = table.get("url_file")?;
    let content = reading.secret_file(table, "url_file")?;
    match scalars::url(content.reveal()) {
        Ok(url) => {
            note_url(reading, found.place, &url, plain, secrets);
            Some(Secret::new(url.as_str()))
        }
        Err(_) => {
            reading.fault(Fault::new(
                found.place,
                "the file of `url_file` holds no URL",
                "write one line like https://example.com/hook into it",
            ));
            None
        }
    }
}

/// Parts of a URL's path that hide nothing: they stand in the clear beside it, and as secrets they would be stars where
/// the word is shown.
struct Plain<'a> {
    name: Option<&'a str>,
    format: Option<Format>,
}

impl Plain<'_> {
    fn has(&self, part: &str) -> bool {
        let is_base = match self.format {
            Some(
                Format::Telegram
                | Format::Gotify
                | Format::Pushover
                | Format::Pagerduty
                | Format::Opsgenie
                | Format::Matrix
                | Format::Alertmanager,
            ) => true,
            Some(
                Format::Json
                | Format::Slack
                | Format::Discord
                | Format::Teams
                | Format::Ntfy
                | Format::Apprise
                | Format::Template,
            )
            | None => false,
        };
        let is_word = part == "sitewatch" || part.parse::<Format>().is_ok();
        is_base || is_word || self.name == Some(part)
    }
}

/// A URL is a secret as a whole, and so is the part that tells its webhook from others.
fn note_url(
    reading: &mut Reading<'_>,
    at: Place,
    url: &Url,
    plain: &Plain,
    secrets: &mut Vec<String>,
) {
    secrets.push(url.as_str().to_owned());
    secrets.extend(url.password().map(str::to_owned));
    let long = |part: &&str| part.len() >= SECRET_BYTES_MIN && !plain.has(part);
    let last = url.path().rsplit('/').find(|part| !part.is_empty());
    let parts = [Some(url.path().trim_matches('/')), last, url.query()];
    let parts = parts.into_iter().flatten().filter(long);
    secrets.extend(parts.map(str::to_owned));
    if url.scheme() == "http" && !is_near(url) {
        let host = url.host_str().unwrap_or_default();
        reading.warn(
            at,
            format!(
                "the channel's messages and secrets go to {host} in clear (http://): use https://"
            ),
        );
    }
}

/// Whether a host is of this machine or of its own network, as far as its name or address says.
fn is_near(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => is_private(address.into()),
        Some(url::Host::Ipv6(address)) => is_private(address.into()),
        Some(url::Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            !name.contains('.')
                || [".localhost", ".local", ".internal", ".lan", ".home.arpa"]
                    .iter()
                    .any(|end| name.ends_with(end))
        }
        None => false,
    }
}

fn signing_key(reading: &mut Reading<'_>, table: &Table<'_>) -> Option<SigningKey> {
    let found = table.get("secret_file")?;
    let content = reading.secret_file(table, "secret_file")?;
    match SigningKey::parse(content.reveal().as_bytes()) {
        Ok(key) => Some(key),
        Err(error) => {
            let message = format!("the file of `secret_file` {error}");
            reading.fault(Fault::new(
                found.place,
                message,
                "it is the key of signatures",
            ));
            None
        }
    }
}

fn template_text(reading: &mut Reading<'_>, table: &Table<'_>) -> Option<String> {
    let content = reading.content(table, "body_file", TEMPLATE_BYTES_MAX)?;
    let Placed {
        it: (_, bytes),
        place,
        ..
    } = content;
    match std::str::from_utf8(&bytes) {
        Ok(text) => Some(text.to_owned()),
        Err(_) => {
            reading.fault(Fault::new(
                place,
                "the file of `body_file` is not UTF-8",
                "save it as UTF-8",
            ));
            None
        }
    }
}

fn labels(reading: &mut Reading<'_>, table: &Table<'_>) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let Some(found) = table.get("labels") else {
        return labels;
    };
    let DeValue::Table(own) = found.value else {
        reading.fault(Fault::new(
            found.place,
            "`labels` must be a table",
            "write { team = \"web\" }",
        ));
        return labels;
    };
    for (key, value) in own {
        let name: &str = key.get_ref();
        let at = super::table::place(found.place.file, key.span());
        let is_word = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !is_word || name.is_empty() || name.as_bytes()[0].is_ascii_digit() {
            reading.fault(Fault::new(
                at,
                format!("`{name}` cannot be the name of a label"),
                "letters, digits and _; no digit first",
            ));
            continue;
        }
        let entry = super::table::Found {
            value: value.get_ref(),
            place: super::table::place(found.place.file, value.span()),
            is_member: true,
            ..found
        };
        if let Some(text) = reading.text(entry, "a string") {
            labels.insert(name.to_owned(), text.value.into_owned());
        }
    }
    labels
}

fn timeout(reading: &mut Reading<'_>, table: &Table<'_>) -> Duration {
    let Some(span) = reading.span_from(table, "timeout", Duration::from_secs(1)) else {
        return TIMEOUT;
    };
    if span.it > TIMEOUT_MAX {
        reading.fault(Fault::new(
            span.place,
            "`timeout` of a channel is too long",
            "use at most \"5m\": what comes after a message waits for it",
        ));
    }
    span.it
}

/// Renders a template with a sample message, as it will be rendered with the true ones.
fn check_template(
    reading: &mut Reading<'_>,
    table: &Table<'_>,
    given: &Given,
    headers: &[(String, Secret)],
) {
    let (Some(text), Some(found)) = (&given.body, table.get("body_file")) else {
        return;
    };
    let kind = headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("content-type"))
        .map(|(_, value)| value.reveal())
        .next_back();
    if let Err(error) = template::check(text, Printing::of_content_type(kind)) {
        let line = error
            .line()
            .map_or_else(String::new, |line| format!(" in line {line}"));
        let message = format!("the template of `body_file` cannot be used{line}");
        reading.fault(Fault::new(found.place, message, error.to_string()));
    }
}

/// What the channel takes; `None` if that is wrong.
fn events(reading: &mut Reading<'_>, table: &Table<'_>, format: Format) -> Option<Events> {
    let Some(found) = table.get("events") else {
        return Some(Events::default_of(format));
    };
    let list = reading.list(table, "events", "an event", |text| {
        text.parse::<Event>().map_err(|error| {
            let words = Event::ALL.iter().map(|event| event.as_str());
            let label = match nearest(text, words.clone()) {
                Some(word) => format!("did you mean \"{word}\"?"),
                None => format!("the events are {}", words.collect::<Vec<_>>().join(", ")),
            };
            Wrong::new(error.to_string(), label)
        })
    })?;
    if found.value.as_array().map(|array| array.len()) != Some(list.it.len()) {
        // Members that are wrong have their own faults.
        return None;
    }
    let events: Vec<Event> = list.it.into_iter().map(|event| event.it).collect();
    match Events::new(format, &events) {
        Ok(events) => Some(events),
        Err(error) => {
            let label = match format {
                Format::Alertmanager => "leave it out".to_owned(),
                _ if format.takes_incidents_only() => {
                    "it takes \"down\", \"still_down\", \"up\" and \"escalated\"".to_owned()
                }
                _ if events.is_empty() => "leave it out to take everything".to_owned(),
                _ => "add \"down\"".to_owned(),
            };
            reading.fault(Fault::new(found.place, error.to_string(), label));
            None
        }
    }
}

/// Says what the service would refuse every time: an address without a topic, a room's alias in place of its ID.
fn check_place(reading: &mut Reading<'_>, table: &Table<'_>, format: Format, given: &Given) {
    let has_topic = |url: &Secret| {
        Url::parse(url.reveal()).is_ok_and(|url| !url.path().trim_matches('/').is_empty())
    };
    if format == Format::Ntfy
        && given.url.as_ref().is_some_and(|url| !has_topic(url))
        && let Some(found) = table.get("url").or_else(|| table.get("url_file"))
    {
        reading.fault(Fault::new(
            found.place,
            "the URL of an ntfy channel has no topic",
            "write the topic behind the server, like https://ntfy.sh/my-topic",
        ));
    }
    let is_id = |chat: &str| chat.starts_with('!');
    if format == Format::Matrix
        && given.chat.as_deref().is_some_and(|chat| !is_id(chat))
        && let Some(found) = table.get("chat")
    {
        reading.fault(Fault::new(
            found.place,
            "`chat` of a matrix channel is the room's ID, which begins with !",
            "it stands in the room's settings, like !abc:example.org; an alias (#..) is not taken",
        ));
    }
}

/// Says which keys the format cannot do without, and which it has no use for.
fn check_needs(reading: &mut Reading<'_>, table: &Table<'_>, format: Format, given: &Given) {
    let (missing, useless) = given.faults(format);
    // A key that is there and wrong has its own fault.
    let is_there = |key: &'static str| match key {
        "url" => !table.is_blank("url") || !table.is_blank("url_file"),
        "token" => !table.is_blank("token") || !table.is_blank("token_file"),
        other => table.get(other).is_some() && !table.is_blank(other),
    };
    for key in missing.into_iter().filter(|key| !is_there(key)) {
        if reading.is_misspelt(table, &[key]) {
            continue;
        }
        let label = match key {
            "url" => "add url = \"${CHANNEL_URL}\" or url_file = \"channel-url\"".to_owned(),
            "urls" => "add urls = [\"http://alertmanager:9093\"]".to_owned(),
            "token" => {
                "add token = \"${CHANNEL_TOKEN}\" or token_file = \"channel-token\"".to_owned()
            }
            "chat" => format!("add chat = \"..\": {}", format.chat_means()),
            "body_file" => "add body_file = \"body.json.j2\"".to_owned(),
            other => format!("add {other} = .."),
        };
        let message = format!("format = \"{format}\" needs `{key}`");
        reading.fault(Fault::new(table.header, message, label));
    }
    if let Some(found) = table.own("fields").filter(|_| format.is_level()) {
        let message = format!("format = \"{format}\" has no `fields`");
        let label = "leave it out; `labels` are sent with each alert";
        reading.fault(Fault::new(found.key_place, message, label));
    }
    for key in useless {
        let alternatives: &[&'static str] = match key {
            "url" => &["url", "url_file"],
            "token" => &["token", "token_file"],
            "urls" => &["urls"],
            "chat" => &["chat"],
            "secret_file" => &["secret_file"],
            "body_file" => &["body_file"],
            _ => &["labels"],
        };
        let found = alternatives
            .iter()
            .find_map(|key| table.own(key).filter(|_| !table.is_blank(key)));
        if let Some(found) = found {
            reading.fault(Fault::new(
                found.key_place,
                format!("format = \"{format}\" has no `{}`", found.key),
                "leave it out",
            ));
        }
    }
}
