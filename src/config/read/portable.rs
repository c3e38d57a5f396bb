//! A monitor as text that a probe of another location reads: everything that decides how it is checked, with names of
//! variables and files in place of what they hold.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::monitor::{self, Template};
use super::reader::Reading;
use super::table::{Found, Table, place};
use crate::config::diagnostic::problem::Fault;
use crate::config::diagnostic::redact;
use crate::config::diagnostic::source_map::Source;
use crate::config::environment::Environment;
use crate::config::keys;
use crate::config::show::{quoted, rival};
use crate::domain::monitor::Monitor;
use crate::domain::subject::SubjectKind;

/// A table without defaults: they are in each text already.
static NOTHING: LazyLock<DeTable<'static>> = LazyLock::new(DeTable::new);

/// Keys of a monitor that only the hub needs.
const OF_HUB: [&str; 11] = [
    "enabled",
    "tags",
    "depends_on",
    "to",
    "note",
    "public",
    "renamed_from",
    "keep_evidence",
    "locations",
    "down_when",
    "on_regional",
];

/// A monitor's text has a few hundred bytes; what is larger has a body in it.
const TEXT_BYTES_MAX: usize = 128 * 1024;

/// A monitor as text; `None` where something in it must not be sent, which is reported.
pub(super) fn text(
    reading: &mut Reading<'_>,
    table: &Table<'_>,
    name: &str,
    kind: Option<SubjectKind>,
) -> Option<Box<str>> {
    let faults_before = reading.faults.len();
    let mut out = String::with_capacity(256);
    let _ = writeln!(out, "name = {}", plain(name));
    for key in table.keys {
        if key.name == "name" || OF_HUB.contains(&key.name) {
            continue;
        }
        // A key of [defaults] is for the kinds that have it.
        if kind.is_some_and(|kind| !key.kinds.has(kind)) {
            continue;
        }
        let Some(found) = table.get(key.name) else {
            continue;
        };
        // Of two keys that exclude each other a monitor's own one counts.
        let is_replaced =
            found.inherited && rival(key.name).is_some_and(|rival| table.own.contains_key(rival));
        if is_replaced {
            continue;
        }
        refuse_literal_secrets(reading, found);
        let _ = write!(out, "{} = ", key.name);
        raw(&mut out, found.value);
        out.push('\n');
    }
    if out.len() > TEXT_BYTES_MAX {
        reading.fault(Fault::new(
            table.header,
            format!("this monitor takes {} bytes, and at most {TEXT_BYTES_MAX} are sent to its locations", out.len()),
            "put its body in a file and name it by `body_file`",
        ));
    }
    (reading.faults.len() == faults_before).then(|| out.into())
}

/// A string in which nothing is replaced.
fn plain(text: &str) -> String {
    quoted(&text.replace("${", "$${"))
}

/// A value as it stands in the file.
fn raw(out: &mut String, value: &DeValue<'_>) {
    // A string takes everything.
    let _ = match value {
        DeValue::String(text) => write!(out, "{}", quoted(text)),
        DeValue::Integer(number) => write!(out, "{number}"),
        DeValue::Float(number) => write!(out, "{number}"),
        DeValue::Boolean(flag) => write!(out, "{flag}"),
        DeValue::Datetime(datetime) => write!(out, "{datetime}"),
        DeValue::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                raw(out, item.get_ref());
            }
            out.write_str("]")
        }
        DeValue::Table(table) => {
            out.push('{');
            for (index, (key, item)) in table.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { " " });
                let _ = write!(out, "{} = ", quoted(key.get_ref()));
                raw(out, item.get_ref());
            }
            out.write_str(" }")
        }
    };
}

