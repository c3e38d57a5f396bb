//! `[[monitor]]` and `[defaults]`: text to monitors.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use toml::de::{DeTable, DeValue};
use url::Url;

use super::alert_rules;
use super::env_vars;
use super::expectation;
use super::kinds::{self, KindKeys};
use super::portable;
use super::reader::Reading;
use super::scalars;
use super::table::{Placed, Table, place};
use super::target;
use crate::config::diagnostic::problem::Fault;
use crate::config::diagnostic::source_map::Place;
use crate::config::keys;
use crate::config::source_lists::model::Model;
use crate::domain::expectation::Expectation;
use crate::domain::monitor::{Labels, Monitor, MonitorName, Rules, Schedule};
use crate::domain::recipient::Recipient;
use crate::domain::redaction::Masks;
use crate::domain::subject::Locator;
use crate::domain::target::{Manner, Target};

/// What all monitors have in common: `[defaults]` read once, shared by those that change nothing of it.
pub(in crate::config) struct Template<'t> {
    /// The table itself.
    pub table: Table<'t>,
    /// Recipients of monitors that name none.
    pub email_to: Vec<Recipient>,
    expectation: Option<Arc<Expectation>>,
    target: Option<Target>,
    kind_keys: KindKeys,
    rules: Option<(Schedule, Arc<Rules>)>,
    common: Common,
    /// What monitors with keys of their own were made of last.
    last: Shared,
    /// What came by `${NAME}` in it: secret for every monitor.
    secrets: Vec<String>,
    masks: Masks,
    /// Certificate steps, longest first; each monitor's expectation has them.
    pub certificate_expiry: Vec<Duration>,
}

/// The name of a monitor, which may be wrong elsewhere.
pub(in crate::config) struct Named {
    /// The name.
    pub name: MonitorName,
    /// Where it comes from: its `name` or, failing that, its `url`.
    pub place: Place,
    /// Whether it was written.
    pub written: bool,
}

/// A monitor with what is still to be checked against the others.
pub(in crate::config) struct Draft {
    /// The monitor itself.
    pub monitor: Arc<Monitor>,
    /// What a probe reads to check it; empty where there are none.
    pub portable: Box<str>,
    /// Its parents, with their places.
    pub depends_on: Vec<Placed<MonitorName>>,
    /// Its old name, with its place.
    pub renamed_from: Option<Placed<MonitorName>>,
}

/// What a monitor refers to that is wrong itself.
pub(in crate::config) struct Broken {
    /// Its name, where that can be told.
    pub name: Option<MonitorName>,
    /// Its parents, with their places.
    pub depends_on: Vec<Placed<MonitorName>>,
    /// Its old name, with its place.
    pub renamed_from: Option<Placed<MonitorName>>,
}

/// Reads `[defaults]`.
pub(in crate::config) fn template<'t>(
    reading: &mut Reading<'_>,
    table: Table<'t>,
    email_to: Vec<Recipient>,
    certificate_expiry: Vec<Duration>,
) -> Template<'t> {
    reading.came_by_name.clear();
    reading.exclusive(&table, "interval", "schedule");
    let expectation = expectation::expectation(reading, &table, &certificate_expiry);
    let timing = alert_rules::timing(reading, &table);
    if timing.is_none() {
        alert_rules::only_check(reading, &table);
    }
    let rules = timing.as_ref().map(|timing| {
        let rules = alert_rules::rules(reading, &table, timing, &email_to);
        (timing.schedule.clone(), Arc::new(rules))
    });
    let kind_keys = kinds::keys(reading, &table);
    let mut target_secrets = Vec::new();
    let target = target::target(reading, &table, placeholder(), &mut target_secrets);
    let common = Common::read(reading, &table);
    let mut secrets = std::mem::take(&mut reading.came_by_name);
    secrets.extend(target_secrets);
    let masks = Masks::new(secrets.iter().cloned());
    let expectation = expectation.map(Arc::new);
    let target = target.map(|mut target| {
        if let (Some((_, rules)), Some(expectation)) = (&rules, &expectation) {
            fit(&mut target, rules, expectation);
        }
        target.masks = masks.clone();
        target
    });
    Template {
        table,
        email_to,
        expectation,
        target,
        kind_keys,
        rules,
        common,
        last: Shared::default(),
        secrets,
        masks,
        certificate_expiry,
    }
}

