//! `sitewatch cluster`: what the NATS server of several locations needs.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use super::context::Context;
use super::error::{CliError, Outcome};
use crate::domain::location::LocationName;
use crate::domain::secret::Secret;
use crate::link::nats::identity;
use crate::link::nats::permissions;
use crate::own_files;

/// A seed has 58 characters.
const SEED_BYTES_MAX: u64 = 4096;

/// Arguments of `sitewatch cluster`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to do
    #[command(subcommand)]
    pub command: ClusterCommand,
}

/// What to do for several locations.
#[derive(Debug, clap::Subcommand)]
pub enum ClusterCommand {
    /// Make an nkey of a location and print its user for nats-server's configuration
    ///
    /// The seed is written to LOCATION.nk, readable by its owner only: it goes to the probe, which names it by
    /// `nkey_file`. If the file is there already, its user is printed again and nothing is written.
    #[command(after_help = CREDENTIALS_EXAMPLES)]
    Credentials(Credentials),
}

const CREDENTIALS_EXAMPLES: &str = "Examples:
  sitewatch cluster credentials --hub     writes hub.nk
  sitewatch cluster credentials nyc       writes nyc.nk

The users belong in nats-server's configuration:
  authorization { users = [ .. ] }";

/// Arguments of `sitewatch cluster credentials`.
#[derive(Debug, clap::Args)]
pub struct Credentials {
    /// The location, as in `locations` of the hub
    #[arg(required_unless_present = "hub", conflicts_with = "hub")]
    pub location: Option<String>,
    /// The user of the hub itself
    #[arg(long)]
    pub hub: bool,
}

/// Runs the command.
pub fn run(context: &mut Context, args: &Args) -> Result<Outcome, CliError> {
    let ClusterCommand::Credentials(wanted) = &args.command;
    let location = match &wanted.location {
        Some(location) => Some(
            LocationName::parse(location).map_err(|error| CliError::Usage(error.to_string()))?,
        ),
        None => None,
    };
    let name = location.as_ref().map_or("hub", LocationName::as_str);
    if location.is_some() && name == "hub" {
        return Err(CliError::Usage(
            "a location cannot be called hub here: for the hub itself write --hub".to_owned(),
        ));
    }
    let file = format!("{name}.nk");
    let path = context.environment.directory.join(&file);
    let (public, is_new) = match known(&path).map_err(|why| in_file(&file, &why))? {
        Some(seed) => {
            let public = identity::public_of(&seed).map_err(|why| in_file(&file, &why))?;
            (public, false)
        }
        None => {
            let (seed, public) = identity::new_user().map_err(CliError::Machine)?;
            write(&path, &seed).map_err(|why| in_file(&file, &why))?;
            (public, true)
        }
    };
    match is_new {
        true => context.out.note(&format!(
            "the seed is in {file}: keep it secret, and bring it to the {}",
            owner(name)
        )),
        false => context
            .out
            .note(&format!("{file} was there: this is its user")),
    }
    let permissions = permissions(location.as_ref());
    write!(context.out, "# {name}\n{}", permissions.user_block(&public))?;
    Ok(Outcome::Fine)
}

fn owner(name: &str) -> String {
    match name {
        "hub" => "hub".to_owned(),
        location => format!("probe in {location}"),
    }
}

fn in_file(file: &str, why: &str) -> CliError {
    CliError::Machine(format!("cannot use {file}: {why}"))
}

/// The seed in a file that is there.
fn known(path: &Path) -> Result<Option<Secret>, String> {
    use std::io::Read as _;
    if path.symlink_metadata().is_err() {
        return Ok(None);
    }
    let mut text = String::new();
    own_files::open_or_create(path)
        .and_then(|file| file.take(SEED_BYTES_MAX).read_to_string(&mut text))
        .map_err(|error| error.to_string())?;
    Ok(Some(Secret::new(text.trim())))
}

fn write(path: &Path, seed: &Secret) -> Result<(), String> {
    let made = own_files::create_new(path).and_then(|mut made| {
        own_files::for_owner_alone(&made)?;
        made.write_all(format!("{}\n", seed.reveal()).as_bytes())?;
        made.sync_all()
    });
    made.map_err(|error| error.to_string())
}
