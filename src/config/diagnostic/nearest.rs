//! "Did you mean": the nearest of the words that are known.

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
    let foreign = FOREIGN
        .iter()
        .find(|(foreign, _)| *foreign == folded)
        .map(|(_, ours)| *ours);
    let mut best: Option<(f64, &str)> = None;
    for candidate in known {
        if foreign == Some(candidate) {
            return Some(candidate);
        }
        let theirs = fold(candidate);
        let longest = folded.chars().count().max(theirs.chars().count());
        let edits = strsim::damerau_levenshtein(&folded, &theirs);
        let close = edits <= 1.max(longest / 3) && edits < longest;
        // A word that was cut short or drawn out: `follow_redirect`, `intervals_seconds`.
        let part = folded.len() >= 4
            && theirs.len() >= 4
            && (theirs.starts_with(&folded) || folded.starts_with(&theirs));
        if !close && !part {
            continue;
        }
        let score = strsim::jaro_winkler(&folded, &theirs);
        if best.is_none_or(|(top, _)| score > top) {
            best = Some((score, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

fn fold(word: &str) -> String {
    word.chars()
        .take(200)
        .flat_map(char::to_lowercase)
        .map(|c| if c == '-' { '_' } else { c })
        .collect()
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