impl Template<'_> {
    /// What the monitors of a list are made of, if nothing is wrong with it. `defaults` has the secrets of the keys
    /// that come from there.
    pub(in crate::config) fn model(self, defaults: &Template<'_>) -> Option<Model> {
        let mut target = self.target?;
        let (schedule, rules) = self.rules?;
        let masks = target.masks.and(defaults.secrets.iter().cloned());
        if target.masks != masks {
            target.masks = masks;
        }
        let mut labels = self.common.labels;
        // A password may also be written out in it.
        if let Cow::Owned(note) = target.masks.apply(&labels.note) {
            Arc::make_mut(&mut labels).note = note.into();
        }
        Some(Model {
            schedule,
            expectation: self.expectation?,
            rules,
            labels,
            manner: target.manner,
            kind_keys: self.kind_keys,
        })
    }
}

/// What can only be told of several keys of a list together.
pub(in crate::config) fn check_model(reading: &mut Reading<'_>, template: &Template<'_>) {
    let Template {
        table,
        target: Some(target),
        rules: Some((_, rules)),
        expectation: Some(expectation),
        ..
    } = template
    else {
        return;
    };
    check_together(reading, table, None, target, expectation, rules);
}

/// The keys that decide nothing by themselves.
#[derive(Clone)]
struct Common {
    labels: Arc<Labels>,
    depends_on: Vec<Placed<MonitorName>>,
}

impl Common {
    const KEYS: [&str; 6] = [
        "tags",
        "depends_on",
        "note",
        "enabled",
        "public",
        "keep_evidence",
    ];

    fn read(reading: &mut Reading<'_>, table: &Table<'_>) -> Self {
        let tags = reading.texts(table, "tags").into();
        let depends_on = names(reading, table, "depends_on");
        let labels = Labels {
            tags,
            depends_on: depends_on.iter().map(|name| name.it.clone()).collect(),
            note: env_vars::words(reading, table, "note").map_or_else(|| "".into(), Into::into),
            enabled: reading.flag(table, "enabled", true),
            public: reading.flag(table, "public", true),
            keep_evidence: reading.flag(table, "keep_evidence", true),
            renamed_from: None,
        };
        Self {
            labels: Arc::new(labels),
            depends_on,
        }
    }
}

/// The newest few values of a kind: monitors that say the same share it.
#[derive(Default)]
struct Shared {
    rules: RefCell<VecDeque<Arc<Rules>>>,
    manners: RefCell<VecDeque<Arc<Manner>>>,
    labels: RefCell<VecDeque<Arc<Labels>>>,
}

/// Lists repeat the same handful of wishes; more would cost time where every monitor differs.
const SHARED_MAX: usize = 8;

/// The value itself, or one that equals it and was there before.
fn share<T: PartialEq>(known: &RefCell<VecDeque<Arc<T>>>, new: Arc<T>) -> Arc<T> {
    let mut known = known.borrow_mut();
    let is_same = |known: &&Arc<T>| Arc::ptr_eq(known, &new) || **known == new;
    if let Some(same) = known.iter().find(is_same) {
        return Arc::clone(same);
    }
    known.truncate(SHARED_MAX - 1);
    known.push_front(Arc::clone(&new));
    new
}

/// What the other parts decide of a target.
fn fit(target: &mut Target, rules: &Rules, expectation: &Expectation) {
    let (timeout, wants_body) = (rules.timeout, expectation.reads_body());
    // Changing it takes it out of what is shared.
    if (target.timeout, target.wants_body) != (timeout, wants_body) {
        target.timeout = timeout;
        target.wants_body = wants_body;
    }
}

/// Stands for a URL where there is none to stand for.
fn placeholder() -> Url {
    Url::parse("https://localhost/").expect("a scheme and a host make a URL")
}

fn names(
    reading: &mut Reading<'_>,
    table: &Table<'_>,
    key: &'static str,
) -> Vec<Placed<MonitorName>> {
    reading
        .list(table, key, "a monitor's name", scalars::name)
        .map_or_else(Vec::new, |list| list.it)
}

