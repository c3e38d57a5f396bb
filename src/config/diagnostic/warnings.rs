//! What is valid and still deserves a word, and the warnings as sentences.

use std::sync::Arc;
use std::time::Duration;

use url::Host;

use super::source_map::in_order;
use crate::config::read::reader::Reading;
use crate::config::source_lists::compose::Listed;
use crate::domain::duration_text::Written;
use crate::domain::monitor::{Monitor, MonitorName};
use crate::domain::recipient::Recipient;
use crate::domain::settings::Retention;
use crate::domain::slow_limit::SlowLimit;
use crate::domain::week::Week;
use crate::policy::outbox::hours::Hours;

/// What is usual is known from two weeks on.
const USUAL_AFTER: Duration = Duration::from_secs(15 * 86_400);

/// Says where roll-ups are let go of before they could say what is usual.
pub(in crate::config) fn of_forgotten_usual(
    reading: &mut Reading<'_>,
    history: &Retention,
    monitors: &[Arc<Monitor>],
) {
    let by_usual =
        |monitor: &&Arc<Monitor>| matches!(monitor.subject.degraded_after(), SlowLimit::Usual(_));
    if history.rollups.is_some_and(|keep| keep < USUAL_AFTER)
        && let Some(monitor) = monitors.iter().find(by_usual)
    {
        let message = format!(
            "what is usual is never known, of `{}` for one: [history] keep_rollups is shorter than {}",
            monitor.name,
            Written(USUAL_AFTER)
        );
        reading.warnings.push((None, message));
    }
}

/// Says which monitors nobody would hear of.
pub(in crate::config) fn of_silence(
    reading: &mut Reading<'_>,
    has_way: bool,
    monitors: &[Arc<Monitor>],
    lists: &[Listed],
) {
    if monitors.is_empty() && lists.is_empty() {
        let mut texts = reading.sources.iter().map(|source| &source.text);
        let message = if texts.clone().all(|text| text.trim().is_empty()) {
            "the file is empty: nothing is checked and nobody is told; `sitewatch config init -` prints a first one"
        } else if texts.all(|text| text.lines().all(says_nothing)) {
            "the file has only comments: nothing is checked and nobody is told"
        } else {
            "there is no [[monitor]]: nothing is checked"
        };
        reading.warnings.push((None, message.to_owned()));
        return;
    }
    if lists.is_empty() && monitors.iter().all(|monitor| !monitor.enabled) {
        let message = "no monitor is enabled: nothing is checked";
        reading.warnings.push((None, message.to_owned()));
        return;
    }
    if !has_way {
        reading.warnings.push((
            None,
            "there is no [email] and no [[channel]]: checks are recorded and nobody is told"
                .to_owned(),
        ));
        return;
    }
    for list in lists.iter().map(|list| &list.source) {
        if list.model.rules.to.is_empty() {
            let called = &list.called;
            let message =
                format!("nobody is told of the sites of the list `{called}`: its `to` is empty");
            reading.warnings.push((None, message));
        }
    }
    let silent: Vec<&str> = monitors
        .iter()
        .filter(|monitor| monitor.enabled && monitor.rules.to.is_empty())
        .map(|monitor| monitor.name.as_str())
        .collect();
    let message = match silent.as_slice() {
        [] => return,
        [one] => format!("nobody is told of `{one}`: its `to` is empty"),
        [first, second] => {
            format!("nobody is told of `{first}` and `{second}`: their `to` is empty")
        }
        [first, rest @ ..] => format!(
            "nobody is told of `{first}` and {} other monitors: their `to` is empty",
            rest.len()
        ),
    };
    reading.warnings.push((None, message));
}

/// Gaps that are named in a warning; the others are counted.
const GAPS_MAX: usize = 3;

