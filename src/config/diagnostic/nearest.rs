//! "Did you mean": the nearest of the words that are known.

use crate::domain::nearest::{self, fold};

/// Words that other tools use for what has another name here.
const FOREIGN: [(&str, &str); 40] = [
    ("status", "expect_status"),
    ("status_code", "expect_status"),
    ("expected_status", "expect_status"),
    ("accepted_statuscodes", "expect_status"),
    ("codes", "expect_status"),
    ("target", "url"),
    ("address", "url"),
    ("endpoint", "url"),
    ("uri", "url"),
    ("link", "url"),
    ("period", "interval"),
    ("every", "interval"),
    ("frequency", "interval"),
    ("cron", "schedule"),
    ("retries", "failures_before_down"),
    ("max_retries", "failures_before_down"),
    ("failure_threshold", "failures_before_down"),
    ("failure-threshold", "failures_before_down"),
    ("success_threshold", "successes_before_up"),
    ("success-threshold", "successes_before_up"),
    ("recipients", "to"),
    ("emails", "to"),
    ("recipient", "to"),
    ("sender", "from"),
    ("user", "username"),
    ("login", "username"),
    ("pass", "password"),
    ("keyword", "body_contains"),
    ("contains", "body_contains"),
    ("redirects", "max_redirects"),
    ("redirect", "follow_redirects"),
    ("insecure", "verify_tls"),
    ("skip_verify", "verify_tls"),
    ("verify_ssl", "verify_tls"),
    ("parents", "depends_on"),
    ("server", "host"),
    ("smtp_host", "host"),
    ("db", "database"),
    ("socket", "control_socket"),
    ("retention", "keep_checks"),
];

/// The known word that was probably meant.
pub(in crate::config) fn nearest<'a>(
    word: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let folded = fold(word);
    let foreign = FOREIGN.iter().find(|(foreign, _)| *foreign == folded);
    let known: Vec<&str> = known.into_iter().collect();
    let ours = foreign.and_then(|(_, ours)| known.iter().find(|known| *known == ours));
    match ours {
        Some(ours) => Some(ours),
        None => nearest::nearest(word, known),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant() {
        let keys = [
            "interval",
            "timeout",
            "expect_status",
            "follow_redirects",
            "to",
            "url",
        ];
        for (word, meant) in [
            ("intervall", Some("interval")),
            ("Interval", Some("interval")),
            ("time_out", Some("timeout")),
            ("expect-status", Some("expect_status")),
            ("status_code", Some("expect_status")),
            ("follow_redirect", Some("follow_redirects")),
            ("ulr", Some("url")),
            ("recipients", Some("to")),
            ("colour", None),
            ("x", None),
        ] {
            assert_eq!(nearest(word, keys), meant, "{word}");
        }
    }
}