/// Reads one `[[monitor]]`; no name where not even that can be told.
pub(in crate::config) fn monitor(
    reading: &mut Reading<'_>,
    own: &DeTable<'_>,
    header: Place,
    template: &Template<'_>,
) -> (Option<Named>, Result<Draft, Broken>) {
    let table = Table {
        own,
        keys: keys::MONITOR.keys,
        called: "[[monitor]]",
        header,
        fallback: Some((template.table.own, template.table.header.file)),
    };
    let faults_before = reading.faults.len();
    reading.came_by_name.clear();
    reading.refuse_unknown(&table, &[]);
    reading.exclusive(&table, "interval", "schedule");
    let url = match table.own("url") {
        Some(found) => reading.parsed(found, "a URL", scalars::locator),
        None => {
            reading.missing(&table, "url", "add url = \"https://example.com/\"");
            None
        }
    };
    if let Some(url) = &url {
        kinds::refuse_others(reading, &table, url.it.kind());
    }
    let name = match (
        table.is_blank("name"),
        reading.some_parsed(&table, "name", "a name", scalars::name),
        &url,
    ) {
        (false, name, _) => name.map(|name| (name.it, name.place, true)),
        (true, _, Some(url)) => Some((MonitorName::default_of(&url.it), url.place, false)),
        (true, _, None) => None,
    };
    let named = name.map(|(name, place, written)| Named {
        name,
        place,
        written,
    });
    let renamed_from = reading.some_parsed(&table, "renamed_from", "a name", scalars::name);
    let Common {
        mut labels,
        depends_on,
    } = match table.has_any(&Common::KEYS) {
        true => Common::read(reading, &table),
        false => template.common.clone(),
    };
    if let Some(renamed_from) = &renamed_from {
        Arc::make_mut(&mut labels).renamed_from = Some(renamed_from.it.clone());
    }
    let locator = url.map(|url| url.it);
    let kind = locator.as_ref().map(Locator::kind);
    let whole = whole(reading, &table, locator, named.as_ref(), labels, template);
    let portable = match reading.places.is_some() {
        true => named
            .as_ref()
            .and_then(|named| portable::text(reading, &table, named.name.as_str(), kind)),
        false => None,
    };
    let draft = match whole.filter(|_| reading.faults.len() == faults_before) {
        Some(monitor) => Ok(Draft {
            monitor: Arc::new(monitor),
            portable: portable.unwrap_or_default(),
            depends_on,
            renamed_from,
        }),
        None => Err(Broken {
            name: named.as_ref().map(|named| named.name.clone()),
            depends_on,
            renamed_from,
        }),
    };
    (named, draft)
}

/// Everything of a monitor but its name, URL and labels.
fn whole(
    reading: &mut Reading<'_>,
    table: &Table<'_>,
    locator: Option<Locator>,
    named: Option<&Named>,
    mut labels: Arc<Labels>,
    template: &Template<'_>,
) -> Option<Monitor> {
    let expectation = match (&template.expectation, table.has_any(&expectation::KEYS)) {
        (Some(shared), false) => Some(Arc::clone(shared)),
        _ => expectation::expectation(reading, table, &template.certificate_expiry).map(Arc::new),
    };
    let rules = match (&template.rules, table.has_any(&alert_rules::KEYS)) {
        (Some((schedule, shared)), false) => Some((schedule.clone(), Arc::clone(shared))),
        _ => match alert_rules::timing(reading, table) {
            Some(timing) => {
                let rules = alert_rules::rules(reading, table, &timing, &template.email_to);
                let rules = share(&template.last.rules, Arc::new(rules));
                Some((timing.schedule, rules))
            }
            None => {
                alert_rules::only_check(reading, table);
                None
            }
        },
    };
    let mut secrets = Vec::new();
    // Without a URL the rest is read all the same, for what is wrong with it.
    let url = locator.as_ref().and_then(Locator::http);
    let given = url.cloned().unwrap_or_else(placeholder);
    let target = match &template.target {
        Some(shared) if !table.has_any(&target::KEYS) && target::has_no_userinfo(&given) => {
            Some(Target::sharing(&given, Arc::clone(&shared.manner)))
        }
        _ => target::target(reading, table, given, &mut secrets),
    };
    let kind_keys = match table.has_any(&kinds::KEYS) {
        true => Cow::Owned(kinds::keys(reading, table)),
        false => Cow::Borrowed(&template.kind_keys),
    };
    secrets.append(&mut reading.came_by_name);
    let (schedule, rules) = rules?;
    let (mut target, expectation) = (target?, expectation?);
    fit(&mut target, &rules, &expectation);
    if let Some(locator) = &locator {
        kinds::check_together(reading, table, locator, &kind_keys, target.timeout);
    }
    let masks = match secrets.is_empty() {
        true => template.masks.clone(),
        false => Masks::new(secrets.into_iter().chain(template.secrets.iter().cloned())),
    };
    if target.masks != masks {
        target.masks = masks;
    }
    target.manner = share(&template.last.manners, target.manner);
    check_together(
        reading,
        table,
        locator.as_ref(),
        &target,
        &expectation,
        &rules,
    );
    let locator = locator?;
    // A password may also be written out in it.
    if let Cow::Owned(note) = target.masks.apply(&labels.note) {
        Arc::make_mut(&mut labels).note = note.into();
    }
    Some(Monitor {
        name: named?.name.clone(),
        schedule,
        subject: kinds::subject(&locator, target.manner, expectation, &kind_keys),
        rules,
        labels: share(&template.last.labels, labels),
    })
}

