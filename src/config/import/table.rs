//! Tables with a head line: UptimeRobot's and StatusCake's exports, and what comes out of a spreadsheet.

use std::collections::BTreeSet;
use std::time::Duration;

use super::go_duration;
use super::status_conditions::Statuses;
use super::toml_writer::{Entry, ImportError, Imported, Page, Source, Weight, addresses, literal};
use crate::domain::expectation::StatusSet;
use crate::domain::safe_text;

/// What columns are called, in small letters and digits only; the first that is there counts.
const URL: &[&str] = &[
    "url",
    "urlip",
    "websiteurl",
    "website",
    "address",
    "site",
    "link",
    "host",
    "hostname",
    "domain",
    "target",
];
const NAME: &[&str] = &[
    "name",
    "friendlyname",
    "monitorname",
    "testname",
    "title",
    "label",
    "description",
];
const TYPE: &[&str] = &["type", "monitortype", "testtype", "kind"];
const PORT: &[&str] = &["port"];
const INTERVAL: &[&str] = &[
    "interval",
    "checkrate",
    "checkinterval",
    "frequency",
    "intervalseconds",
];
const TIMEOUT: &[&str] = &["timeout"];
const KEYWORD: &[&str] = &["keywordvalue", "keyword", "findstring", "contains"];
const KEYWORD_TYPE: &[&str] = &["keywordtype", "donotfind"];
const METHOD: &[&str] = &["method", "httpmethod"];
const TAGS: &[&str] = &["tags", "tag", "group", "groups", "testtags"];
const PAUSED: &[&str] = &["paused", "ispaused"];
const STATUS: &[&str] = &["status", "monitorstatus", "enabled", "active"];
const EXPECTED: &[&str] = &[
    "expectstatus",
    "expectedstatus",
    "acceptedstatuscodes",
    "statuscodes",
];
/// StatusCake names the codes that are down.
const FORBIDDEN: &[&str] = &["statuscodescsv"];
const REDIRECTS: &[&str] = &["followredirects", "followredirect"];
const TO: &[&str] = &["to", "email", "emails", "recipients"];

/// All of them.
const KNOWN: [&[&str]; 16] = [
    URL,
    NAME,
    TYPE,
    PORT,
    INTERVAL,
    TIMEOUT,
    KEYWORD,
    KEYWORD_TYPE,
    METHOD,
    TAGS,
    PAUSED,
    STATUS,
    EXPECTED,
    FORBIDDEN,
    REDIRECTS,
    TO,
];

/// Reads tables of URLs.
///
/// # Errors
/// When a text has no head line with a column of URLs.
pub fn csv(sources: &[Source]) -> Result<Imported, ImportError> {
    let mut page = Page::new("csv");
    for source in sources {
        add(&mut page, source.text.trim_start_matches('\u{feff}'))?;
    }
    Ok(page.finish())
}

fn add(page: &mut Page, text: &str) -> Result<(), ImportError> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter(text))
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let refused =
        |error: csv::Error| ImportError::Format(format!("this is not a valid table: {error}"));
    let heads: Vec<String> = reader
        .headers()
        .map_err(refused)?
        .iter()
        .map(|head| {
            head.chars()
                .filter(|c| c.is_alphanumeric())
                .flat_map(char::to_lowercase)
                .collect()
        })
        .collect();
    let written: Vec<String> = reader
        .headers()
        .map_err(refused)?
        .iter()
        .map(str::to_owned)
        .collect();
    let table = Heads(heads);
    let mut unread = BTreeSet::new();
    if table.column(URL).is_none() {
        return Err(ImportError::Format(
            "the first line names no column `url`: the table needs a head line, as `name,url`"
                .to_owned(),
        ));
    }
    for (index, record) in reader.records().enumerate() {
        match record {
            Ok(record) => {
                unread.extend(table.unread(&record));
                row(page, &table, &record, index + 2);
            }
            Err(error) => {
                page.lose_all(Weight::Unchecked, format!("line {}: {error}", index + 2));
            }
        }
    }
    let unread: Vec<String> = unread
        .iter()
        .filter_map(|column| written.get(*column))
        .map(|head| format!("`{}`", safe_text::line(head, 60)))
        .take(COLUMNS_NAMED_MAX)
        .collect();
    if !unread.is_empty() {
        page.lose_all(
            Weight::Detail,
            format!("columns without a meaning here: {}", unread.join(", ")),
        );
    }
    Ok(())
}

