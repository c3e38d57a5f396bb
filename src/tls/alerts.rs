//! What broke TLS, in words: each of the library's errors and of the server's alerts.

use rustls::{
    AlertDescription as Alert, CertificateError, Error, InvalidMessage, PeerIncompatible,
    PeerMisbehaved,
};

/// What broke a handshake, as the end of a sentence.
pub fn handshake(error: &Error) -> String {
    let words = match error {
        Error::AlertReceived(alert) => return of_alert(*alert),
        Error::InvalidMessage(message) => of_message(message),
        Error::PeerIncompatible(lack) => of_lack(lack),
        Error::PeerMisbehaved(misdeed) => of_misdeed(misdeed),
        Error::InvalidCertificate(fault) => of_certificate(fault),
        Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
            "the server sends a message of TLS that does not belong there"
        }
        Error::NoCertificatesPresented => "the server shows no certificate",
        Error::DecryptError => "what the server sent cannot be decrypted",
        Error::PeerSentOversizedRecord => "the server sends more at once than TLS allows",
        Error::NoApplicationProtocol => "the server does not speak HTTP/1.1 over TLS",
        Error::UnsupportedNameType => "the host is not a name that TLS can ask for",
        Error::FailedToGetRandomBytes => "this host has no random numbers",
        Error::FailedToGetCurrentTime => "this host does not know the time",
        Error::General(ours) if ours.starts_with(SHORT_KEY) => return ours.clone(),
        Error::InconsistentKeys(_) => "the client certificate does not belong to its key",
        // Errors of configurations and of features that are not in use.
        _ => "the TLS library gives up",
    };
    words.to_owned()
}

/// How an error begins that [`too_short`] makes.
const SHORT_KEY: &str = "the RSA key of the certificate has ";

/// The error about a server whose RSA key is too short.
pub(super) fn too_short(bits: usize) -> Error {
    let least = super::words::RSA_BITS_MIN;
    Error::General(format!("{SHORT_KEY}{bits} bits, and {least} is the least"))
}

/// What broke TLS once the handshake was done, as the end of a sentence.
pub fn later(error: &Error) -> String {
    match error {
        Error::AlertReceived(Alert::HandshakeFailure | Alert::NoRenegotiation)
        | Error::PeerMisbehaved(PeerMisbehaved::TooManyRenegotiationRequests) => {
            "the server wants another handshake within the connection (alert handshake_failure), which sitewatch \
             cannot do; IIS and Apache want that for client certificates of a single directory: TLS 1.3, or client \
             certificates for the whole site, do without"
                .to_owned()
        }
        _ => handshake(error),
    }
}

fn of_alert(alert: Alert) -> String {
    let words = match alert {
        Alert::ProtocolVersion => "the server takes neither TLS 1.2 nor TLS 1.3",
        Alert::CertificateRequired => "the server wants a client certificate",
        Alert::UnrecognisedName => "the server does not know the host name",
        Alert::NoApplicationProtocol => "the server does not speak HTTP/1.1 over TLS",
        Alert::HandshakeFailure => {
            "the server finds no algorithms in common (alert handshake_failure), or wants a client certificate. \
             sitewatch lacks RSA key exchange, DHE and ciphers with CBC, so other clients may get in: the server \
             should offer ECDHE with AES-GCM, or TLS 1.3"
        }
        Alert::InsufficientSecurity => {
            "the server wants stronger algorithms than are offered (alert insufficient_security)"
        }
        Alert::CloseNotify => "the server ends the connection (alert close_notify)",
        Alert::InternalError => "the server has an error of its own (alert internal_error)",
        Alert::BadCertificate
        | Alert::UnsupportedCertificate
        | Alert::CertificateRevoked
        | Alert::CertificateExpired
        | Alert::CertificateUnknown
        | Alert::UnknownCA
        | Alert::AccessDenied
        | Alert::NoCertificate => {
            return format!(
                "the server refuses the client certificate, or the lack of one (alert {})",
                alert_name(alert)
            );
        }
        Alert::UserCanceled => "the server gives up the handshake (alert user_canceled)",
        _ => {
            return format!(
                "the server ends the handshake with alert {}",
                alert_name(alert)
            );
        }
    };
    words.to_owned()
}

