//! What a mail says of the locations of a monitor: from how many of how many it fails, which, and which not.

use crate::domain::check::CheckState;
use crate::domain::location::{LocationStatus, Seen};
use crate::domain::notification::News;
use crate::policy::alert::location_news;

use super::context::Context;
use super::outline::{Body, Cell, Doc, Table, Tone};
use super::words;

/// `It fails from 3 of 4 locations: fra, nyc, sgp. It works from lon.`; `None` without locations.
pub(super) fn sentence(all: &[LocationStatus]) -> Option<String> {
    if all.is_empty() {
        return None;
    }
    let names = |wanted: &dyn Fn(&LocationStatus) -> bool| -> Vec<&str> {
        let wanted = all.iter().filter(|one| wanted(one));
        wanted.map(|one| one.location.as_str()).collect()
    };
    let failing = names(&|one| one.state == CheckState::Down);
    let good =
        names(&|one| matches!(one.state, CheckState::Up | CheckState::Degraded) && !one.confirming);
    let unsure = all
        .iter()
        .filter(|one| one.confirming && one.state != CheckState::Down);
    let unsure = location_news::sentence(unsure.map(|one| &one.location));
    let silent = names(&|one| one.seen == Seen::Silent);
    let offline = names(&|one| one.seen == Seen::Offline);
    let locations = if all.len() == 1 {
        "location"
    } else {
        "locations"
    };
    let mut text = format!(
        "It fails from {} of {} {locations}: {}.",
        failing.len(),
        all.len(),
        failing.join(", ")
    );
    if !good.is_empty() {
        text.push_str(&format!(" It works from {}.", good.join(", ")));
    }
    if !unsure.is_empty() {
        text.push_str(&format!(
            " From {unsure} it failed too, which is not confirmed yet."
        ));
    }
    let seen = all.len() - silent.len() - offline.len();
    if seen < all.len() {
        text.push_str(&format!(" Seen from {seen} of {} {locations}", all.len()));
        if !silent.is_empty() {
            text.push_str(&format!("; silent: {}", silent.join(", ")));
        }
        if !offline.is_empty() {
            text.push_str(&format!("; offline: {}", offline.join(", ")));
        }
        text.push('.');
    }
    Some(text)
}

/// `They changed as seen from fra and nyc.`; `None` for a single place.
pub(super) fn led_elsewhere(news: &News) -> Option<String> {
    let News::RedirectChanged { locations, .. } = news else {
        return None;
    };
    let names = location_news::sentence(locations.iter());
    (!names.is_empty()).then(|| format!("They changed as seen from {names}."))
}

/// One line for each location: verdict, status or kind, address, total time.
pub(super) fn each(doc: &mut Doc, all: &[LocationStatus], ctx: &Context) {
    if all.is_empty() {
        return;
    }
    let rows = all.iter().map(|one| row(one, ctx)).collect();
    let table = Table {
        head: Vec::new(),
        right: vec![4],
        breaks: 0,
        rows,
    };
    // Six columns are wider than a phone.
    doc.part("From", Body::Wide(table));
}

fn row(one: &LocationStatus, ctx: &Context) -> Vec<Cell> {
    let state = match (one.seen, one.confirming) {
        (Seen::Fresh, false) => one.state.as_str(),
        (Seen::Fresh, true) if one.state == CheckState::Down => "recovering",
        (Seen::Fresh, true) => "confirming",
        (Seen::Silent | Seen::Offline, _) => one.seen.as_str(),
    };
    let tone = match (one.seen, one.state) {
        (Seen::Silent | Seen::Offline, _) => Tone::Muted,
        (Seen::Fresh, CheckState::Down) => Tone::Down,
        (Seen::Fresh, CheckState::Degraded) => Tone::Warn,
        (Seen::Fresh, CheckState::Up) => Tone::Up,
        (Seen::Fresh, CheckState::Unknown) => Tone::Plain,
    };
    let what = match (&one.failure, one.status) {
        (_, Some(status)) => status.to_string(),
        (Some(failure), None) => failure.kind.to_string(),
        (None, None) => String::new(),
    };
    let last = one.last_check_at.map(|at| words::clock_time(at, ctx));
    let address = one.address.map(|address| match address.port() {
        0 => address.ip().to_string(),
        _ => address.to_string(),
    });
    vec![
        Cell::from(one.location.as_str()),
        Cell::toned(state, tone),
        what.into(),
        address.unwrap_or_default().into(),
        one.total.map_or_else(String::new, words::ms).into(),
        last.unwrap_or_else(|| "never".to_owned()).into(),
    ]
}
