//! Reads values out of a parsed file and collects everything that is wrong with them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use toml::de::DeValue;

use super::env_vars::{self, expand};
use super::patterns::Patterns;
use super::scalars::{self, Wrong};
use super::table::{Found, Placed, Table, Text, described, is_table_list, place};
use crate::config::diagnostic::hints;
use crate::config::diagnostic::messages::{either, elsewhere, expand_fault};
use crate::config::diagnostic::nearest::nearest;
use crate::config::diagnostic::problem::Fault;
use crate::config::diagnostic::redact;
use crate::config::diagnostic::source_map::{Place, Source};
use crate::config::environment::Environment;
use crate::config::keys::{self, Key};
use crate::config::syntax::odd_characters;
use crate::domain::address::Address;
use crate::domain::channel::ChannelName;
use crate::domain::location::Places;
use crate::domain::recipient::Recipient;

/// Longer keys are not suggested nor shown whole.
pub(super) const KEY_BYTES_MAX: usize = 1024;

/// So many faults get a suggestion.
const SUGGESTIONS_MAX: usize = 500;

/// Everything that reading gathers besides the values.
pub(crate) struct Reading<'e> {
    /// Where `${NAME}` comes from.
    pub environment: &'e Environment,
    /// The files so far.
    pub sources: Vec<Source>,
    /// What is wrong with them.
    pub faults: Vec<Fault>,
    /// Where the syntax is wrong: what else is said of these lines is a consequence.
    pub syntax_faults: Vec<Fault>,
    /// What deserves a word.
    pub warnings: Vec<(Option<Place>, String)>,
    /// Where `[defaults]` turns verification off, once for each monitor that this concerns.
    pub unverified: Vec<Place>,
    /// Where an interval is short, once for each monitor that has it.
    pub hurried: Vec<Place>,
    /// What came by `${NAME}` since it was last taken.
    pub came_by_name: Vec<String>,
    /// Where secrets stand in clear.
    pub literal_secrets: Vec<(Place, &'static str)>,
    /// Channels that a `to` names, with the place.
    pub named_channels: Vec<(Place, ChannelName)>,
    /// Addresses that a `to` names, with the place.
    pub named_addresses: Vec<(Place, Address)>,
    /// Files that were read for their content, since many monitors may share one.
    pub(super) contents: HashMap<PathBuf, Result<Arc<[u8]>, String>>,
    /// The locations of a hub, known before monitors are read.
    pub places: Option<Places>,
    /// Patterns that were compiled, since many monitors may share one.
    pub(crate) patterns: Patterns,
}

impl<'e> Reading<'e> {
    pub(crate) fn new(environment: &'e Environment) -> Self {
        Self {
            environment,
            sources: Vec::new(),
            faults: Vec::new(),
            syntax_faults: Vec::new(),
            warnings: Vec::new(),
            unverified: Vec::new(),
            hurried: Vec::new(),
            came_by_name: Vec::new(),
            literal_secrets: Vec::new(),
            named_channels: Vec::new(),
            named_addresses: Vec::new(),
            contents: HashMap::new(),
            places: None,
            patterns: Patterns::default(),
        }
    }

    /// Adds a fault; userinfo of URLs is taken out of its words.
    pub(crate) fn fault(&mut self, mut fault: Fault) {
        fault.message = redact::sentence(&fault.message).into_owned();
        fault.label = redact::sentence(&fault.label).into_owned();
        self.faults.push(fault);
    }

    /// Whether the nearest word is still looked for: it takes time, and nobody reads that many.
    pub(super) const fn may_suggest(&self) -> bool {
        self.faults.len() < SUGGESTIONS_MAX
    }

    /// Adds a fault of a value, unless it is one of `[defaults]` that a monitor only looks at.
    fn value_fault(&mut self, inherited: bool, fault: Fault) {
        if !inherited {
            self.fault(fault);
        }
    }

    pub(crate) fn warn(&mut self, place: Place, message: impl Into<String>) {
        self.warnings.push((Some(place), message.into()));
    }

    /// The directory to which paths in a file are relative.
    pub(crate) fn directory_of(&self, file: u32) -> &Path {
        self.sources
            .get(file as usize)
            .and_then(|source| source.path.parent())
            .unwrap_or(Path::new(""))
    }

