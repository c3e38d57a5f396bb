//! What a failure means to a visitor of a site: no codes, no addresses, nothing that only its operator understands.

use super::check::FailureKind;
use super::status_code;

/// A clause that fits after the name of a site and a colon: `Shop: it cannot be reached`.
pub fn of(kind: FailureKind, status: Option<u16>) -> String {
    match (kind, status) {
        (FailureKind::Status, Some(status)) => {
            let (name, _) = status_code::nearest_class(status);
            match status {
                400.. => format!("it answers with an error ({status} {name})"),
                _ => format!("it answers with {status} {name} instead of its page"),
            }
        }
        (kind, _) => of_kind(kind).to_owned(),
    }
}

const fn of_kind(kind: FailureKind) -> &'static str {
    use FailureKind as K;
    match kind {
        K::Status => "it answers with an error",
        K::DnsNotFound => "its name cannot be found",
        K::DnsTimeout | K::DnsFailure => "its name cannot be looked up",
        K::ConnectRefused | K::ConnectTimeout | K::ConnectUnreachable | K::ConnectReset => {
            "it cannot be reached"
        }
        K::TlsExpired => "its certificate has expired",
        K::TlsNotYetValid => "its certificate is not valid yet",
        K::TlsHostname => "its certificate is for another name",
        K::TlsUntrusted => "its certificate is not trusted",
        K::TlsTimeout | K::TlsHandshake => "no secure connection can be made",
        K::TimeoutResponse => "it does not answer in time",
        K::TimeoutBody => "the page does not load in time",
        K::ClosedEarly => "it closes the connection without an answer",
        K::BodyTruncated => "the page arrives incomplete",
        K::Protocol => "its answer cannot be read",
        K::RedirectLoop | K::RedirectLimit => "it redirects without end",
        K::RedirectInvalid => "its redirect leads nowhere",
        K::RedirectDowngrade => "it redirects to a page without encryption",
        K::RedirectBlocked => "it redirects to a page that the public cannot reach",
        K::FinalUrl => "it leads to another page than it should",
        K::Header | K::Body | K::Json | K::BodyTooLarge => "the page does not show what it should",
        K::Slow => "it answers slowly",
        K::CertificateExpiring => "its certificate expires soon",
        K::Intermittent => "it fails now and then",
        K::AddressDown => "it cannot be reached at all of its addresses",
        K::HttpVersion => "it cannot be reached by every version of HTTP",
        K::Regional => "it cannot be reached from everywhere",
        K::PacketLoss => "it loses packets",
        K::PingTimeout => "it does not answer",
        K::DnsAnswer => "its name leads elsewhere than it should",
        K::Local => "it could not be checked",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_kind_speaks_to_operators() {
        for kind in FailureKind::ALL {
            let words = of(*kind, None);
            assert!(!words.contains('_') && !words.contains("expect"), "{words}");
            assert!(
                words.starts_with("it")
                    || words.starts_with("the page")
                    || words.starts_with("no ")
            );
        }
        assert_eq!(
            of(FailureKind::Status, Some(503)),
            "it answers with an error (503 Service Unavailable)"
        );
        assert_eq!(
            of(FailureKind::Status, Some(204)),
            "it answers with 204 No Content instead of its page"
        );
    }
}
