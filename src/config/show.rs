//! The effective configuration as a file that loads: every default filled in, secrets masked.

use std::fmt;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::diagnostic::problem::ConfigErrors;
use super::diagnostic::redact;
use super::diagnostic::source_map::Source;
use super::environment::Environment;
use super::keys::{self, Absent, Key, Kind, Section};
use super::load;
use super::model::Config;
use super::read::referenced_files;
use crate::domain::duration_text::Written;
use crate::domain::monitor::{Monitor, Rules};
use crate::domain::recipient::Recipient;
use crate::domain::redaction::{Masks, STARS};
use crate::domain::settings::MailTransport;
use crate::domain::subject::SubjectKind;

/// Why nothing could be shown.
#[derive(Debug, thiserror::Error)]
pub enum ShowError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] Box<ConfigErrors>),
    /// The writer takes no more.
    #[error(transparent)]
    Write(#[from] fmt::Error),
}

/// Writes the effective configuration.
///
/// # Errors
/// What is wrong with the configuration, or that the writer takes no more.
pub fn show(
    file: &Path,
    environment: &Environment,
    out: &mut impl fmt::Write,
) -> Result<(), ShowError> {
    let (config, sources) = load::load_with_sources(file, environment).map_err(Box::new)?;
    let roots: Vec<DeTable<'_>> = sources
        .iter()
        .map(|source| DeTable::parse_recoverable(&source.text).0.into_inner())
        .collect();
    writeln!(out, "# The effective configuration of {}", file.display())?;
    let empty = DeTable::new();
    let (Some(main), Some(source)) = (roots.first(), sources.first()) else {
        return Ok(());
    };
    for section in keys::SECTIONS {
        let is_entry = section.form == keys::Form::List || section.name == keys::DEFAULTS.name;
        let own = table_of(main, section.name);
        // What is off without its section would be on with it.
        let is_off =
            own.is_none() && [keys::EMAIL.name, keys::CLUSTER.name].contains(&section.name);
        if is_entry || is_off {
            continue;
        }
        let page = Page {
            section,
            own: own.unwrap_or(&empty),
            directory: directory(source),
            fallback: None,
            kind: None,
        };
        page.write(out, &|key| computed(&config, section, key))?;
    }
    entries(out, &config, &sources, &roots)?;
    Ok(())
}

fn directory(source: &Source) -> &Path {
    source.path.parent().unwrap_or(Path::new(""))
}

fn table_of<'t>(root: &'t DeTable<'t>, name: &str) -> Option<&'t DeTable<'t>> {
    match root.get(name)?.get_ref() {
        DeValue::Table(table) => Some(table),
        _ => None,
    }
}

