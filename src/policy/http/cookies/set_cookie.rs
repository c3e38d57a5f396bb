//! One Set-Cookie line and what a browser makes of it.

use url::{Host, Url};

use super::suffix::is_public_suffix;
use crate::domain::timestamp::Timestamp;
use crate::policy::http::date;

/// Name and value together; a longer cookie is not kept.
const COOKIE_BYTES_MAX: usize = 4096;

/// A longer attribute is passed over.
const ATTRIBUTE_BYTES_MAX: usize = 1024;

/// A cookie as the jar keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cookie {
    /// Bytes, since nobody says in which charset they are. May be empty.
    pub(crate) name: Vec<u8>,
    pub(crate) value: Vec<u8>,
    pub(crate) domain: String,
    /// Sent to the host that set it alone, not to those below it.
    pub(crate) is_host_only: bool,
    pub(crate) path: String,
    pub(crate) is_secure: bool,
    /// It is over from then on; with the check, if not before.
    pub(crate) expires: Option<Timestamp>,
}

impl Cookie {
    /// The cookie that one line of an answer from `url` sets; `None` if a browser would ignore the line.
    pub(crate) fn parse(line: &[u8], url: &Url, now: Timestamp) -> Option<Self> {
        let is_control = |byte: &u8| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f;
        if line.iter().any(is_control) {
            return None;
        }
        let mut parts = line.split(|byte| *byte == b';');
        // Without `=` it is a value without a name.
        let (name, value) = pair(parts.next()?).unwrap_or_else(|value| (b"", value));
        let is_empty = name.is_empty() && value.is_empty();
        if is_empty || name.len() + value.len() > COOKIE_BYTES_MAX {
            return None;
        }
        let attributes = Attributes::read(parts, now);
        let host = url.host_str()?;
        let (domain, is_host_only) = domain_of(attributes.domain, url.host()?, host)?;
        let is_secure_origin = url.scheme() == "https";
        if attributes.is_secure && !is_secure_origin {
            return None;
        }
        let has_prefix = |prefix: &[u8]| {
            let of = if name.is_empty() { value } else { name };
            of.get(..prefix.len())
                .is_some_and(|it| it.eq_ignore_ascii_case(prefix))
        };
        let is_at_root = attributes.path == Some(b"/");
        let is_for_host =
            attributes.is_secure && is_host_only && attributes.domain.is_none() && is_at_root;
        let keeps_its_promise = match (has_prefix(b"__Host-"), has_prefix(b"__Secure-")) {
            (false, false) => true,
            // A value that looks like such a name would be read as one by the site.
            (true, _) | (_, true) if name.is_empty() => false,
            (true, _) => is_for_host,
            (false, true) => attributes.is_secure,
        };
        keeps_its_promise.then(|| Self {
            name: name.to_vec(),
            value: value.to_vec(),
            domain,
            is_host_only,
            path: match attributes.path {
                Some(path) => String::from_utf8_lossy(path).into_owned(),
                None => default_path(url).to_owned(),
            },
            is_secure: attributes.is_secure,
            expires: attributes.expires,
        })
    }

    /// Whether it stands in the other's place.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.name == other.name
            && self.domain == other.domain
            && self.is_host_only == other.is_host_only
            && self.path == other.path
    }

    /// Whether it belongs to what a path asks for.
    pub(crate) fn is_for_path(&self, path: &str) -> bool {
        path.strip_prefix(self.path.as_str()).is_some_and(|rest| {
            rest.is_empty() || self.path.ends_with('/') || rest.starts_with('/')
        })
    }

    /// Whether it belongs to a host.
    pub(crate) fn is_for_host(&self, host: &str) -> bool {
        host == self.domain || (!self.is_host_only && is_below(host, &self.domain))
    }

    /// Whether it is over.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// What it takes.
    pub(crate) const fn size(&self) -> usize {
        self.name.len() + self.value.len() + self.domain.len() + self.path.len()
    }
}

/// What stands around the first `=`; else the whole.
fn pair(part: &[u8]) -> Result<(&[u8], &[u8]), &[u8]> {
    match part.iter().position(|byte| *byte == b'=') {
        Some(at) => Ok((part[..at].trim_ascii(), part[at + 1..].trim_ascii())),
        None => Err(part.trim_ascii()),
    }
}

/// The attributes that count. If one is repeated, the last one counts.
#[derive(Default)]
struct Attributes<'l> {
    domain: Option<&'l [u8]>,
    path: Option<&'l [u8]>,
    is_secure: bool,
    expires: Option<Timestamp>,
}

impl<'l> Attributes<'l> {
    fn read(parts: impl Iterator<Item = &'l [u8]>, now: Timestamp) -> Self {
        let mut found = Self::default();
        let (mut date, mut max_age) = (None, None);
        for part in parts {
            let (name, value) = pair(part).unwrap_or_else(|name| (name, b""));
            if value.len() > ATTRIBUTE_BYTES_MAX {
                continue;
            }
            match name.to_ascii_lowercase().as_slice() {
                b"expires" => date = date::parse(value).or(date),
                b"max-age" => max_age = seconds(value).or(max_age),
                b"domain" => {
                    let value = value.strip_prefix(b".").unwrap_or(value);
                    found.domain = (!value.is_empty()).then_some(value);
                }
                b"path" => found.path = value.starts_with(b"/").then_some(value),
                b"secure" => found.is_secure = true,
                _ => {}
            }
        }
        found.expires = match max_age {
            Some(seconds) if seconds <= 0 => Some(now),
            Some(seconds) => {
                let seconds = u64::try_from(seconds)
                    .unwrap_or(u64::MAX)
                    .min(MAX_AGE_SECONDS_MAX);
                Some(now.plus(std::time::Duration::from_secs(seconds)))
            }
            None => date,
        };
        found
    }
}

/// Browsers keep a cookie 400 days at most.
const MAX_AGE_SECONDS_MAX: u64 = 400 * 86_400;

/// The seconds of a Max-Age, at least 0; `None` if it is not a number.
fn seconds(value: &[u8]) -> Option<i64> {
    let (is_negative, digits) = match value.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, value),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = std::str::from_utf8(digits)
        .ok()?
        .parse()
        .unwrap_or(i64::MAX);
    Some(if is_negative { 0 } else { number })
}

/// The domain that gets a cookie of `host`, and whether it alone gets it; `None` if `host` must not set the cookie.
fn domain_of(wanted: Option<&[u8]>, host: Host<&str>, text: &str) -> Option<(String, bool)> {
    let Some(wanted) = wanted else {
        return Some((text.to_owned(), true));
    };
    // `co.uk.` is `co.uk`, and is not below it.
    let is_suffix = |name: &str| is_public_suffix(name.trim_end_matches('.'));
    let wanted = Host::parse(std::str::from_utf8(wanted).ok()?)
        .ok()?
        .to_string();
    if wanted == text {
        let is_name = matches!(host, Host::Domain(_));
        return Some((wanted, !is_name || is_suffix(text)));
    }
    let is_allowed =
        matches!(host, Host::Domain(_)) && is_below(text, &wanted) && !is_suffix(&wanted);
    is_allowed.then_some((wanted, false))
}

fn is_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain)
        .is_some_and(|rest| rest.ends_with('.'))
}

/// RFC 6265 section 5.1.4.
fn default_path(url: &Url) -> &str {
    match url.path().rsplit_once('/') {
        Some((before, _)) if !before.is_empty() => before,
        _ => "/",
    }
}
