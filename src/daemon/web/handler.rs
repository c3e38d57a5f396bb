//! From a request to its answer: who asks, what for, from the last second or made anew.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderName};
use tokio::time::Instant;

use super::brand_files::BrandFiles;
use super::budget::Budget;
use super::cache::{Cache, Question};
use super::history_cache::Past;
use super::query::Query;
use super::reply::{Keep, NOTHING_HERE, Reply};
use super::route::{self, Route};
use super::sources::Sources;
use super::visible::View;
use super::{api, auth, evidence, host_header, metrics, pages};
use crate::config::Config;
use crate::domain::timestamp::Timestamp;

/// A query longer than this names no filter of ours.
const QUERY_BYTES_MAX: usize = 4096;

/// One request, without the wire.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) headers: &'a HeaderMap,
    /// The address it came to.
    pub(super) local: Option<SocketAddr>,
    pub(super) now: Timestamp,
    pub(super) tick: Instant,
}

/// Everything that pages are made of; lives on the thread that makes them.
#[derive(Debug)]
pub(super) struct Site {
    sources: Sources,
    kept: RefCell<Kept>,
    past: RefCell<Past>,
    budget: Budget,
}

/// What was made by one configuration and may be given again.
#[derive(Debug)]
struct Kept {
    made_by: Arc<Config>,
    cache: Cache,
    brand: BrandFiles,
}

impl Kept {
    fn new(config: &Arc<Config>, budget: &Budget) -> Self {
        Self {
            made_by: Arc::clone(config),
            cache: Cache::default(),
            brand: BrandFiles::of(config, budget),
        }
    }
}

impl Site {
    pub(super) fn new(sources: Sources, past: Past) -> Self {
        let budget = Budget::default();
        let kept = Kept::new(&sources.config.borrow(), &budget);
        Self {
            sources,
            kept: RefCell::new(kept),
            past: RefCell::new(past),
            budget,
        }
    }

    /// Answers; `give` makes the response of what is perhaps shared with others.
    pub(super) fn answer<T>(&self, asked: &Asked<'_>, give: impl FnOnce(&mut Reply) -> T) -> T {
        let config = Arc::clone(&self.sources.config.borrow());
        let token = config.web.as_ref().and_then(|web| web.token.as_ref());
        let urls = config.web.as_ref().is_some_and(|web| web.show_urls);
        let audience = auth::audience(asked.headers, token, urls);
        let mut kept = self.kept.borrow_mut();
        // A reload may have hidden a monitor.
        if !Arc::ptr_eq(&kept.made_by, &config) {
            *kept = Kept::new(&config, &self.budget);
        }
        if let Some(reply) = kept.brand.get(asked.path) {
            return give(reply);
        }
        let Some(route) = route::parse(asked.path) else {
            let is_api = asked.path == "/api" || asked.path.starts_with("/api/");
            return give(&mut match is_api {
                true => Reply::fault(StatusCode::NOT_FOUND, NOTHING_HERE),
                false => pages::nothing_here(&config, asked.now),
            });
        };
        match &route {
            Route::Asset(asset) => {
                return give(&mut Reply::new(asset.media_type, Keep::Forever, asset.body));
            }
            Route::Robots => {
                let rules = "User-agent: *\nDisallow: /\n";
                let media_type = "text/plain; charset=utf-8";
                return give(&mut Reply::new(media_type, Keep::Minute, rules));
            }
            Route::Health => return give(&mut metrics::health(&self.sources.health)),
            _ => {}
        }
        if asked.query.len() > QUERY_BYTES_MAX {
            return give(&mut Reply::fault(
                StatusCode::BAD_REQUEST,
                "the query is too long",
            ));
        }
        let question = Question {
            target: target(&route, asked.query),
            base: match route {
                Route::Feed => base(asked),
                _ => String::new(),
            },
            audience,
        };
        let cache = &mut kept.cache;
        if let Some(reply) = cache.get(&question, asked.tick) {
            return give(reply);
        }
        if self.budget.is_spent() {
            return match cache.stale(&question, asked.tick) {
                Some(reply) => give(reply),
                None => give(&mut Reply::later()),
            };
        }
        let reply = self.make(&route, &question, &config, asked);
        let reply = reply.counted(&self.budget);
        give(cache.put(question, reply, asked.tick))
    }

    fn make(
        &self,
        route: &Route,
        question: &Question,
        config: &Arc<Config>,
        asked: &Asked<'_>,
    ) -> Reply {
        let mut past = self.past.borrow_mut();
        let view = View::new(&self.sources, config, question.audience, asked.now);
        let made = match route {
            Route::Overview => pages::overview(&view, &mut past, asked.query),
            Route::Monitor(name) => pages::monitor(&view, &mut past, name),
            Route::Metrics => metrics::metrics(&view, &mut past, &self.sources.health),
            Route::Monitors => api::monitors(&view, &mut past, asked.query),
            Route::MonitorObject(name) => api::monitor(&view, &mut past, name, asked.query),
            Route::Checks(name) => api::checks(&view, &mut past, name, asked.query),
            Route::Incidents => api::incidents(&view, &mut past, asked.query),
            Route::Evidence(id) => evidence::json(&view, &mut past, id, asked.query),
            Route::Maintenance => api::maintenance(&view, asked.query),
            Route::Incident(id) => evidence::html(&view, &mut past, id),
            Route::Badge(name) => pages::badge(&view, &mut past, name, asked.query),
            Route::Feed => pages::feed(&view, &mut past, &question.base),
            Route::Asset(_) | Route::Robots | Route::Health => Ok(Reply::text(
                StatusCode::NOT_FOUND,
                "This is answered elsewhere.\n",
            )),
        };
        made.unwrap_or_else(|error| {
            tracing::warn!(
                "web: failed to read the database for {}: {error}",
                asked.path
            );
            let text = "the database cannot be read at the moment";
            Reply::fault(StatusCode::SERVICE_UNAVAILABLE, text)
        })
    }
}

