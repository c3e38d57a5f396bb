//! Tables with a head line: UptimeRobot's and StatusCake's exports, and what comes out of a spreadsheet.

use std::collections::BTreeSet;
use std::time::Duration;

use super::go_duration;
use super::name_servers;
use super::status_conditions::Statuses;
use super::toml_writer::{Entry, ImportError, Imported, Page, Source, Weight, addresses, literal};
use crate::domain::dns_record::RecordType;
use crate::domain::expectation::StatusSet;
use crate::domain::safe_text;
use crate::domain::subject::SubjectKind;

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
    "websitename",
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
    "expectedstatuscodes",
    "expectedcodes",
    "acceptedstatuscodes",
    "acceptedcodes",
    "statuscodes",
];
/// StatusCake names the codes that are down.
const FORBIDDEN: &[&str] = &["statuscodescsv"];
const REDIRECTS: &[&str] = &["followredirects", "followredirect", "redirects"];
/// The type of the records that a name server is asked for.
const RECORD: &[&str] = &["recordtype", "dnsrecordtype", "querytype"];
const SERVER: &[&str] = &["dnsserver", "nameserver", "resolver", "server"];
const ANSWERS: &[&str] = &["dnsips", "dnsip", "answers", "expectedanswers"];
const TO: &[&str] = &["to", "email", "emails", "recipients"];

