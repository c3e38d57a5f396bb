//! Keeps secrets out of everything that is stored or shown.

use std::borrow::Cow;
use std::sync::Arc;

use url::Url;

use super::safe_text;

/// What stands where a secret was.
pub const STARS: &str = "***";

/// Query parameters whose values are not shown.
const SENSITIVE: [&str; 7] = ["token", "key", "secret", "password", "sig", "code", "state"];

/// A shorter secret, or piece of one, would star out ordinary text.
const SECRET_BYTES_MIN: usize = 4;

/// From this length on a secret is looked for in small letters as well, as host names are written: a shorter one is
/// often a word (`HTTP`).
const LOWERED_BYTES_MIN: usize = 8;

/// Texts that were cut have fewer bytes, so that no longer piece of a secret can stand at the cut.
const PIECE_BYTES_MAX: usize = 4 * 1024;

/// What stands where a text was cut.
const CUT: char = '\u{2026}';

/// The secret values that one monitor knows of (from `${NAME}`, passwords, tokens) in each form in which they may be
/// written, replaced wherever they appear.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Masks(Arc<[String]>);

impl Masks {
    /// Collects secrets; short ones are left to their own places.
    pub fn new(values: impl IntoIterator<Item = String>) -> Self {
        Self::default().and(values)
    }

    /// These secrets and others.
    pub fn and(&self, others: impl IntoIterator<Item = String>) -> Self {
        let others = others
            .into_iter()
            .filter(|value| value.len() >= SECRET_BYTES_MIN)
            .flat_map(forms)
            .filter(|form| form.len() >= SECRET_BYTES_MIN);
        let mut all: Vec<String> = self.0.iter().cloned().chain(others).collect();
        // The longest first, so that a secret that contains another is replaced whole.
        all.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        all.dedup();
        Self(all.into())
    }

