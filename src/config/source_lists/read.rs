//! Reads a list: one URL a line, or the JSON of Prometheus' file_sd and http_sd. What stands in it is data: nothing is
//! expanded, and nothing but URLs, names and labels is taken.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use super::super::diagnostic::redact;
use super::super::read::referenced_files::{self, Pipes};
use super::super::read::scalars;
use super::entry::{Entries, Entry, InForce};
use super::file_sd;
use crate::domain::monitor::MonitorName;
use crate::domain::redaction::STARS;
use crate::domain::safe_text;

/// The bytes of a list; 200 000 lines of 300 bytes.
pub const LIST_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The entries of a list, good or bad. One machine checks that many in some minutes; more is a mistake.
pub const LIST_LINES_MAX: usize = 200_000;

/// What is shown of a line that is wrong.
const LINE_SHOWN_CHARS: usize = 80;

/// A list that can be used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct List {
    /// Its entries, in the order of their names, which are unique.
    pub entries: Vec<Entry>,
    /// What is left out.
    pub skipped: Skipped,
}

/// The lines of a list that are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Entries that are wrong.
    pub bad: usize,
    /// Entries that are there already, or whose name another one has.
    pub doubled: usize,
    /// What is wrong with the first of the bad ones.
    pub first_bad: Option<String>,
}

impl Skipped {
    pub(crate) fn bad(&mut self, why: impl FnOnce() -> String) {
        self.bad += 1;
        if self.first_bad.is_none() {
            self.first_bad = Some(why());
        }
    }

    /// `3 lines skipped: 2 bad (line 4: ..), 1 twice`; `None` if nothing is left out.
    pub fn sentence(&self) -> Option<String> {
        let all = self.bad + self.doubled;
        let mut parts = Vec::new();
        if self.bad > 0 {
            let first = self.first_bad.as_deref().unwrap_or_default();
            parts.push(format!("{} bad ({first})", self.bad));
        }
        if self.doubled > 0 {
            parts.push(format!("{} twice", self.doubled));
        }
        let lines = if all == 1 { "line" } else { "lines" };
        (all > 0).then(|| format!("{all} {lines} skipped: {}", parts.join(", ")))
    }
}

/// Why a text is no list that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAList {
    /// Nothing in it, or only comments.
    #[error("it is empty")]
    Empty,
    /// A page, such as that of a login.
    #[error("it is an HTML or XML page and no list")]
    Page,
    /// Bytes that are no text.
    #[error("it is not UTF-8 text")]
    NotUtf8,
    /// Broken JSON, or JSON of another shape.
    #[error("it is not the JSON of file_sd: {0}")]
    Json(String),
    /// Not one entry is a URL.
    #[error("none of its lines is a URL ({0})")]
    NoUrl(String),
    /// It ends within an entry that is in force.
    #[error(
        "it ends in the middle of a line: `{0}` is the beginning of an entry that is in force; end the list with a line break"
    )]
    Cut(String),
    /// More entries than [`LIST_LINES_MAX`].
    #[error("it has more than {LIST_LINES_MAX} lines")]
    TooLong,
    /// More bytes than [`LIST_BYTES_MAX`].
    #[error("it has more than 64 MiB")]
    TooLarge,
}

/// The bytes of a list's file.
///
/// # Errors
/// Why it cannot be read, in words that fit after "cannot read".
pub fn bytes_of(path: &Path, bytes_max: u64) -> Result<Vec<u8>, String> {
    referenced_files::read(path, bytes_max, Pipes::Refused)
}

/// Reads a list. `in_force` are the monitors that the list gave before.
///
/// # Errors
/// Why the text is no list.
pub fn read(bytes: &[u8], in_force: InForce<'_>) -> Result<List, NotAList> {
    if bytes.len() as u64 > LIST_BYTES_MAX {
        return Err(NotAList::TooLarge);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| NotAList::NotUtf8)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut skipped = Skipped::default();
    let entries = match text.trim_start().as_bytes().first() {
        None => return Err(NotAList::Empty),
        Some(b'<') => return Err(NotAList::Page),
        Some(b'[' | b'{') => file_sd::entries(text, in_force, &mut skipped)?,
        Some(_) => lines(text, in_force, &mut skipped)?,
    };
    match (entries.is_empty(), skipped.first_bad.as_ref()) {
        (true, Some(why)) => Err(NotAList::NoUrl(why.clone())),
        (true, None) => Err(NotAList::Empty),
        (false, _) => Ok(List { entries, skipped }),
    }
}

