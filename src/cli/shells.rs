//! How a shell asks what may stand in a line.
//!
//! The script of `sitewatch completions` calls this program with [`VARIABLE`] set, and the line so far behind `--`.

use std::ffi::OsString;

use clap_complete::env::Shells;

use super::complete::{VARIABLE, line_of};
use super::error::{CliError, Outcome};
use super::output::Output;

/// zsh loads the script at the first Tab, as the body of a function: then it must answer at once.
const ZSH_FIRST_TAB: &str = "
if [ \"$funcstack[1]\" = _sitewatch ]; then
    _clap_dynamic_completer_sitewatch \"$@\"
fi
";

/// Answers a shell's question: what can follow the words after `--` in `arguments`.
///
/// # Errors
/// If the shell is not known, or standard output takes nothing.
pub fn answer(
    shell: &str,
    mut command: clap::Command,
    arguments: Vec<OsString>,
    out: &mut Output,
) -> Result<Outcome, CliError> {
    let shells = Shells::builtins();
    let asking = shells
        .completer(shell)
        .ok_or_else(|| CliError::Usage(format!("{VARIABLE} names no shell that is known")))?;
    command.build();
    let mut text = Vec::new();
    let here = std::env::current_dir().ok();
    asking
        .write_complete(&mut command, line_of(arguments), here.as_deref(), &mut text)
        .map_err(CliError::machine)?;
    std::fmt::Write::write_str(out, &String::from_utf8_lossy(&text))?;
    out.flush()?;
    Ok(Outcome::Fine)
}

/// The script that makes a shell ask.
///
/// # Errors
/// If the shell is not known.
pub fn script(shell: &str, command: &clap::Command) -> Result<String, CliError> {
    let shells = Shells::builtins();
    let asking = shells
        .completer(shell)
        .ok_or_else(|| CliError::Usage(format!("no completion is known for {shell}")))?;
    let mut script = Vec::new();
    asking
        .write_registration(VARIABLE, "sitewatch", "sitewatch", "sitewatch", &mut script)
        .map_err(CliError::machine)?;
    let mut script = String::from_utf8_lossy(&script).into_owned();
    if shell == "zsh" {
        script.push_str(ZSH_FIRST_TAB);
    }
    // For who reads the file: it has no list of its own.
    let names: Vec<&str> = command
        .get_subcommands()
        .map(clap::Command::get_name)
        .collect();
    script.push_str(&format!(
        "\n# It asks sitewatch about: {}\n",
        names.join(" ")
    ));
    Ok(script)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_gets_a_script_that_asks_this_program() {
        let command = clap::Command::new("sitewatch");
        for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
            let script = script(shell, &command).unwrap();
            assert!(script.contains(VARIABLE), "{shell}: {script}");
        }
        assert!(
            script("zsh", &command)
                .unwrap()
                .starts_with("#compdef sitewatch\n")
        );
    }
}
