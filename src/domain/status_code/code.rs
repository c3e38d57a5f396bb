//! What is known of a status code, and how it is found.

/// One status code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusCode {
    /// The code, 100 to 999.
    pub code: u16,
    /// Its name, as the registry or the vendor has it.
    pub name: &'static str,
    /// Where it is defined: an RFC with its section, or a vendor.
    pub source: &'static str,
    /// Whose fault it suggests.
    pub side: Side,
    /// What it means to the owner of a site: sentences.
    pub meaning: &'static str,
    /// What to look at or to do: a phrase that fits after `Look at: `; empty where there is nothing to do.
    pub advice: &'static str,
}

/// Whose fault a status or a failure suggests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Nothing is wrong.
    Nobody,
    /// The request: URL, method, headers, credentials of the monitor.
    Request,
    /// The site: its pages, its set-up, its hosting account.
    Site,
    /// The server or application that answers.
    Server,
    /// A proxy, CDN or load balancer, or what stands behind it.
    Gateway,
    /// A protection layer: firewall, bot filter, rate limit.
    Protection,
    /// The network between us and the site, or our own.
    Network,
}

impl Side {
    /// A phrase that fits after `Responsible: `.
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::Nobody => "nobody's",
            Self::Request => "the request: URL, method, headers or credentials of the monitor",
            Self::Site => "the site: its pages, its set-up or its hosting account",
            Self::Server => "the server (or the proxy in front of it), not the request",
            Self::Gateway => "the proxy, CDN or load balancer, or what stands behind it",
            Self::Protection => {
                "a protection layer (firewall, bot filter, rate limit) that judges the monitor, not the site's health"
            }
            Self::Network => "the network between the monitor and the site",
        }
    }

    /// One word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::Request => "request",
            Self::Site => "site",
            Self::Server => "server",
            Self::Gateway => "gateway",
            Self::Protection => "protection",
            Self::Network => "network",
        }
    }
}

/// The classes of RFC 9110, section 15, and what lies beyond them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// 1xx: the answer is still to come.
    Informational,
    /// 2xx
    Success,
    /// 3xx
    Redirection,
    /// 4xx
    ClientError,
    /// 5xx
    ServerError,
    /// 600 to 999: no HTTP, but sent by some.
    Beyond,
}

impl Class {
    /// All classes, in order.
    pub const ALL: [Self; 6] = [
        Self::Informational,
        Self::Success,
        Self::Redirection,
        Self::ClientError,
        Self::ServerError,
        Self::Beyond,
    ];

    /// The class of a code.
    pub const fn of(code: u16) -> Self {
        match code {
            0..=199 => Self::Informational,
            200..=299 => Self::Success,
            300..=399 => Self::Redirection,
            400..=499 => Self::ClientError,
            500..=599 => Self::ServerError,
            600.. => Self::Beyond,
        }
    }

    /// The class of `4xx`, in either case.
    pub fn parse(text: &str) -> Option<Self> {
        match text.as_bytes() {
            [digit @ b'1'..=b'5', b'x' | b'X', b'x' | b'X'] => {
                Some(Self::of(u16::from(digit - b'0') * 100))
            }
            _ => None,
        }
    }

    /// `4xx`
    pub const fn pattern(self) -> &'static str {
        match self {
            Self::Informational => "1xx",
            Self::Success => "2xx",
            Self::Redirection => "3xx",
            Self::ClientError => "4xx",
            Self::ServerError => "5xx",
            Self::Beyond => "600 to 999",
        }
    }

    /// `client error`
    pub const fn name(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Success => "success",
            Self::Redirection => "redirection",
            Self::ClientError => "client error",
            Self::ServerError => "server error",
            Self::Beyond => "no HTTP status",
        }
    }

    /// The section of RFC 9110.
    pub const fn source(self) -> &'static str {
        match self {
            Self::Informational => "RFC 9110, 15.2",
            Self::Success => "RFC 9110, 15.3",
            Self::Redirection => "RFC 9110, 15.4",
            Self::ClientError => "RFC 9110, 15.5",
            Self::ServerError => "RFC 9110, 15.6",
            Self::Beyond => "RFC 9110, 15",
        }
    }

    /// What the class as a whole says, and what is to be done about a code of it that nobody knows.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Informational => {
                "The server has more to say: an interim answer that the final one follows on the same connection. \
                 It is skipped while waiting; the time to the first byte runs to the final answer."
            }
            Self::Success => {
                "The request was received, understood and accepted. What the answer holds is another matter: \
                 body_contains, json and expect_headers look at that."
            }
            Self::Redirection => {
                "The answer is elsewhere. 301, 302, 303, 307 and 308 with a Location are followed and the last answer is \
                 judged; every hop stays in the history. The others are final answers."
            }
            Self::ClientError => {
                "The server understood and refuses: by its account the request is at fault. For a monitor that asks what \
                 visitors ask, this often means that a page is gone, or that a protection layer keeps the monitor out."
            }
            Self::ServerError => {
                "The server, or a gateway in front of it, failed to answer a request that seems in order. \
                 Visitors see the same."
            }
            Self::Beyond => {
                "HTTP knows the codes 100 to 599 only. Some servers send others on purpose, mostly to turn robots away."
            }
        }
    }

    /// Whose fault a code of this class suggests when nothing more is known.
    pub const fn side(self) -> Side {
        match self {
            Self::Informational | Self::Success | Self::Redirection => Side::Nobody,
            Self::ClientError => Side::Request,
            Self::ServerError => Side::Server,
            Self::Beyond => Side::Protection,
        }
    }
}

/// What a code means to a monitor that is given no `expect_status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Never a final answer.
    Interim,
    /// Good.
    Up,
    /// Followed where it carries a Location; the last answer is judged.
    Followed,
    /// Not good.
    Down,
}

impl Standing {
    /// What the default configuration makes of a code.
    pub const fn of(code: u16) -> Self {
        match code {
            // A switch of protocols is final: we never ask for one.
            101 => Self::Down,
            100..=199 => Self::Interim,
            200..=299 => Self::Up,
            301 | 302 | 303 | 307 | 308 => Self::Followed,
            _ => Self::Down,
        }
    }

    /// A phrase that fits after `For a monitor: `.
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::Interim => "skipped, the final answer is waited for",
            Self::Up => "up",
            Self::Followed => {
                "followed, the last answer counts; without a usable Location it is down"
            }
            Self::Down => "down, unless expect_status names it",
        }
    }
}

impl StatusCode {
    /// The class it belongs to.
    pub const fn class(&self) -> Class {
        Class::of(self.code)
    }

    /// What it means to a monitor by default.
    pub const fn standing(&self) -> Standing {
        Standing::of(self.code)
    }
}
