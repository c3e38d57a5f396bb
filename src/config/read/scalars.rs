//! One string of a configuration to one value, or to what is wrong with it.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use regex::Regex;
use url::Url;

use crate::config::diagnostic::hints;
use crate::config::diagnostic::nearest::nearest;
use crate::config::diagnostic::url_words::{self, absolute};
use crate::domain::address::Address;
use crate::domain::channel::ChannelName;
use crate::domain::connect_to::ConnectTo;
use crate::domain::duration_text;
use crate::domain::expectation::StatusSet;
use crate::domain::json::{JsonPath, NAME_MISSING};
use crate::domain::monitor::{CronText, MonitorName, NameError};
use crate::domain::name_server::NameServer;
use crate::domain::pattern_size::compiled_bytes;
use crate::domain::recipient::Recipient;
use crate::domain::safe_text;
use crate::domain::subject::{Locator, LocatorError, SubjectKind};
use crate::domain::target::Method;
use crate::policy::schedule::cron::{Cron, CronError};

/// A longer pattern is no pattern of a person; reading one takes more than linear time.
const PATTERN_BYTES_MAX: usize = 4 * 1024;
/// All 60 seconds, minutes and 24 hours written out take 400.
const CRON_BYTES_MAX: usize = 1024;
/// Filters of a log name a handful of modules.
const LOG_FILTER_BYTES_MAX: usize = 4 * 1024;
/// Longer patterns compile to more memory than a check should cost, in bytes of the compiled form.
const REGEX_BYTES_MAX: usize = 1024 * 1024;
/// A wrong path is shown to this length.
const PATH_SHOWN_CHARS: usize = 200;
/// More than this is no page but a download, in bytes.
const BODY_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Room for a few answers, in bytes.
const STORED_BYTES_MIN: u64 = 1024 * 1024;
/// Larger than disks of the machines that this runs on, in bytes.
const STORED_BYTES_MAX: u64 = 1024 * 1024 * 1024 * 1024;

/// Why a text is not the value that is needed there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::config) struct Wrong {
    /// A sentence with the text in it.
    pub message: String,
    /// What to write instead.
    pub label: String,
    /// The bytes that are wrong, where it is not the whole text.
    pub part: Option<Range<usize>>,
}

impl Wrong {
    pub(in crate::config) fn new(message: impl Into<String>, label: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            label: label.into(),
            part: None,
        }
    }

    pub(in crate::config) fn at(mut self, part: Range<usize>) -> Self {
        self.part = Some(part);
        self
    }
}

pub(in crate::config) fn duration(text: &str) -> Result<Duration, Wrong> {
    duration_text::parse(text).map_err(|error| {
        Wrong::new(
            format!("`{text}` is not a valid duration"),
            error.to_string(),
        )
    })
}

pub(in crate::config) fn size(text: &str) -> Result<u64, Wrong> {
    match bytes(text)? {
        Some(0) => Err(Wrong::new(
            "a size of 0 leaves nothing to look at",
            "write at least \"1B\"",
        )),
        Some(bytes) if bytes <= BODY_BYTES_MAX => Ok(bytes),
        _ => Err(Wrong::new(
            format!("{text} is more than the 1GiB that can be read"),
            "write at most \"1GiB\"",
        )),
    }
}

/// How much of something the database may hold.
pub(in crate::config) fn store_size(text: &str) -> Result<u64, Wrong> {
    match bytes(text)? {
        Some(bytes) if bytes < STORED_BYTES_MIN => Err(Wrong::new(
            format!("{text} is too little to keep anything in"),
            "write at least \"1MiB\", or keep_evidence = \"off\"",
        )),
        Some(bytes) if bytes <= STORED_BYTES_MAX => Ok(bytes),
        _ => Err(Wrong::new(
            format!("{text} is more than any database should hold"),
            "write at most \"1024GiB\"",
        )),
    }
}

