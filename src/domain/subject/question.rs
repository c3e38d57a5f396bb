//! What a `dns://` URL asks for.

use std::fmt;

use url::Host;

use super::kind::SubjectKind;
use super::url_parts::{HostPort, LocatorError, Parts, host_of_text, port_of, shown, split, wrong};
use crate::domain::dns_record::RecordType;

/// The longest name of RFC 1035, section 2.3.4, as text without its final dot.
const DNS_NAME_BYTES_MAX: usize = 253;

/// The longest label there.
const DNS_LABEL_BYTES_MAX: usize = 63;

/// Where name servers listen.
const DNS_PORT: u16 = 53;

/// What a `dns://` URL asks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DnsLocator {
    /// The server that is asked; `None`: those of `[dns]`.
    pub server: Option<HostPort>,
    /// The name, absolute, in ASCII, without its final dot; empty for the root.
    pub name: String,
    /// The type of the records.
    pub record_type: RecordType,
}

impl DnsLocator {
    /// The name as people write it; `.` is the root.
    pub fn name_shown(&self) -> &str {
        match self.name.as_str() {
            "" => ".",
            name => name,
        }
    }

    /// The server as it is written, its port where it is not the usual one.
    pub fn server_shown(&self) -> Option<String> {
        let server = self.server.as_ref()?;
        Some(match server.port {
            DNS_PORT => server.host.to_string(),
            _ => server.to_string(),
        })
    }

    pub(super) fn default_name(&self) -> String {
        let mut name = self.name_shown().to_owned();
        if self.record_type != RecordType::A {
            name.push_str(&format!(" {}", self.record_type.as_str()));
        }
        if let Some(server) = self.server_shown() {
            name.push_str(&format!(" @{server}"));
        }
        name
    }
}

impl fmt::Display for DnsLocator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = self.server_shown().unwrap_or_default();
        write!(f, "dns://{server}/{}", self.name_shown())?;
        match self.record_type {
            RecordType::A => Ok(()),
            other => write!(f, "?type={}", other.as_str()),
        }
    }
}

pub(super) fn question(parts: &Parts<'_>) -> Result<DnsLocator, LocatorError> {
    let kind = SubjectKind::Dns;
    let server = match parts.authority {
        "" => None,
        authority => {
            let (host, port) = split(kind, authority)?;
            Some(HostPort {
                host: host_of_text(kind, host)?,
                port: match port {
                    Some(port) => port_of(port)?,
                    None => DNS_PORT,
                },
            })
        }
    };
    let name = parts.path.strip_prefix('/').unwrap_or(parts.path);
    if name.is_empty() {
        let label = match &server {
            Some(_) => format!(
                "write \"dns:///{0}\" to ask for {0}, or \"dns://{0}/NAME\" to ask it for a name",
                shown(parts.authority)
            ),
            None => "write it like \"dns:///example.com?type=MX\"".to_owned(),
        };
        return wrong("the URL has no name to ask for", label);
    }
    let name = dns_name(name)?;
    let record_type = dns_query(parts.query.unwrap_or_default())?;
    Ok(DnsLocator {
        server,
        name,
        record_type,
    })
}

/// The name of a `dns://` URL.
fn dns_name(text: &str) -> Result<String, LocatorError> {
    let is_wrong = |why: &str| {
        wrong(
            format!("`{}` is not a name: {why}", shown(text)),
            "write it like \"dns:///example.com?type=MX\"",
        )
    };
    let decoded = percent_encoding::percent_decode_str(text);
    let Ok(decoded) = decoded.decode_utf8() else {
        return is_wrong("it is not text");
    };
    let name = match decoded.is_ascii() {
        true => decoded.to_ascii_lowercase(),
        // A name of another script travels in ASCII.
        false => match Host::parse(decoded.trim_end_matches('.')) {
            Ok(Host::Domain(name)) => name,
            Ok(Host::Ipv4(_) | Host::Ipv6(_)) | Err(_) => {
                return is_wrong("it cannot be written in ASCII");
            }
        },
    };
    let name = name.strip_suffix('.').unwrap_or(&name);
    if name.is_empty() {
        return Ok(String::new());
    }
    if name.contains('/') {
        return is_wrong("there is a slash in it");
    }
    let is_odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '\\' | '"' | ':');
    if let Some(odd) = name.chars().find(|c| is_odd(*c)) {
        return is_wrong(&format!("there is `{}` in it", odd.escape_default()));
    }
    if name.len() > DNS_NAME_BYTES_MAX {
        return is_wrong("names have at most 253 characters");
    }
    for label in name.split('.') {
        if label.is_empty() {
            return is_wrong("there is nothing between two dots");
        }
        if label.len() > DNS_LABEL_BYTES_MAX {
            return is_wrong("a part between dots has at most 63 characters");
        }
    }
    Ok(name.to_owned())
}

/// The type in the query of a `dns://` URL: `type=MX`, `clAsS=IN;tYpE=MX`.
fn dns_query(query: &str) -> Result<RecordType, LocatorError> {
    let mut record_type = None;
    for element in query
        .split([';', '&'])
        .filter(|element| !element.is_empty())
    {
        let (key, value) = element.split_once('=').unwrap_or((element, ""));
        if key.eq_ignore_ascii_case("class") {
            if !value.eq_ignore_ascii_case("in") && value != "1" {
                return wrong(
                    format!("the class `{}` cannot be asked for", shown(value)),
                    "only IN can: leave the class out",
                );
            }
        } else if key.eq_ignore_ascii_case("type") {
            let Some(known) = RecordType::parse(value) else {
                let all: Vec<&str> = RecordType::ALL.iter().map(|one| one.as_str()).collect();
                return wrong(
                    format!("the type `{}` cannot be asked for", shown(value)),
                    format!("these can: {}", all.join(", ")),
                );
            };
            if record_type.is_some_and(|before| before != known) {
                return wrong("the URL asks for two types", "write a monitor for each");
            }
            record_type = Some(known);
        } else {
            return wrong(
                format!("`{}` is not a part of a dns:// URL", shown(key)),
                "write it like \"dns:///example.com?type=MX\"",
            );
        }
    }
    Ok(record_type.unwrap_or(RecordType::A))
}
