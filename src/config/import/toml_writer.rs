//! The `monitors.toml` that an import writes.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::time::Duration;

use super::channels::{Channel, Channels};
pub(super) use super::email::{Email, addresses};
use super::email::{is_address, is_host, write_email};
use super::names::{self, Names};
pub use super::parts::{Beside, ImportError, Imported, Source};
use super::parts::{LINES_MAX, LOSSES_MAX, Loss};
pub(super) use super::parts::{Told, Weight};
use crate::config::init::SCHEMA_LINE;
use crate::config::read::scalars;
use crate::domain::duration_text::{LONGEST, Written};
use crate::domain::monitor::MonitorName;
use crate::domain::safe_text;

/// What `max_redirects` takes.
const REDIRECTS_MAX: u64 = 50;

/// One monitor to be written: its keys in order, as TOML.
#[derive(Debug, Default)]
pub(super) struct Entry {
    name: Option<String>,
    url: String,
    comments: Vec<String>,
    keys: Vec<(&'static str, String)>,
    told: Told,
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
        // An empty text stands in every body, and is no tag.
        let values: Vec<String> = values
            .iter()
            .filter(|value| !value.is_empty())
            .cloned()
            .collect();
        if !values.is_empty() {
            self.set(key, list(&values));
        }
    }

    pub(super) fn span(&mut self, key: &'static str, span: Duration) {
        // A configuration takes no longer one, and nothing happens after a century.
        self.set(key, format!("\"{}\"", Written(span.min(LONGEST))));
    }

    /// The method in capitals; GET is the default. One that cannot be sent leaves the monitor disabled.
    pub(super) fn method(&mut self, page: &mut Page, method: &str) {
        let method = method.trim().to_ascii_uppercase();
        if method == "GET" {
            return;
        }
        if scalars::method(&method).is_ok() || method.contains("${") {
            self.text("method", &method);
            return;
        }
        let what = format!("the method `{}`; disabled", safe_text::line(&method, 40));
        page.lose(Weight::Unchecked, what, &self.called());
        self.disable("its method cannot be sent");
    }

    /// How many redirects are followed: 0 makes the redirect the answer.
    pub(super) fn redirects(&mut self, page: &mut Page, count: u64) {
        match count {
            0 => self.set("follow_redirects", "false"),
            10 => {}
            count => {
                if count > REDIRECTS_MAX {
                    let what = format!("{count} redirects; at most {REDIRECTS_MAX} are followed");
                    page.lose(Weight::Detail, what, &self.called());
                }
                self.set("max_redirects", count.min(REDIRECTS_MAX).to_string());
            }
        }
    }

    /// The interval, the timeout and the time between confirming checks, each made to fit.
    pub(super) fn timing(
        &mut self,
        page: &mut Page,
        interval: Option<Duration>,
        timeout: Option<Duration>,
        retry_interval: Option<Duration>,
    ) {
        let second = Duration::from_secs(1);
        let interval = interval.map(|interval| interval.max(second));
        if let Some(interval) = interval {
            self.span("interval", interval);
        }
        let longest = interval.unwrap_or(Duration::from_secs(60)).min(LONGEST);
        for (key, span) in [("timeout", timeout), ("retry_interval", retry_interval)] {
            let Some(span) = span.filter(|span| !span.is_zero()) else {
                continue;
            };
            if span > longest {
                let what = format!("a {key} of {}, cut to the interval", Written(span));
                page.lose(Weight::Detail, what, &self.called());
            }
            self.span(key, span.min(longest));
        }
    }

    /// Keeps the monitor, but does not check it: as it is here it would be down for ever.
    pub(super) fn disable(&mut self, why: &str) {
        self.set("enabled", "false");
        self.comment(format!("disabled: {why}"));
    }

    /// Who is told of it.
    pub(super) fn told(&mut self, told: Told) {
        self.told = told;
    }