/// All of them.
const KNOWN: [&[&str]; 19] = [
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
    RECORD,
    SERVER,
    ANSWERS,
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

/// What a line is about, with its name and URL; `None`, and said, if there is nothing to check.
fn begun(
    page: &mut Page,
    heads: &Heads,
    record: &csv::StringRecord,
    line: usize,
) -> Option<(Entry, SubjectKind, RecordType)> {
    let get = |names: &[&str]| heads.get(record, names);
    let name = get(NAME).map(literal);
    // Without a type the other columns tell: only DNS has record types, and a bare host with a port is one.
    let is_bare = |written: &str| !written.contains("://");
    let guessed = match (get(URL), get(PORT)) {
        _ if get(RECORD).is_some() => "dns",
        (Some(url), Some(port)) if is_bare(url) && !matches!(port, "80" | "443") => "tcp",
        _ => "http",
    };
    let kind = get(TYPE).unwrap_or(guessed).to_lowercase();
    let Some(written) = get(URL) else {
        match &name {
            // A heartbeat has no URL.
            Some(name) if kind_of("", &kind).is_none() => {
                page.lose(Weight::Unchecked, of_no_kind(&kind), name);
            }
            _ if record.iter().any(|value| !value.is_empty()) => {
                page.lose_line(line, "the URL is missing");
            }
            _ => {}
        }
        return None;
    };
    let Some(checked) = kind_of(written, &kind) else {
        let called = name.as_deref().unwrap_or(written);
        page.lose(
            Weight::Unchecked,
            of_no_kind(&kind),
            &format!("{called} ({written})"),
        );
        return None;
    };
    let has_scheme = SubjectKind::of_url(written).is_some() && written.contains("://");
    let host = written.split_once("://").map_or(written, |(_, rest)| rest);
    let host = host.trim_end_matches('/');
    let record_type = match get(RECORD).map(|written| (written, RecordType::parse(written))) {
        None => RecordType::A,
        Some((_, Some(known))) => known,
        Some((unknown, None)) if checked == SubjectKind::Dns => {
            let what = name_servers::cannot_ask(unknown);
            let called = name.as_deref().unwrap_or(written);
            page.lose(Weight::Unchecked, what, &format!("{called} ({written})"));
            return None;
        }
        Some((_, None)) => RecordType::A,
    };
    let url = match checked {
        _ if has_scheme && SubjectKind::of_url(written) == Some(checked) => literal(written),
        SubjectKind::Http if written.contains("://") => literal(written),
        SubjectKind::Http => of_bare_site(host, get(PORT)),
        SubjectKind::Icmp => literal(&name_servers::ping(host)),
        SubjectKind::Dns => literal(&name_servers::question(get(SERVER), host, record_type)),
        SubjectKind::Tcp | SubjectKind::Tls => of_port(checked, host, get(PORT)),
    };
    let mut entry = Entry::new(name.as_deref(), &url);
    if checked == SubjectKind::Http && is_bare(written) && url.starts_with("https:") {
        entry.comment("https:// is a guess");
    }
    Some((entry, checked, record_type))
}

fn row(page: &mut Page, heads: &Heads, record: &csv::StringRecord, line: usize) {
    let get = |names: &[&str]| heads.get(record, names);
    let Some((mut entry, checked, record_type)) = begun(page, heads, record, line) else {
        return;
    };
    let is_site = checked == SubjectKind::Http;
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
    if let Some(method) = get(METHOD).filter(|_| is_site) {
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
    if checked == SubjectKind::Dns {
        answers(page, &mut entry, record_type, get(ANSWERS));
    }
    if is_site {
        assertions(page, &mut entry, heads, record);
    } else {
        for (names, what) in [(KEYWORD, "keyword"), (EXPECTED, "expected status")] {
            if get(names).is_some() {
                let what = format!("the {what}, which only web sites have");
                page.lose(Weight::Verdict, what, &entry.called());
            }
        }
    }
    if is_site && get(REDIRECTS).is_some_and(is_off) {
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

fn of_no_kind(kind: &str) -> String {
    format!("not checked ({kind}; there are no monitors of that kind)")
}

/// What is checked, by the scheme and by words and numbers; `None` if it is something else.
fn kind_of(written: &str, kind: &str) -> Option<SubjectKind> {
    let of_url = SubjectKind::of_url(written).filter(|_| written.contains("://"));
    let is = |words: &[&str]| words.iter().any(|word| kind.contains(word));
    // UptimeRobot's numbers: 1 a site, 2 a keyword, 3 a ping, 4 a port.
    let by_word = match kind.parse::<u8>() {
        Ok(1 | 2) => SubjectKind::Http,
        Ok(3) => SubjectKind::Icmp,
        Ok(4) => SubjectKind::Tcp,
        Ok(_) => return None,
        Err(_) if is(&["udp"]) => return None,
        Err(_) if is(&["port", "tcp"]) => SubjectKind::Tcp,
        Err(_) if is(&["ping", "icmp"]) => SubjectKind::Icmp,
        Err(_) if is(&["dns"]) => SubjectKind::Dns,
        Err(_) if kind == "tls" => SubjectKind::Tls,
        Err(_) if is(&["http", "keyword", "web", "get", "head"]) => SubjectKind::Http,
        Err(_) => return None,
    };
    match of_url {
        Some(SubjectKind::Http) | None => Some(by_word),
        Some(other) => Some(other),
    }
}

/// The URL of a site that is written without a scheme.
fn of_bare_site(host: &str, port: Option<&str>) -> String {
    let has_port = host.contains(':') || host.contains('/');
    match port.filter(|_| !has_port) {
        Some("80") => format!("http://{}", literal(host)),
        None | Some("443") => format!("https://{}", literal(host)),
        Some(port) => format!("https://{}:{}", literal(host), literal(port)),
    }
}

/// The URL of a port: the port stands behind the host or in a column of its own.
fn of_port(kind: SubjectKind, host: &str, port: Option<&str>) -> String {
    let scheme = kind.scheme();
    match port.filter(|_| !host.contains(':')) {
        Some(port) => format!("{scheme}://{}:{}", literal(host), literal(port)),
        None => format!("{scheme}://{}", literal(host)),
    }
}

/// The records that are expected.
fn answers(page: &mut Page, entry: &mut Entry, record_type: RecordType, written: Option<&str>) {
    let all = written.unwrap_or_default().split([',', ';', '|']);
    let all = all.map(str::trim).filter(|text| !text.is_empty());
    let (known, unknown): (Vec<&str>, Vec<&str>) =
        all.partition(|text| record_type.normal(text).is_some());
    for text in unknown {
        let what = format!("the answer `{text}`, which is no {record_type} record");
        page.lose(Weight::Verdict, what, &entry.called());
    }
    let known: Vec<String> = known.into_iter().map(literal).collect();
    entry.texts("answers", &known);
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
        let (mut forbidden, mut good) = (Vec::new(), Statuses::all());
        for code in bad.split([',', ';', ' ', '|']).map(str::trim) {
            match code.parse::<u16>() {
                Ok(code) => forbidden.push(code),
                Err(_) if code.is_empty() => {}
                Err(_) => {
                    let what = format!("the status `{}`", safe_text::line(code, 40));
                    page.lose(Weight::Verdict, what, &entry.called());
                }
            }
        }
        good.keep(|status| !forbidden.contains(&status));
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
