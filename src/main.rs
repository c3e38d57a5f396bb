//! The `sitewatch` command: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    sitewatch::cli::dispatch::main()
}
