//! Checks by a word, for the tests of what several of them make of one.

use std::sync::Arc;

use crate::domain::check::{Certificate, Chain, Check, Failure, FailureKind, Timings, Verdict};
use crate::domain::timestamp::Timestamp;

fn verdict(word: &str) -> Verdict {
    let failure = |kind| Failure {
        kind,
        detail: format!("{kind} there").into(),
    };
    match word {
        "up" => Verdict::Up,
        "slow" => Verdict::Degraded(failure(FailureKind::Slow)),
        "ends" => Verdict::Degraded(failure(FailureKind::CertificateExpiring)),
        "addr" => Verdict::Degraded(failure(FailureKind::AddressDown)),
        "offline" => Verdict::Unknown(failure(FailureKind::Local)),
        "503" => Verdict::Down(failure(FailureKind::Status)),
        kind => Verdict::Down(failure(FailureKind::parse(kind).expect("a kind"))),
    }
}

/// `up`, `503`, `connect_refused`, `up:30` with a certificate that ends in 30 days.
pub(super) fn seen(text: &str) -> Check {
    let (word, days) = text.split_once(':').unwrap_or((text, ""));
    let certificate = days.parse::<i64>().ok().map(|days| {
        Arc::new(Certificate {
            not_after: Timestamp::from_ms(days * 86_400_000),
            not_before: Timestamp::from_ms(0),
            subject: "CN=a.example".to_owned(),
            issuer: "CN=CA".to_owned(),
            fingerprint: days.unsigned_abs(),
        })
    });
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
        certificate,
        excerpt: None,
        remarks: Box::default(),
        extras: None,
    }
}

/// `degraded slow: slow there`
pub(super) fn said(check: &Check) -> String {
    let state = check.verdict.state();
    match check.verdict.failure() {
        None => state.to_string(),
        Some(failure) => format!("{state} {}: {}", failure.kind, failure.detail),
    }
}
