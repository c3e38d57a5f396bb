//! The JSON of Prometheus' file_sd and http_sd: a list of groups, each with targets and labels.
//!
//! It is read as it comes: nothing of a list is held but its entries, however long its arrays are.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use super::super::read::scalars;
use super::entry::{Entries, Entry, InForce};
use super::read::{LIST_LINES_MAX, NotAList, Skipped, shown};
use crate::domain::monitor::MonitorName;
use crate::domain::safe_text;

/// Labels of a group. Prometheus' own lists have less than ten; each becomes a tag of each target.
const LABELS_MAX: usize = 64;

/// A label with its value is a tag: a word that is shown and selected by.
const TAG_CHARS_MAX: usize = 200;

/// What the parser is told when a list is too long; it has no other way to stop.
const TOO_LONG: &str = "too long";

/// Reads the groups.
pub(crate) fn entries(
    text: &str,
    in_force: InForce<'_>,
    skipped: &mut Skipped,
) -> Result<Vec<Entry>, NotAList> {
    let mut gathered = Gathered {
        entries: Entries::new(in_force),
        skipped,
        seen: 0,
    };
    let mut parser = serde_json::Deserializer::from_str(text);
    Groups(&mut gathered)
        .deserialize(&mut parser)
        .and_then(|()| parser.end())
        .map_err(not_a_list)?;
    gathered.skipped.doubled += gathered.entries.doubled;
    Ok(gathered.entries.sorted())
}

fn not_a_list(error: serde_json::Error) -> NotAList {
    use serde_json::error::Category;
    let at = format!("line {}, column {}", error.line(), error.column());
    match error.classify() {
        Category::Eof => NotAList::Json(format!("it ends too early ({at})")),
        Category::Syntax | Category::Io => NotAList::Json(format!("wrong at {at}")),
        Category::Data if error.to_string().starts_with(TOO_LONG) => NotAList::TooLong,
        Category::Data => NotAList::Json(format!(
            "a list of groups is expected, each {{\"targets\": [..], \"labels\": {{..}}}} ({at})"
        )),
    }
}

struct Gathered<'a, 's> {
    entries: Entries<'a>,
    skipped: &'s mut Skipped,
    /// Groups and targets.
    seen: usize,
}

impl Gathered<'_, '_> {
    fn count<E: serde::de::Error>(&mut self) -> Result<(), E> {
        self.seen += 1;
        // A group takes one target at least.
        match self.seen > 2 * LIST_LINES_MAX || self.entries.len() > LIST_LINES_MAX {
            true => Err(E::custom(TOO_LONG)),
            false => Ok(()),
        }
    }

    fn take(&mut self, targets: Vec<String>, labels: Labels) {
        let Labels { name, tags } = labels;
        let given = name.as_deref().map(MonitorName::parse);
        for target in targets {
            let with_scheme = match target.contains("://") {
                true => target.clone(),
                false => format!("http://{target}"),
            };
            let wrong = |why: &str| format!("{why}: {}", shown(&target));
            let Ok(url) = scalars::locator(&with_scheme) else {
                self.skipped.bad(|| wrong("not a URL"));
                continue;
            };
            let default = MonitorName::default_of(&url);
            let (name, spare) = match &given {
                None => (default, None),
                Some(Ok(name)) => (name.clone(), Some(default)),
                Some(Err(error)) => {
                    self.skipped.bad(|| wrong(&error.to_string()));
                    continue;
                }
            };
            let tags = Arc::clone(&tags);
            self.entries.add(Entry { name, url, tags }, spare);
        }
    }
}

/// The whole list.
struct Groups<'g, 'a, 's>(&'g mut Gathered<'a, 's>);

impl<'de> DeserializeSeed<'de> for Groups<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Groups<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of groups")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Group(self.0))?.is_some() {}
        Ok(())
    }
}

/// One group.
struct Group<'g, 'a, 's>(&'g mut Gathered<'a, 's>);

impl<'de> DeserializeSeed<'de> for Group<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Group<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a group")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.0.count()?;
        let mut targets = None;
        let mut labels = Labels::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "targets" => targets = Some(map.next_value_seed(Targets(self.0))?),
                "labels" => labels = map.next_value_seed(LabelTable)?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let targets = targets.ok_or_else(|| A::Error::missing_field("targets"))?;
        self.0.take(targets, labels);
        Ok(())
    }
}

/// The targets of a group.
struct Targets<'g, 'a, 's>(&'g mut Gathered<'a, 's>);

impl<'de> DeserializeSeed<'de> for Targets<'_, '_, '_> {
    type Value = Vec<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Targets<'_, '_, '_> {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of targets")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut targets = Vec::new();
        while let Some(target) = seq.next_element::<String>()? {
            self.0.count()?;
            if targets.len() >= LIST_LINES_MAX {
                return Err(A::Error::custom(TOO_LONG));
            }
            targets.push(target);
        }
        Ok(targets)
    }
}

/// What the labels of a group say.
#[derive(Debug, Default)]
struct Labels {
    name: Option<String>,
    tags: Arc<[String]>,
}

struct LabelTable;

impl<'de> DeserializeSeed<'de> for LabelTable {
    type Value = Labels;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Labels, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for LabelTable {
    type Value = Labels;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("labels with texts as their values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Labels, A::Error> {
        let mut name = None;
        let mut tags = BTreeMap::new();
        while let Some((label, value)) = map.next_entry::<String, String>()? {
            // In Prometheus an empty label is none, and those with __ are for its own use.
            if value.is_empty() || label.starts_with("__") {
                continue;
            }
            if label == "name" {
                name = Some(value);
                continue;
            }
            if tags.len() >= LABELS_MAX {
                continue;
            }
            let tag = safe_text::line(&format!("{label}={value}"), TAG_CHARS_MAX).into_owned();
            tags.insert(label, tag);
        }
        Ok(Labels {
            name,
            tags: tags.into_values().collect(),
        })
    }
}
