//! Searches with regular expressions in steps that are counted: at worst every byte of a text meets every state of a
//! pattern, and a site decides how long its text is.

use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::util::{start, syntax};

use super::pattern_size::states;

/// All searches of one answer take at most this many steps: some ten seconds of a processor.
pub const STEPS_MAX: u64 = 1 << 31;

/// A search that takes at most so many steps at worst is not counted step by step: below a second.
const PLAIN_STEPS_MAX: u64 = 1 << 26;

/// What preparing a pattern costs for each of its states.
const PREPARING_STEPS: u64 = 32;

/// What is remembered of the states that a text led to. It is forgotten and found again as often as need be.
const CACHE_BYTES: usize = 2 * 1024 * 1024;

/// A pattern of a configuration takes at most a MiB; this form of it may be a little larger.
const PREPARED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What a pattern is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Searched {
    /// Text.
    Text,
    /// Bytes that need not be text.
    Bytes,
}

/// The steps of one answer are spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooCostly;

/// Counts the steps of all searches in one answer.
#[derive(Debug, Default)]
pub struct Searches {
    spent: u64,
    known: Option<Box<Known>>,
}

/// The pattern of the last search.
#[derive(Debug)]
struct Known {
    pattern: String,
    searched: Searched,
    states: u64,
    prepared: Option<(DFA, Cache)>,
}

/// How a search that is counted ended.
enum End {
    Is(bool),
    /// Word boundaries in text that is not ASCII cannot be searched so.
    Unfit,
}

impl Searches {
    /// Whether a pattern is found in a text. `plain` says the same without counting.
    ///
    /// # Errors
    /// When the steps are spent.
    pub fn is_match(
        &mut self,
        pattern: &str,
        searched: Searched,
        text: &[u8],
        plain: impl FnOnce() -> bool,
    ) -> Result<bool, TooCostly> {
        let mut known = self.know(pattern, searched);
        let worst = known.states.saturating_mul(text.len() as u64 + 1);
        let found = if worst <= PLAIN_STEPS_MAX {
            self.spend(worst).map(|()| plain())
        } else {
            match self.counted(&mut known, text) {
                Ok(End::Is(found)) => Ok(found),
                Ok(End::Unfit) => self.spend(worst).map(|()| plain()),
                Err(spent) => Err(spent),
            }
        };
        self.known = Some(known);
        found
    }

    fn spend(&mut self, steps: u64) -> Result<(), TooCostly> {
        let spent = self.spent.saturating_add(steps);
        if spent > STEPS_MAX {
            return Err(TooCostly);
        }
        self.spent = spent;
        Ok(())
    }

    fn know(&mut self, pattern: &str, searched: Searched) -> Box<Known> {
        let known = self.known.take();
        match known.filter(|known| known.pattern == pattern && known.searched == searched) {
            Some(known) => known,
            None => Box::new(Known {
                pattern: pattern.to_owned(),
                searched,
                states: states_of(pattern, searched),
                prepared: None,
            }),
        }
    }

    fn counted(&mut self, known: &mut Known, text: &[u8]) -> Result<End, TooCostly> {
        if known.prepared.is_none() {
            self.spend(known.states.saturating_mul(PREPARING_STEPS))?;
            known.prepared = prepare(&known.pattern, known.searched);
        }
        let Some((automaton, cache)) = &mut known.prepared else {
            return Ok(End::Unfit);
        };
        let Ok(mut state) = automaton.start_state(cache, &start::Config::new()) else {
            return Ok(End::Unfit);
        };
        if state.is_tagged() {
            return Ok(End::Unfit);
        }
        self.spend(text.len() as u64)?;
        for byte in text {
            let mut next = automaton.next_state_untagged(cache, state, *byte);
            if next.is_unknown() {
                self.spend(known.states)?;
                match automaton.next_state(cache, state, *byte) {
                    Ok(found) => next = found,
                    Err(_) => return Ok(End::Unfit),
                }
            }
            if next.is_tagged() {
                return Ok(match (next.is_match(), next.is_dead()) {
                    (true, _) => End::Is(true),
                    (false, true) => End::Is(false),
                    (false, false) => End::Unfit,
                });
            }
            state = next;
        }
        Ok(match automaton.next_eoi_state(cache, state) {
            Ok(last) => End::Is(last.is_match()),
            Err(_) => End::Unfit,
        })
    }
}

