//! A file in another tool's format, given by mistake: which it is, and which importer reads it.

use std::ops::Range;
use std::path::Path;

use crate::config::diagnostic::messages::command_word;
use crate::config::diagnostic::problem::Fault;
use crate::config::keys;
use crate::config::read::table::place;

/// So much of a file tells its format.
const BYTES_LOOKED_AT: usize = 64 * 1024;
/// Longer JSON is not parsed to be recognised.
const JSON_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What a file turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Foreign {
    /// Fits after "this is": `YAML`.
    format: &'static str,
    tool: Tool,
    /// The bytes that tell.
    at: Range<usize>,
}

/// Whose configuration it seems to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tool {
    /// One that `sitewatch import` reads: its format's name, and the words after "is it".
    Known(&'static str, &'static str),
    /// Targets for Prometheus, which are given beside blackbox.yml.
    Targets,
    /// Nobody's that is known; what to do instead.
    Other(&'static str),
}

const GATUS: Tool = Tool::Known("gatus", "Gatus' configuration");
const KUMA: Tool = Tool::Known("uptime-kuma", "Uptime Kuma's export");
const KUMA_DATABASE: Tool = Tool::Known("uptime-kuma", "Uptime Kuma's kuma.db");
const BLACKBOX: Tool = Tool::Known("blackbox", "blackbox_exporter's blackbox.yml");
const PROMETHEUS: Tool = Tool::Known("blackbox", "Prometheus' prometheus.yml");
const UPPTIME: Tool = Tool::Known("upptime", "Upptime's .upptimerc.yml");
const CSV: Tool = Tool::Known(
    "csv",
    "an export of UptimeRobot, StatusCake or a spreadsheet",
);
const SITEMAP: Tool = Tool::Known("sitemap", "a sitemap.xml");
const URLS: Tool = Tool::Known("urls", "a list of sites to watch");
const NGINX: Tool = Tool::Known("nginx", "nginx' configuration");
const CADDY: Tool = Tool::Known("caddy", "a Caddyfile");
const TRAEFIK: Tool = Tool::Known(
    "traefik",
    "Traefik's configuration or a compose file with its labels",
);
const NOTHING: Tool = Tool::Other(
    "`sitewatch config example` prints a monitors.toml; `sitewatch import --help` lists what can be imported",
);

/// The fault for a file that is no text at all.
pub(in crate::config) fn of_bytes(shown: &str, bytes: &[u8]) -> Option<Fault> {
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    let wide = |at: usize| {
        bytes
            .iter()
            .skip(at)
            .step_by(2)
            .take(16)
            .all(|byte| *byte == 0)
    };
    let (what, help) = if starts(b"SQLite format 3\0") {
        ("a SQLite database", hint(shown, KUMA_DATABASE))
    } else if starts(b"\xff\xfe") || starts(b"\xfe\xff") || bytes.len() >= 8 && wide(0) != wide(1) {
        ("UTF-16", "save it as UTF-8".to_owned())
    } else if starts(b"PK\x03\x04") {
        (
            "a ZIP archive",
            "is it a spreadsheet (.xlsx)? Save it as CSV, then `sitewatch import csv FILE > monitors.toml`"
                .to_owned(),
        )
    } else if starts(b"\x1f\x8b") {
        ("compressed by gzip", "unpack it first: gunzip".to_owned())
    } else {
        return None;
    };
    Some(Fault::nowhere(
        format!("`{shown}` is {what}, not a TOML file in UTF-8"),
        help,
    ))
}

/// The fault for a text that is no TOML but something else that is known.
pub(in crate::config) fn of_text(shown: &str, file: u32, text: &str) -> Option<Fault> {
    let found = recognised(text)?;
    let start = found.at.start;
    let end = found.at.end.max(start + 1).min(text.len());
    Some(Fault::new(
        place(file, start..end),
        format!("this is {}, not TOML", found.format),
        hint(shown, found.tool),
    ))
}

