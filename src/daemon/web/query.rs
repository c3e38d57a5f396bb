//! Filters of the API, with the names and forms of the command line.

use std::ops::RangeInclusive;
use std::str::FromStr;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use url::form_urlencoded;

use crate::domain::check::CheckState;
use crate::domain::duration_text;
use crate::domain::timestamp::Timestamp;

/// Values of one filter; more are refused.
const VALUES_MAX: usize = 100;

/// The pairs of a query string, decoded, with what was asked for and is not known.
#[derive(Debug, Default)]
pub(super) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Takes a query string whose keys must all be among `known`.
    ///
    /// # Errors
    /// One sentence that says which key is not known.
    pub(super) fn parse(raw: &str, known: &[&str]) -> Result<Self, String> {
        let pairs: Vec<(String, String)> = form_urlencoded::parse(raw.as_bytes())
            .into_owned()
            .take(VALUES_MAX + 1)
            .collect();
        if pairs.len() > VALUES_MAX {
            return Err(format!("more than {VALUES_MAX} filters"));
        }
        match pairs.iter().find(|(key, _)| !known.contains(&key.as_str())) {
            Some((key, _)) => Err(format!(
                "unknown filter `{key}`; known here: {}",
                known.join(", ")
            )),
            None => Ok(Self { pairs }),
        }
    }

    /// The pairs of a query string whatever they are called, for pages: they do their best.
    pub(super) fn lenient(raw: &str) -> Self {
        let pairs = form_urlencoded::parse(raw.as_bytes()).into_owned();
        Self {
            pairs: pairs.take(VALUES_MAX).collect(),
        }
    }

    /// All values of a key, those with commas taken apart.
    pub(super) fn list(&self, key: &str) -> impl Iterator<Item = &str> {
        self.all(key)
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .filter(|value| !value.is_empty())
    }

    /// All values of a key as they are.
    pub(super) fn all<'a>(&'a self, key: &str) -> impl Iterator<Item = &'a str> {
        self.pairs
            .iter()
            .filter(move |(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }

    /// The last value of a key that is not empty.
    pub(super) fn last(&self, key: &str) -> Option<&str> {
        self.all(key).filter(|value| !value.is_empty()).last()
    }

    /// A switch: there with no value, `true`, `1` or `yes`.
    pub(super) fn is_set(&self, key: &str) -> Result<bool, String> {
        match self.all(key).last() {
            None | Some("false" | "0" | "no") => Ok(false),
            Some("" | "true" | "1" | "yes") => Ok(true),
            Some(other) => Err(format!("`{key}={other}`: write true or false")),
        }
    }

    /// A number between 1 and `most`.
    pub(super) fn number(&self, key: &str, most: u32) -> Result<Option<u32>, String> {
        self.last(key)
            .map(|text| match text.parse() {
                Ok(number) if (1..=most).contains(&number) => Ok(number),
                _ => Err(format!(
                    "`{key}={text}`: a number from 1 to {most} is wanted"
                )),
            })
            .transpose()
    }

    /// A moment: RFC 3339, a date or a date with a time in `zone`, or a duration back from now.
    pub(super) fn moment(
        &self,
        key: &str,
        zone: &TimeZone,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, String> {
        self.last(key)
            .map(|text| {
                moment(text, zone, now).ok_or_else(|| {
                    format!(
                        "`{key}={text}`: write a duration like 7d, a date like 2026-10-01 or 2026-10-01T08:00:00Z"
                    )
                })
            })
            .transpose()
    }

    /// Verdicts of checks.
    pub(super) fn states(&self, key: &str) -> Result<Vec<CheckState>, String> {
        self.list(key)
            .map(|word| {
                CheckState::ALL
                    .into_iter()
                    .find(|state| state.as_str() == word)
                    .ok_or_else(|| format!("`{key}={word}`: write up, degraded, down or unknown"))
            })
            .collect()
    }

    /// HTTP statuses: `404`, `5xx`, `500-503`.
    pub(super) fn statuses(&self, key: &str) -> Result<Vec<RangeInclusive<u16>>, String> {
        self.list(key)
            .map(|word| {
                statuses(word).ok_or_else(|| format!("`{key}={word}`: write 404, 5xx or 500-503"))
            })
            .collect()
    }
}

fn moment(text: &str, zone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
    if let Ok(back) = duration_text::parse(text) {
        return Some(now.minus(back));
    }
    // A `+` of an offset that was not encoded came as a space.
    let text = text.replace(' ', "+");
    if let Ok(at) = jiff::Timestamp::from_str(&text) {
        return Some(Timestamp::from_jiff(at));
    }
    let civil = DateTime::from_str(&text)
        .or_else(|_| Date::from_str(&text).map(|date| date.at(0, 0, 0, 0)))
        .ok()?;
    let zoned = civil.to_zoned(zone.clone()).ok()?;
    Some(Timestamp::from_jiff(zoned.timestamp()))
}

fn statuses(word: &str) -> Option<RangeInclusive<u16>> {
    let code = |text: &str| -> Option<u16> {
        let valid = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
        valid
            .then(|| text.parse().ok())?
            .filter(|code| *code >= 100)
    };
    if let Some(class) = word.strip_suffix("xx").or_else(|| word.strip_suffix("XX")) {
        let first = code(&format!("{class}00"))?;
        return Some(first..=first + 99);
    }
    match word.split_once('-') {
        Some((first, last)) => {
            let (first, last) = (code(first)?, code(last)?);
            (first <= last).then_some(first..=last)
        }
        None => code(word).map(|code| code..=code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_read_or_refused() {
        let known = ["state", "status", "limit", "changes", "since"];
        let query = Query::parse(
            "state=down,up&status=5xx&status=404&limit=7&changes",
            &known,
        );
        let query = query.unwrap();
        assert_eq!(
            query.states("state"),
            Ok(vec![CheckState::Down, CheckState::Up])
        );
        assert_eq!(query.statuses("status"), Ok(vec![500..=599, 404..=404]));
        assert_eq!(query.number("limit", 10), Ok(Some(7)));
        assert!(query.number("limit", 5).is_err());
        assert_eq!(query.is_set("changes"), Ok(true));
        assert!(Query::parse("stat=1", &known).is_err());
        for word in ["6", "99", "1000", "5x", "503-500", "-", "éxx", "+xx"] {
            assert_eq!(statuses(word), None, "{word}");
        }
    }

    #[test]
    fn moments_in_all_forms() {
        let now = Timestamp::from_ms(1_795_377_600_000);
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        for (text, want) in [
            ("1h", "2026-11-22T19:00:00.000Z"),
            ("2026-11-22", "2026-11-21T23:00:00.000Z"),
            ("2026-11-22T08:00", "2026-11-22T07:00:00.000Z"),
            ("2026-11-22T08:00:00Z", "2026-11-22T08:00:00.000Z"),
            ("2026-11-22T08:00:00 01:00", "2026-11-22T07:00:00.000Z"),
        ] {
            let found = moment(text, &zone, now).map(|at| at.to_string());
            assert_eq!(found.as_deref(), Some(want), "{text}");
        }
        assert_eq!(moment("yesterday-ish", &zone, now), None);
        assert_eq!(moment("", &zone, now), None);
    }
}