    /// The text without any of the secrets, also where it was cut within one.
    pub fn apply<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut out = Cow::Borrowed(text);
        for secret in self.0.iter() {
            if out.contains(secret.as_str()) {
                out = Cow::Owned(out.replace(secret.as_str(), STARS));
            }
        }
        if !self.is_empty() && out.contains(CUT) {
            let pieces: Vec<&str> = out.split(CUT).collect();
            let last = pieces.len() - 1;
            let pieces: Vec<String> = pieces
                .iter()
                .enumerate()
                .map(|(index, piece)| self.without_pieces(piece, index > 0, index < last))
                .collect();
            out = Cow::Owned(pieces.join(&CUT.to_string()));
        }
        out
    }

    /// As [`Masks::apply`], for a text whose end may be missing without a sign.
    pub fn apply_to_beginning<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let out = self.apply(text);
        match self.is_empty() {
            true => out,
            false => Cow::Owned(self.without_pieces(&out, false, true)),
        }
    }

    /// The text without the end of a secret at its beginning, and without the beginning of one at its end.
    fn without_pieces(&self, text: &str, begins_cut: bool, ends_cut: bool) -> String {
        let lengths = |secret: &str, text: &str| {
            let most = secret.len().min(text.len() + 1).min(PIECE_BYTES_MAX);
            (SECRET_BYTES_MIN..most).rev()
        };
        let mut rest = text;
        let (mut before, mut after) = ("", "");
        if begins_cut {
            let longest = self.0.iter().filter_map(|secret| {
                lengths(secret, rest).find(|length| {
                    let end = secret.get(secret.len() - length..);
                    end.is_some_and(|end| rest.starts_with(end))
                })
            });
            if let Some((_, kept)) = longest
                .max()
                .and_then(|length| rest.split_at_checked(length))
            {
                (before, rest) = (STARS, kept);
            }
        }
        if ends_cut {
            let longest = self.0.iter().filter_map(|secret| {
                lengths(secret, rest).find(|length| {
                    let begin = secret.get(..*length);
                    begin.is_some_and(|begin| rest.ends_with(begin))
                })
            });
            let kept = longest
                .max()
                .and_then(|length| rest.split_at_checked(rest.len() - length));
            if let Some((kept, _)) = kept {
                (rest, after) = (kept, STARS);
            }
        }
        format!("{before}{rest}{after}")
    }

    /// Bytes that are no text without any of the secrets.
    pub fn apply_to_bytes(&self, bytes: &[u8]) -> Vec<u8> {
        let mut out = bytes.to_vec();
        for secret in self.0.iter().map(String::as_bytes) {
            let mut from = 0;
            while let Some(at) = out[from..]
                .windows(secret.len())
                .position(|piece| piece == secret)
            {
                let at = from + at;
                out.splice(at..at + secret.len(), STARS.bytes());
                from = at + STARS.len();
            }
        }
        // The beginning of a secret may stand at the end.
        let cut = self.0.iter().filter_map(|secret| {
            let most = secret.len().min(out.len() + 1).min(PIECE_BYTES_MAX);
            (SECRET_BYTES_MIN..most)
                .rev()
                .find(|length| out.ends_with(&secret.as_bytes()[..*length]))
        });
        if let Some(length) = cut.max() {
            out.truncate(out.len() - length);
        }
        out
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

/// A secret as it may stand in a text: as it is, in one line, within a JSON string, encoded for a URL in the ways that
/// programs have, in small letters.
fn forms(secret: String) -> Vec<String> {
    let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let mut forms = vec![
        safe_text::line(&secret, secret.len()).into_owned(),
        secret.replace('\\', r"\\").replace('"', "\\\""),
        form.replace('+', "%20"),
        form,
    ];
    if let Ok(mut url) = Url::parse("http://localhost/") {
        url.set_path(&secret);
        url.set_query(Some(&secret));
        forms.push(url.path().trim_start_matches('/').to_owned());
        forms.extend(url.query().map(str::to_owned));
    }
    if secret.len() >= LOWERED_BYTES_MIN {
        forms.push(secret.to_lowercase());
    }
    forms.retain(|form| *form != secret);
    forms.push(secret);
    forms
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

/// Whether a parameter of this name has a value that is not shown.
pub fn is_sensitive(name: &str) -> bool {
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
    fn stars_out_secrets_in_every_form() {
        let masks = Masks::new(["Pa ss/\"w\\\u{f6}rd".to_owned(), "two  blanks".to_owned()]);
        for text in [
            "Pa ss/\"w\\\u{f6}rd",
            "Pa ss/\\\"w\\\\\u{f6}rd",
            "Pa+ss%2F%22w%5C%C3%B6rd",
            "Pa%20ss%2F%22w%5C%C3%B6rd",
            "Pa%20ss/%22w\\%C3%B6rd",
            "pa ss/\"w\\\u{f6}rd",
            "two  blanks",
            "two blanks",
        ] {
            assert_eq!(masks.apply(&format!("a {text} b")), "a *** b", "{text}");
        }
    }

    #[test]
    fn stars_out_what_a_cut_left_of_a_secret() {
        let masks = Masks::new(["kn0cking-on-wood".to_owned()]);
        for (text, want) in [
            ("say kn0cki\u{2026}", "say ***\u{2026}"),
            ("say kn0ck\u{2026}wood now", "say ***\u{2026}*** now"),
            ("say kn0cking-on-wood\u{2026}", "say ***\u{2026}"),
            ("say kn0\u{2026}ood now", "say kn0\u{2026}ood now"),
            ("\u{2026}kn0cking-on-woo", "\u{2026}kn0cking-on-woo"),
            ("\u{2026}", "\u{2026}"),
        ] {
            assert_eq!(masks.apply(text), want, "{text}");
        }
        let cut = masks.apply_to_beginning("say kn0cking-on-woo");
        assert_eq!(cut, "say ***");
        assert_eq!(Masks::default().apply("a\u{2026}b"), "a\u{2026}b");
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
