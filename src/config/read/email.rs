//! `[email]`: where mails go and how.

use std::time::Duration;

use super::reader::Reading;
use super::referenced_files;
use super::scalars;
use super::sections::is_loopback;
use super::table::Table;
use crate::config::default_paths;
use crate::config::diagnostic::problem::Fault;
use crate::domain::redaction::Masks;
use crate::domain::secret::Secret;
use crate::domain::settings::{EmailSettings, MailTransport, SmtpServer, SmtpTls};

/// Reads the section; none where it is wrong.
pub(in crate::config) fn email(
    reading: &mut Reading<'_>,
    table: &Table<'_>,
) -> Option<EmailSettings> {
    let from = table
        .get("from")
        .and_then(|found| reading.parsed(found, "a mail address", scalars::only_address));
    if table.get("from").is_none() {
        reading.missing(
            table,
            "from",
            "add from = \"Sitewatch <alerts@example.com>\"",
        );
    }
    let to = reading.recipients(table, "to");
    let reply_to = reading.some_parsed(table, "reply_to", "a mail address", scalars::only_address);
    let timeout = reading
        .span_from(table, "timeout", Duration::from_secs(1))
        .map_or(Duration::from_secs(120), |span| span.it);
    let body_excerpt = reading.flag(table, "body_excerpt", true);
    let transport = transport(reading, table);
    if matches!(transport, Some(MailTransport::Smtp(_)))
        && to.as_ref().is_none_or(|to| to.it.is_empty())
    {
        match table.get("to") {
            None => reading.missing(table, "to", "add to = [\"ops@example.com\"]"),
            // A list whose members are wrong has its own faults.
            Some(found) if found.value.as_array().is_some_and(|array| array.is_empty()) => {
                reading.fault(Fault::new(
                    found.place,
                    "`to` is empty: nobody would be told",
                    "write [\"ops@example.com\"]",
                ));
            }
            Some(_) => {}
        }
    }
    Some(EmailSettings {
        transport: transport?,
        from: from?.it,
        to: to.map_or_else(Vec::new, |to| to.it),
        reply_to: reply_to.map(|address| address.it),
        timeout,
        body_excerpt,
    })
}

fn transport(reading: &mut Reading<'_>, table: &Table<'_>) -> Option<MailTransport> {
    let both = reading.exclusive(table, "host", "directory");
    let host = reading
        .some_text(table, "host")
        .map(|text| (text.value.into_owned(), text.place));
    let directory = reading.path(table, "directory");
    let smtp = smtp(reading, table, host.as_ref().map(|(host, _)| host.as_str()));
    if both {
        return None;
    }
    if let Some(directory) = directory {
        return Some(MailTransport::Directory(directory.it));
    }
    let Some((host, host_place)) = host else {
        if table.is_blank("host")
            && table.is_blank("directory")
            && !reading.is_misspelt(table, &["directory"])
        {
            reading.missing(
                table,
                "host",
                "add host = \"smtp.example.com\", or directory = \"outbox/\" to write files",
            );
        }
        return None;
    };
    if host.contains(|c: char| c.is_whitespace() || matches!(c, '/' | '@'))
        || (host.contains(':')
            && host
                .trim_matches(['[', ']'])
                .parse::<std::net::Ipv6Addr>()
                .is_err())
    {
        let fixed = host
            .rsplit("://")
            .next()
            .unwrap_or(&host)
            .split([':', '/'])
            .next()
            .unwrap_or_default();
        reading.fault(Fault::new(
            host_place,
            format!("`{host}` is not a valid host name"),
            format!("write \"{fixed}\"; the port has its own key"),
        ));
        return None;
    }
    Some(MailTransport::Smtp(SmtpServer {
        host: host.trim_matches(['[', ']']).to_owned(),
        ..smtp?
    }))
}