/// The name that the registry has for an alert.
fn alert_name(alert: Alert) -> String {
    let name = match alert {
        Alert::CloseNotify => "close_notify",
        Alert::UnexpectedMessage => "unexpected_message",
        Alert::BadRecordMac => "bad_record_mac",
        Alert::DecryptionFailed => "decryption_failed",
        Alert::RecordOverflow => "record_overflow",
        Alert::DecompressionFailure => "decompression_failure",
        Alert::HandshakeFailure => "handshake_failure",
        Alert::NoCertificate => "no_certificate",
        Alert::BadCertificate => "bad_certificate",
        Alert::UnsupportedCertificate => "unsupported_certificate",
        Alert::CertificateRevoked => "certificate_revoked",
        Alert::CertificateExpired => "certificate_expired",
        Alert::CertificateUnknown => "certificate_unknown",
        Alert::IllegalParameter => "illegal_parameter",
        Alert::UnknownCA => "unknown_ca",
        Alert::AccessDenied => "access_denied",
        Alert::DecodeError => "decode_error",
        Alert::DecryptError => "decrypt_error",
        Alert::ExportRestriction => "export_restriction",
        Alert::ProtocolVersion => "protocol_version",
        Alert::InsufficientSecurity => "insufficient_security",
        Alert::InternalError => "internal_error",
        Alert::InappropriateFallback => "inappropriate_fallback",
        Alert::UserCanceled => "user_canceled",
        Alert::NoRenegotiation => "no_renegotiation",
        Alert::MissingExtension => "missing_extension",
        Alert::UnsupportedExtension => "unsupported_extension",
        Alert::CertificateUnobtainable => "certificate_unobtainable",
        Alert::UnrecognisedName => "unrecognized_name",
        Alert::BadCertificateStatusResponse => "bad_certificate_status_response",
        Alert::BadCertificateHashValue => "bad_certificate_hash_value",
        Alert::UnknownPSKIdentity => "unknown_psk_identity",
        Alert::CertificateRequired => "certificate_required",
        Alert::NoApplicationProtocol => "no_application_protocol",
        Alert::EncryptedClientHelloRequired => "ech_required",
        other => return format!("{} (without a name)", u8::from(other)),
    };
    name.to_owned()
}

const fn of_message(message: &InvalidMessage) -> &'static str {
    match message {
        InvalidMessage::CertificatePayloadTooLarge => {
            "the server sends more than 64 KB of certificates"
        }
        InvalidMessage::HandshakePayloadTooLarge | InvalidMessage::MessageTooLarge => {
            "the server sends a message that is too large, or does not answer in TLS"
        }
        InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion => {
            "the server does not answer in TLS"
        }
        _ => "the server does not answer in TLS, or with a malformed message",
    }
}

const fn of_lack(lack: &PeerIncompatible) -> &'static str {
    match lack {
        PeerIncompatible::ServerDoesNotSupportTls12Or13
        | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
        | PeerIncompatible::Tls12NotOffered
        | PeerIncompatible::Tls12NotOfferedOrEnabled => {
            "the server takes neither TLS 1.2 nor TLS 1.3"
        }
        PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon => {
            "the server wants a client certificate with a kind of signature that this one cannot give"
        }
        PeerIncompatible::NoKxGroupsInCommon | PeerIncompatible::NoCipherSuitesInCommon => {
            "the server has none of our ciphers and key exchanges; it should offer ECDHE with AES-GCM, or TLS 1.3"
        }
        PeerIncompatible::NullCompressionRequired => {
            "the server wants compression within TLS, which is insecure"
        }
        _ => "the server speaks an old TLS without a part that is needed",
    }
}

const fn of_misdeed(misdeed: &PeerMisbehaved) -> &'static str {
    match misdeed {
        PeerMisbehaved::SelectedUnofferedCipherSuite
        | PeerMisbehaved::SelectedUnofferedKxGroup
        | PeerMisbehaved::SelectedUnofferedCompression
        | PeerMisbehaved::SelectedUnofferedApplicationProtocol
        | PeerMisbehaved::SelectedUnofferedPsk => {
            "the server takes an algorithm or protocol that it was not offered"
        }
        PeerMisbehaved::SignedKxWithWrongAlgorithm
        | PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme => {
            "the server signs with an algorithm that it was not offered"
        }
        PeerMisbehaved::AttemptedDowngradeToTls12WhenTls13IsSupported => {
            "someone between forces an older TLS than the server speaks"
        }
        PeerMisbehaved::TooManyWarningAlertsReceived
        | PeerMisbehaved::TooManyEmptyFragments
        | PeerMisbehaved::TooManyKeyUpdateRequests
        | PeerMisbehaved::TooManyRenegotiationRequests => {
            "the server repeats messages of TLS without end"
        }
        PeerMisbehaved::InvalidKeyShare => "the server's part of the key exchange is not valid",
        _ => "the server does not keep to the rules of TLS",
    }
}

