//! Who may name what: rooms, crates, parts of the standard library, threads and tasks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::assert_none;
use crate::sources::{Named, Source, root, sources};

/// Where a path leads.
pub enum Target<'a> {
    /// Into the module of this source.
    Here(&'a Source),
    /// Out of this crate, or to a name that is no module's.
    Elsewhere(Vec<String>),
}

/// The modules of the crate, to follow paths through.
pub struct Modules {
    by_path: BTreeMap<&'static [String], &'static Source>,
}

impl Modules {
    pub fn new() -> Modules {
        let by_path = sources()
            .iter()
            .map(|source| (source.module.as_slice(), source))
            .collect();
        Modules { by_path }
    }

    /// A path from the root of the crate; `Err` with what it is if it leads elsewhere.
    fn absolute(&self, from: &Source, named: &Named) -> Result<Vec<String>, Vec<String>> {
        let mut module = from.module.clone();
        let mut depth = named.depth;
        let mut rest = named.segments.as_slice();
        match rest.first().map(String::as_str) {
            Some("crate") => return Ok(rest[1..].to_vec()),
            Some("self") => rest = &rest[1..],
            Some("super") => {
                while rest.first().is_some_and(|word| word == "super") {
                    rest = &rest[1..];
                    match depth {
                        0 => drop(module.pop()),
                        _ => depth -= 1,
                    }
                }
            }
            Some(child) => {
                let path = [module.as_slice(), &[child.to_owned()]].concat();
                if !self.by_path.contains_key(path.as_slice()) {
                    return Err(rest.to_vec());
                }
            }
            None => return Err(Vec::new()),
        }
        module.extend_from_slice(rest);
        Ok(module)
    }

    /// Follows a path through the names that a file imports and through what modules pass on.
    pub fn target(&self, from: &Source, named: &Named) -> Target<'static> {
        let mut path = match self.absolute(from, named) {
            Ok(path) => path,
            Err(path) => {
                let import = from
                    .imports
                    .iter()
                    .find(|import| Some(&import.name) == path.first() && path.len() > 1);
                match import.map(|import| self.absolute(from, &import.named)) {
                    Some(Ok(start)) => [start.as_slice(), &path[1..]].concat(),
                    Some(Err(start)) => {
                        return Target::Elsewhere([start.as_slice(), &path[1..]].concat());
                    }
                    None => return Target::Elsewhere(path),
                }
            }
        };
        // A name is passed on a few times at most.
        for _ in 0..8 {
            let (module, rest) = (0..=path.len())
                .rev()
                .find_map(|length| {
                    let module = self.by_path.get(&path[..length])?;
                    Some((*module, path[length..].to_vec()))
                })
                .expect("lib.rs is the module of the empty path");
            let passed_on = rest.first().and_then(|name| {
                let import = module
                    .imports
                    .iter()
                    .find(|import| import.public && import.name == *name)?;
                self.absolute(module, &import.named).ok()
            });
            match passed_on {
                Some(longer) if longer != path => path = [longer.as_slice(), &rest[1..]].concat(),
                _ => return Target::Here(module),
            }
        }
        Target::Elsewhere(path)
    }

    /// Every path of a source that leads into another one.
    pub fn neighbours(&self, source: &Source) -> Vec<(usize, &'static Source)> {
        let imports = source.imports.iter().map(|import| &import.named);
        imports
            .chain(&source.paths)
            .filter_map(|named| match self.target(source, named) {
                Target::Here(other) if other.name != source.name => Some((named.line, other)),
                Target::Here(_) | Target::Elsewhere(_) => None,
            })
            .collect()
    }

    /// Every path of a source that leads out of the crate.
    fn outside(&self, source: &Source) -> Vec<(usize, Vec<String>)> {
        let imports = source.imports.iter().map(|import| &import.named);
        imports
            .chain(&source.paths)
            .filter_map(|named| match self.target(source, named) {
                Target::Elsewhere(path) => Some((named.line, path)),
                Target::Here(_) => None,
            })
            .collect()
    }
}

/// The layer of a room of `src/`; lib.rs and main.rs stand above all.
fn layer(room: &str) -> Option<u8> {
    Some(match room {
        "domain" => 0,
        "policy" => 1,
        "config" | "view" | "wire" => 2,
        // The lowest of the edges: the others measure, encrypt and make their files by them.
        "clock" | "blocking" | "tls" | "own_files" => 3,
        "probe" | "store" | "mail" | "channel" | "link" | "service" | "control" => 4,
        "daemon" => 5,
        "cli" => 6,
        _ => return None,
    })
}

