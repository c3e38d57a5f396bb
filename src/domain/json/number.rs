//! Compares the numbers of JSON texts as they are written.

use std::borrow::Cow;
use std::cmp::Ordering;

/// Compares two numbers of the grammar of JSON. Whole numbers are compared digit by digit, also with a fraction; two
/// fractions as a browser reads them, so that 0.1 is 0.10000000000000001, unless that loses their size.
pub fn compare(a: &str, b: &str) -> Ordering {
    if let (Some(a), Some(b)) = (small(a), small(b)) {
        return a.cmp(&b);
    }
    if !is_whole(a)
        && !is_whole(b)
        && let (Some(a), Some(b)) = (double(a), double(b))
        && let Some(order) = a.partial_cmp(&b)
    {
        return order;
    }
    Decimal::read(a).cmp(&Decimal::read(b))
}

/// A whole number that fits.
fn small(text: &str) -> Option<i64> {
    (text.len() <= 18).then(|| text.parse().ok()).flatten()
}

fn is_whole(text: &str) -> bool {
    !text.contains(['.', 'e', 'E'])
}

/// A number that a double holds: neither beyond its range nor so small that it becomes 0.
fn double(text: &str) -> Option<f64> {
    let number: f64 = text.parse().ok()?;
    let kept = number != 0.0 || Decimal::read(text).digits.is_empty();
    (number.is_finite() && kept).then_some(number)
}

/// A number as 0.DIGITS times ten to the exponent. No digits: zero.
#[derive(PartialEq, Eq)]
struct Decimal<'t> {
    is_negative: bool,
    exponent: i64,
    digits: Cow<'t, [u8]>,
}

impl<'t> Decimal<'t> {
    fn read(text: &'t str) -> Self {
        let (is_negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, power) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        // What is beyond 64 bits is beyond every other number, too.
        let power = power
            .trim_start_matches('+')
            .parse()
            .unwrap_or(if power.starts_with('-') {
                i64::MIN / 2
            } else {
                i64::MAX / 2
            });
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all: Cow<'t, [u8]> = if fraction.is_empty() {
            Cow::Borrowed(whole.as_bytes())
        } else {
            Cow::Owned([whole.as_bytes(), fraction.as_bytes()].concat())
        };
        let zeroes = all.iter().take_while(|digit| **digit == b'0').count();
        let end = all.len() - all.iter().rev().take_while(|digit| **digit == b'0').count();
        let place = |count: usize| i64::try_from(count).unwrap_or(i64::MAX / 4);
        let digits = match all {
            Cow::Borrowed(all) => Cow::Borrowed(all.get(zeroes..end).unwrap_or_default()),
            Cow::Owned(all) => Cow::Owned(all.get(zeroes..end).unwrap_or_default().to_vec()),
        };
        let is_zero = digits.is_empty();
        Self {
            is_negative: is_negative && !is_zero,
            exponent: match is_zero {
                true => i64::MIN,
                false => {
                    place(whole.len()) - place(zeroes) + power.clamp(i64::MIN / 2, i64::MAX / 2)
                }
            },
            digits,
        }
    }
}

impl Ord for Decimal<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let size = |a: &Self, b: &Self| {
            // Digits behind the point: the longer of two with the same beginning is the larger.
            a.exponent
                .cmp(&b.exponent)
                .then_with(|| a.digits.cmp(&b.digits))
        };
        match (self.is_negative, other.is_negative) {
            (false, false) => size(self, other),
            (true, true) => size(other, self),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }
}

impl PartialOrd for Decimal<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_as_they_are_written() {
        use Ordering::{Equal, Greater, Less};
        for (a, b, want) in [
            ("1", "1.0", Equal),
            ("1", "1e0", Equal),
            ("100", "1E+2", Equal),
            ("0", "-0", Equal),
            ("0.0", "-0e5", Equal),
            ("-1", "1", Less),
            ("-2", "-1", Less),
            ("-1.5", "-1", Less),
            ("9007199254740993", "9007199254740992", Greater),
            ("9007199254740993", "9007199254740992.0", Greater),
            ("9007199254740992", "9007199254740993.0", Less),
            ("18446744073709551616", "18446744073709551615", Greater),
            (
                "123456789012345678901234567890",
                "123456789012345678901234567890",
                Equal,
            ),
            (
                "123456789012345678901234567890",
                "123456789012345678901234567891",
                Less,
            ),
            (
                "-123456789012345678901234567890",
                "-123456789012345678901234567891",
                Greater,
            ),
            (
                "123456789012345678901234567890",
                "1.2345678901234567890123456789e29",
                Equal,
            ),
            ("1e400", "1e399", Greater),
            ("1e400", "1e401", Less),
            ("-1e999", "-1", Less),
            ("1e-400", "0", Greater),
            ("1e-400", "0.0", Greater),
            ("1e-400", "1e-401", Greater),
            ("0e999999999999999999999", "0", Equal),
            ("1e999999999999999999999", "1e99", Greater),
            ("1e-999999999999999999999", "1e-99", Less),
            ("0.1", "0.10000000000000001", Equal),
            ("0.1", "0.10", Equal),
            ("1.10", "1.1", Equal),
            ("0.1", "0.2", Less),
            ("12", "1.3e1", Less),
            ("0.05", "0.5", Less),
            ("100", "99.99", Greater),
        ] {
            assert_eq!(compare(a, b), want, "{a} {b}");
            assert_eq!(compare(b, a), want.reverse(), "{b} {a}");
        }
    }
}
