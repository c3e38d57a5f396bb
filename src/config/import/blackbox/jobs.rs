//! blackbox_exporter's modules, with the targets of a `prometheus.yml`.

use std::time::Duration;

use serde_json::Value;

use super::hosts;
use super::http;
use super::relabel::{Labels, Relabelled, relabel};
use super::resources;
use super::tcp;
use crate::config::import::documents::documents;
use crate::config::import::go_duration;
use crate::config::import::name_servers;
use crate::config::import::toml_writer::{
    Beside, Entry, ImportError, Imported, Page, Source, Weight, literal,
};
use crate::config::import::yaml::{self, pairs_of, text_at, texts_of};

/// What the files are known by, inside a wrapper.
const KEYS: [&str; 2] = ["modules", "scrape_configs"];

/// The module that blackbox_exporter takes when none is named.
const DEFAULT_MODULE: &str = "http_2xx";

/// What Prometheus takes when no interval is written.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(60);

/// What it takes when no timeout is written, unless the interval is shorter.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads the modules of blackbox_exporter and the targets that Prometheus gives them. Without modules (the sources are
/// the `prometheus.yml` itself, or a list of targets) each target is checked with the defaults.
///
/// # Errors
/// When a text is no YAML, or neither modules nor targets are there.
pub fn blackbox(
    sources: &[Source],
    targets: &[Source],
    beside: Beside<'_>,
) -> Result<Imported, ImportError> {
    let mut found = documents(sources, &KEYS)?;
    found.append(&mut documents(targets, &KEYS)?);
    let mut modules = serde_json::Map::new();
    let mut jobs: Vec<Value> = Vec::new();
    let mut page = Page::new("blackbox");
    page.follow_anywhere();
    for file in split_files(&mut page, &found, beside) {
        found.push(file);
    }
    for document in &found {
        if let Some(Value::Object(own)) = document.get("modules") {
            modules.extend(own.clone());
        }
        jobs.extend(scrape_jobs(document));
        if document.get("rule_files").is_some() {
            page.lose_all(
                Weight::Told,
                "alert rules: when somebody is told; a monitor is down after 3 failures here, and `to` says who hears of it",
            );
        }
    }
    let raw: Vec<Value> = raw_documents(sources)
        .chain(raw_documents(targets))
        .collect();
    for document in &raw {
        jobs.extend(resources::probe(&mut page, document));
        jobs.extend(resources::chart(document));
        jobs.extend(target_list(document));
    }
    if modules.is_empty() && jobs.is_empty() {
        return Err(ImportError::Nothing(
            "there are no `modules` and no `scrape_configs`: is this blackbox_exporter's file?"
                .to_owned(),
        ));
    }
    let mut import = Import {
        page,
        modules,
        used: Vec::new(),
        beside,
        has_targets: !jobs.is_empty(),
    };
    for job in &jobs {
        import.job(job);
    }
    Ok(import.finish())
}

fn raw_documents(sources: &[Source]) -> impl Iterator<Item = Value> {
    sources
        .iter()
        .flat_map(|source| yaml::parse(&source.text).unwrap_or_default())
}

/// The jobs of a `prometheus.yml`, each with the times that hold for all where it has none of its own.
fn scrape_jobs(document: &Value) -> Vec<Value> {
    let own = document.get("scrape_configs").and_then(Value::as_array);
    let mut jobs = own.cloned().unwrap_or_default();
    for job in jobs.iter_mut().filter_map(Value::as_object_mut) {
        for key in ["scrape_interval", "scrape_timeout"] {
            let of_all = document
                .get("global")
                .and_then(|global| global.get(key))
                .cloned();
            if job.get(key).is_none_or(Value::is_null)
                && let Some(of_all) = of_all
            {
                job.insert(key.to_owned(), of_all);
            }
        }
    }
    jobs
}

/// The documents of `scrape_config_files`.
fn split_files(page: &mut Page, documents: &[Value], beside: Beside<'_>) -> Vec<Value> {
    let mut found = Vec::new();
    for document in documents {
        let patterns = document.get("scrape_config_files").map(texts_of);
        for pattern in patterns.unwrap_or_default() {
            let files = beside(&pattern);
            if files.is_empty() {
                let what = format!("the jobs of `{pattern}`, which is not here");
                page.lose_all(Weight::Unchecked, what);
            }
            for file in files {
                for mut inner in yaml::parse(&file.text).unwrap_or_default() {
                    if let (Some(inner), Some(global)) =
                        (inner.as_object_mut(), document.get("global"))
                    {
                        inner.insert("global".to_owned(), global.clone());
                    }
                    found.push(inner);
                }
            }
        }
    }
    found
}