/// Reports secrets that are written out: they would be sent to every location.
fn refuse_literal_secrets(reading: &mut Reading<'_>, found: Found<'_>) {
    match (found.key, found.value) {
        ("url" | "proxy", DeValue::String(raw)) if has_literal_userinfo(raw) => {
            refuse(reading, found, "a user or a password in a URL");
        }
        ("basic_auth", DeValue::Table(inner)) => {
            if let Some((_, value)) = inner.get_key_value("password")
                && let DeValue::String(raw) = value.get_ref()
                && is_literal(raw)
            {
                refuse_at(reading, found, value.span(), "a password");
            }
        }
        ("headers", DeValue::Table(inner)) => {
            for (name, value) in inner {
                let is_secret = ["authorization", "proxy-authorization", "cookie"]
                    .iter()
                    .any(|known| name.get_ref().eq_ignore_ascii_case(known))
                    || redact::is_sensitive(name.get_ref());
                let written = value.get_ref().as_str().unwrap_or_default();
                if is_secret && is_literal(written) {
                    let what = format!("the header `{}`", redact::sentence(name.get_ref()));
                    refuse_at(reading, found, value.span(), &what);
                }
            }
        }
        _ => {}
    }
}

/// Whether a text is written out: nothing in it comes by `${NAME}`.
fn is_literal(raw: &str) -> bool {
    !raw.is_empty() && !raw.replace("$${", "").contains("${")
}

/// Whether a URL has userinfo that does not come by `${NAME}`.
fn has_literal_userinfo(raw: &str) -> bool {
    let after_scheme = raw.split_once("://").map_or(raw, |(_, rest)| rest);
    let authority = after_scheme
        .split(['/', '?', '#'])
        .next()
        .unwrap_or_default();
    let Some((userinfo, _)) = authority.rsplit_once('@') else {
        return false;
    };
    let password = userinfo
        .split_once(':')
        .map_or(userinfo, |(_, password)| password);
    is_literal(password)
}

fn refuse(reading: &mut Reading<'_>, found: Found<'_>, what: &str) {
    let place = found.place;
    refuse_at(
        reading,
        found,
        place.start as usize..place.end as usize,
        what,
    );
}

fn refuse_at(reading: &mut Reading<'_>, found: Found<'_>, at: std::ops::Range<usize>, what: &str) {
    reading.fault(Fault::new(
        place(found.place.file, at),
        format!("{what} is written out, and this monitor is sent to other locations"),
        "write \"${NAME}\" or a file's name: only that is sent, and each probe has its own value",
    ));
}

/// Reads monitors that a hub sent.
pub struct Monitors<'e> {
    reading: Reading<'e>,
    template: Template<'static>,
    directory: &'e Path,
}

impl<'e> Monitors<'e> {
    /// Names of variables are looked up in `environment`, names of files in `directory`. `certificate_expiry` is the
    /// hub's, longest first.
    pub fn new(
        environment: &'e Environment,
        directory: &'e Path,
        certificate_expiry: Vec<Duration>,
    ) -> Self {
        let mut reading = Reading::new(environment);
        let table = Table {
            own: &NOTHING,
            keys: keys::DEFAULTS.keys,
            called: "[defaults]",
            header: place(0, 0..0),
            fallback: None,
        };
        let template = monitor::template(&mut reading, table, Vec::new(), certificate_expiry);
        Self {
            reading,
            template,
            directory,
        }
    }

    /// The name in a text, which is its first line; `None` if it has none.
    pub fn name_of(text: &str) -> Option<String> {
        let line = text.lines().next()?;
        let root = DeTable::parse(line).ok()?;
        let name = root.get_ref().get("name")?.get_ref().as_str()?;
        Some(name.replace("$${", "${"))
    }

    /// The monitor of a text.
    ///
    /// # Errors
    /// One line that says why it cannot be checked here: a variable that is not set, a file that cannot be read, a key
    /// that this version does not know.
    pub fn read(&mut self, text: &str) -> Result<Arc<Monitor>, String> {
        let root = DeTable::parse(text).map_err(|_| "the hub's list cannot be read".to_owned())?;
        let source = Source::new(
            "the hub's list".to_owned(),
            self.directory.join("list"),
            text.into(),
        );
        self.reading.sources = vec![source];
        self.reading.faults.clear();
        self.reading.warnings.clear();
        let header = place(0, 0..0);
        let (_, draft) =
            monitor::monitor(&mut self.reading, root.get_ref(), header, &self.template);
        match (draft, self.reading.faults.first()) {
            (Ok(draft), None) => Ok(draft.monitor),
            (_, Some(fault)) => Err(fault.message.clone()),
            (Err(_), None) => Err("the hub's list cannot be read".to_owned()),
        }
    }
}
