//! What every monitor shows just now, for whoever asks often: the control socket, pages and metrics read
//! it without touching the database.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::domain::check::Check;
use crate::domain::location::LocationStatus;
use crate::domain::monitor::{Monitor, MonitorId};
use crate::policy::alert::monitor::{Hold, Shown};
use crate::policy::alert::ordered_windows::OrderedWindows;
use crate::policy::outbox::plan::Silenced;

/// One monitor as the recorder last saw it.
#[derive(Debug, Clone)]
pub struct Live {
    /// Its number.
    pub id: MonitorId,
    /// Its configuration.
    pub monitor: Arc<Monitor>,
    /// Its state.
    pub shown: Shown,
    /// Its newest check.
    pub newest: Option<Arc<Check>>,
    /// Its newest good check.
    pub last_good: Option<Arc<Check>>,
    /// What was said when its open incident was acknowledged.
    pub ack_note: Option<Arc<str>>,
    /// What each of its locations says; `None` without locations.
    pub locations: Option<Arc<Vec<LocationStatus>>>,
}

/// All monitors, by number. Cheap to clone and to share between threads.
#[derive(Debug, Clone, Default)]
pub struct Board(Arc<RwLock<Vec<Live>>>, Arc<RwLock<Ordered>>);

/// Windows that were ordered, of the monitors that have any.
type Ordered = BTreeMap<MonitorId, OrderedWindows>;

impl Board {
    /// One monitor.
    pub fn get(&self, id: MonitorId) -> Option<Live> {
        let lives = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let place = lives.binary_search_by_key(&id, |live| live.id).ok()?;
        Some(lives[place].clone())
    }

    /// All of them, by name.
    pub fn all(&self) -> Vec<Live> {
        let lives = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<Live> = lives.clone();
        drop(lives);
        all.sort_by(|a, b| a.monitor.name.cmp(&b.monitor.name));
        all
    }

    /// Whose mails are held back now.
    pub fn silenced(&self) -> Silenced {
        let lives = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let holds = lives.iter().filter_map(|live| {
            let flags = live.shown.flags;
            let why = match (flags.maintenance, flags.muted) {
                (true, _) => Hold::Maintenance,
                (false, true) => Hold::Mute,
                (false, false) => return None,
            };
            Some((live.id, why))
        });
        holds.collect()
    }

    /// Looks at what is shown of each, without the checks. The board is held meanwhile: be quick.
    pub fn each(&self, mut look: impl FnMut(MonitorId, &Shown)) {
        let lives = self.0.read().unwrap_or_else(PoisonError::into_inner);
        for live in lives.iter() {
            look(live.id, &live.shown);
        }
    }

    /// The maintenance windows that were ordered, of the monitors that have any.
    pub fn ordered_windows(&self) -> BTreeMap<MonitorId, OrderedWindows> {
        let ordered = self.1.read().unwrap_or_else(PoisonError::into_inner);
        ordered.clone()
    }

    /// Notes which windows were ordered for a monitor; the recorder's side.
    pub(in crate::daemon) fn order_windows(&self, id: MonitorId, windows: &OrderedWindows) {
        let is_known = {
            let ordered = self.1.read().unwrap_or_else(PoisonError::into_inner);
            ordered.get(&id).is_some_and(|known| known == windows)
                || (windows.is_empty() && !ordered.contains_key(&id))
        };
        if is_known {
            return;
        }
        let mut ordered = self.1.write().unwrap_or_else(PoisonError::into_inner);
        match windows.is_empty() {
            true => ordered.remove(&id),
            false => ordered.insert(id, windows.clone()),
        };
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Puts up or replaces some; the recorder's side.
    pub(in crate::daemon) fn put(&self, changed: impl IntoIterator<Item = Live>) {
        let mut lives = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut added = Vec::new();
        for live in changed {
            match lives.binary_search_by_key(&live.id, |live| live.id) {
                Ok(place) => lives[place] = live,
                Err(_) => added.push(live),
            }
        }
        if !added.is_empty() {
            // Most are put up once, at the start: no more room than they need.
            lives.reserve_exact(added.len());
            lives.append(&mut added);
            lives.sort_unstable_by_key(|live| live.id);
        }
    }

    /// Takes down whoever is not wanted any more; the recorder's side.
    pub(in crate::daemon) fn keep(&self, wanted: impl Fn(MonitorId) -> bool) {
        let mut lives = self.0.write().unwrap_or_else(PoisonError::into_inner);
        lives.retain(|live| wanted(live.id));
        let mut ordered = self.1.write().unwrap_or_else(PoisonError::into_inner);
        ordered.retain(|id, _| wanted(*id));
    }
}
