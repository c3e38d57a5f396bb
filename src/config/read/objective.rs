//! `[[objective]]`: text to objectives.

use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::env_vars;
use super::reader::Reading;
use super::scalars;
use super::table::{Placed, Table};
use crate::config::diagnostic::problem::Fault;
use crate::config::diagnostic::source_map::Place;
use crate::config::keys;
use crate::domain::duration_text::Written;
use crate::domain::monitor::MonitorName;
use crate::domain::objective::{Objective, ObjectivePeriod, Target};
use crate::domain::settings::Covers;

/// A name is a column of tables and a part of subjects.
const NAME_CHARS_MAX: usize = 80;

/// Burn rates look at six hours: a period is longer.
const PERIOD_MIN: Duration = Duration::from_secs(86_400);

/// Longer than a leap year is a slip of the pen.
const PERIOD_MAX: Duration = Duration::from_secs(366 * 86_400);

/// What holds without `period`.
const PERIOD: Duration = Duration::from_secs(30 * 86_400);

/// An objective with the names and tags in it that are still to be looked up.
pub(in crate::config) struct Draft {
    /// The objective; `None` if it is wrong.
    pub objective: Option<Objective>,
    /// Its name, with its place.
    pub name: Option<Placed<String>>,
    /// Its monitors, with their places.
    pub monitors: Vec<Placed<MonitorName>>,
    /// Its tags, with the places of the texts.
    pub tags: Vec<Placed<String>>,
}

/// Reads one objective.
pub(in crate::config) fn objective(
    reading: &mut Reading<'_>,
    own: &DeTable<'_>,
    header: Place,
) -> Draft {
    let table = Table {
        own,
        keys: keys::OBJECTIVE.keys,
        called: "[[objective]]",
        header,
        fallback: None,
    };
    reading.refuse_unknown(&table, &[]);
    let name = name(reading, &table);
    let monitors = reading.list(&table, "monitors", "a monitor's name", scalars::name);
    let tags = reading.list(&table, "tags", "a tag", |text| Ok(text.to_owned()));
    for key in ["monitors", "tags"] {
        if let Some(found) = table.get(key)
            && found.value.as_array().is_some_and(|array| array.is_empty())
        {
            reading.fault(Fault::new(
                found.place,
                format!("`{key}` is empty: the objective would be about no monitor"),
                "leave it out to take all monitors",
            ));
        }
    }
    let takes_all = table.get("monitors").is_none() && table.get("tags").is_none();
    let monitors = monitors.map_or_else(Vec::new, |list| list.it);
    let tags = tags.map_or_else(Vec::new, |list| list.it);
    let covers = match takes_all {
        true => Covers::All,
        false => Covers::Some {
            monitors: monitors.iter().map(|name| name.it.clone()).collect(),
            tags: tags.iter().map(|tag| tag.it.clone()).collect(),
        },
    };
    let target = target(reading, &table);
    let period = period(reading, &table);
    let alerts_on_burn = reading
        .choice(&table, "on_burn")
        .is_some_and(|word| word.it == "alert");
    let objective = name
        .as_ref()
        .zip(target)
        .zip(period)
        .map(|((name, target), period)| Objective {
            name: name.it.as_str().into(),
            covers,
            target,
            period,
            alerts_on_burn,
        });
    Draft {
        objective,
        name,
        monitors,
        tags,
    }
}

fn name(reading: &mut Reading<'_>, table: &Table<'_>) -> Option<Placed<String>> {
    let Some(found) = table.get("name").filter(|_| !table.is_blank("name")) else {
        reading.missing(table, "name", "add name = \"Shop\"");
        return None;
    };
    let place = found.place;
    let text = env_vars::words(reading, table, "name")?;
    let is_plain = !text.trim().is_empty()
        && text.trim() == text
        && text.chars().count() <= NAME_CHARS_MAX
        && !text.chars().any(char::is_control);
    if !is_plain {
        reading.fault(Fault::new(
            place,
            "this is not the name of an objective",
            format!(
                "write 1 to {NAME_CHARS_MAX} characters on one line, without blanks at the ends"
            ),
        ));
        return None;
    }
    Some(Placed {
        it: text,
        place,
        inherited: false,
    })
}

fn target(reading: &mut Reading<'_>, table: &Table<'_>) -> Option<Target> {
    let Some(found) = table.get("uptime") else {
        reading.missing(table, "uptime", "add uptime = 99.9");
        return None;
    };
    let written = match found.value {
        DeValue::Float(number) => number.as_str(),
        DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
        _ => {
            reading.wrong_type(found, "a number", "write it like 99.9");
            return None;
        }
    };
    let percent: Option<f64> = written.replace('_', "").parse().ok();
    if let Some(target) = percent.and_then(Target::new) {
        return Some(target);
    }
    let (message, label) = match percent {
        Some(100.0) => (
            "an objective of 100 leaves no error budget".to_owned(),
            "write less, like 99.99",
        ),
        _ => (
            format!("`uptime` is {written}, which is no percentage above 0 and below 100"),
            "write a percentage like 99.9",
        ),
    };
    reading.fault(Fault::new(found.place, message, label));
    None
}

fn period(reading: &mut Reading<'_>, table: &Table<'_>) -> Option<ObjectivePeriod> {
    let Some(found) = table.get("period") else {
        return Some(ObjectivePeriod::Last(PERIOD));
    };
    let faults = reading.faults.len();
    let Some(length) = reading.span_or(table, "period", "month", Some(PERIOD)) else {
        return Some(ObjectivePeriod::Month);
    };
    if reading.faults.len() > faults {
        return None;
    }
    let label = match length {
        _ if length < PERIOD_MIN => format!("use at least \"{}\"", Written(PERIOD_MIN)),
        _ if length > PERIOD_MAX => format!("use at most \"{}\"", Written(PERIOD_MAX)),
        _ => return Some(ObjectivePeriod::Last(length)),
    };
    let message = format!(
        "`period` is {}, outside {} to {}",
        Written(length),
        Written(PERIOD_MIN),
        Written(PERIOD_MAX)
    );
    reading.fault(Fault::new(found.place, message, label));
    None
}
