//! Reads Retry-After (RFC 9110 section 10.2.3).

use super::date;
use crate::domain::timestamp::Timestamp;

/// Seconds from `now`, as many as were sent; a date that is past is 0, anything else than a count of seconds or an
/// HTTP-date is none.
pub fn parse(value: &str, now: Timestamp) -> Option<u32> {
    let value = value.trim();
    let seconds = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are more than a century.
        value.parse().unwrap_or(i64::MAX)
    } else {
        // Rounded up: who comes back when it says comes back not too early.
        let wait_ms = date(value)?.as_ms() - now.as_ms();
        wait_ms.div_euclid(1000) + i64::from(wait_ms.rem_euclid(1000) > 0)
    };
    u32::try_from(seconds.clamp(0, i64::from(u32::MAX))).ok()
}

/// An HTTP-date in any of its forms (RFC 9110 section 5.6.7), also where it is written a little differently; not one
/// of another zone.
fn date(value: &str) -> Option<Timestamp> {
    let zone = value.rsplit([' ', ',']).next().unwrap_or_default();
    let is_utc = ["GMT", "UTC", "Z", "+0000", "-0000"]
        .iter()
        .any(|utc| zone.eq_ignore_ascii_case(utc))
        || zone
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b':');
    is_utc.then(|| date::parse(value.as_bytes())).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_dates_and_nonsense() {
        // 1994-11-06 08:49:37 UTC is 784111777.
        let now = Timestamp::from_ms(784_111_777_000);
        for (value, want) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("99999999999999999999", Some(u32::MAX)),
            ("100000", Some(100_000)),
            ("86401", Some(86_401)),
            ("0120", Some(120)),
            ("Tue, 08 Nov 1994 08:49:37 GMT", Some(172_800)),
            ("Sun, 6 Nov 1994 08:50:37 GMT", Some(60)),
            ("sun, 06 nov 1994 08:50:37 gmt", Some(60)),
            ("Mon, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sun, 06 Nov 1994 08:50:37 UTC", Some(60)),
            ("Sun, 06 Nov 1994 08:50:37 +0200", None),
            ("Sun, 06 Nov 1994 08:50:37 CET", None),
            ("Fri, 31 Feb 1995 08:50:37 GMT", None),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sunday, 06-Nov-94 08:50:37 GMT", Some(60)),
            ("Sun Nov  6 08:50:37 1994", Some(60)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("-5", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(parse(value, now), want, "{value:?}");
        }
    }
}
