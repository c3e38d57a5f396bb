//! `[cluster]`: text to settings.

use std::sync::Arc;
use std::time::Duration;

use toml::de::DeTable;
use url::Url;

use super::reader::Reading;
use super::scalars::{self, Wrong};
use super::sections::is_loopback;
use super::table::{Placed, Table, place};
use crate::config::diagnostic::problem::Fault;
use crate::config::diagnostic::source_map::Place as At;
use crate::config::keys;
use crate::config::model::DaemonSettings;
use crate::domain::cluster::{
    ClusterRole, ClusterSettings, HubSettings, NatsCredentials, NatsServer, ProbeSettings,
};
use crate::domain::location::{DownWhen, LocationName, Places, Share};
use crate::domain::nkey;
use crate::domain::secret::Secret;
use crate::domain::settings::Canaries;

/// What NATS listens at by default.
const PORT: u16 = 4222;

/// A quorum of more says nothing more, and each costs a check.
const LOCATIONS_MAX: usize = 32;

/// A receipt, a list and an ask must have had their chance before a location is called silent.
const SILENT_AFTER_MIN: Duration = Duration::from_secs(30);

/// The stream must hold what a hub misses while it restarts.
const STREAM_AGE_MIN: Duration = Duration::from_secs(3600);

/// What a probe's file may hold.
const OF_PROBES: [&str; 4] = ["cluster", "connectivity", "daemon", "dns"];

/// Keys that only a hub has, and keys that only a probe has.
const OF_HUB: [&str; 5] = [
    "locations",
    "standby",
    "silent_after",
    "stream_size",
    "stream_age",
];
const OF_PROBE: [&str; 2] = ["spool_size", "share"];

/// The file in which a probe keeps what the hub has not taken, in the place of the database.
const SPOOL_NAME: &str = "spool.db";

/// Whether a file is a probe's. Then the sections that it cannot have are reported.
pub(in crate::config) fn is_probe(reading: &mut Reading<'_>, root: &DeTable<'_>) -> bool {
    let role = || {
        let cluster = root.get(keys::CLUSTER.name)?.get_ref().as_table()?;
        cluster.get("role")?.get_ref().as_str()
    };
    let is_probe = role() == Some("probe");
    if is_probe {
        refuse_hubs_sections(reading, root);
    }
    is_probe
}

/// A probe has a spool instead of a database; it has another name unless one is written.
pub(in crate::config) fn name_spool(table: &Table<'_>, daemon: Option<&mut DaemonSettings>) {
    if let Some(daemon) = daemon.filter(|_| table.is_blank("database")) {
        daemon.database.set_file_name(SPOOL_NAME);
    }
}

/// Reports a list beside `[cluster]`.
pub(in crate::config) fn refuse_source(reading: &mut Reading<'_>, header: At) {
    if reading.places.is_some() {
        reading.fault(Fault::new(
            header,
            "this version has no [[source]] beside [cluster]",
            "write its monitors as [[monitor]]: what several locations check stands in the hub's file",
        ));
    }
}

fn refuse_hubs_sections(reading: &mut Reading<'_>, root: &DeTable<'_>) {
    let known = |name: &str| {
        let is_section = keys::SECTIONS.iter().any(|section| section.name == name);
        is_section || keys::find(keys::TOP, name).is_some()
    };
    for key in root.keys() {
        let name: &str = key.get_ref();
        if OF_PROBES.contains(&name) || !known(name) {
            continue;
        }
        let header = keys::SECTIONS
            .iter()
            .find(|section| section.name == name)
            .map_or_else(|| format!("`{name}`"), |section| section.header());
        reading.fault(Fault::new(
            place(0, key.span()),
            format!("a probe's file has no {header}"),
            "it belongs in the hub's file; the probe gets its monitors from there",
        ));
    }
}

/// `[cluster]`; `None` where it is absent or wrong. `canaries` are those of the same file.
pub(in crate::config) fn cluster(
    reading: &mut Reading<'_>,
    table: &Table<'_>,
    canaries: &Canaries,
) -> Option<ClusterSettings> {
    let is_probe = reading
        .choice(table, "role")
        .is_some_and(|role| role.it == "probe");
    let server = server(reading, table);
    let (strange, whose) = match is_probe {
        true => (OF_HUB.as_slice(), "a hub's"),
        false => (OF_PROBE.as_slice(), "a probe's"),
    };
    for key in strange {
        if let Some(found) = table.get(key) {
            reading.fault(Fault::new(
                found.key_place,
                format!("`{key}` is {whose}"),
                match is_probe {
                    true => "take it out here, or take out role = \"probe\"",
                    false => "take it out here, or write role = \"probe\"",
                },
            ));
        }
    }
    let location = reading.some_parsed(table, "location", "the name of a location", name);
    let role = match is_probe {
        true => probe(reading, table, location, canaries).map(ClusterRole::Probe),
        false => hub(reading, table, location).map(ClusterRole::Hub),
    };
    Some(ClusterSettings {
        server: server?,
        role: role?,
    })
}