/// What is said of a section that another tool's TOML begins.
pub(in crate::config) fn of_section(shown: &str, name: &str) -> Option<String> {
    match name {
        "http" | "tcp" | "udp" | "entryPoints" | "entrypoints" | "providers" => {
            Some(hint(shown, TRAEFIK))
        }
        _ => None,
    }
}

fn hint(shown: &str, tool: Tool) -> String {
    let (format, called) = match tool {
        Tool::Known(format, called) => (format, called),
        Tool::Targets => {
            let (rename, shown) = renamed(shown, "targets");
            return format!(
                "are these targets for Prometheus? {rename}`sitewatch import blackbox blackbox.yml --targets {shown} > monitors.toml`"
            );
        }
        Tool::Other(words) => return words.to_owned(),
    };
    let (rename, shown) = renamed(shown, format);
    format!("is it {called}? {rename}`sitewatch import {format} {shown} > monitors.toml`")
}

/// What is to be done before the import, and the file's name then: where it is called as the result is, the shell
/// would empty it before it is read.
fn renamed(shown: &str, format: &str) -> (String, String) {
    let word = command_word(shown);
    match Path::new(shown).file_name() {
        Some(name) if name == "monitors.toml" => {
            let other = format!("{format}.old");
            (format!("Rename it: `mv {word} {other}`, then "), other)
        }
        Some(_) | None => (String::new(), word),
    }
}

/// The lines that say something: no blank one, none of a comment; each with its bytes, trimmed at its end.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    text.split_inclusive('\n')
        .map(move |line| {
            let start = at;
            at += line.len();
            (start, line.trim_end())
        })
        .filter(|(_, line)| {
            let line = line.trim_start();
            !line.is_empty() && !line.starts_with('#')
        })
}

fn recognised(text: &str) -> Option<Foreign> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let head = &text[..text.floor_char_boundary(BYTES_LOOKED_AT)];
    if lines(head).any(|(_, line)| is_own_header(line)) {
        return None;
    }
    let (start, first) = lines(head).next()?;
    let indent = first.len() - first.trim_start().len();
    let at = start + indent..start + first.len();
    let (format, tool) = json(text)
        .or_else(|| markup(head))
        .or_else(|| server(head))
        .or_else(|| listed(head))?;
    let at = match tool_key(head, tool) {
        Some(key) => key,
        None => at,
    };
    Some(Foreign { format, tool, at }).filter(|found| found.at.start < text.len())
}

/// `[[monitor]]`, `[email]`: somebody meant a file for us.
fn is_own_header(line: &str) -> bool {
    let Some(name) = line.trim_start().strip_prefix('[') else {
        return false;
    };
    let name = name.trim_start_matches('[');
    let Some((name, _)) = name.split_once(']') else {
        return false;
    };
    keys::SECTIONS
        .iter()
        .any(|section| section.name == name.trim())
}

/// Where the key stands that tells the tool, to be shown.
fn tool_key(head: &str, tool: Tool) -> Option<Range<usize>> {
    let names: &[&str] = match tool {
        Tool::Known("gatus", _) => &["endpoints", "\"endpoints\""],
        Tool::Known("uptime-kuma", _) => &["\"monitorList\""],
        Tool::Known("blackbox", _) => &["scrape_configs", "modules"],
        Tool::Known("upptime", _) => &["sites"],
        _ => return None,
    };
    lines(head).find_map(|(start, line)| {
        let word = line.trim_start();
        let indent = line.len() - word.len();
        let name = names.iter().find(|name| {
            word.strip_prefix(**name)
                .is_some_and(|rest| rest.trim_start().starts_with(':'))
        })?;
        Some(start + indent..start + indent + name.len())
    })
}

