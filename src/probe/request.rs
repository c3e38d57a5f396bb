//! Puts a request together: defaults, user-set headers, credentials, cookies.

use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, HeaderName, HeaderValue, USER_AGENT,
};

use crate::domain::target::{Credentials, Target};
use crate::policy::redirect::Request;

/// What is sent as User-Agent unless the target sets one.
pub(super) const OUR_USER_AGENT: &str = concat!("sitewatch/", env!("CARGO_PKG_VERSION"));

/// The request for the wire. `jar` is the jar's Cookie value, empty for none.
pub(super) fn assemble(target: &Target, request: &Request, jar: &str) -> reqwest::Request {
    let method = reqwest::Method::from_bytes(request.method.as_str().as_bytes())
        .unwrap_or(reqwest::Method::GET);
    let mut url = request.url.clone();
    if !url.username().is_empty() || url.password().is_some() {
        let _ = url.set_password(None);
        let _ = url.set_username("");
    }
    let mut sent = reqwest::Request::new(method, url);
    let headers = sent.headers_mut();
    let body_was_dropped = target.body.is_some() && !request.keeps_body;
    if request.keeps_credentials {
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
    }
    if !jar.is_empty() {
        let own = headers.get(COOKIE).map(|value| value.as_bytes().to_vec());
        let all = match own {
            Some(own) => [own.as_slice(), b"; ", jar.as_bytes()].concat(),
            None => jar.as_bytes().to_vec(),
        };
        if let Ok(value) = HeaderValue::from_bytes(&all) {
            headers.insert(COOKIE, value);
        }
    }
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
    if request.keeps_body
        && let Some(body) = &target.body
    {
        *sent.body_mut() = Some(body.to_vec().into());
    } else if matches!(request.method.as_str(), "POST" | "PUT" | "PATCH") {
        // RFC 9110 section 8.6; without it some servers answer 411.
        let none = HeaderValue::from_static("0");
        sent.headers_mut().insert(CONTENT_LENGTH, none);
    }
    sent
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
        Credentials::Basic { username, password } => {
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
