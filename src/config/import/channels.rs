//! `[[channel]]`s that an import writes: services beside mail, their secrets by the names of variables.

use std::fmt::Write as _;

use super::toml_writer::{list, quoted};
use crate::config::read::scalars;
use crate::domain::channel::{ChannelName, Event, Events, Format};
use crate::domain::safe_text;

/// More channels than this are no person's; what is beyond is named as lost.
const CHANNELS_MAX: usize = 1000;
/// A number behind it still fits into the 100 characters that a name may have.
const NAME_CHARS_MAX: usize = 90;

/// A channel while it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Channel {
    format: Format,
    keys: Vec<(&'static str, Text)>,
    fields: Vec<(&'static str, String)>,
    headers: Vec<(String, Text)>,
    has_recovery: bool,
    verify_tls: bool,
}

/// A value of a key.
#[derive(Debug, Clone, Eq)]
enum Text {
    /// As it is; it may hold `${NAME}`.
    Plain(String),
    /// Text, then a secret that a variable holds: how the variable's name ends, what the source calls it.
    Secret {
        before: String,
        ends: &'static str,
        called: String,
        /// Tells channels with different secrets apart; written nowhere.
        value: String,
    },
}

impl PartialEq for Text {
    /// What the source calls a secret tells no services apart.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Plain(own), Self::Plain(other)) => own == other,
            (
                Self::Secret {
                    before,
                    ends,
                    value,
                    called: _,
                },
                Self::Secret {
                    before: other_before,
                    ends: other_ends,
                    value: other_value,
                    called: _,
                },
            ) => (before, ends, value) == (other_before, other_ends, other_value),
            (Self::Plain(_), Self::Secret { .. }) | (Self::Secret { .. }, Self::Plain(_)) => false,
        }
    }
}

/// Why a service cannot be taken over: something is missing or not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Incomplete;

/// Whether a text holds a `${NAME}` of the source.
fn is_reference(text: &str) -> bool {
    text.replace("$${", "").contains("${")
}

fn secret(before: &str, text: &str, ends: &'static str, called: &str) -> Text {
    if is_reference(text) {
        return Text::Plain(format!("{before}{text}"));
    }
    Text::Secret {
        before: before.to_owned(),
        ends,
        called: safe_text::line(called, 100).into_owned(),
        value: text.to_owned(),
    }
}

impl Channel {
    pub(super) fn new(format: Format) -> Self {
        Self {
            format,
            keys: Vec::new(),
            fields: Vec::new(),
            headers: Vec::new(),
            has_recovery: true,
            verify_tls: true,
        }
    }

    /// A key whose value is a secret, which the source calls so.
    pub(super) fn secret(
        &mut self,
        key: &'static str,
        text: Option<String>,
        called: &str,
    ) -> Result<(), Incomplete> {
        let text = text.filter(|text| !text.trim().is_empty());
        let text = text.ok_or(Incomplete)?;
        let ends = match key {
            "chat" => "CHAT",
            _ => "TOKEN",
        };
        self.keys.push((key, secret("", &text, ends, called)));
        Ok(())
    }

    /// `url`, of which all behind the host is a secret.
    pub(super) fn webhook(&mut self, url: Option<String>, called: &str) -> Result<(), Incomplete> {
        let url = url.ok_or(Incomplete)?;
        let url = url.trim();
        if is_reference(url) {
            self.keys.push(("url", Text::Plain(url.to_owned())));
            return Ok(());
        }
        let (host, path) = cut(url)?;
        self.keys.push((
            "url",
            match path.is_empty() {
                true => Text::Plain(host),
                false => {
                    let called = format!("what follows {host} in {called}");
                    secret(&host, &path, "PATH", &called)
                }
            },
        ));
        Ok(())
    }

    /// `url`, which is no secret: the address of a server.
    pub(super) fn server(&mut self, url: &str) -> Result<(), Incomplete> {
        let url = url.trim();
        if !is_reference(url) {
            cut(url)?;
        }
        self.keys.push(("url", Text::Plain(url.to_owned())));
        Ok(())
    }

    /// ntfy: a server and a secret topic on it.
    pub(super) fn topic(
        &mut self,
        server: &str,
        topic: Option<String>,
        called: &str,
    ) -> Result<(), Incomplete> {
        let topic = topic.filter(|topic| !topic.trim().is_empty());
        let topic = topic.ok_or(Incomplete)?;
        let server = server.trim().trim_end_matches('/');
        if !is_reference(server) {
            cut(server)?;
        }
        let url = secret(&format!("{server}/"), topic.trim(), "TOPIC", called);
        self.keys.push(("url", url));
        Ok(())
    }

    /// Something that is laid over the request; numbers stay numbers.
    pub(super) fn field(&mut self, name: &'static str, value: Option<String>) {
        let Some(value) = value.filter(|value| !value.is_empty()) else {
            return;
        };
        let toml = match value.parse::<i64>() {
            Ok(number) if number.to_string() == value => value,
            _ => quoted(&value),
        };
        self.fields.push((name, toml));
    }

    /// A field that is on.
    pub(super) fn flag(&mut self, name: &'static str) {
        self.fields.push((name, "true".to_owned()));
    }

    /// A field that is a list of texts.
    pub(super) fn field_list(&mut self, name: &'static str, values: &[String]) {
        if !values.is_empty() {
            self.fields.push((name, list(values)));
        }
    }

