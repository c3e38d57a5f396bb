//! One monitor that is to be written, and how each of its keys is made to fit.

use std::collections::HashSet;
use std::time::Duration;

use super::toml_writer::{Page, Told, Weight, list, quoted};
use crate::config::read::scalars;
use crate::domain::duration_text::{LONGEST, Written};
use crate::domain::safe_text;

/// What `max_redirects` takes.
const REDIRECTS_MAX: u64 = 50;

/// One monitor to be written: its keys in order, as TOML.
#[derive(Debug, Default)]
pub(super) struct Entry {
    pub(super) name: Option<String>,
    pub(super) url: String,
    pub(super) comments: Vec<String>,
    pub(super) keys: Vec<(&'static str, String)>,
    pub(super) told: Told,
}

impl Entry {
    pub(super) fn new(name: Option<&str>, url: &str) -> Self {
        Self {
            name: name.map(str::to_owned),
            url: url.to_owned(),
            ..Self::default()
        }
    }

    /// A comment above the entry: what needs a hand.
    pub(super) fn comment(&mut self, words: impl Into<String>) {
        self.comments.push(words.into());
    }

    /// A key with a value that is TOML already; a key that is there is replaced.
    pub(super) fn set(&mut self, key: &'static str, value: impl Into<String>) {
        self.keys.retain(|(other, _)| *other != key);
        self.keys.push((key, value.into()));
    }

    pub(super) fn text(&mut self, key: &'static str, value: &str) {
        self.set(key, quoted(value));
    }

    pub(super) fn texts(&mut self, key: &'static str, values: &[String]) {
        // An empty text stands in every body, and is no tag.
        let values: Vec<String> = values
            .iter()
            .filter(|value| !value.is_empty())
            .cloned()
            .collect();
        if !values.is_empty() {
            self.set(key, list(&values));
        }
    }

    pub(super) fn span(&mut self, key: &'static str, span: Duration) {
        // A configuration takes no longer one, and nothing happens after a century.
        self.set(key, format!("\"{}\"", Written(span.min(LONGEST))));
    }

    /// The method in capitals; GET is the default. One that cannot be sent leaves the monitor disabled.
    pub(super) fn method(&mut self, page: &mut Page, method: &str) {
        let method = method.trim().to_ascii_uppercase();
        if method == "GET" {
            return;
        }
        if scalars::method(&method).is_ok() || method.contains("${") {
            self.text("method", &method);
            return;
        }
        let what = format!("the method `{}`; disabled", safe_text::line(&method, 40));
        page.lose(Weight::Unchecked, what, &self.called());
        self.disable("its method cannot be sent");
    }

    /// How many redirects are followed: 0 makes the redirect the answer.
    pub(super) fn redirects(&mut self, page: &mut Page, count: u64) {
        match count {
            0 => self.set("follow_redirects", "false"),
            10 => {}
            count => {
                if count > REDIRECTS_MAX {
                    let what = format!("{count} redirects; at most {REDIRECTS_MAX} are followed");
                    page.lose(Weight::Detail, what, &self.called());
                }
                self.set("max_redirects", count.min(REDIRECTS_MAX).to_string());
            }
        }
    }

    /// The interval, the timeout and the time between confirming checks, each made to fit.
    pub(super) fn timing(
        &mut self,
        page: &mut Page,
        interval: Option<Duration>,
        timeout: Option<Duration>,
        retry_interval: Option<Duration>,
    ) {
        let second = Duration::from_secs(1);
        let interval = interval.map(|interval| interval.max(second));
        if let Some(interval) = interval {
            self.span("interval", interval);
        }
        let longest = interval.unwrap_or(Duration::from_secs(60)).min(LONGEST);
        for (key, span) in [("timeout", timeout), ("retry_interval", retry_interval)] {
            let Some(span) = span.filter(|span| !span.is_zero()) else {
                continue;
            };
            if span > longest {
                let what = format!("a {key} of {}, cut to the interval", Written(span));
                page.lose(Weight::Detail, what, &self.called());
            }
            self.span(key, span.min(longest));
        }
    }

    /// Keeps the monitor, but does not check it: as it is here it would be down for ever.
    pub(super) fn disable(&mut self, why: &str) {
        self.set("enabled", "false");
        self.comment(format!("disabled: {why}"));
    }

    /// Who is told of it.
    pub(super) fn told(&mut self, told: Told) {
        self.told = told;
    }

    /// Request headers.
    pub(super) fn headers(&mut self, page: &mut Page, headers: &[(String, String)]) {
        let mut seen: HashSet<String> = HashSet::new();
        let mut kept = Vec::new();
        for (name, header) in headers {
            let is_right =
                scalars::header_name(name).is_ok() && scalars::header_value(header).is_ok();
            if !is_right || !seen.insert(name.to_ascii_lowercase()) {
                let what = format!("the header `{}`", safe_text::line(name, 80));
                page.lose(Weight::Verdict, what, &self.called());
                continue;
            }
            kept.push(format!("{} = {}", quoted(name), quoted(header)));
        }
        if !kept.is_empty() {
            self.set("headers", format!("{{ {} }}", kept.join(", ")));
        }
    }

    /// Leaves a login out of the URL where a header or `basic_auth` has another one: Go's clients and curl send that.
    pub(super) fn keep_one_login(&mut self, page: &mut Page) {
        let is_login = |(key, value): &(&str, String)| match *key {
            "basic_auth" => true,
            "headers" => value.to_ascii_lowercase().contains("\"authorization\" = "),
            _ => false,
        };
        let Some(authority) = self.url.find("://").map(|scheme| scheme + 3) else {
            return;
        };
        let rest = &self.url[authority..];
        let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let Some(at) = rest[..end].rfind('@') else {
            return;
        };
        if self.keys.iter().any(is_login) {
            self.url.replace_range(authority..=authority + at, "");
            let what = "the login in the URL; the one of the headers or of basic_auth is sent";
            page.lose(Weight::Verdict, what, &self.called());
        }
    }

    /// How it is called in messages.
    pub(super) fn called(&self) -> String {
        let called = self.name.as_deref().unwrap_or(&self.url);
        super::super::diagnostic::redact::sentence(&safe_text::line(called, 200)).into_owned()
    }
}