fn json(text: &str) -> Option<(&'static str, Tool)> {
    let trimmed = text.trim_start();
    let inner = trimmed.get(1..).unwrap_or("").trim_start();
    let looks_like = match trimmed.as_bytes().first() {
        Some(b'{') => inner.is_empty() || inner.starts_with(['"', '}']),
        Some(b'[') => {
            inner.starts_with(['{', '"']) && !trimmed.contains("]\n[") || inner.starts_with('{')
        }
        _ => false,
    };
    if !looks_like {
        return None;
    }
    let has = |name: &str| trimmed.contains(&format!("\"{name}\""));
    let is_parsed = trimmed.len() <= JSON_BYTES_MAX
        && serde_json::from_str::<serde_json::Value>(trimmed).is_ok();
    // `["a"]` begins a table of TOML.
    if trimmed.starts_with("[\"") && !is_parsed {
        return None;
    }
    let tool = if has("monitorList") || has("notificationList") || has("accepted_statuscodes") {
        KUMA
    } else if has("scrape_configs") {
        PROMETHEUS
    } else if has("endpoints") {
        GATUS
    } else if has("modules") && has("prober") {
        BLACKBOX
    } else if has("targets") {
        Tool::Targets
    } else if has("sites") {
        UPPTIME
    } else if has("apps") && has("servers") {
        Tool::Other(
            "is it Caddy's JSON? `sitewatch import caddy` reads the Caddyfile it was made from",
        )
    } else if has("routers") {
        TRAEFIK
    } else {
        NOTHING
    };
    Some(("JSON", tool))
}

/// `<..>`
fn markup(head: &str) -> Option<(&'static str, Tool)> {
    let (_, first) = lines(head).next()?;
    if !first.trim_start().starts_with('<') {
        return None;
    }
    let lower = head.to_ascii_lowercase();
    let has = |word: &str| lower.contains(word);
    Some(
        if has("<virtualhost") || has("<ifmodule") || has("servername ") {
            (
                "Apache's configuration",
                Tool::Other(
                    "Apache's files cannot be imported; `sitewatch import urls FILE > monitors.toml` takes its server names, one per line",
                ),
            )
        } else if has("<urlset") || has("<sitemapindex") {
            ("XML", SITEMAP)
        } else if has("<!doctype html") || has("<html") {
            (
                "an HTML page",
                Tool::Other(
                    "was a page saved in place of the file? `sitewatch config example` prints a monitors.toml",
                ),
            )
        } else {
            ("XML", NOTHING)
        },
    )
}

/// Web servers, other monitors, and files of `key: value` in YAML.
fn server(head: &str) -> Option<(&'static str, Tool)> {
    let first_words = || {
        lines(head).map(|(_, line)| line.trim_start()).map(|line| {
            let word = line.split([' ', '\t', '{']).next().unwrap_or("");
            (word, line)
        })
    };
    let has_word = |words: &[&str]| first_words().any(|(word, _)| words.contains(&word));
    let opens = |word: &str| {
        first_words()
            .any(|(first, line)| first == word && line[first.len()..].trim_start().starts_with('{'))
    };
    let ends_in_semicolon = first_words().any(|(_, line)| line.ends_with(';'));
    if opens("server") || (opens("http") || opens("events")) && ends_in_semicolon {
        return Some(("a web server's configuration", NGINX));
    }
    let braces = first_words().any(|(word, line)| {
        line.ends_with('{')
            && (word.contains(['.', ':']) || word == "localhost" || line == "{")
            && !word.contains('=')
    });
    if braces
        && has_word(&[
            "reverse_proxy",
            "file_server",
            "root",
            "respond",
            "redir",
            "php_fastcgi",
            "tls",
            "encode",
            "handle",
            "import",
            "email",
            "header",
            "log",
        ])
    {
        return Some(("a web server's configuration", CADDY));
    }
    if has_word(&["<VirtualHost", "ServerName", "ServerRoot"]) {
        return markup(&format!("<\n{head}"));
    }
    if first_words().any(|(word, line)| word == "define" && line.ends_with('{'))
        || first_words().any(|(word, line)| word == "object" && line.ends_with('{'))
    {
        let words = "Nagios' and Icinga's files cannot be imported; `sitewatch import urls FILE > monitors.toml` takes a list of URLs";
        return Some(("the configuration of Nagios or Icinga", Tool::Other(words)));
    }
    if first_words().any(|(word, line)| word == "check" && line.contains(" with address ")) {
        let words = "monit's files cannot be imported; `sitewatch import urls FILE > monitors.toml` takes a list of URLs";
        return Some(("monit's configuration", Tool::Other(words)));
    }
    yaml(head).map(|tool| ("YAML", tool))
}

