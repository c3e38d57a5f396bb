//! The options that every command has, and what the commands' own arguments share.

use std::path::PathBuf;

use clap::ValueHint;
use clap::builder::styling::{AnsiColor, Styles};

use super::output::Colour;

/// The colours of help.
pub const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Yellow.on_default().bold())
    .usage(AnsiColor::Yellow.on_default().bold())
    .literal(AnsiColor::Cyan.on_default())
    .placeholder(AnsiColor::Green.on_default());

/// Help is as wide as the narrowest usual terminal: longer lines would only be harder to read.
pub const HELP_COLUMNS: usize = 80;

/// Options that stand before or after the command.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// The configuration file [default: see `sitewatch -h`]
    #[arg(long, short, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// The database, instead of the configured one
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub database: Option<PathBuf>,
    /// Print JSON Lines: one object per line, times in UTC
    #[arg(long, global = true)]
    pub json: bool,
    /// When to use colours; auto: on a terminal, unless NO_COLOR is set
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = false
    )]
    pub color: Colour,
}

impl Default for Global {
    fn default() -> Self {
        Self {
            config: None,
            database: None,
            json: false,
            color: Colour::Auto,
        }
    }
}

/// The value parser of durations on the command line: "30s", "1h30m", "7d".
///
/// # Errors
/// Says how a duration is written.
pub fn duration(
    text: &str,
) -> Result<std::time::Duration, crate::domain::duration_text::SpanError> {
    crate::domain::duration_text::parse(text)
}
