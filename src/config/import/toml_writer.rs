//! The `monitors.toml` that an import writes.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::channels::{Channel, Channels};
pub(super) use super::email::{Email, addresses};
use super::email::{is_address, is_host, write_email};
pub(super) use super::entry::Entry;
use super::names::{self, Names};
use crate::config::init::SCHEMA_LINE;
use crate::config::read::scalars;
use crate::domain::monitor::MonitorName;
use crate::domain::safe_text;

/// What an import gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// A valid `monitors.toml`.
    pub toml: String,
    /// What could not be carried over: a sentence each, what matters most first.
    pub left_out: Vec<String>,
    /// Environment variables that the file needs, sorted.
    pub variables: Vec<String>,
    /// How many monitors it holds.
    pub monitors: usize,
}

/// A text to import from.
#[derive(Debug, Clone)]
pub struct Source {
    /// What it is called in messages: the file's path as given.
    pub name: String,
    /// What it holds.
    pub text: String,
}

/// Reads the files that a source names by a path or a pattern, relative to where the source lies.
pub type Beside<'a> = &'a dyn Fn(&str) -> Vec<Source>;

/// How much a loss matters; the first come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Weight {
    /// Something is not checked at all.
    Unchecked,
    /// An answer is judged otherwise, or a request made otherwise.
    Verdict,
    /// Other people are told, or at other times.
    Told,
    /// Everything else.
    Detail,
}

/// Something that is not carried over, and for which monitors.
#[derive(Debug)]
struct Loss {
    weight: Weight,
    what: String,
    about: Vec<String>,
}

/// So many monitors are named with a loss that they share.
const NAMED_MAX: usize = 4;

/// So many monitors that are not checked are named.
const NOT_CHECKED_MAX: usize = 2000;

/// So many different losses are told one by one; a file that is something else has one in each line.
const LOSSES_MAX: usize = 1000;

/// So many lines of a list that are not understood are told one by one.
const LINES_MAX: usize = 10;

impl Loss {
    fn line(&self) -> String {
        // A monitor that is not checked is named in any case.
        let named = match self.weight {
            Weight::Unchecked => NOT_CHECKED_MAX,
            Weight::Verdict | Weight::Told | Weight::Detail => NAMED_MAX,
        };
        let shown: Vec<&str> = self.about.iter().take(named).map(String::as_str).collect();
        match (self.about.len(), self.about.len().saturating_sub(named)) {
            (0, _) => self.what.clone(),
            (_, 0) => format!("{}: {}", self.what, shown.join(", ")),
            (all, more) => format!(
                "{} ({all} monitors): {} and {more} more",
                self.what,
                shown.join(", ")
            ),
        }
    }
}

/// Who is told of a monitor's news.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Told {
    /// Those of `[email].to`.
    #[default]
    Default,
    /// Nobody, as in the source.
    Nobody,
    /// Those of `[email].to` where there are any, in place of services that are not carried over.
    Mail,
    /// These addresses and channels.
    Only(Vec<String>),
}

/// Why nothing could be imported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// The text is not in the format at all.
    #[error("{0}")]
    Format(String),
    /// The text can be read and names nothing to check, perhaps because another tool wrote it.
    #[error("{0}")]
    Nothing(String),
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
