//! What is to be said of a check that met every expectation: it was slow, or a certificate ends soon.

use std::sync::Arc;
use std::time::Duration;

use super::said::Found;
use crate::domain::check::{Certificate, FailureKind, Timings};
use crate::domain::duration_text::{Exact, Human, whole_ms};
use crate::domain::probe::{ROOT, RootEnd};
use crate::domain::timestamp::Timestamp;

/// An expiry step longer than this part of a certificate's lifetime does not count.
const LIFETIME_PARTS: u32 = 4;

/// From where on a good check is degraded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits<'a> {
    /// A total above this is slow; `None`: never.
    pub(super) degraded_after: Option<Duration>,
    /// Certificates that end within the longest of these end soon, longest first.
    pub(super) certificate_expiry: &'a [Duration],
}

/// Whether an expiry step that counts for this lifetime is passed.
fn is_step_passed(
    limits: Limits<'_>,
    not_before: Timestamp,
    not_after: Timestamp,
    now: Timestamp,
) -> bool {
    let left = not_after.since(now);
    let lifetime = not_after.since(not_before);
    limits
        .certificate_expiry
        .iter()
        .any(|step| *step <= lifetime / LIFETIME_PARTS && left <= *step)
}

/// The certificate, with the dates of its root where that alone is worth a warning, and then the root's name.
pub(super) fn ends_first<'a>(
    limits: Limits<'_>,
    certificate: Option<Arc<Certificate>>,
    root: Option<&'a RootEnd>,
    now: Timestamp,
) -> (Option<Arc<Certificate>>, Option<&'a str>) {
    match (certificate, root) {
        (Some(certificate), Some(root))
            if is_step_passed(limits, root.not_before, root.not_after, now) =>
        {
            let dated = Certificate {
                not_before: root.not_before,
                not_after: root.not_after,
                fingerprint: root.fingerprint,
                ..Certificate::clone(&certificate)
            };
            (Some(Arc::new(dated)), Some(&*root.subject))
        }
        (certificate, _) => (certificate, None),
    }
}

/// Says that a check took longer than `limit`, and where its time went.
pub(super) fn slow(timings: &Timings, limit: &str) -> String {
    let slowest = timings
        .phases()
        .into_iter()
        .filter_map(|(name, took)| Some((took?, name)))
        .max();
    let mut detail = format!("{}, more than {limit}", whole_ms(timings.total));
    if let Some((took, name)) = slowest {
        let phase = match name {
            "ttfb" => "for the first byte",
            "dns" => "in DNS",
            "connect" => "to connect",
            "tls" => "in TLS",
            "body" => "for the body",
            other => other,
        };
        detail.push_str(&format!("; {} of it {phase}", whole_ms(took)));
    }
    detail
}

/// What is to be said of an answer that met every expectation.
pub(super) fn reservation(
    limits: Limits<'_>,
    timings: &Timings,
    certificate: Option<&Arc<Certificate>>,
    root: Option<&str>,
    now: Timestamp,
) -> Option<Found> {
    if let Some(limit) = limits.degraded_after
        && timings.total.as_duration() > limit
    {
        let detail = slow(timings, &Exact(limit).to_string());
        return Some((FailureKind::Slow, detail));
    }
    let certificate = certificate?;
    let left = certificate.not_after.since(now);
    // An expired certificate that gets here was accepted on purpose, so it needs no warning. An expired root does:
    // sitewatch still accepts it, but other clients do not.
    let ends_soon = (!left.is_zero() || root.is_some())
        && is_step_passed(limits, certificate.not_before, certificate.not_after, now);
    ends_soon.then(|| {
        let end = certificate.not_after;
        let detail = match root {
            None => format!(
                "the certificate {} expires in {}, on {end}",
                certificate.subject,
                Human(left)
            ),
            Some(root) if left.is_zero() => format!(
                "{ROOT}{root}, which alone makes the certificate trusted here, expired {} ago, on {end}; other \
                 clients refuse it",
                Human(now.since(end))
            ),
            Some(root) => format!(
                "{ROOT}{root}, which alone makes the certificate trusted here, expires in {}, on {end}",
                Human(left)
            ),
        };
        (FailureKind::CertificateExpiring, detail)
    })
}
