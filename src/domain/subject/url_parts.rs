//! Host, port and what stands behind them in a URL that is not of HTTP.

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv6Addr;

use url::Host;

use super::kind::SubjectKind;
use crate::domain::safe_text;

/// A host and its port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// The host; a name in small letters and ASCII.
    pub host: Host<String>,
    /// The port; never 0.
    pub port: u16,
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Why a text is no URL of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}; {advice}")]
pub struct LocatorError {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub advice: String,
}

pub(super) fn wrong<T>(
    message: impl Into<String>,
    advice: impl Into<String>,
) -> Result<T, LocatorError> {
    Err(LocatorError {
        message: message.into(),
        advice: advice.into(),
    })
}

pub(super) fn a_url(kind: SubjectKind) -> String {
    let article = if kind == SubjectKind::Icmp { "an" } else { "a" };
    format!("{article} {}:// URL", kind.scheme())
}

/// The parts of a URL behind its slashes.
pub(super) struct Parts<'a> {
    pub(super) authority: &'a str,
    /// With its slash.
    pub(super) path: &'a str,
    pub(super) query: Option<&'a str>,
    pub(super) fragment: Option<&'a str>,
}

impl<'a> Parts<'a> {
    pub(super) fn of(rest: &'a str) -> Self {
        let (rest, fragment) = match rest.split_once('#') {
            Some((rest, fragment)) => (rest, Some(fragment)),
            None => (rest, None),
        };
        let (rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(query)),
            None => (rest, None),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        Self {
            authority,
            path,
            query,
            fragment,
        }
    }

    /// Whether something stands behind host and port but one slash.
    fn extra(&self) -> Option<String> {
        let query = self.query.map(|query| format!("?{query}"));
        let path = self.path.strip_prefix('/').filter(|rest| !rest.is_empty());
        match (path, query) {
            (None, None) => None,
            (path, query) => Some(format!(
                "{}{}",
                path.map(|path| format!("/{path}")).unwrap_or_default(),
                query.unwrap_or_default()
            )),
        }
    }
}

pub(super) fn socket(kind: SubjectKind, parts: &Parts<'_>) -> Result<HostPort, LocatorError> {
    let scheme = kind.scheme();
    if let Some(extra) = parts.extra() {
        return wrong(
            format!(
                "{} has no path: `{}` is too much",
                a_url(kind),
                shown(&extra)
            ),
            format!("write \"{scheme}://{}\"", shown(parts.authority)),
        );
    }
    let (host, port) = split(kind, parts.authority)?;
    let host_of = |port: &str| format!("write \"{scheme}://{}:{port}\"", shown(host));
    let Some(port) = port.filter(|port| !port.is_empty()) else {
        host_of_text(kind, host)?;
        let usual = match kind {
            SubjectKind::Tls => "443",
            _ => "25",
        };
        return wrong(
            format!("{} needs a port", a_url(kind)),
            format!("{}, with the port of the service", host_of(usual)),
        );
    };
    let host = host_of_text(kind, host)?;
    let port = port_of(port)?;
    Ok(HostPort { host, port })
}

pub(super) fn icmp(parts: &Parts<'_>) -> Result<Host<String>, LocatorError> {
    let kind = SubjectKind::Icmp;
    if let Some(extra) = parts.extra() {
        return wrong(
            format!(
                "{} has no path: `{}` is too much",
                a_url(kind),
                shown(&extra)
            ),
            format!("write \"icmp://{}\"", shown(parts.authority)),
        );
    }
    let (host, port) = split(kind, parts.authority)?;
    let host_text = host;
    let host = host_of_text(kind, host)?;
    match port {
        Some(_) => wrong(
            format!("{} has no port: a ping goes to a host", a_url(kind)),
            format!("write \"icmp://{}\"", shown(host_text)),
        ),
        None => Ok(host),
    }
}

/// Host and port of an authority.
pub(super) fn split(
    kind: SubjectKind,
    authority: &str,
) -> Result<(&str, Option<&str>), LocatorError> {
    if authority.is_empty() {
        let example = match kind {
            SubjectKind::Icmp => "icmp://example.com".to_owned(),
            _ => format!("{}://example.com:25", kind.scheme()),
        };
        return wrong(
            "the URL has no host",
            format!("write it like \"{example}\""),
        );
    }
    if authority.starts_with('[') {
        let Some(end) = authority.find(']') else {
            return wrong(
                "the bracket of the address is not closed",
                "close it with `]`",
            );
        };
        let (host, port) = authority.split_at(end + 1);
        return match port.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if port.is_empty() => Ok((host, None)),
            None => wrong(
                format!("`{}` behind the address is no port", shown(port)),
                format!("write \"{}://{}:25\"", kind.scheme(), shown(host)),
            ),
        };
    }
    if authority.matches(':').count() > 1 {
        let is_address = |text: &str| text.parse::<Ipv6Addr>().is_ok();
        let needs_port = matches!(kind, SubjectKind::Tcp | SubjectKind::Tls);
        let (address, port) = match authority.rsplit_once(':') {
            // The last group can only be the port that must be there.
            Some((address, port)) if needs_port && is_address(address) => (address, Some(port)),
            Some((address, port)) if !is_address(authority) => (address, Some(port)),
            Some(_) | None => (authority, None),
        };
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        return wrong(
            format!(
                "the IPv6 address `{}` needs brackets in a URL",
                shown(address)
            ),
            format!(
                "write \"{}://[{}]{}\"",
                kind.scheme(),
                shown(address),
                shown(&port)
            ),
        );
    }
    Ok(match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    })
}

/// A host; the text may be hostile, so it is cut before it is shown.
pub(super) fn host_of_text(kind: SubjectKind, text: &str) -> Result<Host<String>, LocatorError> {
    if text.is_empty() {
        return wrong(
            "the URL has no host",
            format!("write it like \"{}://example.com\"", kind.scheme()),
        );
    }
    if let Some(inner) = text.strip_prefix('[') {
        let inner = inner.trim_end_matches(']');
        if let Some((address, zone)) = inner.split_once('%') {
            return wrong(
                format!("a zone (`%{}`) cannot be part of a URL", shown(zone)),
                format!(
                    "write \"{}://[{}]\", with an address that needs no zone",
                    kind.scheme(),
                    shown(address)
                ),
            );
        }
    }
    Host::parse(text).or_else(|_| {
        wrong(
            format!("`{}` is not the name or address of a host", shown(text)),
            format!("write it like \"{}://example.com\"", kind.scheme()),
        )
    })
}

pub(super) fn port_of(text: &str) -> Result<u16, LocatorError> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u16>() {
        Ok(port @ 1..) if is_number => Ok(port),
        _ => wrong(
            format!("`{}` is not a port", shown(text)),
            "ports go from 1 to 65535",
        ),
    }
}

pub(super) fn shown(text: &str) -> Cow<'_, str> {
    safe_text::line(text, 200)
}