#[test]
fn layers_are_kept() {
    let modules = Modules::new();
    let mut faults = Vec::new();
    for source in sources() {
        let room = source.room();
        let Some(own) = layer(room) else {
            if !room.is_empty() {
                faults.push(format!("{}: `{room}` has no layer", source.name));
            }
            continue;
        };
        for (line, other) in modules.neighbours(source) {
            let other = other.room();
            if other != room && layer(other).is_some_and(|theirs| theirs >= own) {
                faults.push(format!(
                    "{}:{line}: `{room}` must not know `{other}`",
                    source.name
                ));
            }
        }
    }
    assert_none(&faults);
}

/// The rooms that may name a crate. A room that needs another one is a decision: it stands here.
const CRATES: [(&str, &[&str]); 57] = [
    ("base64", &["domain", "link", "view"]),
    ("brotli_decompressor", &["policy"]),
    ("chrono", &["policy"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("croner", &["policy"]),
    ("csv", &["config"]),
    ("encoding_rs", &["cli", "policy"]),
    ("flate2", &["cli", "daemon", "policy", "store", "wire"]),
    ("glob", &["cli", "config"]),
    ("h2", &["probe"]),
    ("h3", &["probe"]),
    ("h3_quinn", &["probe"]),
    ("http_body_util", &["probe"]),
    ("hyper", &["daemon", "policy", "probe"]),
    ("hyper_util", &["daemon", "probe"]),
    (
        "jiff",
        &[
            "cli", "clock", "config", "daemon", "domain", "policy", "store", "view",
        ],
    ),
    ("lettre", &["mail"]),
    ("libyaml_safer", &["config"]),
    ("mail_parser", &["cli"]),
    ("maud", &["view"]),
    ("minijinja", &["policy"]),
    ("nix", &["probe"]),
    ("p256", &["tls"]),
    ("p384", &["tls"]),
    ("p521", &["tls"]),
    (
        "percent_encoding",
        &["config", "daemon", "domain", "probe", "store", "view"],
    ),
    ("quick_xml", &["config"]),
    ("quinn", &["probe"]),
    ("regex", &["config", "daemon", "domain", "policy", "probe"]),
    ("regex_automata", &["domain"]),
    ("regex_syntax", &["config", "domain"]),
    ("reqwest", &["channel", "probe", "view"]),
    ("ring", &["daemon", "link", "probe", "tls", "view"]),
    ("rusqlite", &["store"]),
    (
        "rustix",
        &[
            "blocking",
            "cli",
            "clock",
            "config",
            "daemon",
            "mail",
            "own_files",
            "probe",
            "store",
        ],
    ),
    (
        "rustls",
        &[
            "channel", "config", "daemon", "domain", "mail", "probe", "tls",
        ],
    ),
    ("rustls_native_certs", &["tls"]),
    ("ruzstd", &["policy"]),
    ("sd_notify", &["service"]),
    (
        "serde",
        &[
            "config", "control", "daemon", "domain", "link", "policy", "store", "view", "wire",
        ],
    ),
    (
        "serde_json",
        &[
            "config", "control", "daemon", "domain", "link", "policy", "store", "view", "wire",
        ],
    ),
    (
        "sha2",
        &["config", "daemon", "policy", "store", "tls", "view"],
    ),
    ("strsim", &["config", "domain"]),
    ("tempfile", &["cli"]),
    (
        "thiserror",
        &[
            "channel", "cli", "config", "control", "daemon", "domain", "link", "mail", "policy",
            "probe", "store", "wire",
        ],
    ),
    (
        "tokio",
        &[
            "blocking", "channel", "cli", "clock", "daemon", "link", "mail", "probe",
        ],
    ),
    ("tokio_cron_scheduler", &["daemon"]),
    ("tokio_rustls", &["daemon", "link", "mail", "probe"]),
    ("toml", &["cli", "config"]),
    (
        "tracing",
        &["cli", "daemon", "link", "probe", "service", "store"],
    ),
    ("tracing_subscriber", &["config", "daemon"]),
    ("unicode_width", &["cli", "config", "view"]),
    (
        "url",
        &[
            "channel", "cli", "config", "daemon", "domain", "policy", "probe", "view",
        ],
    ),
    ("webpki_roots", &["tls"]),
    ("x509_parser", &["tls"]),
];

/// The crates of Cargo.toml, as sources spell them.
fn crates() -> BTreeSet<String> {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("it is there");
    let manifest: toml::Table = manifest.parse().expect("it is TOML");
    let table = manifest["dependencies"].as_table().expect("it is a table");
    table.keys().map(|name| name.replace('-', "_")).collect()
}

#[test]
fn a_room_names_the_crates_that_it_may() {
    let modules = Modules::new();
    let crates = crates();
    let allowed: BTreeMap<_, _> = CRATES.into_iter().collect();
    let mut faults = BTreeSet::new();
    let mut named = BTreeSet::new();
    for source in sources() {
        let room = source.room();
        for (line, path) in modules.outside(source) {
            let first = path.first().map_or("", String::as_str);
            if !crates.contains(first) || room.is_empty() {
                continue;
            }
            named.insert((first.to_owned(), room));
            if !allowed
                .get(first)
                .is_some_and(|rooms| rooms.contains(&room))
            {
                faults.insert(format!("{}:{line}: `{room}` names `{first}`", source.name));
            }
        }
    }
    for (name, rooms) in CRATES {
        for room in rooms {
            if !named.contains(&(name.to_owned(), *room)) {
                faults.insert(format!("`{room}` may name `{name}` and does not"));
            }
        }
    }
    assert_none(&faults.into_iter().collect::<Vec<_>>());
}

/// Parts of the standard library that wait, look at the world or run beside the caller.
const IMPURE: [&str; 12] = [
    "std::env",
    "std::fs",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::UdpSocket",
    "std::net::ToSocketAddrs",
    "std::os",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "std::sync::Mutex",
];

/// Rooms that decide or write with values alone.
const PURE: [&str; 4] = ["domain", "policy", "view", "wire"];

#[test]
fn pure_rooms_touch_nothing() {
    let modules = Modules::new();
    let mut faults = Vec::new();
    for source in sources() {
        if !PURE.contains(&source.room()) {
            continue;
        }
        for (line, path) in modules.outside(source) {
            let path = path.join("::");
            if IMPURE.iter().any(|impure| path.starts_with(impure)) {
                faults.push(format!("{}:{line}: `{path}` in a pure room", source.name));
            }
        }
    }
    assert_none(&faults);
}

/// What starts a thread, a task or a process outside `daemon/`, and why it may.
const SPAWNS: [(&str, &str); 7] = [
    (
        "src/blocking.rs",
        "is how the edges leave the thread of the checks",
    ),
    (
        "src/cli/check.rs",
        "checks all monitors at the same time, without a daemon",
    ),
    (
        "src/cli/maintenance.rs",
        "runs a command in a window, and holds the window meanwhile",
    ),
    (
        "src/cli/status.rs",
        "reads the database by several connections at the same time",
    ),
    ("src/cli/status_watch.rs", "waits for keys beside the table"),
    ("src/mail/directory.rs", "writes files, which blocks"),
    (
        "src/probe/dns/system.rs",
        "asks the system's resolver, which blocks",
    ),
];

#[test]
fn threads_and_tasks_start_in_the_daemon() {
    let modules = Modules::new();
    let mut faults = Vec::new();
    let mut seen = BTreeSet::new();
    for source in sources() {
        let paths = modules
            .outside(source)
            .into_iter()
            .filter_map(|(line, path)| {
                let last = path.last()?;
                let starts = last.starts_with("spawn") && path.len() > 1
                    || path.ends_with(&["thread".to_owned(), "Builder".to_owned()]);
                starts.then(|| (line, path.join("::")))
            });
        for (line, call) in paths.chain(source.spawns.iter().cloned()) {
            let excused = SPAWNS.iter().find(|(name, _)| *name == source.name);
            if let Some((name, _)) = excused {
                seen.insert(*name);
            } else if source.room() != "daemon" {
                faults.push(format!(
                    "{}:{line}: `{call}` outside src/daemon",
                    source.name
                ));
            }
        }
    }
    for (name, _) in SPAWNS {
        if !seen.contains(name) {
            faults.push(format!("{name} starts nothing"));
        }
    }
    assert_none(&faults);
}
