//! Past the limit: more is wanted than one core can do. What is told: how often each site still gets its turn, what is
//! left out, whether memory stays, and how long an alert takes meanwhile.

use std::path::Path;
use std::time::Duration;

use sitewatch::clock::{self, tick};

use super::daemon::{Load, Running, Scheme};
use super::table::wait;
use super::target::Target;

/// Three times what a core did on one machine, half as much again as on another.
const MONITORS: usize = 30_000;
const INTERVAL: Duration = Duration::from_secs(2);

/// Unless told. It takes five before a mail says that checks are late.
pub const MINUTES: u64 = 8;

const MINUTE: Duration = Duration::from_secs(60);

/// So many sites begin to fail: as many as `group_limit` lets have a mail each.
const FAILING: usize = 3;
/// After this many minutes.
const FAIL_AFTER: u64 = 2;

/// Too much for so long, then the same failures with next to nothing to do.
pub fn past(minutes: u64) {
    let told = run(MONITORS, minutes);
    println!("status meanwhile: {}", told.status);
    println!("mails that say so: {}", told.late_mails);
    println!("from a site's first 503 to its mail: {}", told.alert);
    let calm = run(300, FAIL_AFTER + 1);
    println!("from a site's first 503 to its mail: {}", calm.alert);
}

struct Told {
    status: String,
    late_mails: usize,
    alert: String,
}

fn run(monitors: usize, minutes: u64) -> Told {
    println!("\n{monitors} monitors every {INTERVAL:?} on one core, for {minutes} minutes");
    println!(
        "{:>8} {:>9} {:>11} {:>24} {:>13} {:>8} {:>11}",
        "s",
        "checks/s",
        "left out/s",
        "a site's turn s p50/max",
        "without turn",
        "RSS MiB",
        "descriptors"
    );
    let root = tempfile::tempdir().expect("a temporary directory");
    let mut target = Target::start(root.path());
    let load = Load {
        monitors,
        interval: INTERVAL,
        scheme: Scheme::Plain,
        concurrency: 512,
        mails: true,
    };
    let running = Running::start(&target, root.path(), &load);
    let dump = root.path().join("arrivals");
    let mut newest = vec![None; monitors];
    let mut first_503 = [None; FAILING];
    let (mut failing_since, mut left_out) = (f64::INFINITY, 0);
    let began = tick();
    let mut before = began;
    for minute in 1..=minutes {
        wait(MINUTE);
        let arrivals = target.arrivals(&dump);
        let seconds = (tick() - before).as_secs_f64();
        before = tick();
        let mut turns = Vec::with_capacity(arrivals.len());
        let mut had_turn = vec![false; monitors];
        for (at, number) in &arrivals {
            if let Some(first) = first_503.get_mut(*number)
                && *at >= failing_since
            {
                first.get_or_insert(*at);
            }
            if let Some(newest) = newest.get_mut(*number) {
                turns.extend(
                    newest
                        .replace(*at)
                        .map(|before: f64| (at - before) / 1000.0),
                );
                had_turn[*number] = true;
            }
        }
        turns.sort_by(f64::total_cmp);
        let at = |part: f64| {
            let place = (turns.len() as f64 - 1.0) * part;
            turns.get(place as usize).copied().unwrap_or(f64::NAN)
        };
        let told = left_out_in(&running.status());
        println!(
            "{:>8.0} {:>9.0} {:>11} {:>24} {:>13} {:>8.1} {:>11}",
            (tick() - began).as_secs_f64(),
            arrivals.len() as f64 / seconds,
            told.map_or_else(
                || "-".to_owned(),
                |told| format!("{:.0}", told.saturating_sub(left_out) as f64 / seconds)
            ),
            format!("{:.1} / {:.1}", at(0.5), at(1.0)),
            had_turn.iter().filter(|had_turn| !**had_turn).count(),
            running.process.memory_mib("VmRSS"),
            running.process.descriptors(),
        );
        left_out = told.unwrap_or(left_out);
        if minute == FAIL_AFTER {
            failing_since = clock::now().as_ms() as f64;
            target.fail(FAILING);
        }
    }
    let mails = Mails::read(&running.mails());
    let told = Told {
        status: running.status(),
        late_mails: mails.about("Checks cannot keep up").len(),
        alert: delays(&first_503, &mails),
    };
    running.stop();
    told
}

/// The number in `(123 slots missed since the start)` of the unit's status, which says it while checks are late.
fn left_out_in(status: &str) -> Option<u64> {
    let (before, _) = status.split_once(" slots missed")?;
    before.rsplit('(').next()?.parse().ok()
}

/// From the first request that was answered with 503 to the first mail about its site after it.
fn delays(first_503: &[Option<f64>], mails: &Mails) -> String {
    let delays = first_503.iter().zip(0_usize..).map(|(first, number)| {
        let mails = mails.about(&format!("X-Sitewatch-Monitor: site{number}\r\n"));
        let delay =
            first.and_then(|first| Some(mails.into_iter().find(|at| *at >= first)? - first));
        delay.map_or_else(|| "none".to_owned(), |ms| format!("{:.1} s", ms / 1000.0))
    });
    delays.collect::<Vec<_>>().join(", ")
}

/// When each mail was written (milliseconds since the epoch), and its text; oldest first.
struct Mails(Vec<(f64, String)>);

impl Mails {
    fn read(directory: &Path) -> Self {
        let files = std::fs::read_dir(directory).into_iter().flatten().flatten();
        let mails = files.filter_map(|file| {
            let written = file.metadata().ok()?.modified().ok()?;
            let since = written.duration_since(std::time::UNIX_EPOCH).ok()?;
            let text = std::fs::read_to_string(file.path()).ok()?;
            Some((since.as_secs_f64() * 1000.0, text))
        });
        let mut mails: Vec<(f64, String)> = mails.collect();
        mails.sort_by(|a, b| a.0.total_cmp(&b.0));
        Self(mails)
    }

    fn about(&self, words: &str) -> Vec<f64> {
        let about = self.0.iter().filter(|(_, text)| text.contains(words));
        about.map(|(at, _)| *at).collect()
    }
}
