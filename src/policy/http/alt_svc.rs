//! Reads Alt-Svc (RFC 7838): where a site says that it serves HTTP/3.

use url::Host;

/// Browsers look at no more; a header field may have thousands.
const ALTERNATIVES_MAX: usize = 32;

/// Where a site serves HTTP/3: a host, where it is another one than the site's, and a UDP port.
pub type Place = (Option<Host<String>>, u16);

/// The first place with HTTP/3 that these fields name; `None` if the site takes back what it named before.
pub fn http3<'a>(fields: impl Iterator<Item = &'a [u8]>) -> Option<Place> {
    let mut found = None;
    let mut left = ALTERNATIVES_MAX;
    for text in fields.filter_map(|field| std::str::from_utf8(field).ok()) {
        if text.trim() == "clear" {
            return None;
        }
        for alternative in alternatives(text).take(left) {
            left -= 1;
            found = found.or_else(|| place(alternative));
        }
    }
    found
}

/// The parts between commas that stand in no quotes.
fn alternatives(field: &str) -> impl Iterator<Item = &str> {
    let mut quoted = Quoted::default();
    field.split(move |c| !quoted.covers(c) && c == ',')
}

/// Whether characters stand in quotes, one after the other (RFC 9110 section 5.6.4).
#[derive(Default)]
struct Quoted {
    is_open: bool,
    is_escaped: bool,
}

impl Quoted {
    fn covers(&mut self, c: char) -> bool {
        if self.is_escaped {
            self.is_escaped = false;
        } else if self.is_open && c == '\\' {
            self.is_escaped = true;
        } else if c == '"' {
            self.is_open = !self.is_open;
        }
        self.is_open
    }
}

/// `h3=":443"; ma=86400`
fn place(alternative: &str) -> Option<Place> {
    let (protocol, rest) = alternative.trim().split_once('=')?;
    if protocol.trim() != "h3" {
        return None;
    }
    let mut quoted = Quoted::default();
    let mut parts = rest.split(move |c| !quoted.covers(c) && c == ';');
    let authority = parts.next()?.trim();
    let authority = match authority.strip_prefix('"') {
        // A host or port has nothing that must be escaped.
        Some(open) => open.strip_suffix('"')?,
        None => authority,
    };
    // RFC 7838 section 3.1: the seconds for which it holds.
    let is_over = |part: &str| {
        let parameter = part.split_once('=');
        parameter.is_some_and(|(name, value)| {
            let value = value.trim().trim_matches('"');
            name.trim().eq_ignore_ascii_case("ma")
                && !value.is_empty()
                && value.bytes().all(|byte| byte == b'0')
        })
    };
    if parts.any(is_over) {
        return None;
    }
    let (host, port) = authority.rsplit_once(':')?;
    let port: u16 = port
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| port.parse().ok())??;
    if port == 0 {
        return None;
    }
    match host {
        "" => Some((None, port)),
        host => Some((Some(Host::parse(host).ok()?), port)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(fields: &[&str], want: &str) {
        let found = http3(fields.iter().map(|field| field.as_bytes()));
        let found = match found {
            None => "-".to_owned(),
            Some((host, port)) => {
                let host = host.map(|host| host.to_string()).unwrap_or_default();
                format!("{host}:{port}")
            }
        };
        assert_eq!(found, want, "{fields:?}");
    }

    #[test]
    fn the_first_place_with_http_3_counts() {
        check(&[], "-");
        check(&["clear"], "-");
        check(&["h3=\":443\"; ma=86400"], ":443");
        check(&["h3-29=\":443\", h3=\":8443\";ma=1"], ":8443");
        check(
            &["h2=\"a.example:443\"", "h3=\"b.example:444\""],
            "b.example:444",
        );
        check(&["h3=\"[2001:db8::1]:443\""], "[2001:db8::1]:443");
        check(&[" h3 = :443 ; ma=2"], ":443");
        check(&["x=\"a,h3=:1\", h3=\":2\""], ":2");
        check(&["x=\"a\\\",h3=:1\", h3=\":2\""], ":2");
        check(&["h3=\":443\"; ma=\"86400\"; persist=1"], ":443");
        check(&["h3=\":443\"; ma"], ":443");
        check(&["h3=\":443\"; ma=soon"], ":443");
        for broken in [
            "h3",
            "h3=",
            "h3=\"\"",
            "h3=\"443\"",
            "h3=\":0\"",
            "h3=\":70000\"",
            "h3=\":+5\"",
            "h3=\"a b:443\"",
            "h3=\"",
            "H3=\":443\"",
            "h3=\":\"",
            "h3=\":443",
            "h3=\":44\\3\"",
            "h3=\":443\"x",
            "h3=\"\u{0}:443\"",
            "h3=\"a.example/b:443\"",
            "h3=\"u@a.example:443\"",
            "h3=\"[::1:443\"",
        ] {
            check(&[broken], "-");
        }
        let many = "h2=\":1\",".repeat(ALTERNATIVES_MAX) + "h3=\":443\"";
        check(&[&many], "-");
    }

    #[test]
    fn what_is_over_or_taken_back_is_not_offered() {
        check(&["h3=\":443\"; ma=0"], "-");
        check(&["h3=\":443\";MA = 000 ;persist=1"], "-");
        check(&["h3=\":443\"; ma=0, h3=\":444\"; ma=1"], ":444");
        check(&["h3=\":443\"", " clear "], "-");
        check(&["clear", "h3=\":443\""], "-");
        // Not the word alone, and not in this case.
        check(&["h3=\":443\", clear"], ":443");
        check(&["Clear", "h3=\":443\""], ":443");
    }

    #[test]
    fn no_field_costs_more_than_browsers_look_at() {
        let many = [
            "h2=\":1\",".repeat(ALTERNATIVES_MAX - 1),
            "h3=\":443\"".to_owned(),
        ];
        check(&[&many.concat()], ":443");
        let fields: Vec<&str> = std::iter::repeat_n("h2=\":1\"", ALTERNATIVES_MAX).collect();
        check(&[&fields[..], &["h3=\":443\""]].concat(), "-");
        let found = http3([&b"\xffh3=\":1\""[..], b"h3=\":2\""].into_iter());
        assert_eq!(found, Some((None, 2)));
    }
}
