//! What a site's answer must be to count as good.

use std::sync::Arc;
use std::time::Duration;

use regex::Regex;

use super::json::{Document, JsonPath};
use super::slow_limit::SlowLimit;

/// Everything that is asserted of one answer, compiled.
#[derive(Debug, Clone)]
pub struct Expectation {
    /// The statuses that are good.
    pub status: StatusSet,
    /// What the URL of the final answer must be.
    pub final_url: Option<TextMatch>,
    /// Header fields that must be there, with these values.
    pub headers: Vec<(String, TextMatch)>,
    /// All must occur in the body.
    pub body_contains: Vec<String>,
    /// None may occur in the body.
    pub body_excludes: Vec<String>,
    /// All must match the body.
    pub body_matches: Vec<Arc<Regex>>,
    /// What the body must hold as JSON.
    pub json: Vec<JsonAssertion>,
    /// From when on a check is `degraded` since it is slow.
    pub degraded_after: SlowLimit,
    /// Certificates that end within the longest of these are `degraded`, longest first.
    pub certificate_expiry: Vec<Duration>,
}

impl Default for Expectation {
    /// What is expected where a configuration says nothing of it.
    fn default() -> Self {
        let days = |days: u64| Duration::from_secs(days * 86_400);
        Self {
            status: StatusSet::parse(["2xx"]).expect("a class is a status set"),
            final_url: None,
            headers: Vec::new(),
            body_contains: Vec::new(),
            body_excludes: Vec::new(),
            body_matches: Vec::new(),
            json: Vec::new(),
            degraded_after: SlowLimit::CONFIGURED,
            certificate_expiry: vec![days(21), days(7), days(1)],
        }
    }
}

impl Expectation {
    /// Whether any assertion reads the body.
    pub fn reads_body(&self) -> bool {
        !self.body_contains.is_empty()
            || !self.body_excludes.is_empty()
            || !self.body_matches.is_empty()
            || !self.json.is_empty()
    }
}

/// An exact text, or a regular expression written as `/…/`.
#[derive(Debug, Clone)]
pub enum TextMatch {
    /// Equal to the byte.
    Exact(String),
    /// Found anywhere unless anchored.
    Pattern(Arc<Regex>),
}

/// One assertion on a JSON body (RFC 9535).
#[derive(Debug, Clone)]
pub struct JsonAssertion {
    /// The path as written, for messages.
    pub path_text: String,
    /// The path, parsed.
    pub path: JsonPath,
    /// What is asked of the nodes it selects.
    pub test: JsonTest,
}

/// What the nodes of a JSON path must be.
#[derive(Debug, Clone)]
pub enum JsonTest {
    /// Some node equals this value.
    Equals(Document<'static>),
    /// There is (true) or is not (false) a node.
    Exists(bool),
    /// Some node, as text, matches.
    Matches(Arc<Regex>),
    /// Some node is a number below this one, as JSON writes it.
    LessThan(Box<str>),
    /// Some node is a number above this one.
    GreaterThan(Box<str>),
}

/// A set of HTTP statuses, kept as inclusive ranges within 100 to 999.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusSet(Vec<(u16, u16)>);

/// Why a text is no set of statuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}; {}", self.message(), self.advice())]
pub enum StatusSetError {
    /// Not a code, class or range.
    Form(String),
    /// Outside 100 to 599.
    Bounds(u32),
    /// The first code is above the second.
    Reversed(String),
    /// No member at all.
    Empty,
}

impl StatusSetError {
    /// What is wrong.
    pub fn message(&self) -> String {
        match self {
            Self::Form(text) => format!("`{text}` is not a valid status"),
            Self::Bounds(code) => format!("status {code} does not exist"),
            Self::Reversed(range) => format!("the range `{range}` is empty"),
            Self::Empty => "at least one status is needed".to_owned(),
        }
    }

