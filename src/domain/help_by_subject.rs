//! What a failure means where the monitor is not one of a web site: in the words of a port, a ping or a name server.

use super::check::FailureKind;
use super::subject::SubjectKind;

/// Meaning and advice of a failure of this kind of monitor; `None` where they are those of HTTP.
pub(super) const fn of(
    subject: SubjectKind,
    failure: FailureKind,
) -> Option<(&'static str, &'static str)> {
    match subject {
        SubjectKind::Http => None,
        SubjectKind::Tcp => of_port(failure),
        SubjectKind::Tls => match of_tls(failure) {
            Some(words) => Some(words),
            None => of_port(failure),
        },
        SubjectKind::Icmp => of_ping(failure),
        SubjectKind::Dns => of_name_server(failure),
    }
}

const fn of_port(failure: FailureKind) -> Option<(&'static str, &'static str)> {
    use FailureKind as K;
    Some(match failure {
        K::ConnectRefused => (
            "The machine is there and nothing listens on that port: the service is stopped, crashed or listens elsewhere.",
            "whether the service runs; its port and address; a firewall that rejects",
        ),
        K::ConnectReset => (
            "The connection was torn down: the service crashed or restarted, refuses this client, or a firewall interfered.",
            "the service's log at that moment; its access rules and connection limits; a firewall between",
        ),
        K::TimeoutResponse => (
            "Connected, and the server did not say what was waited for within the timeout: the service hangs, is overloaded, or waits for the client to speak first.",
            "the service's log; whether the client has to speak first (send of the monitor); the monitor's timeout",
        ),
        K::ClosedEarly => (
            "The server took the connection and closed it without a word that was waited for: it refuses this client, or a worker crashed.",
            "the service's log at that moment; its access rules and connection limits",
        ),
        K::Body => (
            "What the server says does not match expect: it reports an error, or another service listens on that port.",
            "what the service says and logs; expect and send of the monitor",
        ),
        K::Protocol => (
            "What came cannot be read: broken TLS, or far more bytes than were wanted.",
            "the program that answers on that port; whether it speaks TLS",
        ),
        _ => return None,
    })
}

const fn of_tls(failure: FailureKind) -> Option<(&'static str, &'static str)> {
    use FailureKind as K;
    Some(match failure {
        K::TlsExpired => (
            "A certificate of the chain has expired. Clients refuse the connection.",
            "the renewal (certbot, ACME client) and whether the service was reloaded after it; an intermediate that has expired",
        ),
        K::TlsHostname => (
            "The certificate does not name this host. A common name alone does not count: clients read subjectAltName only.",
            "the certificate that the service is configured with; the names in it",
        ),
        K::TlsHandshake => (
            "There is no TLS: the two sides found no common protocol or cipher, the handshake was cut, or the server did not agree to STARTTLS.",
            "protocol versions and ciphers (TLS 1.2 or newer is needed); whether TLS begins at once on that port or after STARTTLS (starttls of the monitor); a client certificate that is asked for",
        ),
        _ => return None,
    })
}

const fn of_ping(failure: FailureKind) -> Option<(&'static str, &'static str)> {
    use FailureKind as K;
    Some(match failure {
        K::ConnectUnreachable => (
            "A router, or this host, says that there is no way to this address.",
            "routing; the address in DNS; whether the host's network is up",
        ),
        _ => return None,
    })
}

const fn of_name_server(failure: FailureKind) -> Option<(&'static str, &'static str)> {
    use FailureKind as K;
    Some(match failure {
        K::DnsNotFound => (
            "The name does not exist, or has no record of the type that is asked for.",
            "the zone; the domain's registration; which server answers",
        ),
        K::DnsTimeout => (
            "The name server did not answer in time: it is down, or the way to it is broken.",
            "whether the name server runs; UDP and TCP port 53 in firewalls; [dns] servers, where the URL names none",
        ),
        K::DnsFailure => (
            "The name server answered with an error (SERVFAIL, REFUSED) or with nonsense.",
            "the name server's log; whether it may be asked from here; the zone and its DNSSEC signatures",
        ),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meanings_are_sentences_and_advice_is_a_phrase() {
        for subject in SubjectKind::ALL {
            for failure in FailureKind::ALL {
                let Some((meaning, advice)) = of(subject, *failure) else {
                    continue;
                };
                assert!(meaning.ends_with('.'), "{failure}");
                assert!(!advice.ends_with('.'), "{failure}");
                let words = format!("{meaning} {advice}");
                assert!(
                    !words.contains("web") && !words.contains("HTTP"),
                    "{failure}"
                );
            }
        }
    }
}
