//! Mutated configurations: no import panics, hangs, or writes what does not load. How long is said in
//! [`crate::fuzz`].

use std::time::Duration;

use sitewatch::clock;

use super::corpus::files;
use super::*;
use crate::fuzz::Run;

/// One file, in a debug build on a busy machine.
const LONGEST: Duration = Duration::from_secs(20);

fn fuzz(group: &str, import: impl Fn(&str, &[Source]) -> Result<Imported, ImportError>) {
    let mut run = Run::new();
    let cases = files(group);
    let corpus: Vec<Vec<u8>> = cases
        .iter()
        .map(|(_, text)| text.clone().into_bytes())
        .collect();
    while run.goes_on() {
        let format = run.dice.pick(&cases).0.clone();
        let text = String::from_utf8_lossy(&run.dice.mutate(&corpus)).into_owned();
        let start = clock::tick();
        let imported = import(&format, &[source(&text)]);
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
    fuzz("gatus", |_, sources| import::gatus(sources));
}

#[test]
fn exports_of_uptime_kuma() {
    fuzz("kuma", |_, sources| import::uptime_kuma(&sources[0].text));
}

#[test]
fn blackbox() {
    fuzz("blackbox", |_, sources| {
        let beside = |_: &str| sources.to_vec();
        import::blackbox(sources, sources, &beside)
    });
}

#[test]
fn lists() {
    fuzz("lists", |format, sources| match format {
        "upptime" => import::upptime(sources),
        "csv" => import::csv(sources),
        "urls" => import::urls(sources),
        "sitemap" => import::sitemap(sources),
        "nginx" => import::nginx(sources, &|_| sources.to_vec()),
        "caddy" => import::caddy(sources),
        _ => import::traefik(sources),
    });
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