/// How much may wait somewhere.
pub(in crate::config) fn buffer_size(text: &str) -> Result<u64, Wrong> {
    match bytes(text)? {
        Some(bytes) if bytes < STORED_BYTES_MIN => Err(Wrong::new(
            format!("{text} is too little to keep anything in"),
            "write at least \"1MiB\"",
        )),
        Some(bytes) if bytes <= STORED_BYTES_MAX => Ok(bytes),
        _ => Err(Wrong::new(
            format!("{text} is more than anybody should keep waiting"),
            "write at most \"1024GiB\"",
        )),
    }
}

/// A size in bytes; `None` if it is too large to be counted.
fn bytes(text: &str) -> Result<Option<u64>, Wrong> {
    let wrong = || {
        Wrong::new(
            format!("`{text}` is not a valid size"),
            "write it like \"512KiB\", \"1MiB\" or \"2MB\"",
        )
    };
    let trimmed = text.trim();
    let digits = trimmed.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = trimmed.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let factor = match unit.trim() {
        "B" => 1,
        "kB" | "KB" => 1000,
        "KiB" => 1024,
        "MB" => 1_000_000,
        "MiB" => 1024 * 1024,
        "GB" => 1_000_000_000,
        "GiB" => 1024 * 1024 * 1024,
        _ => return Err(wrong()),
    };
    Ok(number.checked_mul(factor))
}

pub(in crate::config) fn cron(text: &str) -> Result<CronText, Wrong> {
    short_enough(text, CRON_BYTES_MAX, "the cron expression")?;
    match Cron::parse(text) {
        Ok(_) => Ok(CronText(text.into())),
        Err(error) => {
            let advice = match error {
                CronError::Fields(5) => {
                    format!("put the seconds in front: write \"0 {}\"", text.trim())
                }
                _ => error.advice(),
            };
            let mut wrong = Wrong::new(error.message(), advice);
            wrong.part = error.place();
            Err(wrong)
        }
    }
}

pub(in crate::config) fn zone(text: &str) -> Result<TimeZone, Wrong> {
    TimeZone::get(text).map_err(|_| {
        let names: Vec<String> = jiff::tz::db()
            .available()
            .map(|name| name.as_str().to_owned())
            .collect();
        let label = match nearest(text, names.iter().map(String::as_str)) {
            Some(name) => format!("did you mean \"{name}\"?"),
            None => "write \"system\" or an IANA name like \"Europe/Berlin\"".to_owned(),
        };
        Wrong::new(format!("`{text}` is not a valid time zone"), label)
    })
}

/// A member of a `to`: an address, which has an `@`, or the name of a channel.
pub(in crate::config) fn recipient(text: &str) -> Result<Recipient, Wrong> {
    if !text.contains('@')
        && let Ok(name) = ChannelName::parse(text)
    {
        return Ok(Recipient::Channel(name));
    }
    Address::parse(text)
        .map(Recipient::Mail)
        .map_err(|error| Wrong::new(error.message(), error.advice()))
}

/// The one address of a key.
pub(in crate::config) fn only_address(text: &str) -> Result<Address, Wrong> {
    Address::parse(text).map_err(|error| Wrong::new(error.message(), error.advice_for_one()))
}

pub(in crate::config) fn name(text: &str) -> Result<MonitorName, Wrong> {
    MonitorName::parse(text).map_err(|error| {
        let wrong = Wrong::new(error.to_string(), "a name is shown in mails and tables");
        match (error, safe_text::first_unsafe(text)) {
            (NameError::Control, Some((at, c))) => wrong.at(at..at + c.len_utf8()),
            _ => wrong,
        }
    })
}

pub(in crate::config) fn url(text: &str) -> Result<Url, Wrong> {
    absolute(text, "https")
}

