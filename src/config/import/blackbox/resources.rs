//! Scrape jobs in Kubernetes' resources: the operator's `kind: Probe` and the values of blackbox_exporter's chart.

use serde_json::{Map, Value, json};

use crate::config::import::toml_writer::{Page, Weight};
use crate::config::import::yaml::{text_at, text_of};

/// A chart's values lie this deep in a resource at most.
const DEPTH_MAX: u32 = 8;

/// The Prometheus operator's `kind: Probe` as a scrape job.
pub(super) fn probe(page: &mut Page, document: &Value) -> Option<Value> {
    if text_at(document, "kind").as_deref() != Some("Probe") {
        return None;
    }
    let spec = document.get("spec")?;
    let name = document.pointer("/metadata/name").and_then(text_of);
    let Some(list) = spec.pointer("/targets/staticConfig") else {
        let what = "the targets of a Probe that come from Ingress resources";
        page.lose(Weight::Unchecked, what, &name.unwrap_or_default());
        return None;
    };
    Some(json!({
        "job_name": text_at(spec, "jobName").or(name),
        "metrics_path": "/probe",
        "params": { "module": text_at(spec, "module") },
        "scrape_interval": spec.get("interval"),
        "scrape_timeout": spec.get("scrapeTimeout"),
        "relabel_configs": list.get("relabelingConfigs").map(rules),
        "static_configs": [{ "targets": list.get("static"), "labels": list.get("labels") }],
    }))
}

/// Relabelling with the operator's names of keys: `sourceLabels` is `source_labels`.
fn rules(list: &Value) -> Value {
    let rules = list.as_array().cloned().unwrap_or_default();
    let renamed = rules.into_iter().filter_map(|rule| {
        let Value::Object(keys) = rule else {
            return None;
        };
        let keys: Map<String, Value> = keys
            .into_iter()
            .map(|(key, value)| match key.as_str() {
                "sourceLabels" => ("source_labels".to_owned(), value),
                "targetLabel" => ("target_label".to_owned(), value),
                _ => (key, value),
            })
            .collect();
        Some(Value::Object(keys))
    });
    Value::Array(renamed.collect())
}

/// The targets of the chart prometheus-blackbox-exporter: `serviceMonitor.targets`, wherever its values stand.
pub(super) fn chart(document: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    search(document, 0, &mut found);
    found
}

fn search(value: &Value, depth: u32, found: &mut Vec<Value>) {
    let Value::Object(map) = value else { return };
    let Some(monitor) = map.get("serviceMonitor") else {
        if depth < DEPTH_MAX {
            map.values()
                .for_each(|inner| search(inner, depth + 1, found));
        }
        return;
    };
    let of_all = |key: &str| monitor.get("defaults").and_then(|all| all.get(key));
    let targets = monitor.get("targets").and_then(Value::as_array);
    for target in targets.into_iter().flatten() {
        let Some(url) = text_at(target, "url") else {
            continue;
        };
        let module = target.get("module").or_else(|| of_all("module"));
        let mut labels = of_all("labels").cloned().unwrap_or_else(|| json!({}));
        if let (Some(all), Some(Value::Object(own))) =
            (labels.as_object_mut(), target.get("labels").cloned())
        {
            all.extend(own);
        }
        found.push(json!({
            "job_name": text_at(target, "name"),
            "metrics_path": "/probe",
            "params": { "module": module },
            "scrape_interval": target.get("interval").or_else(|| of_all("interval")),
            "scrape_timeout": target.get("scrapeTimeout").or_else(|| of_all("scrapeTimeout")),
            "static_configs": [{ "targets": [url], "labels": labels }],
        }));
    }
}
