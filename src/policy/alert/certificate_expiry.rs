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

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    /// The step that is due for a certificate of so many days of which so many are left.
    fn step(lives: u32, left: u32, told: Option<u32>) -> Option<u64> {
        let now = Timestamp::from_ms(1_795_377_600_000);
        let seen = Certificate {
            not_before: now.plus(DAY * left).minus(DAY * lives),
            not_after: now.plus(DAY * left),
            subject: String::new(),
            issuer: String::new(),
            fingerprint: 1,
        };
        let told: Vec<CertificateTold> = told
            .into_iter()
            .map(|days| CertificateTold {
                fingerprint: 1,
                step: DAY * days,
            })
            .collect();
        due(&[DAY * 21, DAY * 7, DAY], &told, &seen, now).map(|step| step.as_secs() / 86_400)
    }

    #[test]
    fn a_step_longer_than_a_quarter_of_the_lifetime_does_not_count() {
        assert_eq!(step(90, 21, None), Some(21));
        assert_eq!(step(84, 21, None), Some(21));
        assert_eq!(step(83, 21, None), None);
        // A certificate of six days is warned of on its last, not on its first.
        assert_eq!(step(6, 6, None), None);
        assert_eq!(step(6, 1, None), Some(1));
        assert_eq!(step(3, 1, None), None);
    }

    #[test]
    fn steps_passed_at_once_are_one_and_each_comes_once() {
        assert_eq!(step(90, 5, None), Some(7));
        assert_eq!(step(90, 5, Some(21)), Some(7));
        assert_eq!(step(90, 5, Some(7)), None);
        assert_eq!(step(90, 5, Some(1)), None);
    }
}
