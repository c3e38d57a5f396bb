//! Finds secrets in what a site sends, by how they are written: nobody said what they are.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::redaction::{self, STARS};

/// Header fields whose whole value is a secret.
const SECRET_FIELDS: [&str; 7] = [
    "authorization",
    "cookie",
    "credential",
    "password",
    "secret",
    "token",
    "session",
];

/// `name=value` of a query or a form. What the name means is decided by [`redaction::is_sensitive`].
static QUERY: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"(^|[?&;#\s"'])([A-Za-z0-9_.%\[\]-]+)=([^&;#\s"'<>\\]+)"#));

/// A word that means a secret, then `=` or `:`, then a value with or without quotes.
static NAMED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r#"(?i)((?:pass(?:word|wd|phrase)|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|"#,
        r#"session[_-]?id|sessid|csrf|xsrf|credential)[A-Za-z0-9_-]*(?:\\?["'])?\s{0,8}(?:=>|[:=])\s{0,8})"#,
        r#"(?:(\\?")(?:[^"\\]|\\[^"])*|(')[^']*|[^\s"'&;,<>{}\[\]()]+)"#
    ))
});

/// Short words for a password: only where they are part of a name, in quotes, or before `=`. `pass: 12` counts tests.
static SHORT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r#"(?i)((?:(?:[a-z0-9]{1,40}[_.-]|\b(?:db|user|my|root|smtp|mail|ftp)|["'])(?:pass|pwd|passwort)"#,
        r#"(?:\\?["'])?\s{0,8}(?:=>|[:=])|\b(?:pass|pwd)\s{0,8}=>?)\s{0,8})"#,
        r#"(?:(\\?")(?:[^"\\]|\\[^"])*|(')[^']*|[^\s"'&;,<>{}\[\]()]+)"#
    ))
});

/// A row of a table in HTML: the name of a secret, then its value, as pages for developers show the environment.
static CELL: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r#"(?i)(>[^<>]{0,60}(?:pass(?:word|wd|phrase)|[_-](?:pass|pwd|pw)\b|secret|token|api[_-]?key|access[_-]?key|"#,
        r#"private[_-]?key|credential|cookie)[^<>]{0,30}</(?:td|th|dt)>\s{0,40}<(?:td|th|dd)\b[^<>]*>"#,
        r#"(?:\s*(?:<[^<>/][^<>]*>|&quot;|")){0,8}\s*)[^<>\s"&][^<>]*"#
    ))
});

/// Keys that services give out, which say by their beginning what they are.
static ISSUED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"\b(?:(?:AKIA|ASIA)[A-Z0-9]{16}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|",
        r"glpat-[A-Za-z0-9_-]{16,}|xox[abeprs]-[A-Za-z0-9-]{10,}|[rs]k_(?:live|test)_[A-Za-z0-9]{10,})"
    ))
});

/// The header fields of credentials, as a page repeats them.
static FIELD: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"(?i)((?:authorization|cookie)(?:\\?["'])?\s{0,8}(?:=>|[:=])\s{0,8}(?:\\?["'])?)[^\r\n<"'\\]+"#,
    )
});

/// Credentials after their scheme (RFC 7617, RFC 6750).
static SCHEME: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)\b(bearer|basic)(\s+)([A-Za-z0-9._~+/-]{8,}=*)"));

/// User and password of a URL.
static USERINFO: LazyLock<Regex> = LazyLock::new(|| pattern(r#"(://)[^\s/?#@"'<>\\]+@"#));

/// A signed token (RFC 7519), also where its end is missing.
static SIGNED: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\beyJ[A-Za-z0-9_-]{10,}(?:\.[A-Za-z0-9_-]*){0,2}"));

/// A private key in PEM, also where its end is missing.
static PRIVATE_KEY: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----)[A-Za-z0-9+/=\s:,\\-]*?(-----END|[^A-Za-z0-9+/=\s:,\\-]|$)",
    )
});

/// A tag of a form or of a page's head, which may hold a name and a value.
static TAG: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)<(?:input|meta|button|option)\b[^<>]*"));

/// Whether a tag names a secret.
static TAG_NAME: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"(?i)(?:name|id|type)\s*=\s*["']?[^"'\s>]*(?:pass|secret|token|api[_-]?key|csrf|xsrf|session|nonce|auth)"#,
    )
});

/// The value of a tag.
static TAG_VALUE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"(?i)\b((?:value|content)\s*=\s*)(?:(")[^"]*|(')[^']*|[^\s"'>]+)"#));

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a test compiles every pattern of this file")
}

/// Whether nothing of a header field's value may be stored.
pub fn is_secret_field(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    // How to log in is asked there, and nobody's credentials are told.
    if name == "www-authenticate" || name == "proxy-authenticate" {
        return false;
    }
    SECRET_FIELDS.iter().any(|word| name.contains(word))
        || redaction::is_sensitive(&name)
        || ["api-key", "csrf", "xsrf", "auth"]
            .iter()
            .any(|word| name.contains(word))
}

