//! Mutated configurations: no import panics, hangs, or writes what does not load. How long is said in
//! [`crate::fuzz`].

use std::time::Duration;

use sitewatch::clock;

use super::corpus::files;
use super::*;
use crate::fuzz::Run;

/// One file, in a debug build on a busy machine.
const LONGEST: Duration = Duration::from_secs(20);

fn fuzz(group: &str, import: impl Fn(&[Source]) -> Result<Imported, ImportError>) {
    fuzz_texts(files(group), import);
}

/// One of the formats of the group of lists; what other formats look like is given to it as well.
fn fuzz_list(format: &str, import: impl Fn(&[Source]) -> Result<Imported, ImportError>) {
    let (own, mut all): (Vec<_>, Vec<_>) = files("lists")
        .into_iter()
        .partition(|(name, _)| name == format);
    assert!(!own.is_empty(), "no case of {format}");
    // Three of four beginnings are of the format itself.
    let wanted = all.len() * 4;
    while all.len() < wanted {
        all.extend(own.iter().cloned());
    }
    fuzz_texts(all, import);
}

fn fuzz_texts(
    cases: Vec<(String, String)>,
    import: impl Fn(&[Source]) -> Result<Imported, ImportError>,
) {
    let mut run = Run::new();
    let corpus: Vec<Vec<u8>> = cases
        .into_iter()
        .map(|(_, text)| text.into_bytes())
        .collect();
    while run.goes_on() {
        let text = String::from_utf8_lossy(&run.dice.mutate(&corpus)).into_owned();
        let start = clock::tick();
        let imported = import(&[source(&text)]);
        let took = clock::tick() - start;
        assert!(took < LONGEST, "{took:?}: {text}");
        match imported {
            Ok(imported) if imported.variables.is_empty() && imported.monitors < 500 => {
                loaded(&imported);
            }
            Ok(_) => {}
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

#[test]
fn gatus() {
    fuzz("gatus", import::gatus);
}

#[test]
fn exports_of_uptime_kuma() {
    fuzz("kuma", |sources| import::uptime_kuma(&sources[0].text));
}

#[test]
fn blackbox() {
    fuzz("blackbox", |sources| {
        let beside = |_: &str| sources.to_vec();
        import::blackbox(sources, sources, &beside)
    });
}

#[test]
fn upptime() {
    fuzz_list("upptime", import::upptime);
}

#[test]
fn csv() {
    fuzz_list("csv", import::csv);
}

#[test]
fn urls() {
    fuzz_list("urls", import::urls);
}

#[test]
fn sitemap() {
    fuzz_list("sitemap", import::sitemap);
}

#[test]
fn nginx() {
    fuzz_list("nginx", |sources| {
        import::nginx(sources, &|_| sources.to_vec())
    });
}

#[test]
fn caddy() {
    fuzz_list("caddy", import::caddy);
}

#[test]
fn traefik() {
    fuzz_list("traefik", import::traefik);
}

#[test]
fn databases() {
    let mut run = Run::new();
    let directory = tempfile::tempdir().unwrap();
    let corpus: Vec<Vec<u8>> = files("kuma")
        .into_iter()
        .filter(|(name, _)| name == "sql")
        .enumerate()
        .map(|(number, (_, script))| {
            let path = directory.path().join(format!("{number}.db"));
            rusqlite::Connection::open(&path)
                .unwrap()
                .execute_batch(&script)
                .unwrap();
            std::fs::read(&path).unwrap()
        })
        .collect();
    assert!(!corpus.is_empty());
    let path = directory.path().join("kuma.db");
    while run.goes_on() {
        std::fs::write(&path, run.dice.mutate(&corpus)).unwrap();
        let start = clock::tick();
        if let Ok(export) = sitewatch::store::file::kuma::read(&path)
            && let Ok(imported) = import::uptime_kuma_value(&export)
            && imported.variables.is_empty()
        {
            loaded(&imported);
        }
        assert!(clock::tick() - start < LONGEST);
    }
}