/// The parts of a question that decide its answer. The other parts would only make equal questions differ.
fn target(route: &Route, query: &str) -> String {
    let own = |keys: &[&str]| {
        let query = Query::lenient(query);
        let pairs = keys
            .iter()
            .map(|key| query.last(key).unwrap_or_default().to_owned());
        pairs.collect::<Vec<String>>()
    };
    match route {
        Route::Overview => format!("{route:?} {:?}", own(&["tag", "q", "page"])),
        Route::Badge(_) => format!("{route:?} {:?}", own(&["show", "period", "label"])),
        // They refuse what they do not know.
        Route::Monitors
        | Route::MonitorObject(_)
        | Route::Checks(_)
        | Route::Incidents
        | Route::Maintenance
        | Route::Evidence(_) => {
            format!("{route:?} {query}")
        }
        Route::Monitor(_)
        | Route::Incident(_)
        | Route::Metrics
        | Route::Health
        | Route::Feed
        | Route::Robots
        | Route::Asset(_) => format!("{route:?}"),
    }
}

/// `https://status.example.com`: how the reader reached us, for links that leave the page.
fn base(asked: &Asked<'_>) -> String {
    let host = host_header::named(asked.headers)
        .map(str::to_owned)
        .or_else(|| asked.local.map(|local| local.to_string()));
    let Some(host) = host else {
        return String::new();
    };
    let forwarded = asked
        .headers
        .get(HeaderName::from_static("x-forwarded-proto"))
        .is_some_and(|scheme| scheme.as_bytes().eq_ignore_ascii_case(b"https"));
    let scheme = if forwarded { "https" } else { "http" };
    format!("{scheme}://{host}")
}

#[cfg(test)]
mod tests {
    use hyper::header::{self, HeaderValue};

    use tokio::sync::watch;

    use super::*;
    use crate::clock;
    use crate::config::environment::Environment;
    use crate::config::load;
    use crate::daemon::health::counters::Health;
    use crate::daemon::health::live_status::Board;
    use crate::view::page::brand::{self, Brand};

    /// A valid file with a logo of this text.
    fn branded(directory: &tempfile::TempDir, logo: &str) -> (Arc<Config>, Brand) {
        let file = directory.path().join("monitors.toml");
        let web = "[daemon]\ndatabase = \"none.db\"\n[web]\nlisten = \"127.0.0.1:0\"\nlogo = \"logo.svg\"\naccent = \"#336699\"\n";
        let monitor = "[[monitor]]\nurl = \"https://a.example/\"\n";
        std::fs::write(&file, format!("{web}{monitor}")).unwrap();
        let logo = format!("<svg xmlns=\"http://www.w3.org/2000/svg\">{logo}</svg>");
        std::fs::write(directory.path().join("logo.svg"), logo).unwrap();
        let environment = Environment {
            directory: directory.path().to_owned(),
            ..Environment::default()
        };
        let config = load(&file, &environment).unwrap();
        let brand = brand::of(&config.web.as_ref().unwrap().look);
        (Arc::new(config), brand)
    }

    #[test]
    fn readers_share_the_bytes_of_logo_and_accent() {
        let directory = tempfile::tempdir().unwrap();
        let (config, brand) = branded(&directory, &"<g/>".repeat(1000));
        let (sender, config) = watch::channel(config);
        let now = clock::now();
        let sources = Sources {
            board: Board::default(),
            health: Arc::new(Health::new(now)),
            config,
            database: directory.path().join("none.db"),
            database_id: String::new(),
        };
        let (past, _) = Past::begin(&sources, now);
        let site = Site::new(sources, past);
        let ask = |path: &str, codings: &'static str| {
            let codings = HeaderValue::from_static(codings);
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, codings)]);
            let asked = Asked {
                path,
                query: "",
                headers: &headers,
                local: None,
                now,
                tick: clock::tick(),
            };
            let response = site.answer(&asked, |reply| reply.response(&headers, false));
            (response.status(), response.into_body())
        };
        let logo = brand.logo.unwrap();
        for (path, codings) in [
            (&logo, "identity"),
            (&logo, "gzip"),
            (&brand.accent.unwrap(), "identity"),
        ] {
            let (one, other) = (ask(path, codings), ask(path, codings));
            assert_eq!(one.0, StatusCode::OK, "{path}");
            assert_eq!(one.1.as_ptr(), other.1.as_ptr(), "{path} {codings}");
        }
        assert!(site.budget.used() >= ask(&logo, "identity").1.len());
        // Another picture has another path, and the one before is gone.
        let (config, brand) = branded(&directory, "<a/>");
        sender.send_replace(config);
        assert_eq!(ask(&logo, "identity").0, StatusCode::NOT_FOUND);
        assert_eq!(ask(&brand.logo.unwrap(), "identity").0, StatusCode::OK);
    }
}