const fn of_certificate(fault: &CertificateError) -> &'static str {
    match fault {
        CertificateError::BadSignature => {
            "the server's signature does not fit the key of its certificate"
        }
        CertificateError::BadEncoding => "the server's certificate is malformed",
        _ => "the server's certificate is refused",
    }
}

#[cfg(test)]
mod tests {
    use rustls::{
        CertRevocationListError, EncryptedClientHelloError, InconsistentKeys, OtherError,
    };

    use super::*;

    /// A library's own words: the name of a type or variant, or bytes.
    pub(crate) fn is_debug_text(words: &str) -> bool {
        let pattern = regex::Regex::new(r"Context|\[\d+, \d+|[a-z][A-Z]|[({]\s*\w+:|::").unwrap();
        pattern.is_match(words)
    }

    fn check(error: &Error) {
        for words in [handshake(error), later(error)] {
            assert!(!is_debug_text(&words), "{error:?}: {words}");
            assert!(words.len() > 15, "{error:?}: {words}");
            assert!(
                words.chars().next().is_some_and(char::is_lowercase),
                "{words}"
            );
        }
    }

    #[test]
    fn every_alert_has_words() {
        for number in 0..=255_u8 {
            check(&Error::AlertReceived(Alert::from(number)));
        }
    }

    #[test]
    fn every_error_has_words() {
        use PeerIncompatible as I;
        use PeerMisbehaved as M;
        let mut all = vec![
            Error::InappropriateMessage {
                expect_types: vec![],
                got_type: rustls::ContentType::Alert,
            },
            Error::InappropriateHandshakeMessage {
                expect_types: vec![],
                got_type: rustls::HandshakeType::ClientHello,
            },
            Error::InvalidEncryptedClientHello(EncryptedClientHelloError::InvalidConfigList),
            Error::NoCertificatesPresented,
            Error::UnsupportedNameType,
            Error::DecryptError,
            Error::EncryptError,
            Error::InvalidCertRevocationList(CertRevocationListError::BadSignature),
            Error::General("SomeInternal { state: [1, 2] }".into()),
            Error::FailedToGetCurrentTime,
            Error::FailedToGetRandomBytes,
            Error::HandshakeNotComplete,
            Error::PeerSentOversizedRecord,
            Error::NoApplicationProtocol,
            Error::BadMaxFragmentSize,
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch),
            Error::Other(OtherError(std::sync::Arc::new(std::io::Error::other(
                "Inner(1)",
            )))),
            too_short(1024),
        ];
        all.extend(
            [
                InvalidMessage::CertificatePayloadTooLarge,
                InvalidMessage::HandshakePayloadTooLarge,
                InvalidMessage::InvalidCcs,
                InvalidMessage::InvalidContentType,
                InvalidMessage::MissingData("ServerHello"),
                InvalidMessage::TrailingData("ServerHello"),
                InvalidMessage::UnexpectedMessage("ServerHello"),
                InvalidMessage::UnknownProtocolVersion,
                InvalidMessage::MessageTooLarge,
                InvalidMessage::DuplicateExtension(7),
            ]
            .map(Error::InvalidMessage),
        );
        all.extend(
            [
                I::EcPointsExtensionRequired,
                I::ExtendedMasterSecretExtensionRequired,
                I::NoCertificateRequestSignatureSchemesInCommon,
                I::NoCipherSuitesInCommon,
                I::NoKxGroupsInCommon,
                I::NoSignatureSchemesInCommon,
                I::NullCompressionRequired,
                I::ServerDoesNotSupportTls12Or13,
                I::ServerTlsVersionIsDisabledByOurConfig,
                I::Tls12NotOffered,
                I::Tls13RequiredForQuic,
                I::ServerRejectedEncryptedClientHello(None),
            ]
            .map(Error::PeerIncompatible),
        );
        all.extend(
            [
                M::AttemptedDowngradeToTls12WhenTls13IsSupported,
                M::InvalidKeyShare,
                M::SelectedUnofferedKxGroup,
                M::SelectedUnofferedCipherSuite,
                M::SignedKxWithWrongAlgorithm,
                M::SignedHandshakeWithUnadvertisedSigScheme,
                M::TooManyEmptyFragments,
                M::TooManyRenegotiationRequests,
                M::TooManyWarningAlertsReceived,
                M::WrongGroupForKeyShare,
            ]
            .map(Error::PeerMisbehaved),
        );
        all.extend(
            [
                CertificateError::BadEncoding,
                CertificateError::BadSignature,
                CertificateError::UnknownIssuer,
                CertificateError::ApplicationVerificationFailure,
            ]
            .map(Error::InvalidCertificate),
        );
        all.iter().for_each(check);
    }
}
