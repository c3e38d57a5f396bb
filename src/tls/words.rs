//! One sentence for each fault of a certificate, the same for sites and mail servers.

use std::net::IpAddr;

use rustls::pki_types::{CertificateDer, UnixTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::public_key::PublicKey;

use super::certificate::{self, NAME_CHARS_MAX, name, parse};
use super::der::dotted;
use super::recorder::Seen;
use super::verify::{Fault, bare};
use crate::domain::check::FailureKind;
use crate::domain::safe_text;
use crate::domain::timestamp::Timestamp;

pub use super::alerts::{handshake, later};

/// So many names of a certificate for another host are shown.
const NAMES_SHOWN: usize = 3;

/// So many certificates of a chain are looked at for words.
const CERTIFICATES_READ_MAX: usize = 16;

/// RSA keys with fewer bits are not taken by current clients.
pub(super) const RSA_BITS_MIN: usize = 2048;

/// Why the handshake with a mail server failed, and which key of `[email]` to change where one helps.
pub fn of_mail_server(seen: &Seen, error: &rustls::Error, host: &str) -> String {
    let Some((kind, detail)) = seen_fault(seen, host) else {
        return format!("TLS handshake failed: {}", handshake(error));
    };
    let remedy = match kind {
        FailureKind::TlsUntrusted => {
            "set [email].ca_file to a file with the certificate of its authority, or with this certificate itself"
        }
        FailureKind::TlsHostname => {
            "set [email].host to a name that the certificate has, or have it made for this one"
        }
        FailureKind::TlsExpired => "it has to be renewed on the mail server",
        FailureKind::TlsNotYetValid => "look at the clocks of this host and of the mail server",
        _ => "set [email].ca_file to a file with this certificate itself, or have another one made",
    };
    format!("{detail}; {remedy}")
}

/// Why the handshake with the service of a channel failed, and the channel's key to change where one helps.
pub fn of_service(seen: &Seen, error: &rustls::Error, host: &str) -> String {
    let Some((kind, detail)) = seen_fault(seen, host) else {
        return format!("TLS handshake failed: {}", handshake(error));
    };
    let remedy = match kind {
        FailureKind::TlsUntrusted => {
            "; the channel's ca_file may name a file with the certificate of its authority"
        }
        _ => "",
    };
    format!("TLS handshake failed: {detail}{remedy}")
}

/// What is wrong with the certificates that a server sent.
fn seen_fault(seen: &Seen, host: &str) -> Option<(FailureKind, String)> {
    let fault = seen.fault.as_ref()?;
    Some(certificate(fault, &seen.certificates, host))
}

/// What a certificate fault is called, and one line about it.
pub fn certificate(
    fault: &Fault,
    sent: &[CertificateDer<'_>],
    host: &str,
) -> (FailureKind, String) {
    let sent = &sent[..sent.len().min(CERTIFICATES_READ_MAX)];
    match fault {
        Fault::CriticalExtension(number) => (
            FailureKind::TlsHandshake,
            format!(
                "the certificate has a critical extension that clients do not know ({}): they have to refuse it",
                safe_text::line(number, 60)
            ),
        ),
        Fault::Webpki(error) => by_webpki(error, sent, host),
    }
}

/// A fault of webpki, with what the certificates themselves say of it.
fn by_webpki(
    fault: &webpki::Error,
    sent: &[CertificateDer<'_>],
    host: &str,
) -> (FailureKind, String) {
    use FailureKind::{TlsExpired, TlsHandshake, TlsHostname, TlsNotYetValid, TlsUntrusted};
    use webpki::Error as E;
    match fault {
        E::CertExpired { not_after, .. } => {
            let end = moment(not_after);
            let whose = whose(sent, |cert| certificate::not_after(cert) == end);
            (TlsExpired, format!("{whose} expired on {}", when(end)))
        }
        E::CertNotValidYet { not_before, .. } => {
            let begin = moment(not_before);
            let whose = whose(sent, |cert| certificate::not_before(cert) == begin);
            (
                TlsNotYetValid,
                format!("{whose} is valid from {} on", when(begin)),
            )
        }
        E::CertNotValidForName(_) | E::MalformedDnsIdentifier | E::UnsupportedNameType => {
            let shown = safe_text::middle(bare(host), 100);
            let names = names(sent, bare(host));
            let detail = format!("the certificate is not for `{shown}`: {names}");
            (TlsHostname, detail)
        }
        E::UnknownIssuer | E::CaUsedAsEndEntity => (TlsUntrusted, untrusted(sent)),
        E::InvalidSignatureForPublicKey => (TlsUntrusted, bad_signature(sent)),
        E::RequiredEkuNotFoundContext(missing) => (TlsUntrusted, other_purpose(&missing.present)),
        // It was compared with the key of a trusted one that has its issuer's name: no signature of that key.
        E::UnsupportedSignatureAlgorithmContext(_) if is_self_issued(sent) => {
            (TlsUntrusted, not_by_its_issuer(sent))
        }
        E::UnsupportedSignatureAlgorithmForPublicKeyContext(context)
            if is_self_issued(sent)
                || family(&context.signature_algorithm_id)
                    != family(&context.public_key_algorithm_id) =>
        {
            (TlsUntrusted, not_by_its_issuer(sent))
        }
        E::UnsupportedSignatureAlgorithmContext(context) => (
            TlsHandshake,
            unknown_signature(&context.signature_algorithm_id),
        ),
        E::UnsupportedSignatureAlgorithmForPublicKeyContext(context) => {
            (TlsHandshake, unknown_key(&context.public_key_algorithm_id))
        }
        other => {
            let (kind, detail) = in_fixed_words(other);
            (kind, detail.to_owned())
        }
    }
}

/// A fault of webpki of which no certificate says more.
const fn in_fixed_words(fault: &webpki::Error) -> (FailureKind, &'static str) {
    use FailureKind::{TlsExpired, TlsHandshake, TlsUntrusted};
    use webpki::Error as E;
    match fault {
        E::InvalidCertValidity => (TlsExpired, "a certificate ends before it begins"),
        E::CertDistrusted => (TlsUntrusted, "the certificate is distrusted"),
        E::CertRevoked => (TlsUntrusted, "the certificate has been revoked"),
        E::EmptyEkuExtension => (
            TlsUntrusted,
            "the certificate is for no purpose at all (its extended key usage is empty)",
        ),
        E::EndEntityUsedAsCa => (
            TlsUntrusted,
            "a certificate of the chain signed another one without being a certificate authority's (basic constraints)",
        ),
        E::NameConstraintViolation => (
            TlsUntrusted,
            "an authority of the chain may not issue certificates for these names (name constraints)",
        ),
        E::PathLenConstraintViolated => (
            TlsUntrusted,
            "an authority of the chain may not have so many others below it (path length)",
        ),
        E::MaximumPathDepthExceeded => (
            TlsUntrusted,
            "the chain has more than six intermediate certificates",
        ),
        E::MaximumSignatureChecksExceeded
        | E::MaximumPathBuildCallsExceeded
        | E::MaximumNameConstraintComparisonsExceeded => (
            TlsUntrusted,
            "the chain leads along more ways than can be checked: the server should send its certificate and the \
             intermediate ones that it needs",
        ),
        E::SignatureAlgorithmMismatch => (
            TlsHandshake,
            "a certificate names two different signature algorithms",
        ),
        E::UnsupportedCertVersion => (
            TlsHandshake,
            "a certificate is of an old version, which is taken of a root or by itself only (ca_file)",
        ),
        E::UnsupportedCriticalExtension => (
            TlsHandshake,
            "a certificate has a critical extension that clients do not know: they have to refuse it",
        ),
        E::InvalidNetworkMaskConstraint | E::MalformedNameConstraint => (
            TlsHandshake,
            "an authority of the chain has name constraints that cannot be read",
        ),
        E::ExtensionValueInvalid | E::MalformedExtensions => (
            TlsHandshake,
            "a certificate has an extension that cannot be read, or one twice",
        ),
        // What is left says how a certificate is malformed, or is about revocation lists, which are not asked.
        _ => (
            TlsHandshake,
            "a certificate cannot be read: it is malformed",
        ),
    }
}

fn moment(at: &UnixTime) -> Timestamp {
    Timestamp::from_ms(i64::try_from(at.as_secs().saturating_mul(1000)).unwrap_or(i64::MAX))
}

/// To the second, as dates of certificates are.
fn when(at: Timestamp) -> String {
    at.to_string().replace('T', " ").replace(".000Z", " UTC")
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

/// What a certificate is for instead.
fn names(sent: &[CertificateDer<'_>], host: &str) -> String {
    let Some(leaf) = sent.first().and_then(|der| parse(der)) else {
        return "it cannot be read".to_owned();
    };
    let address: Option<IpAddr> = host.parse().ok();
    let names: Vec<String> = leaf
        .subject_alternative_name()
        .ok()
        .flatten()
        .map(|extension| &extension.value.general_names)
        .into_iter()
        .flatten()
        .filter_map(|general| match general {
            GeneralName::DNSName(name) => Some(safe_text::line(name, NAME_CHARS_MAX).into_owned()),
            GeneralName::IPAddress(bytes) => ip(bytes).map(|address| address.to_string()),
            _ => None,
        })
        .collect();
    if let Some(address) = address
        && names
            .iter()
            .any(|name| name.parse() == Ok(address) && !has_address(&leaf, address))
    {
        return format!("it names {address} as a DNS name, which does not count for an address");
    }
    if names.is_empty() {
        let why = if leaf.version() == x509_parser::x509::X509Version::V3 {
            "it has no subject alternative name"
        } else {
            "it is of an old version, which has no subject alternative names"
        };
        return format!("{why} ({} alone does not count)", name(leaf.subject()));
    }
    let shown = names[..names.len().min(NAMES_SHOWN)].join(", ");
    match names.len().saturating_sub(NAMES_SHOWN) {
        0 => format!("it is for {shown}"),
        more => format!("it is for {shown} and {more} more"),
    }
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(octets) = <[u8; 4]>::try_from(bytes) {
        return Some(octets.into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(Into::into)
}

fn has_address(leaf: &X509Certificate<'_>, address: IpAddr) -> bool {
    leaf.subject_alternative_name().is_ok_and(|names| {
        names.is_some_and(|names| {
            names.value.general_names.iter().any(
                |name| matches!(name, GeneralName::IPAddress(bytes) if ip(bytes) == Some(address)),
            )
        })
    })
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

/// A signature that does not fit, or one by a key that is too short.
fn bad_signature(sent: &[CertificateDer<'_>]) -> String {
    for der in sent {
        if let Some(cert) = parse(der)
            && let Some(bits) = short_rsa(&cert)
        {
            return format!(
                "the certificate is not trusted: the RSA key of {} has {bits} bits, and {RSA_BITS_MIN} is the least",
                name(cert.subject())
            );
        }
    }
    not_by_its_issuer(sent)
}

/// Whether the server's certificate names itself as its issuer.
fn is_self_issued(sent: &[CertificateDer<'_>]) -> bool {
    sent.first()
        .and_then(|der| parse(der))
        .is_some_and(|leaf| leaf.subject() == leaf.issuer())
}

/// The trusted one that has the issuer's name has not signed it.
fn not_by_its_issuer(sent: &[CertificateDer<'_>]) -> String {
    if is_self_issued(sent) {
        return "the certificate is self-signed (one that is trusted has the same name and another key)"
            .to_owned();
    }
    let leaf = sent.first().and_then(|der| parse(der));
    let issuer = leaf.map_or_else(|| "its issuer".to_owned(), |leaf| name(leaf.issuer()));
    format!(
        "the certificate is not trusted: a signature is not by the authority that it names (the trusted {issuer} has \
         another key, or the certificate was changed)"
    )
}

/// The bits of an RSA key that is too short.
pub(super) fn short_rsa(cert: &X509Certificate<'_>) -> Option<usize> {
    match cert.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => Some(key.key_size()).filter(|bits| *bits < RSA_BITS_MIN),
        _ => None,
    }
}

fn other_purpose(present: &[Vec<usize>]) -> String {
    let purposes: Vec<String> = present
        .iter()
        .take(NAMES_SHOWN)
        .map(|numbers| {
            let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
            let number = numbers.join(".");
            let word = match number.as_str() {
                "2.5.29.37.0" => "any purpose",
                "1.3.6.1.5.5.7.3.2" => "clients",
                "1.3.6.1.5.5.7.3.3" => "signed programs",
                "1.3.6.1.5.5.7.3.4" => "mail",
                "1.3.6.1.5.5.7.3.8" => "time stamps",
                "1.3.6.1.5.5.7.3.9" => "OCSP answers",
                _ => return safe_text::line(&number, 60).into_owned(),
            };
            word.to_owned()
        })
        .collect();
    format!(
        "the certificate is not trusted: it, or an authority of its chain, is not for servers but for {} (extended \
         key usage)",
        purposes.join(", ")
    )
}

/// Which kind of key an algorithm of a signature or of a key belongs to: its object identifier, without what tells the
/// members of one kind apart.
fn family(algorithm: &[u8]) -> String {
    let number = number(algorithm);
    // RSA in all its forms (PKCS 1), and elliptic curves (ANSI X9.62).
    let arcs = ["1.2.840.113549.1.1", "1.2.840.10045"];
    match arcs
        .iter()
        .find(|arc| number.starts_with(&format!("{arc}.")))
    {
        Some(arc) => (*arc).to_owned(),
        None => number,
    }
}

/// The object identifier that an algorithm begins with.
fn number(algorithm: &[u8]) -> String {
    match algorithm {
        [0x06, length, rest @ ..] => dotted(&rest[..rest.len().min(usize::from(*length))]),
        _ => String::new(),
    }
}

fn unknown_signature(algorithm: &[u8]) -> String {
    let number = number(algorithm);
    let weak = |name: &str| {
        format!(
            "a certificate is signed with {name}, which is too weak and no longer accepted: have it issued again with \
             SHA-256"
        )
    };
    let name = match number.as_str() {
        "1.2.840.113549.1.1.2" | "1.2.840.113549.1.1.4" => return weak("MD5"),
        "1.2.840.113549.1.1.5" | "1.3.14.3.2.29" | "1.2.840.10045.4.1" | "1.2.840.10040.4.3" => {
            return weak("SHA-1");
        }
        "1.2.840.113549.1.1.10" => "RSA-PSS with rare parameters".to_owned(),
        "1.3.101.113" => "Ed448".to_owned(),
        "1.2.840.113549.1.1.14" | "1.2.840.10045.4.3.1" => "SHA-224".to_owned(),
        "2.16.840.1.101.3.4.3.2" => "DSA".to_owned(),
        "" => "an algorithm that cannot be read".to_owned(),
        other => format!("an algorithm ({})", safe_text::line(other, 60)),
    };
    lacking(&format!("a certificate is signed with {name}"))
}

fn unknown_key(algorithm: &[u8]) -> String {
    let kind = match number(algorithm).as_str() {
        "1.2.840.10045.2.1" => "a key on an elliptic curve",
        "1.2.840.113549.1.1.10" => "a key for RSA-PSS",
        "1.2.840.10040.4.1" => "a DSA key",
        "1.3.101.113" => "an Ed448 key",
        "1.2.840.113549.1.1.1" => "an RSA key with another kind of signature",
        _ => "a key",
    };
    lacking(&format!("a certificate of the chain is signed by {kind}"))
}

/// What our library does not have is no proof against a site.
fn lacking(what: &str) -> String {
    format!(
        "{what} that sitewatch cannot check; other clients may, and the site may be fine (RSA, ECDSA and Ed25519 can \
         be checked)"
    )
}
