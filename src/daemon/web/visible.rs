//! What one request may see of the monitors, in the order of the configuration.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::sources::Sources;
use crate::config::Config;
use crate::daemon::health::live_status::Live;
use crate::domain::check::{Failure, FailureKind};
use crate::domain::monitor::MonitorId;
use crate::domain::timestamp::Timestamp;
use crate::domain::visitor_words;
use crate::policy::schedule::next_check;
use crate::view::json::{self, Audience};
use crate::view::page::brand::{self, Brand};
use crate::view::page::rows::{Frame, State};

/// One request's view of everything.
pub(super) struct View<'a> {
    pub(super) config: &'a Arc<Config>,
    pub(super) sources: &'a Sources,
    pub(super) audience: Audience,
    pub(super) now: Timestamp,
    /// Only those that the reader may know of.
    pub(super) lives: Vec<Live>,
}

impl<'a> View<'a> {
    pub(super) fn new(
        sources: &'a Sources,
        config: &'a Arc<Config>,
        audience: Audience,
        now: Timestamp,
    ) -> Self {
        let place: HashMap<&str, usize> = config
            .monitors
            .iter()
            .enumerate()
            .map(|(index, monitor)| (monitor.name.as_str(), index))
            .collect();
        let mut lives = sources.board.all();
        lives.retain(|live| may_see(audience, live.monitor.public));
        // A monitor that a reload has just added or removed stands at the end for a moment.
        lives.sort_by_key(|live| {
            place
                .get(live.monitor.name.as_str())
                .copied()
                .unwrap_or(usize::MAX)
        });
        Self {
            config,
            sources,
            audience,
            now,
            lives,
        }
    }

    /// What every page knows.
    pub(super) fn frame(&self) -> Frame {
        frame(self.config, self.audience, self.now)
    }

    /// A monitor by the name of a path; the page's links put a `~` before `.` and `..`.
    pub(super) fn find(&self, name: &str) -> Option<&Live> {
        let by = |name: &str| {
            self.lives
                .iter()
                .find(|live| live.monitor.name.as_str() == name)
        };
        by(name).or_else(|| by(name.strip_prefix('~')?))
    }

    /// The ids of all visible monitors.
    pub(super) fn ids(&self) -> Vec<MonitorId> {
        self.lives.iter().map(|live| live.id).collect()
    }

    /// A URL as this reader may see it, empty where none is shown; `own` when it is the configured one.
    pub(super) fn url<'u>(&self, url: &'u str, own: bool) -> Cow<'u, str> {
        json::shown_url(url, if own { url } else { "" }, self.audience).unwrap_or_default()
    }

    /// What made a monitor bad: a code or kind for the owner, words for visitors.
    pub(super) fn cause(&self, kind: FailureKind, status: Option<u16>) -> String {
        match self.audience {
            Audience::Owner => cause_word(kind, status),
            Audience::Public { .. } => visitor_words::of(kind, status),
        }
    }

    /// What was wrong, in one line that this reader may see.
    pub(super) fn detail(&self, failure: &Failure, status: Option<u16>) -> String {
        json::failure_detail(failure, status, self.audience).into_owned()
    }
}

/// What every page knows.
pub(super) fn frame(config: &Config, audience: Audience, now: Timestamp) -> Frame {
    Frame {
        title: config
            .web
            .as_ref()
            .map_or_else(|| "Status".to_owned(), |web| web.title.clone()),
        zone: config.daemon.timezone.clone(),
        now,
        trusted: audience == Audience::Owner,
        brand: config
            .web
            .as_ref()
            .map_or_else(Brand::default, |web| brand::of(&web.look)),
    }
}

/// The state that a page shows.
pub(super) const fn state_of(live: &Live) -> State {
    State::of(live.shown.state, live.shown.flags.paused)
}

/// `503` where the status was the cause, else the kind's word.
pub(super) fn cause_word(kind: FailureKind, status: Option<u16>) -> String {
    match (kind, status) {
        (FailureKind::Status, Some(status)) => status.to_string(),
        (kind, _) => kind.as_str().to_owned(),
    }
}

/// The next moment of the monitor's own grid or expression; confirming checks come beside it.
pub(super) fn next_check_at(live: &Live, config: &Config, now: Timestamp) -> Option<Timestamp> {
    if live.shown.flags.paused {
        return None;
    }
    next_check::next_check_at(&live.monitor, &config.daemon.timezone, now)
}

/// Whether somebody may know of a monitor.
pub(super) const fn may_see(audience: Audience, public: bool) -> bool {
    public || matches!(audience, Audience::Owner)
}