/// What a monitor checks.
pub(in crate::config) fn locator(text: &str) -> Result<Locator, Wrong> {
    match SubjectKind::of_url(text.trim_start()) {
        Some(SubjectKind::Http) | None => url_words::of_monitor(text).map(Locator::Http),
        Some(kind) => {
            if let Some(wrong) = url_words::slip(text) {
                return Err(wrong);
            }
            Locator::parse_of(kind, text)
                .map_err(|LocatorError { message, advice }| Wrong::new(message, advice))
        }
    }
}

/// A percentage, `80%`.
pub(in crate::config) fn percent(text: &str) -> Result<u8, Wrong> {
    let text = text.trim();
    let number = text.strip_suffix('%').map(str::trim_end);
    match number.and_then(|number| number.parse::<u8>().ok()) {
        Some(percent) if percent <= 100 => Ok(percent),
        None if text.parse::<u8>().is_ok_and(|percent| percent <= 100) => Err(Wrong::new(
            format!("`{text}` is not a percentage"),
            format!("write \"{text}%\""),
        )),
        Some(_) | None => Err(Wrong::new(
            format!("`{text}` is not a percentage"),
            "write it like \"80%\", from \"0%\" to \"100%\"",
        )),
    }
}

pub(in crate::config) fn method(text: &str) -> Result<Method, Wrong> {
    let is_token = !text.is_empty() && text.bytes().all(is_token_byte);
    let upper = text.to_ascii_uppercase();
    if !is_token {
        return Err(Wrong::new(
            format!("`{text}` is not a valid HTTP method"),
            "write \"GET\", \"HEAD\", \"POST\" or another method in capitals",
        ));
    }
    if upper != text {
        return Err(Wrong::new(
            format!("the method `{text}` is not in capitals"),
            format!("did you mean \"{upper}\"?"),
        ));
    }
    Ok(match text {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "CONNECT" => {
            return Err(Wrong::new(
                "CONNECT asks for a tunnel, not for a page",
                "write \"GET\"; for a proxy see the key `proxy`",
            ));
        }
        other => Method::Other(other.to_owned()),
    })
}

/// RFC 9110, 5.6.2.
pub(in crate::config) const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// A regular expression that can be read.
pub(in crate::config) struct Pattern<'t> {
    text: &'t str,
    /// About what it takes when it is compiled.
    pub compiled_bytes: u64,
}

pub(in crate::config) fn pattern(text: &str) -> Result<Pattern<'_>, Wrong> {
    parsed_pattern(text, regex_syntax::ParserBuilder::new().build())
}

/// A regular expression that may match what is no text, `(?-u:\xff)`.
pub(super) fn bytes_pattern(text: &str) -> Result<Pattern<'_>, Wrong> {
    parsed_pattern(text, regex_syntax::ParserBuilder::new().utf8(false).build())
}

fn parsed_pattern(text: &str, mut parser: regex_syntax::Parser) -> Result<Pattern<'_>, Wrong> {
    short_enough(text, PATTERN_BYTES_MAX, "the regular expression")?;
    if let Some(at) = text.find('\u{8}') {
        return Err(Wrong::new(
            "the regular expression has a backspace (U+0008) in it",
            "`\\b` in double quotes is a backspace: put the pattern in single quotes",
        )
        .at(at..at + 1));
    }
    let parsed = parser.parse(text).map_err(|error| {
        let (kind, start, end) = match &error {
            regex_syntax::Error::Parse(error) => (
                error.kind().to_string(),
                error.span().start.offset,
                error.span().end.offset,
            ),
            regex_syntax::Error::Translate(error) => (
                error.kind().to_string(),
                error.span().start.offset,
                error.span().end.offset,
            ),
            _ => ("it cannot be read".to_owned(), 0, text.len()),
        };
        let before = text.get(..start).map_or(0, |before| before.chars().count());
        Wrong::new(
            format!(
                "the regular expression `{text}` is wrong at character {}",
                before + 1
            ),
            kind.lines().next().unwrap_or_default(),
        )
        .at(start..end)
    })?;
    Ok(Pattern {
        text,
        compiled_bytes: compiled_bytes(&parsed),
    })
}

