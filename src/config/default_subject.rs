//! What a URL alone makes: a site that no configuration knows, every key at its default.

use std::sync::Arc;

use url::Url;

use super::read::kinds::{self, KindKeys};
use crate::domain::connect_to::Direct;
use crate::domain::expectation::Expectation;
use crate::domain::http_choice::HttpChoice;
use crate::domain::redaction::Masks;
use crate::domain::secret::Secret;
use crate::domain::subject::{Locator, LocatorError, Subject, SubjectKind};
use crate::domain::target::{Credentials, Manner, Proxy};

/// The subject of a URL and what it is called. `way` counts for http(s), tcp and tls alone, `http` for http(s).
///
/// # Errors
/// What is wrong with the URL.
pub fn default_subject(
    text: &str,
    way: Direct,
    http: HttpChoice,
) -> Result<(Locator, Subject), String> {
    let said = |error: LocatorError| error.to_string();
    let locator = match SubjectKind::of_url(text) {
        Some(SubjectKind::Http) | None => {
            let url = Url::parse(text).map_err(|error| error.to_string())?;
            if url.host_str().is_none_or(str::is_empty) {
                return Err("the host is missing".to_owned());
            }
            Locator::Http(url)
        }
        Some(kind) => Locator::parse_of(kind, text).map_err(said)?,
    };
    let (credentials, masks) = locator.http().map_or_else(
        || (Credentials::None, Masks::default()),
        credentials_of_userinfo,
    );
    let mut manner = Manner {
        credentials,
        masks,
        ..Manner::default()
    };
    if way != Direct::default() {
        manner.proxy = Proxy::Direct(Box::new(way));
    }
    manner.http = http;
    let subject = kinds::subject(
        &locator,
        Arc::new(manner),
        Arc::new(Expectation::default()),
        &KindKeys::default(),
    );
    Ok((locator, subject))
}

fn credentials_of_userinfo(url: &Url) -> (Credentials, Masks) {
    let decode = |part: &str| {
        percent_encoding::percent_decode_str(part)
            .decode_utf8_lossy()
            .into_owned()
    };
    let password = url.password().map(decode);
    if url.username().is_empty() && password.is_none() {
        return (Credentials::None, Masks::default());
    }
    let credentials = Credentials::Basic {
        username: decode(url.username()),
        is_hidden: true,
        password: Secret::new(password.clone().unwrap_or_default()),
    };
    (credentials, Masks::new(password))
}