    /// Request headers.
    pub(super) fn headers(&mut self, page: &mut Page, headers: &[(String, String)]) {
        let mut seen: HashSet<String> = HashSet::new();
        let mut kept = Vec::new();
        for (name, header) in headers {
            let is_right =
                scalars::header_name(name).is_ok() && scalars::header_value(header).is_ok();
            if !is_right || !seen.insert(name.to_ascii_lowercase()) {
                let what = format!("the header `{}`", safe_text::line(name, 80));
                page.lose(Weight::Verdict, what, &self.called());
                continue;
            }
            kept.push(format!("{} = {}", quoted(name), quoted(header)));
        }
        if !kept.is_empty() {
            self.set("headers", format!("{{ {} }}", kept.join(", ")));
        }
    }

    /// Leaves a login out of the URL where a header or `basic_auth` has another one: Go's clients and curl send that.
    fn keep_one_login(&mut self, page: &mut Page) {
        let is_login = |(key, value): &(&str, String)| match *key {
            "basic_auth" => true,
            "headers" => value.to_ascii_lowercase().contains("\"authorization\" = "),
            _ => false,
        };
        let Some(authority) = self.url.find("://").map(|scheme| scheme + 3) else {
            return;
        };
        let rest = &self.url[authority..];
        let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let Some(at) = rest[..end].rfind('@') else {
            return;
        };
        if self.keys.iter().any(is_login) {
            self.url.replace_range(authority..=authority + at, "");
            let what = "the login in the URL; the one of the headers or of basic_auth is sent";
            page.lose(Weight::Verdict, what, &self.called());
        }
    }

    /// How it is called in messages.
    pub(super) fn called(&self) -> String {
        let called = self.name.as_deref().unwrap_or(&self.url);
        super::super::diagnostic::redact::sentence(&safe_text::line(called, 200)).into_owned()
    }
}

/// The whole file while it is made.
#[derive(Debug, Default)]
pub(super) struct Page {
    source: &'static str,
    email: Option<Email>,
    channels: Channels,
    entries: Vec<Entry>,
    windows: Vec<String>,
    names: Names,
    timezone: Option<String>,
    alerts: Vec<&'static str>,
    defaults: Vec<&'static str>,
    losses: Vec<Loss>,
    /// Where each loss stands in `losses`.
    places: HashMap<(Weight, String), usize>,
    /// Losses and lines beyond those that are told.
    untold: usize,
    lines: usize,
}

impl Page {
    pub(super) fn new(source: &'static str) -> Self {
        Self {
            source,
            ..Self::default()
        }
    }

    /// Notes what is not carried over. The same loss of several monitors is one line.
    pub(super) fn lose(&mut self, weight: Weight, what: impl Into<String>, about: &str) {
        if let Some(loss) = self.loss(weight, what.into()) {
            loss.about.push(about.to_owned());
        }
    }

    /// Notes what is not carried over and belongs to no monitor.
    pub(super) fn lose_all(&mut self, weight: Weight, what: impl Into<String>) {
        self.loss(weight, what.into());
    }

    /// Notes a line of a list that is not understood.
    pub(super) fn lose_line(&mut self, number: usize, what: &str) {
        self.lines += 1;
        if self.lines <= LINES_MAX {
            let what = safe_text::middle(what, 200);
            self.lose_all(Weight::Detail, format!("line {number}: {what}"));
        }
    }

    fn loss(&mut self, weight: Weight, what: String) -> Option<&mut Loss> {
        let key = (weight, what);
        let place = match self.places.get(&key) {
            Some(place) => *place,
            None if self.losses.len() >= LOSSES_MAX => {
                self.untold += 1;
                return None;
            }
            None => {
                self.losses.push(Loss {
                    weight,
                    what: key.1.clone(),
                    about: Vec::new(),
                });
                self.places.insert(key, self.losses.len() - 1);
                self.losses.len() - 1
            }
        };
        self.losses.get_mut(place)
    }