/// Everything of the mail server but its name.
fn smtp(reading: &mut Reading<'_>, table: &Table<'_>, host: Option<&str>) -> Option<SmtpServer> {
    let tls = reading.choice(table, "tls");
    let tls_wrong = table.get("tls").is_some() && tls.is_none();
    let tls = match tls.map(|tls| tls.it) {
        Some("implicit") => SmtpTls::Implicit,
        Some("none") => SmtpTls::None,
        _ => SmtpTls::Starttls,
    };
    let default_port = match tls {
        SmtpTls::Starttls => 587,
        SmtpTls::Implicit => 465,
        SmtpTls::None => 25,
    };
    let port = reading
        .count(table, "port")
        .and_then(|port| u16::try_from(port).ok())
        .unwrap_or(default_port);
    let ca_pem = reading.certificates(table, "ca_file");
    let (login, masks) = login(reading, table)?;
    if login.is_some()
        && tls == SmtpTls::None
        && !tls_wrong
        && let Some(host) = host
        && !is_loopback(host)
        && let Some(username) = table.get("username")
    {
        let mut fault = Fault::new(
            username.place,
            format!("the password would go to {host} in clear"),
            "use tls = \"starttls\" or \"implicit\", or leave `username` out",
        );
        if let Some(tls) = table.get("tls") {
            fault = fault.and(tls.place, "");
        }
        reading.fault(fault);
        return None;
    }
    Some(SmtpServer {
        host: String::new(),
        port,
        tls,
        ca_pem,
        login,
        masks,
    })
}

/// The SMTP login, where there is one, and the values to mask; `None` if it is invalid.
fn login(
    reading: &mut Reading<'_>,
    table: &Table<'_>,
) -> Option<(Option<(String, Secret)>, Masks)> {
    let both = reading.exclusive(table, "password", "password_file");
    let username = reading
        .some_text(table, "username")
        .map(|text| (text.value.into_owned(), text.place, text.came_by_name));
    let literal = reading.secret_text(table, "password");
    let from_file = reading.secret_file(table, "password_file");
    let password_key = ["password", "password_file"]
        .into_iter()
        .find(|key| !table.is_blank(key));
    let Some((username, username_place, is_hidden)) = username else {
        if let Some(found) = password_key.and_then(|key| table.own(key))
            && table.is_blank("username")
            && !reading.is_misspelt(table, &["username"])
        {
            reading.fault(Fault::new(
                found.key_place,
                format!("`{}` needs `username`", found.key),
                "add username = \"alerts@example.com\"",
            ));
            return None;
        }
        return Some((None, Masks::default()));
    };
    if both {
        return None;
    }
    let login = |username: String, password: Secret| {
        let hidden = is_hidden.then(|| username.clone());
        let masks = Masks::new(hidden.into_iter().chain([password.reveal().to_owned()]));
        Some((Some((username, password)), masks))
    };
    if let Some(password) = literal.or(from_file) {
        return login(username, password);
    }
    if password_key.is_some() {
        // What is wrong with it was said where it was read.
        return None;
    }
    let of_machine = reading
        .sources
        .first()
        .is_some_and(|source| default_paths::is_system(&source.path, reading.environment));
    match referenced_files::smtp_credential(reading.environment, of_machine) {
        Some((_, Ok(password))) => login(username, password),
        Some((path, Err(why))) => {
            reading.fault(referenced_files::credential_fault(
                table.header,
                &path,
                &why,
            ));
            None
        }
        None => {
            if reading.is_misspelt(table, &["password", "password_file"]) {
                return None;
            }
            reading.fault(Fault::new(
                username_place,
                "`username` needs a password",
                if of_machine {
                    "put it where the service finds it: \
                     sudo install -D -m 600 /dev/stdin /etc/credstore/sitewatch.smtp-password"
                } else {
                    "add password_file = \"smtp-password\" or password = \"${SMTP_PASSWORD}\""
                },
            ));
            None
        }
    }
}
