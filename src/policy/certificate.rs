//! Which expiry step of a certificate is to be mailed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::check::Certificate;
use crate::domain::timestamp::Timestamp;

/// Certificates remembered per monitor: several servers behind one name show different ones.
const REMEMBERED_MAX: usize = 8;

/// A step longer than this part of the lifetime does not count: a certificate that lives for a week is
/// not "ending" on its first day.
const LIFETIME_PARTS: u32 = 4;

/// The shortest step that was mailed for one certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateTold {
    /// Which one.
    pub fingerprint: u64,
    /// The step; those longer than it were passed with it.
    pub step: Duration,
}

/// The step to mail for a certificate seen at `now`: the shortest one that is passed, counts, and was
/// not mailed.
pub fn due(
    steps: &[Duration],
    told: &[CertificateTold],
    seen: &Certificate,
    now: Timestamp,
) -> Option<Duration> {
    let lifetime = seen.not_after.since(seen.not_before);
    let left = seen.not_after.since(now);
    let step = steps
        .iter()
        .copied()
        .filter(|step| *step <= lifetime / LIFETIME_PARTS && left <= *step)
        .min()?;
    let known = told
        .iter()
        .find(|told| told.fingerprint == seen.fingerprint)
        .is_some_and(|told| told.step <= step);
    (!known).then_some(step)
}

/// Remembers that a step was mailed.
pub fn remember(told: &mut Vec<CertificateTold>, fingerprint: u64, step: Duration) {
    told.retain(|told| told.fingerprint != fingerprint);
    if told.len() >= REMEMBERED_MAX {
        told.remove(0);
    }
    told.push(CertificateTold { fingerprint, step });
}
