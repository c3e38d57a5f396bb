//! The whole monitor under load: the release binary against a thin target of its own, beside a bare hyper loop and a
//! raw socket loop that do the same work.
//!
//! ```text
//! cargo bench --bench scale                 # all tables, about 14 minutes
//! cargo bench --bench scale -- cpu          # CPU per check, saturated and paced
//! cargo bench --bench scale -- size         # memory, start and lateness by number of monitors
//! cargo bench --bench scale -- late         # lateness and evenness in detail, half of the sites dead
//! cargo bench --bench scale -- past [MINUTES]  # too much for a core, 8 minutes unless told, then 3 of calm
//! cargo bench --bench scale -- soak [SECONDS]  # 500 checks a second, an hour unless told
//! cargo bench --bench scale -- hostile [WORDS [ROUNDS]]  # healthy sites beside hostile ones, 25 minutes for all kinds
//! ```
//!
//! The last three are not among all tables.
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
        Some("cpu") => table::cpu(),
        Some("size") => table::size(),
        Some("late") => table::late(),
        Some("past") => past::past(length().unwrap_or(past::MINUTES)),
        Some("soak") => soak::soak(length().unwrap_or(soak::SECONDS)),
        Some("hostile") => {
            let rounds = arguments.get(2).and_then(|word| word.parse().ok());
            let words = arguments.get(1).map(String::as_str);
            hostile::hostile(words, rounds.unwrap_or(hostile::ROUNDS));
        }
        Some(word) if word != "all" => {
            eprintln!("no table `{word}`; there are: cpu, size, late, past, soak, hostile, all");
            return ExitCode::from(2);
        }
        Some(_) | None => {
            table::cpu();
            table::size();
            table::late();
        }
    }
    ExitCode::SUCCESS
}
