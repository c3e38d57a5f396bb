//! One sentence for each fault of a certificate or a handshake, the same for sites and mail servers.

use rustls::pki_types::{CertificateDer, UnixTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;

use super::certificate::{NAME_CHARS_MAX, name, parse};
use super::recorder::Seen;
use super::verify::{Fault, bare};
use crate::domain::check::FailureKind;
use crate::domain::text;
use crate::domain::timestamp::Timestamp;

/// So many names of a certificate for another host are shown.
const NAMES_SHOWN: usize = 3;

/// Why the handshake with a mail server failed, and which key of `[email]` to change where one helps.
pub fn of_mail_server(seen: &Seen, error: &rustls::Error, host: &str) -> String {
    let Some(fault) = &seen.fault else {
        return format!("TLS handshake failed: {}", handshake(error));
    };
    let (kind, detail) = certificate(fault, &seen.certificates, host);
    let remedy = match kind {
        FailureKind::TlsUntrusted => {
            "set [email].ca_file to a file with the certificate of its authority, or with this certificate itself"
        }
        FailureKind::TlsHostname => {
            "set [email].host to a name that the certificate has, or have it made for this one"
        }
        FailureKind::TlsExpired => "it has to be renewed on the mail server",
        FailureKind::TlsNotYetValid => "look at the clocks of this host and of the mail server",
        _ => return detail,
    };
    format!("{detail}; {remedy}")
}

/// What a certificate fault is called, and one line about it.
pub fn certificate(
    fault: &Fault,
    sent: &[CertificateDer<'_>],
    host: &str,
) -> (FailureKind, String) {
    use webpki::Error as E;
    let moment = |at: &UnixTime| {
        Timestamp::from_ms(i64::try_from(at.as_secs().saturating_mul(1000)).unwrap_or(i64::MAX))
    };
    let fault = &fault.0;
    match fault {
        E::CertExpired { not_after, .. } => {
            let end = moment(not_after);
            let detail = format!(
                "{} ended on {}",
                whose(sent, |cert| super::certificate::not_after(cert) == end),
                end.to_jiff()
            );
            (FailureKind::TlsExpired, detail)
        }
        E::CertNotValidYet { not_before, .. } => {
            let begin = moment(not_before);
            let detail = format!(
                "{} begins on {}",
                whose(sent, |cert| super::certificate::not_before(cert) == begin),
                begin.to_jiff()
            );
            (FailureKind::TlsNotYetValid, detail)
        }
        E::CertNotValidForName(_) | E::MalformedDnsIdentifier => {
            let host = text::middle(bare(host), 100);
            let detail = format!("the certificate is not for `{host}`: {}", names(sent));
            (FailureKind::TlsHostname, detail)
        }
        E::UnknownIssuer | E::CaUsedAsEndEntity => (FailureKind::TlsUntrusted, untrusted(sent)),
        E::InvalidSignatureForPublicKey
        | E::CertDistrusted
        | E::CertRevoked
        | E::EndEntityUsedAsCa
        | E::NameConstraintViolation
        | E::PathLenConstraintViolated
        | E::RequiredEkuNotFoundContext(_) => {
            let detail = format!("the certificate is not trusted: {fault}");
            (FailureKind::TlsUntrusted, detail)
        }
        _ => {
            let detail = format!("the certificate is of no use: {fault}");
            (FailureKind::TlsHandshake, detail)
        }
    }
}

/// Which of the certificates a date belongs to, as the subject of a sentence.
fn whose(sent: &[CertificateDer<'_>], is_it: impl Fn(&X509Certificate<'_>) -> bool) -> String {
    let found = sent
        .iter()
        .enumerate()
        .find_map(|(place, der)| parse(der).filter(&is_it).map(|cert| (place, cert)));
    match found {
        Some((place, cert)) if place > 0 => {
            format!("the intermediate certificate {}", name(cert.subject()))
        }
        _ => "the certificate".to_owned(),
    }
}

fn names(sent: &[CertificateDer<'_>]) -> String {
    let Some(leaf) = sent.first().and_then(|der| parse(der)) else {
        return "it cannot be read".to_owned();
    };
    let names: Vec<String> = leaf
        .subject_alternative_name()
        .ok()
        .flatten()
        .map(|extension| &extension.value.general_names)
        .into_iter()
        .flatten()
        .filter_map(|general| match general {
            GeneralName::DNSName(name) => Some(text::line(name, NAME_CHARS_MAX).into_owned()),
            GeneralName::IPAddress(bytes) => match bytes.len() {
                4 => <[u8; 4]>::try_from(*bytes)
                    .ok()
                    .map(|octets| std::net::Ipv4Addr::from(octets).to_string()),
                16 => <[u8; 16]>::try_from(*bytes)
                    .ok()
                    .map(|octets| std::net::Ipv6Addr::from(octets).to_string()),
                _ => None,
            },
            _ => None,
        })
        .collect();
    if names.is_empty() {
        return format!(
            "it has no subject alternative name ({} alone does not count)",
            name(leaf.subject())
        );
    }
    let shown = names[..names.len().min(NAMES_SHOWN)].join(", ");
    match names.len().saturating_sub(NAMES_SHOWN) {
        0 => format!("it is for {shown}"),
        more => format!("it is for {shown} and {more} more"),
    }
}

fn untrusted(sent: &[CertificateDer<'_>]) -> String {
    let parsed: Vec<_> = sent.iter().filter_map(|der| parse(der)).collect();
    let Some(leaf) = parsed.first() else {
        return "the certificate cannot be read".to_owned();
    };
    if leaf.subject() == leaf.issuer() {
        return "the certificate is self-signed".to_owned();
    }
    let top = parsed.last().unwrap_or(leaf);
    if parsed.len() == 1 {
        format!(
            "the certificate is by {}, which is not trusted here, and the server sends no \
             intermediate certificate",
            name(leaf.issuer())
        )
    } else if top.subject() == top.issuer() {
        format!("its root {} is not trusted here", name(top.subject()))
    } else {
        format!(
            "no trusted root leads to it: {} is not trusted here",
            name(top.issuer())
        )
    }
}

/// What broke TLS, as the end of a sentence.
pub fn handshake(error: &rustls::Error) -> String {
    use rustls::{AlertDescription as Alert, Error as Tls};
    match error {
        Tls::AlertReceived(Alert::ProtocolVersion) => {
            "the server takes neither TLS 1.2 nor TLS 1.3".to_owned()
        }
        Tls::AlertReceived(Alert::CertificateRequired) => {
            "the server wants a client certificate".to_owned()
        }
        Tls::AlertReceived(Alert::UnrecognisedName) => {
            "the server does not know the host name".to_owned()
        }
        Tls::AlertReceived(Alert::NoApplicationProtocol) => {
            "the server does not speak HTTP/1.1 over TLS".to_owned()
        }
        Tls::AlertReceived(alert) => format!("the server ends it with alert {alert:?}"),
        Tls::PeerIncompatible(_) => format!(
            "the server speaks an old protocol or none of our ciphers ({})",
            text::line(&error.to_string(), 150)
        ),
        Tls::InvalidMessage(_) => "the server does not answer in TLS".to_owned(),
        other => text::line(&other.to_string(), 200).into_owned(),
    }
}
