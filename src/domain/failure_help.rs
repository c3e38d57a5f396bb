//! What a failure means to the owner of a site, with what its detail adds to the table of kinds.

use super::failure::{FailureKind, FailureMeaning};
use super::help_by_subject;
use super::status_code::Side;
use super::subject::{NO_RIGHT_TO_PING, SubjectKind};

/// How the detail of a failure begins that happened on the way to the proxy, or in its own words.
pub const AT_THE_PROXY: &str = "at the proxy ";

/// How the detail of a failure begins that is the proxy's doing.
pub const THE_PROXY: &str = "the proxy ";

/// Explains a failure. One of the proxy between says nothing about the site, and sends nobody there.
pub fn of_failure(subject: SubjectKind, kind: FailureKind, detail: &str) -> FailureMeaning {
    let explained = kind.meaning();
    if kind == FailureKind::Local && detail == NO_RIGHT_TO_PING {
        return FailureMeaning {
            name: "no right to ping",
            meaning: "Nothing is known about the host: the kernel of this machine lets this user send no echo requests.",
            advice: "`sysctl -w net.ipv4.ping_group_range='0 2147483647'`, which lets all users ping until the next boot; the same line without `sysctl -w` in /etc/sysctl.d keeps it; or CAP_NET_RAW for the program",
            ..explained
        };
    }
    if let Some((meaning, advice)) = help_by_subject::of(subject, kind) {
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
}
