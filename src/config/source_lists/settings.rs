//! `[[source]]`: text to a list's description.

use std::fmt::Write as _;
use std::time::Duration;

use sha2::{Digest, Sha256};
use toml::de::DeTable;
use url::Url;

use super::super::diagnostic::problem::Fault;
use super::super::diagnostic::redact;
use super::super::diagnostic::source_map::Place;
use super::super::keys;
use super::super::read::monitor::{self, Template};
use super::super::read::reader::Reading;
use super::super::read::referenced_files;
use super::super::read::scalars;
use super::super::read::table::{Placed, Table};
use super::model::{ListPlace, ListSource};
use crate::domain::redaction::Masks;
use crate::domain::safe_text;
use crate::domain::secret::Secret;
use crate::policy::http::private_address::is_private;

/// The shortest time between two readings.
const REFRESH_MIN: Duration = Duration::from_secs(1);

/// Without `refresh`.
const REFRESH: Duration = Duration::from_secs(300);

/// Without `keep_at_least`: customers come and go by a few, and a list that lost a fifth at once is more often broken.
const KEEP_AT_LEAST: u8 = 80;

/// What is shown of a list's name.
const CALLED_CHARS_MAX: usize = 120;

/// So many bytes of a digest tell lists apart.
const KEY_BYTES: usize = 12;

/// A list with its place in the configuration.
pub(in crate::config) struct Draft {
    pub(in crate::config) source: ListSource,
    pub(in crate::config) place: Place,
}

/// Reads one `[[source]]`; `None` if it is wrong.
pub(in crate::config) fn source(
    reading: &mut Reading<'_>,
    own: &DeTable<'_>,
    header: Place,
    defaults: &Template<'_>,
) -> Option<Draft> {
    let table = Table {
        own,
        keys: keys::SOURCE.keys,
        called: "[[source]]",
        header,
        fallback: Some((defaults.table.own, defaults.table.header.file)),
    };
    let faults_before = reading.faults.len();
    reading.refuse_unknown(&table, &[]);
    let both = reading.exclusive(&table, "file", "url");
    if both {
        return None;
    }
    let place = place(reading, &table);
    let refresh = match table.own("refresh") {
        Some(_) => reading
            .span_from(&table, "refresh", REFRESH_MIN)
            .map(|span| span.it),
        None => Some(REFRESH),
    };
    let keep_at_least = match table.own("keep_at_least") {
        Some(found) => reading
            .parsed(found, "a percentage", scalars::percent)
            .map(|percent| percent.it),
        None => Some(KEEP_AT_LEAST),
    };
    let template = monitor::template(
        reading,
        table,
        defaults.email_to.clone(),
        defaults.certificate_expiry.clone(),
    );
    monitor::check_model(reading, &template);
    let At {
        place,
        key,
        called,
        at,
    } = place?;
    warn_of_credentials(reading, &table, &called);
    let source = ListSource {
        key: key.into(),
        called: called.into(),
        place,
        refresh: refresh?,
        keep_at_least: keep_at_least?,
        model: template.model(defaults)?,
    };
    (reading.faults.len() == faults_before).then_some(Draft { source, place: at })
}

/// Reports lists that stand twice.
pub(in crate::config) fn unique(reading: &mut Reading<'_>, drafts: &[Draft]) {
    for (index, draft) in drafts.iter().enumerate() {
        let first = drafts
            .iter()
            .take(index)
            .find(|first| first.source.key == draft.source.key);
        if let Some(first) = first {
            let fault = Fault::new(
                draft.place,
                "this list is the [[source]] of other monitors already",
                "each list stands once",
            );
            reading.fault(fault.and(first.place, "first here"));
        }
    }
}

/// Where a list comes from, with its names.
struct At {
    place: ListPlace,
    key: String,
    called: String,
    at: Place,
}

fn place(reading: &mut Reading<'_>, table: &Table<'_>) -> Option<At> {
    match (table.is_blank("file"), table.is_blank("url")) {
        (true, true) => {
            reading.missing(
                table,
                "file",
                "add file = \"customers.txt\", or url = \"https://panel.example.com/sites.txt\"",
            );
            None
        }
        (false, _) => of_file(reading, table),
        (true, false) => of_url(reading, table),
    }
}