    /// Takes over where mails go, where it is complete.
    pub(super) fn email(&mut self, email: Email) {
        let to = addresses(&email.to);
        if !is_host(&email.host) || to.is_empty() || !is_address(&email.from) {
            self.lose_all(
                Weight::Told,
                "the mail settings: host, sender or recipient is missing or not valid",
            );
            return;
        }
        let is_usual = matches!(email.port, None | Some(465 | 587 | 2525));
        if !is_usual && matches!(email.tls, None | Some("starttls")) {
            self.lose_all(
                Weight::Told,
                format!(
                    "mail to `{}`: STARTTLS is required, not only taken where it is offered; for a relay without it write tls = \"none\" in [email]",
                    email.host
                ),
            );
        }
        self.email = Some(Email { to, ..email });
    }

    /// A service beside mail: the name by which it is told, and whether it is a new one. `None` where it is not carried
    /// over.
    pub(super) fn channel(&mut self, wanted: &str, channel: Channel) -> Option<(String, bool)> {
        self.channels.add(wanted, channel)
    }

    /// Whether mails go anywhere.
    pub(super) fn has_email(&self) -> bool {
        self.email.is_some()
    }

    /// A line of `[alerts]`.
    pub(super) fn alerts(&mut self, line: &'static str) {
        self.alerts.push(line);
    }

    /// A line of `[defaults]`.
    pub(super) fn default_key(&mut self, line: &'static str) {
        self.defaults.push(line);
    }

    /// Follows redirects as other tools do, wherever they lead.
    pub(super) fn follow_anywhere(&mut self) {
        self.default_key("allow_downgrade = true");
        self.default_key("allow_private_redirect = true");
    }

    /// The time zone of schedules and windows; false if there is no such zone.
    pub(super) fn timezone(&mut self, zone: &str) -> bool {
        let is_known = zone.contains("${") || scalars::zone(zone).is_ok();
        if is_known {
            self.timezone = Some(zone.to_owned());
        }
        is_known
    }

    /// A `[[maintenance]]` entry, its keys as TOML.
    pub(super) fn window(&mut self, keys: String) {
        self.windows.push(keys);
    }

    /// Adds a monitor; one whose URL cannot be checked is left out and named.
    pub(super) fn push(&mut self, mut entry: Entry) {
        entry.keep_one_login(self);
        let plain = entry.url.replace("$${", "");
        let has_names = plain.contains("${");
        let url = match scalars::locator(&entry.url.replace("$${", "${")) {
            _ if has_names => None,
            Ok(url) => Some(url),
            Err(wrong) => {
                let what = format!("not checked, {}", wrong.message);
                self.lose(Weight::Unchecked, what, &entry.called());
                return;
            }
        };
        let by_url = url.as_ref().map(MonitorName::default_of);
        let wanted = match (&entry.name, &by_url) {
            (Some(name), _) => names::short(&safe_text::line(name, 2000)),
            (None, Some(name)) => literal(name.as_str()),
            (None, None) => names::short(&safe_text::line(&entry.url, 2000)),
        };
        let wanted = if wanted.is_empty() {
            "site".to_owned()
        } else {
            wanted
        };
        let name = self.names.unique(&wanted);
        if name != wanted {
            entry.comment(format!("the name `{wanted}` was taken"));
        }
        let is_default = by_url.is_some_and(|default| literal(default.as_str()) == name);
        entry.name = (!is_default).then_some(name);
        self.entries.push(entry);
    }

    /// The file.
    pub(super) fn finish(mut self) -> Imported {
        self.losses.sort_by_key(|loss| loss.weight);
        let mut left_out: Vec<String> = self.losses.iter().map(Loss::line).collect();
        let more_lines = self.lines.saturating_sub(LINES_MAX);
        if more_lines > 0 {
            left_out.push(format!("{more_lines} more lines that are not understood"));
        }
        if self.untold > 0 {
            left_out.push(format!("{} more that are not told one by one", self.untold));
        }
        let mut out = String::new();
        // A string takes everything.
        let _ = self.write(&mut out, &left_out);
        Imported {
            variables: variables(&out),
            toml: out,
            left_out,
            monitors: self.entries.len(),
        }
    }

