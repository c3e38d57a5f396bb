//! What a daemon of the first edition left in its database while 19 monitors were up, down, acknowledged, muted, paused,
//! flapping, recovering, failing, behind a parent, in maintenance, slow or redirected elsewhere, and no mail could leave:
//! its texts, one a line, as they stood in `states.kept` and `outbox.notice`.

use std::collections::BTreeSet;

use serde_json::Value;
use sitewatch::domain::notification::Notice;
use sitewatch::policy::alert::state::Kept;

const STATES: &str = include_str!("first_edition/states.jsonl");
const NOTICES: &str = include_str!("first_edition/notices.jsonl");

/// Every field and value of `old` that `new` has not.
fn missing(path: &str, old: &Value, new: &Value, found: &mut Vec<String>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (key, old) in old {
                let path = format!("{path}.{key}");
                // What is empty or nothing may be left out.
                let empty = matches!(old, Value::Null)
                    || old.as_array().is_some_and(Vec::is_empty)
                    || old == &Value::Bool(false);
                match new.get(key) {
                    Some(new) => missing(&path, old, new, found),
                    None if empty => {}
                    None => found.push(path),
                }
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                missing(&format!("{path}[{index}]"), old, new, found);
            }
        }
        (old, new) if old == new => {}
        (old, new) => found.push(format!("{path}: {old} became {new}")),
    }
}

#[test]
fn its_states_are_read_whole() {
    let mut statuses = BTreeSet::new();
    for text in STATES.lines() {
        let old: Value = serde_json::from_str(text).unwrap();
        let kept: Kept =
            serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let new = serde_json::to_value(&kept).unwrap();
        let mut found = Vec::new();
        missing("", &old, &new, &mut found);
        assert!(found.is_empty(), "{found:?} of {text}");
        let status = &old["status"];
        let word = status.as_object().and_then(|status| status.keys().next());
        statuses.insert(word.cloned().unwrap_or_else(|| status.to_string()));
    }
    let all = ["\"pending\"", "down", "recovering", "suspect", "up"];
    assert_eq!(statuses, all.map(str::to_owned).into());
}

#[test]
fn its_news_are_read_whole() {
    let mut kinds = BTreeSet::new();
    for text in NOTICES.lines() {
        let old: Value = serde_json::from_str(text).unwrap();
        let notice: Notice =
            serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let new = serde_json::to_value(&notice).unwrap();
        let mut found = Vec::new();
        missing("", &old, &new, &mut found);
        assert!(found.is_empty(), "{found:?} of {text}");
        kinds.insert(old["news"]["kind"].as_str().unwrap_or_default().to_owned());
    }
    let all = [
        "degraded",
        "down",
        "flapping",
        "redirect_changed",
        "still_down",
        "up",
    ];
    assert_eq!(kinds, all.map(str::to_owned).into());
}
