//! What the addresses of a name, each checked by itself, make of the check of the name.

use std::fmt::Write as _;
use std::sync::Arc;

use super::said::in_short;
use crate::domain::check::{
    AddressCheck, Certificate, Check, CheckState, Extras, Failure, FailureKind, Verdict,
};
use crate::domain::connect_to::BadAddress;

/// What is said of one bad address is cut to this many characters: all sixteen stand in one line.
const SHOWN_CHARS: usize = 80;

/// One address, as its own check saw it; without a check there was no time for one.
pub fn address_check(addr: std::net::SocketAddr, check: Option<Check>) -> AddressCheck {
    let Some(check) = check else {
        return AddressCheck {
            addr,
            state: CheckState::Unknown,
            status: None,
            failure: Some(Failure {
                kind: FailureKind::Local,
                detail: "no time was left to check it".into(),
            }),
            total: None,
            certificate: None,
        };
    };
    AddressCheck {
        addr,
        state: check.verdict.state(),
        status: check.status,
        failure: check.verdict.failure().cloned(),
        total: Some(check.timings.total),
        certificate: check.certificate,
    }
}

/// The check of the name, judged by its addresses: down only if none is good, `address_down` if some are bad. The
/// certificate that ends first is the one that is shown and warned of.
#[must_use]
pub fn judged_by_addresses(
    mut check: Check,
    addresses: Vec<AddressCheck>,
    bad_address: BadAddress,
) -> Check {
    if addresses.is_empty() || matches!(check.verdict, Verdict::Unknown(_)) {
        return check;
    }
    let is = |state| move |one: &&AddressCheck| one.state == state;
    let is_good_one =
        |one: &&AddressCheck| matches!(one.state, CheckState::Up | CheckState::Degraded);
    let good = addresses.iter().filter(is_good_one).count();
    let bad: Vec<&AddressCheck> = addresses.iter().filter(is(CheckState::Down)).collect();
    let has_unjudged = addresses.iter().any(|one| one.state == CheckState::Unknown);
    let is_good = check.verdict.is_good();
    match (good, bad.as_slice()) {
        // Nothing is known of any of them.
        (0, []) => {}
        // Of those that there was no time for one may be what the name's check met.
        (0, [first, ..]) if !is_good || !has_unjudged => {
            if is_good {
                check.verdict = Verdict::Down(of_first(first));
                check.status = first.status;
            }
        }
        (_, [_, ..]) => {
            let failure = address_down(&bad, addresses.len());
            check.verdict = match bad_address {
                BadAddress::Degraded => Verdict::Degraded(failure),
                BadAddress::Down => Verdict::Down(failure),
            };
        }
        (_, []) if !is_good => {
            check.verdict = Verdict::Up;
            check.status = addresses
                .iter()
                .find(is_good_one)
                .and_then(|one| one.status);
        }
        (_, []) => {}
    }
    earliest_certificate(&mut check, &addresses);
    let extras = check.extras.get_or_insert_default();
    extras.addresses = Some(addresses.into());
    check
}

/// Every address is bad, though the check of the name met none of that.
fn of_first(first: &AddressCheck) -> Failure {
    let (kind, detail) = match &first.failure {
        Some(failure) => (failure.kind, &*failure.detail),
        None => (FailureKind::AddressDown, ""),
    };
    Failure {
        kind,
        detail: format!("{}: {detail}", first.addr.ip()).into(),
    }
}

fn address_down(bad: &[&AddressCheck], all: usize) -> Failure {
    let mut detail = match (bad.len(), all) {
        (1, all) => format!("1 of {all} addresses is bad: "),
        (bad, all) => format!("{bad} of {all} addresses are bad: "),
    };
    for (index, one) in bad.iter().enumerate() {
        let comma = if index == 0 { "" } else { "; " };
        // A text takes everything.
        let _ = write!(
            detail,
            "{comma}{} {}",
            one.addr.ip(),
            in_short(one.state, one.status, one.failure.as_ref(), SHOWN_CHARS)
        );
    }
    Failure {
        kind: FailureKind::AddressDown,
        detail: detail.into(),
    }
}

