//! Records the days that the tour's sites never had, by the recorder that the daemon records with.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::error::CliError;
use crate::clock;
use crate::config::{self, Environment};
use crate::daemon::demo::past;
use crate::daemon::demo::script::Site;
use crate::daemon::recorder::engine::Recorder;
use crate::daemon::recorder::message::Entry;
use crate::domain::monitor::MonitorId;
use crate::domain::timestamp::Timestamp;
use crate::store::compaction::settle::Step;
use crate::store::writer::Store;

/// The configuration that the past was recorded with: one check every two hours, believed at once, and no mail.
const FILE: &str = "past.toml";

/// Writes it into the tour's database.
///
/// # Errors
/// If the directory takes no file.
pub fn record(
    directory: &Path,
    sites: &[(Site, SocketAddr)],
    environment: &Environment,
) -> Result<(), CliError> {
    let file = directory.join(FILE);
    fs::write(&file, configuration(sites)).map_err(CliError::machine)?;
    let config =
        config::load(&file, environment).map_err(|errors| CliError::configuration(&errors))?;
    let config = Arc::new(config);
    let now = clock::now();
    let store = Store::open(&config.daemon.database, now)?;
    let began = now.minus(Duration::from_secs(past::DAYS * 86_400));
    let (mut recorder, _) = Recorder::open(store, Arc::clone(&config), began)?;
    let live = recorder.board().all();
    let mut checks: Vec<(Timestamp, u16, MonitorId, Site, SocketAddr)> = Vec::new();
    for (site, address) in sites {
        let known = live
            .iter()
            .find(|live| live.monitor.name.as_str() == site.name());
        let Some(monitor) = known.map(|live| live.id) else {
            continue;
        };
        let of_site = past::checks(*site, now).into_iter();
        checks.extend(of_site.map(|(at, status)| (at, status, monitor, *site, *address)));
    }
    checks.sort_unstable_by_key(|(at, _, monitor, ..)| (*at, *monitor));
    for together in checks.chunk_by(|a, b| a.0 == b.0) {
        let entries = together
            .iter()
            .map(|(at, status, monitor, site, address)| Entry::Checked {
                monitor: *monitor,
                check: Box::new(past::check(*site, *address, *at, *status)),
            });
        let at = together.first().map_or(now, |first| first.0);
        // Nothing is mailed and nothing is checked again: what follows from the past does not matter.
        let _ = recorder.work(entries.collect::<Vec<_>>(), at);
    }
    recorder.flush(now).map_err(CliError::machine)?;
    let mut store = recorder.into_store();
    while store.settle(now)? != Step::Done {}
    drop(store);
    fs::remove_file(&file).map_err(CliError::machine)
}

fn configuration(sites: &[(Site, SocketAddr)]) -> String {
    let mut text = "[daemon]\ndatabase = \"sitewatch.db\"\n[defaults]\ninterval = \"2h\"\n\
                    failures_before_down = 1\nsuccesses_before_up = 1\n"
        .to_owned();
    for (site, address) in sites {
        let (name, scheme, host) = match site.is_https() {
            true => (site.name(), "https", "localhost"),
            false => (site.name(), "http", "127.0.0.1"),
        };
        let port = address.port();
        text.push_str(&format!(
            "[[monitor]]\nname = \"{name}\"\nurl = \"{scheme}://{host}:{port}/\"\n"
        ));
    }
    text
}
