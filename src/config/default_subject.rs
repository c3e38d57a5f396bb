//! What a URL alone makes: a site that no configuration knows, every key at its default.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::read::kinds::{self, KindKeys};
use crate::domain::connect_to::Direct;
use crate::domain::expectation::{Expectation, StatusSet};
use crate::domain::http_choice::HttpChoice;
use crate::domain::redaction::Masks;
use crate::domain::secret::Secret;
use crate::domain::slow_limit::SlowLimit;
use crate::domain::subject::{Locator, LocatorError, Subject, SubjectKind};
use crate::domain::target::{Credentials, IpVersion, Manner, Method, Proxy};

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
    let mut manner = manner(credentials, masks);
    if way != Direct::default() {
        manner.proxy = Proxy::Direct(Box::new(way));
    }
    manner.http = http;
    let subject = kinds::subject(
        &locator,
        Arc::new(manner),
        Arc::new(expectation()),
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

fn manner(credentials: Credentials, masks: Masks) -> Manner {
    Manner {
        method: Method::Get,
        headers: Vec::new(),
        body: None,
        credentials,
        follow_redirects: true,
        max_redirects: 10,
        allow_downgrade: false,
        allow_private_redirect: false,
        cookies: true,
        timeout: Duration::from_secs(10),
        max_body: 1 << 20,
        wants_body: false,
        ip_version: IpVersion::Any,
        ca_pem: None,
        client_certificate: None,
        files: None,
        verify_tls: true,
        proxy: Proxy::None,
        http: HttpChoice::One,
        masks,
    }
}

fn expectation() -> Expectation {
    let days = |days: u64| Duration::from_secs(days * 86_400);
    Expectation {
        status: StatusSet::parse(["2xx"]).expect("a class is a status set"),
        final_url: None,
        headers: Vec::new(),
        body_contains: Vec::new(),
        body_excludes: Vec::new(),
        body_matches: Vec::new(),
        json: Vec::new(),
        degraded_after: SlowLimit::After(Duration::from_secs(2)),
        certificate_expiry: vec![days(21), days(7), days(1)],
    }
}