/// A regular expression, compiled.
pub(in crate::config) fn regex(text: &str) -> Result<Regex, Wrong> {
    pattern(text)?.compile()
}

impl Pattern<'_> {
    pub(super) fn compile(&self) -> Result<Regex, Wrong> {
        regex::RegexBuilder::new(self.text)
            .size_limit(REGEX_BYTES_MAX)
            .build()
            .map_err(|_| self.too_large())
    }

    pub(super) fn compile_for_bytes(&self) -> Result<regex::bytes::Regex, Wrong> {
        regex::bytes::RegexBuilder::new(self.text)
            .size_limit(REGEX_BYTES_MAX)
            .build()
            .map_err(|_| self.too_large())
    }

    fn too_large(&self) -> Wrong {
        Wrong::new(
            format!(
                "the regular expression `{}` is too large when compiled",
                self.text
            ),
            "repeat less",
        )
    }
}

/// Refuses a text that is too long for its parser.
pub(in crate::config) fn short_enough(text: &str, max: usize, what: &str) -> Result<(), Wrong> {
    match text.len() {
        bytes if bytes <= max => Ok(()),
        bytes => Err(Wrong::new(
            format!("{what} has {bytes} bytes"),
            format!("at most {max} are read"),
        )),
    }
}

/// The pattern of `/pattern/`, where a text is one.
pub(super) fn slashed(text: &str) -> Option<&str> {
    text.strip_prefix('/')?.strip_suffix('/')
}

/// A URL in the form that browsers give it.
pub(super) fn exact_url(text: &str) -> Result<String, Wrong> {
    url(text).map(String::from).map_err(|wrong| Wrong {
        label: format!("{}, or a pattern like \"/example\\\\.com/\"", wrong.label),
        ..wrong
    })
}

pub(super) fn json_path(text: &str) -> Result<JsonPath, Wrong> {
    JsonPath::parse(text).map_err(|error| {
        let shown = safe_text::middle(text, PATH_SHOWN_CHARS);
        if !text.starts_with('$') {
            return Wrong::new(
                format!("the JSON path `{shown}` does not begin with `$`"),
                format!("did you mean \"$.{}\"?", shown.trim_start_matches('.')),
            );
        }
        let at = text.floor_char_boundary(error.at);
        let before = text.get(..at).unwrap_or(text).chars().count();
        Wrong::new(
            format!(
                "the JSON path `{shown}` is wrong at character {}",
                before + 1
            ),
            match text
                .get(..at)
                .filter(|before| error.what == NAME_MISSING && before.len() < 60)
            {
                Some(before) => format!("a name is missing after `{before}`"),
                None => error.what.to_owned(),
            },
        )
        .at(at..text.len())
    })
}

pub(in crate::config) fn listen(text: &str) -> Result<SocketAddr, Wrong> {
    text.parse().map_err(|_| {
        let label = match text.strip_prefix(':').map(str::parse::<u16>) {
            Some(Ok(port)) => {
                format!("write \"127.0.0.1:{port}\", or \"[::]:{port}\" for every address")
            }
            _ => match text.strip_prefix("localhost:") {
                Some(port) => format!("write \"127.0.0.1:{port}\""),
                None => "write it like \"127.0.0.1:8080\" or \"[::1]:8080\"".to_owned(),
            },
        };
        Wrong::new(
            format!("`{text}` is not a valid address with a port"),
            label,
        )
    })
}

pub(super) fn name_server(text: &str) -> Result<NameServer, Wrong> {
    let Some(server) = NameServer::parse(text) else {
        return Err(Wrong::new(
            format!("`{text}` is not a valid address of a name server"),
            "write an IP address with its port, like \"127.0.0.1:53\", \"[::1]:53\" or \"[fe80::53%eth0]:53\"",
        ));
    };
    if server.lacks_zone() {
        let ip = server.address().ip();
        return Err(Wrong::new(
            format!("`{text}` is a link-local address without its interface"),
            format!("write the interface that leads there, like \"[{ip}%eth0]:53\""),
        ));
    }
    Ok(server)
}

