//! The text of one file of the configuration, or why it cannot be one.

use std::path::Path;

use super::default_paths;
use super::diagnostic::problem::Fault;
use super::diagnostic::source_map::Source;
use super::environment::Environment;
use super::read::referenced_files::{self, Pipes};
use super::read::table::place;
use super::syntax::other_formats;

/// Reads a file into a source, `index` being its place among the sources.
pub(super) fn read_source(
    path: &Path,
    index: u32,
    environment: &Environment,
    bytes_max: u64,
    pipes: Pipes,
) -> Result<Source, Box<(Vec<Source>, Fault)>> {
    let full = referenced_files::resolve(&environment.directory, &path.to_string_lossy());
    // Below the root directory everything would be relative.
    let shown = match full.strip_prefix(&environment.directory) {
        Ok(below) if environment.directory.parent().is_some() => below.display().to_string(),
        _ => path.display().to_string(),
    };
    let bytes = referenced_files::read(&full, bytes_max, pipes).map_err(|why| {
        let help = if why.starts_with("there is no")
            && index == 0
            && default_paths::has_none_here(environment)
        {
            "`sitewatch config example > monitors.toml` writes one to begin with"
        } else if why.contains("permission denied") {
            "run the command with sudo; for the packaged service members of its group may read it: \
             sudo adduser $USER sitewatch, then log in again"
        } else {
            ""
        };
        let fault = Fault::nowhere(format!("cannot read `{shown}`: {why}"), help);
        Box::new((Vec::new(), fault))
    })?;
    if let Some(fault) = other_formats::of_bytes(&shown, &bytes) {
        return Err(Box::new((Vec::new(), fault)));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Source::new(shown, full, text.into())),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let source = Source::new(shown, full, text.into());
            let fault = Fault::new(
                place(index, at..at + 1),
                "the file is not UTF-8",
                "save it as UTF-8",
            );
            Err(Box::new((vec![source], fault)))
        }
    }
}
