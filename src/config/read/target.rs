//! The part of a monitor that says what is requested, with which credentials and by which way.

use std::path::PathBuf;
use std::sync::Arc;

use toml::de::DeValue;
use url::Url;

use super::expectation::header_entries;
use super::reader::Reading;
use super::{scalars, table::Table};
use crate::config::diagnostic::{problem::Fault, redact};
use crate::config::keys;
use crate::domain::connect_to::{BadAddress, Direct};
use crate::domain::http_choice::HttpChoice;
use crate::domain::secret::Secret;
use crate::domain::target::{
    ClientCertificate, Credentials, Files, IpVersion, Manner, Proxy, Target,
};

/// The keys that are read here.
pub(in crate::config) const KEYS: [&str; 21] = [
    "method",
    "headers",
    "body",
    "body_file",
    "basic_auth",
    "bearer_token_file",
    "follow_redirects",
    "max_redirects",
    "allow_downgrade",
    "allow_private_redirect",
    "cookies",
    "max_body",
    "ip_version",
    "ca_file",
    "client_certificate",
    "verify_tls",
    "proxy",
    "connect_to",
    "addresses",
    "on_address_down",
    "http",
];

/// Whether a URL carries no credentials of its own.
pub(super) fn has_no_userinfo(url: &Url) -> bool {
    url.username().is_empty() && url.password().is_none()
}

/// Reads the request; its timeout, masks and need of a body are filled in by the caller.
/// Secrets that are no `${NAME}` are added to `secrets`.
pub(in crate::config) fn target(
    reading: &mut Reading<'_>,
    table: &Table<'_>,
    url: Url,
    secrets: &mut Vec<String>,
) -> Option<Target> {
    let plain = Manner::default();
    let method = match table.get("method") {
        Some(found) => reading
            .parsed(found, "an HTTP method", scalars::method)
            .map(|method| method.it),
        None => Some(plain.method),
    };
    let headers = headers(reading, table, secrets);
    let mut files = Files::default();
    let body = body(reading, table, &mut files);
    let credentials = credentials(reading, table, &url, &headers, secrets);
    let follow_redirects = reading.flag(table, "follow_redirects", plain.follow_redirects);
    let max_redirects = reading
        .count(table, "max_redirects")
        .and_then(|count| u16::try_from(count).ok())
        .unwrap_or(plain.max_redirects);
    let allow_downgrade = reading.flag(table, "allow_downgrade", plain.allow_downgrade);
    let allow_private_redirect = reading.flag(
        table,
        "allow_private_redirect",
        plain.allow_private_redirect,
    );
    let cookies = reading.flag(table, "cookies", plain.cookies);
    let max_body = match table.get("max_body") {
        Some(found) => reading
            .parsed(found, "a size", scalars::size)
            .map(|size| size.it),
        None => Some(plain.max_body),
    };
    let ip_version = ip_version(reading, table);
    let ca_pem = reading.certificates(table, "ca_file");
    if ca_pem.is_some() {
        files.ca = path(reading, table, "ca_file");
    }
    let client_certificate = client_certificate(reading, table, &mut files);
    let verify_tls = reading.flag(table, "verify_tls", plain.verify_tls);
    let bad = bad_address(reading, table);
    let http = http(reading, table, bad);
    let proxy = way(reading, table, (http, bad), secrets);
    Some(Target::new(
        &url,
        Manner {
            method: method?,
            headers,
            body,
            credentials: credentials?,
            follow_redirects,
            max_redirects,
            allow_downgrade,
            allow_private_redirect,
            cookies,
            max_body: max_body?,
            ip_version,
            ca_pem,
            client_certificate,
            files: (files != Files::default()).then(|| Box::new(files)),
            verify_tls,
            proxy: proxy?,
            http,
            ..plain
        },
    ))
}

pub(super) fn headers(
    reading: &mut Reading<'_>,
    table: &Table<'_>,
    secrets: &mut Vec<String>,
) -> Vec<(String, Secret)> {
    let mut headers = Vec::new();
    for (name, entry) in header_entries(reading, table, "headers") {
        let Some(text) = reading.text(entry, "a string") else {
            continue;
        };
        let checked = match scalars::header_value(&text.value) {
            Ok(value) => value,
            Err(wrong) => {
                reading.wrong(&text, "a header's value", wrong);
                continue;
            }
        };
        if redact::is_sensitive(&name) {
            if !text.came_by_name && !text.inherited && !checked.is_empty() {
                reading.literal_secrets.push((text.place, "headers"));
            }
            secrets.push(checked.to_string());
            // `Bearer TOKEN`: a site may repeat the second word alone.
            if let Some((_, second)) = checked.split_once(' ') {
                secrets.push(second.trim().to_owned());
            }
        }
        headers.push((name, Secret::new(checked)));
    }
    headers
}

