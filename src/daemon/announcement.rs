//! What the log says of a daemon that starts.

use crate::config::Config;

/// Says what runs, and what its configuration warns of.
pub(super) fn announce(config: &Config) {
    let monitors = config
        .monitors
        .iter()
        .filter(|monitor| monitor.enabled)
        .count();
    tracing::info!(
        monitors,
        database = %config.daemon.database.display(),
        control_socket = %config.daemon.control_socket.display(),
        "sitewatch {} started, {monitors} monitors from {}", env!("CARGO_PKG_VERSION"), config.file.display()
    );
    let said = config
        .warnings
        .iter()
        .any(|warning| warning.contains("[email]"));
    if config.has_way_out() {
        let told: Vec<String> = config.told.iter().map(ToString::to_string).collect();
        tracing::info!(
            "alerts go to {} where a monitor names nobody else",
            told.join(", ")
        );
    } else if !said {
        tracing::warn!(
            "there is no [email] and no [[channel]]: checks are recorded and nobody is told"
        );
    }
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    for list in config.lists.iter().filter(|list| !list.awaited.is_empty()) {
        tracing::info!(
            "{} of the list {} wait until it is read: their URLs have a user or a password, which the database does not keep",
            list.awaited.len(),
            list.source.called
        );
    }
}