/// A table with more columns that mean nothing names no more of them.
const COLUMNS_NAMED_MAX: usize = 20;

/// The one of `,`, `;` and tab that the head line has most of.
fn delimiter(text: &str) -> u8 {
    let head = text.lines().next().unwrap_or_default();
    let count = |byte: u8| head.bytes().filter(|other| *other == byte).count();
    [b',', b';', b'\t', b'|']
        .into_iter()
        .rev()
        .max_by_key(|byte| count(*byte))
        .unwrap_or(b',')
}

struct Heads(Vec<String>);

impl Heads {
    fn column(&self, names: &[&str]) -> Option<usize> {
        names
            .iter()
            .find_map(|name| self.0.iter().position(|head| head == name))
    }

    /// The columns that have a value and no meaning.
    fn unread<'a>(&'a self, record: &'a csv::StringRecord) -> impl Iterator<Item = usize> + 'a {
        let is_read = |column: usize| {
            let names = KNOWN.iter().filter(|names| {
                self.0
                    .get(column)
                    .is_some_and(|head| names.contains(&head.as_str()))
            });
            // Of several columns for one thing the first counts.
            names
                .clone()
                .any(|names| self.column(names) == Some(column))
        };
        (0..record.len().min(self.0.len())).filter(move |column| {
            record
                .get(*column)
                .is_some_and(|value| !value.trim().is_empty())
                && !is_read(*column)
        })
    }

    fn get<'a>(&self, record: &'a csv::StringRecord, names: &[&str]) -> Option<&'a str> {
        let value = record.get(self.column(names)?)?.trim();
        Some(value).filter(|value| !value.is_empty())
    }
}

fn row(page: &mut Page, heads: &Heads, record: &csv::StringRecord, line: usize) {
    let get = |names: &[&str]| heads.get(record, names);
    let Some(written) = get(URL) else {
        if record.iter().any(|value| !value.is_empty()) {
            page.lose_line(line, "the URL is missing");
        }
        return;
    };
    let name = get(NAME).map(literal);
    let kind = get(TYPE).unwrap_or("http").to_lowercase();
    let is_http = ["http", "keyword", "web", "get", "head"]
        .iter()
        .any(|known| kind.contains(known));
    // UptimeRobot's numbers: 1 a site, 2 a keyword, 3 a ping, 4 a port.
    let is_port = kind.contains("port") || kind.contains("tcp") || kind.parse::<u8>() == Ok(4);
    if !is_http && !is_port && kind.parse::<u8>() != Ok(1) && kind.parse::<u8>() != Ok(2) {
        let what = format!("not checked ({kind}; there are no monitors of that kind)");
        let called = name.as_deref().unwrap_or(written);
        page.lose(Weight::Unchecked, what, &format!("{called} ({written})"));
        return;
    }
    let url = match written.contains("://") {
        true if !is_port || written.starts_with("tcp://") => literal(written),
        _ if is_port => of_port(written, get(PORT)),
        _ => format!("https://{}", literal(written)),
    };
    let mut entry = Entry::new(name.as_deref(), &url);
    if !written.contains("://") && !is_port {
        entry.comment("https:// is a guess");
    }
    let mut span = |names: &[&str]| {
        let written = get(names)?;
        let span = written
            .parse::<u64>()
            .ok()
            .map(Duration::from_secs)
            .or_else(|| go_duration::parse(&written.replace(' ', "")))
            .or_else(|| minutes(written));
        if span.is_none() {
            page.lose_line(line, &format!("`{written}` is not a duration"));
        }
        span
    };
    let (interval, timeout) = (span(INTERVAL), span(TIMEOUT));
    entry.timing(page, interval, timeout, None);
    if let Some(method) = get(METHOD).filter(|_| !is_port) {
        entry.method(page, &literal(method));
    }
    if let Some(tags) = get(TAGS) {
        let tags: Vec<String> = tags
            .split([',', ';', '|'])
            .map(|tag| literal(tag.trim()))
            .filter(|tag| !tag.is_empty())
            .collect();
        entry.texts("tags", &tags);
    }
    if !is_port {
        assertions(page, &mut entry, heads, record);
    }
    if !is_port && get(REDIRECTS).is_some_and(is_off) {
        entry.set("follow_redirects", "false");
    }
    let is_paused =
        get(PAUSED).is_some_and(|value| !is_off(value)) || get(STATUS).is_some_and(is_off);
    if is_paused {
        entry.set("enabled", "false");
    }
    if let Some(to) = get(TO) {
        let to = addresses(&[to.to_owned()]);
        if !to.is_empty() {
            entry.told(super::toml_writer::Told::Only(to));
            if !page.has_email() {
                page.lose_all(
                    Weight::Told,
                    "recipients stand in comments until there is an [email]",
                );
            }
        }
    }
    page.push(entry);
}

