//! `[[maintenance]]`: text to windows.

use jiff::tz::TimeZone;
use toml::de::{DeTable, DeValue};
use toml::value::{Datetime, Offset};

use super::env_vars;
use super::reader::Reading;
use super::scalars;
use super::table::{Found, Placed, Table};
use crate::config::diagnostic::problem::Fault;
use crate::config::diagnostic::source_map::Place;
use crate::config::keys;
use crate::domain::monitor::MonitorName;
use crate::domain::settings::{Covers, Maintenance, MaintenanceTime};
use crate::domain::timestamp::Timestamp;

/// A window with the names and tags in it that are still to be looked up.
pub(in crate::config) struct Draft {
    /// The window; `None` if it is wrong.
    pub window: Option<Maintenance>,
    /// Its monitors, with their places.
    pub monitors: Vec<Placed<MonitorName>>,
    /// Its tags, with the place of the list.
    pub tags: Vec<Placed<String>>,
}

/// Reads one window.
pub(in crate::config) fn maintenance(
    reading: &mut Reading<'_>,
    own: &DeTable<'_>,
    header: Place,
    zone: &TimeZone,
) -> Draft {
    let table = Table {
        own,
        keys: keys::MAINTENANCE.keys,
        called: "[[maintenance]]",
        header,
        fallback: None,
    };
    reading.refuse_unknown(&table, &[]);
    let Covered {
        covers,
        monitors,
        tags,
    } = covers(reading, &table, "the window would cover nobody");
    let when = when(reading, &table, zone);
    let note = env_vars::words(reading, &table, "note").map_or_else(|| "".into(), Into::into);
    Draft {
        window: when.map(|when| Maintenance { covers, when, note }),
        monitors,
        tags,
    }
}

/// Some monitors, with the places of what names them.
pub(super) struct Covered {
    pub(super) covers: Covers,
    pub(super) monitors: Vec<Placed<MonitorName>>,
    pub(super) tags: Vec<Placed<String>>,
}

/// Reads `monitors` and `tags`; without both all monitors are meant. `empty` says what an empty list would mean.
pub(super) fn covers(reading: &mut Reading<'_>, table: &Table<'_>, empty: &str) -> Covered {
    let monitors = reading.list(table, "monitors", "a monitor's name", scalars::name);
    let tags = reading.list(table, "tags", "a tag", |text| Ok(text.to_owned()));
    for key in ["monitors", "tags"] {
        if let Some(found) = table.get(key)
            && found.value.as_array().is_some_and(|array| array.is_empty())
        {
            reading.fault(Fault::new(
                found.place,
                format!("`{key}` is empty: {empty}"),
                "leave it out to cover all monitors",
            ));
        }
    }
    let covers_all = table.get("monitors").is_none() && table.get("tags").is_none();
    let monitors = monitors.map_or_else(Vec::new, |list| list.it);
    let tags = tags.map_or_else(Vec::new, |list| list.it);
    let covers = match covers_all {
        true => Covers::All,
        false => Covers::Some {
            monitors: monitors.iter().map(|name| name.it.clone()).collect(),
            tags: tags.iter().map(|tag| tag.it.clone()).collect(),
        },
    };
    Covered {
        covers,
        monitors,
        tags,
    }
}

fn when(reading: &mut Reading<'_>, table: &Table<'_>, zone: &TimeZone) -> Option<MaintenanceTime> {
    for (once, again) in [
        ("start", "schedule"),
        ("end", "schedule"),
        ("start", "duration"),
        ("end", "duration"),
    ] {
        if reading.exclusive(table, once, again) {
            return None;
        }
    }
    if table.get("schedule").is_some() || table.get("duration").is_some() {
        let schedule = table
            .get("schedule")
            .map(|found| reading.parsed(found, "a cron expression", scalars::cron));
        let duration = table
            .get("duration")
            .map(|_| reading.span_from(table, "duration", std::time::Duration::from_secs(1)));
        match (&schedule, &duration) {
            (None, _) => reading.missing(table, "schedule", "add schedule = \"0 0 3 * * Sun\""),
            (_, None) => reading.missing(table, "duration", "add duration = \"1h\""),
            _ => {}
        }
        return Some(MaintenanceTime::Cron {
            schedule: schedule??.it,
            duration: duration??.it,
        });
    }
    let start = table.get("start");
    let end = table.get("end");
    match (&start, &end) {
        (None, None) if reading.is_misspelt(table, &["schedule", "duration", "end"]) => {}
        (None, None) => reading.missing(
            table,
            "start",
            "add start and end, or schedule and duration",
        ),
        (None, _) => reading.missing(table, "start", "add start = 2026-12-01T02:00:00Z"),
        (_, None) => reading.missing(table, "end", "add end = 2026-12-01T03:00:00Z"),
        _ => {}
    }
    let start_at = start.and_then(|found| moment(reading, found, zone));
    let end_at = end.and_then(|found| moment(reading, found, zone));
    let (start_at, end_at) = (start_at?, end_at?);
    if let (Some(start), Some(end)) = (start, end)
        && end_at <= start_at
    {
        reading.fault(
            Fault::new(
                end.place,
                "the window ends before it begins",
                "`end` must be later than `start`",
            )
            .and(start.place, ""),
        );
        return None;
    }
    Some(MaintenanceTime::Once {
        start: start_at,
        end: end_at,
    })
}

/// A TOML date-time; one without an offset is in the configured zone.
fn moment(reading: &mut Reading<'_>, found: Found<'_>, zone: &TimeZone) -> Option<Timestamp> {
    let DeValue::Datetime(datetime) = found.value else {
        let label = match found.value {
            DeValue::String(text) if text.parse::<Datetime>().is_ok() => {
                format!("write {text} without quotes")
            }
            _ => "write it like 2026-12-01T02:00:00Z".to_owned(),
        };
        reading.wrong_type(found, "a date with a time", label);
        return None;
    };
    let (Some(date), Some(time)) = (datetime.date, datetime.time) else {
        let label = match datetime.date {
            Some(date) => format!("write {date}T00:00:00Z, or without Z for the configured zone"),
            None => "write it like 2026-12-01T02:00:00Z".to_owned(),
        };
        reading.fault(Fault::new(
            found.place,
            format!("`{}` needs a date and a time", found.key),
            label,
        ));
        return None;
    };
    let small = |number: u8| i8::try_from(number).ok();
    let civil = || -> Option<jiff::civil::DateTime> {
        jiff::civil::DateTime::new(
            i16::try_from(date.year).ok()?,
            small(date.month)?,
            small(date.day)?,
            small(time.hour)?,
            small(time.minute)?,
            // A leap second is the end of its minute.
            small(time.second.unwrap_or(0).min(59))?,
            i32::try_from(time.nanosecond.unwrap_or(0)).ok()?,
        )
        .ok()
    };
    let at = || -> Option<jiff::Timestamp> {
        let civil = civil()?;
        match datetime.offset {
            Some(Offset::Z) => jiff::tz::Offset::UTC.to_timestamp(civil).ok(),
            Some(Offset::Custom { minutes }) => {
                let offset = jiff::tz::Offset::from_seconds(i32::from(minutes) * 60).ok()?;
                offset.to_timestamp(civil).ok()
            }
            None => zone.to_timestamp(civil).ok(),
        }
    };
    match at() {
        Some(at) => Some(Timestamp::from_jiff(at)),
        None => {
            reading.fault(Fault::new(
                found.place,
                format!("`{datetime}` is not a valid date"),
                "write it like 2026-12-01T02:00:00Z",
            ));
            None
        }
    }
}
