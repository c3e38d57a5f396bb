//! The regular expressions and JSON paths of a configuration: each text is compiled once, and all together are bounded.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use regex::{Regex, bytes};

use super::scalars::{self, Wrong};
use crate::domain::expectation::TextMatch;
use crate::domain::json::JsonPath;

/// Patterns up to here are what people write, and count for nothing: how many there are is bounded by the size of the
/// files.
const SMALL_BYTES: u64 = 8 * 1024;

/// All larger ones of a configuration, compiled. Compiling them takes a second and three times as much memory; during a
/// reload there are two configurations.
const ALL_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Everything that was compiled so far. Monitors that say the same share it.
#[derive(Debug, Clone, Default)]
pub(in crate::config) struct Patterns(Rc<RefCell<Compiled>>);

#[derive(Debug, Default)]
struct Compiled {
    regexes: HashMap<String, Result<Arc<Regex>, Wrong>>,
    bytes_regexes: HashMap<String, Result<Arc<bytes::Regex>, Wrong>>,
    paths: HashMap<String, Result<JsonPath, Wrong>>,
    bytes: u64,
}

impl Compiled {
    /// Takes a part of what all may have.
    fn take(&mut self, bytes: u64) -> Result<(), Wrong> {
        let bytes = bytes.saturating_sub(SMALL_BYTES);
        let sum = self.bytes.saturating_add(bytes);
        if sum > ALL_BYTES_MAX {
            return Err(Wrong::new(
                format!(
                    "with this one the regular expressions of the configuration take more than {} MiB when compiled",
                    ALL_BYTES_MAX / 1024 / 1024
                ),
                "repeat less, or use one pattern for several monitors: equal ones count once",
            ));
        }
        self.bytes = sum;
        Ok(())
    }
}

impl Patterns {
    /// A regular expression.
    pub(in crate::config) fn regex(&self, text: &str) -> Result<Arc<Regex>, Wrong> {
        let mut all = self.0.borrow_mut();
        if let Some(known) = all.regexes.get(text) {
            return known.clone();
        }
        let made = scalars::pattern(text).and_then(|pattern| {
            all.take(pattern.compiled_bytes)?;
            pattern.compile().map(Arc::new)
        });
        all.regexes.insert(text.to_owned(), made.clone());
        made
    }

    /// A regular expression for what need not be text.
    pub(in crate::config) fn bytes_regex(&self, text: &str) -> Result<Arc<bytes::Regex>, Wrong> {
        let mut all = self.0.borrow_mut();
        if let Some(known) = all.bytes_regexes.get(text) {
            return known.clone();
        }
        let made = scalars::bytes_pattern(text).and_then(|pattern| {
            all.take(pattern.compiled_bytes)?;
            pattern.compile_for_bytes().map(Arc::new)
        });
        all.bytes_regexes.insert(text.to_owned(), made.clone());
        made
    }

    /// A text, or a pattern between slashes.
    pub(in crate::config) fn text_match(&self, text: &str) -> Result<TextMatch, Wrong> {
        match scalars::slashed(text) {
            Some(pattern) => self
                .regex(pattern)
                .map(TextMatch::Pattern)
                .map_err(|mut wrong| {
                    wrong.part = wrong.part.map(|part| part.start + 1..part.end + 1);
                    wrong
                }),
            None => Ok(TextMatch::Exact(text.to_owned())),
        }
    }

    /// An exact URL in the form that browsers give it, or a pattern.
    pub(super) fn url_match(&self, text: &str) -> Result<TextMatch, Wrong> {
        match scalars::slashed(text) {
            Some(_) => self.text_match(text),
            None => scalars::exact_url(text).map(TextMatch::Exact),
        }
    }

    /// A JSON path.
    pub(super) fn json_path(&self, text: &str) -> Result<JsonPath, Wrong> {
        let mut all = self.0.borrow_mut();
        if let Some(known) = all.paths.get(text) {
            return known.clone();
        }
        let made = scalars::json_path(text).and_then(|path| {
            all.take(path.patterns_bytes())?;
            Ok(path)
        });
        all.paths.insert(text.to_owned(), made.clone());
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_patterns_are_one() {
        let patterns = Patterns::default();
        let first = patterns.regex("a{3}").unwrap();
        assert!(Arc::ptr_eq(&first, &patterns.regex("a{3}").unwrap()));
        let wrong = patterns.regex("a{").unwrap_err();
        assert_eq!(patterns.regex("a{").unwrap_err(), wrong);
        // Between slashes the place moves by one.
        let slashed = patterns.text_match("/a{/").unwrap_err();
        let moved = wrong.part.map(|part| part.start + 1..part.end + 1);
        assert_eq!(slashed.part, moved);
    }

    #[test]
    fn all_together_are_bounded() {
        let patterns = Patterns::default();
        let large = |number: usize| format!("[a-z]{{2000}}{number}[a-z]{{8000}}");
        let refused = (0..400).find_map(|number| {
            // The same one again costs nothing.
            for _ in 0..3 {
                if let Err(wrong) = patterns.regex(&large(number)) {
                    return Some((number, wrong));
                }
            }
            None
        });
        let (number, wrong) = refused.expect("400 of them are too many");
        assert!((40..80).contains(&number), "{number}");
        assert_eq!(
            wrong.message,
            "with this one the regular expressions of the configuration take more than 32 MiB when compiled"
        );
        assert!(patterns.regex(&large(0)).is_ok());
        assert!(patterns.regex("small").is_ok());
        let path = r#"$[?search(@, "[a-z]{2000}[a-z]{8000}")]"#;
        assert_eq!(patterns.json_path(path).unwrap_err().message, wrong.message);
        assert!(patterns.json_path("$.a[?search(@, 'b')]").is_ok());
    }
}
