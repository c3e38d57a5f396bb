//! The tables.

use std::path::Path;
use std::time::Duration;

use sitewatch::clock::tick;
use sitewatch::domain::monitor::MonitorName;
use sitewatch::domain::timestamp::Timestamp;
use sitewatch::policy::schedule::interval_grid::Grid;

use super::bare::{self, Kind, Pace};
use super::daemon::{Load, Running, Scheme, binary};
use super::target::Target;

/// A saturated daemon warms up for so long at least, and until it has checked every site: first checks have more to
/// store.
const WARM_UP: Duration = Duration::from_secs(3);
/// Not longer than this, however slow the machine is.
const WARM_UP_MAX: Duration = Duration::from_secs(60);
/// First checks come within an interval (10 s) of the start: those are over then.
const PACED_WARM_UP: Duration = Duration::from_secs(13);
const WINDOW_SECONDS: u64 = 8;
/// Checks a second of each kind.
const KINDS_PER_SECOND: usize = 2000;
/// Medians of this many windows, the loops taking turns.
const ROUNDS: usize = 5;

/// The head of the one table that all rows belong to.
pub fn head() {
    println!("\n| what | cost | beside it | goal |\n| --- | --- | --- | --- |");
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Lets time pass.
#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark waits for its window to pass"
)]
pub fn wait(duration: Duration) {
    std::thread::sleep(duration);
}

/// CPU microseconds per check and checks a second of the daemon in one window.
fn window(target: &mut Target, running: &Running, seconds: u64) -> (f64, f64) {
    let (checks, cpu) = (target.count(), running.process.cpu());
    wait(Duration::from_secs(seconds));
    let done = (target.count() - checks) as f64;
    let used = (running.process.cpu() - cpu).as_micros() as f64;
    (used / done, done / seconds as f64)
}

/// One kind of check, and what it is compared with.
struct Line<'a> {
    name: &'a str,
    load: Load,
    kind: Kind,
    port: u16,
    /// Name and pace of each bare loop, and the ratio that is wanted.
    loops: &'a [(&'a str, Pace, &'a str)],
}

/// CPU per check (user and system of the whole process), saturated and paced, beside the bare loops.
pub fn cpu() {
    let root = tempfile::tempdir().expect("a temporary directory");
    let mut target = Target::start(root.path());
    let ca = root.path().join("ca.pem");
    let (http, https) = (target.http, target.https);
    let saturated = |scheme| Load {
        monitors: 20_000,
        interval: Duration::from_secs(1),
        scheme,
        concurrency: 64,
        mails: false,
    };
    let paced = Load {
        monitors: 1000,
        interval: Duration::from_secs(10),
        scheme: Scheme::Plain,
        concurrency: 512,
        mails: false,
    };
    let pace = |together| Pace {
        rate: 100,
        together,
    };
    for line in [
        Line {
            name: "plain HTTP by address, saturated",
            load: saturated(Scheme::Plain),
            kind: Kind::Hyper,
            port: http,
            loops: &[("hyper", Pace::SATURATED, "1.5 times")],
        },
        Line {
            name: "plain HTTP by name over DNS, saturated",
            load: saturated(Scheme::Named),
            kind: Kind::Hyper,
            port: http,
            loops: &[],
        },
        Line {
            name: "HTTPS, full handshake, saturated",
            load: saturated(Scheme::Tls),
            kind: Kind::HyperTls,
            port: https,
            loops: &[("hyper over tokio-rustls", Pace::SATURATED, "1.10 times")],
        },
        Line {
            name: "plain HTTP, 100 checks a second",
            load: paced,
            kind: Kind::Hyper,
            port: http,
            loops: &[
                ("hyper, one every 10 ms", pace(1), "1.0 times"),
                ("hyper, five every 50 ms", pace(5), "1.4 times"),
            ],
        },
    ] {
        compare(&mut target, root.path(), &ca, &line);
    }
    let raw: Vec<f64> = (0..ROUNDS)
        .map(|_| bare::measure(Kind::Raw, http, WINDOW_SECONDS, Pace::SATURATED, &ca).0)
        .collect();
    println!(
        "| a raw socket loop, saturated | {:.0} us | | |",
        median(raw)
    );
}

