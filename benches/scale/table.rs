//! The tables.

use std::path::Path;
use std::time::Duration;

use sitewatch::domain::monitor::MonitorName;
use sitewatch::domain::timestamp::Timestamp;
use sitewatch::policy::grid::Grid;

use super::bare::{self, Kind, Pace};
use super::daemon::{Load, Running, Scheme};
use super::target::Target;

/// A warm-up, then this long counts.
const WARM_UP: Duration = Duration::from_secs(3);
/// First checks come within an interval (10 s) of the start and have more to store: those are over then.
const PACED_WARM_UP: Duration = Duration::from_secs(13);
const WINDOW_SECONDS: u64 = 8;
/// Medians of this many windows, the loops taking turns.
const ROUNDS: usize = 3;
/// What is paced depends on how the machine wakes up, which changes from one window to the next.
const PACED_ROUNDS: usize = 7;

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

/// CPU per check, saturated and paced, beside the bare loops.
pub fn cpu() {
    let root = tempfile::tempdir().expect("a temporary directory");
    let mut target = Target::start(root.path());
    let ca = root.path().join("ca.pem");
    println!(
        "\nCPU per check (user + system of the whole process, one core), medians of {ROUNDS}, paced {PACED_ROUNDS}"
    );
    println!(
        "{:<34} {:>10} {:>10} {:>8}",
        "", "us/check", "checks/s", "ratio"
    );
    let saturated = |scheme| Load {
        monitors: 20_000,
        interval: Duration::from_secs(1),
        scheme,
        concurrency: 64,
        mails: false,
    };
    let bare = [("bare hyper loop", Pace::SATURATED)];
    for (name, scheme, kind, paces) in [
        (
            "plain HTTP by address",
            Scheme::Plain,
            Kind::Hyper,
            &bare[..],
        ),
        (
            "plain HTTP by name over DNS",
            Scheme::Named,
            Kind::Hyper,
            &[],
        ),
        ("HTTPS, full handshake", Scheme::Tls, Kind::HyperTls, &bare),
    ] {
        let port = if scheme == Scheme::Tls {
            target.https
        } else {
            target.http
        };
        compare(
            &mut target,
            root.path(),
            &ca,
            &saturated(scheme),
            (name, kind, port, paces),
        );
    }
    let raw: Vec<f64> = (0..ROUNDS)
        .map(|_| bare::measure(Kind::Raw, target.http, WINDOW_SECONDS, Pace::SATURATED, &ca).0)
        .collect();
    println!("{:<34} {:>10.0}", "  raw socket loop", median(raw));
    let paced = Load {
        monitors: 1000,
        interval: Duration::from_secs(10),
        scheme: Scheme::Plain,
        concurrency: 512,
        mails: false,
    };
    let port = target.http;
    let pace = |together| Pace {
        rate: 100,
        together,
    };
    compare(
        &mut target,
        root.path(),
        &ca,
        &paced,
        (
            "paced, 100 checks/s",
            Kind::Hyper,
            port,
            &[
                ("bare hyper loop, evenly", pace(1)),
                ("bare hyper loop, in fives", pace(5)),
            ],
        ),
    );
}

/// One line for the daemon and one for each of its bare loops, taking turns.
fn compare(
    target: &mut Target,
    root: &Path,
    ca: &Path,
    load: &Load,
    line: (&str, Kind, u16, &[(&str, Pace)]),
) {
    let (name, kind, port, paces) = line;
    let (mut ours, mut rates) = (vec![], vec![]);
    let mut bares = vec![(vec![], vec![]); paces.len()];
    let (rounds, warm_up) = if paces.iter().any(|(_, pace)| pace.rate > 0) {
        (PACED_ROUNDS, PACED_WARM_UP)
    } else {
        (ROUNDS, WARM_UP)
    };
    for _ in 0..rounds {
        let running = Running::start(target, root, load);
        wait(warm_up);
        let (us, per_second) = window(target, &running, WINDOW_SECONDS);
        ours.push(us);
        rates.push(per_second);
        running.stop();
        for ((_, pace), (all_us, all_rates)) in paces.iter().zip(&mut bares) {
            let (us, per_second) = bare::measure(kind, port, WINDOW_SECONDS, *pace, ca);
            all_us.push(us);
            all_rates.push(per_second);
        }
    }
    let us = median(ours);
    println!("{name:<34} {us:>10.0} {:>10.0}", median(rates));
    for ((name, _), (all_us, all_rates)) in paces.iter().zip(bares) {
        let bare_us = median(all_us);
        println!(
            "  {name:<32} {bare_us:>10.0} {:>10.0} {:>8.2}",
            median(all_rates),
            us / bare_us
        );
    }
}

/// Memory, start, lateness and bytes written, by number of monitors.
pub fn size() {
    let root = tempfile::tempdir().expect("a temporary directory");
    let mut target = Target::start(root.path());
    println!("\nBy number of monitors (interval 60 s, 10 s for up to 1 000)");
    println!(
        "{:>9} {:<6} {:>9} {:>9} {:>9} {:>8} {:>26} {:>9} {:>12}",
        "monitors",
        "",
        "ready ms",
        "RSS MiB",
        "peak MiB",
        "core %",
        "late ms p50/p99/max",
        "evenness",
        "bytes/check"
    );
    for (monitors, scheme) in [
        (10, Scheme::Plain),
        (1000, Scheme::Plain),
        (10_000, Scheme::Tls),
        (100_000, Scheme::Plain),
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
        report(
            &mut target,
            root.path(),
            &running,
            &load,
            if monitors > 1000 { 60 } else { 30 },
        );
        running.stop();
    }
}

/// The healthy half beside a silent half.
pub fn late() {
    let root = tempfile::tempdir().expect("a temporary directory");
    let mut target = Target::start(root.path());
    println!(
        "\nHalf of 2 000 monitors silent until their deadline (10 s), beside 1 000 healthy alone (interval 20 s)"
    );
    println!(
        "{:>9} {:<6} {:>9} {:>9} {:>9} {:>8} {:>26} {:>9} {:>12}",
        "monitors",
        "",
        "ready ms",
        "RSS MiB",
        "peak MiB",
        "core %",
        "late ms p50/p99/max",
        "evenness",
        "bytes/check"
    );
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
        report(&mut target, root.path(), &running, &load, 40);
        running.stop();
    }
}

fn report(target: &mut Target, root: &Path, running: &Running, load: &Load, seconds: u64) {
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
        Scheme::HalfDead => "half",
    };
    println!(
        "{:>9} {what:<6} {:>9.0} {:>9.1} {:>9.1} {used:>8.1} {:>26} {:>9.2} {bytes:>12.0}",
        load.monitors,
        running.ready.as_secs_f64() * 1000.0,
        running.process.memory_mib("VmRSS"),
        running.process.memory_mib("VmHWM"),
        format!("{:.1} / {:.1} / {:.1}", at(0.5), at(0.99), at(1.0)),
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
