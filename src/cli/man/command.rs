//! `sitewatch man`: the manual page, or one page per command into a directory.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::config_page;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Outcome};

/// Arguments of `sitewatch man`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  sitewatch man | man -l -")]
pub struct Args {
    /// Write a page per command into this directory instead
    #[arg(long, value_name = "DIRECTORY", value_hint = clap::ValueHint::DirPath)]
    pub directory: Option<PathBuf>,
}

/// What stands under DESCRIPTION: more than the line under NAME.
const DESCRIPTION: &str = "sitewatch checks web sites, ports, hosts and DNS names, stores every check with its \
    redirect chain in an SQLite database, and sends a diagnosis when one goes down, stays down or comes back. The \
    daemon (sitewatch run) does so as monitors.toml(5) says. The other commands read what it recorded, or control it \
    through its socket; check and explain need neither.";

/// Runs the command, of a program with this command line.
pub fn run(
    context: &mut Context,
    args: &Args,
    command: clap::Command,
) -> Result<Outcome, CliError> {
    let command = command.long_about(DESCRIPTION);
    match &args.directory {
        None => {
            let page = page(command)?;
            context.out.write_str(&page)?;
        }
        Some(directory) => pages(directory, command)?,
    }
    Ok(Outcome::Fine)
}

fn page(command: clap::Command) -> Result<String, CliError> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command)
        .section("1")
        .manual("sitewatch manual")
        .render(&mut page)
        .map_err(CliError::machine)?;
    String::from_utf8(page)
        .map_err(|_| CliError::Machine("the manual page is not UTF-8".to_owned()))
}

fn pages(directory: &Path, command: clap::Command) -> Result<(), CliError> {
    clap_mangen::generate_to(command, directory).map_err(|error| {
        CliError::Machine(format!(
            "write manual pages into {}: {error}",
            directory.display()
        ))
    })?;
    let mut page = String::new();
    config_page::page(&mut page)?;
    let file = directory.join("monitors.toml.5");
    std::fs::write(&file, page)
        .map_err(|error| CliError::Machine(format!("write {}: {error}", file.display())))
}