/// Of the certificates of good addresses the one that ends first counts, and which addresses serve it is said.
fn earliest_certificate(check: &mut Check, addresses: &[AddressCheck]) {
    let good = |one: &&AddressCheck| matches!(one.state, CheckState::Up | CheckState::Degraded);
    let of_good = addresses.iter().filter(good);
    let certificates = of_good.filter_map(|one| one.certificate.as_ref());
    let Some(first) = certificates.min_by_key(|certificate| certificate.not_after) else {
        return;
    };
    let is_first = |certificate: &Arc<Certificate>| certificate.fingerprint == first.fingerprint;
    let serve: Vec<&AddressCheck> = addresses
        .iter()
        .filter(|one| one.certificate.as_ref().is_some_and(is_first))
        .collect();
    let have = addresses.iter().filter(|one| one.certificate.is_some());
    let is_on_all = serve.len() == have.count();
    let own = check.certificate.as_ref();
    if own.is_none_or(|own| first.not_after < own.not_after) {
        check.certificate = Some(Arc::clone(first));
    }
    let ends_soon = serve.iter().find_map(|one| {
        let failure = one.failure.as_ref()?;
        (failure.kind == FailureKind::CertificateExpiring).then_some(failure)
    });
    if is_on_all {
        return;
    }
    let ips: Vec<String> = serve.iter().map(|one| one.addr.ip().to_string()).collect();
    let where_ = format!("served by {} only", ips.join(", "));
    let may_warn = match &check.verdict {
        Verdict::Up => true,
        Verdict::Degraded(failure) => failure.kind == FailureKind::CertificateExpiring,
        Verdict::Down(_) | Verdict::Unknown(_) => false,
    };
    if let Some(failure) = ends_soon.filter(|_| may_warn) {
        check.verdict = Verdict::Degraded(Failure {
            kind: FailureKind::CertificateExpiring,
            detail: format!("{}; {where_}", failure.detail).into(),
        });
    }
    let mut remarks = std::mem::take(&mut check.remarks).into_vec();
    remarks.push(format!(
        "the certificate that ends first, {}, is {where_}",
        first.subject
    ));
    check.remarks = remarks.into();
}

/// The addresses that serve a check's certificate, where not all do; none without `addresses = "each"`.
pub fn who_serves(extras: Option<&Extras>, certificate: &Certificate) -> Vec<String> {
    let addresses = extras.and_then(|extras| extras.addresses.as_deref());
    let shown = addresses.unwrap_or_default();
    let has = |one: &&AddressCheck| {
        let own = one.certificate.as_ref();
        own.is_some_and(|own| own.fingerprint == certificate.fingerprint)
    };
    let serve: Vec<String> = shown
        .iter()
        .filter(has)
        .map(|one| one.addr.ip().to_string())
        .collect();
    let all = shown.iter().filter(|one| one.certificate.is_some()).count();
    match serve.len() < all {
        true => serve,
        false => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_checks::{said, seen};
    use super::*;

    fn check(own: &str, addresses: &str, bad: BadAddress, want: &str) {
        let each = addresses.split_whitespace().zip(1u8..).map(|(word, last)| {
            let addr = std::net::SocketAddr::from(([192, 0, 2, last], 443));
            address_check(addr, (word != "-").then(|| seen(word)))
        });
        let found = judged_by_addresses(seen(own), each.collect(), bad);
        assert_eq!(said(&found), want, "{own} with {addresses}");
    }

    #[test]
    fn the_addresses_decide() {
        let degraded = BadAddress::Degraded;
        check("up", "up up up", degraded, "up");
        check("up", "up slow", degraded, "up");
        check("slow", "up up", degraded, "degraded slow: slow there");
        check(
            "up",
            "up 503 connect_refused up",
            degraded,
            "degraded address_down: 2 of 4 addresses are bad: 192.0.2.2 status 503; 192.0.2.3 connect_refused \
             (connect_refused there)",
        );
        check(
            "503",
            "503 up",
            BadAddress::Down,
            "down address_down: 1 of 2 addresses is bad: 192.0.2.1 status 503",
        );
        check("503", "503 503", degraded, "down status: status there");
        check(
            "up",
            "503 503",
            degraded,
            "down status: 192.0.2.1: status there",
        );
        // The name's check met one that there was no time for.
        check(
            "up",
            "503 -",
            degraded,
            "degraded address_down: 1 of 2 addresses is bad: 192.0.2.1 status 503",
        );
        check("503", "503 -", degraded, "down status: status there");
        check("503", "up up", degraded, "up");
        check("up", "- -", degraded, "up");
        check("up", "offline up", degraded, "up");
        check("offline", "503 up", degraded, "unknown local: local there");
        check(
            "connect_refused",
            "",
            degraded,
            "down connect_refused: connect_refused there",
        );
    }

    #[test]
    fn the_certificate_that_ends_first_counts() {
        check(
            "up:90",
            "up:90 ends:5 up:90",
            BadAddress::Degraded,
            "degraded certificate_expiring: certificate_expiring there; served by 192.0.2.2 only",
        );
        check(
            "ends:5",
            "ends:5 ends:5",
            BadAddress::Degraded,
            "degraded certificate_expiring: certificate_expiring there",
        );
        let addr = std::net::SocketAddr::from(([192, 0, 2, 1], 443));
        let all = vec![
            address_check(addr, Some(seen("up:30"))),
            address_check(addr, Some(seen("up:5"))),
            // What is bad is told as such.
            address_check(addr, Some(seen("tls_expired:0"))),
        ];
        let found = judged_by_addresses(seen("up:30"), all, BadAddress::Degraded);
        let certificate = found.certificate.as_deref().expect("it was shown");
        assert_eq!(certificate.fingerprint, 5);
        assert_eq!(
            who_serves(found.extras.as_deref(), certificate),
            ["192.0.2.1"]
        );
    }
}
