//! What each failure kind means to the owner of a site: beside the table of status codes, for the same readers.

use super::check::FailureKind;
use super::failure_by_kind;
use super::status_code::Side;
use super::subject::{NO_RIGHT_TO_PING, SubjectKind};

/// A failure kind explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureMeaning {
    /// Its name for people: `connection refused`.
    pub name: &'static str,
    /// Whose fault it suggests.
    pub side: Side,
    /// What it means: sentences.
    pub meaning: &'static str,
    /// What to look at: a phrase that fits after `Look at: `.
    pub advice: &'static str,
}

/// How the detail of a failure begins that happened on the way to the proxy, or in its own words.
pub const AT_THE_PROXY: &str = "at the proxy ";

/// How the detail of a failure begins that is the proxy's doing.
pub const THE_PROXY: &str = "the proxy ";

/// Explains a failure. One of the proxy between says nothing about the site, and sends nobody there.
pub fn of_failure(subject: SubjectKind, kind: FailureKind, detail: &str) -> FailureMeaning {
    let explained = of(kind);
    if kind == FailureKind::Local && detail == NO_RIGHT_TO_PING {
        return FailureMeaning {
            name: "no right to ping",
            meaning: "Nothing is known about the host: the kernel of this machine lets this user send no echo requests.",
            advice: "`sysctl -w net.ipv4.ping_group_range='0 2147483647'`, which lets all users ping until the next boot; the same line without `sysctl -w` in /etc/sysctl.d keeps it; or CAP_NET_RAW for the program",
            ..explained
        };
    }
    if let Some((meaning, advice)) = failure_by_kind::of(subject, kind) {
        return FailureMeaning {
            meaning,
            advice,
            ..explained
        };
    }
    if detail.starts_with(THE_PROXY) {
        return FailureMeaning {
            side: Side::Gateway,
            meaning: "The proxy that this monitor goes through was reached and opened no way to the site. Nothing is known about the site itself.",
            advice: "the proxy's log and its rules; its user name and password, if it asks for them; whether the proxy reaches the site; proxy of the monitor or HTTPS_PROXY",
            ..explained
        };
    }
    if detail.starts_with(AT_THE_PROXY) {
        return FailureMeaning {
            side: Side::Gateway,
            meaning: "The proxy that this monitor goes through was not reached or did not answer. Nothing is known about the site itself.",
            advice: "whether the proxy runs, is reached from here and answers; proxy of the monitor or HTTP_PROXY and HTTPS_PROXY",
            ..explained
        };
    }
    explained
}