/// The URL of a port: the port stands behind the host or in a column of its own.
fn of_port(written: &str, port: Option<&str>) -> String {
    let host = written.split_once("://").map_or(written, |(_, rest)| rest);
    let host = host.trim_end_matches('/');
    match port.filter(|_| !host.contains(':')) {
        Some(port) => format!("tcp://{}:{}", literal(host), literal(port)),
        None => format!("tcp://{}", literal(host)),
    }
}

fn is_off(value: &str) -> bool {
    let value = value.to_lowercase();
    matches!(
        value.as_str(),
        "paused" | "false" | "0" | "no" | "disabled" | "inactive"
    )
}

fn assertions(page: &mut Page, entry: &mut Entry, heads: &Heads, record: &csv::StringRecord) {
    if let Some(keyword) = heads.get(record, KEYWORD) {
        // UptimeRobot alerts where a keyword `exists` or `not exists`; StatusCake has a flag.
        let rule = heads
            .get(record, KEYWORD_TYPE)
            .unwrap_or_default()
            .to_lowercase();
        let alerts_on_presence = matches!(rule.as_str(), "1" | "true" | "exists" | "alert exists");
        let key = match alerts_on_presence {
            true => "body_excludes",
            false => "body_contains",
        };
        entry.texts(key, &[literal(keyword)]);
    }
    if let Some(bad) = heads.get(record, FORBIDDEN) {
        let bad: Vec<u16> = bad
            .split([',', ';', ' ', '|'])
            .filter_map(|code| code.trim().parse().ok())
            .collect();
        let mut good = Statuses::all();
        good.keep(|status| !bad.contains(&status));
        if let Some(good) = good.toml() {
            entry.set("expect_status", good);
        }
    }
    let Some(codes) = heads.get(record, EXPECTED) else {
        return;
    };
    let (known, unknown): (Vec<String>, Vec<String>) = codes
        .split([',', ';', ' ', '|'])
        .map(|code| code.trim().to_owned())
        .filter(|code| !code.is_empty())
        .partition(|code| StatusSet::member(code).is_ok());
    for code in unknown {
        page.lose(
            Weight::Verdict,
            format!("the status `{code}`"),
            &entry.called(),
        );
    }
    entry.texts("expect_status", &known);
}

/// `5 min`, `5 minutes`, `1 hour`.
fn minutes(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text[..digits].parse().ok()?;
    let unit = text[digits..].trim().to_lowercase();
    let seconds = match unit.as_str() {
        "sec" | "secs" | "second" | "seconds" => 1,
        "min" | "mins" | "minute" | "minutes" => 60,
        "hour" | "hours" => 3600,
        "day" | "days" => 86_400,
        _ => return None,
    };
    Some(Duration::from_secs(number.checked_mul(seconds)?))
}