fn lines(text: &str, in_force: InForce<'_>, skipped: &mut Skipped) -> Result<Vec<Entry>, NotAList> {
    let mut entries = Entries::new(in_force);
    let tags: Arc<[String]> = Arc::default();
    let mut seen = 0;
    for (line, number) in text.lines().zip(1..) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        seen += 1;
        if seen > LIST_LINES_MAX {
            return Err(NotAList::TooLong);
        }
        match entry(line, &tags) {
            Ok(entry) => entries.add(entry, None),
            Err(why) => skipped.bad(|| format!("line {number}: {why}: {}", shown(line))),
        }
    }
    skipped.doubled += entries.doubled;
    let entries = entries.sorted();
    match cut_line(text, &entries, in_force) {
        Some(line) => Err(NotAList::Cut(line)),
        None => Ok(entries),
    }
}

/// `URL` or `URL NAME`.
fn entry(line: &str, tags: &Arc<[String]>) -> Result<Entry, String> {
    let (url, name) = match line.split_once(char::is_whitespace) {
        Some((url, name)) => (url, name.trim()),
        None => (line, ""),
    };
    let url = scalars::locator(url).map_err(|_| "not a URL".to_owned())?;
    let name = match name {
        "" => MonitorName::default_of(&url),
        name => MonitorName::parse(name).map_err(|error| error.to_string())?,
    };
    Ok(Entry {
        name,
        url,
        tags: Arc::clone(tags),
    })
}

/// The last line of a text that was cut in the middle of it. A list may end without a line break, so it counts as cut
/// only if an entry in force begins so and is missing.
fn cut_line(text: &str, entries: &[Entry], in_force: InForce<'_>) -> Option<String> {
    if text.ends_with(['\n', '\r']) {
        return None;
    }
    let last = text.lines().next_back()?.trim();
    if last.is_empty() || last.starts_with('#') {
        return None;
    }
    let named: HashSet<&MonitorName> = entries.iter().map(|entry| &entry.name).collect();
    let begins_so = |name: &MonitorName, url: &str| {
        let is_prefix = |whole: &str| whole.len() > last.len() && whole.starts_with(last);
        is_prefix(url) || (last.starts_with(url) && is_prefix(&format!("{url} {name}")))
    };
    let whole = in_force.0.iter().find(|monitor| {
        !named.contains(&monitor.name) && begins_so(&monitor.name, monitor.subject.url_text())
    })?;
    // Where a user or a password is cut, the line does not tell them from a host.
    let has_userinfo = whole.subject.url_text().contains('@');
    Some(match has_userinfo {
        true => safe_text::line(&whole.url_shown(), LINE_SHOWN_CHARS).into_owned(),
        false => shown(last),
    })
}