/// A text without what is written like a secret. Takes time that grows with the text's length.
pub fn starred(text: &str) -> Cow<'_, str> {
    let mut out = Cow::Borrowed(text);
    replace(&mut out, &PRIVATE_KEY, |found| {
        format!("{}{STARS}{}", &found[1], &found[2])
    });
    replace(&mut out, &USERINFO, |found| {
        format!("{}{STARS}@", &found[1])
    });
    replace(&mut out, &SCHEME, |found| {
        // `basic training` is none, `Basic dXNlcjpw` is one.
        let is_word = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase());
        match is_word(&found[1]) && is_word(&found[3]) {
            true => found[0].to_owned(),
            false => format!("{}{}{STARS}", &found[1], &found[2]),
        }
    });
    replace(&mut out, &SIGNED, |_| STARS.to_owned());
    replace(&mut out, &ISSUED, |_| STARS.to_owned());
    replace(&mut out, &FIELD, |found| format!("{}{STARS}", &found[1]));
    for pattern in [&NAMED, &SHORT] {
        replace(&mut out, pattern, |found| {
            let quote = found.get(2).or(found.get(3));
            format!(
                "{}{}{STARS}",
                &found[1],
                quote.map_or("", |quote| quote.as_str())
            )
        });
    }
    replace(&mut out, &CELL, |found| format!("{}{STARS}", &found[1]));
    replace(&mut out, &QUERY, |found| {
        match redaction::is_sensitive(&found[2]) {
            true => format!("{}{}={STARS}", &found[1], &found[2]),
            false => found[0].to_owned(),
        }
    });
    replace(&mut out, &TAG, |found| {
        let tag = &found[0];
        if !TAG_NAME.is_match(tag) {
            return tag.to_owned();
        }
        let value = |found: &Captures<'_>| {
            let quote = found.get(2).or(found.get(3));
            format!(
                "{}{}{STARS}",
                &found[1],
                quote.map_or("", |quote| quote.as_str())
            )
        };
        TAG_VALUE.replace_all(tag, value).into_owned()
    });
    out
}

fn replace(text: &mut Cow<'_, str>, pattern: &Regex, with: impl Fn(&Captures<'_>) -> String) {
    let replaced = match pattern.replace_all(text, |found: &Captures<'_>| with(found)) {
        Cow::Borrowed(_) => return,
        Cow::Owned(replaced) => replaced,
    };
    *text = Cow::Owned(replaced);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_like_a_secret_is_starred() {
        for (text, wanted) in [
            (
                "all is well: 503, state: closed",
                "all is well: 503, state: closed",
            ),
            (
                r#"{"code":503,"state":"db down"}"#,
                r#"{"code":503,"state":"db down"}"#,
            ),
            (
                "see https://a.test/x?token=abc&page=2",
                "see https://a.test/x?token=***&page=2",
            ),
            ("https://u:p@a.test/", "https://***@a.test/"),
            (
                r#"{"password":"a\\b c","x":1}"#,
                r#"{"password":"***","x":1}"#,
            ),
            (r#"{"access_token" : "abc"}"#, r#"{"access_token" : "***"}"#),
            ("'api_key' => 'abc',", "'api_key' => '***',"),
            (
                "DB_PASSWORD=hunter2 DB_HOST=db",
                "DB_PASSWORD=*** DB_HOST=db",
            ),
            (
                "Authorization: Basic dXNlcjpwYXNz\nHost: a",
                "Authorization: ***\nHost: a",
            ),
            ("Cookie: a=b; c=d\nHost: a", "Cookie: ***\nHost: a"),
            ("got Bearer abcdefgh123 there", "got Bearer *** there"),
            ("basic training", "basic training"),
            ("DB_PASS=hunter2;", "DB_PASS=***;"),
            ("'db.pass' => 'a b',", "'db.pass' => '***',"),
            (r#"{"pass":"hunter2"}"#, r#"{"pass":"***"}"#),
            ("dbpwd: hunter2", "dbpwd: ***"),
            (
                r#"pass: 12, fail: 0, {"status":"pass"}"#,
                r#"pass: 12, fail: 0, {"status":"pass"}"#,
            ),
            (
                "<tr><td class=\"e\">$_ENV['APP_SECRET']</td><td class=\"v\">hunter2 </td></tr>",
                "<tr><td class=\"e\">$_ENV['APP_SECRET']</td><td class=\"v\">***</td></tr>",
            ),
            (
                "<th>DB_PASSWORD</th>\n <td><pre class=d>\"<span title=\"7 characters\">hunter2</span>\"</pre></td>",
                "<th>DB_PASSWORD</th>\n <td><pre class=d>\"<span title=\"7 characters\">***</span>\"</pre></td>",
            ),
            (
                "<td>SHELL</td><td>/bin/sh</td>",
                "<td>SHELL</td><td>/bin/sh</td>",
            ),
            ("id AKIAIOSFODNN7EXAMPLE, ok", "id ***, ok"),
            ("x ghp_0123456789abcdefghijABCDEFGHIJ y", "x *** y"),
            ("sk_live_0123456789abcdef", "***"),
            ("x eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc y", "x *** y"),
            (
                "-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----",
                "-----BEGIN RSA PRIVATE KEY-----***-----END RSA PRIVATE KEY-----",
            ),
            (
                "-----BEGIN PRIVATE KEY-----\nMIIB",
                "-----BEGIN PRIVATE KEY-----***",
            ),
            (
                r#"<input type="hidden" name="csrf" value="abc"><input name="q" value="shoes">"#,
                r#"<input type="hidden" name="csrf" value="***"><input name="q" value="shoes">"#,
            ),
            (
                r#"<input value='abc' name=_token>"#,
                r#"<input value='***' name=_token>"#,
            ),
        ] {
            assert_eq!(starred(text), wanted, "{text}");
        }
    }

    #[test]
    fn fields_of_credentials_are_secret() {
        for name in [
            "Set-Cookie",
            "authorization",
            "proxy-authorization",
            "x-api-key",
            "x-auth-token",
            "x-amz-security-token",
            "authentication-info",
            "x-csrf",
        ] {
            assert!(is_secret_field(name), "{name}");
        }
        for name in ["content-type", "server", "www-authenticate", "date", "etag"] {
            assert!(!is_secret_field(name), "{name}");
        }
    }
}
