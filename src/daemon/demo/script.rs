//! What each demo site answers, as a function of the time since the start and the number of the request.

use std::time::Duration;

/// One site of the tour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Site {
    /// Healthy, until several fail together.
    Steady,
    /// Two redirects, then well.
    Chain,
    /// Healthy, but late.
    Slow,
    /// One failure now and then, never two in a row.
    Flaky,
    /// Healthy, then overloaded, then healthy again.
    Shop,
    /// A certificate that expired long ago.
    Certificate,
    /// Healthy, but one day its redirect leads elsewhere.
    Hijacked,
}

/// What a site answers to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// How long it makes the caller wait.
    pub delay: Duration,
    /// Status line, header fields and body.
    pub text: String,
}

/// The acts are played again after this time, for a tour that stays.
pub const ROUND: Duration = Duration::from_secs(300);
/// The shop breaks at this moment of the tour.
pub const SHOP_BREAKS: Duration = Duration::from_secs(8);
/// The shop recovers at this moment.
pub const SHOP_RECOVERS: Duration = Duration::from_secs(26);
/// The hijacked site's redirect leads elsewhere from this moment.
pub const HIJACKED_AT: Duration = Duration::from_secs(14);
/// Several sites fail from this moment on, as behind a router that breaks.
pub const ROUTER_BREAKS: Duration = Duration::from_secs(38);
/// They are back.
pub const ROUTER_RECOVERS: Duration = Duration::from_secs(48);
/// How late the slow site is.
const SLOW_BY: Duration = Duration::from_millis(700);
/// The flaky site fails each time this many requests have come.
const FLAKY_EVERY: u64 = 6;

impl Site {
    /// All sites, in the order of the table.
    pub const ALL: [Self; 7] = [
        Self::Steady,
        Self::Chain,
        Self::Slow,
        Self::Flaky,
        Self::Shop,
        Self::Certificate,
        Self::Hijacked,
    ];

    /// Its name in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Chain => "chain",
            Self::Slow => "slow",
            Self::Flaky => "flaky",
            Self::Shop => "shop",
            Self::Certificate => "certificate",
            Self::Hijacked => "hijacked",
        }
    }

    /// What it is there to show, in one line.
    pub const fn shows(self) -> &'static str {
        match self {
            Self::Steady => "healthy, until a router breaks",
            Self::Chain => "two redirects, each recorded",
            Self::Slow => "slow: degraded, no alert",
            Self::Flaky => "single failures: no alert",
            Self::Shop => "200, 503, 200: one mail each way",
            Self::Certificate => "an expired certificate",
            Self::Hijacked => "its redirect leads elsewhere later",
        }
    }

    /// Whether it speaks TLS.
    pub const fn is_https(self) -> bool {
        matches!(self, Self::Certificate)
    }

    /// Its answer to the `count`th request (from 0), `since` the tour began.
    pub fn reply(self, path: &str, since: Duration, count: u64) -> Reply {
        let now = |text: String| Reply {
            delay: Duration::ZERO,
            text,
        };
        let since = Duration::from_secs_f64(since.as_secs_f64() % ROUND.as_secs_f64());
        let is_cut_off = matches!(self, Self::Steady | Self::Chain | Self::Slow | Self::Shop)
            && (ROUTER_BREAKS..ROUTER_RECOVERS).contains(&since);
        if is_cut_off {
            return now(answer("502 Bad Gateway", "No route to the backend.\n"));
        }
        match self {
            Self::Steady | Self::Certificate => now(answer("200 OK", "All is well.\n")),
            Self::Chain => now(match path {
                "/" => redirect("301 Moved Permanently", "/welcome"),
                "/welcome" => redirect("302 Found", "/welcome/en"),
                _ => answer("200 OK", "Welcome.\n"),
            }),
            Self::Slow => Reply {
                delay: SLOW_BY,
                text: answer("200 OK", "Better late than never.\n"),
            },
            Self::Flaky => now(if count % FLAKY_EVERY == FLAKY_EVERY - 1 {
                answer("500 Internal Server Error", "Oops.\n")
            } else {
                answer("200 OK", "Mostly fine.\n")
            }),
            Self::Shop => now(if (SHOP_BREAKS..SHOP_RECOVERS).contains(&since) {
                "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 120\r\nContent-Type: text/plain\r\n\
                 Content-Length: 56\r\nConnection: close\r\n\r\n\
                 Service temporarily unavailable. Please come back soon.\n"
                    .to_owned()
            } else {
                answer("200 OK", "Buy something!\n")
            }),
            Self::Hijacked => now(match path {
                "/" if since < HIJACKED_AT => redirect("302 Found", "/home"),
                "/" => redirect("302 Found", "/parked"),
                _ => answer("200 OK", "Here I am.\n"),
            }),
        }
    }
}

fn answer(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn redirect(status: &str, location: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )
}

/// What the tour says at some moment: what happens now, and why it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Act {
    /// When it is said.
    pub at: Duration,
    /// What happens.
    pub happens: &'static str,
    /// Why this matters.
    pub matters: &'static str,
}

/// The acts, in their order.
pub const ACTS: [Act; 6] = [
    Act {
        at: Duration::ZERO,
        happens: "`certificate` is served with an expired certificate.",
        matters: "Three checks must fail before a mail is sent: a single lost packet wakes nobody.",
    },
    Act {
        at: SHOP_BREAKS,
        happens: "`shop` answers 503 now.",
        matters: "The second and third check come at once, so a real outage is confirmed soon. The mail says what \
                  failed, what it means and what to try.",
    },
    Act {
        at: HIJACKED_AT,
        happens: "`hijacked` redirects to another page, which answers 200.",
        matters: "A monitor that looks at the last status alone stays green. sitewatch records the whole redirect \
                  chain and tells when it changes.",
    },
    Act {
        at: SHOP_RECOVERS,
        happens: "`shop` answers 200 again.",
        matters: "Two good checks, then one UP mail in the same thread, to those who got the DOWN mail.",
    },
    Act {
        at: ROUTER_BREAKS,
        happens: "A router breaks: `steady`, `chain`, `slow` and `shop` answer 502.",
        matters: "More than three mails at once become one digest. 40 sites would produce one mail as well.",
    },
    Act {
        at: ROUTER_RECOVERS,
        happens: "The router works again.",
        matters: "`flaky` failed several times meanwhile, never twice in a row: no mail was sent for it.",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shop_breaks_and_recovers() {
        let status =
            |seconds| Site::Shop.reply("/", Duration::from_secs(seconds), 0).text[9..12].to_owned();
        assert_eq!(
            [status(0), status(8), status(25), status(26)],
            ["200", "503", "503", "200"]
        );
        assert_eq!(
            [status(38), status(48), status(308), status(326)],
            ["502", "200", "503", "200"]
        );
    }

    #[test]
    fn acts_come_in_order_and_within_the_tour() {
        assert!(ACTS.windows(2).all(|pair| pair[0].at < pair[1].at));
        assert!(ACTS.iter().all(|act| act.at < Duration::from_secs(60)));
    }

    #[test]
    fn announced_lengths_are_true() {
        for site in Site::ALL {
            for path in ["/", "/welcome", "/home"] {
                for seconds in [0, 10, 60] {
                    let text = site.reply(path, Duration::from_secs(seconds), 5).text;
                    let (head, body) = text.split_once("\r\n\r\n").unwrap();
                    assert!(
                        head.contains(&format!("Content-Length: {}", body.len())),
                        "{site:?} {head}"
                    );
                }
            }
        }
    }
}
