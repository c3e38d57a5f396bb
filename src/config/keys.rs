//! Every key there is, declared once: what is unknown, what the schema says and what `config show`
//! fills in all come from here.

use crate::domain::http_choice::HttpChoice;
use crate::domain::starttls::StartTls;
use crate::domain::subject::{Kinds, SubjectKind};

/// What kind of value a key takes.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Any string.
    Text,
    /// A list of any strings.
    Texts,
    /// `true` or `false`.
    Bool,
    /// A whole number within bounds, both included.
    Count(i64, i64),
    /// One of these words, or a whole number from 1 on.
    CountOr(&'static [&'static str]),
    /// A duration string.
    Span,
    /// A duration string, or this word.
    SpanOr(&'static str),
    /// A duration string, `off`, or a multiple of the usual.
    SlowLimit,
    /// A list of duration strings.
    Spans,
    /// A size in bytes as a string.
    Size,
    /// A percentage as a string.
    Percent,
    /// A cron expression of six fields.
    Cron,
    /// `system` or an IANA time zone.
    Zone,
    /// A path, relative to the file it stands in.
    Path,
    /// A list of paths with wildcards.
    Globs,
    /// An http or https URL.
    Url,
    /// A list of them.
    Urls,
    /// What a monitor checks: a URL of any kind.
    Subject,
    /// One regular expression.
    Regex,
    /// A list of mail addresses and names of channels.
    Recipients,
    /// A string that is shown nowhere.
    Secret,
    /// A list of them.
    Secrets,
    /// One mail address.
    Address,
    /// An address and a port to listen at.
    Listen,
    /// A list of addresses, each with a port or without.
    Servers,
    /// Codes, classes and ranges of HTTP statuses.
    Statuses,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// An HTTP method in capitals.
    Method,
    /// An exact text or a `/regular expression/`.
    Match,
    /// A list of regular expressions.
    Regexes,
    /// Header names with their values.
    Headers,
    /// Header names with what they must be.
    HeaderMatches,
    /// A list of assertions on a JSON body.
    JsonTests,
    /// A table of keys of its own.
    Table(&'static [Key]),
    /// A monitor's name.
    Name,
    /// A list of monitors' names.
    Names,
    /// A TOML date-time.
    Moment,
    /// `environment`, an http:// URL or nothing.
    Proxy,
    /// A level or a filter of log targets.
    Log,
    /// Any TOML value.
    Any,
    /// A number.
    Number,
}

/// What holds when a key is absent.
#[derive(Debug, Clone, Copy)]
pub enum Absent {
    /// This value, as TOML.
    Value(&'static str),
    /// Nothing; the words say what that means.
    Unset(&'static str),
    /// It must be there.
    Required,
}

/// One key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What holds without it.
    pub absent: Absent,
    /// One sentence or two.
    pub doc: &'static str,
    /// The kinds of monitors that have it, by the scheme of their `url`; of a key that is no monitor's, all.
    pub kinds: Kinds,
}

impl Key {
    /// The same key of monitors of some kinds only.
    const fn of(self, kinds: Kinds) -> Self {
        Self { kinds, ..self }
    }
}

/// How often a section may stand in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `[name]`, once.
    Table,
    /// `[[name]]`, any number of times.
    List,
}

/// One section.
#[derive(Debug, Clone, Copy)]
pub struct Section {
    /// Its name.
    pub name: &'static str,
    /// `[name]` or `[[name]]`.
    pub form: Form,
    /// What it is for.
    pub doc: &'static str,
    /// Its keys, in the order of documentation.
    pub keys: &'static [Key],
}

impl Section {
    /// Its header as it is written.
    pub fn header(&self) -> String {
        match self.form {
            Form::Table => format!("[{}]", self.name),
            Form::List => format!("[[{}]]", self.name),
        }
    }
}

const fn key(name: &'static str, kind: Kind, absent: Absent, doc: &'static str) -> Key {
    Key {
        name,
        kind,
        absent,
        doc,
        kinds: Kinds::ALL,
    }
}

/// Keys of a request in HTTP and of its answer.
const HTTP: Kinds = Kinds::of(&[SubjectKind::Http]);

/// Keys of TLS.
const WITH_TLS: Kinds = Kinds::of(&[SubjectKind::Http, SubjectKind::Tls]);

/// Keys of a port that is no web server's.
const PORT: Kinds = Kinds::of(&[SubjectKind::Tcp, SubjectKind::Tls]);

/// Keys of what is read over a connection.
const STREAM: Kinds = Kinds::of(&[SubjectKind::Http, SubjectKind::Tcp, SubjectKind::Tls]);

/// Keys of what is connected to or pinged by its address.
const ADDRESS: Kinds = Kinds::of(&[
    SubjectKind::Http,
    SubjectKind::Tcp,
    SubjectKind::Tls,
    SubjectKind::Icmp,
]);

const TLS: Kinds = Kinds::of(&[SubjectKind::Tls]);
const ICMP: Kinds = Kinds::of(&[SubjectKind::Icmp]);
const DNS_KIND: Kinds = Kinds::of(&[SubjectKind::Dns]);

use Absent::{Required, Unset, Value};

/// Larger counts are slips of the pen.
const MANY: i64 = 1000;

/// The keys that stand before every section.
pub const TOP: &[Key] = &[key(
    "include",
    Kind::Globs,
    Value("[]"),
    "More files with entries of all [[..]] kinds, in name order.",
)];

/// The sections that may stand any number of times, and in included files.
pub const ENTRIES: &[&str] = &[
    "monitor",
    "source",
    "channel",
    "escalation",
    "hours",
    "maintenance",
    "objective",
];

/// `[daemon]`
pub const DAEMON: Section = Section {
    name: "daemon",
    form: Form::Table,
    doc: "The process and its files.",
    keys: &[
        key(
            "database",
            Kind::Path,
            Unset(
                "$STATE_DIRECTORY/sitewatch.db; else, for /etc/sitewatch/monitors.toml, /var/lib/sitewatch/sitewatch.db; else $XDG_STATE_HOME/sitewatch/sitewatch.db",
            ),
            "The SQLite database.",
        ),
        key(
            "control_socket",
            Kind::Path,
            Unset(
                "control.sock in $RUNTIME_DIRECTORY, /run/sitewatch or $XDG_RUNTIME_DIR/sitewatch by the same rule; else beside the database",
            ),
            "The socket by which commands reach the daemon.",
        ),
        key(
            "max_concurrent_checks",
            Kind::Count(1, 100_000),
            Value("512"),
            "Checks in flight at most.",
        ),
        key(
            "timezone",
            Kind::Zone,
            Value("\"system\""),
            "An IANA name; for mails, pages, cron schedules and tables. JSON is always UTC.",
        ),
        key(
            "shutdown_grace",
            Kind::Span,
            Value("\"10s\""),
            "How long a stop waits for checks in flight and mails.",
        ),
        key(
            "log",
            Kind::Log,
            Value("\"info\""),
            "error, warn, info, debug, trace or a filter like \"warn,sitewatch::mail=debug\"; RUST_LOG wins.",
        ),
    ],
};

/// `[history]`
pub const HISTORY: Section = Section {
    name: "history",
    form: Form::Table,
    doc: "Retention.",
    keys: &[
        key(
            "keep_checks",
            Kind::SpanOr("forever"),
            Value("\"90d\""),
            "Raw checks; hourly and daily roll-ups stay.",
        ),
        key(
            "keep_rollups",
            Kind::SpanOr("forever"),
            Value("\"forever\""),
            "Hourly and daily roll-ups.",
        ),
        key(
            "keep_evidence",
            Kind::SpanOr("off"),
            Value("\"90d\""),
            "The whole first failing answer of every incident, secrets masked.",
        ),
        key(
            "evidence_limit",
            Kind::Size,
            Value("\"512MiB\""),
            "What all of them may take; the oldest go first.",
        ),
    ],
};

/// `[dns]`
pub const DNS: Section = Section {
    name: "dns",
    form: Form::Table,
    doc: "How names become addresses.",
    keys: &[
        key(
            "servers",
            Kind::Servers,
            Unset("the system's servers and search list"),
            "Name servers, asked in turn; /etc/hosts is honoured all the same.",
        ),
        key(
            "timeout",
            Kind::Span,
            Value("\"5s\""),
            "The whole lookup, all servers and tries.",
        ),
    ],
};

/// `[web]`
pub const WEB: Section = Section {
    name: "web",
    form: Form::Table,
    doc: "The status page, the API and the metrics; off unless `listen` is set.",
    keys: &[
        key(
            "listen",
            Kind::Listen,
            Unset("off"),
            "Address and port to listen at.",
        ),
        key(
            "title",
            Kind::Text,
            Value("\"Status\""),
            "The page's title.",
        ),
        key(
            "token_file",
            Kind::Path,
            Value("\"\""),
            "A file with the bearer token that opens everything; without it only what is public is served.",
        ),
        key(
            "public_url",
            Kind::Url,
            Value("\"\""),
            "Where readers find the page, like \"https://status.example.com/\"; mails then link to the monitor's page.",
        ),
        key(
            "show_urls",
            Kind::Bool,
            Value("false"),
            "Whether the public sees the monitored URLs, without user names and queries; with the token they are always shown.",
        ),
        key(
            "logo",
            Kind::Path,
            Value("\"\""),
            "A PNG, JPEG, WebP, GIF or SVG file of at most 256 KiB, shown beside the title.",
        ),
        key(
            "description",
            Kind::Text,
            Value("\"\""),
            "A sentence below the title.",
        ),
        key(
            "link",
            Kind::Url,
            Value("\"\""),
            "Your own site, linked from the top of the page.",
        ),
        key(
            "accent",
            Kind::Text,
            Value("\"\""),
            "Your colour, like \"#0a7bc9\", for links and the line at the top; made lighter or darker where it could not be read.",
        ),
    ],
};

/// `[email]`
pub const EMAIL: Section = Section {
    name: "email",
    form: Form::Table,
    doc: "Where mails go and how; without it checks are recorded and nothing is mailed.",
    keys: &[
        key(
            "host",
            Kind::Text,
            Unset("required unless `directory` is set"),
            "The mail server.",
        ),
        key(
            "port",
            Kind::Count(1, 65_535),
            Unset("by tls: 587 starttls, 465 implicit, 25 none"),
            "Its port.",
        ),
        key(
            "tls",
            Kind::Choice(&["starttls", "implicit", "none"]),
            Value("\"starttls\""),
            "\"starttls\" is required once chosen and never silently skipped.",
        ),
        key(
            "ca_file",
            Kind::Path,
            Unset("the system's trust anchors only"),
            "An extra trust anchor for the mail server, or its certificate itself; PEM or DER.",
        ),
        key(
            "username",
            Kind::Text,
            Unset("no login"),
            "The login name; with tls = \"none\" only to a loopback host.",
        ),
        key(
            "password",
            Kind::Text,
            Unset("see password_file"),
            "The password, best as \"${SMTP_PASSWORD}\".",
        ),
        key(
            "password_file",
            Kind::Path,
            Unset("$CREDENTIALS_DIRECTORY/smtp-password where there is one"),
            "A file with the password.",
        ),
        key("from", Kind::Address, Required, "The sender."),
        key(
            "to",
            Kind::Recipients,
            Value("[]"),
            "Default recipients, channels by their names; with `host` at least one.",
        ),
        key(
            "reply_to",
            Kind::Address,
            Unset("answers go to the sender"),
            "Where answers go.",
        ),
        key(
            "directory",
            Kind::Path,
            Unset("mails go to `host`"),
            "Instead of host: each mail is written there as an .eml file.",
        ),
        key("timeout", Kind::Span, Value("\"2m\""), "One whole send."),
        key(
            "body_excerpt",
            Kind::Bool,
            Value("true"),
            "Quote the first bytes of a failing answer.",
        ),
    ],
};

/// `[alerts]`
pub const ALERTS: Section = Section {
    name: "alerts",
    form: Form::Table,
    doc: "Alerting.",
    keys: &[
        key(
            "to",
            Kind::Recipients,
            Unset("[email].to; without [email] every channel"),
            "Who is told by default: of monitors without `to`, of reports, of blind times and of troubles.",
        ),
        key(
            "group_wait",
            Kind::Span,
            Value("\"10s\""),
            "A mail waits this long for others to the same recipient.",
        ),
        key(
            "group_limit",
            Kind::Count(1, MANY),
            Value("3"),
            "More than this in one wait become one digest.",
        ),
        key(
            "group_interval",
            Kind::Span,
            Value("\"1m\""),
            "After a digest, news of its monitors and outages of its causes collect this long.",
        ),
        key(
            "reminder",
            Kind::SpanOr("off"),
            Value("\"off\""),
            "The first reminder while down; each next one after twice the time, at most daily.",
        ),
        key(
            "recovery",
            Kind::Bool,
            Value("true"),
            "Mail when a site is up again.",
        ),
        key(
            "flapping",
            Kind::Table(FLAPPING),
            Value("{ changes = 8, within = \"1h\" }"),
            "So many up/down changes within so long give one FLAPPING mail.",
        ),
        key(
            "certificate_expiry",
            Kind::Spans,
            Value("[\"21d\", \"7d\", \"1d\"]"),
            "DEGRADED mails this long before a certificate expires; steps longer than a quarter of its lifetime do \
             not count.",
        ),
    ],
};

/// The keys of `flapping`.
pub const FLAPPING: &[Key] = &[
    key(
        "changes",
        Kind::Count(2, MANY),
        Value("8"),
        "Up/down changes.",
    ),
    key(
        "within",
        Kind::Span,
        Value("\"1h\""),
        "The time they fall into.",
    ),
    key(
        "down_after",
        Kind::Span,
        Value("\"10m\""),
        "Down for so long while flapping is mailed as DOWN.",
    ),
    key(
        "end_after",
        Kind::Span,
        Value("\"30m\""),
        "Up for so long ends the flapping, with one UP mail.",
    ),
];

/// `[connectivity]`
pub const CONNECTIVITY: Section = Section {
    name: "connectivity",
    form: Form::Table,
    doc: "Tells \"the site is down\" from \"we are offline\".",
    keys: &[key(
        "canaries",
        Kind::Urls,
        Value("[]"),
        "URLs asked when a network failure occurs; if all fail too, nothing is alerted. By default a TCP connection to [email].host.",
    )],
};

/// `[report]`
pub const REPORT: Section = Section {
    name: "report",
    form: Form::Table,
    doc: "A mailed summary; off unless `schedule` is set.",
    keys: &[
        key(
            "schedule",
            Kind::Cron,
            Unset("off"),
            "When it is sent (cron, seconds first); it covers the time since the last one.",
        ),
        key(
            "to",
            Kind::Recipients,
            Unset("[alerts].to"),
            "Who gets it, addresses and channels.",
        ),
    ],
};

/// `[heartbeat]`
pub const HEARTBEAT: Section = Section {
    name: "heartbeat",
    form: Form::Table,
    doc: "Who watches the watcher: an outbound dead-man ping.",
    keys: &[
        key(
            "url",
            Kind::Url,
            Value("\"\""),
            "Requested every `interval` only while checks run on time, the database takes writes and mail is not stuck.",
        ),
        key(
            "fail_url",
            Kind::Url,
            Value("\"\""),
            "Requested once when that stops being so.",
        ),
        key("interval", Kind::Span, Value("\"60s\""), "How often."),
    ],
};

/// `[defaults]`
pub const DEFAULTS: Section = Section {
    name: "defaults",
    form: Form::Table,
    doc: "Any [[monitor]] key but name, url and renamed_from; a monitor's own key replaces the whole value.",
    keys: MONITOR_KEYS,
};

/// `[[monitor]]`
pub const MONITOR: Section = Section {
    name: "monitor",
    form: Form::List,
    doc: "One site.",
    keys: MONITOR_KEYS,
};

/// The keys of `[[monitor]]` that cannot be a default.
pub const MONITOR_ONLY: [&str; 3] = ["name", "url", "renamed_from"];

const MONITOR_KEYS: &[Key] = &[
    key(
        "url",
        Kind::Subject,
        Required,
        "What is checked; its scheme is the kind: http, https, tcp, tls, icmp, dns.",
    ),
    key(
        "name",
        Kind::Name,
        Unset("host, port if not the scheme's, path unless `/`"),
        "Its unique name.",
    ),
    key(
        "enabled",
        Kind::Bool,
        Value("true"),
        "false: its history stays, it is not checked.",
    ),
    key(
        "tags",
        Kind::Texts,
        Value("[]"),
        "Free words to select monitors by.",
    ),
    key(
        "interval",
        Kind::Span,
        Value("\"60s\""),
        "How often it is checked; at least 1s.",
    ),
    key(
        "schedule",
        Kind::Cron,
        Unset("every `interval`"),
        "Instead of interval: a cron expression, seconds first.",
    ),
    key(
        "timeout",
        Kind::Span,
        Value("\"10s\""),
        "The whole check, all redirects included.",
    ),
    key(
        "method",
        Kind::Method,
        Value("\"GET\""),
        "The request's method.",
    )
    .of(HTTP),
    key(
        "headers",
        Kind::Headers,
        Value("{}"),
        "Request headers; `User-Agent: sitewatch/VERSION` and `Accept: */*` are sent unless set here.",
    )
    .of(HTTP),
    key("body", Kind::Text, Value("\"\""), "The request's body.").of(HTTP),
    key(
        "body_file",
        Kind::Path,
        Unset("see body"),
        "A file with the request's body.",
    )
    .of(HTTP),
    key(
        "basic_auth",
        Kind::Table(BASIC_AUTH),
        Unset("no credentials"),
        "A user name and a password.",
    )
    .of(HTTP),
    key(
        "bearer_token_file",
        Kind::Path,
        Unset("no credentials"),
        "A file with a bearer token.",
    )
    .of(HTTP),
    key(
        "expect_status",
        Kind::Statuses,
        Value("[\"2xx\"]"),
        "Codes, classes and ranges that are good: 200, \"2xx\", \"200-204\".",
    )
    .of(HTTP),
    key(
        "follow_redirects",
        Kind::Bool,
        Value("true"),
        "false: a redirect is the final answer.",
    )
    .of(HTTP),
    key(
        "max_redirects",
        Kind::Count(0, 50),
        Value("10"),
        "More redirects than this are a failure.",
    )
    .of(HTTP),
    key(
        "expect_final_url",
        Kind::Match,
        Value("\"\""),
        "Where the chain must end: an exact URL, or a /regex/.",
    )
    .of(HTTP),
    key(
        "allow_downgrade",
        Kind::Bool,
        Value("false"),
        "Whether https may lead to http.",
    )
    .of(HTTP),
    key(
        "allow_private_redirect",
        Kind::Bool,
        Value("false"),
        "Whether a public address may lead to a private one.",
    )
    .of(HTTP),
    key(
        "cookies",
        Kind::Bool,
        Value("true"),
        "A cookie jar that lives for one check, as a first-time visitor's browser has.",
    )
    .of(HTTP),
    key(
        "body_contains",
        Kind::Texts,
        Value("[]"),
        "All must occur in the body.",
    )
    .of(HTTP),
    key(
        "body_excludes",
        Kind::Texts,
        Value("[]"),
        "None may occur in the body.",
    )
    .of(HTTP),
    key(
        "body_matches",
        Kind::Regexes,
        Value("[]"),
        "Regular expressions; all must match the body.",
    )
    .of(HTTP),
    key(
        "json",
        Kind::JsonTests,
        Value("[]"),
        "Assertions on a JSON body: a path (RFC 9535) and one of equals, exists, matches, less_than, greater_than.",
    )
    .of(HTTP),
    key(
        "expect_headers",
        Kind::HeaderMatches,
        Value("{}"),
        "Response headers that must be there: exact values, or a /regex/.",
    )
    .of(HTTP),
    key(
        "max_body",
        Kind::Size,
        Value("\"1MiB\""),
        "Read at most this much; assertions see only that.",
    )
    .of(STREAM),
    key(
        "send",
        Kind::Text,
        Value("\"\""),
        "Is sent as soon as the connection stands, over TLS where there is TLS.",
    )
    .of(PORT),
    key(
        "expect",
        Kind::Regex,
        Value("\"\""),
        "A regular expression that must match what the server says, of which max_body bytes are read.",
    )
    .of(PORT),
    key(
        "starttls",
        Kind::Choice(&STARTTLS),
        Unset("TLS begins at once"),
        "Ask for TLS in this protocol first.",
    )
    .of(TLS),
    key(
        "packets",
        Kind::Count(1, 20),
        Value("3"),
        "Echo requests of one check.",
    )
    .of(ICMP),
    key(
        "max_loss",
        Kind::Percent,
        Value("\"50%\""),
        "If more of them are lost it is degraded; if all are, it is down.",
    )
    .of(ICMP),
    key(
        "answers",
        Kind::Texts,
        Value("[]"),
        "The records that must come, in any order; with none any answer is good.",
    )
    .of(DNS_KIND),
    key(
        "answers_match",
        Kind::Choice(&["exact", "contains"]),
        Value("\"exact\""),
        "\"contains\": others may come as well.",
    )
    .of(DNS_KIND),
    key(
        "degraded_after",
        Kind::SlowLimit,
        Value("\"2s\""),
        "A slower total is degraded: after a time, or \"3x usual\", the median of the same hour of the week (from two \
         weeks on), or \"off\".",
    ),
    key(
        "on_slow",
        Kind::Choice(&["record", "alert"]),
        Value("\"record\""),
        "\"alert\": mailed after failures_before_down slow checks in a row, once.",
    ),
    key(
        "ip_version",
        Kind::Choice(&["any", "4", "6"]),
        Value("\"any\""),
        "Which addresses are used.",
    )
    .of(ADDRESS),
    key(
        "ca_file",
        Kind::Path,
        Value("\"\""),
        "An extra trust anchor, or the site's certificate itself; PEM or DER.",
    )
    .of(WITH_TLS),
    key(
        "client_certificate",
        Kind::Table(CLIENT_CERTIFICATE),
        Unset("none"),
        "A certificate with which we identify ourselves, PEM.",
    )
    .of(WITH_TLS),
    key(
        "verify_tls",
        Kind::Bool,
        Value("true"),
        "Whether certificate faults are failures.",
    )
    .of(WITH_TLS),
    key(
        "proxy",
        Kind::Proxy,
        Value("\"\""),
        "An http:// proxy; \"environment\" takes HTTP_PROXY, HTTPS_PROXY, NO_PROXY.",
    )
    .of(HTTP),
    key(
        "connect_to",
        Kind::Text,
        Value("\"\""),
        "Where to connect, with or without a port; SNI, Host and certificate name stay the URL's.",
    )
    .of(STREAM),
    key(
        "addresses",
        Kind::Choice(&["first", "each"]),
        Value("\"first\""),
        "\"each\": every address of the name is checked by itself, 16 at most.",
    )
    .of(STREAM),
    key(
        "on_address_down",
        Kind::Choice(&["record", "alert", "down"]),
        Value("\"alert\""),
        "While some addresses or offered versions are bad: \"alert\" mails after failures_before_down such checks in a row, once; \"down\" is an outage.",
    )
    .of(STREAM),
    key(
        "http",
        Kind::Choice(HttpChoice::WORDS),
        Value("\"1.1\""),
        "\"2\" or \"3\": that version must work; \"offered\": each version that the site offers is checked.",
    )
    .of(HTTP),
    key(
        "failures_before_down",
        Kind::Count(1, MANY),
        Value("3"),
        "Consecutive failures before it counts as down.",
    ),
    key(
        "successes_before_up",
        Kind::Count(1, MANY),
        Value("2"),
        "Consecutive good checks that make it up again.",
    ),
    key(
        "retry_interval",
        Kind::Span,
        Value("\"10s\""),
        "A confirming check starts this long after the last one ended.",
    ),
    key(
        "depends_on",
        Kind::Names,
        Value("[]"),
        "Monitors; while one of them is down, no alert for this one.",
    ),
    key(
        "to",
        Kind::Recipients,
        Unset("[email].to"),
        "Who gets its mails; an empty list means that nobody does.",
    ),
    key(
        "note",
        Kind::Text,
        Value("\"\""),
        "Shown in mails and, with the token, on pages: a runbook link, an owner.",
    ),
    key(
        "public",
        Kind::Bool,
        Value("true"),
        "false: hidden without the token.",
    ),
    key(
        "keep_evidence",
        Kind::Bool,
        Value("true"),
        "false: no answer of this monitor is kept, whatever [history] says.",
    ),
    key(
        "renamed_from",
        Kind::Name,
        Value("\"\""),
        "Keep the history of a monitor that got a new name.",
    ),
    key(
        "on_redirect_change",
        Kind::Choice(&["record", "alert"]),
        Value("\"record\""),
        "\"alert\": mailed when the chain's URLs or codes differ from those of the last success.",
    )
    .of(HTTP),
    key(
        "locations",
        Kind::Texts,
        Unset("[cluster].locations"),
        "The locations that check it; with [cluster] only.",
    ),
    key(
        "down_when",
        Kind::CountOr(&["majority", "all", "any"]),
        Unset("majority, with [cluster]"),
        "At how many locations it must fail: \"majority\", \"all\", \"any\" or a number; with [cluster] only.",
    ),
    key(
        "on_regional",
        Kind::Choice(&["record", "alert"]),
        Unset("record, with [cluster]"),
        "\"alert\": mailed when it fails at fewer locations; with [cluster] only.",
    ),
];

/// The words that `starttls` takes.
const STARTTLS: [&str; StartTls::ALL.len()] = {
    let mut words = [""; StartTls::ALL.len()];
    let mut index = 0;
    while index < words.len() {
        words[index] = StartTls::ALL[index].as_str();
        index += 1;
    }
    words
};

/// The keys of `basic_auth`.
pub const BASIC_AUTH: &[Key] = &[
    key("username", Kind::Text, Required, "The user's name."),
    key(
        "password",
        Kind::Text,
        Unset("see password_file"),
        "The password, best as \"${NAME}\".",
    ),
    key(
        "password_file",
        Kind::Path,
        Unset("see password"),
        "A file with the password.",
    ),
];

/// The keys of `client_certificate`.
pub const CLIENT_CERTIFICATE: &[Key] = &[
    key(
        "cert_file",
        Kind::Path,
        Required,
        "The certificate chain, leaf first.",
    ),
    key("key_file", Kind::Path, Required, "Its private key."),
];

/// The keys of one entry of `json`.
pub const JSON_TEST: &[Key] = &[
    key("path", Kind::Text, Required, "A JSONPath (RFC 9535)."),
    key(
        "equals",
        Kind::Any,
        Unset("-"),
        "Some node equals this value.",
    ),
    key(
        "exists",
        Kind::Bool,
        Unset("-"),
        "There is (true) or is not (false) a node.",
    ),
    key(
        "matches",
        Kind::Text,
        Unset("-"),
        "Some node, as text, matches this regular expression.",
    ),
    key(
        "less_than",
        Kind::Number,
        Unset("-"),
        "Some node is a number below this.",
    ),
    key(
        "greater_than",
        Kind::Number,
        Unset("-"),
        "Some node is a number above this.",
    ),
];

/// `[[channel]]`
pub const CHANNEL: Section = Section {
    name: "channel",
    form: Form::List,
    doc: "A way beside mail on which alerts leave; `to` names it.",
    keys: &[
        key(
            "name",
            Kind::Text,
            Required,
            "What `to` calls it: unique, without @.",
        ),
        key(
            "format",
            Kind::Choice(&[
                "json",
                "slack",
                "discord",
                "teams",
                "telegram",
                "ntfy",
                "gotify",
                "pushover",
                "pagerduty",
                "opsgenie",
                "matrix",
                "apprise",
                "template",
                "alertmanager",
            ]),
            Required,
            "How a message is written.",
        ),
        key(
            "url",
            Kind::Secret,
            Unset("the service's own, where the format has one"),
            "Where messages go, best as \"${CHANNEL_URL}\": a secret wherever it is shown.",
        ),
        key(
            "url_file",
            Kind::Path,
            Unset("see url"),
            "A file with the URL.",
        ),
        key(
            "urls",
            Kind::Secrets,
            Unset("of alertmanager only"),
            "Every instance of Alertmanager; each gets everything.",
        ),
        key(
            "token",
            Kind::Secret,
            Unset("none"),
            "What the service knows us by, best as \"${CHANNEL_TOKEN}\".",
        ),
        key(
            "token_file",
            Kind::Path,
            Unset("see token"),
            "A file with the token.",
        ),
        key(
            "chat",
            Kind::Secret,
            Unset("none"),
            "Telegram: the chat; Matrix: the room; Pushover: the user key.",
        ),
        key(
            "headers",
            Kind::Headers,
            Value("{}"),
            "Header fields of each request.",
        ),
        key(
            "fields",
            Kind::Any,
            Value("{}"),
            "Laid over the top level of the request's JSON.",
        ),
        key(
            "secret_file",
            Kind::Path,
            Unset("not signed"),
            "json: the key of signatures by Standard Webhooks.",
        ),
        key(
            "body_file",
            Kind::Path,
            Unset("of template only"),
            "The template, over the object of the json format.",
        ),
        key(
            "events",
            Kind::Texts,
            Unset("everything"),
            "What it takes: down, still_down, up, escalated, degraded, redirect_changed, burn, blind, trouble, report.",
        ),
        key(
            "timeout",
            Kind::Span,
            Value("\"30s\""),
            "One whole request.",
        ),
        key(
            "proxy",
            Kind::Proxy,
            Value("\"\""),
            "An http:// proxy; \"environment\" takes HTTP_PROXY, HTTPS_PROXY, NO_PROXY.",
        ),
        key(
            "ca_file",
            Kind::Path,
            Value("\"\""),
            "An extra trust anchor, or the service's certificate itself; PEM or DER.",
        ),
        key(
            "verify_tls",
            Kind::Bool,
            Value("true"),
            "Whether the service's certificate is verified.",
        ),
        key(
            "labels",
            Kind::Headers,
            Value("{}"),
            "alertmanager: labels beside alertname, monitor, instance and severity.",
        ),
    ],
};

/// `[cluster]`
pub const CLUSTER: Section = Section {
    name: "cluster",
    form: Form::Table,
    doc: "Several locations: a hub that decides and tells, and probes that check. Off unless it stands here.",
    keys: &[
        key(
            "role",
            Kind::Choice(&["hub", "probe"]),
            Value("\"hub\""),
            "What this process is. A probe's file has only [cluster], [connectivity], [daemon] and [dns].",
        ),
        key(
            "url",
            Kind::Text,
            Required,
            "The NATS server: tls://HOST:PORT, or nats://HOST:PORT on this machine.",
        ),
        key(
            "credentials_file",
            Kind::Path,
            Unset("-"),
            "A .creds file (JWT and seed), as nsc writes it. Excludes nkey_file.",
        ),
        key(
            "nkey_file",
            Kind::Path,
            Unset("-"),
            "The seed of an nkey, as `sitewatch cluster credentials` writes it.",
        ),
        key(
            "ca_file",
            Kind::Path,
            Unset("-"),
            "An extra trust anchor for the NATS server, PEM.",
        ),
        key(
            "locations",
            Kind::Texts,
            Unset("-"),
            "Hub: the locations that check each monitor. Names of a-z, 0-9 and -, at most 32 characters.",
        ),
        key(
            "location",
            Kind::Text,
            Unset("a hub does not check"),
            "Probe: its location. Hub: it checks too, under this name.",
        ),
        key(
            "standby",
            Kind::Bool,
            Value("false"),
            "Hub: true follows another hub, and takes over when that one is gone.",
        ),
        key(
            "silent_after",
            Kind::Span,
            Value("\"2m\""),
            "Hub: a location that is silent for this long is told once.",
        ),
        key(
            "stream_size",
            Kind::Size,
            Value("\"2GiB\""),
            "Hub: how much the NATS server keeps that the hub has not taken.",
        ),
        key(
            "stream_age",
            Kind::Span,
            Value("\"7d\""),
            "Hub: how long it keeps that.",
        ),
        key(
            "spool_size",
            Kind::Size,
            Value("\"1GiB\""),
            "Probe: how much it keeps that the hub has not taken; then the oldest good checks are given up and counted.",
        ),
        key(
            "share",
            Kind::Text,
            Unset("one probe checks everything"),
            "Probe: \"2/4\" is the second of four that share the monitors of this location.",
        ),
    ],
};

/// `[[escalation]]`
pub const ESCALATION: Section = Section {
    name: "escalation",
    form: Form::List,
    doc: "Who else is told when an outage lasts and nobody acknowledges it.",
    keys: &[
        key(
            "after",
            Kind::Span,
            Required,
            "How old an incident is then, counted from its first failed check.",
        ),
        key(
            "to",
            Kind::Recipients,
            Required,
            "Who is told then, also if they were told before: addresses and channels.",
        ),
        key(
            "monitors",
            Kind::Names,
            Unset("all monitors, where there are no tags either"),
            "The monitors that have this step, by name.",
        ),
        key(
            "tags",
            Kind::Texts,
            Unset("all monitors, where there are no names either"),
            "The monitors that have this step, by tag.",
        ),
    ],
};

/// `[[hours]]`
pub const HOURS: Section = Section {
    name: "hours",
    form: Form::List,
    doc: "When some recipients get their news; at other times it waits for the next of these.",
    keys: &[
        key(
            "to",
            Kind::Recipients,
            Required,
            "Whose hours these are: addresses and channels. Entries of one recipient add up.",
        ),
        key(
            "open",
            Kind::Texts,
            Required,
            "Days (none: all) and times HH:MM-HH:MM in [daemon].timezone; a smaller end is of the next day.",
        ),
    ],
};

/// `[[maintenance]]`
pub const MAINTENANCE: Section = Section {
    name: "maintenance",
    form: Form::List,
    doc: "A window in which checks go on and nothing is mailed.",
    keys: &[
        key(
            "monitors",
            Kind::Names,
            Unset("all monitors, where there are no tags either"),
            "The monitors that it covers, by name.",
        ),
        key(
            "tags",
            Kind::Texts,
            Unset("all monitors, where there are no names either"),
            "The monitors that it covers, by tag.",
        ),
        key(
            "start",
            Kind::Moment,
            Unset("see schedule"),
            "When it begins.",
        ),
        key("end", Kind::Moment, Unset("see schedule"), "When it ends."),
        key(
            "schedule",
            Kind::Cron,
            Unset("see start"),
            "When it begins, again and again (cron, seconds first).",
        ),
        key(
            "duration",
            Kind::Span,
            Unset("see schedule"),
            "How long each lasts, in elapsed time.",
        ),
        key(
            "note",
            Kind::Text,
            Unset("-"),
            "What is being done; the page shows it to everybody.",
        ),
    ],
};

/// `[[objective]]`
pub const OBJECTIVE: Section = Section {
    name: "objective",
    form: Form::List,
    doc: "How much of the time monitors should be up, and the error budget that this leaves.",
    keys: &[
        key(
            "name",
            Kind::Text,
            Required,
            "What reports and messages call it: unique.",
        ),
        key(
            "monitors",
            Kind::Names,
            Unset("all monitors, where there are no tags either"),
            "The monitors that count, by name.",
        ),
        key(
            "tags",
            Kind::Texts,
            Unset("all monitors, where there are no names either"),
            "The monitors that count, by tag.",
        ),
        key(
            "uptime",
            Kind::Number,
            Required,
            "The percentage of the time, above 0 and below 100.",
        ),
        key(
            "period",
            Kind::SpanOr("month"),
            Value("\"30d\""),
            "The time up to now that counts, from 1d to 366d, or the calendar month.",
        ),
        key(
            "on_burn",
            Kind::Choice(&["record", "alert"]),
            Value("\"record\""),
            "\"alert\": told when the budget burns 14.4 times too fast (1 h and 5 min), or 6 times (6 h and 30 min).",
        ),
    ],
};

/// `[[source]]`
pub const SOURCE: Section = Section {
    name: "source",
    form: Form::List,
    doc: "Monitors from a list that another program keeps: one URL a line (\"URL NAME\"), or the JSON of file_sd.",
    keys: &SOURCE_KEYS,
};

/// The keys of `[[source]]` that are about the list.
const LIST_KEYS: &[Key] = &[
    key(
        "file",
        Kind::Path,
        Unset("see url"),
        "A file with the list; it is also read when it changes.",
    ),
    key(
        "url",
        Kind::Url,
        Unset("see file"),
        "Where the list is asked for.",
    ),
    key(
        "token_file",
        Kind::Path,
        Value("\"\""),
        "A file with a bearer token for the list's `url`.",
    ),
    key(
        "refresh",
        Kind::Span,
        Value("\"5m\""),
        "How often the list is read; at least 1s.",
    ),
    key(
        "keep_at_least",
        Kind::Percent,
        Value("\"80%\""),
        "A list that has fewer of the entries before is refused, and the old one stays in force.",
    ),
];

const SOURCE_KEYS_COUNT: usize = LIST_KEYS.len() + MONITOR_KEYS.len() - MONITOR_ONLY.len();

/// The keys of the list and those of all its monitors.
const SOURCE_KEYS: [Key; SOURCE_KEYS_COUNT] = {
    let mut keys = [LIST_KEYS[0]; SOURCE_KEYS_COUNT];
    let mut count = 0;
    while count < LIST_KEYS.len() {
        keys[count] = LIST_KEYS[count];
        count += 1;
    }
    let mut index = 0;
    while index < MONITOR_KEYS.len() {
        if !is_monitor_only(MONITOR_KEYS[index].name) {
            keys[count] = MONITOR_KEYS[index];
            count += 1;
        }
        index += 1;
    }
    keys
};

const fn is_monitor_only(name: &str) -> bool {
    let mut index = 0;
    while index < MONITOR_ONLY.len() {
        if is_same(name.as_bytes(), MONITOR_ONLY[index].as_bytes()) {
            return true;
        }
        index += 1;
    }
    false
}

const fn is_same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut index = 0;
    while index < one.len() {
        if one[index] != other[index] {
            return false;
        }
        index += 1;
    }
    true
}

