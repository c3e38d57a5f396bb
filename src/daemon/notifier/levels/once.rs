//! What is open, posted once by a process that is not the daemon.

use std::collections::HashSet;
use std::sync::Arc;

use super::posting::{Posting, place};
use crate::channel::Sender;
use crate::clock::Clock;
use crate::config::Config;
use crate::daemon::hubs::gate::Gate;
use crate::daemon::notifier::flush_once::said;
use crate::domain::channel::Service;
use crate::domain::incident::IncidentKey;
use crate::store::error::StoreError;
use crate::store::outbox::alerts;
use crate::store::writer::Store;
use crate::tls;

/// Posts all that is to be shown to each instance, once, and writes what all of them have taken. Answers a line for
/// each instance.
///
/// # Errors
/// What the database says.
pub(in crate::daemon::notifier) async fn post_once(
    store: &mut Store,
    config: &Config,
) -> Result<Vec<String>, StoreError> {
    let raised = alerts::raised(store.outbox())?;
    let mut lines = Vec::new();
    for channel in &config.channels {
        let Service::Alertmanager { urls, .. } = &channel.service else {
            continue;
        };
        let name = channel.name.as_str();
        let own: Vec<_> = raised.iter().filter(|one| one.channel == name).collect();
        if own.is_empty() {
            continue;
        }
        let sender = match Sender::new(channel, &tls::Basis::load()) {
            Ok(sender) => Arc::new(sender),
            Err(error) => {
                lines.push(format!("{name}: {error}"));
                continue;
            }
        };
        let mut by_all: Option<HashSet<(IncidentKey, bool)>> = None;
        for url in urls {
            let posting = Posting::new(channel, &sender, url, &own, (Clock::Wall, Gate::open()));
            let posted = posting.post().await;
            let count = own.len();
            let incidents = if count == 1 { "incident" } else { "incidents" };
            let came = match (&posted.trouble, posted.refused.first()) {
                (Some(trouble), _) => said(trouble),
                (None, Some((_, why))) => format!("refused: {why}"),
                (None, None) => "accepted".to_owned(),
            };
            lines.push(format!(
                "{name} at {}: {count} {incidents}: {came}",
                place(url)
            ));
            let taken: HashSet<_> = posted.taken.into_iter().collect();
            by_all = Some(match by_all {
                Some(all) => all.intersection(&taken).copied().collect(),
                None => taken,
            });
        }
        let now = Clock::Wall.now();
        let batch = store.batch()?;
        for (incident, is_end) in by_all.unwrap_or_default() {
            let write = if is_end { alerts::ended } else { alerts::shown };
            write(batch.outbox(), name, incident, now)?;
        }
        batch.commit()?;
    }
    Ok(lines)
}
