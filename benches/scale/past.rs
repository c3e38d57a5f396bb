//! Past the limit: more is wanted than one core can do. What is told: how often each site still gets its turn, what is
//! left out, whether memory stays, and how long an alert takes meanwhile.

use std::path::Path;
use std::time::Duration;

use sitewatch::clock;

use super::daemon::{Load, Running, Scheme};
use super::table::wait;
use super::target::Target;

/// About three times what a core does.
const MONITORS: usize = 30_000;
const INTERVAL: Duration = Duration::from_secs(2);

/// Unless told.
pub const SECONDS: u64 = 480;

/// One line a minute.
const LINE_SECONDS: u64 = 60;

/// So many sites begin to fail, few enough for a mail each.
const FAILING: usize = 3;
/// After this many lines.
const FAIL_AT_LINE: u64 = 2;

/// Three times too much for so long, then the same failures with next to nothing to do.
pub fn past(seconds: u64) {
    println!("\n{MONITORS} monitors every {INTERVAL:?} on one core, for {seconds} s");
    println!(
        "{:>8} {:>9} {:>9} {:>24} {:>8} {:>11}",
        "s", "checks/s", "missed/s", "a site's turn s p50/max", "RSS MiB", "descriptors"
    );
    let told = run(MONITORS, seconds);
    println!("status meanwhile: {}", told.status);
    println!(
        "mails that say so: {} in {seconds} s; slots left out {}, checks {}",
        told.late_mails, told.missed, told.checks
    );
    println!("from a site's first 503 to its mail: {}", told.alert);
    println!("\n300 monitors every {INTERVAL:?}, the same failures");
    let calm = run(300, (FAIL_AT_LINE + 1) * LINE_SECONDS);
    println!("from a site's first 503 to its mail: {}", calm.alert);
}

struct Told {
    status: String,
    late_mails: usize,
    missed: u64,
    checks: usize,
    alert: String,
}

fn run(monitors: usize, seconds: u64) -> Told {
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
    let (mut failing_since, mut checks, mut missed) = (f64::INFINITY, 0, 0);
    for line in 1..=seconds.div_ceil(LINE_SECONDS) {
        wait(Duration::from_secs(LINE_SECONDS));
        let arrivals = target.arrivals(&dump);
        checks += arrivals.len();
        let mut turns = Vec::with_capacity(arrivals.len());
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
            }
        }
        turns.sort_by(f64::total_cmp);
        let at = |part: f64| {
            let place = (turns.len() as f64 - 1.0) * part;
            turns.get(place as usize).copied().unwrap_or(f64::NAN)
        };
        let now_missed = missed_in(&running.status());
        println!(
            "{:>8} {:>9} {:>9} {:>24} {:>8.1} {:>11}",
            line * LINE_SECONDS,
            arrivals.len() as u64 / LINE_SECONDS,
            (now_missed.max(missed) - missed) / LINE_SECONDS,
            format!("{:.1} / {:.1}", at(0.5), at(1.0)),
            running.process.memory_mib("VmRSS"),
            running.process.descriptors(),
        );
        missed = now_missed.max(missed);
        if line == FAIL_AT_LINE {
            target.fail(FAILING);
            failing_since = clock::now().as_ms() as f64;
        }
    }
    let mails = Mails::read(&running.mails());
    let told = Told {
        status: running.status(),
        late_mails: mails.about("Checks cannot keep up").len(),
        missed,
        checks,
        alert: delays(&first_503, &mails),
    };
    running.stop();
    told
}

/// The number in `(123 slots missed since the start)` of the unit's status.
fn missed_in(status: &str) -> u64 {
    let number = status
        .split_once(" slots missed")
        .and_then(|(before, _)| before.rsplit('(').next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn delays(first_503: &[Option<f64>], mails: &Mails) -> String {
    let delays = first_503
        .iter()
        .zip(0..)
        .map(|(first, number): (_, usize)| {
            let mail = mails.about(&format!("X-Sitewatch-Monitor: site{number}\r\n"));
            match (first, mail.first()) {
                (Some(first), Some(written)) => format!("{:.1} s", (written - first) / 1000.0),
                _ => "none".to_owned(),
            }
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
