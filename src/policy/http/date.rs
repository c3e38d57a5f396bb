//! Reads dates as user agents read those of cookies (RFC 6265 section 5.1.1): any order of its parts, either case, full
//! names, quotes, with a zone or without.

use crate::domain::timestamp::Timestamp;

/// Sites write dates up to this length; longer ones are none.
const DATE_BYTES_MAX: usize = 256;

/// The moment that a date says in UTC.
pub(in crate::policy) fn parse(text: &[u8]) -> Option<Timestamp> {
    if text.len() > DATE_BYTES_MAX {
        return None;
    }
    let (mut time, mut day, mut month, mut year) = (None, None, None, None);
    for token in text.split(|byte| is_delimiter(*byte)) {
        if time.is_none() && clock_time(token).is_some() {
            time = clock_time(token);
        } else if day.is_none() && number(token, 1, 2).is_some() {
            day = number(token, 1, 2);
        } else if month.is_none() && month_of(token).is_some() {
            month = month_of(token);
        } else if year.is_none() {
            year = number(token, 2, 4);
        }
    }
    let (hour, minute, second) = time?;
    let year = match year? {
        year @ 70..=99 => year + 1900,
        year @ 0..=69 => year + 2000,
        year => year,
    };
    if year < 1601 {
        return None;
    }
    let small = |number: i16| i8::try_from(number).ok();
    let civil = jiff::civil::DateTime::new(
        year,
        month?,
        small(day?)?,
        small(hour)?,
        small(minute)?,
        small(second)?,
        0,
    );
    let utc = civil.ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(Timestamp::from_jiff(utc.timestamp()))
}

const fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'/' | b';'..=b'@' | b'['..=b'`' | b'{'..=b'~')
}

/// The digits that a token begins with, if there are so many of them and nothing but a non-digit behind.
fn number(token: &[u8], least: usize, most: usize) -> Option<i16> {
    let count = token
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    if count < least || count > most {
        return None;
    }
    std::str::from_utf8(&token[..count]).ok()?.parse().ok()
}

fn clock_time(token: &[u8]) -> Option<(i16, i16, i16)> {
    let mut parts = token.splitn(3, |byte| *byte == b':');
    let mut exact = || {
        let part = parts.next()?;
        let is_short = part.len() <= 2 && part.iter().all(u8::is_ascii_digit);
        number(part, 1, 2).filter(|_| is_short)
    };
    let (hour, minute) = (exact()?, exact()?);
    let second = number(parts.next()?, 1, 2)?;
    Some((hour, minute, second))
}

fn month_of(token: &[u8]) -> Option<i8> {
    const MONTHS: [&[u8; 3]; 12] = [
        b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov",
        b"dec",
    ];
    let name = token.get(..3)?;
    let at = MONTHS
        .iter()
        .position(|month| name.eq_ignore_ascii_case(*month))?;
    i8::try_from(at + 1).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_as_browsers_read_them() {
        let seconds = |text: &str| parse(text.as_bytes()).map(Timestamp::as_seconds);
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 8:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 08:49:37",
            "sun, 06 nov 1994 08:49:37 gmt",
            "Sunday, 06 November 1994 08:49:37 GMT",
            "\"Sun, 06 Nov 1994 08:49:37 GMT\"",
            "Mon, 06 Nov 1994 08:49:37 GMT",
            "06 Nov 94 08:49:37",
            "1994 Nov 06 08:49:37",
            "08:49:37 06 Nov 1994",
            "6-nov-1994 08:49:37",
            "Sun; 06/Nov/1994; 08:49:37.000",
        ] {
            assert_eq!(seconds(text), Some(784_111_777), "{text}");
        }
        for (text, want) in [
            ("Thu, 01-Jan-70 00:00:10 GMT", Some(10)),
            ("Thu, 01 Jan 69 00:00:00 GMT", Some(3_124_224_000)),
            ("Mon, 01-Jan-1601 00:00:00 GMT", Some(-11_644_473_600)),
            ("Mon, 01-Jan-1600 00:00:00 GMT", None),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(253_402_300_799)),
            ("Thu, 31 Feb 2030 00:00:00 GMT", None),
            ("Thu, 32 Jan 2030 00:00:00 GMT", None),
            ("Thu, 01 Jan 2030 24:00:00 GMT", None),
            ("Thu, 01 Jan 2030 00:60:00 GMT", None),
            ("Thu, 01 Jan 2030", None),
            ("Thu, 01 Jan 00:00:00", None),
            ("01 2030 00:00:00", None),
            ("0", None),
            ("-1", None),
            ("", None),
        ] {
            let got = seconds(text);
            // The last moments of 9999 are beyond what is told apart.
            let far = want.is_some_and(|want| want > 253_000_000_000);
            assert!(
                got == want || (far && got.is_none_or(|got| got > 253_000_000_000)),
                "{text}: {got:?}"
            );
        }
    }
}
