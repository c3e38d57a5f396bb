//! Slower than usual: `degraded_after = "3x usual"`. What is usual is known where checks are recorded, so this is judged
//! there, of a check that met every other expectation.

use super::reservation;
use crate::domain::check::{Check, Failure, FailureKind, Verdict};
use crate::domain::duration_text::whole_ms;
use crate::domain::slow_limit::{Factor, Usual};

/// Makes a check `degraded` that took longer than so many times what is usual.
pub fn judge(check: &mut Check, factor: Factor, usual: Usual) {
    let may_be_slow = match &check.verdict {
        Verdict::Up => true,
        // Of two reasons the time comes first.
        Verdict::Degraded(failure) => failure.kind == FailureKind::CertificateExpiring,
        Verdict::Down(_) | Verdict::Unknown(_) => false,
    };
    if !may_be_slow || check.timings.total <= factor.of(usual.total) {
        return;
    }
    let limit = format!(
        "{factor} the usual {} (median at this hour of the week, {} weeks)",
        whole_ms(usual.total),
        usual.weeks
    );
    check.verdict = Verdict::Degraded(Failure {
        kind: FailureKind::Slow,
        detail: reservation::slow(&check.timings, &limit).into(),
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::check::{Micros, Timings};
    use crate::domain::redaction::Masks;
    use crate::domain::timestamp::Timestamp;
    use crate::policy::verdict::bare_check;

    #[track_caller]
    fn judged(verdict: Verdict, total_ms: u32) -> String {
        let timings = Timings {
            ttfb: Some(Micros::new(total_ms * 900)),
            total: Micros::new(total_ms * 1000),
            ..Timings::default()
        };
        let url = "https://a.example/".into();
        let at = Timestamp::from_ms(0);
        let mut check = bare_check::of(&url, &Masks::default(), at, timings, None, verdict);
        let usual = Usual {
            total: Micros::new(200_000),
            weeks: 4,
        };
        judge(&mut check, Factor::new(3.0).unwrap(), usual);
        match check.verdict.failure() {
            Some(failure) => format!(
                "{} {}: {}",
                check.verdict.state().as_str(),
                failure.kind,
                failure.detail
            ),
            None => check.verdict.state().as_str().to_owned(),
        }
    }

    fn because(kind: FailureKind) -> Failure {
        Failure {
            kind,
            detail: "because".into(),
        }
    }

    #[test]
    fn slower_than_usual_is_degraded() {
        assert_eq!(judged(Verdict::Up, 600), "up");
        let slow = "degraded slow: 601 ms, more than 3x the usual 200 ms (median at this hour of the week, 4 weeks); \
                    541 ms of it for the first byte";
        assert_eq!(judged(Verdict::Up, 601), slow);
        let expiring = || Verdict::Degraded(because(FailureKind::CertificateExpiring));
        assert_eq!(judged(expiring(), 601), slow);
        assert_eq!(
            judged(expiring(), 600),
            "degraded certificate_expiring: because"
        );
        let address = Verdict::Degraded(because(FailureKind::AddressDown));
        assert_eq!(judged(address, 9000), "degraded address_down: because");
        let down = Verdict::Down(because(FailureKind::Status));
        assert_eq!(judged(down, 9000), "down status: because");
    }
}
