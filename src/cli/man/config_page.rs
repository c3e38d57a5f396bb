//! `monitors.toml(5)`: the manual page of the configuration, from the one table of its keys.

use std::fmt::{self, Write};

use crate::config::keys::{self, Absent, Key, Kind, Section};
use crate::domain::subject::Kinds;

const BEFORE: &str = r#".TH monitors.toml 5 "" "sitewatch" "sitewatch manual"
.SH NAME
monitors.toml \- what sitewatch watches, and whom it tells
.SH DESCRIPTION
One TOML file.
It is the first of: the file named by
.BR \-\-config ,
by
.BR $SITEWATCH_CONFIG ,
.IR ./monitors.toml ,
.IR $XDG_CONFIG_HOME/sitewatch/monitors.toml ,
.IR /etc/sitewatch/monitors.toml .
Relative paths in it are relative to the file.
.PP
Durations are strings: "500ms", "30s", "5m", "1h30m", "7d".
.B ${NAME}
in any string is replaced from the environment;
.B $${
writes a literal
.BR ${ .
Unknown keys are errors.
.PP
The smallest useful file:
.PP
.nf
.RS 4
[email]
host = "smtp.example.com"
from = "Sitewatch <alerts@example.com>"
to = ["ops@example.com"]

[[monitor]]
url = "https://example.com/"
.RE
.fi
"#;

const AFTER: &str = r#".SH SEE ALSO
.BR sitewatch (1);
.B sitewatch config init
writes a first file,
.B sitewatch config example
prints a commented one with every key,
.B sitewatch config check
judges one.
"#;

/// The page in roff.
///
/// # Errors
/// Those of `out`.
pub fn page(out: &mut impl Write) -> fmt::Result {
    out.write_str(BEFORE)?;
    out.write_str(".SH TOP LEVEL\n")?;
    for key in keys::TOP {
        entry("", key, out)?;
    }
    for section in keys::SECTIONS {
        part(section, out)?;
    }
    out.write_str(AFTER)
}

fn part(section: &Section, out: &mut impl Write) -> fmt::Result {
    writeln!(
        out,
        ".SH {}\n{}",
        escaped(&section.header()),
        escaped(section.doc)
    )?;
    // The keys of a monitor are described once, where they belong.
    if section.name == keys::DEFAULTS.name {
        return Ok(());
    }
    for key in section.keys {
        entry("", key, out)?;
    }
    Ok(())
}

fn entry(before: &str, key: &Key, out: &mut impl Write) -> fmt::Result {
    write!(
        out,
        ".TP\n.B {}{}\n{}\n",
        escaped(before),
        escaped(key.name),
        escaped(key.doc)
    )?;
    if key.kinds != Kinds::ALL {
        writeln!(out, "Only for {}.", key.kinds)?;
    }
    match key.absent {
        Absent::Value(value) => writeln!(out, "Default: {}.", escaped(value))?,
        Absent::Unset(meaning) => writeln!(
            out,
            "Without it: {}.",
            escaped(meaning.trim_end_matches('.'))
        )?,
        Absent::Required => writeln!(out, "Required.")?,
    }
    if let Kind::CountOr(words) = key.kind {
        writeln!(out, "One of: {}, or a number.", escaped(&words.join(", ")))?;
    }
    if let Kind::Choice(words) = key.kind {
        writeln!(out, "One of: {}.", escaped(&words.join(", ")))?;
    }
    if let Kind::Table(inner) = key.kind {
        for inner in inner {
            entry(&format!("{}.", key.name), inner, out)?;
        }
    }
    Ok(())
}

/// Text that roff takes as it is: no escape, no dash that turns into a hyphen, no request at the begin of a line.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) {
        format!("\\&{text}")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_its_entry() {
        let mut text = String::new();
        page(&mut text).unwrap();
        for section in keys::SECTIONS {
            assert!(
                text.contains(&escaped(&section.header())),
                "{}",
                section.name
            );
            for key in section.keys {
                assert!(
                    text.contains(&format!(".B {}\n", escaped(key.name))),
                    "{}",
                    key.name
                );
            }
        }
    }
}