    /// Reports every key that the table's section does not know.
    pub(crate) fn refuse_unknown(&mut self, table: &Table<'_>, but: &[&str]) {
        for (key, value) in table.own {
            let name: &str = key.get_ref();
            let known = keys::find(table.keys, name).is_some();
            if known && !but.contains(&name) {
                continue;
            }
            let at = place(table.header.file, key.span());
            if known {
                self.fault(Fault::new(
                    at,
                    format!("`{name}` cannot be a default"),
                    "each monitor has its own",
                ));
                continue;
            }
            let names = table.keys.iter().map(|key| key.name);
            if name.len() > KEY_BYTES_MAX {
                let message = format!("a key has {} bytes", name.len());
                self.fault(Fault::new(at, message, "no key is that long"));
                continue;
            }
            let near = match self.may_suggest() {
                true => nearest(name, names),
                false => None,
            };
            let label = match near {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => elsewhere(name).unwrap_or_else(|| format!("not a key of {}", table.called)),
            };
            let what = match value.get_ref() {
                DeValue::Table(_) => "table",
                DeValue::Array(_) if is_table_list(value.get_ref()) => "table",
                _ => "key",
            };
            self.fault(Fault::new(at, format!("unknown {what} `{name}`"), label));
        }
    }

    /// Says that a value is of the wrong type.
    pub(super) fn wrong_type(&mut self, found: Found<'_>, wanted: &str, label: impl Into<String>) {
        let (key, is) = (found.key, described(found.value));
        let message = match found.is_member {
            true => format!("an entry of `{key}` must be {wanted}, this is {is}"),
            false => format!("`{key}` must be {wanted}, this is {is}"),
        };
        let mut fault = Fault::new(found.place, message, label);
        // The parser gives a number that stands nowhere where it could read no value.
        fault.follows_from_syntax = found.place.start == found.place.end;
        self.value_fault(found.inherited, fault);
    }