/// The monitors and windows of all files.
fn entries(
    out: &mut impl fmt::Write,
    config: &Config,
    sources: &[Source],
    roots: &[DeTable<'_>],
) -> fmt::Result {
    let defaults = roots
        .first()
        .and_then(|main| table_of(main, keys::DEFAULTS.name))
        .zip(sources.first().map(directory));
    // Both come from the same texts in the same order, and all entries are valid.
    let mut monitors = config.monitors.iter();
    let mut lists = config.lists.iter();
    for section in [
        &keys::MONITOR,
        &keys::SOURCE,
        &keys::CHANNEL,
        &keys::ESCALATION,
        &keys::HOURS,
        &keys::MAINTENANCE,
        &keys::OBJECTIVE,
    ] {
        let is_list = section.name == keys::SOURCE.name;
        let is_monitor = section.name == keys::MONITOR.name;
        for (root, source) in roots.iter().zip(sources) {
            let Some(array) = root
                .get(section.name)
                .and_then(|value| value.get_ref().as_array())
            else {
                continue;
            };
            let tables = array.iter().filter_map(|item| item.get_ref().as_table());
            for own in tables {
                let monitor = match is_monitor {
                    true => monitors.next(),
                    false => None,
                };
                let list = match is_list {
                    true => lists.next(),
                    false => None,
                };
                let page = Page {
                    section,
                    own,
                    directory: directory(source),
                    fallback: defaults.filter(|_| is_monitor || is_list),
                    kind: monitor.map(|monitor| monitor.subject.kind()),
                };
                page.write(out, &|key| {
                    if let Some(list) = list {
                        return computed_of_rules(&list.source.model.rules, key, &config.masks);
                    }
                    computed_of_monitor(monitor?, key, &config.masks)
                })?;
            }
        }
    }
    Ok(())
}

/// One section as it is written.
struct Page<'a> {
    section: &'static Section,
    own: &'a DeTable<'a>,
    directory: &'a Path,
    fallback: Option<(&'a DeTable<'a>, &'a Path)>,
    /// Of a monitor: its kind, whose keys are shown.
    kind: Option<SubjectKind>,
}

impl Page<'_> {
    fn write(
        &self,
        out: &mut impl fmt::Write,
        computed: &dyn Fn(&Key) -> Option<String>,
    ) -> fmt::Result {
        writeln!(out, "\n{}", self.section.header())?;
        let has = |key: &&Key| self.kind.is_none_or(|kind| key.kinds.has(kind));
        for key in self.section.keys.iter().filter(has) {
            if let Some((value, directory)) = self.written(key.name) {
                let mut text = String::new();
                let context = Context {
                    key: key.name,
                    kind: Some(key.kind),
                    directory,
                };
                context.write(&mut text, value)?;
                writeln!(out, "{} = {text}", key.name)?;
                continue;
            }
            if let Some(instead) = rival(key.name).filter(|rival| self.written(rival).is_some()) {
                writeln!(out, "# {}: see {instead}", key.name)?;
                continue;
            }
            match (computed(key), key.absent) {
                (Some(value), _) => writeln!(out, "{} = {value}", key.name)?,
                (None, Absent::Value(value)) => writeln!(out, "{} = {value}", key.name)?,
                (None, Absent::Unset(words)) => writeln!(out, "# {}: {words}", key.name)?,
                (None, Absent::Required) => {}
            }
        }
        Ok(())
    }

    /// A value as it stands in the section or in `[defaults]`, with the directory of its file.
    fn written(&self, key: &str) -> Option<(&DeValue<'_>, &Path)> {
        if let Some(value) = self.own.get(key) {
            return Some((value.get_ref(), self.directory));
        }
        let (defaults, directory) = self.fallback?;
        // Of two keys that exclude each other a monitor's own one counts.
        let replaced = rival(key).is_some_and(|rival| self.own.contains_key(rival));
        match replaced {
            true => None,
            false => Some((defaults.get(key)?.get_ref(), directory)),
        }
    }
}

/// The key that excludes this one.
pub(super) fn rival(key: &str) -> Option<&'static str> {
    Some(match key {
        "interval" => "schedule",
        "schedule" => "interval",
        "body" => "body_file",
        "body_file" => "body",
        "file" => "url",
        "url" => "file",
        "url_file" => "url",
        "token" => "token_file",
        "token_file" => "token",
        "basic_auth" => "bearer_token_file",
        "bearer_token_file" => "basic_auth",
        "credentials_file" => "nkey_file",
        "nkey_file" => "credentials_file",
        _ => return None,
    })
}

/// A TOML string.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    // A string takes everything.
    let _ = write_string(&mut out, text);
    out
}

fn addresses(list: &[Recipient]) -> String {
    let list: Vec<String> = list
        .iter()
        .map(|address| quoted(&address.to_string()))
        .collect();
    format!("[{}]", list.join(", "))
}

fn computed(config: &Config, section: &Section, key: &Key) -> Option<String> {
    let path = |path: &Path| Some(quoted(&path.display().to_string()));
    match (section.name, key.name) {
        ("daemon", "database") => path(&config.daemon.database),
        ("daemon", "control_socket") => path(&config.daemon.control_socket),
        ("daemon", "timezone") => {
            let name = config.daemon.timezone.iana_name();
            let here = name.map_or_else(String::new, |name| format!("  # {name}"));
            Some(format!("\"system\"{here}"))
        }
        ("email", "port") => match &config.email.as_ref()?.transport {
            MailTransport::Smtp(server) => Some(server.port.to_string()),
            MailTransport::Directory(_) => None,
        },
        ("alerts", "to") => Some(config.masks.apply(&addresses(&config.told)).into_owned()),
        ("report", "to") => {
            let report = config.report.as_ref()?;
            let to = addresses(&report.to);
            Some(config.masks.apply(&to).into_owned())
        }
        _ => None,
    }
}

