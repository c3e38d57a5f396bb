//! All sections that stand once in a configuration, read in the order in which they need each other.

use std::path::Path;

use jiff::tz::TimeZone;
use toml::de::{DeTable, DeValue};

use super::reader::Reading;
use super::sections::{self, section};
use super::{cluster, email, presence};
use crate::config::keys;
use crate::config::model::DaemonSettings;
use crate::domain::cluster::{ClusterRole, ClusterSettings};
use crate::domain::recipient::Recipient;
use crate::domain::settings::{
    AlertSettings, Canaries, EmailSettings, HeartbeatSettings, ReportSettings, Retention,
    WebSettings,
};
use crate::domain::target::DnsSettings;

/// What the sections say; defaults where they are absent.
pub(in crate::config) struct Sections {
    /// `role = "probe"`
    pub is_probe: bool,
    /// `None` if it is wrong.
    pub daemon: Option<DaemonSettings>,
    /// That of `[daemon]`.
    pub zone: TimeZone,
    pub history: Retention,
    pub dns: DnsSettings,
    pub web: Option<WebSettings>,
    pub email: Option<EmailSettings>,
    /// Whether there is an `[email]`, be it wrong.
    pub has_email: bool,
    pub alerts: AlertSettings,
    /// Who is told by default.
    pub told: Vec<Recipient>,
    pub canaries: Canaries,
    pub report: Option<ReportSettings>,
    pub heartbeat: Option<HeartbeatSettings>,
    pub cluster: Option<ClusterSettings>,
}

impl Sections {
    /// Reads them. `database` is told of the path of the database as soon as that is known.
    pub(in crate::config) fn read(
        reading: &mut Reading<'_>,
        file: &Path,
        root: &DeTable<'_>,
        database: &mut dyn FnMut(&Path),
    ) -> Self {
        let empty = DeTable::new();
        presence::refuse_unknown_sections(reading, root);
        let is_probe = cluster::is_probe(reading, root);
        let table = section(reading, root, &keys::DAEMON, "[daemon]", &empty);
        let mut daemon = sections::daemon(reading, &table, file);
        if is_probe {
            cluster::name_spool(&table, daemon.as_mut());
        }
        if let Some(daemon) = &daemon {
            database(&daemon.database);
        }
        let table = section(reading, root, &keys::HISTORY, "[history]", &empty);
        let history = sections::history(reading, &table);
        let table = section(reading, root, &keys::DNS, "[dns]", &empty);
        let dns = sections::dns(reading, &table);
        let table = section(reading, root, &keys::WEB, "[web]", &empty);
        let web = sections::web(reading, &table);
        let email = email_of(reading, root, &empty);
        let has_email = root.contains_key(keys::EMAIL.name);
        let table = section(reading, root, &keys::ALERTS, "[alerts]", &empty);
        let alerts = sections::alerts(reading, &table);
        let told = sections::default_to(reading, &table, email.as_ref(), has_email);
        let table = section(reading, root, &keys::CONNECTIVITY, "[connectivity]", &empty);
        let canaries = sections::canaries(reading, &table, email.as_ref());
        let table = section(reading, root, &keys::REPORT, "[report]", &empty);
        let report = sections::report(reading, &table, &told);
        let table = section(reading, root, &keys::HEARTBEAT, "[heartbeat]", &empty);
        let heartbeat = sections::heartbeat(reading, &table);
        let cluster = cluster_of(reading, root, &empty, &canaries);
        Self {
            is_probe,
            zone: daemon
                .as_ref()
                .map_or(TimeZone::UTC, |daemon| daemon.timezone.clone()),
            daemon,
            history,
            dns,
            web,
            email,
            has_email,
            alerts,
            told,
            canaries,
            report,
            heartbeat,
            cluster,
        }
    }
}

/// `[email]`; what is no table is a fault already.
fn email_of(
    reading: &mut Reading<'_>,
    root: &DeTable<'_>,
    empty: &DeTable<'_>,
) -> Option<EmailSettings> {
    let written = root.get(keys::EMAIL.name)?;
    let table = section(reading, root, &keys::EMAIL, "[email]", empty);
    match written.get_ref() {
        DeValue::Table(_) => email::email(reading, &table),
        _ => None,
    }
}

fn cluster_of(
    reading: &mut Reading<'_>,
    root: &DeTable<'_>,
    empty: &DeTable<'_>,
    canaries: &Canaries,
) -> Option<ClusterSettings> {
    if !root.contains_key(keys::CLUSTER.name) {
        return None;
    }
    let table = section(reading, root, &keys::CLUSTER, "[cluster]", empty);
    let cluster = cluster::cluster(reading, &table, canaries);
    if let Some(ClusterRole::Hub(hub)) = cluster.as_ref().map(|cluster| &cluster.role) {
        reading.places = Some(hub.places.clone());
    }
    cluster
}