/// A list of file_sd given by itself.
fn target_list(document: &Value) -> Option<Value> {
    let groups = document.as_array()?;
    if groups.is_empty() || !groups.iter().all(|group| group.get("targets").is_some()) {
        return None;
    }
    Some(serde_json::json!({ "metrics_path": "/probe", "static_configs": groups }))
}

struct Import<'a> {
    page: Page,
    modules: serde_json::Map<String, Value>,
    used: Vec<String>,
    beside: Beside<'a>,
    has_targets: bool,
}

impl Import<'_> {
    fn finish(mut self) -> Imported {
        for (name, module) in &self.modules {
            if self.used.contains(name) {
                continue;
            }
            let prober = text_at(module, "prober").unwrap_or_default();
            let hint = match self.has_targets {
                true => "",
                false => "; give them with --targets prometheus.yml",
            };
            let what = format!("the module `{name}` ({prober}) has no targets{hint}");
            self.page.lose_all(Weight::Detail, what);
        }
        self.page.finish()
    }

    /// A job, if it asks blackbox_exporter; others (of snmp_exporter, say) have modules too.
    fn job(&mut self, job: &Value) {
        let path = text_at(job, "metrics_path").unwrap_or_default();
        let named = job
            .pointer("/params/module")
            .map(texts_of)
            .unwrap_or_default();
        let is_known = named.iter().any(|name| self.modules.contains_key(name));
        let is_probe = path.trim_end_matches('/').ends_with("/probe");
        let asks_by_default = is_known && path.is_empty();
        if !(is_probe || asks_by_default) {
            return;
        }
        let job_name = text_at(job, "job_name").unwrap_or_default();
        for extra in named.iter().skip(1) {
            let what = format!(
                "the module `{extra}` of the job `{job_name}`: blackbox_exporter takes the first of several"
            );
            self.used.push(extra.clone());
            self.page.lose_all(Weight::Detail, what);
        }
        self.elsewhere(job, &job_name);
        let span = |key: &str| text_at(job, key).and_then(|text| go_duration::parse(&text));
        let interval = span("scrape_interval").unwrap_or(DEFAULT_INTERVAL);
        let scrape = span("scrape_timeout").unwrap_or(DEFAULT_TIMEOUT.min(interval));
        // blackbox_exporter leaves itself half a second to answer.
        let timeout = scrape.saturating_sub(Duration::from_millis(500));
        for group in self.groups(job) {
            let own = group.get("labels").map(pairs_of).unwrap_or_default();
            for target in group.get("targets").map(texts_of).unwrap_or_default() {
                self.target(job, &job_name, (interval, timeout), &target, &own);
            }
        }
    }

    /// Targets that something else than this file knows.
    fn elsewhere(&mut self, job: &Value, job_name: &str) {
        let Value::Object(keys) = job else { return };
        for key in keys.keys() {
            if key.ends_with("_sd_configs") && key != "file_sd_configs" {
                let what = format!("the targets of {key} in the job `{job_name}`");
                self.page.lose_all(Weight::Unchecked, what);
            }
        }
    }

    /// Groups of targets with labels: those that stand here, and those of files.
    fn groups(&mut self, job: &Value) -> Vec<Value> {
        let list = |key: &str| job.get(key).and_then(Value::as_array).cloned();
        let mut groups = list("static_configs").unwrap_or_default();
        for config in list("file_sd_configs").unwrap_or_default() {
            for pattern in config.get("files").map(texts_of).unwrap_or_default() {
                let files = (self.beside)(&pattern);
                if files.is_empty() {
                    let what = format!("the targets of file_sd `{pattern}`, which is not here");
                    self.page.lose_all(Weight::Unchecked, what);
                }
                for file in files {
                    match yaml::parse(&file.text) {
                        Ok(documents) => groups.extend(
                            documents
                                .into_iter()
                                .filter_map(|document| document.as_array().cloned())
                                .flatten(),
                        ),
                        Err(error) => self.page.lose_all(
                            Weight::Unchecked,
                            format!("the targets of `{}`: {error}", file.name),
                        ),
                    }
                }
            }
        }
        groups
    }

    fn target(
        &mut self,
        job: &Value,
        job_name: &str,
        (interval, longest): (Duration, Duration),
        target: &str,
        own: &[(String, String)],
    ) {
        let mut labels: Labels = own.iter().cloned().collect();
        labels.insert("job".to_owned(), job_name.to_owned());
        labels.insert("__address__".to_owned(), target.to_owned());
        if let Some(Value::Object(parameters)) = job.get("params") {
            for (name, values) in parameters {
                if let Some(first) = texts_of(values).into_iter().next() {
                    labels.insert(format!("__param_{name}"), first);
                }
            }
        }
        let rules = job.get("relabel_configs").and_then(Value::as_array);
        let labels = match relabel(labels, rules.map_or(&[], Vec::as_slice)) {
            Relabelled::Kept(labels) => labels,
            Relabelled::Dropped => return,
            Relabelled::Unknown(action) => {
                let what = format!("not checked (relabelling by `{action}`)");
                self.page.lose(Weight::Unchecked, what, target);
                return;
            }
        };
        let asked = labels.get("__param_target").map_or(target, String::as_str);
        let name = labels
            .get("__param_module")
            .map_or(DEFAULT_MODULE, String::as_str);
        self.used.push(name.to_owned());
        let module = self.modules.get(name).cloned();
        let prober = module
            .as_ref()
            .and_then(|module| text_at(module, "prober"))
            .unwrap_or_else(|| prober_by_name(name).to_owned());
        let of = |part: &str| module.as_ref().and_then(|module| module.get(part));
        let of_tcp = of("tcp");
        let url = match prober.as_str() {
            "tcp" => Ok(tcp::url_of(asked, of_tcp)),
            "icmp" => Ok(literal(&name_servers::ping(asked))),
            "dns" => hosts::dns_url(asked, of("dns")),
            "http" if asked.contains("://") => Ok(literal(asked)),
            "http" => Ok(format!("http://{}", literal(asked))),
            other => Err(format!(
                "not checked ({other}; there are no monitors of that kind)"
            )),
        };
        let url = match url {
            Ok(url) => url,
            Err(what) => {
                self.page.lose(Weight::Unchecked, what, asked);
                return;
            }
        };
        if module.is_none() && !self.modules.is_empty() {
            let what = format!("the module `{name}` is not defined; checked with the defaults");
            self.page.lose(Weight::Verdict, what, asked);
        }
        let mut entry = Entry::new(None, &url);
        let mut tags = vec![literal(job_name)];
        tags.extend(
            own.iter()
                .filter(|(label, _)| !label.starts_with("__"))
                .map(|(label, value)| literal(&format!("{label}:{value}"))),
        );
        tags.retain(|tag| !tag.is_empty());
        entry.texts("tags", &tags);
        let timeout = module
            .as_ref()
            .and_then(|module| text_at(module, "timeout"))
            .and_then(|text| go_duration::parse(&text))
            .filter(|timeout| !timeout.is_zero());
        let timeout = timeout.map_or(longest, |timeout| timeout.min(longest));
        entry.timing(&mut self.page, Some(interval), Some(timeout), None);
        match (prober.as_str(), of(&prober)) {
            ("tcp", Some(of_tcp)) => tcp::tcp(&mut self.page, &mut entry, of_tcp),
            ("icmp", of_icmp) => hosts::icmp(&mut self.page, &mut entry, of_icmp),
            ("dns", Some(of_dns)) => hosts::dns(&mut self.page, &mut entry, of_dns),
            ("http", Some(of_http)) => http::http(&mut self.page, &mut entry, of_http),
            _ => {}
        }
        if let Some(host) = labels.get("__param_hostname") {
            let what = format!(
                "the host name `{host}` of the request; disabled, without it the site would be down"
            );
            self.page.lose(Weight::Unchecked, what, &entry.called());
            entry.disable("it was asked by another host name");
        }
        self.page.push(entry);
    }
}

/// What a module that is not defined here is, by the names of blackbox_exporter's example file.
fn prober_by_name(name: &str) -> &'static str {
    match name {
        "icmp" | "icmp_ttl5" | "ping" => "icmp",
        "tcp_connect" | "tcp" | "ssh_banner" | "irc_banner" | "pop3s_banner" => "tcp",
        "grpc" | "grpc_plain" => "grpc",
        _ => "http",
    }
}
