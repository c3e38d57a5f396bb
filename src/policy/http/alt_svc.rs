//! Reads Alt-Svc (RFC 7838): where a site says that it serves HTTP/3.

use url::Host;

/// Browsers look at no more; a header field may have thousands.
const ALTERNATIVES_MAX: usize = 32;

/// Where a site serves HTTP/3: a host, where it is another one than the site's, and a UDP port.
pub type Place = (Option<Host<String>>, u16);

/// The first place with HTTP/3 that these fields name.
pub fn http3<'a>(fields: impl Iterator<Item = &'a [u8]>) -> Option<Place> {
    let texts = fields.filter_map(|field| std::str::from_utf8(field).ok());
    texts
        .flat_map(alternatives)
        .take(ALTERNATIVES_MAX)
        .find_map(place)
}

/// The parts between commas that stand in no quotes.
fn alternatives(field: &str) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    field.split(move |c| {
        is_quoted ^= c == '"';
        c == ',' && !is_quoted
    })
}

/// `h3=":443"; ma=86400`
fn place(alternative: &str) -> Option<Place> {
    let (protocol, rest) = alternative.trim().split_once('=')?;
    if protocol.trim() != "h3" {
        return None;
    }
    let rest = rest.trim_start();
    let authority = match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next()?,
        None => rest.split(';').next()?.trim_end(),
    };
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
        ] {
            check(&[broken], "-");
        }
        let many = "h2=\":1\",".repeat(ALTERNATIVES_MAX) + "h3=\":443\"";
        check(&[&many], "-");
    }
}