/// Begins or ends a document of YAML.
fn is_mark(line: &str) -> bool {
    line == "---" || line == "..." || line.starts_with("%YAML")
}

fn yaml(head: &str) -> Option<Tool> {
    let is_key = |line: &str| {
        let line = line.trim_start().trim_start_matches("- ").trim_start();
        let Some((key, rest)) = line.split_once(':') else {
            return false;
        };
        let key = key.trim_matches(['"', '\'']);
        let is_word = !key.is_empty()
            && key
                .chars()
                .all(|c| c.is_alphanumeric() || "_-./ ${}".contains(c));
        is_word && (rest.is_empty() || rest.starts_with([' ', '\t']))
    };
    let is_item = |line: &str| {
        let line = line.trim_start();
        line.starts_with("- ") || line == "-"
    };
    let said = || {
        lines(head)
            .map(|(_, line)| line)
            .filter(|line| !is_mark(line))
    };
    let first = said().next()?;
    if !is_key(first) && !is_item(first) {
        return None;
    }
    let assigned = said()
        .filter(|line| {
            let (name, rest) = line.split_once('=').unwrap_or((line, ""));
            !rest.is_empty() && !name.contains([':', '"']) && !is_item(line)
        })
        .count();
    let keyed = said().filter(|line| is_key(line) || is_item(line)).count();
    if assigned * 2 > keyed {
        return None;
    }
    Some(yaml_tool(head))
}

/// Whose YAML it is.
fn yaml_tool(head: &str) -> Tool {
    let said = || {
        lines(head)
            .map(|(_, line)| line)
            .filter(|line| !is_mark(line))
    };
    let is_item = |line: &str| line.trim_start().starts_with("- ");
    let first = said().next().unwrap_or("");
    let top = |name: &str| {
        said().any(|line| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.trim_start().starts_with(':'))
        })
    };
    let anywhere = |name: &str| {
        said().any(|line| {
            let line = line.trim_start().trim_start_matches("- ");
            line.strip_prefix(name)
                .is_some_and(|rest| rest.trim_start().starts_with(':'))
        })
    };
    let is_resource = top("apiVersion") && top("kind");
    let has = |name: &str| top(name) || is_resource && anywhere(name);
    if has("scrape_configs") {
        PROMETHEUS
    } else if has("endpoints") || has("external-endpoints") {
        GATUS
    } else if has("modules") {
        BLACKBOX
    } else if has("sites") {
        UPPTIME
    } else if head.contains("traefik.")
        || anywhere("routers")
        || is_resource && (anywhere("rules") || head.contains("Host("))
    {
        TRAEFIK
    } else if first.trim_start().starts_with("- targets") {
        Tool::Targets
    } else if top("alerting") && (top("ui") || top("storage") || top("web")) {
        GATUS
    } else if said().all(|line| {
        is_item(line)
            && is_address(
                line.trim_start()
                    .trim_start_matches("- ")
                    .trim_matches(['"', '\'']),
            )
    }) {
        URLS
    } else {
        NOTHING
    }
}

