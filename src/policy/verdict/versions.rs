//! What the versions of HTTP that a site offers, each checked by itself, make of its check.

use crate::domain::check::{
    Check, CheckState, Failure, FailureKind, HttpVersion, Verdict, VersionCheck,
};
use crate::domain::connect_to::BadAddress;
use crate::domain::safe_text;

/// What is said of one version is cut to this many characters.
const SHOWN_CHARS: usize = 160;

/// One version, as its own check saw it.
pub fn version_check(version: HttpVersion, check: &Check) -> VersionCheck {
    VersionCheck {
        version,
        state: check.verdict.state(),
        status: check.status,
        failure: check.verdict.failure().cloned(),
        total: Some(check.timings.total),
    }
}

/// A version that was not judged; why.
pub fn not_judged(version: HttpVersion, why: &str) -> VersionCheck {
    VersionCheck {
        version,
        state: CheckState::Unknown,
        status: None,
        failure: Some(Failure {
            kind: FailureKind::Local,
            detail: why.into(),
        }),
        total: None,
    }
}

/// The check of a site, judged by all versions that it offers, the ordinary one included: one that fails while another
/// works is `http_version`. A bad address was told before.
#[must_use]
pub fn judged_by_versions(
    mut check: Check,
    versions: Vec<VersionCheck>,
    bad_version: BadAddress,
) -> Check {
    let is_good = |one: &&VersionCheck| matches!(one.state, CheckState::Up | CheckState::Degraded);
    let good: Vec<&VersionCheck> = versions.iter().filter(is_good).collect();
    let bad: Vec<&VersionCheck> = versions
        .iter()
        .filter(|one| one.state == CheckState::Down)
        .collect();
    let is_told = match &check.verdict {
        Verdict::Unknown(_) => true,
        Verdict::Up => false,
        Verdict::Degraded(failure) | Verdict::Down(failure) => {
            failure.kind == FailureKind::AddressDown
        }
    };
    if !is_told && !good.is_empty() && !bad.is_empty() {
        let failure = http_version(&good, &bad);
        check.verdict = match bad_version {
            BadAddress::Degraded => Verdict::Degraded(failure),
            BadAddress::Down => Verdict::Down(failure),
        };
    }
    let extras = check.extras.get_or_insert_default();
    extras.versions = Some(versions.into());
    check
}

fn http_version(good: &[&VersionCheck], bad: &[&VersionCheck]) -> Failure {
    let works: Vec<&str> = good.iter().map(|one| one.version.as_str()).collect();
    let fails: Vec<String> = bad
        .iter()
        .map(|one| format!("{} fails, {}", one.version, in_words(one)))
        .collect();
    let verb = if works.len() == 1 { "works" } else { "work" };
    Failure {
        kind: FailureKind::HttpVersion,
        detail: format!("{}, while {} {verb}", fails.join("; "), works.join(" and ")).into(),
    }
}

/// What is wrong with a version, short.
fn in_words(one: &VersionCheck) -> String {
    match (&one.failure, one.status) {
        (Some(failure), Some(status)) if failure.kind == FailureKind::Status => {
            format!("{} {status}", failure.kind)
        }
        (Some(failure), _) => {
            let detail = safe_text::middle(&failure.detail, SHOWN_CHARS);
            format!("{} ({detail})", failure.kind)
        }
        (None, _) => one.state.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::check::{Chain, Timings};
    use crate::domain::timestamp::Timestamp;

    fn verdict(word: &str) -> Verdict {
        let failure = |kind| Failure {
            kind,
            detail: format!("{kind} there").into(),
        };
        match word {
            "up" => Verdict::Up,
            "slow" => Verdict::Degraded(failure(FailureKind::Slow)),
            "addr" => Verdict::Degraded(failure(FailureKind::AddressDown)),
            "offline" => Verdict::Unknown(failure(FailureKind::Local)),
            "503" => Verdict::Down(failure(FailureKind::Status)),
            kind => Verdict::Down(failure(FailureKind::parse(kind).expect("a kind"))),
        }
    }

    fn seen(word: &str) -> Check {
        Check {
            at: Timestamp::from_ms(0),
            verdict: verdict(word),
            status: (word == "503").then_some(503),
            chain: Arc::new(Chain::default()),
            redirect_times: Box::default(),
            timings: Timings::default(),
            http_version: None,
            body_bytes: 0,
            retry_after_s: None,
            certificate: None,
            excerpt: None,
            remarks: Box::default(),
            extras: None,
        }
    }

    /// `own`: the check's verdict; `versions`: those of HTTP/1.1, HTTP/2 and HTTP/3, as far as they are offered.
    fn check(own: &str, versions: &str, bad: BadAddress, want: &str) {
        let all = [HttpVersion::Http11, HttpVersion::Http2, HttpVersion::Http3];
        let words = versions.split_whitespace().zip(all);
        let versions = words
            .filter(|(word, _)| *word != "-")
            .map(|(word, version)| match word {
                "?" => not_judged(version, "no time was left to check it"),
                word => version_check(version, &seen(word)),
            });
        let found = judged_by_versions(seen(own), versions.collect(), bad);
        let said = match found.verdict.failure() {
            None => found.verdict.state().to_string(),
            Some(failure) => format!(
                "{} {}: {}",
                found.verdict.state(),
                failure.kind,
                failure.detail
            ),
        };
        assert_eq!(
            said,
            want,
            "{own} with {versions:?}",
            versions = found.extras
        );
    }

    #[test]
    fn one_that_fails_while_another_works_is_told() {
        let degraded = BadAddress::Degraded;
        check("up", "up", degraded, "up");
        check("up", "up up up", degraded, "up");
        check("up", "up slow ?", degraded, "up");
        check("slow", "slow up", degraded, "degraded slow: slow there");
        check(
            "up",
            "up up connect_timeout",
            degraded,
            "degraded http_version: HTTP/3 fails, connect_timeout (connect_timeout there), while HTTP/1.1 and HTTP/2 work",
        );
        check(
            "slow",
            "slow 503",
            BadAddress::Down,
            "down http_version: HTTP/2 fails, status 503, while HTTP/1.1 works",
        );
        check(
            "503",
            "503 up 503",
            degraded,
            "degraded http_version: HTTP/1.1 fails, status 503; HTTP/3 fails, status 503, while HTTP/2 works",
        );
        check("503", "503 503", degraded, "down status: status there");
        check("503", "503", degraded, "down status: status there");
        check("up", "up offline", degraded, "up");
        // What is worse, or says more, stays.
        check(
            "addr",
            "up 503",
            degraded,
            "degraded address_down: address_down there",
        );
        check(
            "offline",
            "offline up",
            degraded,
            "unknown local: local there",
        );
    }
}
