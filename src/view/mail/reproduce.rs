//! The command that does what a check does, its secrets masked: curl, nc, openssl, ping or dig.

use std::path::Path;

use url::Host;

use crate::domain::check::HttpVersion;
use crate::domain::monitor::Monitor;
use crate::domain::redaction::Masks;
use crate::domain::subject::{
    DnsSubject, HostPort, IcmpSubject, Subject, TcpManner, TcpSubject, TlsSubject,
};
use crate::domain::target::IpVersion;

use super::curl;
use crate::view::shell::shell_word;

/// Longer bytes are not written into the command.
const SENT_BYTES_MAX: usize = 1000;

/// The words of the command, quoted for a shell; by a version of HTTP where one is named.
pub(super) fn words(monitor: &Monitor, version: Option<HttpVersion>) -> Vec<String> {
    match &monitor.subject {
        Subject::Http(http) => curl::words(monitor, http, version),
        Subject::Tcp(tcp) => nc(tcp),
        Subject::Tls(tls) => s_client(tls),
        Subject::Icmp(icmp) => ping(icmp),
        Subject::Dns(dns) => dig(dns),
    }
}

fn nc(tcp: &TcpSubject) -> Vec<String> {
    let mut words = piped(&tcp.manner);
    words.push("nc -v".to_owned());
    let dialogue = &tcp.manner.dialogue;
    if dialogue.send.is_empty() && dialogue.expect.is_none() {
        words.push("-z".to_owned());
    }
    words.extend(family(tcp.manner.ip_version));
    words.push(format!("-w {}", whole_seconds(tcp.manner.timeout)));
    let HostPort { host, port } = stop(tcp);
    words.push(shell_word(&tcp.manner.masks.apply(&bare(&host))));
    words.push(port.to_string());
    words
}

fn s_client(tls: &TlsSubject) -> Vec<String> {
    let host = &tls.tcp.at.host;
    let masks = &tls.tcp.manner.masks;
    let mut words = piped(&tls.tcp.manner);
    words.push("openssl s_client".to_owned());
    words.extend(family(tls.tcp.manner.ip_version));
    words.push(format!(
        "-connect {}",
        shell_word(&masks.apply(&stop(&tls.tcp).to_string()))
    ));
    match host {
        Host::Domain(name) => {
            let name = shell_word(name);
            words.push(format!("-servername {name}"));
            words.push(format!("-verify_hostname {name}"));
        }
        Host::Ipv4(_) | Host::Ipv6(_) => {
            words.push(format!("-verify_ip {}", bare(host)));
        }
    }
    if tls.tls.verify_tls {
        words.push("-verify_return_error".to_owned());
    }
    if let Some(protocol) = tls.tls.starttls {
        words.push(format!("-starttls {protocol}"));
    }
    let path = |path: &Path| shell_word(&masks.apply(&path.to_string_lossy()));
    if let Some(ca) = tls.tls.ca_file() {
        words.push(format!("-CAfile {}", path(ca)));
    }
    let files = tls.tls.files.as_deref();
    if let Some((chain, key)) = files.and_then(|files| files.client_certificate.as_ref()) {
        words.push(format!("-cert {}", path(chain)));
        words.push(format!("-key {}", path(key)));
    }
    match tls.tcp.manner.dialogue.send.is_empty() {
        true => words.push("</dev/null".to_owned()),
        false => words.push("-quiet".to_owned()),
    }
    words
}

/// Where it connects.
fn stop(tcp: &TcpSubject) -> HostPort {
    match tcp.manner.connect_to() {
        None => tcp.at.clone(),
        Some(to) => HostPort {
            host: to.host.clone(),
            port: to.port.unwrap_or(tcp.at.port),
        },
    }
}

fn ping(icmp: &IcmpSubject) -> Vec<String> {
    let mut words = vec!["ping".to_owned()];
    words.extend(family(icmp.manner.ip_version));
    words.push(format!("-c {} -i 0.2", icmp.manner.packets));
    words.push(format!("-W {}", whole_seconds(icmp.manner.timeout)));
    words.push(shell_word(&bare(&icmp.host)));
    words
}

fn dig(dns: &DnsSubject) -> Vec<String> {
    let question = &dns.question;
    let mut words = vec!["dig".to_owned()];
    if let Some(server) = &question.server {
        words.push(shell_word(&format!("@{}", bare(&server.host))));
        words.push(format!("-p {}", server.port));
    }
    let name = match question.name.as_str() {
        "" => ".".to_owned(),
        name => format!("{name}."),
    };
    words.push(shell_word(&dns.manner.masks.apply(&name)));
    words.push(question.record_type.as_str().to_owned());
    words
}

/// What is sent, on its way into the next command.
fn piped(manner: &TcpManner) -> Vec<String> {
    let send = &manner.dialogue.send;
    match send.len() {
        0 => Vec::new(),
        1..=SENT_BYTES_MAX => vec![format!(
            "printf %b {} |",
            shell_word(&escaped(send, &manner.masks))
        )],
        bytes => vec![format!("head -c {bytes} send.bin |")],
    }
}

/// Bytes as `printf %b` reads them.
fn escaped(bytes: &[u8], masks: &Masks) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut out = String::new();
    for c in masks.apply(&text).chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            ' '..='~' => out.push(c),
            other => {
                let mut buffer = [0; 4];
                for byte in other.encode_utf8(&mut buffer).bytes() {
                    out.push_str(&format!("\\0{byte:03o}"));
                }
            }
        }
    }
    out
}

fn family(version: IpVersion) -> Option<String> {
    match version {
        IpVersion::Any => None,
        IpVersion::V4 => Some("-4".to_owned()),
        IpVersion::V6 => Some("-6".to_owned()),
    }
}

/// A host without the brackets of a URL.
fn bare(host: &Host<String>) -> String {
    match host {
        Host::Domain(name) => name.clone(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    }
}

/// These programs take no fractions.
fn whole_seconds(timeout: std::time::Duration) -> u64 {
    timeout.as_secs() + u64::from(timeout.subsec_nanos() > 0)
}
