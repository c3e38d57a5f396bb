//! Paths to what they mean.

use percent_encoding::percent_decode_str;

use crate::view::page::assets::{self, Asset};

/// Whether the daemon lives.
pub(super) const HEALTH_PATH: &str = "/healthz";

/// What is asked for. A monitor is named as the path had it, decoded.
#[derive(Debug, Clone)]
pub(super) enum Route {
    /// `/`
    Overview,
    /// `/monitor/NAME`
    Monitor(String),
    /// `/metrics`
    Metrics,
    /// `/healthz`
    Health,
    /// `/api/v1/monitors`
    Monitors,
    /// `/api/v1/monitors/NAME`
    MonitorObject(String),
    /// `/api/v1/monitors/NAME/checks`
    Checks(String),
    /// `/api/v1/incidents`
    Incidents,
    /// `/api/v1/incidents/ID/evidence`
    Evidence(String),
    /// `/api/v1/maintenance`
    Maintenance,
    /// `/incident/ID`
    Incident(String),
    /// `/badge/NAME.svg`
    Badge(String),
    /// `/feed.atom`
    Feed,
    /// `/robots.txt`
    Robots,
    /// Style, script, icon.
    Asset(&'static Asset),
}

/// The meaning of a path; none where there is nothing.
///
/// Everything behind the prefix is the name: proxies like to decode `%2F`, and default names hold slashes.
/// No path ever reaches a file system, so `..` is a name like any other.
pub(super) fn parse(path: &str) -> Option<Route> {
    Some(match path {
        "/" => Route::Overview,
        "/metrics" => Route::Metrics,
        HEALTH_PATH => Route::Health,
        "/api/v1/monitors" => Route::Monitors,
        "/api/v1/incidents" => Route::Incidents,
        "/api/v1/maintenance" => Route::Maintenance,
        "/feed.atom" => Route::Feed,
        "/robots.txt" => Route::Robots,
        _ => {
            if let Some(rest) = path.strip_prefix("/monitor/") {
                Route::Monitor(name(rest)?)
            } else if let Some(rest) = path.strip_prefix("/api/v1/monitors/") {
                match rest.strip_suffix("/checks") {
                    Some(rest) => Route::Checks(name(rest)?),
                    None => Route::MonitorObject(name(rest)?),
                }
            } else if let Some(rest) = path.strip_prefix("/api/v1/incidents/") {
                Route::Evidence(name(rest.strip_suffix("/evidence")?)?)
            } else if let Some(rest) = path.strip_prefix("/incident/") {
                Route::Incident(name(rest)?)
            } else if let Some(rest) = path.strip_prefix("/badge/") {
                Route::Badge(name(rest.strip_suffix(".svg")?)?)
            } else {
                Route::Asset(assets::find(path)?)
            }
        }
    })
}

fn name(raw: &str) -> Option<String> {
    let name = percent_decode_str(raw).decode_utf8().ok()?;
    (!name.is_empty()).then(|| name.into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::view::page::words;

    #[test]
    fn paths_and_names() {
        let shown = |path: &str| match parse(path) {
            Some(Route::Asset(asset)) => format!("Asset({})", asset.media_type),
            other => format!("{other:?}"),
        };
        for (path, want) in [
            ("/", "Some(Overview)"),
            ("/monitor/a%20b", r#"Some(Monitor("a b"))"#),
            ("/monitor/e.com%2Fx", r#"Some(Monitor("e.com/x"))"#),
            ("/monitor/e.com/x", r#"Some(Monitor("e.com/x"))"#),
            ("/monitor/", "None"),
            ("/monitor/%ff", "None"),
            (
                "/monitor/../../etc/passwd",
                r#"Some(Monitor("../../etc/passwd"))"#,
            ),
            (
                "/api/v1/monitors/a%2Fchecks/checks",
                r#"Some(Checks("a/checks"))"#,
            ),
            ("/api/v1/monitors/a", r#"Some(MonitorObject("a"))"#),
            ("/api/v1/incidents/1-2/evidence", r#"Some(Evidence("1-2"))"#),
            ("/api/v1/incidents/1-2", "None"),
            ("/api/v1/maintenance", "Some(Maintenance)"),
            ("/incident/1-2", r#"Some(Incident("1-2"))"#),
            ("/badge/a.svg.svg", r#"Some(Badge("a.svg"))"#),
            ("/badge/a", "None"),
            ("/metrics/", "None"),
            ("//", "None"),
            ("", "None"),
        ] {
            assert_eq!(shown(path), want, "{path}");
        }
        assert_eq!(shown(&assets::STYLE.path), "Asset(text/css; charset=utf-8)");
    }

    proptest! {
        #![proptest_config(crate::cases::cases(256))]
        #[test]
        fn a_link_leads_to_its_name(name in "[^\\p{Cc}]{1,40}") {
            prop_assume!(name != "." && name != "..");
            let found = match parse(&words::monitor_path(&name)) {
                Some(Route::Monitor(found)) => Some(found),
                _ => None,
            };
            prop_assert_eq!(found, Some(name));
        }
    }
}