/// The whole path that a key gives, for whoever reads it elsewhere.
fn path(reading: &mut Reading<'_>, table: &Table<'_>, key: &'static str) -> Option<PathBuf> {
    let path = reading.path(table, key)?.it;
    Some(reading.environment.directory.join(path))
}

fn body(reading: &mut Reading<'_>, table: &Table<'_>, files: &mut Files) -> Option<Arc<[u8]>> {
    if reading.exclusive(table, "body", "body_file") {
        return None;
    }
    // A monitor's own key of the two counts, whichever of them `[defaults]` has.
    let own_file = table.own("body_file").is_some() && !table.is_blank("body_file");
    let own_text = table.own("body").is_some();
    let by_file = own_file || (!own_text && table.is_blank("body"));
    if by_file && !table.is_blank("body_file") {
        let body = reading.body_file(table, "body_file")?;
        files.body = path(reading, table, "body_file");
        return Some(body);
    }
    let text = reading.some_text(table, "body")?;
    Some(Arc::from(text.value.as_bytes()))
}

/// The credentials; none where they are wrong.
fn credentials(
    reading: &mut Reading<'_>,
    table: &Table<'_>,
    url: &Url,
    headers: &[(String, Secret)],
    secrets: &mut Vec<String>,
) -> Option<Credentials> {
    if reading.exclusive(table, "basic_auth", "bearer_token_file") {
        return None;
    }
    let own_bearer = table.own("bearer_token_file").is_some();
    let own_basic = table.own("basic_auth").is_some();
    let basic = table.get("basic_auth").filter(|_| !own_bearer);
    let by_bearer = !table.is_blank("bearer_token_file") && !own_basic;
    let credentials = if let Some(found) = basic {
        let inner = reading.table(found, keys::BASIC_AUTH, "basic_auth")?;
        basic_auth(reading, &inner, found.inherited)?
    } else if by_bearer {
        Credentials::Bearer(reading.secret_file(table, "bearer_token_file")?)
    } else if !has_no_userinfo(url) {
        if let Some(found) = table.own("url")
            && url.password().is_some()
            && reading.came_by_name.is_empty()
        {
            reading.literal_secrets.push((found.place, "url"));
        }
        of_userinfo(url)
    } else {
        Credentials::None
    };
    let authorization = headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    let key = match credentials {
        Credentials::None => None,
        Credentials::Basic { .. } if basic.is_none() => Some("url"),
        Credentials::Basic { .. } => Some("basic_auth"),
        Credentials::Bearer(_) => Some("bearer_token_file"),
    };
    if let (true, Some(key)) = (authorization, key)
        && let (Some(headers), Some(other)) = (table.get("headers"), table.get(key))
        && !(headers.inherited && other.inherited)
    {
        reading.fault(
            Fault::new(
                headers.key_place,
                format!("the header Authorization and `{key}` exclude each other"),
                "keep one of them",
            )
            .and(other.key_place, ""),
        );
        return None;
    }
    note_secrets(&credentials, secrets);
    Some(credentials)
}

fn basic_auth(
    reading: &mut Reading<'_>,
    inner: &Table<'_>,
    inherited: bool,
) -> Option<Credentials> {
    let both = reading.exclusive(inner, "password", "password_file");
    let username = reading.some_text(inner, "username");
    if username.is_none() && inner.is_blank("username") && !inherited {
        reading.missing(inner, "username", "add username = \"..\"");
    }
    let literal = reading.secret_text(inner, "password");
    let from_file = reading.secret_file(inner, "password_file");
    if both {
        return None;
    }
    if inner.get("password").is_none() && inner.is_blank("password_file") {
        if !inherited && !reading.is_misspelt(inner, &["password"]) {
            reading.missing(
                inner,
                "password_file",
                "add password_file = \"..\" or password = \"${NAME}\"",
            );
        }
        return None;
    }
    let password = match literal.or(from_file) {
        Some(password) => password,
        // A password that is empty on purpose: user names that are tokens have one.
        None if inner.is_blank("password_file")
            && matches!(
                inner.get("password").map(|found| found.value),
                Some(DeValue::String(_))
            )
            && inner.is_blank("password") =>
        {
            Secret::new("")
        }
        None => return None,
    };
    let username = username?;
    Some(Credentials::Basic {
        is_hidden: username.came_by_name,
        username: username.value.into_owned(),
        password,
    })
}

