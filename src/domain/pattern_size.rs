//! About how large a regular expression becomes when it is compiled, told before it is.

use regex_syntax::hir::{Class, Hir, HirKind};

/// A state of the compiled form with its transitions.
const STATE_BYTES: u64 = 32;

/// The size of a parsed pattern, compiled, in bytes.
pub fn compiled_bytes(pattern: &Hir) -> u64 {
    states(pattern).saturating_mul(STATE_BYTES)
}

/// About how many states it has. What is written is nested 250 times at most: the parser sees to it.
pub(super) fn states(hir: &Hir) -> u64 {
    let sum = |parts: &[Hir]| {
        let all = parts.iter().map(states);
        all.fold(0, |sum: u64, part| sum.saturating_add(part))
    };
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) | HirKind::Class(Class::Bytes(_)) => 1,
        HirKind::Literal(literal) => literal.0.len() as u64,
        HirKind::Class(Class::Unicode(class)) => class.ranges().len() as u64,
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or(repetition.min).max(1);
            states(&repetition.sub)
                .saturating_add(1)
                .saturating_mul(times.into())
        }
        HirKind::Capture(capture) => states(&capture.sub).saturating_add(2),
        HirKind::Concat(parts) => sum(parts),
        HirKind::Alternation(parts) => sum(parts).saturating_add(parts.len() as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(pattern: &str) -> u64 {
        compiled_bytes(&regex_syntax::parse(pattern).unwrap())
    }

    #[test]
    fn repetitions_count_as_often_as_they_are_written_out() {
        assert_eq!(bytes("abc"), 3 * STATE_BYTES);
        assert_eq!(bytes("a{100}"), 200 * STATE_BYTES);
        assert_eq!(bytes("(?:a{100}){100}"), 20_100 * STATE_BYTES);
        assert_eq!(bytes("a*"), 2 * STATE_BYTES);
        assert_eq!(bytes("a{5,}"), 10 * STATE_BYTES);
        assert!(bytes(r"(?:(?:\w{1000}){1000}){1000}") > 1 << 40);
    }

    #[test]
    fn it_is_about_what_the_compiler_needs() {
        for pattern in [
            r"[a-z]{1,300}x",
            r"(?i)\w{1,20}\s",
            "(abc|def|ghi){200}",
            r"\pL{10}",
        ] {
            let limit = |bytes: u64| {
                let bytes = usize::try_from(bytes).unwrap();
                regex::RegexBuilder::new(pattern).size_limit(bytes).build()
            };
            let told = bytes(pattern);
            assert!(limit(told / 16).is_err(), "{pattern}: far less than {told}");
            assert!(limit(told * 8).is_ok(), "{pattern}: far more than {told}");
        }
    }
}