/// A line of a list as it may be shown. It is wrong, so that no reader of URLs says where its password is: all up to
/// its last `@` may be one, and without that all behind what is no port.
pub(super) fn shown(line: &str) -> String {
    let start = line.find("://").map_or(0, |at| at + 3);
    let (scheme, rest) = line.split_at(start);
    let ends_authority = |c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#');
    let authority = rest.split(ends_authority).next().unwrap_or_default();
    let masked = match (rest.rsplit_once('@'), authority.split_once(':')) {
        (Some((_, behind)), _) => format!("{scheme}{STARS}@{behind}"),
        (None, Some((host, port)))
            if !host.starts_with('[') && !port.chars().all(|c| c.is_ascii_digit()) =>
        {
            format!("{scheme}{host}:{STARS}")
        }
        (None, _) => line.to_owned(),
    };
    safe_text::line(&redact::sentence(&masked), LINE_SHOWN_CHARS).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Result<Vec<String>, NotAList> {
        let list = read(text.as_bytes(), InForce::default())?;
        let entries = list.entries.iter();
        Ok(entries
            .map(|entry| format!("{} {} {}", entry.name, entry.url, entry.tags.join(",")))
            .map(|line| line.trim_end().to_owned())
            .collect())
    }

    fn check(text: &str, want: &[&str]) {
        assert_eq!(names(text).unwrap(), want, "{text}");
    }

    #[test]
    fn one_url_a_line_with_a_name_or_without() {
        check(
            "\u{feff}# customers\r\n\r\n  https://b.example/x  \r\nhttps://a.example Shop of A # 1\r\n",
            &[
                "Shop of A # 1 https://a.example/",
                "b.example/x https://b.example/x",
            ],
        );
        check("https://a.example/", &["a.example https://a.example/"]);
        check(
            "https://a.example/${NAME}\n",
            &["a.example/$%7BNAME%7D https://a.example/$%7BNAME%7D"],
        );
        check(
            "https://a.example/ A\nhttps://a.example/ B\n",
            &["A https://a.example/", "B https://a.example/"],
        );
    }

    #[test]
    fn bad_and_doubled_lines_are_counted() {
        let text = "https://a.example/\nnot a url\nhttps://a.example/\nftp://b.example/\nhttps:///x\n\
                    https://b.example/ \u{202e}X\nhttps://c.example/ a.example\nexample.com\n";
        let list = read(text.as_bytes(), InForce::default()).unwrap();
        assert_eq!(list.entries.len(), 1);
        assert_eq!(
            list.skipped.sentence().unwrap(),
            "7 lines skipped: 5 bad (line 2: not a URL: not a url), 2 twice"
        );
    }

    #[test]
    fn no_password_of_a_line_is_shown() {
        let long = "x".repeat(100);
        let mut bad = 0;
        for line in [
            "https://kim:secret@",
            "https://kim:secret@[bad",
            "https//kim:secret@a.example/",
            "kim:secret@a.example",
            "https://kim:top/secret@a.example/",
            "https://kim:top secret@a.example/",
            "https://kim:secret",
            "https://kim:top/secret",
            "https://a.example:x/?token=secret",
            &format!("https://kim:{long}secret@a.example:x/"),
            &format!("https://kim:secret{long}@a.example:x/"),
            "https://kim:secret@a.example/ \u{202e}X",
        ] {
            let group = format!("[{{\"targets\": [{}]}}]", serde_json::json!(line));
            for text in [line, &group] {
                // With the scheme that file_sd adds, some are URLs.
                let Err(refused) = read(text.as_bytes(), InForce::default()) else {
                    continue;
                };
                bad += 1;
                let why = refused.to_string();
                assert!(!why.contains("secret"), "{text}: {why}");
            }
        }
        assert!(bad > 20, "{bad}");
        assert_eq!(
            shown("https://kim:secret@a.example:x/ Shop"),
            "https://***@a.example:x/ Shop"
        );
        assert_eq!(shown("502 Bad Gateway: x"), "502 Bad Gateway: x");
    }

    #[test]
    fn groups_of_file_sd() {
        check(
            r#"[{"targets": ["a.example", "https://b.example/x", "10.0.0.1:8080"],
                 "labels": {"team": "web", "__meta_x": "1", "empty": ""}},
                {"targets": ["c.example"], "labels": {"name": "C"}, "other": [1]},
                {"labels": {"name": "D"}, "targets": ["d.example", "e.example", "d.example"]},
                {"targets": []}]"#,
            &[
                "10.0.0.1:8080 http://10.0.0.1:8080/ team=web",
                "C http://c.example/",
                "D http://d.example/",
                "a.example http://a.example/ team=web",
                "b.example/x https://b.example/x team=web",
                "e.example http://e.example/",
            ],
        );
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for (text, want) in [
            ("", "it is empty"),
            (" \n\n", "it is empty"),
            ("# nothing\n", "it is empty"),
            ("[]", "it is empty"),
            ("[{\"targets\": []}]", "it is empty"),
            (
                "<!doctype html><title>Log in</title>",
                "it is an HTML or XML page and no list",
            ),
            ("\n  <html>", "it is an HTML or XML page and no list"),
            (
                "502 Bad Gateway\n",
                "none of its lines is a URL (line 1: not a URL: 502 Bad Gateway)",
            ),
            (
                "[{\"targets\": [\"a.example\"]}, {\"tar",
                "it is not the JSON of file_sd: it ends too early (line 1, column 34)",
            ),
            (
                "[{\"targets\": [\"a.example\"]}] x",
                "it is not the JSON of file_sd: wrong at line 1, column 30",
            ),
            (
                "{\"error\": \"log in\"}",
                "it is not the JSON of file_sd: a list of groups is expected, each {\"targets\": [..], \
                 \"labels\": {..}} (line 1, column 0)",
            ),
        ] {
            assert_eq!(names(text).unwrap_err().to_string(), want, "{text}");
        }
        let long = "https://a.example/\n".repeat(LIST_LINES_MAX + 1);
        assert_eq!(names(&long), Err(NotAList::TooLong));
        let many = format!(
            "[{{\"targets\": [{}\"a\"]}}]",
            "\"a\",".repeat(LIST_LINES_MAX * 2)
        );
        assert_eq!(names(&many), Err(NotAList::TooLong));
        for bytes in [
            &b"https://a.example/\n\xff"[..],
            b"\xff\xfeh\0t\0",
            b"\x1f\x8b\x08\0",
        ] {
            assert_eq!(read(bytes, InForce::default()), Err(NotAList::NotUtf8));
        }
    }

    #[test]
    fn deep_json_is_refused_and_not_followed() {
        let deep = format!("[{{\"x\": {}", "[".repeat(1_000_000));
        assert!(matches!(names(&deep), Err(NotAList::Json(_))));
    }
}