pub(in crate::config) fn of_userinfo(url: &Url) -> Credentials {
    let plain = |text: &str| {
        percent_encoding::percent_decode_str(text)
            .decode_utf8_lossy()
            .into_owned()
    };
    Credentials::Basic {
        username: plain(url.username()),
        is_hidden: true,
        password: Secret::new(plain(url.password().unwrap_or_default())),
    }
}

/// The secrets in the credentials, also in the form in which they travel: pages that echo a request repeat it.
pub(in crate::config) fn note_secrets(credentials: &Credentials, secrets: &mut Vec<String>) {
    match credentials {
        Credentials::None => {}
        Credentials::Basic {
            username, password, ..
        } => {
            secrets.push(password.reveal().to_owned());
            secrets.push(base64(
                format!("{username}:{}", password.reveal()).as_bytes(),
            ));
        }
        Credentials::Bearer(token) => secrets.push(token.reveal().to_owned()),
    }
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let mut bits: u32 = 0;
        for index in 0..3 {
            bits = bits << 8 | u32::from(chunk.get(index).copied().unwrap_or(0));
        }
        for index in 0..4 {
            match index <= chunk.len() {
                true => {
                    let six = (bits >> (18 - 6 * index)) & 63;
                    out.push(char::from(ALPHABET[six as usize]));
                }
                false => out.push('='),
            }
        }
    }
    out
}

fn ip_version(reading: &mut Reading<'_>, table: &Table<'_>) -> IpVersion {
    match reading.choice(table, "ip_version").map(|choice| choice.it) {
        Some("4") => IpVersion::V4,
        Some("6") => IpVersion::V6,
        _ => IpVersion::Any,
    }
}

fn client_certificate(
    reading: &mut Reading<'_>,
    table: &Table<'_>,
    files: &mut Files,
) -> Option<ClientCertificate> {
    let found = table.get("client_certificate")?;
    let inner = reading.table(found, keys::CLIENT_CERTIFICATE, "client_certificate")?;
    for key in ["cert_file", "key_file"] {
        if inner.is_blank(key) && !found.inherited {
            reading.missing(&inner, key, format!("add {key} = \"..\""));
        }
    }
    let chain_pem = reading.certificates(&inner, "cert_file");
    let key_pem = reading.private_key(&inner, "key_file");
    let certificate = ClientCertificate {
        chain_pem: chain_pem?,
        key_pem: key_pem?,
    };
    let chain = path(reading, &inner, "cert_file");
    files.client_certificate = chain.zip(path(reading, &inner, "key_file"));
    Some(certificate)
}

/// What a check is while some addresses or versions are bad.
fn bad_address(reading: &mut Reading<'_>, table: &Table<'_>) -> BadAddress {
    match reading
        .choice(table, "on_address_down")
        .map(|choice| choice.it)
    {
        Some("down") => BadAddress::Down,
        _ => BadAddress::Degraded,
    }
}

/// Which versions of HTTP are spoken; one that this program cannot speak is a fault.
fn http(reading: &mut Reading<'_>, table: &Table<'_>, bad: BadAddress) -> HttpChoice {
    let Some(choice) = reading.choice(table, "http") else {
        return HttpChoice::One;
    };
    let http = HttpChoice::parse(choice.it, bad).unwrap_or_default();
    if http.lacks_http3() {
        reading.fault(Fault::new(
            choice.place,
            format!(
                "this program was built without the feature `http3`, which `http = \"{}\"` needs",
                http.as_str()
            ),
            HttpChoice::HOW_TO_HAVE_HTTP3,
        ));
    }
    http
}