/// Says which monitors nobody can be told of at some times of the week.
pub(in crate::config) fn of_hours(
    reading: &mut Reading<'_>,
    hours: &Hours,
    monitors: &[Arc<Monitor>],
    lists: &[Listed],
) {
    if hours.entries().is_empty() {
        return;
    }
    let enabled = monitors.iter().filter(|monitor| monitor.enabled);
    let named = enabled.map(|monitor| (format!("`{}`", monitor.name), &monitor.rules.to));
    let listed = lists.iter().map(|list| &list.source);
    let listed = listed.map(|list| {
        let called = format!("the sites of the list `{}`", list.called);
        (called, &list.model.rules.to)
    });
    // Monitors of the same recipients share a warning.
    let mut closed: Vec<(&Vec<Recipient>, Vec<String>)> = Vec::new();
    for (name, to) in named.chain(listed) {
        match closed.iter_mut().find(|(known, _)| *known == to) {
            Some((_, names)) => names.push(name),
            None => closed.push((to, vec![name])),
        }
    }
    for (to, names) in closed {
        let mut together = Week::default();
        let mut weeks = to.iter().map(|to| hours.of(to.key()));
        if to.is_empty() || weeks.clone().any(|week| week.is_none()) {
            continue;
        }
        weeks
            .by_ref()
            .flatten()
            .for_each(|week| together.join(week));
        let gaps = together.gaps();
        if gaps.is_empty() {
            continue;
        }
        let more = match gaps.len().saturating_sub(GAPS_MAX) {
            0 => String::new(),
            more => format!(", and {more} more times of the week"),
        };
        let who = match names.as_slice() {
            [one] => one.clone(),
            [first, second] => format!("{first} and {second}"),
            [first, rest @ ..] => format!("{first} and {} others", rest.len()),
            [] => continue,
        };
        let gaps = gaps.into_iter().take(GAPS_MAX);
        let message = format!(
            "nobody can be told of {who} from {}{more}: all who are told of it have [[hours]]",
            gaps.collect::<Vec<_>>().join(", ")
        );
        reading.warnings.push((None, message));
    }
}

/// Whether a line is blank or a comment.
fn says_nothing(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#')
}

/// Says how many monitors `[defaults]` keeps from looking at certificates.
pub(in crate::config) fn of_unverified_by_default(reading: &mut Reading<'_>) {
    let Some(place) = reading.unverified.first().copied() else {
        return;
    };
    let who = match reading.unverified.len() {
        1 => "1 https monitor is checked without looking at its certificate".to_owned(),
        count => {
            format!("{count} https monitors are checked without looking at their certificates")
        }
    };
    reading.warn(place, format!("{who} (`verify_tls = false`)"));
}

/// Says how many monitors ask often, in one line.
pub(in crate::config) fn of_hurry(reading: &mut Reading<'_>) {
    let Some(place) = reading.hurried.first().copied() else {
        return;
    };
    let message = match reading.hurried.len() {
        1 => "an interval under 5s is hard on the site that is checked".to_owned(),
        count => {
            format!("{count} monitors have an interval under 5s, which is hard on their sites")
        }
    };
    reading.warn(place, message);
}

/// News about the mail server cannot go through it.
pub(in crate::config) fn of_watched_mail_server(
    reading: &mut Reading<'_>,
    host: &str,
    monitors: &[Arc<Monitor>],
) {
    // Hosts of URLs are in small letters; a look at the text spares reading every URL.
    let host_text = host.to_ascii_lowercase();
    let watched = monitors.iter().filter(|monitor| {
        let has_it = |host: Host<String>| host.to_string().trim_matches(['[', ']']) == host_text;
        let subject = &monitor.subject;
        subject.url_text().contains(&host_text) && subject.host().is_some_and(has_it)
    });
    let watched: Vec<&MonitorName> = watched.map(|monitor| &monitor.name).collect();
    let message = match watched.as_slice() {
        [] => return,
        [name] => format!(
            "`{name}` watches {host}, which is also the mail server: while it is down, no mail about it can leave"
        ),
        [name, others @ ..] => format!(
            "`{name}` and {} more watch {host}, which is also the mail server: while it is down, no mail about them \
             can leave",
            others.len()
        ),
    };
    reading.warnings.push((None, message));
}

/// The warnings as sentences, each with its place, in the order of the files.
pub(in crate::config) fn sentences(reading: &Reading<'_>) -> Vec<String> {
    let mut warnings = reading.warnings.clone();
    warnings.sort_by_cached_key(|(place, _)| {
        let order = place.map(|place| in_order(&reading.sources, place));
        (order.is_none(), order, *place)
    });
    warnings.dedup();
    warnings
        .into_iter()
        .map(|(place, message)| {
            let source = place.and_then(|place| {
                let source = reading.sources.get(place.file as usize)?;
                Some((source, place))
            });
            match source {
                Some((source, place)) => {
                    let (line, _) = source.line_and_column(place.start);
                    format!("{}:{line}: {message}", source.shown)
                }
                None => message,
            }
        })
        .collect()
}