/// About how many states a pattern has; one that cannot be read has so many that it is searched nowhere.
fn states_of(pattern: &str, searched: Searched) -> u64 {
    let mut parser = regex_syntax::ParserBuilder::new()
        .utf8(searched == Searched::Text)
        .build();
    parser
        .parse(pattern)
        .map_or(u64::MAX, |parsed| states(&parsed).max(1))
}

/// `None` if the pattern cannot be searched in counted steps.
fn prepare(pattern: &str, searched: Searched) -> Option<(DFA, Cache)> {
    let is_text = searched == Searched::Text;
    let prepared = thompson::Config::new()
        .utf8(is_text)
        .which_captures(WhichCaptures::None)
        .nfa_size_limit(Some(PREPARED_BYTES_MAX));
    let automaton = DFA::builder()
        .configure(
            DFA::config()
                .cache_capacity(CACHE_BYTES)
                .skip_cache_capacity_check(true)
                .unicode_word_boundary(true),
        )
        .syntax(syntax::Config::new().utf8(is_text))
        .thompson(prepared)
        .build(pattern)
        .ok()?;
    let cache = automaton.create_cache();
    Some((automaton, cache))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found, and in how many steps.
    fn search(pattern: &str, text: &str) -> (Result<bool, TooCostly>, u64) {
        let regex = regex::Regex::new(pattern).unwrap();
        let mut searches = Searches::default();
        let found = searches.is_match(pattern, Searched::Text, text.as_bytes(), || {
            regex.is_match(text)
        });
        (found, searches.spent)
    }

    #[test]
    fn counted_searches_find_what_plain_ones_find() {
        let long = "lorem ipsum dolor ".repeat(50_000);
        let texts = [
            format!("{long}needle"),
            format!("{long}n\u{e4}edle 12345"),
            long.clone(),
            format!("needle{long}"),
            format!("{long}\nlast line"),
        ];
        for pattern in [
            r"(?:needle|thread|pin){1,20}",
            r"\w{3,30}\d{4}",
            r"^needle[a-z ]{1,40}",
            r"[a-z ]{20}needle$",
            r"(?m)^last line$",
            r"\bneedle\b.{0,30}",
            r"(?i)NEEDLE\s{0,40}",
            r"x{50}",
            r"(?s)lorem.*needle.{0,50}",
        ] {
            let regex = regex::Regex::new(pattern).unwrap();
            for text in &texts {
                let (found, spent) = search(pattern, text);
                assert_eq!(found, Ok(regex.is_match(text)), "{pattern}");
                assert!(spent <= STEPS_MAX);
            }
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_searched_too() {
        let pattern = r"(?-u:\xff{3}[\x00-\x10]{1,60})";
        let regex = regex::bytes::Regex::new(pattern).unwrap();
        for end in [&b"\xff\xff\xff\x05"[..], b"\xff\xff\x05", b""] {
            let mut text = vec![0xfe; 1 << 20];
            text.extend_from_slice(end);
            let mut searches = Searches::default();
            let found =
                searches.is_match(pattern, Searched::Bytes, &text, || regex.is_match(&text));
            assert_eq!(found, Ok(regex.is_match(&text)));
        }
    }

    #[test]
    fn a_large_pattern_in_a_large_text_ends() {
        // Each byte leads to a state that was not met before, and each of them is a set of thousands.
        let pattern = r"(?:[ab]{0,60}a[ab]{60}c){20}";
        let mut dice = 1_u32;
        let text: String = (0..1 << 20)
            .map(|_| {
                dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                if dice >> 31 == 0 { 'a' } else { 'b' }
            })
            .collect();
        // Most steps are spent already.
        let mut searches = Searches {
            spent: STEPS_MAX - (1 << 24),
            known: None,
        };
        let found = searches.is_match(pattern, Searched::Text, text.as_bytes(), || {
            panic!("it is never searched without counting")
        });
        assert_eq!(found, Err(TooCostly));
        // Nothing is left for the next one.
        let next = searches.is_match(pattern, Searched::Text, text.as_bytes(), || true);
        assert_eq!(next, Err(TooCostly));
    }

    #[test]
    fn what_people_write_costs_little() {
        let page = "<p>All systems are up and running.</p>\n".repeat(30_000);
        for pattern in [r"version: \d+\.\d+", r"(?i)\berror\b", r"\w+@\w+\.\w{2,}"] {
            let (found, spent) = search(pattern, &page);
            assert_eq!(found, Ok(false), "{pattern}");
            assert!(spent < STEPS_MAX / 100, "{pattern}: {spent}");
        }
    }
}
