//! How objectives stand, and which of them burn their error budget too fast.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use rusqlite::{Connection, OptionalExtension};

use super::meta;
use crate::domain::monitor::MonitorId;
use crate::domain::objective::Objective;
use crate::domain::timestamp::Timestamp;
use crate::policy::availability::error_budget::{BURNS, Budget, Spent, Standing};
use crate::policy::availability::uptime::Piece;
use crate::store::error::Result;
use crate::store::reader::Reader;

/// The key in `meta`: JSON, by name of the objective since when it burns.
const KEY: &str = "burns";

/// So many monitors are read at a time: each reading goes once through the checks that are not settled.
const PORTION: usize = 2000;

/// Which objectives burn: told once, since then.
pub type Burning = BTreeMap<String, Timestamp>;

/// Which objectives burn, as was decided last.
///
/// # Errors
/// If SQLite fails.
pub fn burning(db: &Connection) -> Result<Burning> {
    let json: Option<String> = meta::get(db, KEY)?;
    // If another version wrote it in another form, a burn is told twice; that is better than not to start.
    let stored: BTreeMap<String, i64> = json
        .and_then(|json| serde_json::from_str(&json).ok())
        .unwrap_or_default();
    let stored = stored.into_iter();
    Ok(stored
        .map(|(name, since)| (name, Timestamp::from_ms(since)))
        .collect())
}

/// Stores which objectives burn.
///
/// # Errors
/// If SQLite fails.
pub fn put_burning(db: &Connection, burning: &Burning) -> Result<()> {
    let stored: BTreeMap<&String, i64> = burning
        .iter()
        .map(|(name, since)| (name, since.as_ms()))
        .collect();
    let json = match stored.is_empty() {
        true => None,
        false => Some(serde_json::to_string(&stored)?),
    };
    Ok(meta::put(db, KEY, json.as_deref())?)
}

impl Reader {
    /// How an objective stands at `end`, which is not in the future; `monitors` are those that it covers. `raw` leaves
    /// amendments out.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn standing(
        &self,
        objective: &Objective,
        monitors: &[MonitorId],
        end: Timestamp,
        zone: &TimeZone,
        raw: bool,
    ) -> Result<Standing> {
        let (from, to) = objective.period.around(end, zone);
        let count = monitors.len();
        let begin = from.min(end.minus(BURNS[BURNS.len() - 1]));
        let mut spent = Spent::default();
        let mut burnt = [Spent::default(); BURNS.len()];
        self.pieces(monitors, begin, end, raw, &mut |pieces, count| {
            spent.add(&Spent::of(pieces, from, end.min(to), count));
            for (sum, back) in burnt.iter_mut().zip(BURNS) {
                sum.add(&Spent::of(pieces, end.minus(back), end, count));
            }
        })?;
        Ok(Standing {
            monitors: count,
            budget: Budget::of(objective.target, to.since(from), &spent, count),
            spent,
            burns: burnt.map(|spent| spent.burn(objective.target)),
        })
    }

    /// How the time from `from` to `to` passed for some monitors: `each` gets the pieces of a portion of them, and how
    /// many that portion has.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn pieces(
        &self,
        monitors: &[MonitorId],
        from: Timestamp,
        to: Timestamp,
        raw: bool,
        each: &mut dyn FnMut(&[Piece], usize),
    ) -> Result<()> {
        for portion in monitors.chunks(PORTION) {
            let mut pieces = Vec::new();
            for course in self.courses(portion, from, to)?.into_values() {
                let course = if raw { course.raw() } else { course };
                pieces.extend(course.pieces(i64::MIN, i64::MAX));
            }
            each(&pieces, portion.len());
        }
        Ok(())
    }

    /// Those of some monitors that had an incident after `since`.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn with_incidents(
        &self,
        monitors: &[MonitorId],
        since: Timestamp,
    ) -> Result<Vec<MonitorId>> {
        // Incidents of a monitor follow one another: the newest ends last.
        let mut newest = self.connection().prepare_cached(
            "SELECT closed_at IS NULL OR closed_at > ?2 FROM incidents WHERE monitor_id = ?1
             ORDER BY opened_at DESC LIMIT 1",
        )?;
        let mut found = Vec::new();
        for monitor in monitors {
            let is_one: Option<bool> = newest
                .query_row((monitor.0, since.as_ms()), |row| row.get(0))
                .optional()?;
            if is_one == Some(true) {
                found.push(*monitor);
            }
        }
        Ok(found)
    }
}