/// What can only be told of several keys together.
fn check_together(
    reading: &mut Reading<'_>,
    table: &Table<'_>,
    locator: Option<&Locator>,
    target: &Target,
    expectation: &Expectation,
    rules: &Rules,
) {
    let is_head = target.method.as_str() == "HEAD";
    if is_head && expectation.reads_body() {
        let assertion = ["body_contains", "body_matches", "json", "body_excludes"]
            .into_iter()
            .find_map(|key| table.get(key).filter(|found| has_members(found.value)));
        if let (Some(assertion), Some(method)) = (assertion, table.get("method")) {
            reading.fault(
                Fault::new(
                    assertion.key_place,
                    format!("`{}` never sees a body: HEAD asks for none", assertion.key),
                    "use method = \"GET\"",
                )
                .and(method.place, ""),
            );
        }
    }
    let has_tls = match locator {
        None => true,
        Some(Locator::Http(url)) => url.scheme() == "https",
        Some(Locator::Tls(_)) => true,
        Some(Locator::Tcp(_) | Locator::Icmp(_) | Locator::Dns(_)) => false,
    };
    if has_tls && !target.verify_tls {
        match table.get("verify_tls") {
            Some(found) if found.inherited => reading.unverified.push(found.place),
            found => {
                let what = match table.keys.len() == keys::SOURCE.keys.len() {
                    true => "each https site of the list".to_owned(),
                    false => {
                        let url = locator.map_or_else(Cow::default, Locator::text);
                        crate::config::diagnostic::redact::sentence(&url).into_owned()
                    }
                };
                reading.warn(
                    found.map_or(table.header, |found| found.place),
                    format!("{what} is checked without looking at its certificate (`verify_tls = false`)"),
                );
            }
        }
    }
    if let Some(found) = table.get("expect_status")
        && target.follow_redirects
        && expectation.status.is_of_redirects()
    {
        reading.warn(
            found.place,
            "expect_status names redirects alone, and they are followed: write follow_redirects = false to make one the \
             final answer",
        );
    }
    if let Some(found) = table.get("interval")
        && rules.interval < Duration::from_secs(5)
    {
        reading.hurried.push(found.place);
    }
    if let Some(found) = table.own("degraded_after")
        && expectation
            .degraded_after
            .fixed()
            .is_some_and(|after| after >= rules.timeout)
    {
        reading.warn(
            found.place,
            format!(
                "degraded_after never counts: the check is over after {}",
                crate::domain::duration_text::Written(rules.timeout)
            ),
        );
    }
}

fn has_members(value: &DeValue<'_>) -> bool {
    value.as_array().is_some_and(|array| !array.is_empty())
}

/// The tables of `[[monitor]]`, `[[source]]` or `[[maintenance]]` in a file, each with its header.
pub(in crate::config) fn entries<'t>(
    reading: &mut Reading<'_>,
    root: &'t DeTable<'t>,
    file: u32,
    section: &'static keys::Section,
) -> Vec<(&'t DeTable<'t>, Place)> {
    let Some((key, value)) = root.get_key_value(section.name) else {
        return Vec::new();
    };
    let DeValue::Array(array) = value.get_ref() else {
        reading.fault(Fault::new(
            place(file, key.span()),
            format!("[{0}] is not a section, but [[{0}]] is", section.name),
            format!("write {}", section.header()),
        ));
        return Vec::new();
    };
    let mut tables = Vec::with_capacity(array.len());
    for item in array.iter() {
        match item.get_ref() {
            DeValue::Table(table) => tables.push((table, place(file, item.span()))),
            _ => reading.fault(Fault::new(
                place(file, item.span()),
                format!("an entry of `{}` must be a table", section.name),
                format!("write {}", section.header()),
            )),
        }
    }
    tables
}