    /// What to write instead.
    pub fn advice(&self) -> String {
        match self {
            Self::Form(_) => {
                "there is no status like this: write a code (200), a class (\"2xx\") or a range (\"200-204\")"
            }
            Self::Bounds(_) => "codes go from 100 to 599",
            Self::Reversed(_) => "write the smaller code first",
            Self::Empty => "write [\"2xx\"]",
        }
        .to_owned()
    }
}

impl StatusSet {
    /// Builds a set from its members, each a code, a class or a range.
    ///
    /// # Errors
    /// [`StatusSetError::Empty`] without members, otherwise what is wrong with the first wrong one.
    pub fn parse<'a>(members: impl IntoIterator<Item = &'a str>) -> Result<Self, StatusSetError> {
        let ranges = members
            .into_iter()
            .map(Self::member)
            .collect::<Result<Vec<_>, _>>()?;
        if ranges.is_empty() {
            return Err(StatusSetError::Empty);
        }
        Ok(Self(ranges))
    }

    /// One member: `200`, `2xx` or `200-204`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn member(text: &str) -> Result<(u16, u16), StatusSetError> {
        let form = || StatusSetError::Form(text.to_owned());
        let code = |digits: &str| -> Result<u16, StatusSetError> {
            if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                return Err(form());
            }
            let number: u32 = digits.parse().map_err(|_| form())?;
            match u16::try_from(number) {
                Ok(code @ 100..=599) => Ok(code),
                _ => Err(StatusSetError::Bounds(number)),
            }
        };
        let text = text.trim();
        if let [class @ b'1'..=b'5', b'x' | b'X', b'x' | b'X'] = text.as_bytes() {
            let low = u16::from(class - b'0') * 100;
            return Ok((low, low + 99));
        }
        match text.split_once('-') {
            None => code(text).map(|code| (code, code)),
            Some((low, high)) => match (code(low.trim())?, code(high.trim())?) {
                (low, high) if low <= high => Ok((low, high)),
                _ => Err(StatusSetError::Reversed(text.to_owned())),
            },
        }
    }

    /// Whether a status is in the set.
    pub fn contains(&self, status: u16) -> bool {
        self.0
            .iter()
            .any(|(low, high)| (*low..=*high).contains(&status))
    }

    /// Whether nothing but redirects (and other 3xx) are in the set: none of them is a final answer where redirects are
    /// followed.
    pub fn is_of_redirects(&self) -> bool {
        let is_within = |range: &(u16, u16)| range.0 >= 300 && range.1 <= 399;
        self.0.iter().all(is_within)
            && [301, 302, 303, 307, 308]
                .iter()
                .any(|status| self.contains(*status))
    }

    /// The inclusive ranges, as written.
    pub fn ranges(&self) -> &[(u16, u16)] {
        &self.0
    }
}

/// `200-299, 404`: every member as a range or a code.
impl std::fmt::Display for StatusSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, (low, high)) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            if low == high {
                write!(f, "{low}")?;
            } else {
                write!(f, "{low}-{high}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_codes_classes_and_ranges() {
        let set = StatusSet::parse(["2xx", "301-302", "404"]).unwrap();
        assert_eq!(set.to_string(), "200-299, 301-302, 404");
        for (status, inside) in [
            (200, true),
            (299, true),
            (300, false),
            (302, true),
            (404, true),
            (500, false),
        ] {
            assert_eq!(set.contains(status), inside, "{status}");
        }
        for (members, want) in [
            (&["301"][..], true),
            (&["3xx"], true),
            (&["302", "307-308"], true),
            (&["304"], false),
            (&["300"], false),
            (&["301", "200"], false),
            (&["299-301"], false),
        ] {
            let set = StatusSet::parse(members.iter().copied()).unwrap();
            assert_eq!(set.is_of_redirects(), want, "{members:?}");
        }
        assert_eq!(StatusSet::parse([]), Err(StatusSetError::Empty));
        assert_eq!(
            StatusSet::member("6xx"),
            Err(StatusSetError::Form("6xx".into()))
        );
        assert_eq!(StatusSet::member("600"), Err(StatusSetError::Bounds(600)));
        assert_eq!(
            StatusSet::member("204-200"),
            Err(StatusSetError::Reversed("204-200".into()))
        );
    }
}
