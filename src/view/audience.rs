//! Who reads what is shown of URLs and failures.

use std::borrow::Cow;

use url::Url;

use crate::domain::check::Failure;
use crate::domain::{redaction, visitor_words};

/// Who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Audience {
    /// The owner: everything.
    Owner,
    /// A reader without the token: no addresses, no mails, no note.
    Public {
        /// Whether URLs are shown, without userinfo and query.
        urls: bool,
    },
}

/// A URL as the reader may see it. The monitor's own is written by its owner; those that a site led to may
/// carry what a log-in puts into them.
pub fn shown_url<'a>(url: &'a str, own: &str, audience: Audience) -> Option<Cow<'a, str>> {
    match audience {
        Audience::Owner if url == own => Some(Cow::Borrowed(url)),
        Audience::Owner => Some(redaction::shown(url)),
        Audience::Public { urls } => urls.then(|| public_url(url)),
    }
}

/// A Location as the reader may see it.
pub(super) fn shown_location(location: &str, audience: Audience) -> Option<Cow<'_, str>> {
    match audience {
        Audience::Owner => Some(redaction::shown(location)),
        Audience::Public { urls } => urls.then(|| public_url(location)),
    }
}

/// A URL or Location without userinfo, query and fragment.
pub fn public_url(raw: &str) -> Cow<'_, str> {
    let cut = raw
        .find(['?', '#'])
        .map_or(Cow::Borrowed(raw), |end| Cow::Owned(raw[..end].to_owned()));
    if !cut.contains('@') {
        return cut;
    }
    match Url::parse(&cut) {
        Ok(mut url) if url.has_host() => {
            // Fails only for URLs that cannot carry userinfo.
            let _ = url.set_username("");
            let _ = url.set_password(None);
            Cow::Owned(url.into())
        }
        // A Location relative to its scheme or path: what stands before an `@` might be userinfo.
        _ => cut
            .rsplit_once('@')
            .map_or_else(|| cut.clone(), |(_, rest)| Cow::Owned(rest.to_owned())),
    }
}

/// A failure as the reader may see it: details name addresses, so the public reads words for visitors.
pub fn failure_detail(failure: &Failure, status: Option<u16>, audience: Audience) -> Cow<'_, str> {
    match audience {
        Audience::Owner => Cow::Borrowed(failure.detail.as_ref()),
        Audience::Public { .. } => Cow::Owned(visitor_words::of(failure.kind, status)),
    }
}
