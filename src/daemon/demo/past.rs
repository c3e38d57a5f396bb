//! Ninety days that the tour's sites never had: without them its status page would be empty.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::script::Site;
use crate::domain::check::{
    Chain, Check, Failure, FailureKind, HttpVersion, Micros, Redirect, Timings, Verdict,
};
use crate::domain::timestamp::Timestamp;

/// How far back it goes.
pub const DAYS: u64 = 90;
/// Between two checks.
pub const EVERY: Duration = Duration::from_secs(7200);

const DAY_S: u64 = 86_400;

/// An outage: so long before the tour, of this length, with this answer.
struct Outage {
    before_s: u64,
    lasts_s: u64,
    status: u16,
}

const fn outage(days: u64, hours: u64, minutes: u64, status: u16) -> Outage {
    Outage {
        before_s: days * DAY_S + hours * 3600,
        lasts_s: minutes * 60,
        status,
    }
}

/// The outages of a site, oldest first.
fn outages(site: Site) -> Vec<Outage> {
    match site {
        Site::Steady | Site::Certificate => Vec::new(),
        Site::Chain => vec![outage(41, 7, 24, 502)],
        Site::Slow => vec![outage(66, 3, 95, 504)],
        Site::Flaky => [
            (83, 11),
            (71, 4),
            (58, 9),
            (44, 6),
            (37, 31),
            (23, 8),
            (9, 14),
        ]
        .map(|(days, minutes)| outage(days, days % 23, minutes, 500))
        .into(),
        Site::Shop => vec![
            outage(78, 20, 12, 503),
            outage(33, 14, 47, 503),
            outage(12, 9, 185, 503),
        ],
        Site::Hijacked => vec![outage(20, 2, 65, 500)],
    }
}

/// When a site was checked, oldest first, with the status that it answered.
pub fn checks(site: Site, now: Timestamp) -> Vec<(Timestamp, u16)> {
    let outages = outages(site);
    let status = |before_s: u64| {
        let of = outages.iter().find(|outage| {
            before_s <= outage.before_s && before_s + outage.lasts_s > outage.before_s
        });
        of.map_or(200, |outage| outage.status)
    };
    let mut before: Vec<u64> = (1..=DAYS * DAY_S / EVERY.as_secs())
        .map(|slot| slot * EVERY.as_secs())
        .collect();
    for outage in &outages {
        before.extend([outage.before_s, outage.before_s - outage.lasts_s]);
    }
    before.sort_unstable();
    before.dedup();
    before
        .into_iter()
        .rev()
        .map(|before_s| (now.minus(Duration::from_secs(before_s)), status(before_s)))
        .collect()
}

/// The check of a site at that time.
pub fn check(site: Site, address: SocketAddr, at: Timestamp, status: u16) -> Check {
    let total = latency(site, at);
    let share = |of_ten: u32| Some(Micros::new(total / 10 * of_ten));
    let verdict = match (status, site) {
        (200, Site::Slow) => Verdict::Degraded(Failure {
            kind: FailureKind::Slow,
            detail: format!("{} ms, limit 500 ms", total / 1000).into(),
        }),
        (200, _) => Verdict::Up,
        (status, _) => Verdict::Down(Failure {
            kind: FailureKind::Status,
            detail: format!("{status}: expected 200-299").into(),
        }),
    };
    Check {
        at,
        verdict,
        status: Some(status),
        chain: Arc::new(chain(site, address, status)),
        redirect_times: Box::default(),
        timings: Timings {
            dns: None,
            connect: share(2),
            tls: site.is_https().then(|| Micros::new(total / 10 * 3)),
            ttfb: share(if site.is_https() { 4 } else { 7 }),
            body: share(1),
            total: Micros::new(total),
        },
        http_version: Some(HttpVersion::Http11),
        body_bytes: 1256,
        retry_after_s: None,
        certificate: None,
        excerpt: None,
        remarks: Box::default(),
        extras: None,
    }
}

/// Microseconds: slower in the afternoon, and never twice the same.
fn latency(site: Site, at: Timestamp) -> u32 {
    let base: u32 = match site {
        Site::Steady => 42_000,
        Site::Chain => 96_000,
        Site::Slow => 640_000,
        Site::Flaky => 71_000,
        Site::Shop => 118_000,
        Site::Certificate => 55_000,
        Site::Hijacked => 63_000,
    };
    let hours = at.as_seconds().unsigned_abs() / 3600;
    let of_day = u32::try_from(hours % 24).unwrap_or(0);
    let afternoon = 12_u32.saturating_sub(of_day.abs_diff(15)) * (base / 40);
    // Numbers without a pattern that are the same at each run.
    let noise = (hours.wrapping_mul(2_654_435_761) >> 7) % u64::from(base / 5);
    base + afternoon + u32::try_from(noise).unwrap_or(0)
}

/// The redirect chain that the site has today, so that nothing seems to have changed.
fn chain(site: Site, address: SocketAddr, status: u16) -> Chain {
    let scheme = if site.is_https() { "https" } else { "http" };
    let host = if site.is_https() {
        "localhost"
    } else {
        "127.0.0.1"
    };
    let url = |path: &str| format!("{scheme}://{host}:{}{path}", address.port());
    let paths: &[(&str, u16)] = match site {
        _ if status != 200 => &[],
        Site::Chain => &[("/", 301), ("/welcome", 302), ("/welcome/en", 0)],
        Site::Hijacked => &[("/", 302), ("/home", 0)],
        Site::Steady | Site::Slow | Site::Flaky | Site::Shop | Site::Certificate => &[],
    };
    let pairs = paths.iter().zip(paths.iter().skip(1));
    Chain {
        redirects: pairs
            .map(|((path, status), (next, _))| Redirect {
                url: url(path),
                status: *status,
                location: Some((*next).to_owned()),
                remote_addr: Some(address),
            })
            .collect(),
        final_url: url(paths.last().map_or("/", |(path, _)| path)).into(),
        remote_addr: Some(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_795_377_600_000);

    #[test]
    fn every_site_has_ninety_days_in_order_that_end_well() {
        for site in Site::ALL {
            let checks = checks(site, NOW);
            assert!(checks.len() >= 90 * 12, "{site:?}");
            assert!(checks.windows(2).all(|pair| pair[0].0 < pair[1].0));
            let (last, status) = checks[checks.len() - 1];
            assert_eq!((NOW.since(last), status), (EVERY, 200), "{site:?}");
        }
    }

    #[test]
    fn an_outage_lasts_as_long_as_it_is_written() {
        let bad: Vec<_> = checks(Site::Shop, NOW)
            .into_iter()
            .filter(|(_, status)| *status != 200)
            .collect();
        let (first, status) = bad[bad.len() - 1];
        assert_eq!(status, 503);
        assert!(NOW.since(first) < Duration::from_secs(13 * DAY_S));
        assert!(bad.len() >= 4, "{bad:?}");
    }
}