/// URLs or host names, a table, an INI file, a file of variables, a program.
fn listed(head: &str) -> Option<(&'static str, Tool)> {
    let (_, first) = lines(head).next()?;
    if head.starts_with("#!") {
        return Some(("a program", NOTHING));
    }
    if lines(head).all(|(_, line)| is_address(line.trim())) {
        return Some(("a list of URLs", URLS));
    }
    let columns = |separator: char| -> Vec<String> {
        first
            .split(separator)
            .map(|name| name.trim().trim_matches('"').to_ascii_lowercase())
            .collect()
    };
    let is_head = |names: &[String]| {
        names.len() > 1
            && names.iter().any(|name| {
                [
                    "url", "host", "website", "address", "domain", "link", "target", "uri",
                ]
                .iter()
                .any(|word| name.split([' ', '/', '_', '-']).any(|part| part == *word))
            })
            && names.iter().all(|name| !name.contains(['=', '[', '{']))
    };
    if [',', ';', '\t', '|']
        .iter()
        .any(|separator| is_head(&columns(*separator)))
    {
        return Some(("a table (CSV)", CSV));
    }
    let value_of = |line: &str| {
        line.split_once('=')
            .map(|(_, value)| value.trim().to_owned())
    };
    let is_bare = |value: &str| {
        !value.is_empty()
            && !value.starts_with(['"', '\'', '[', '{'])
            && value.parse::<f64>().is_err()
            && !matches!(value, "true" | "false")
    };
    let is_header = |line: &str| line.starts_with('[') && line.ends_with(']');
    let mut values = 0;
    for (_, line) in lines(head) {
        let line = line.trim_start();
        if line.starts_with(';') || is_header(line) {
            continue;
        }
        match value_of(line.trim_start_matches("export ")) {
            Some(value) if is_bare(&value) || value.parse::<f64>().is_ok() => values += 1,
            _ => return None,
        }
    }
    if values < 2 {
        return None;
    }
    if lines(head).any(|(_, line)| is_header(line)) {
        let words = "in TOML texts need quotes and comments begin with `#`; `sitewatch config example` prints a monitors.toml";
        return Some(("an INI file", Tool::Other(words)));
    }
    let is_upper = |line: &str| {
        let name = line
            .trim_start_matches("export ")
            .split('=')
            .next()
            .unwrap_or("");
        !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    };
    lines(head).all(|(_, line)| is_upper(line.trim())).then_some((
        "a file of environment variables",
        Tool::Other(
            "in TOML texts need quotes; the variables of such a file are used as \"${NAME}\" in monitors.toml",
        ),
    ))
}