    fn write(&self, out: &mut String, left_out: &[String]) -> std::fmt::Result {
        writeln!(out, "{SCHEMA_LINE}")?;
        writeln!(out, "# Made by `sitewatch import {}`.", self.source)?;
        if !left_out.is_empty() {
            writeln!(out, "# Not carried over:")?;
            for line in left_out {
                writeln!(out, "# - {}", safe_text::line(line, 400))?;
            }
        }
        if let Some(zone) = &self.timezone {
            writeln!(out, "\n[daemon]\ntimezone = {}", quoted(zone))?;
        }
        match &self.email {
            Some(email) => write_email(out, email)?,
            None if !self.channels.is_empty() => {}
            None => out.push_str(
                "\n# Nobody is told of anything until this is filled in:\n\
                 # [email]\n# host = \"smtp.example.com\"\n\
                 # from = \"Sitewatch <alerts@example.com>\"\n# to = [\"ops@example.com\"]\n",
            ),
        }
        if !self.alerts.is_empty() {
            writeln!(out, "\n[alerts]\n{}", self.alerts.join("\n"))?;
        }
        if !self.defaults.is_empty() {
            writeln!(
                out,
                "\n# As the source did it; without these lines the stricter defaults hold.\n[defaults]\n{}",
                self.defaults.join("\n")
            )?;
        }
        self.channels.write(out)?;
        for entry in &self.entries {
            writeln!(out)?;
            for comment in &entry.comments {
                writeln!(out, "# {}", safe_text::line(comment, 400))?;
            }
            writeln!(out, "[[monitor]]")?;
            if let Some(name) = &entry.name {
                writeln!(out, "name = {}", quoted(name))?;
            }
            writeln!(out, "url = {}", quoted(&entry.url))?;
            for (key, value) in &entry.keys {
                writeln!(out, "{key} = {value}")?;
            }
            self.write_told(out, &entry.told)?;
        }
        for window in &self.windows {
            writeln!(out, "\n[[maintenance]]\n{window}")?;
        }
        Ok(())
    }
}

impl Page {
    fn write_told(&self, out: &mut String, told: &Told) -> std::fmt::Result {
        let default = self.email.as_ref().map(|email| &email.to);
        match told {
            Told::Default => Ok(()),
            Told::Nobody => writeln!(out, "to = []"),
            // Without `to` every channel would be told.
            Told::Mail if default.is_none() && !self.channels.is_empty() => {
                writeln!(out, "to = []")
            }
            Told::Mail => Ok(()),
            Told::Only(to) if Some(to) == default => Ok(()),
            Told::Only(to) if default.is_some() => writeln!(out, "to = {}", list(to)),
            // An address is of no use without a mail server.
            Told::Only(to) => {
                let is_channel = |name: &&String| !is_address(name);
                let channels: Vec<String> = to.iter().filter(is_channel).cloned().collect();
                match (channels.is_empty(), self.channels.is_empty()) {
                    (true, true) => writeln!(out, "# to = {}", list(to)),
                    (true, false) => writeln!(out, "to = []"),
                    (false, _) => writeln!(out, "to = {}", list(&channels)),
                }
            }
        }
    }
}

/// Variables that a file needs: each `${NAME}` of a value, but not `$${NAME}`.
fn variables(toml: &str) -> Vec<String> {
    let mut found = std::collections::BTreeSet::new();
    for line in toml.lines().filter(|line| !line.starts_with('#')) {
        let plain = line.replace("$${", "");
        for piece in plain.split("${").skip(1) {
            if let Some((name, _)) = piece.split_once('}') {
                found.insert(name.to_owned());
            }
        }
    }
    found.into_iter().collect()
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

/// A text as a regular expression. A backspace itself would be taken for a `\b` in double quotes.
pub(super) fn escaped(text: &str) -> String {
    regex::escape(text).replace('\u{8}', r"\x08")
}

/// A string whose `${` is meant literally.
pub(super) fn literal(text: &str) -> String {
    text.replace("${", "$${")
}