    /// A header field whose value is a secret; false if there is none of this name or value.
    pub(super) fn header(&mut self, name: &str, before: &str, value: &str, called: &str) -> bool {
        let is_right = scalars::header_name(name).is_ok() && scalars::header_value(value).is_ok();
        let is_known = |known: &(String, Text)| known.0.eq_ignore_ascii_case(name);
        if !is_right || self.headers.iter().any(is_known) {
            return false;
        }
        let value = secret(before, value, "HEADER", called);
        self.headers.push((name.to_owned(), value));
        true
    }

    /// It tells of no recovery.
    pub(super) fn without_recovery(&mut self) {
        self.has_recovery = false;
    }

    /// The service's certificate is not verified, as in the source.
    pub(super) fn insecure(&mut self) {
        self.verify_tls = false;
    }
}

/// Scheme and host with the slash behind them, and what follows. No userinfo: it would stand in the file.
fn cut(url: &str) -> Result<(String, String), Incomplete> {
    let url = scalars::url(&url.replace("$${", "${")).map_err(|_| Incomplete)?;
    let host = url.host_str().ok_or(Incomplete)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Incomplete);
    }
    let port = url
        .port()
        .map_or_else(String::new, |port| format!(":{port}"));
    let base = format!("{}://{host}{port}/", url.scheme());
    let path = url.as_str().strip_prefix(&base).ok_or(Incomplete)?;
    Ok((base.clone(), path.to_owned()))
}

/// All channels of a file.
#[derive(Debug, Default)]
pub(super) struct Channels {
    all: Vec<(String, Channel)>,
}

impl Channels {
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The name of a channel, and whether it is a new one: the same service is one channel. `None` where there are too
    /// many.
    pub(super) fn add(&mut self, wanted: &str, channel: Channel) -> Option<(String, bool)> {
        if let Some((name, _)) = self.all.iter().find(|(_, known)| *known == channel) {
            return Some((name.clone(), false));
        }
        if self.all.len() >= CHANNELS_MAX {
            return None;
        }
        let name = self.unique(wanted, channel.format);
        self.all.push((name.clone(), channel));
        Some((name, true))
    }

    fn unique(&self, wanted: &str, format: Format) -> String {
        let plain: String = safe_text::line(wanted, 200)
            .chars()
            .filter(|c| !matches!(c, '@' | '$' | '{' | '}'))
            .take(NAME_CHARS_MAX)
            .collect();
        let plain = match plain.trim() {
            "" | "*" => format.as_str(),
            plain => plain,
        };
        let is_taken = |name: &str| {
            let variable = variable(name);
            let mut names = self.all.iter().map(|(known, _)| known);
            ChannelName::parse(name).is_err()
                || names.any(|known| known == name || self::variable(known) == variable)
        };
        let mut name = plain.to_owned();
        let mut number = 1;
        while is_taken(&name) && number <= CHANNELS_MAX {
            number += 1;
            name = match ChannelName::parse(plain) {
                Ok(_) => format!("{plain} {number}"),
                Err(_) => format!("{format} {number}"),
            };
        }
        name
    }

    /// Writes them.
    pub(super) fn write(&self, out: &mut String) -> std::fmt::Result {
        for (name, channel) in &self.all {
            writeln!(out)?;
            let mut set: Vec<(String, String)> = Vec::new();
            let mut written = |key: &str, text: &Text| match text {
                Text::Plain(text) => quoted(text),
                Text::Secret {
                    before,
                    ends,
                    called,
                    ..
                } => {
                    let mut variable = format!("{}_{ends}", variable(name));
                    if set.iter().any(|(known, _)| *known == variable) {
                        variable = format!("{variable}_{}", self::variable(key));
                    }
                    let text = quoted(&format!("{before}${{{variable}}}"));
                    set.push((variable, called.clone()));
                    text
                }
            };
            let keys: Vec<String> = channel
                .keys
                .iter()
                .map(|(key, text)| format!("{key} = {}", written(key, text)))
                .collect();
            let headers: Vec<String> = channel
                .headers
                .iter()
                .map(|(name, text)| format!("{} = {}", quoted(name), written(name, text)))
                .collect();
            for (variable, called) in &set {
                writeln!(out, "# {variable}: {called}")?;
            }
            writeln!(out, "[[channel]]\nname = {}", quoted(name))?;
            writeln!(out, "format = \"{}\"", channel.format)?;
            for key in keys {
                writeln!(out, "{key}")?;
            }
            if !headers.is_empty() {
                writeln!(out, "headers = {{ {} }}", headers.join(", "))?;
            }
            let fields = channel.fields.iter();
            let fields: Vec<String> = fields
                .map(|(key, toml)| format!("{key} = {toml}"))
                .collect();
            if !fields.is_empty() {
                writeln!(out, "fields = {{ {} }}", fields.join(", "))?;
            }
            if !channel.has_recovery {
                let events = Events::default_of(channel.format).iter();
                let but_up = events.filter(|event| *event != Event::Up);
                let words: Vec<String> = but_up.map(|event| event.to_string()).collect();
                writeln!(out, "events = {}", list(&words))?;
            }
            if !channel.verify_tls {
                writeln!(out, "verify_tls = false")?;
            }
        }
        Ok(())
    }
}

/// `Team chat` as the beginning of a variable's name: `TEAM_CHAT`.
fn variable(name: &str) -> String {
    let letters: String = name
        .chars()
        .map(|c| match c.is_ascii_alphanumeric() {
            true => c.to_ascii_uppercase(),
            false => '_',
        })
        .collect();
    let word = letters.trim_matches('_');
    match word.starts_with(|c: char| c.is_ascii_alphabetic()) {
        true => word.to_owned(),
        false => format!("CHANNEL_{word}").trim_end_matches('_').to_owned(),
    }
}
