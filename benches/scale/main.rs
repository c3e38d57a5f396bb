//! The whole monitor under load: the release binary against a thin target of its own, beside a bare hyper loop and a
//! raw socket loop that do the same work.
//!
//! ```text
//! cargo bench --bench scale                     # cpu, kinds, size and late, about 23 minutes
//! cargo bench --bench scale -- cpu              # CPU per check, saturated and paced: 9 minutes
//! cargo bench --bench scale -- size             # memory, start and lateness by number of monitors: 6 minutes
//! cargo bench --bench scale -- late             # lateness, half of the sites dead: 3 minutes
//! cargo bench --bench scale -- kinds            # CPU per check of ports, pings and further addresses: 5 minutes
//! cargo bench --bench scale -- flat [CHECKS]    # memory over a million checks at full speed: 4 minutes
//! cargo bench --bench scale -- list             # one line of a list of 100 000 sites changes: 6 minutes
//! cargo bench --bench scale -- locations [MINUTES] # a hub with three locations over nats-server, 10 minutes unless told
//! cargo bench --bench scale -- past [MINUTES]   # too much for a core, 8 minutes unless told, then 3 of calm
//! cargo bench --bench scale -- soak [SECONDS]   # 500 checks a second, an hour unless told
//! cargo bench --bench scale -- hostile [WORDS [ROUNDS]]  # healthy sites beside hostile ones, 50 minutes for all kinds
//! ```
//!
//! The first four may be named together; their rows are those of the table in docs/performance.md.
//!
//! The target runs on core 0 and the monitor on core 1 (`taskset`), so figures are per core. Everything is loopback
//! and bounded in count and time. Absolute figures depend on the machine: the ratios are what to compare.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints its tables, and its roles talk over their streams"
)]

mod bare;
mod daemon;
mod hostile;
mod list;
mod locations;
mod past;
mod process;
mod soak;
mod table;
mod target;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    let length = || arguments.get(1).and_then(|word| word.parse().ok());
    match arguments.first().map(String::as_str) {
        // Roles that this program plays in processes of their own, so that each one's CPU is counted apart.
        Some("target") => target::run(&arguments[1..]),
        Some("bare") => bare::run(&arguments[1..]),
        Some("hostile-peers") => hostile::peers(&arguments[1..]),
        Some("hostile-held") => hostile::held(&arguments[1..]),
        Some("list") => list::list(),
        Some("locations") => locations::locations(length().unwrap_or(locations::MINUTES)),
        Some("past") => past::past(length().unwrap_or(past::MINUTES)),
        Some("flat") => {
            if !soak::flat(length().unwrap_or(soak::CHECKS)) {
                return ExitCode::FAILURE;
            }
        }
        Some("soak") => soak::soak(length().unwrap_or(soak::SECONDS)),
        Some("hostile") => {
            let rounds = arguments.get(2).and_then(|word| word.parse().ok());
            let words = arguments.get(1).map(String::as_str);
            hostile::hostile(words, rounds.unwrap_or(hostile::ROUNDS));
        }
        Some(_) | None => return tables(&arguments),
    }
    ExitCode::SUCCESS
}

/// The rows of these tables, or of all.
fn tables(words: &[String]) -> ExitCode {
    const ALL: [(&str, fn()); 4] = [
        ("cpu", table::cpu),
        ("kinds", table::kinds),
        ("size", table::size),
        ("late", table::late),
    ];
    let unknown = words
        .iter()
        .find(|word| ALL.iter().all(|(name, _)| name != word));
    if let Some(word) = unknown {
        eprintln!(
            "no table `{word}`; there are: cpu, kinds, size, late, and alone: flat, list, locations, past, soak, hostile"
        );
        return ExitCode::from(2);
    }
    table::head();
    for (name, table) in ALL {
        if words.is_empty() || words.iter().any(|word| word == name) {
            table();
        }
    }
    ExitCode::SUCCESS
}
