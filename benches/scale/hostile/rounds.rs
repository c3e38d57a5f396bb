//! 1 000 healthy monitors at 2 s, alone, beside one hostile monitor of a kind and beside ten of them. When checks begin
//! is what the daemon itself recorded, so that a target which is short of processor time does not count as lateness of
//! the monitor.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use sitewatch::domain::monitor::MonitorName;
use sitewatch::domain::timestamp::Timestamp;
use sitewatch::policy::schedule::interval_grid::Grid;

use super::super::daemon::{Load, Running, Scheme};
use super::super::table::wait;
use super::super::target::Target;
use super::held::{self, Held};
use super::kinds::{KINDS, TIMEOUT_MS, monitor};
use super::peers::Peers;

const HEALTHY: usize = 1000;
const INTERVAL: Duration = Duration::from_secs(2);
/// Each monitor has had its first check, and the hostile ones theirs.
const WARM_UP: Duration = Duration::from_millis(2200);
/// One or two checks of each.
const WINDOW: Duration = Duration::from_secs(3);
/// Medians of this many runs of each, taking turns.
pub const ROUNDS: usize = 5;
/// The healthy ones run alone before each so many kinds: it is the same for all.
const KINDS_PER_ALONE: usize = 3;

/// What one run showed of the healthy monitors.
#[derive(Debug, Clone, Copy)]
struct Seen {
    p50: f64,
    p99: f64,
    max: f64,
    not_up: f64,
    peak_mib: f64,
    /// By which a hostile check outlasted its timeout.
    overrun: f64,
}

/// What all rounds showed of one kind.
struct Row {
    kind: usize,
    port: u16,
    /// Beside one, beside ten.
    runs: [(usize, Vec<Seen>); 2],
    held: Held,
}

/// All kinds, or those whose name holds the given words. Prints one table at the end.
pub fn hostile(words: Option<&str>, rounds: usize) {
    let root = tempfile::tempdir().expect("a temporary directory");
    let root = root.path();
    let target = Target::start(root);
    let peers = Peers::start(root);
    let mut rows: Vec<Row> = Vec::new();
    for (kind, port) in peers.ports.iter().enumerate() {
        let name = KINDS[kind].name;
        if words.is_none_or(|words| words == "all" || name.contains(words)) {
            rows.push(Row {
                kind,
                port: *port,
                runs: [(1, Vec::new()), (10, Vec::new())],
                held: Held::default(),
            });
        }
    }
    let mut alone = Vec::new();
    for round in 1..=rounds {
        for (place, row) in rows.iter_mut().enumerate() {
            eprintln!("round {round} of {rounds}: {}", KINDS[row.kind].name);
            if place % KINDS_PER_ALONE == 0 {
                alone.push(one_run(&target, root, ""));
            }
            for (count, seen) in &mut row.runs {
                let more: String = (0..*count)
                    .map(|number| monitor(&KINDS[row.kind], root, row.port, number))
                    .collect();
                seen.push(one_run(&target, root, &more));
            }
        }
    }
    for row in &mut rows {
        eprintln!("the thread: {}", KINDS[row.kind].name);
        row.held = held::measure(root, row.kind, row.port);
    }
    println!("{}", table(&alone, &rows, rounds));
}

fn table(alone: &[Seen], rows: &[Row], rounds: usize) -> String {
    let mut text = format!(
        "{HEALTHY} healthy monitors every {INTERVAL:?} beside hostile ones, medians of {rounds} runs by turns\n\n\
         | beside | | late p50 / p99 / max ms | not up | peak MiB | overrun ms | thread held ms |\n\
         | --- | ---: | --- | ---: | ---: | ---: | ---: |\n| nobody | 0 | {} | | |\n",
        figures(alone)
    );
    for row in rows {
        let name = KINDS[row.kind].name;
        for (count, seen) in &row.runs {
            let overrun = match count {
                1 => median(seen, |seen| seen.overrun),
                _ => median(seen, |seen| seen.overrun).max(row.held.overrun_ms),
            };
            let held = match count {
                1 => String::new(),
                _ => format!("{:.2}", row.held.poll_ms),
            };
            let _ = writeln!(
                text,
                "| {name} | {count} | {} | {overrun:.0} | {held} |",
                figures(seen)
            );
        }
    }
    text
}

/// Lateness, checks that were not up in all runs, and the peak of memory.
fn figures(seen: &[Seen]) -> String {
    format!(
        "{:.1} / {:.1} / {:.1} | {:.0} | {:.0}",
        median(seen, |seen| seen.p50),
        median(seen, |seen| seen.p99),
        median(seen, |seen| seen.max),
        seen.iter().map(|seen| seen.not_up).sum::<f64>(),
        median(seen, |seen| seen.peak_mib)
    )
}

fn median(seen: &[Seen], of: fn(&Seen) -> f64) -> f64 {
    let mut values: Vec<f64> = seen.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn one_run(target: &Target, root: &Path, more: &str) -> Seen {
    let load = Load {
        monitors: HEALTHY,
        interval: INTERVAL,
        scheme: Scheme::Plain,
        concurrency: 512,
        mails: false,
    };
    let running = Running::start_with(target, root, &load, more);
    wait(WARM_UP + WINDOW);
    let peak_mib = running.process.memory_mib("VmHWM");
    let database = running.stop_and_keep();
    let seen = read(&database, peak_mib);
    let _ = std::fs::remove_dir_all(database.parent().expect("it lies in a directory"));
    seen
}

fn read(database: &Path, peak_mib: f64) -> Seen {
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .expect("the daemon left a database");
    let mut statement = connection
        .prepare(
            "SELECT monitors.name, journal.at, journal.state, journal.total_us
             FROM journal JOIN monitors ON monitors.id = journal.monitor_id ORDER BY journal.at",
        )
        .expect("the journal's columns");
    let rows = statement
        .query_map([], |row| {
            Ok((
                row.get::<_, String>(0)?,
                row.get::<_, i64>(1)?,
                row.get::<_, i64>(2)?,
                row.get::<_, f64>(3)?,
            ))
        })
        .expect("readable");
    let rows: Vec<_> = rows.collect::<Result<_, _>>().expect("readable");
    let begin = rows.first().map_or(0, |row| row.1) + WARM_UP.as_millis() as i64;
    let (mut late, mut not_up, mut overrun) = (Vec::new(), 0.0, 0.0_f64);
    for (name, at, state, total_us) in &rows {
        if name.starts_with("hostile") {
            overrun = overrun.max(total_us / 1000.0 - f64::from(TIMEOUT_MS));
            continue;
        }
        if *state != 0 {
            not_up += 1.0;
        }
        if *at >= begin {
            let grid = Grid::new(&MonitorName::parse(name).expect("a plain name"), INTERVAL);
            late.push((at - grid.last_until(Timestamp::from_ms(*at)).as_ms()) as f64);
        }
    }
    late.sort_by(f64::total_cmp);
    let part = |part: f64| {
        let place = ((late.len() as f64 - 1.0) * part) as usize;
        late.get(place).copied().unwrap_or(f64::NAN)
    };
    Seen {
        p50: part(0.5),
        p99: part(0.99),
        max: part(1.0),
        not_up,
        peak_mib,
        overrun,
    }
}
