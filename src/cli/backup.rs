//! `sitewatch backup`: a consistent copy of the database, also while the daemon runs.

use std::path::PathBuf;

use super::context::Context;
use super::error::{CliError, Outcome};
use super::resolve;

/// Arguments of `sitewatch backup`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  sitewatch backup /var/backups/sitewatch-$(date +%F).db\n\n\
    To restore: stop the daemon, put the copy in the database's place,\n\
    start the daemon."
)]
pub struct Args {
    /// The new file; an existing one is not overwritten
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub file: PathBuf,
}

/// Runs the command.
pub fn run(context: &mut Context, args: &Args) -> Result<Outcome, CliError> {
    let place = resolve::brief(context)?;
    let reader = place.reader()?;
    reader.backup(&args.file)?;
    let size = std::fs::metadata(&args.file).map_or(0, |copy| copy.len());
    context.out.note(&format!(
        "copied {} to {} ({} KiB)",
        place.database.display(),
        args.file.display(),
        size.div_ceil(1024)
    ));
    Ok(Outcome::Fine)
}
