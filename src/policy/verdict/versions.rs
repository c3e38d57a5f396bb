//! What the versions of HTTP that a site offers, each checked by itself, make of its check.

use super::said::in_short;
use crate::domain::check::{
    Check, CheckState, Failure, FailureKind, HttpVersion, Verdict, VersionCheck,
};
use crate::domain::connect_to::BadAddress;

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
        .map(|one| {
            format!(
                "{} fails, {}",
                one.version,
                in_short(one.state, one.status, one.failure.as_ref(), SHOWN_CHARS)
            )
        })
        .collect();
    let verb = if works.len() == 1 { "works" } else { "work" };
    Failure {
        kind: FailureKind::HttpVersion,
        detail: format!("{}, while {} {verb}", fails.join("; "), works.join(" and ")).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_checks::{said, seen};
    use super::*;

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
        assert_eq!(
            said(&found),
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