pub(super) fn status_member(text: &str) -> Result<String, Wrong> {
    match StatusSet::member(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(match hints::statuses(text) {
            Some(members) if members != text => Wrong::new(
                error.message(),
                format!("each status is an entry of its own: [{members}]"),
            ),
            _ => Wrong::new(error.message(), error.advice()),
        }),
    }
}

pub(super) fn log_filter(text: &str) -> Result<String, Wrong> {
    const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
    short_enough(text, LOG_FILTER_BYTES_MAX, "the log filter")?;
    let plain = |word: &str| word.bytes().all(|b| b.is_ascii_alphabetic());
    let mut from = 0;
    for directive in text.split(',') {
        let level = directive.rsplit('=').next().unwrap_or(directive).trim();
        let wrong_level = plain(level)
            && !level.is_empty()
            && (directive.contains('=') || !directive.contains(':'))
            && !LEVELS.contains(&level.to_ascii_lowercase().as_str())
            && level != "sitewatch";
        if wrong_level {
            let label = match nearest(level, LEVELS) {
                Some(known) => format!("did you mean \"{known}\"?"),
                None => "write error, warn, info, debug or trace".to_owned(),
            };
            let start = from + directive.rfind(level).unwrap_or(0);
            return Err(
                Wrong::new(format!("`{level}` is not a valid log level"), label)
                    .at(start..start + level.len()),
            );
        }
        from += directive.len() + 1;
    }
    tracing_subscriber::EnvFilter::builder()
        .parse(text)
        .map(|_| text.to_owned())
        .map_err(|_| {
            Wrong::new(
                format!("`{text}` is not a valid log filter"),
                "write \"info\" or \"warn,sitewatch::mail=debug\"",
            )
        })
}

pub(in crate::config) fn proxy(text: &str) -> Result<Url, Wrong> {
    if let Some((scheme, rest)) = text.split_once("://")
        && !scheme.is_empty()
        && !scheme.eq_ignore_ascii_case("http")
    {
        return Err(Wrong::new(
            format!("a proxy is spoken to in http, not in {scheme}"),
            match scheme.eq_ignore_ascii_case("https") {
                true => format!("did you mean \"http://{rest}\"?"),
                false => "only http:// proxies are used".to_owned(),
            },
        )
        .at(0..scheme.len()));
    }
    absolute(text, "http")
}

pub(in crate::config) fn connect_to(text: &str) -> Result<ConnectTo, Wrong> {
    ConnectTo::parse(text).map_err(|message| {
        Wrong::new(
            message,
            "write it like \"203.0.113.7\" or \"origin.example.net:8443\"",
        )
    })
}

pub(in crate::config) fn header_name(text: &str) -> Result<String, Wrong> {
    if text.is_empty() || !text.bytes().all(is_token_byte) {
        return Err(Wrong::new(
            format!("`{text}` is not a valid header name"),
            "letters, digits and `-`, without a colon",
        ));
    }
    for framing in ["Content-Length", "Transfer-Encoding", "Connection"] {
        if text.eq_ignore_ascii_case(framing) {
            return Err(Wrong::new(
                format!("`{text}` cannot be set: it belongs to the connection, not to the request"),
                "leave it out",
            ));
        }
    }
    Ok(text.to_owned())
}

pub(in crate::config) fn header_value(text: &str) -> Result<Arc<str>, Wrong> {
    match text
        .char_indices()
        .find(|(_, c)| c.is_control() && *c != '\t')
    {
        None => Ok(text.into()),
        Some((at, c)) => Err(Wrong::new(
            "a header's value must not contain control characters",
            "a value is one line",
        )
        .at(at..at + c.len_utf8())),
    }
}
