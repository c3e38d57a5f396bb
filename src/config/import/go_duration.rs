//! Durations as Go writes them: `1h30m`, `1.5m`, `250ms`.

use std::time::Duration;

/// Reads a duration of Go's `time.ParseDuration`, or Prometheus' with its days and weeks; a bare number is not one.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest
            .bytes()
            .take_while(|byte| byte.is_ascii_digit() || *byte == b'.')
            .count();
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest
            .chars()
            .take_while(|c| c.is_alphabetic())
            .map(char::len_utf8)
            .sum();
        let factor = match &rest[..letters] {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            "w" => 604_800.0,
            "y" => 31_536_000.0,
            _ => return None,
        };
        seconds += number * factor;
        rest = &rest[letters..];
    }
    // What is written has whole milliseconds.
    let span = Duration::try_from_secs_f64(seconds).ok()?;
    let ms = u64::try_from(span.as_micros().div_ceil(1000)).ok()?;
    Some(Duration::from_millis(ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_fractions_and_sums() {
        for (text, ms) in [
            ("1.5m", Some(90_000)),
            ("2.5s", Some(2500)),
            ("1h30m", Some(5_400_000)),
            (".5s", Some(500)),
            ("100us", Some(1)),
            ("0s", Some(0)),
            ("1d", Some(86_400_000)),
            ("60", None),
            ("", None),
            ("s", None),
            ("1x", None),
            ("1..5s", None),
            ("-1s", None),
        ] {
            assert_eq!(parse(text).map(|span| span.as_millis()), ms, "{text}");
        }
    }
}
