//! What `to` says of channels: names that must be known, and the default of every channel.

use std::collections::HashMap;
use std::sync::Arc;

use super::channel::Draft;
use super::reader::Reading;
use super::table::Placed;
use crate::config::diagnostic::nearest::nearest;
use crate::config::diagnostic::problem::Fault;
use crate::config::source_lists::model::ListSource;
use crate::domain::channel::{Channel, ChannelName};
use crate::domain::monitor::{Monitor, Rules};
use crate::domain::recipient::Recipient;

/// Stands for every channel in a `to` until all of them are read: no channel can have this name.
pub(in crate::config) fn every() -> Vec<Recipient> {
    vec![Recipient::Channel(
        ChannelName::parse("*").expect("a star has no `@` and is no control character"),
    )]
}

/// Puts the channels in the place of [`every`]; those that are no messages' have to be named.
pub(in crate::config) fn resolve_every(
    told: &mut Vec<Recipient>,
    monitors: &mut [Arc<Monitor>],
    lists: &mut [ListSource],
    channels: &[Arc<Channel>],
) {
    let every = every();
    let all: Vec<Recipient> = channels
        .iter()
        .filter(|channel| !channel.format().is_level())
        .map(|channel| Recipient::Channel(channel.name.clone()))
        .collect();
    if *told == every {
        told.clone_from(&all);
    }
    // Monitors that say the same share their rules, before and after.
    let mut known: HashMap<*const Rules, Arc<Rules>> = HashMap::new();
    let mut resolved = |rules: &Arc<Rules>| {
        (rules.to == every).then(|| {
            let new = || {
                Arc::new(Rules {
                    to: all.clone(),
                    ..(**rules).clone()
                })
            };
            Arc::clone(known.entry(Arc::as_ptr(rules)).or_insert_with(new))
        })
    };
    // The old ones stay until all are compared: an address must not come again.
    let mut old = Vec::new();
    for monitor in monitors {
        if let Some(rules) = resolved(&monitor.rules) {
            old.push(std::mem::replace(&mut Arc::make_mut(monitor).rules, rules));
        }
    }
    for list in lists {
        if let Some(rules) = resolved(&list.model.rules) {
            old.push(std::mem::replace(&mut list.model.rules, rules));
        }
    }
}

/// Says which channels that show open incidents no `to` names.
pub(in crate::config) fn warn_of_unnamed(
    reading: &mut Reading<'_>,
    levels: &[Placed<ChannelName>],
    monitors: &[Arc<Monitor>],
    lists: &[ListSource],
) {
    let monitors = || monitors.iter().map(|monitor| &monitor.rules);
    let rules = || monitors().chain(lists.iter().map(|list| &list.model.rules));
    for level in levels {
        let is_named = |rules: &Arc<Rules>| {
            let mut named = rules.to.iter().filter_map(|to| to.channel());
            named.any(|name| *name == level.it)
        };
        if rules().next().is_some() && !rules().any(is_named) {
            let name = &level.it;
            let message = format!(
                "nothing is posted to `{name}`: no `to` names it, and Alertmanager is told only where one does"
            );
            reading.warn(level.place, message);
        }
    }
}

/// Reports names that stand twice, and names in `to` that are no channel's; addresses where there is no `[email]`.
pub(in crate::config) fn check_names(
    reading: &mut Reading<'_>,
    channels: &[Draft],
    has_email: bool,
) {
    let names: Vec<&Placed<ChannelName>> =
        channels.iter().filter_map(|d| d.name.as_ref()).collect();
    for (index, name) in names.iter().enumerate() {
        if let Some(first) = names[..index].iter().find(|first| first.it == name.it) {
            let fault = Fault::new(
                name.place,
                format!("the name `{}` is taken", name.it),
                "names of channels are unique: choose another",
            );
            reading.fault(fault.and(first.place, "first here"));
        }
    }
    // A channel whose name is wrong may be the one that is meant.
    let complete = names.len() == channels.len();
    for (place, called) in std::mem::take(&mut reading.named_channels) {
        if !complete || names.iter().any(|name| name.it == called) {
            continue;
        }
        let near = match reading.may_suggest() {
            true => nearest(called.as_str(), names.iter().map(|name| name.it.as_str())),
            false => None,
        };
        let label = match near {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None if channels.is_empty() => {
                "write an address with an @, or add a [[channel]] of that name".to_owned()
            }
            None => "write the `name` of a [[channel]], or an address with an @".to_owned(),
        };
        let message = format!("there is no channel `{called}`");
        reading.fault(Fault::new(place, message, label));
    }
    for (place, address) in std::mem::take(&mut reading.named_addresses) {
        if !has_email {
            reading.fault(Fault::new(
                place,
                format!("`{address}` needs [email]: there is nothing to mail with"),
                "add [email], or name a [[channel]]",
            ));
        }
    }
}