fn probe(
    reading: &mut Reading<'_>,
    table: &Table<'_>,
    location: Option<Placed<LocationName>>,
    canaries: &Canaries,
) -> Option<ProbeSettings> {
    if location.is_none() && table.is_blank("location") {
        reading.missing(table, "location", "add location = \"nyc\"");
    }
    let share = reading.some_parsed(table, "share", "a share like \"2/4\"", |text| {
        Share::parse(text).map_err(|error| {
            Wrong::new(
                error.to_string(),
                "write \"2/4\" for the second of four probes of this location",
            )
        })
    });
    if !matches!(canaries, Canaries::Urls(_)) {
        reading.fault(Fault::new(
            table.header,
            "a probe needs canaries",
            "add [connectivity] with canaries = [\"https://one.one.one.one/\"]: they tell a dead line from dead sites",
        ));
    }
    let spool = table
        .get("spool_size")
        .and_then(|found| reading.parsed(found, "a size", scalars::buffer_size));
    Some(ProbeSettings {
        location: location?.it,
        share: share.map(|share| share.it),
        spool_bytes: spool.map_or(1 << 30, |size| size.it),
    })
}

fn hub(
    reading: &mut Reading<'_>,
    table: &Table<'_>,
    here: Option<Placed<LocationName>>,
) -> Option<HubSettings> {
    let is_standby = reading.flag(table, "standby", false);
    let written = reading.list(table, "locations", "the name of a location", name);
    if written.is_none() && table.get("locations").is_none() {
        reading.missing(
            table,
            "locations",
            "add locations = [\"fra\", \"nyc\", \"sgp\"]",
        );
    }
    let mut locations: Vec<LocationName> = Vec::new();
    if let Some(written) = &written {
        let wrong_ones = table
            .get("locations")
            .and_then(|found| found.value.as_array());
        if written.it.is_empty() && wrong_ones.is_some_and(|array| array.is_empty()) {
            reading.fault(Fault::new(
                written.place,
                "`locations` is empty",
                "write at least one, or take [cluster] out",
            ));
        }
        for location in &written.it {
            if locations.contains(&location.it) {
                reading.fault(Fault::new(
                    location.place,
                    format!("the location `{}` stands twice", location.it),
                    "write each once",
                ));
                continue;
            }
            locations.push(location.it.clone());
        }
        if locations.len() > LOCATIONS_MAX {
            reading.fault(Fault::new(
                written.place,
                format!("there are {} locations", locations.len()),
                format!("at most {LOCATIONS_MAX} are possible"),
            ));
            return None;
        }
        if locations.len() == 2 {
            reading.warn(
                written.place,
                "there are two locations, and more than half of two is both: what fails from one only is never down; \
                 three at different providers are better",
            );
        }
        if let Some(here) = &here
            && !locations.contains(&here.it)
        {
            reading.fault(Fault::new(
                here.place,
                format!("`{}` is not one of `locations`", here.it),
                "add it there, too",
            ));
        }
    }
    let silent_after = reading.span_from(table, "silent_after", SILENT_AFTER_MIN);
    let stream_age = reading.span_from(table, "stream_age", STREAM_AGE_MIN);
    let stream = table
        .get("stream_size")
        .and_then(|found| reading.parsed(found, "a size", scalars::buffer_size));
    if locations.is_empty() {
        return None;
    }
    Some(HubSettings {
        places: Places {
            locations: locations.into(),
            down_when: DownWhen::Majority,
            here: here.map(|here| here.it),
            silent_after: silent_after.map_or(Duration::from_secs(120), |span| span.it),
        },
        is_standby,
        stream_bytes: stream.map_or(2 << 30, |size| size.it),
        stream_age: stream_age.map_or(Duration::from_secs(7 * 86_400), |span| span.it),
    })
}

fn name(text: &str) -> Result<LocationName, Wrong> {
    LocationName::parse(text)
        .map_err(|error| Wrong::new(error.to_string(), "write one like \"fra\" or \"nyc-2\""))
}

/// The server's place, as its URL says it.
struct Place {
    host: String,
    port: u16,
    tls: bool,
}

fn server(reading: &mut Reading<'_>, table: &Table<'_>) -> Option<NatsServer> {
    let url = match table.get("url") {
        Some(found) => reading.parsed(found, "the URL of a NATS server", nats_url),
        None => {
            reading.missing(table, "url", "add url = \"tls://nats.example.com:4222\"");
            None
        }
    };
    let ca_pem = reading.certificates(table, "ca_file");
    let credentials = credentials(reading, table);
    let url = url?;
    let is_here = is_loopback(&url.it.host);
    if !url.it.tls && !is_here {
        reading.fault(Fault::new(
            url.place,
            format!("the way to {} is not encrypted", url.it.host),
            "write tls://, and give the server a certificate; nats:// is for a server on this machine",
        ));
    }
    if !is_here && table.is_blank("credentials_file") && table.is_blank("nkey_file") {
        reading.missing(
            table,
            "nkey_file",
            "add nkey_file: `sitewatch cluster credentials LOCATION` makes one",
        );
    }
    Some(NatsServer {
        host: url.it.host,
        port: url.it.port,
        tls: url.it.tls,
        ca_pem,
        credentials: credentials?,
    })
}

