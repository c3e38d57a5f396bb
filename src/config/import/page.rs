//! The `monitors.toml` that an import writes.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::time::Duration;

use crate::config::value;
use crate::domain::monitor::MonitorName;
use crate::domain::span::Written;
use crate::domain::text;

/// What an import gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// A valid `monitors.toml`.
    pub toml: String,
    /// What could not be carried over: one sentence each, with the name of what it is about.
    pub left_out: Vec<String>,
    /// How many monitors it holds.
    pub monitors: usize,
}

/// Why nothing could be imported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// The text is not in the format at all.
    #[error("{0}")]
    Format(String),
}

/// One monitor to be written: its keys in order, as TOML.
#[derive(Debug, Default)]
pub(super) struct Entry {
    name: Option<String>,
    url: String,
    comments: Vec<String>,
    keys: Vec<(&'static str, String)>,
}

impl Entry {
    pub(super) fn new(name: Option<&str>, url: &str) -> Self {
        Self {
            name: name.map(str::to_owned),
            url: url.to_owned(),
            ..Self::default()
        }
    }

    /// A comment above the entry: what needs a hand.
    pub(super) fn comment(&mut self, words: impl Into<String>) {
        self.comments.push(words.into());
    }

    /// A key with a value that is TOML already; a key that is there is replaced.
    pub(super) fn set(&mut self, key: &'static str, value: impl Into<String>) {
        self.keys.retain(|(other, _)| *other != key);
        self.keys.push((key, value.into()));
    }

    pub(super) fn text(&mut self, key: &'static str, value: &str) {
        self.set(key, quoted(value));
    }

    pub(super) fn texts(&mut self, key: &'static str, values: &[String]) {
        if !values.is_empty() {
            self.set(key, list(values));
        }
    }

    pub(super) fn span(&mut self, key: &'static str, span: Duration) {
        self.set(key, format!("\"{}\"", Written(span)));
    }

    /// The interval, the timeout and the time between confirming checks, each made to fit.
    pub(super) fn timing(
        &mut self,
        interval: Option<Duration>,
        timeout: Option<Duration>,
        retry_interval: Option<Duration>,
    ) {
        let second = Duration::from_secs(1);
        let interval = interval.map(|interval| interval.max(second));
        if let Some(interval) = interval {
            self.span("interval", interval);
        }
        let longest = interval.unwrap_or(Duration::from_secs(60));
        for (key, span) in [("timeout", timeout), ("retry_interval", retry_interval)] {
            let Some(span) = span.filter(|span| !span.is_zero()) else {
                continue;
            };
            if span > longest {
                self.comment(format!(
                    "{key} was {}, longer than the interval, and is cut to it",
                    Written(span)
                ));
            }
            self.span(key, span.min(longest));
        }
    }

    /// Request headers.
    pub(super) fn headers(&mut self, headers: &[(String, String)], left_out: &mut Vec<String>) {
        let mut seen: HashSet<String> = HashSet::new();
        let mut kept = Vec::new();
        for (name, header) in headers {
            let is_right = value::header_name(name).is_ok() && value::header_value(header).is_ok();
            if !is_right || !seen.insert(name.to_ascii_lowercase()) {
                left_out.push(format!("{}: the header `{name}`", self.called()));
                continue;
            }
            kept.push(format!("{} = {}", quoted(name), quoted(header)));
        }
        if !kept.is_empty() {
            self.set("headers", format!("{{ {} }}", kept.join(", ")));
        }
    }

    /// How it is called in messages.
    pub(super) fn called(&self) -> String {
        let called = self.name.as_deref().unwrap_or(&self.url);
        super::super::redact::sentence(&text::line(called, 200)).into_owned()
    }
}

/// Where mails go.
#[derive(Debug, Default)]
pub(super) struct Email {
    pub host: String,
    pub port: Option<u16>,
    pub tls: Option<&'static str>,
    pub username: Option<String>,
    pub password: Option<String>,
    pub from: String,
    pub to: Vec<String>,
}

/// The whole file while it is made.
#[derive(Debug, Default)]
pub(super) struct Page {
    source: &'static str,
    email: Option<Email>,
    entries: Vec<Entry>,
    windows: Vec<String>,
    names: HashSet<String>,
    pub left_out: Vec<String>,
}

impl Page {
    pub(super) fn new(source: &'static str) -> Self {
        Self {
            source,
            ..Self::default()
        }
    }

    /// Takes over where mails go, where it is complete.
    pub(super) fn email(&mut self, email: Email) {
        let to: Vec<String> = email
            .to
            .into_iter()
            .map(|address| address.trim().to_owned())
            .filter(|address| is_address(address))
            .collect();
        if email.host.is_empty() || to.is_empty() || !is_address(&email.from) {
            self.left_out
                .push("the mail settings: host, sender or recipient is missing".to_owned());
            return;
        }
        self.email = Some(Email { to, ..email });
    }