    /// A string; `wanted` says what it should be where it is none.
    pub(crate) fn text<'t>(&mut self, found: Found<'t>, wanted: &str) -> Option<Text<'t>> {
        let DeValue::String(raw) = found.value else {
            self.wrong_type(found, wanted, hints::for_text(found, wanted));
            return None;
        };
        let bytes_max = env_vars::bytes_max(found.key);
        if raw.len() > bytes_max {
            let (message, label) = env_vars::too_long(found.key, raw.len());
            self.value_fault(found.inherited, Fault::new(found.place, message, label));
            return None;
        }
        let in_quotes = (found.place.end - found.place.start) as usize == raw.len() + 2;
        let as_written = Text {
            value: Cow::Borrowed(raw.as_ref()),
            raw,
            place: found.place,
            inherited: found.inherited,
            came_by_name: false,
            verbatim: in_quotes,
        };
        match expand(raw, self.environment) {
            Ok(expanded) if expanded.text.len() > bytes_max => {
                let message = format!("`{}` gives more than {bytes_max} bytes", found.key);
                let label = "look at the value of the variable";
                self.value_fault(found.inherited, Fault::new(found.place, message, label));
                None
            }
            Ok(expanded) => {
                let came_by_name = expanded.has_names;
                self.came_by_name.extend(expanded.values);
                Some(Text {
                    value: expanded.text,
                    came_by_name,
                    verbatim: in_quotes && !raw.contains("${"),
                    ..as_written
                })
            }
            Err(errors) => {
                for error in errors {
                    let fault = expand_fault(error, &as_written);
                    self.value_fault(found.inherited, fault);
                }
                None
            }
        }
    }

    /// A string that means something.
    pub(crate) fn parsed<T>(
        &mut self,
        found: Found<'_>,
        wanted: &str,
        parse: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Option<Placed<T>> {
        let text = self.text(found, wanted)?;
        match parse(&text.value) {
            Ok(it) => Some(Placed {
                it,
                place: text.place,
                inherited: text.inherited,
            }),
            Err(wrong) => {
                self.wrong(&text, wanted, wrong);
                None
            }
        }
    }

    /// Reports what is wrong with a string, without the values that came by `${NAME}`.
    pub(crate) fn wrong(&mut self, text: &Text<'_>, wanted: &str, wrong: Wrong) {
        let fault = match text.came_by_name {
            true => Fault::new(
                text.place,
                format!("`{}` does not give {wanted}", text.raw),
                "look at the value of the variable",
            ),
            false => match odd_characters::never_meant(&text.value, wanted) {
                Some((part, odd)) => Fault::new(
                    text.part(Some(part)),
                    format!(
                        "this is not {wanted}: it has U+{:04X} in it, {}",
                        u32::from(odd.c),
                        odd.called
                    ),
                    odd.advice(),
                ),
                None => Fault::new(text.part(wrong.part), wrong.message, wrong.label),
            },
        };
        self.value_fault(text.inherited, fault);
    }

    /// A string of any content; an empty one counts as absent.
    pub(super) fn some_text<'t>(
        &mut self,
        table: &Table<'t>,
        key: &'static str,
    ) -> Option<Text<'t>> {
        let text = self.text(table.get(key)?, "a string")?;
        (!text.value.is_empty()).then_some(text)
    }

    /// A meaningful string; an empty one counts as absent.
    pub(super) fn some_parsed<T>(
        &mut self,
        table: &Table<'_>,
        key: &'static str,
        wanted: &str,
        parse: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Option<Placed<T>> {
        let found = table.get(key)?;
        if matches!(found.value, DeValue::String(raw) if raw.is_empty()) {
            return None;
        }
        self.parsed(found, wanted, parse)
    }

    pub(crate) fn flag(&mut self, table: &Table<'_>, key: &'static str, default: bool) -> bool {
        let Some(found) = table.get(key) else {
            return default;
        };
        match found.value {
            DeValue::Boolean(flag) => *flag,
            _ => {
                self.wrong_type(found, "true or false", hints::for_flag(found, default));
                default
            }
        }
    }

    /// A whole number within the bounds that its key declares.
    pub(crate) fn count(&mut self, table: &Table<'_>, key: &'static str) -> Option<i64> {
        let found = table.get(key)?;
        let Some(keys::Kind::Count(low, high)) = keys::find(table.keys, key).map(|key| key.kind)
        else {
            return None;
        };
        let DeValue::Integer(number) = found.value else {
            self.wrong_type(found, "a whole number", hints::for_count(found, low, high));
            return None;
        };
        let written = number.as_str();
        match i64::from_str_radix(written, number.radix()) {
            Ok(value) if (low..=high).contains(&value) => Some(value),
            parsed => {
                let label = match parsed {
                    Ok(value) if value < low => format!("use at least {low}"),
                    _ if written.starts_with('-') => format!("use at least {low}"),
                    _ => format!("use at most {high}"),
                };
                let message = format!("`{key}` is {written}, outside {low} to {high}");
                self.value_fault(found.inherited, Fault::new(found.place, message, label));
                None
            }
        }
    }

    /// A duration that may be zero.
    pub(crate) fn span(
        &mut self,
        table: &Table<'_>,
        key: &'static str,
    ) -> Option<Placed<Duration>> {
        self.parsed(table.get(key)?, "a duration", scalars::duration)
    }

    /// A duration of at least `least`.
    pub(crate) fn span_from(
        &mut self,
        table: &Table<'_>,
        key: &'static str,
        least: Duration,
    ) -> Option<Placed<Duration>> {
        let span = self.span(table, key)?;
        self.at_least(key, span, least)
    }

    /// A duration above zero, or none for the word.
    pub(crate) fn span_or(
        &mut self,
        table: &Table<'_>,
        key: &'static str,
        word: &'static str,
        default: Option<Duration>,
    ) -> Option<Duration> {
        let Some(found) = table.get(key) else {
            return default;
        };
        if matches!(found.value, DeValue::Boolean(false)) && word == "off" {
            self.wrong_type(found, "a duration", "write \"off\"");
            return default;
        }
        let read = self.parsed(found, "a duration", |text| {
            if text == word {
                return Ok(None);
            }
            scalars::duration(text).map(Some).map_err(|mut wrong| {
                if wrong.label.starts_with("a number is expected") {
                    wrong.label = format!("write a duration like \"30d\", or \"{word}\"");
                }
                wrong
            })
        });
        match read {
            None => default,
            Some(Placed { it: None, .. }) => None,
            Some(Placed {
                it: Some(it),
                place,
                inherited,
            }) => {
                let span = Placed {
                    it,
                    place,
                    inherited,
                };
                self.at_least(key, span, Duration::from_millis(1))
                    .map_or(default, |span| Some(span.it))
            }
        }
    }

    fn at_least(
        &mut self,
        key: &str,
        span: Placed<Duration>,
        least: Duration,
    ) -> Option<Placed<Duration>> {
        if span.it >= least {
            return Some(span);
        }
        let written = crate::domain::duration_text::Written(span.it);
        let fault = match span.it.is_zero() {
            true => Fault::new(
                span.place,
                format!("`{key}` must not be zero"),
                format!(
                    "use at least \"{}\"",
                    crate::domain::duration_text::Written(least)
                ),
            ),
            false => Fault::new(
                span.place,
                format!("{key} {written} is too short"),
                format!(
                    "use at least \"{}\"",
                    crate::domain::duration_text::Written(least)
                ),
            ),
        };
        self.value_fault(span.inherited, fault);
        None
    }

    /// One of the words that its key declares.
    pub(crate) fn choice(
        &mut self,
        table: &Table<'_>,
        key: &'static str,
    ) -> Option<Placed<&'static str>> {
        let found = table.get(key)?;
        let Some(keys::Kind::Choice(words)) = keys::find(table.keys, key).map(|key| key.kind)
        else {
            return None;
        };
        let wanted = either(words);
        let wanted = wanted.as_str();
        self.parsed(found, wanted, |text| {
            if let Some(word) = words.iter().find(|word| **word == text) {
                return Ok(*word);
            }
            let label = match nearest(text, words.iter().copied()) {
                Some(word) => format!("did you mean \"{word}\"?"),
                None => format!("write {}", either(words)),
            };
            Err(Wrong::new(format!("`{key}` cannot be `{text}`"), label))
        })
    }

    /// The members of a list.
    pub(crate) fn items<'t>(&mut self, found: Found<'t>, wanted: &str) -> Option<Vec<Found<'t>>> {
        let DeValue::Array(array) = found.value else {
            let written = self
                .sources
                .get(found.place.file as usize)
                .map_or("", |source| source.slice(found.place));
            let label = hints::for_list(found, written);
            self.wrong_type(found, wanted, label);
            return None;
        };
        Some(
            array
                .iter()
                .map(|item| Found {
                    value: item.get_ref(),
                    place: place(found.place.file, item.span()),
                    is_member: true,
                    ..found
                })
                .collect(),
        )
    }

    /// A list of meaningful strings; those that are wrong are reported and left out.
    pub(crate) fn list<T>(
        &mut self,
        table: &Table<'_>,
        key: &'static str,
        wanted: &str,
        parse: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Option<Placed<Vec<Placed<T>>>> {
        let found = table.get(key)?;
        let items = self.items(found, "a list")?;
        let it = items
            .into_iter()
            .filter_map(|item| self.parsed(item, wanted, &parse))
            .collect();
        Some(Placed {
            it,
            place: found.place,
            inherited: found.inherited,
        })
    }

    /// A list of non-empty strings.
    pub(crate) fn texts(&mut self, table: &Table<'_>, key: &'static str) -> Vec<String> {
        let list = self.list(table, key, "a string", |text| match text.is_empty() {
            true => Err(Wrong::new(
                format!("`{key}` has an empty string"),
                "write something, or leave it out",
            )),
            false => Ok(text.to_owned()),
        });
        list.map_or_else(Vec::new, |list| {
            list.it.into_iter().map(|text| text.it).collect()
        })
    }

    /// A list of mail addresses and names of channels, each once. The names are looked up when all channels are read.
    pub(crate) fn recipients(
        &mut self,
        table: &Table<'_>,
        key: &'static str,
    ) -> Option<Placed<Vec<Recipient>>> {
        let list = self.list(table, key, "a mail address", |text| {
            scalars::recipient(text)
        })?;
        let mut recipients: Vec<Recipient> = Vec::with_capacity(list.it.len());
        for recipient in list.it {
            // What `[defaults]` has was noted there.
            if !recipient.inherited {
                match &recipient.it {
                    Recipient::Mail(address) => self
                        .named_addresses
                        .push((recipient.place, address.clone())),
                    Recipient::Channel(name) => {
                        self.named_channels.push((recipient.place, name.clone()));
                    }
                }
            }
            if !recipients.contains(&recipient.it) {
                recipients.push(recipient.it);
            }
        }
        Some(Placed {
            it: recipients,
            place: list.place,
            inherited: list.inherited,
        })
    }

    /// A table inside a table.
    pub(crate) fn table<'t>(
        &mut self,
        found: Found<'t>,
        keys: &'static [Key],
        called: &'static str,
    ) -> Option<Table<'t>> {
        let DeValue::Table(own) = found.value else {
            let names: Vec<String> = keys
                .iter()
                .map(|key| format!("{} = ..", key.name))
                .collect();
            self.wrong_type(
                found,
                "a table",
                format!("write {{ {} }}", names.join(", ")),
            );
            return None;
        };
        let header = match found.place.start == found.place.end {
            true => found.key_place,
            false => found.place,
        };
        let table = Table {
            own,
            keys,
            called,
            header,
            fallback: None,
        };
        if !found.inherited {
            self.refuse_unknown(&table, &[]);
        }
        Some(table)
    }
}
