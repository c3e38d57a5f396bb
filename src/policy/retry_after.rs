//! Reads Retry-After (RFC 9110 section 10.2.3).

use crate::domain::timestamp::Timestamp;

/// A wait longer than a day tells nothing that a monitor could use.
const SECONDS_MAX: i64 = 86_400;

/// Seconds from `now`, clamped to a day; a date that is past is 0, anything else than a count of
/// seconds or an HTTP-date is none.
pub fn parse(value: &str, now: Timestamp) -> Option<u32> {
    let value = value.trim();
    let seconds = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are more than a day.
        value.parse().unwrap_or(SECONDS_MAX)
    } else {
        date(value)?.as_seconds() - now.as_seconds()
    };
    u32::try_from(seconds.clamp(0, SECONDS_MAX)).ok()
}

/// IMF-fixdate, and the two obsolete forms a recipient must take (RFC 9110 section 5.6.7).
fn date(value: &str) -> Option<Timestamp> {
    let forms = [
        "%a, %d %b %Y %H:%M:%S GMT",
        "%A, %d-%b-%y %H:%M:%S GMT",
        "%a %b %e %H:%M:%S %Y",
    ];
    forms.iter().find_map(|form| {
        let civil = jiff::civil::DateTime::strptime(form, value).ok()?;
        let utc = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        Some(Timestamp::from_jiff(utc.timestamp()))
    })
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
            ("99999999999999999999", Some(86_400)),
            ("100000", Some(86_400)),
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
