//! Puts a request together: defaults, user-set headers, credentials, cookies.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::http::uri::{PathAndQuery, Uri};
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, HOST, HeaderMap, HeaderName,
    HeaderValue, PROXY_AUTHORIZATION, USER_AGENT,
};
use url::{Position, Url};

use crate::domain::target::{Credentials, Target};
use crate::policy::http::redirect::Request;

/// What is sent as User-Agent unless the target sets one.
pub(super) const OUR_USER_AGENT: &str = concat!("sitewatch/", env!("CARGO_PKG_VERSION"));

/// The request for the wire. `jar` is the jar's Cookie value, empty for none. `proxy` is the proxy that the request
/// itself goes to, as one for http:// does.
///
/// # Errors
/// Why HTTP has no way to write it.
pub(super) fn assemble(
    target: &Target,
    request: &Request,
    jar: &[u8],
    proxy: Option<&Url>,
) -> Result<hyper::Request<Full<Bytes>>, String> {
    let url = &request.url;
    let body = target.body.as_ref().filter(|_| request.keeps_body);
    let mut headers = own_headers(target, request);
    add_cookies(&mut headers, jar);
    headers
        .entry(USER_AGENT)
        .or_insert(HeaderValue::from_static(OUR_USER_AGENT));
    headers
        .entry(ACCEPT)
        .or_insert(HeaderValue::from_static("*/*"));
    // One request a connection: the server need not hold it open for us.
    headers
        .entry(CONNECTION)
        .or_insert(HeaderValue::from_static("close"));
    if body.is_none() && matches!(request.method.as_str(), "POST" | "PUT" | "PATCH") {
        // RFC 9110 section 8.6; without it some servers answer 411.
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    if let Some(login) = proxy.and_then(proxy_login)
        && let Ok(login) = HeaderValue::from_str(&login)
    {
        headers.entry(PROXY_AUTHORIZATION).or_insert(login);
    }
    if !headers.contains_key(HOST) {
        let host = HeaderValue::from_str(&url[Position::BeforeHost..Position::AfterPort]);
        headers.insert(HOST, host.map_err(|error| error.to_string())?);
    }
    let body = body.map_or_else(Bytes::new, |body| Bytes::from_owner(body.clone()));
    let mut sent = hyper::Request::new(Full::new(body));
    *sent.method_mut() = reqwest::Method::from_bytes(request.method.as_str().as_bytes())
        .unwrap_or(reqwest::Method::GET);
    *sent.uri_mut() = uri(url, proxy.is_some())?;
    *sent.headers_mut() = headers;
    Ok(sent)
}

/// What stands in the request line: the path for a site, the whole URL for a proxy.
fn uri(url: &Url, whole: bool) -> Result<Uri, String> {
    if whole {
        let site = &url[Position::BeforeHost..Position::AfterQuery];
        return format!("{}://{site}", url.scheme())
            .parse()
            .map_err(|_| unfit(url));
    }
    PathAndQuery::try_from(&url[Position::BeforePath..Position::AfterQuery])
        .map(Uri::from)
        .map_err(|_| unfit(url))
}

fn unfit(url: &Url) -> String {
    let bytes = url.as_str().len();
    format!(
        "its URL of {bytes} bytes is too long, or has a character that cannot stand in a request line"
    )
}

/// The headers that the target sets, and its credentials, as far as this origin gets them.
fn own_headers(target: &Target, request: &Request) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(8);
    if !request.keeps_credentials {
        return headers;
    }
    let body_was_dropped = target.body.is_some() && !request.keeps_body;
    for (name, value) in &target.headers {
        let name = HeaderName::from_bytes(name.as_bytes());
        let value = HeaderValue::from_bytes(value.reveal().as_bytes());
        if let (Ok(name), Ok(value)) = (name, value)
            && !(body_was_dropped && describes_content(&name))
        {
            headers.append(name, value);
        }
    }
    if !headers.contains_key(AUTHORIZATION)
        && let Some(value) = authorization(&target.credentials)
    {
        headers.insert(AUTHORIZATION, value);
    }
    headers
}

fn add_cookies(headers: &mut HeaderMap, jar: &[u8]) {
    if jar.is_empty() {
        return;
    }
    let all = match headers.get(COOKIE) {
        Some(own) => [own.as_bytes(), b"; ", jar].concat(),
        None => jar.to_vec(),
    };
    if let Ok(value) = HeaderValue::from_bytes(&all) {
        headers.insert(COOKIE, value);
    }
}

/// The value of `Proxy-Authorization` for a proxy whose URL has a user name or a password.
pub(super) fn proxy_login(proxy: &Url) -> Option<String> {
    if proxy.username().is_empty() && proxy.password().is_none() {
        return None;
    }
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).collect::<Vec<u8>>();
    let pair = [
        &decoded(proxy.username())[..],
        b":",
        &decoded(proxy.password().unwrap_or_default()),
    ]
    .concat();
    Some(format!("Basic {}", base64(&pair)))
}

/// The fields that go when the body goes (RFC 9110 section 15.4, Fetch's request-body-header names).
fn describes_content(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "content-encoding"
            | "content-language"
            | "content-location"
            | "content-type"
            | "content-length"
            | "content-digest"
            | "transfer-encoding"
            | "digest"
            | "last-modified"
    )
}

fn authorization(credentials: &Credentials) -> Option<HeaderValue> {
    let value = match credentials {
        Credentials::None => return None,
        Credentials::Basic {
            username, password, ..
        } => {
            let pair = format!("{username}:{}", password.reveal());
            format!("Basic {}", base64(pair.as_bytes()))
        }
        Credentials::Bearer(token) => format!("Bearer {}", token.reveal()),
    };
    HeaderValue::from_bytes(value.as_bytes()).ok()
}

/// RFC 4648 section 4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4u32 {
            if digit as usize <= chunk.len() {
                let index = (bits >> (18 - 6 * digit)) & 63;
                text.push(char::from(DIGITS[index as usize]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_as_in_rfc_4648() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
            ("Aladdin:open sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        ] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }
}
