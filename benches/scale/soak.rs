//! Hours or a million checks under load: whether memory, descriptors, files and lateness stay where they are.

use std::time::Duration;

use super::daemon::{Load, Running, Scheme};
use super::table::{lateness, wait};
use super::target::Target;

/// Unless told.
pub const SECONDS: u64 = 3600;

/// So many lines are told on the way.
const LINES: u64 = 12;

/// 5 000 monitors at 10 s: 500 checks a second for so long.
pub fn soak(seconds: u64) {
    let root = tempfile::tempdir().expect("a temporary directory");
    let mut target = Target::start(root.path());
    let load = Load {
        monitors: 5000,
        interval: Duration::from_secs(10),
        scheme: Scheme::Plain,
        concurrency: 512,
        mails: false,
    };
    let running = Running::start(&target, root.path(), &load);
    println!("\n500 checks a second for {seconds} s");
    println!(
        "{:>8} {:>10} {:>9} {:>12} {:>10} {:>26}",
        "s", "checks", "RSS MiB", "descriptors", "files MiB", "late ms p50/p99/max"
    );
    // First checks are made beside the grid.
    wait(Duration::from_secs(12));
    let dump = root.path().join("arrivals");
    let _ = target.arrivals(&dump);
    let step = (seconds / LINES).max(1);
    for line in 1..=LINES {
        wait(Duration::from_secs(step));
        let late = lateness(&target.arrivals(&dump), &load);
        let at = |part: f64| {
            let place = (late.len() as f64 - 1.0) * part;
            late.get(place as usize).copied().unwrap_or(f64::NAN)
        };
        println!(
            "{:>8} {:>10} {:>9.1} {:>12} {:>10.1} {:>26}",
            line * step,
            late.len(),
            running.process.memory_mib("VmRSS"),
            running.process.descriptors(),
            running.files_mib(),
            format!("{:.1} / {:.1} / {:.1}", at(0.5), at(0.99), at(1.0)),
        );
    }
    running.stop();
}

/// So many checks unless told.
pub const CHECKS: u64 = 1_000_000;

/// 16 bytes that each check leaves behind are 14 MiB after the last tenth; the first hour that is settled takes 6 once.
const GROWTH_MIB_MAX: f64 = 8.0;

/// As many checks of 5 000 sites as a core can do: whether memory is as large after the last as after the first tenth.
pub fn flat(checks: u64) -> bool {
    let root = tempfile::tempdir().expect("a temporary directory");
    let mut target = Target::start(root.path());
    let load = Load {
        monitors: 5000,
        interval: Duration::from_secs(1),
        scheme: Scheme::Plain,
        concurrency: 64,
        mails: false,
    };
    let running = Running::start(&target, root.path(), &load);
    println!("\n{checks} checks at full speed");
    println!("{:>10} {:>10} {:>9}", "checks", "RSS MiB", "open");
    let (mut first, mut last) = (None, 0.0);
    let dump = root.path().join("arrivals");
    for tenth in 1..=10 {
        let mut count = target.count();
        while count < checks * tenth / 10 {
            wait(Duration::from_millis(500));
            let before = std::mem::replace(&mut count, target.count());
            assert!(count > before, "no check came in half a second");
        }
        // The target's own list must not grow for as long as this takes.
        let _ = target.arrivals(&dump);
        last = running.process.memory_mib("VmRSS");
        first.get_or_insert(last);
        let open = running.process.descriptors();
        println!("{count:>10} {last:>10.1} {open:>9}");
    }
    running.stop();
    let grown = last - first.unwrap_or(last);
    let is_flat = grown <= GROWTH_MIB_MAX;
    let verdict = if is_flat { "flat" } else { "NOT FLAT" };
    println!("{verdict}: {grown:+.1} MiB after the first tenth, at most {GROWTH_MIB_MAX}");
    is_flat
}