    /// A `[[maintenance]]` entry, its keys as TOML.
    pub(super) fn window(&mut self, keys: String) {
        self.windows.push(keys);
    }

    /// Adds a monitor; one whose URL cannot be checked is left out and named.
    pub(super) fn push(&mut self, mut entry: Entry) {
        let plain = entry.url.replace("$${", "");
        let has_names = plain.contains("${");
        let url = match value::url(&entry.url.replace("$${", "${")) {
            _ if has_names => None,
            Ok(url) => Some(url),
            Err(wrong) => {
                self.left_out
                    .push(format!("{}: {}", entry.called(), wrong.message));
                return;
            }
        };
        let by_url = url.as_ref().map(MonitorName::from_url);
        let wanted = match (&entry.name, &by_url) {
            (Some(name), _) => text::middle(&text::line(name, 2000), 190).into_owned(),
            (None, Some(name)) => literal(name.as_str()),
            (None, None) => text::middle(&text::line(&entry.url, 2000), 190).into_owned(),
        };
        let wanted = if wanted.is_empty() {
            "site".to_owned()
        } else {
            wanted
        };
        let mut name = wanted.clone();
        let mut number = 2;
        while !self.names.insert(name.clone()) {
            name = format!("{wanted} ({number})");
            number += 1;
        }
        if name != wanted {
            entry.comment(format!("the name `{wanted}` was taken"));
        }
        let is_default = by_url.is_some_and(|default| literal(default.as_str()) == name);
        entry.name = (!is_default).then_some(name);
        self.entries.push(entry);
    }

    /// The file.
    pub(super) fn finish(self) -> Imported {
        let mut out = String::new();
        // A string takes everything.
        let _ = self.write(&mut out);
        Imported {
            toml: out,
            left_out: self.left_out,
            monitors: self.entries.len(),
        }
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "# Made by `sitewatch import {}`.", self.source)?;
        if !self.left_out.is_empty() {
            writeln!(out, "# Not carried over:")?;
            for line in &self.left_out {
                writeln!(out, "# - {}", text::line(line, 400))?;
            }
        }
        match &self.email {
            Some(email) => write_email(out, email)?,
            None => out.push_str(
                "\n# Nobody is told of anything until this is filled in:\n\
                 # [email]\n# host = \"smtp.example.com\"\n\
                 # from = \"Sitewatch <alerts@example.com>\"\n# to = [\"ops@example.com\"]\n",
            ),
        }
        for entry in &self.entries {
            writeln!(out)?;
            for comment in &entry.comments {
                writeln!(out, "# {}", text::line(comment, 400))?;
            }
            writeln!(out, "[[monitor]]")?;
            if let Some(name) = &entry.name {
                writeln!(out, "name = {}", quoted(name))?;
            }
            writeln!(out, "url = {}", quoted(&entry.url))?;
            for (key, value) in &entry.keys {
                writeln!(out, "{key} = {value}")?;
            }
        }
        for window in &self.windows {
            writeln!(out, "\n[[maintenance]]\n{window}")?;
        }
        Ok(())
    }
}

fn is_address(text: &str) -> bool {
    text.contains("${") || value::address(text).is_ok()
}

fn write_email(out: &mut String, email: &Email) -> std::fmt::Result {
    writeln!(out, "\n[email]\nhost = {}", quoted(&email.host))?;
    if let Some(port) = email.port {
        writeln!(out, "port = {port}")?;
    }
    if let Some(tls) = email.tls {
        writeln!(out, "tls = \"{tls}\"")?;
    }
    if let (Some(username), Some(password)) = (&email.username, &email.password) {
        writeln!(out, "username = {}", quoted(username))?;
        writeln!(
            out,
            "# Better in a file (password_file) or a variable (\"${{NAME}}\")."
        )?;
        writeln!(out, "password = {}", quoted(password))?;
    }
    writeln!(
        out,
        "from = {}\nto = {}",
        quoted(&email.from),
        list(&email.to)
    )
}

/// A TOML string.
pub(super) fn quoted(text: &str) -> String {
    super::super::show::quoted(text)
}

/// A TOML list of strings.
pub(super) fn list(values: &[String]) -> String {
    let values: Vec<String> = values.iter().map(|value| quoted(value)).collect();
    format!("[{}]", values.join(", "))
}

/// A string whose `${` is meant literally.
pub(super) fn literal(text: &str) -> String {
    text.replace("${", "$${")
}