/// Lets a daemon come to rest: see [`WARM_UP`].
fn warm_up(target: &mut Target, load: &Load, before: u64) {
    if load.concurrency > 64 {
        return wait(PACED_WARM_UP);
    }
    wait(WARM_UP);
    let end = tick() + WARM_UP_MAX;
    while target.count() - before < load.monitors as u64 && tick() < end {
        wait(Duration::from_millis(200));
    }
}

/// CPU per check of what is not one request by HTTP, beside one that is: as many of each, below saturation.
pub fn kinds() {
    let root = tempfile::tempdir().expect("a temporary directory");
    let target = Target::start(root.path());
    let mut costs = std::collections::BTreeMap::<&str, Vec<f64>>::new();
    for _ in 0..ROUNDS {
        for (name, scheme) in [
            ("http", Scheme::Plain),
            ("named", Scheme::Named),
            ("each", Scheme::Each),
            ("tcp", Scheme::Tcp),
            ("icmp", Scheme::Ping),
        ] {
            let load = Load {
                monitors: KINDS_PER_SECOND,
                interval: Duration::from_secs(1),
                scheme,
                concurrency: 512,
                mails: false,
            };
            let running = Running::start(&target, root.path(), &load);
            wait(WARM_UP);
            let cpu = running.process.cpu();
            wait(Duration::from_secs(WINDOW_SECONDS));
            let used = (running.process.cpu() - cpu).as_micros() as f64;
            running.stop();
            let checks = (KINDS_PER_SECOND as u64 * WINDOW_SECONDS) as f64;
            costs.entry(name).or_default().push(used / checks);
        }
    }
    let cost = |name| costs.get(name).cloned().map_or(f64::NAN, median);
    let (http, named) = (cost("http"), cost("named"));
    let beside = format!("plain HTTP by address: {http:.0} us");
    for (name, goal) in [("tcp", "half"), ("icmp", "a third")] {
        let us = cost(name);
        println!(
            "| {name} | {us:.0} us | {beside}; {:.2} times | {goal} |",
            us / http
        );
    }
    let more = cost("each") - named;
    println!(
        "| another address of a name | {more:.0} us | plain HTTP by name: {named:.0} us; {:.2} times | 1.05 times |",
        more / named
    );
}

/// One row for each bare loop of a line, daemon and loops taking turns.
fn compare(target: &mut Target, root: &Path, ca: &Path, line: &Line<'_>) {
    let Line {
        name,
        load,
        kind,
        port,
        loops,
    } = line;
    let (mut ours, mut rates) = (vec![], vec![]);
    let mut bares = vec![(vec![], vec![]); loops.len()];
    for _ in 0..ROUNDS {
        let before = target.count();
        let running = Running::start(target, root, load);
        warm_up(target, load, before);
        let (us, per_second) = window(target, &running, WINDOW_SECONDS);
        ours.push(us);
        rates.push(per_second);
        running.stop();
        for ((_, pace, _), (all_us, all_rates)) in loops.iter().zip(&mut bares) {
            let (us, per_second) = bare::measure(*kind, *port, WINDOW_SECONDS, *pace, ca);
            all_us.push(us);
            all_rates.push(per_second);
        }
    }
    let us = median(ours);
    let cost = format!("| {name} | {us:.0} us, {:.0}/s", median(rates));
    if loops.is_empty() {
        println!("{cost} | | |");
    }
    for ((name, _, goal), (all_us, all_rates)) in loops.iter().zip(bares) {
        let (bare_us, rate) = (median(all_us), median(all_rates));
        let ratio = us / bare_us;
        println!("{cost} | {name}: {bare_us:.0} us, {rate:.0}/s; {ratio:.2} times | {goal} |");
    }
}

