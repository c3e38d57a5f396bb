//! `[email]` as an import writes it, and which texts are mail addresses.

use super::toml_writer::{list, quoted};
use crate::config::read::scalars;

/// Where mails go.
#[derive(Debug, Default)]
pub(super) struct Email {
    pub host: String,
    pub port: Option<u16>,
    pub tls: Option<&'static str>,
    pub username: Option<String>,
    pub password: Option<String>,
    pub from: String,
    pub to: Vec<String>,
}

/// The mail addresses in these texts, each of which may be a list separated by commas or semicolons.
pub(super) fn addresses(texts: &[String]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for address in texts.iter().flat_map(|text| text.split([',', ';'])) {
        let address = address.trim();
        if is_address(address) && !found.iter().any(|known| known == address) {
            found.push(address.to_owned());
        }
    }
    found
}

/// Whether a mail server may be called so.
pub(super) fn is_host(text: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    text.contains("${") || !text.is_empty() && text.chars().all(is_part)
}

pub(super) fn is_address(text: &str) -> bool {
    text.contains("${") || scalars::only_address(text).is_ok()
}

pub(super) fn write_email(out: &mut impl std::fmt::Write, email: &Email) -> std::fmt::Result {
    writeln!(out, "\n[email]\nhost = {}", quoted(&email.host))?;
    if let Some(port) = email.port {
        writeln!(out, "port = {port}")?;
    }
    if let Some(tls) = email.tls {
        writeln!(out, "tls = \"{tls}\"")?;
    }
    if let (Some(username), Some(password)) = (&email.username, &email.password) {
        writeln!(out, "username = {}", quoted(username))?;
        writeln!(
            out,
            "# Better in a file (password_file) or a variable (\"${{NAME}}\")."
        )?;
        writeln!(out, "password = {}", quoted(password))?;
    }
    writeln!(
        out,
        "from = {}\nto = {}",
        quoted(&email.from),
        list(&email.to)
    )
}
