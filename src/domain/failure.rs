//! Why a check is not simply up: every kind of failure in one table, a row each. A new kind is a new row.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::status_code::Side;

/// Why a check is not simply up.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Failure {
    /// The closed list of causes.
    pub kind: FailureKind,
    /// One line for a person, safe to print, masked.
    pub detail: Arc<str>,
}

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

/// What is true of a kind, as bits of a row.
type Traits = u8;

/// The cause may lie in the network between us and the site, so that the canaries are asked.
const NETWORK: Traits = 1;
/// A TCP connection stood when it happened.
const CONNECTED: Traits = 1 << 1;
/// Something was not done in time.
const DEADLINE: Traits = 1 << 2;
/// It depends on what the clock says.
const DATES: Traits = 1 << 3;
/// A name server answered, if not as it should.
const DNS_ANSWERED: Traits = 1 << 4;

struct Row {
    word: &'static str,
    traits: Traits,
    meaning: FailureMeaning,
}

macro_rules! failure_kinds {
    ($(
        $(#[doc = $doc:literal])*
        $variant:ident = $word:literal, $side:ident, [$($is:ident),*] $name:literal $meaning:literal $advice:literal;
    )*) => {
        /// Every way a check can fail to be up, by phase and cause. Each failure is exactly one of these.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum FailureKind {
            $($(#[doc = $doc])* $variant,)*
        }

        impl FailureKind {
            /// All of them, in the order of the phases.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            const fn row(self) -> &'static Row {
                match self {
                    $(Self::$variant => &Row {
                        word: $word,
                        traits: 0 $(| $is)*,
                        meaning: FailureMeaning {
                            name: $name,
                            side: Side::$side,
                            meaning: $meaning,
                            advice: $advice,
                        },
                    },)*
                }
            }

            /// The kind of a word.
            pub fn parse(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

// Word, whose fault it suggests, what is true of it; name, meaning, what to look at.
failure_kinds! {
    /// The final status is not expected.
    Status = "status", Server, []
        "unexpected status"
        "The final answer's status is not among those of expect_status."
        "`sitewatch explain` with that status";
    /// NXDOMAIN, or no address.
    DnsNotFound = "dns_not_found", Site, [DNS_ANSWERED]
        "name not found"
        "The name has no address: the domain has expired, was misspelt or lost its record."
        "the domain's registration and its zone; ip_version of the monitor, if only one family has a record";
    /// No name server answered in time.
    DnsTimeout = "dns_timeout", Network, [NETWORK, DEADLINE]
        "no answer from DNS"
        "No name server answered in time: ours, or the domain's own behind it."
        "other monitors at that time; /etc/resolv.conf or [dns] servers; the domain's name servers";
    /// SERVFAIL, REFUSED or a malformed answer.
    DnsFailure = "dns_failure", Site, [NETWORK, DNS_ANSWERED]
        "DNS failure"
        "The name servers answered with an error (SERVFAIL, REFUSED) or with nonsense: often the domain's own servers or its DNSSEC are broken."
        "the domain's name servers and DNSSEC signatures; whether our server may be asked";
    /// Nobody listens.
    ConnectRefused = "connect_refused", Server, []
        "connection refused"
        "The machine is there and nothing listens on that port: the web server is stopped, crashed or listens elsewhere."
        "whether the service runs; its port and address; a firewall that rejects";
    /// No answer to the connection attempt in time.
    ConnectTimeout = "connect_timeout", Network, [NETWORK, DEADLINE]
        "connection timed out"
        "Nobody answered the connection attempt: the machine is off, a firewall drops packets, or the way is broken."
        "whether the machine answers at all; firewall rules; the address in DNS";
    /// The network said that there is no way.
    ConnectUnreachable = "connect_unreachable", Network, [NETWORK]
        "unreachable"
        "The network says that there is no way to this address."
        "routing; the address in DNS; IPv6, if only that fails (ip_version)";
    /// Reset while connecting or before a complete header.
    ConnectReset = "connect_reset", Server, []
        "connection reset"
        "The connection was torn down before a complete answer: the server crashed or restarted, or a firewall interfered."
        "the server's log at that moment; connection limits; a firewall between";
    /// A certificate of the chain has expired.
    TlsExpired = "tls_expired", Site, [CONNECTED, DATES]
        "certificate expired"
        "A certificate of the chain has expired. Browsers show a warning instead of the site."
        "the renewal (certbot, ACME client) and whether the server was reloaded after it; an intermediate that has expired";
    /// A certificate of the chain has not begun.
    TlsNotYetValid = "tls_not_yet_valid", Site, [CONNECTED, DATES]
        "certificate not yet valid"
        "A certificate of the chain begins in the future, or the monitor's clock is wrong."
        "the certificate's dates; the clock of this machine";
    /// The certificate is for another name.
    TlsHostname = "tls_hostname", Site, [CONNECTED]
        "certificate for another name"
        "The certificate does not name this host. A common name alone does not count: browsers read subjectAltName only."
        "the virtual host that answers; the names in the certificate, with and without www";
    /// Unknown issuer, self-signed, or an intermediate is missing.
    TlsUntrusted = "tls_untrusted", Site, [CONNECTED]
        "certificate not trusted"
        "No trusted issuer: self-signed, a private authority, or the server does not send its intermediate certificate."
        "the full chain on the server (fullchain.pem); ca_file of the monitor for a private authority";
    /// No complete handshake in time.
    TlsTimeout = "tls_timeout", Network, [NETWORK, CONNECTED, DEADLINE]
        "TLS timed out"
        "Connected, but no complete handshake in time: an overloaded server, or a network that loses large packets."
        "load; MTU on the way; whether the port speaks TLS";
    /// Everything else in the handshake, a reset included.
    TlsHandshake = "tls_handshake", Server, [CONNECTED]
        "TLS handshake failed"
        "The two sides found no common protocol or cipher, or the handshake was cut."
        "protocol versions and ciphers (TLS 1.2 or newer is needed); whether the port speaks TLS; a client certificate that is asked for";
    /// Connected, but no complete header in time.
    TimeoutResponse = "timeout_response", Server, [NETWORK, CONNECTED, DEADLINE]
        "no answer in time"
        "Connected, but no complete header within the timeout: the application hangs or is overloaded."
        "slow queries, exhausted workers, locks; the monitor's timeout";
    /// A header, but no complete body in time.
    TimeoutBody = "timeout_body", Server, [CONNECTED, DEADLINE]
        "body not complete in time"
        "The answer began and its body was not complete within the timeout."
        "bandwidth and size of the page; an endless stream; the monitor's timeout and max_body";
    /// Closed in order before a complete header.
    ClosedEarly = "closed_early", Server, [CONNECTED]
        "closed without an answer"
        "The connection was closed in order before a complete header: a crashing worker, a protection layer, nginx's 444."
        "the server's error log at that moment; rules that close connections";
    /// The body is shorter than announced, or was cut by a reset.
    BodyTruncated = "body_truncated", Gateway, []
        "body cut short"
        "The body is shorter than announced, or was cut by a reset: a worker died while answering, or a proxy gave up."
        "the application's and the proxy's error logs; disk space for proxy buffers";
    /// Not valid HTTP.
    Protocol = "protocol", Server, [CONNECTED]
        "not HTTP"
        "The answer is not valid HTTP."
        "whether the port is the right one (https instead of http); the program that answers there";
    /// The same method, URL and cookies came again.
    RedirectLoop = "redirect_loop", Site, []
        "redirect loop"
        "The chain came back to the same request with the same cookies: it would never end."
        "redirects of application and proxy that contradict each other: http and https behind a proxy, with and without www, a cookie that is not kept";
    /// More redirects than `max_redirects`.
    RedirectLimit = "redirect_limit", Site, []
        "too many redirects"
        "More redirects than max_redirects allows."
        "the chain of the check, for a URL that grows; max_redirects";
    /// No, an empty or an unusable Location, or a scheme other than http(s).
    RedirectInvalid = "redirect_invalid", Site, []
        "unusable redirect"
        "A redirect without a usable Location: none, empty, not a URL, or neither http nor https."
        "the rule or code that builds the redirect";
    /// From https to http.
    RedirectDowngrade = "redirect_downgrade", Site, []
        "redirect from https to http"
        "The chain leaves encryption: what follows can be read and changed on the way."
        "X-Forwarded-Proto between proxy and application; allow_downgrade, if it is meant so";
    /// From a public to a private address.
    RedirectBlocked = "redirect_blocked", Site, []
        "redirect to a private address"
        "A public site leads to an address of a private network: a wrong set-up, or an attempt to use the monitor as a way in."
        "the address the chain leads to; allow_private_redirect, if it is meant so";
    /// The final URL is not the expected one.
    FinalUrl = "final_url", Site, []
        "ended elsewhere"
        "The chain ended at another URL than expect_final_url says: a log-in, maintenance or parking page perhaps."
        "the last URL of the chain";
    /// A header assertion failed.
    Header = "header", Site, []
        "header not as expected"
        "A header of expect_headers is missing or has another value."
        "the answer's headers: curl -sD - -o /dev/null URL";
    /// A body assertion failed.
    Body = "body", Site, [CONNECTED]
        "body not as expected"
        "The body lacks a text that must be there, or holds one that must not: often an error page sent as 200."
        "the page itself";
    /// A JSON assertion failed.
    Json = "json", Site, []
        "JSON not as expected"
        "A value of the JSON body is missing or is not what the monitor's json expects."
        "the answer's body";
    /// An assertion needed more of the body than `max_body`.
    BodyTooLarge = "body_too_large", Site, []
        "body too large"
        "An assertion needed more of the body than max_body allows to read."
        "max_body; an assertion on a smaller page";
    /// Slower than `degraded_after` (degraded only).
    Slow = "slow", Server, []
        "slow"
        "The check took longer than degraded_after. It counts as good."
        "which phase takes the time: dns, connect and tls are the network's, first byte the application's, body the size's";
    /// A certificate ends soon (degraded only).
    CertificateExpiring = "certificate_expiring", Site, [DATES]
        "certificate expires soon"
        "A certificate expires within the longest step of certificate_expiry, and nothing has renewed it yet."
        "the renewal (certbot, ACME client) and whether the server was reloaded after it";
    /// Many single failures without an incident (degraded only).
    Intermittent = "intermittent", Server, []
        "fails now and then"
        "Five of the last twenty checks failed without enough in a row for an outage."
        "one unhealthy backend of several; limits reached at times; history --state down";
    /// An address of several is bad (degraded; down where `on_address_down` says so).
    AddressDown = "address_down", Server, []
        "an address is down"
        "Some of the addresses behind the name are bad while others are good: who is sent to a bad one sees the fault."
        "the server behind that address; its certificate; IPv6, if only such addresses fail; whether DNS should still name it";
    /// A version of HTTP that is offered or asked for does not work.
    HttpVersion = "http_version", Server, []
        "a version of HTTP fails"
        "A version of HTTP that the site offers, or that is asked for, does not work while the site itself may."
        "the server's protocols (h2, h3); UDP port 443 in firewalls for HTTP/3; the Alt-Svc header; http of the monitor";
    /// Fails from some locations only (degraded only).
    Regional = "regional", Network, []
        "fails from some places only"
        "Fewer locations than down_when asks for see it down: the way from there, or what serves that region, is broken."
        "the locations that fail; the provider between; a content network's region";
    /// More echo requests were lost than `max_loss` (degraded only).
    PacketLoss = "packet_loss", Network, []
        "packets are lost"
        "More echo requests than max_loss allows were not answered. It counts as good."
        "the route: mtr HOST; load of the link; a limit on ICMP at the host";
    /// No echo reply in time.
    PingTimeout = "ping_timeout", Network, [NETWORK, DEADLINE]
        "no reply to ping"
        "No echo request was answered in time: the host is off, the way is broken, or a firewall drops ICMP."
        "whether the host runs; whether ICMP is let through; the route: mtr HOST";
    /// The answers of a name server are not those expected.
    DnsAnswer = "dns_answer", Site, [DNS_ANSWERED]
        "answers not as expected"
        "The name server answered, but its records are not those that `answers` of the monitor asks for."
        "the zone: a changed or missing record; which server answers; answers of the monitor";
    /// The fault is on our side (unknown only).
    Local = "local", Nobody, []
        "our own fault"
        "Nothing is known about the site: we were offline, had no descriptors or ports left, or no route of our own."
        "this machine's network and limits";
}

impl FailureKind {
    /// The word used in JSON, subjects and the database.
    pub const fn as_str(self) -> &'static str {
        self.row().word
    }

    /// What it means to the owner of a site.
    pub const fn meaning(self) -> FailureMeaning {
        self.row().meaning
    }

    /// Whether the cause may lie in the network between us and the site, so that the canaries are asked.
    pub const fn is_network_class(self) -> bool {
        self.is(NETWORK)
    }

    /// Whether a TCP connection stood when it happened.
    pub const fn is_past_connect(self) -> bool {
        self.is(CONNECTED)
    }

    /// Whether something was not done in time.
    pub const fn is_deadline(self) -> bool {
        self.is(DEADLINE)
    }

    /// Whether it depends on what the clock says.
    pub const fn is_about_dates(self) -> bool {
        self.is(DATES)
    }

    /// Whether a name server answered, if not as it should.
    pub const fn is_answer_of_dns(self) -> bool {
        self.is(DNS_ANSWERED)
    }

    const fn is(self, traits: Traits) -> bool {
        self.row().traits & traits != 0
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_kinds_agree() {
        for kind in FailureKind::ALL {
            assert_eq!(FailureKind::parse(kind.as_str()), Some(*kind));
            let json = serde_json::to_string(kind).unwrap();
            assert_eq!(json, format!("\"{}\"", kind.as_str()));
        }
        assert_eq!(FailureKind::ALL.len(), 39);
    }

    #[test]
    fn meanings_are_sentences_and_advice_is_a_phrase() {
        for kind in FailureKind::ALL {
            let explained = kind.meaning();
            assert!(explained.meaning.ends_with('.'), "{kind}");
            assert!(
                !explained.advice.is_empty() && !explained.advice.ends_with('.'),
                "{kind}"
            );
        }
    }
}