/// Memory, start, lateness and bytes written, by number of monitors.
pub fn size() {
    let root = tempfile::tempdir().expect("a temporary directory");
    let mut target = Target::start(root.path());
    for (monitors, scheme, goal) in [
        (10, Scheme::Plain, "14 MiB"),
        (1000, Scheme::Plain, "16 MiB"),
        (10_000, Scheme::Tls, "32 MiB"),
        (100_000, Scheme::Plain, "140 MiB, READY after 1.5 s"),
    ] {
        let interval = Duration::from_secs(if monitors > 1000 { 60 } else { 10 });
        let load = Load {
            monitors,
            interval,
            scheme,
            concurrency: 512,
            mails: false,
        };
        let running = Running::start(&target, root.path(), &load);
        // Each first check comes soon after the start, beside the grid; what counts comes after them and the first slots.
        wait(Duration::from_secs(if monitors > 1000 { 75 } else { 12 }));
        let seconds = if monitors > 1000 { 60 } else { 30 };
        report(&mut target, root.path(), &running, &load, (seconds, goal));
        running.stop();
    }
    let megabytes = std::fs::metadata(binary()).map_or(f64::NAN, |file| file.len() as f64 / 1e6);
    println!("| the program | {megabytes:.2} MB on disk | | 14 MB |");
}

/// The healthy half beside a silent half, which waits until its deadline.
pub fn late() {
    let root = tempfile::tempdir().expect("a temporary directory");
    let mut target = Target::start(root.path());
    for (monitors, scheme) in [(1000, Scheme::Plain), (2000, Scheme::HalfDead)] {
        let load = Load {
            monitors,
            interval: Duration::from_secs(20),
            scheme,
            concurrency: 512,
            mails: false,
        };
        let running = Running::start(&target, root.path(), &load);
        wait(Duration::from_secs(45));
        report(&mut target, root.path(), &running, &load, (40, ""));
        running.stop();
    }
}

/// One row for so many seconds of a daemon.
fn report(
    target: &mut Target,
    root: &Path,
    running: &Running,
    load: &Load,
    (seconds, goal): (u64, &str),
) {
    let dump = root.join("arrivals");
    target.arrivals(&dump);
    let (written, cpu) = (running.process.written(), running.process.cpu());
    wait(Duration::from_secs(seconds));
    let arrivals = target.arrivals(&dump);
    let used = (running.process.cpu() - cpu).as_secs_f64() / seconds as f64 * 100.0;
    let bytes = (running.process.written() - written) as f64 / arrivals.len() as f64;
    let lateness = lateness(&arrivals, load);
    let at = |part: f64| {
        lateness
            .get(((lateness.len() as f64 - 1.0) * part) as usize)
            .copied()
            .unwrap_or(f64::NAN)
    };
    let what = match load.scheme {
        Scheme::Plain => "http",
        Scheme::Named => "named",
        Scheme::Tls => "https",
        Scheme::Each => "each address",
        Scheme::Tcp => "tcp",
        Scheme::Ping => "icmp",
        Scheme::HalfDead => "half of them silent",
    };
    println!(
        "| {} monitors, {what}, every {} s | {:.1} MiB (peak {:.1}), READY after {:.0} ms, {used:.1} % of a core, \
         {bytes:.0} B written a check | late {:.1} / {:.1} / {:.1} ms (p50, p99, max), fullest 100 ms {:.2} times the \
         mean | {goal} |",
        load.monitors,
        load.interval.as_secs(),
        running.process.memory_mib("VmRSS"),
        running.process.memory_mib("VmHWM"),
        running.ready.as_secs_f64() * 1000.0,
        at(0.5),
        at(0.99),
        at(1.0),
        evenness(&arrivals),
    );
}

/// Milliseconds from each slot of the grid to the connection seen at the target, sorted.
pub fn lateness(arrivals: &[(f64, usize)], load: &Load) -> Vec<f64> {
    let mut late: Vec<f64> = arrivals
        .iter()
        .map(|(at, number)| {
            let name = MonitorName::parse(&format!("site{number}")).expect("a plain name");
            let grid = Grid::new(&name, load.interval);
            at - grid.last_until(Timestamp::from_ms(*at as i64)).as_ms() as f64
        })
        .collect();
    late.sort_by(f64::total_cmp);
    late
}

/// The fullest 100 ms against the mean of all.
fn evenness(arrivals: &[(f64, usize)]) -> f64 {
    let mut bins = std::collections::BTreeMap::<i64, u64>::new();
    for (at, _) in arrivals {
        *bins.entry((at / 100.0) as i64).or_default() += 1;
    }
    let (Some(first), Some(last)) = (bins.keys().next(), bins.keys().next_back()) else {
        return f64::NAN;
    };
    let mean = arrivals.len() as f64 / (last - first + 1) as f64;
    bins.values().copied().max().unwrap_or(0) as f64 / mean
}
