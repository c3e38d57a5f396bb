//! What each demo site answers, as a function of the time since the start and the number of the request.

use std::time::Duration;

/// One site of the tour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Site {
    /// Always well.
    Steady,
    /// Two redirects, then well.
    Chain,
    /// Well, but late.
    Slow,
    /// One failure now and then, never two in a row.
    Flaky,
    /// Well, then overloaded, then well again.
    Shop,
    /// A certificate that ended long ago.
    Certificate,
    /// Well, but one day its redirect leads elsewhere.
    Mover,
}

/// What a site answers to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// How long it makes the caller wait.
    pub delay: Duration,
    /// Status line, header fields and body.
    pub text: String,
}

/// The shop breaks at this moment of the tour.
pub const SHOP_BREAKS: Duration = Duration::from_secs(8);
/// The shop is well again at this moment.
pub const SHOP_RECOVERS: Duration = Duration::from_secs(26);
/// The mover's redirect leads elsewhere from this moment.
pub const MOVER_MOVES: Duration = Duration::from_secs(14);
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
        Self::Mover,
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
            Self::Mover => "mover",
        }
    }

    /// What it is there to show, in one line.
    pub const fn shows(self) -> &'static str {
        match self {
            Self::Steady => "always well",
            Self::Chain => "two redirects, each recorded",
            Self::Slow => "well but slow: degraded, no alarm",
            Self::Flaky => "single failures: no alarm",
            Self::Shop => "200, 503, 200: one mail each way",
            Self::Certificate => "an expired certificate",
            Self::Mover => "its redirect leads elsewhere later",
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
            Self::Mover => now(match path {
                "/" if since < MOVER_MOVES => redirect("302 Found", "/home"),
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