fn computed_of_monitor(monitor: &Monitor, key: &Key, masks: &Masks) -> Option<String> {
    match key.name {
        "name" => Some(quoted(monitor.name.as_str())),
        _ => computed_of_rules(&monitor.rules, key, masks),
    }
}

fn computed_of_rules(rules: &Rules, key: &Key, masks: &Masks) -> Option<String> {
    match key.name {
        "timeout" => Some(format!("\"{}\"", Written(rules.timeout))),
        "retry_interval" => Some(format!("\"{}\"", Written(rules.retry_interval))),
        "to" => Some(masks.apply(&addresses(&rules.to)).into_owned()),
        _ => None,
    }
}

/// What decides how a value is shown: its key, what that takes, and the directory of its file.
#[derive(Clone, Copy)]
struct Context<'a> {
    key: &'a str,
    kind: Option<Kind>,
    directory: &'a Path,
}

impl Context<'_> {
    fn write(&self, out: &mut String, value: &DeValue<'_>) -> fmt::Result {
        use fmt::Write as _;
        match value {
            DeValue::String(text) => write_string(out, &self.shown(text)),
            DeValue::Integer(number) => write!(out, "{number}"),
            DeValue::Float(number) => write!(out, "{number}"),
            DeValue::Boolean(flag) => write!(out, "{flag}"),
            DeValue::Datetime(datetime) => write!(out, "{datetime}"),
            DeValue::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index > 0 { ", " } else { "" });
                    self.write(out, item.get_ref())?;
                }
                out.push(']');
                Ok(())
            }
            DeValue::Table(table) => {
                let mut in_order: Vec<_> = table.iter().collect();
                in_order.sort_by_key(|(key, _)| key.span().start);
                out.push('{');
                for (index, (key, item)) in in_order.into_iter().enumerate() {
                    let name: &str = key.get_ref();
                    out.push_str(if index > 0 { ", " } else { " " });
                    let is_bare = !name.is_empty()
                        && name
                            .bytes()
                            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
                    match is_bare {
                        true => out.push_str(name),
                        false => write_string(out, name)?,
                    }
                    out.push_str(" = ");
                    let kind = match self.kind {
                        Some(Kind::Table(keys)) => keys::find(keys, name).map(|key| key.kind),
                        _ => None,
                    };
                    let inner = Context {
                        key: name,
                        kind,
                        directory: self.directory,
                    };
                    inner.write(out, item.get_ref())?;
                }
                out.push_str(" }");
                Ok(())
            }
        }
    }

    /// A string without what is secret in it, paths in full.
    fn shown(&self, text: &str) -> String {
        let only_names = text.starts_with("${") && text.ends_with('}');
        let is_header = self.kind.is_none();
        let may_be_secret = is_header || matches!(self.kind, Some(Kind::Text));
        let is_secret = matches!(self.kind, Some(Kind::Secret | Kind::Secrets));
        if is_secret && !only_names && !text.is_empty() {
            return STARS.to_owned();
        }
        if may_be_secret && redact::is_sensitive(self.key) && !only_names && !text.is_empty() {
            return STARS.to_owned();
        }
        if matches!(self.kind, Some(Kind::Path)) && !text.is_empty() {
            let full = referenced_files::resolve(self.directory, text);
            return full.display().to_string();
        }
        redact::sentence(text).into_owned()
    }
}

fn write_string(out: &mut String, text: &str) -> fmt::Result {
    use fmt::Write as _;
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if crate::domain::safe_text::is_unsafe(c) => write!(out, "\\u{:04X}", u32::from(c))?,
            c => out.push(c),
        }
    }
    out.push('"');
    Ok(())
}