/// A URL or a host name, and nothing else.
fn is_address(line: &str) -> bool {
    let rest = match line.split_once("://") {
        Some((scheme, rest)) if scheme.chars().all(|c| c.is_ascii_alphanumeric()) => {
            return !rest.is_empty() && !rest.contains([' ', '"']) && !scheme.is_empty();
        }
        Some(_) => return false,
        None => line,
    };
    let host = rest.split(['/', ':']).next().unwrap_or("");
    host.contains('.')
        && !host.starts_with('.')
        && !host.ends_with('.')
        && host
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '.' | '-'))
        && !rest.contains(['=', ' ', '"', '[', '{'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &str) {
        let said = of_text("old.yml", 0, text).map_or_else(String::new, |fault| {
            format!("{}: {}", fault.message, fault.label)
        });
        let want = want.to_owned();
        assert!(
            if want.is_empty() {
                said.is_empty()
            } else {
                said.contains(&want)
            },
            "{text}\n{said}\nwanted {want}"
        );
    }

    #[test]
    fn other_tools_files_are_recognised() {
        for (text, want) in [
            (
                "endpoints:\n  - name: a\n    url: x\n",
                "this is YAML, not TOML: is it Gatus' configuration? `sitewatch import gatus old.yml > monitors.toml`",
            ),
            (
                "# Gatus\n---\nalerting:\n  email:\n    to: x\nendpoints:\n- name: a\n",
                "import gatus",
            ),
            (
                "apiVersion: v1\nkind: ConfigMap\ndata:\n  config.yaml: |\n    endpoints:\n      - name: a\n",
                "import gatus",
            ),
            (
                "modules:\n  http_2xx:\n    prober: http\n",
                "import blackbox",
            ),
            (
                "global:\n  scrape_interval: 15s\nscrape_configs:\n  - job_name: x\n",
                "Prometheus' prometheus.yml? `sitewatch import blackbox old.yml",
            ),
            (
                "- targets:\n    - https://a.example/\n",
                "--targets old.yml",
            ),
            (
                "owner: o\nrepo: r\nsites:\n  - name: a\n    url: x\n",
                "import upptime",
            ),
            (
                "services:\n  web:\n    labels:\n      - \"traefik.http.routers.x.rule=Host(`a.example`)\"\n",
                "import traefik",
            ),
            (
                "http:\n  routers:\n    x:\n      rule: y\n",
                "import traefik",
            ),
            (
                "- https://a.example/\n- https://b.example/\n",
                "import urls",
            ),
            (
                "a: 1\nb: 2\n",
                "this is YAML, not TOML: `sitewatch config example`",
            ),
            (
                "{\"version\": \"1\", \"monitorList\": []}",
                "this is JSON, not TOML: is it Uptime Kuma's export? `sitewatch import uptime-kuma",
            ),
            ("{\n  \"endpoints\": [\n", "import gatus"),
            (
                "[\n  {\"targets\": [\"https://a.example\"]}\n]\n",
                "--targets",
            ),
            ("{\"monitors\": [{\"url\": \"x\"}]}", "this is JSON"),
            ("{}", "this is JSON"),
            (
                "<?xml version=\"1.0\"?>\n<urlset>\n</urlset>\n",
                "this is XML, not TOML: is it a sitemap.xml? `sitewatch import sitemap",
            ),
            ("<!DOCTYPE html>\n<html></html>\n", "this is an HTML page"),
            (
                "<VirtualHost *:80>\n  ServerName a.example\n</VirtualHost>\n",
                "Apache's configuration",
            ),
            (
                "server {\n  listen 80;\n  server_name a.example;\n}\n",
                "import nginx",
            ),
            (
                "server{listen 80; server_name a.example;}\n",
                "import nginx",
            ),
            (
                "worker_processes 1;\nevents { }\nhttp {\n  include sites-enabled/*;\n}\n",
                "import nginx",
            ),
            (
                "user www-data;\nhttp {\n  server {\n    server_name a.example;\n  }\n}\n",
                "import nginx",
            ),
            (
                "a.example {\n  reverse_proxy localhost:80\n}\n",
                "import caddy",
            ),
            (
                "{\n  email me@a.example\n}\na.example {\n  file_server\n}\n",
                "import caddy",
            ),
            (
                "https://a.example/\nhttps://b.example/x\n",
                "this is a list of URLs, not TOML: is it a list of sites to watch? `sitewatch import urls",
            ),
            ("a.example\nb.example\n", "import urls"),
            (
                "Friendly Name,URL/IP,Type\nShop,https://a.example/,HTTP\n",
                "import csv",
            ),
            ("name;url\nShop;https://a.example/\n", "import csv"),
            (
                "; x\n[shop]\nurl = https://a.example/\ninterval = 60\n",
                "this is an INI file",
            ),
            (
                "URL=https://a.example/\nTOKEN=abc\n",
                "environment variables",
            ),
            ("define host {\n  host_name a\n}\n", "Nagios"),
            (
                "check host a with address b\n  if failed port 80 then alert\n",
                "monit",
            ),
        ] {
            check(text, want);
        }
    }

    #[test]
    fn what_was_meant_for_us_is_left_to_the_parser() {
        for text in [
            "[[monitor]]\nurl: \"https://a.example/\"\n",
            "[email]\nhost = smtp.example.com\nfrom = a@b.example\n",
            "# only a comment\n",
            "interval = 60s\n",
            "[\"a\"]\nb = \"c\"\n",
            "url = \"https://a.example/\n",
            "",
        ] {
            check(text, "");
        }
    }

    #[test]
    fn what_is_no_text_is_recognised() {
        let said = |bytes: &[u8]| of_bytes("x", bytes).map(|fault| fault.message);
        assert_eq!(
            said(b"SQLite format 3\0\x10").unwrap(),
            "`x` is a SQLite database, not a TOML file in UTF-8"
        );
        assert!(said(b"\xff\xfe[\0[\0").unwrap().contains("UTF-16"));
        assert!(said(b"[\0[\0m\0o\0n\0").unwrap().contains("UTF-16"));
        assert!(said(b"PK\x03\x04").unwrap().contains("ZIP"));
        assert!(said(b"\x1f\x8b\x08").unwrap().contains("gzip"));
        assert_eq!(said(b"[[monitor]]\n"), None);
        let named = of_bytes("etc/monitors.toml", b"SQLite format 3\0").unwrap();
        assert!(named.help.contains("Rename it"), "{}", named.help);
    }
}