fn nats_url(text: &str) -> Result<Place, Wrong> {
    let wrong =
        |message: String| Wrong::new(message, "write one like \"tls://nats.example.com:4222\"");
    let url = Url::parse(text).map_err(|_| wrong(format!("`{text}` is not a valid URL")))?;
    let tls = match url.scheme() {
        "tls" => true,
        "nats" => false,
        other => {
            return Err(wrong(format!(
                "a NATS server's URL cannot begin with `{other}:`"
            )));
        }
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Wrong::new(
            "a NATS server's URL has no user and no password here",
            "write nkey_file or credentials_file",
        ));
    }
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let has_more =
        !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some();
    if host.is_empty() || has_more {
        return Err(wrong(format!("`{text}` is not the URL of a NATS server")));
    }
    Ok(Place {
        host: host.to_owned(),
        port: url.port().unwrap_or(PORT),
        tls,
    })
}

/// `None` where they are wrong.
fn credentials(reading: &mut Reading<'_>, table: &Table<'_>) -> Option<NatsCredentials> {
    if reading.exclusive(table, "credentials_file", "nkey_file") {
        return None;
    }
    if !table.is_blank("nkey_file") {
        let seed = reading.secret_file(table, "nkey_file")?;
        let place = table.get("nkey_file")?.place;
        return match nkey::seed(seed.reveal()) {
            Ok(_) => Some(NatsCredentials::Nkey(seed)),
            Err(why) => {
                reading.fault(Fault::new(
                    place,
                    format!("the file {why}"),
                    "`sitewatch cluster credentials` writes one",
                ));
                None
            }
        };
    }
    if table.is_blank("credentials_file") {
        return Some(NatsCredentials::None);
    }
    let Placed {
        it: (_, bytes),
        place,
        ..
    } = reading.content(table, "credentials_file", CREDENTIALS_BYTES_MAX)?;
    match creds(&bytes) {
        Ok(credentials) => Some(credentials),
        Err(why) => {
            reading.fault(Fault::new(
                place,
                format!("the file {why}"),
                "nsc writes a .creds file; or use nkey_file",
            ));
            None
        }
    }
}

/// A JWT and a seed take 2 KiB.
const CREDENTIALS_BYTES_MAX: u64 = 64 * 1024;

/// The two parts of a `.creds` file.
fn creds(bytes: &[u8]) -> Result<NatsCredentials, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "is not UTF-8 text".to_owned())?;
    let after = |label: &str| {
        let mut lines = text.lines().map(str::trim);
        lines
            .find(|line| line.starts_with('-') && line.contains("BEGIN") && line.contains(label))?;
        lines.find(|line| !line.is_empty() && !line.starts_with('-'))
    };
    let jwt = after("JWT").ok_or("has no JWT in it")?;
    let seed = after("SEED").ok_or("has no seed in it")?;
    nkey::seed(seed).map_err(|why| why.to_string())?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.=".contains(c);
    if !jwt.chars().all(is_plain) {
        return Err("has a JWT with other characters than those of base64url".to_owned());
    }
    Ok(NatsCredentials::Jwt {
        jwt: Secret::new(jwt),
        seed: Secret::new(Arc::<str>::from(seed)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_url() {
        let read = |text| nats_url(text).map(|at| (at.host, at.port, at.tls));
        let at = |host: &str, port, tls| (host.to_owned(), port, tls);
        assert_eq!(
            read("tls://nats.example.com").unwrap(),
            at("nats.example.com", 4222, true)
        );
        assert_eq!(
            read("nats://127.0.0.1:5000/").unwrap(),
            at("127.0.0.1", 5000, false)
        );
        assert_eq!(read("tls://[::1]:5000").unwrap(), at("::1", 5000, true));
        for wrong in [
            "",
            "https://a.example/",
            "tls://",
            "tls://a.example/x",
            "nats://u:p@a.example",
        ] {
            assert!(nats_url(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_creds_file_has_both_parts() {
        let seed = nkey::seed_text(&[5; 32]);
        let text = format!(
            "-----BEGIN NATS USER JWT-----\neyJ0.eyJq.x-_\n------END NATS USER JWT------\n\n\
             ************************* IMPORTANT *************************\n\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        );
        let NatsCredentials::Jwt { jwt, seed: read } = creds(text.as_bytes()).unwrap() else {
            panic!("no JWT");
        };
        assert_eq!(
            (jwt.reveal(), read.reveal()),
            ("eyJ0.eyJq.x-_", seed.as_str())
        );
        assert!(creds(seed.as_bytes()).is_err());
        assert!(creds(text.replace(&seed, "SUNOSEED").as_bytes()).is_err());
        assert!(creds(&[0xff, 0xfe]).is_err());
    }
}
