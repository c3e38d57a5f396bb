//! Keeps secrets out of everything that is stored or shown.

use std::borrow::Cow;
use std::sync::Arc;

use url::Url;

/// What stands where a secret was.
pub const STARS: &str = "***";

/// Query parameters whose values are not shown.
const SENSITIVE: [&str; 7] = ["token", "key", "secret", "password", "sig", "code", "state"];

/// The secret values that one monitor knows of (from `${NAME}`, passwords, tokens), replaced wherever they appear.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Masks(Arc<[String]>);

impl Masks {
    /// Collects secrets; short ones (under 4 bytes) would star out ordinary text and are left to their own places.
    pub fn new(values: impl IntoIterator<Item = String>) -> Self {
        let mut values: Vec<String> = values
            .into_iter()
            .filter(|value| value.len() >= 4)
            .collect();
        // The longest first, so that a secret that contains another is replaced whole.
        values.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        values.dedup();
        Self(values.into())
    }

    /// The text without any of the secrets, in their plain or percent-encoded form.
    pub fn apply<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut out = Cow::Borrowed(text);
        for secret in self.0.iter() {
            if out.contains(secret.as_str()) {
                out = Cow::Owned(out.replace(secret.as_str(), STARS));
            }
            let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
            if encoded != *secret && out.contains(&encoded) {
                out = Cow::Owned(out.replace(&encoded, STARS));
            }
        }
        out
    }

    /// These secrets and others.
    pub fn and(&self, others: impl IntoIterator<Item = String>) -> Self {
        Self::new(self.0.iter().cloned().chain(others))
    }

    /// Whether there is nothing to hide.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Says how many, never which.
impl std::fmt::Debug for Masks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Masks({})", self.0.len())
    }
}

/// A URL as it is stored: without userinfo and fragment-safe, everything else as it is.
pub fn without_userinfo(url: &Url) -> String {
    if url.username().is_empty() && url.password().is_none() {
        return url.as_str().to_owned();
    }
    let mut starred = url.clone();
    // Both setters fail only for URLs without a host, which cannot carry userinfo.
    let had_password = starred.password().is_some();
    let _ = starred.set_password(had_password.then_some(STARS));
    let _ = starred.set_username(STARS);
    starred.into()
}

/// A URL or Location as it is shown: values of sensitive query parameters are stars.
///
/// Works on raw text, since a Location need not be a URL; a parameter counts when its name is or
/// ends with a sensitive word after `_` or `-` (`access_token`, `X-Amz-Sig` by `sig`).
pub fn shown(raw: &str) -> Cow<'_, str> {
    let Some(query_at) = raw.find(['?', '#']) else {
        return Cow::Borrowed(raw);
    };
    let (head, tail) = raw.split_at(query_at);
    let mut out = String::with_capacity(raw.len());
    out.push_str(head);
    let mut changed = false;
    for piece in tail.split_inclusive(['?', '&', ';', '#']) {
        let (body, end) = match piece.char_indices().next_back() {
            Some((at, '?' | '&' | ';' | '#')) => piece.split_at(at),
            _ => (piece, ""),
        };
        match body.split_once('=') {
            Some((name, value)) if !value.is_empty() && is_sensitive(name) => {
                out.push_str(name);
                out.push('=');
                out.push_str(STARS);
                changed = true;
            }
            _ => out.push_str(body),
        }
        out.push_str(end);
    }
    if changed {
        Cow::Owned(out)
    } else {
        Cow::Borrowed(raw)
    }
}

fn is_sensitive(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let last = name.rsplit(['_', '-', '.']).next().unwrap_or(&name);
    SENSITIVE.contains(&last)
        || name.ends_with("token")
        || name.ends_with("apikey")
        || name.ends_with("signature")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_out_secrets_in_both_forms() {
        let masks = Masks::new(["pa ss/word".to_owned(), "abc".to_owned()]);
        assert_eq!(
            masks.apply("x=pa ss/word&y=pa+ss%2Fword&abc"),
            "x=***&y=***&abc"
        );
    }

    #[test]
    fn userinfo_is_starred() {
        let url = Url::parse("https://me:pw@example.com/a").unwrap();
        assert_eq!(without_userinfo(&url), "https://***:***@example.com/a");
        let url = Url::parse("https://me@example.com/a").unwrap();
        assert_eq!(without_userinfo(&url), "https://***@example.com/a");
    }

    #[test]
    fn sensitive_values_are_not_shown() {
        for (raw, want) in [
            ("/cb?code=123&next=/a", "/cb?code=***&next=/a"),
            (
                "https://e/?access_token=1;sig=2#state=3",
                "https://e/?access_token=***;sig=***#state=***",
            ),
            ("/plain?page=2", "/plain?page=2"),
            ("/?encode=1", "/?encode=1"),
        ] {
            assert_eq!(shown(raw), want, "{raw}");
        }
    }
}