fn of_file(reading: &mut Reading<'_>, table: &Table<'_>) -> Option<At> {
    if !table.is_blank("token_file")
        && let Some(found) = table.own("token_file")
    {
        reading.fault(Fault::new(
            found.key_place,
            "`token_file` is for a `url`",
            "a file needs no token",
        ));
        return None;
    }
    let found = table.own("file")?;
    let raw = found.value.as_str().unwrap_or_default().to_owned();
    let Placed {
        it: path, place, ..
    } = reading.path(table, "file")?;
    let path = reading.environment.directory.join(path);
    let directory = reading.directory_of(place.file).to_owned();
    let written = referenced_files::resolve(&directory, &raw);
    Some(At {
        key: key("file", &written.to_string_lossy()),
        called: safe_text::middle(&safe_text::line(&raw, 2000), CALLED_CHARS_MAX).into_owned(),
        place: ListPlace::File(path),
        at: place,
    })
}

fn of_url(reading: &mut Reading<'_>, table: &Table<'_>) -> Option<At> {
    let found = table.own("url")?;
    reading.came_by_name.clear();
    let raw = found.value.as_str().unwrap_or_default().to_owned();
    let Placed { it: url, place, .. } = reading.parsed(found, "a URL", scalars::url)?;
    let mut secrets = std::mem::take(&mut reading.came_by_name);
    let token = match table.is_blank("token_file") {
        true => None,
        false => Some(reading.secret_file(table, "token_file")?),
    };
    if url.password().is_some() && secrets.is_empty() {
        reading.literal_secrets.push((place, "url"));
    }
    secrets.extend(token.as_ref().map(|token| token.reveal().to_owned()));
    secrets.extend(url.password().map(str::to_owned));
    warn_of_clear_text(reading, table, &url, token.as_ref());
    Some(At {
        key: key("url", &raw),
        called: called(&raw),
        place: ListPlace::Url {
            url,
            token,
            masks: Masks::new(secrets),
        },
        at: place,
    })
}

/// A URL as people may see it: as it was written, without user, query and fragment.
fn called(raw: &str) -> String {
    let bare = raw.split(['?', '#']).next().unwrap_or(raw);
    let bare = redact::sentence(bare);
    safe_text::middle(&safe_text::line(&bare, 2000), CALLED_CHARS_MAX).into_owned()
}

/// A name for the database, which tells nothing of what may be secret in the text.
fn key(kind: &str, text: &str) -> String {
    let digest = Sha256::new()
        .chain_update(kind)
        .chain_update([0])
        .chain_update(text)
        .finalize();
    let mut key = format!("{kind}-");
    for byte in digest.iter().take(KEY_BYTES) {
        // A string takes everything.
        let _ = write!(key, "{byte:02x}");
    }
    key
}

/// The author of the list decides which hosts get what is sent to its sites.
fn warn_of_credentials(reading: &mut Reading<'_>, table: &Table<'_>, called: &str) {
    let keys = [
        "headers",
        "basic_auth",
        "bearer_token_file",
        "client_certificate",
    ];
    let found = keys.into_iter().find_map(|key| {
        let found = table.get(key).filter(|_| !table.is_blank(key))?;
        let is_empty = found.value.as_table().is_some_and(|table| table.is_empty());
        (!is_empty).then_some(found)
    });
    if let Some(found) = found {
        reading.warn(
            found.key_place,
            format!(
                "`{}` goes to every host of the list `{called}`: anyone who can write the list can read it",
                found.key
            ),
        );
    }
}

fn warn_of_clear_text(
    reading: &mut Reading<'_>,
    table: &Table<'_>,
    url: &Url,
    token: Option<&Secret>,
) {
    let is_near = match url.host() {
        Some(url::Host::Ipv4(address)) => is_private(address.into()),
        Some(url::Host::Ipv6(address)) => is_private(address.into()),
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    };
    let has_secret = token.is_some() || url.password().is_some();
    if url.scheme() == "http" && has_secret && !is_near {
        let place = table.own("url").map_or(table.header, |found| found.place);
        reading.warn(
            place,
            "the list is asked for in clear (http://), and its token or password with it: use https://",
        );
    }
}
