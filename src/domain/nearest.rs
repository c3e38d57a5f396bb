//! "Did you mean": the nearest of the words that are known.

/// So much of a word is looked at.
const CHARS_MAX: usize = 200;

/// The known word that was probably meant: a third of it may be wrong, or its begin or end may be missing.
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let folded = fold(word);
    let mut best: Option<(f64, &str)> = None;
    for candidate in known {
        let theirs = fold(candidate);
        let longest = folded.chars().count().max(theirs.chars().count());
        let edits = strsim::damerau_levenshtein(&folded, &theirs);
        let close = edits <= 1.max(longest / 3) && edits < longest;
        // A word that was cut short or drawn out: `follow_redirect`, `intervals_seconds`.
        let part = folded.len() >= 4
            && theirs.len() >= 4
            && (theirs.starts_with(&folded) || folded.starts_with(&theirs));
        if !close && !part {
            continue;
        }
        let score = strsim::jaro_winkler(&folded, &theirs);
        if best.is_none_or(|(top, _)| score > top) {
            best = Some((score, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// A word as it is compared: in small letters, hyphens as underscores.
pub fn fold(word: &str) -> String {
    word.chars()
        .take(CHARS_MAX)
        .flat_map(char::to_lowercase)
        .map(|c| if c == '-' { '_' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_third_may_be_wrong_and_an_end_may_be_missing() {
        let known = ["shop-api", "shop", "Wiki", "zz"];
        for (word, meant) in [
            ("shop_api", Some("shop-api")),
            ("shp", Some("shop")),
            ("wiki", Some("Wiki")),
            ("shop-ap", Some("shop-api")),
            ("a", None),
            ("", None),
            ("mail", None),
        ] {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
    }
}