/// Explains a failure kind.
#[expect(
    clippy::too_many_lines,
    reason = "a table: one row a kind, so that a new kind breaks the build"
)]
pub const fn of(kind: FailureKind) -> FailureMeaning {
    use FailureKind as K;
    use Side::{Gateway, Network, Nobody, Server, Site};
    let (name, side, meaning, advice) = match kind {
        K::Status => (
            "unexpected status",
            Server,
            "The final answer's status is not among those of expect_status.",
            "`sitewatch explain` with that status",
        ),
        K::DnsNotFound => (
            "name not found",
            Site,
            "The name has no address: the domain has expired, was misspelt or lost its record.",
            "the domain's registration and its zone; ip_version of the monitor, if only one family has a record",
        ),
        K::DnsTimeout => (
            "no answer from DNS",
            Network,
            "No name server answered in time: ours, or the domain's own behind it.",
            "other monitors at that time; /etc/resolv.conf or [dns] servers; the domain's name servers",
        ),
        K::DnsFailure => (
            "DNS failure",
            Site,
            "The name servers answered with an error (SERVFAIL, REFUSED) or with nonsense: often the domain's own servers or its DNSSEC are broken.",
            "the domain's name servers and DNSSEC signatures; whether our server may be asked",
        ),
        K::ConnectRefused => (
            "connection refused",
            Server,
            "The machine is there and nothing listens on that port: the web server is stopped, crashed or listens elsewhere.",
            "whether the service runs; its port and address; a firewall that rejects",
        ),
        K::ConnectTimeout => (
            "connection timed out",
            Network,
            "Nobody answered the connection attempt: the machine is off, a firewall drops packets, or the way is broken.",
            "whether the machine answers at all; firewall rules; the address in DNS",
        ),
        K::ConnectUnreachable => (
            "unreachable",
            Network,
            "The network says that there is no way to this address.",
            "routing; the address in DNS; IPv6, if only that fails (ip_version)",
        ),
        K::ConnectReset => (
            "connection reset",
            Server,
            "The connection was torn down before a complete answer: the server crashed or restarted, or a firewall interfered.",
            "the server's log at that moment; connection limits; a firewall between",
        ),
        K::TlsExpired => (
            "certificate expired",
            Site,
            "A certificate of the chain has expired. Browsers show a warning instead of the site.",
            "the renewal (certbot, ACME client) and whether the server was reloaded after it; an intermediate that has expired",
        ),
        K::TlsNotYetValid => (
            "certificate not yet valid",
            Site,
            "A certificate of the chain begins in the future, or the monitor's clock is wrong.",
            "the certificate's dates; the clock of this machine",
        ),
        K::TlsHostname => (
            "certificate for another name",
            Site,
            "The certificate does not name this host. A common name alone does not count: browsers read subjectAltName only.",
            "the virtual host that answers; the names in the certificate, with and without www",
        ),
        K::TlsUntrusted => (
            "certificate not trusted",
            Site,
            "No trusted issuer: self-signed, a private authority, or the server does not send its intermediate certificate.",
            "the full chain on the server (fullchain.pem); ca_file of the monitor for a private authority",
        ),
        K::TlsTimeout => (
            "TLS timed out",
            Network,
            "Connected, but no complete handshake in time: an overloaded server, or a network that loses large packets.",
            "load; MTU on the way; whether the port speaks TLS",
        ),
        K::TlsHandshake => (
            "TLS handshake failed",
            Server,
            "The two sides found no common protocol or cipher, or the handshake was cut.",
            "protocol versions and ciphers (TLS 1.2 or newer is needed); whether the port speaks TLS; a client certificate that is asked for",
        ),
        K::TimeoutResponse => (
            "no answer in time",
            Server,
            "Connected, but no complete header within the timeout: the application hangs or is overloaded.",
            "slow queries, exhausted workers, locks; the monitor's timeout",
        ),
        K::TimeoutBody => (
            "body not complete in time",
            Server,
            "The answer began and its body was not complete within the timeout.",
            "bandwidth and size of the page; an endless stream; the monitor's timeout and max_body",
        ),
        K::ClosedEarly => (
            "closed without an answer",
            Server,
            "The connection was closed in order before a complete header: a crashing worker, a protection layer, nginx's 444.",
            "the server's error log at that moment; rules that close connections",
        ),
        K::BodyTruncated => (
            "body cut short",
            Gateway,
            "The body is shorter than announced, or was cut by a reset: a worker died while answering, or a proxy gave up.",
            "the application's and the proxy's error logs; disk space for proxy buffers",
        ),
        K::Protocol => (
            "not HTTP",
            Server,
            "The answer is not valid HTTP.",
            "whether the port is the right one (https instead of http); the program that answers there",
        ),
        K::RedirectLoop => (
            "redirect loop",
            Site,
            "The chain came back to the same request with the same cookies: it would never end.",
            "redirects of application and proxy that contradict each other: http and https behind a proxy, with and without www, a cookie that is not kept",
        ),
        K::RedirectLimit => (
            "too many redirects",
            Site,
            "More redirects than max_redirects allows.",
            "the chain of the check, for a URL that grows; max_redirects",
        ),
        K::RedirectInvalid => (
            "unusable redirect",
            Site,
            "A redirect without a usable Location: none, empty, not a URL, or neither http nor https.",
            "the rule or code that builds the redirect",
        ),
        K::RedirectDowngrade => (
            "redirect from https to http",
            Site,
            "The chain leaves encryption: what follows can be read and changed on the way.",
            "X-Forwarded-Proto between proxy and application; allow_downgrade, if it is meant so",
        ),
        K::RedirectBlocked => (
            "redirect to a private address",
            Site,
            "A public site leads to an address of a private network: a wrong set-up, or an attempt to use the monitor as a way in.",
            "the address the chain leads to; allow_private_redirect, if it is meant so",
        ),
        K::FinalUrl => (
            "ended elsewhere",
            Site,
            "The chain ended at another URL than expect_final_url says: a log-in, maintenance or parking page perhaps.",
            "the last URL of the chain",
        ),
        K::Header => (
            "header not as expected",
            Site,
            "A header of expect_headers is missing or has another value.",
            "the answer's headers: curl -sD - -o /dev/null URL",
        ),
        K::Body => (
            "body not as expected",
            Site,
            "The body lacks a text that must be there, or holds one that must not: often an error page sent as 200.",
            "the page itself",
        ),
        K::Json => (
            "JSON not as expected",
            Site,
            "A value of the JSON body is missing or is not what the monitor's json expects.",
            "the answer's body",
        ),
        K::BodyTooLarge => (
            "body too large",
            Site,
            "An assertion needed more of the body than max_body allows to read.",
            "max_body; an assertion on a smaller page",
        ),
        K::Slow => (
            "slow",
            Server,
            "The check took longer than degraded_after. It counts as good.",
            "which phase takes the time: dns, connect and tls are the network's, first byte the application's, body the size's",
        ),
        K::CertificateExpiring => (
            "certificate expires soon",
            Site,
            "A certificate expires within the longest step of certificate_expiry, and nothing has renewed it yet.",
            "the renewal (certbot, ACME client) and whether the server was reloaded after it",
        ),
        K::Intermittent => (
            "fails now and then",
            Server,
            "Five of the last twenty checks failed without enough in a row for an outage.",
            "one unhealthy backend of several; limits reached at times; history --state down",
        ),
        K::AddressDown => (
            "an address is down",
            Server,
            "Some of the addresses behind the name are bad while others are good: who is sent to a bad one sees the fault.",
            "the server behind that address; its certificate; IPv6, if only such addresses fail; whether DNS should still name it",
        ),
        K::HttpVersion => (
            "a version of HTTP fails",
            Server,
            "A version of HTTP that the site offers, or that is asked for, does not work while the site itself may.",
            "the server's protocols (h2, h3); UDP port 443 in firewalls for HTTP/3; the Alt-Svc header; http of the monitor",
        ),
        K::Regional => (
            "fails from some places only",
            Network,
            "Fewer locations than down_when asks for see it down: the way from there, or what serves that region, is broken.",
            "the locations that fail; the provider between; a content network's region",
        ),
        K::PacketLoss => (
            "packets are lost",
            Network,
            "More echo requests than max_loss allows were not answered. It counts as good.",
            "the way there: mtr HOST; load of the link; a limit on ICMP at the host",
        ),
        K::PingTimeout => (
            "no reply to ping",
            Network,
            "No echo request was answered in time: the host is off, the way is broken, or a firewall drops ICMP.",
            "whether the host runs; whether ICMP is let through; the way there: mtr HOST",
        ),
        K::DnsAnswer => (
            "answers not as expected",
            Site,
            "The name server answered, but its records are not those that `answers` of the monitor asks for.",
            "the zone: a changed or missing record; which server answers; answers of the monitor",
        ),
        K::Local => (
            "our own fault",
            Nobody,
            "Nothing is known about the site: we were offline, had no descriptors or ports left, or no route of our own.",
            "this machine's network and limits",
        ),
    };
    FailureMeaning {
        name,
        side,
        meaning,
        advice,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_the_proxy_sends_nobody_to_the_site() {
        let advice =
            |detail| of_failure(SubjectKind::Http, FailureKind::ConnectTimeout, detail).advice;
        assert!(advice("no answer to the connection attempt").contains("whether the machine"));
        for detail in [
            "the proxy 10.0.0.1:3128 refuses the tunnel (CONNECT): 403 Forbidden",
            "at the proxy 10.0.0.1:3128: no answer to the connection attempt",
        ] {
            assert!(advice(detail).contains("the proxy"), "{detail}");
            let explained = of_failure(SubjectKind::Http, FailureKind::ConnectTimeout, detail);
            assert!(explained.meaning.ends_with('.'), "{detail}");
            assert!(!explained.advice.ends_with('.'), "{detail}");
        }
    }

    #[test]
    fn meanings_are_sentences_and_advice_is_a_phrase() {
        for kind in FailureKind::ALL {
            let explained = of(*kind);
            assert!(explained.meaning.ends_with('.'), "{kind}");
            assert!(
                !explained.advice.is_empty() && !explained.advice.ends_with('.'),
                "{kind}"
            );
        }
    }
}
