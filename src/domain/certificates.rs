//! The certificates in a file that a person wrote the name of: PEM in its several forms, or DER.

use std::borrow::Cow;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Why a file holds no certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoCertificates {
    /// No section at all.
    #[error("holds no certificate in PEM or DER")]
    None,
    /// A section without an end, or with something else than base64 in it.
    #[error("is damaged: a PEM section cannot be read")]
    Damaged,
}

/// Other labels of a certificate: OpenSSL's own (`openssl x509 -trustout`), and an old one.
const LABELS: [&str; 2] = ["TRUSTED CERTIFICATE", "X509 CERTIFICATE"];

/// All certificates of a file, in their order. Text between the sections, and sections of other kinds, do not count.
///
/// # Errors
/// When there is none, or a section is damaged.
pub fn of_file(bytes: &[u8]) -> Result<Vec<Vec<u8>>, NoCertificates> {
    if bytes.first() == Some(&0x30)
        && let Some(found) = of_der(bytes)
    {
        return Ok(found);
    }
    let mut found = Vec::new();
    for section in CertificateDer::pem_slice_iter(&relabelled(bytes)) {
        let der = section.map_err(|_| NoCertificates::Damaged)?;
        // OpenSSL's own form has what it is trusted for behind the certificate.
        let length = length(&der).ok_or(NoCertificates::Damaged)?;
        found.push(der[..length].to_vec());
    }
    if found.is_empty() {
        return Err(NoCertificates::None);
    }
    Ok(found)
}

/// One or more certificates without any text.
fn of_der(mut bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (first, rest) = bytes.split_at(length(bytes)?);
        found.push(first.to_vec());
        bytes = rest;
    }
    Some(found)
}

/// The length of the sequence that these bytes begin with, its head included.
fn length(bytes: &[u8]) -> Option<usize> {
    let [0x30, first, rest @ ..] = bytes else {
        return None;
    };
    let (head, content) = match first {
        0..=0x7f => (2, usize::from(*first)),
        0x81..=0x83 => {
            let count = usize::from(first & 0x0f);
            let content = rest
                .get(..count)?
                .iter()
                .fold(0, |sum, byte| (sum << 8) | usize::from(*byte));
            (2 + count, content)
        }
        _ => return None,
    };
    Some(head + content).filter(|length| *length <= bytes.len())
}

/// The text with the usual label only.
fn relabelled(bytes: &[u8]) -> Cow<'_, [u8]> {
    let holds = |label: &str| {
        bytes
            .windows(label.len())
            .any(|part| part == label.as_bytes())
    };
    let mut text = Cow::Borrowed(bytes);
    for label in LABELS {
        if !holds(label) {
            continue;
        }
        for edge in ["BEGIN", "END"] {
            let from = format!("-----{edge} {label}-----");
            let to = format!("-----{edge} CERTIFICATE-----");
            text = Cow::Owned(replaced(&text, from.as_bytes(), to.as_bytes()));
        }
    }
    text
}

fn replaced(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut made = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(from) {
            made.extend_from_slice(to);
            rest = after;
        } else {
            made.push(*first);
            rest = after;
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(label: &str, base64: &str) -> String {
        format!("-----BEGIN {label}-----\n{base64}\n-----END {label}-----\n")
    }

    /// How long the certificates of a file are, or why it has none.
    fn check(file: &[u8], want: &str) {
        let got = match of_file(file) {
            Ok(found) => {
                let lengths: Vec<String> = found.iter().map(|der| der.len().to_string()).collect();
                lengths.join(" ")
            }
            Err(error) => error.to_string(),
        };
        assert_eq!(got, want, "{}", String::from_utf8_lossy(file));
    }

    #[test]
    fn every_form_of_a_file() {
        // MAMBAgM= is a sequence of three bytes, MAMBAgMwAA== the same with an empty sequence behind it.
        let one = section("CERTIFICATE", "MAMBAgM=");
        check(one.as_bytes(), "5");
        check(one.replace('\n', "\r\n").as_bytes(), "5");
        check(
            format!("Bag Attributes\n  friendly: \u{fc}\n{one}# and\n{one}").as_bytes(),
            "5 5",
        );
        let trusted = section("TRUSTED CERTIFICATE", "MAMBAgMwAA==");
        check(trusted.as_bytes(), "5");
        check(
            format!("{one}{trusted}{}", section("X509 CERTIFICATE", "MAMBAgM=")).as_bytes(),
            "5 5 5",
        );
        check(
            format!("{}{one}", section("PRIVATE KEY", "AAAA")).as_bytes(),
            "5",
        );
        check(b"\x30\x03\x01\x02\x03", "5");
        check(b"\x30\x03\x01\x02\x03\x30\x00", "5 2");
        let none = "holds no certificate in PEM or DER";
        check(b"", none);
        check(b"0 certificates here", none);
        check(b"\x30\x03\x01\x02", none);
        check(section("PRIVATE KEY", "AAAA").as_bytes(), none);
        let damaged = "is damaged: a PEM section cannot be read";
        check(section("CERTIFICATE", "MAMB!gM=").as_bytes(), damaged);
        check(section("CERTIFICATE", "AAAA").as_bytes(), damaged);
        check(b"-----BEGIN CERTIFICATE-----\nMAMB\n", damaged);
    }
}