/// Every section, in the order of documentation.
pub const SECTIONS: [&Section; 18] = [
    &EMAIL,
    &MONITOR,
    &SOURCE,
    &DEFAULTS,
    &DAEMON,
    &HISTORY,
    &DNS,
    &WEB,
    &ALERTS,
    &CONNECTIVITY,
    &REPORT,
    &HEARTBEAT,
    &CLUSTER,
    &CHANNEL,
    &ESCALATION,
    &HOURS,
    &MAINTENANCE,
    &OBJECTIVE,
];

/// The section in which a key is most probably meant: a monitor's, where a monitor has it.
pub fn owner(name: &str) -> Option<&'static Section> {
    std::iter::once(&MONITOR)
        .chain(SECTIONS)
        .find(|section| find(section.keys, name).is_some())
}

/// The key of this name among these.
pub fn find(keys: &'static [Key], name: &str) -> Option<&'static Key> {
    keys.iter().find(|key| key.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_documented() {
        for section in SECTIONS {
            for (index, key) in section.keys.iter().enumerate() {
                assert!(!key.doc.is_empty(), "{}", key.name);
                assert!(
                    section.keys[..index]
                        .iter()
                        .all(|other| other.name != key.name),
                    "{} twice in {}",
                    key.name,
                    section.header()
                );
            }
        }
    }
}
