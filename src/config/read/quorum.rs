//! The keys of a monitor that say from where it is checked, and how many of these places make it down.

use std::sync::Arc;

use toml::de::DeValue;

use super::reader::Reading;
use super::scalars::Wrong;
use super::table::{Found, Table};
use crate::config::diagnostic::nearest::nearest;
use crate::config::diagnostic::problem::Fault;
use crate::domain::location::{DownWhen, LocationName, Places, Quorum};

/// The keys that are read here.
pub(super) const KEYS: [&str; 3] = ["locations", "down_when", "on_regional"];

/// Reads them; `None` without `[cluster]`.
pub(super) fn quorum(reading: &mut Reading<'_>, table: &Table<'_>) -> Option<Arc<Quorum>> {
    let Some(places) = reading.places.clone() else {
        refuse_without_cluster(reading, table);
        return None;
    };
    let locations = locations(reading, table, &places);
    let down_when = down_when(reading, table, locations.len());
    let alert_on_regional = reading
        .choice(table, "on_regional")
        .is_some_and(|choice| choice.it == "alert");
    Some(Arc::new(Quorum {
        locations,
        down_when: down_when.unwrap_or(places.down_when),
        alert_on_regional,
    }))
}

fn refuse_without_cluster(reading: &mut Reading<'_>, table: &Table<'_>) {
    for key in KEYS {
        if let Some(found) = table.get(key).filter(|found| !found.inherited) {
            reading.fault(Fault::new(
                found.key_place,
                format!("`{key}` needs [cluster]"),
                "add [cluster] with url and locations, or remove this",
            ));
        }
    }
}

fn locations(reading: &mut Reading<'_>, table: &Table<'_>, places: &Places) -> Arc<[LocationName]> {
    let Some(found) = table.get("locations") else {
        return Arc::clone(&places.locations);
    };
    let known = |text: &str| {
        let named = |location: &&LocationName| location.as_str() == text;
        if let Some(location) = places.locations.iter().find(named) {
            return Ok(location.clone());
        }
        let names = || places.locations.iter().map(LocationName::as_str);
        let label = match nearest(text, names()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("there are {}", names().collect::<Vec<_>>().join(", ")),
        };
        let message = format!("`{text}` is not one of [cluster].locations");
        Err(Wrong::new(message, label))
    };
    let Some(written) = reading.list(table, "locations", "the name of a location", known) else {
        return Arc::clone(&places.locations);
    };
    let is_empty = found.value.as_array().is_some_and(|array| array.is_empty());
    if is_empty && !found.inherited {
        reading.fault(Fault::new(
            found.place,
            "`locations` is empty: nobody would check",
            "name at least one, or remove it for all of [cluster].locations",
        ));
    }
    let mut locations: Vec<LocationName> = Vec::new();
    for location in written.it {
        if !locations.contains(&location.it) {
            locations.push(location.it);
        } else if !location.inherited {
            let message = format!("the location `{}` stands twice", location.it);
            reading.fault(Fault::new(location.place, message, "write each once"));
        }
    }
    match locations.is_empty() {
        true => Arc::clone(&places.locations),
        false => locations.into(),
    }
}

fn down_when(reading: &mut Reading<'_>, table: &Table<'_>, locations: usize) -> Option<DownWhen> {
    let found = table.get("down_when")?;
    match found.value {
        DeValue::Integer(number) => {
            let written = number.as_str();
            let count = i64::from_str_radix(written, number.radix()).unwrap_or(-1);
            let count = u16::try_from(count).unwrap_or(0);
            if (1..=locations).contains(&usize::from(count)) {
                return Some(DownWhen::Count(count));
            }
            out_of_range(reading, table, found, written, locations);
            None
        }
        DeValue::String(_) => {
            let wanted = "\"majority\", \"all\", \"any\" or a number of locations";
            let word = reading.parsed(found, wanted, |text| match text {
                "majority" => Ok(DownWhen::Majority),
                "all" => Ok(DownWhen::All),
                "any" => Ok(DownWhen::Any),
                other => {
                    let words = ["majority", "all", "any"];
                    let label = match nearest(other, words) {
                        Some(near) => format!("did you mean \"{near}\"?"),
                        None => format!("write {wanted}"),
                    };
                    let message = format!("`down_when` cannot be `{other}`");
                    Err(Wrong::new(message, label))
                }
            });
            word.map(|word| word.it)
        }
        _ => {
            if !found.inherited {
                reading.fault(Fault::new(
                    found.place,
                    "`down_when` must be a word or a number of locations",
                    "write \"majority\", \"all\", \"any\" or a number",
                ));
            }
            None
        }
    }
}

fn out_of_range(
    reading: &mut Reading<'_>,
    table: &Table<'_>,
    found: Found<'_>,
    written: &str,
    locations: usize,
) {
    // A number of `[defaults]` may be too large for the locations of one monitor.
    let own = table.own("locations");
    let place = match (found.inherited, own) {
        (false, _) => found.place,
        (true, Some(own)) => own.place,
        (true, None) => return,
    };
    let (message, label) = match locations {
        1 => (
            format!("`down_when` is {written}, and there is 1 location"),
            "write 1, or remove it".to_owned(),
        ),
        all => (
            format!("`down_when` is {written}, and there are {all} locations"),
            format!("write 1 to {all}, or \"all\""),
        ),
    };
    reading.fault(Fault::new(place, message, label));
}
