//! A list of 100 000 sites in which one line changes.

use std::path::Path;
use std::time::Duration;

use sitewatch::clock::{now, tick};

use super::daemon::{Load, Running, Scheme};
use super::table::{lateness, wait};
use super::target::Target;

/// As many entries as a list may be expected to have.
const ENTRIES: usize = 100_000;
/// How often each is checked.
const INTERVAL: Duration = Duration::from_secs(60);
/// Each first check comes beside the grid; those are over after this.
const WARM_UP: Duration = Duration::from_secs(90);
/// One turn of every monitor.
const TURN: Duration = Duration::from_secs(61);
/// How often one line is added.
const ROUNDS: usize = 3;
/// A check may be moved by this much.
const MOVED_MS: f64 = 50.0;

/// Prints how long a new line takes until its site is checked, and how late the others are before and after.
pub fn list() {
    let root = tempfile::tempdir().expect("a temporary directory");
    let mut target = Target::start(root.path());
    let file = root.path().join("list.txt");
    write(&file, target.http, ENTRIES);
    let source = format!(
        "[[source]]\nfile = \"{}\"\nrefresh = \"1s\"\n",
        file.display()
    );
    let load = Load {
        monitors: 0,
        interval: INTERVAL,
        scheme: Scheme::Plain,
        concurrency: 512,
        mails: false,
    };
    let running = Running::start_with(&target, root.path(), &load, &source);
    wait(WARM_UP);
    println!(
        "\n| a list of {ENTRIES} sites, each every 60 s | late p50 / p99 / max | later than 50 ms |"
    );
    println!("| --- | --- | --- |");
    let dump = root.path().join("arrivals");
    target.arrivals(&dump);
    wait(TURN);
    row("nothing changes", &target.arrivals(&dump), &load);
    for round in 0..ROUNDS {
        let added = ENTRIES + round;
        let began = now().as_ms() as f64;
        write(&file, target.http, added + 1);
        let end = tick() + TURN;
        while tick() < end {
            wait(Duration::from_millis(500));
        }
        let arrivals = target.arrivals(&dump);
        let first = arrivals.iter().find(|(_, path)| *path == added);
        let what = match first {
            Some((at, _)) => format!(
                "one line more: its first check {:.0} ms after the file",
                at - began
            ),
            None => "one line more: it was not checked".to_owned(),
        };
        let others: Vec<_> = arrivals
            .into_iter()
            .filter(|(_, path)| *path != added)
            .collect();
        row(&what, &others, &load);
    }
    println!(
        "\n{:.1} MiB (peak {:.1}), READY after {:.0} ms",
        running.process.memory_mib("VmRSS"),
        running.process.memory_mib("VmHWM"),
        running.ready.as_secs_f64() * 1000.0,
    );
    running.stop();
}

/// A list is replaced as a whole, as a careful program does it.
fn write(file: &Path, port: u16, entries: usize) {
    use std::fmt::Write as _;
    let mut text = String::new();
    for number in 0..entries {
        let _ = writeln!(text, "http://127.0.0.1:{port}/{number} site{number}");
    }
    let beside = file.with_extension("new");
    std::fs::write(&beside, text).expect("written");
    std::fs::rename(&beside, file).expect("renamed");
}

fn row(what: &str, arrivals: &[(f64, usize)], load: &Load) {
    let late = lateness(arrivals, load);
    let at = |part: f64| {
        let index = ((late.len() as f64 - 1.0) * part) as usize;
        late.get(index).copied().unwrap_or(f64::NAN)
    };
    let moved = late.iter().filter(|late| **late > MOVED_MS).count();
    println!(
        "| {what} | {:.1} / {:.1} / {:.1} ms | {moved} of {} |",
        at(0.5),
        at(0.99),
        at(1.0),
        late.len()
    );
}