/// The way out; or `None` if it is wrong.
fn way(
    reading: &mut Reading<'_>,
    table: &Table<'_>,
    (http, bad): (HttpChoice, BadAddress),
    secrets: &mut Vec<String>,
) -> Option<Proxy> {
    let each = reading.choice(table, "addresses").map(|choice| choice.it);
    let each = (each == Some("each")).then_some(bad);
    if http == HttpChoice::Three && refuses_proxy(reading, table, "http") {
        return None;
    }
    if !table.is_blank("connect_to") || each.is_some() {
        return direct(reading, table, each);
    }
    proxy(reading, table, secrets)
}

/// The proxy, or `None` if it is wrong.
pub(super) fn proxy(
    reading: &mut Reading<'_>,
    table: &Table<'_>,
    secrets: &mut Vec<String>,
) -> Option<Proxy> {
    if table.is_blank("proxy") {
        return Some(Proxy::None);
    }
    let found = table.get("proxy")?;
    let text = reading.text(found, "a proxy's URL")?;
    let way = if text.value == "environment" {
        let mut variable = |upper: &str, lower: &str| {
            let environment = reading.environment;
            let written = environment.get(upper).or_else(|| environment.get(lower))?;
            let full = match written.contains("://") {
                true => written.to_owned(),
                false => format!("http://{written}"),
            };
            match scalars::proxy(&full) {
                Ok(url) => Some(url),
                Err(_) => {
                    if !text.inherited {
                        reading.fault(Fault::new(
                            text.place,
                            format!("the environment variable `{upper}` gives no http:// proxy"),
                            "set it like http://proxy.example.com:3128",
                        ));
                    }
                    None
                }
            }
        };
        let http = variable("HTTP_PROXY", "http_proxy");
        let https = variable("HTTPS_PROXY", "https_proxy");
        let no_proxy = reading
            .environment
            .get("NO_PROXY")
            .or_else(|| reading.environment.get("no_proxy"))
            .unwrap_or_default()
            .to_owned();
        Proxy::Environment {
            http,
            https,
            no_proxy,
        }
    } else {
        match scalars::proxy(&text.value) {
            Ok(url) => Proxy::Through(url),
            Err(mut wrong) => {
                if text.value.starts_with("env") {
                    wrong.label = "did you mean \"environment\"?".to_owned();
                }
                reading.wrong(&text, "a proxy's URL", wrong);
                return None;
            }
        }
    };
    let urls = match &way {
        Proxy::None | Proxy::Direct(_) => [None, None],
        Proxy::Environment { http, https, .. } => [http.as_ref(), https.as_ref()],
        Proxy::Through(url) => [Some(url), None],
    };
    secrets.extend(
        urls.into_iter()
            .flatten()
            .filter_map(|url| url.password().map(str::to_owned)),
    );
    Some(way)
}

/// A way without a proxy that is not the usual; or `None` if it is wrong.
fn direct(reading: &mut Reading<'_>, table: &Table<'_>, each: Option<BadAddress>) -> Option<Proxy> {
    let connect_to = match table.is_blank("connect_to") {
        true => None,
        false => Some(
            reading
                .some_parsed(
                    table,
                    "connect_to",
                    "a host, with or without a port",
                    scalars::connect_to,
                )?
                .it,
        ),
    };
    let key = match &connect_to {
        Some(_) => "connect_to",
        None => "addresses",
    };
    if refuses_proxy(reading, table, key) {
        return None;
    }
    Some(Proxy::Direct(Box::new(Direct {
        connect_to,
        each,
        alternative: None,
    })))
}

/// Whether there is a proxy beside a key that has no use for one, which is a fault.
fn refuses_proxy(reading: &mut Reading<'_>, table: &Table<'_>, key: &'static str) -> bool {
    let proxy = table.get("proxy").filter(|_| !table.is_blank("proxy"));
    let (Some(proxy), Some(own)) = (proxy, table.get(key)) else {
        return false;
    };
    if proxy.inherited && own.inherited {
        return false;
    }
    let (at, other) = match own.inherited {
        true => (&proxy, &own),
        false => (&own, &proxy),
    };
    let written = match key {
        "http" => "http = \"3\"",
        key => key,
    };
    reading.fault(
        Fault::new(
            at.key_place,
            format!("`{written}` and `proxy` exclude each other: a proxy connects by itself"),
            "keep one of them, or write proxy = \"\"",
        )
        .and(other.key_place, ""),
    );
    true
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_as_rfc_4648_has_it() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }
}
