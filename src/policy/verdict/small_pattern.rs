//! Which patterns cost next to nothing, whatever they are searched in.

/// A longer pattern, or one that repeats something by numbers, may have so many states that even a short text takes
/// long.
const SMALL_PATTERN_BYTES_MAX: usize = 64;

/// Small patterns may look at so much where checks are started.
pub(super) const SEARCHED_BYTES_MAX: usize = 2 * 1024;

pub(super) fn is_small_pattern(pattern: &str) -> bool {
    pattern.len() <= SMALL_PATTERN_BYTES_MAX && !pattern.contains('{')
}

/// Whether a search costs next to nothing.
pub fn is_light_search(pattern: &str, bytes: usize) -> bool {
    is_small_pattern(pattern) && bytes <= SEARCHED_BYTES_MAX
}
