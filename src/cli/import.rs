//! `sitewatch import`: another tool's configuration as a monitors.toml.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::context::Context;
use super::error::{CliError, Outcome};
use super::output::quoted;
use crate::config::import;

/// Arguments of `sitewatch import`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where it comes from
    #[arg(value_name = "FORMAT")]
    pub format: Format,
    /// The file; `-` reads standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// For blackbox: the prometheus.yml with the targets
    #[arg(long, value_name = "FILE")]
    pub targets: Option<PathBuf>,
}

/// Formats that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Gatus' config.yaml
    Gatus,
    /// Uptime Kuma's JSON backup
    UptimeKuma,
    /// blackbox_exporter's blackbox.yml, or Prometheus' scrape configuration with its targets
    Blackbox,
    /// One URL per line
    Urls,
}

/// Larger files are no configuration.
const BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Runs the command.
pub fn run(context: &mut Context, args: &Args) -> Result<Outcome, CliError> {
    if args.targets.is_some() && args.format != Format::Blackbox {
        return Err(CliError::Usage(
            "--targets belongs to `sitewatch import blackbox`".to_owned(),
        ));
    }
    let text = read(&args.file)?;
    let targets = args.targets.as_deref().map(read).transpose()?;
    let imported = match args.format {
        Format::Gatus => import::gatus(&text),
        Format::UptimeKuma => import::uptime_kuma(&text),
        Format::Blackbox => import::blackbox(&text, targets.as_deref()),
        Format::Urls => import::urls(&text),
    }
    .map_err(|error| CliError::Usage(format!("{}: {error}", args.file.display())))?;
    context.out.write_str(&imported.toml)?;
    let plural = if imported.monitors == 1 { "" } else { "s" };
    context
        .out
        .note(&format!("{} monitor{plural} written", imported.monitors));
    if !imported.left_out.is_empty() {
        context.out.warning("not carried over:");
        for line in &imported.left_out {
            context.out.note(&format!("  {}", quoted(line)));
        }
    }
    Ok(Outcome::Fine)
}

fn read(file: &Path) -> Result<String, CliError> {
    let cannot = |why: &dyn std::fmt::Display| {
        CliError::Usage(format!("cannot read `{}`: {why}", file.display()))
    };
    let mut bytes = Vec::new();
    let result = match file == Path::new("-") {
        true => std::io::stdin().take(BYTES_MAX + 1).read_to_end(&mut bytes),
        false => std::fs::File::open(file)
            .and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut bytes)),
    };
    result.map_err(|error| cannot(&error))?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(cannot(&"it is larger than 64 MiB"));
    }
    String::from_utf8(bytes).map_err(|_| cannot(&"it is not UTF-8"))
}
