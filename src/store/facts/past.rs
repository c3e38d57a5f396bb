//! What was known of one monitor at a time: its memory, its pauses and windows, the incident of that time.

use rusqlite::OptionalExtension;

use super::incidents;
use crate::domain::incident::Incident;
use crate::domain::monitor::MonitorId;
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::state::Kept;
use crate::store::error::Result;
use crate::store::reader::Reader;
use crate::store::transaction::SpanKind;
use crate::store::writer::Store;

/// A time that counts differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// What kind of time it was.
    pub kind: SpanKind,
    /// Its beginning.
    pub from: Timestamp,
    /// Its end; `None` while that is not known.
    pub to: Option<Timestamp>,
}

/// So many of the newest windows of a monitor are looked at: those before them are over.
const NEWEST_WINDOWS: u32 = 8;

impl Store {
    /// The maintenance windows over some monitors that have begun and are planned to end after `now`, each with its
    /// beginning.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn open_windows(
        &self,
        monitors: impl IntoIterator<Item = MonitorId>,
        now: Timestamp,
    ) -> Result<Vec<(MonitorId, Timestamp)>> {
        let mut newest = self.connection().prepare_cached(&format!(
            "SELECT from_at, to_at FROM spans
             WHERE monitor_id = ?1 AND kind = 'maintenance' AND from_at <= ?2
             ORDER BY from_at DESC LIMIT {NEWEST_WINDOWS}"
        ))?;
        let mut open = Vec::new();
        for monitor in monitors {
            let mut rows = newest.query((monitor.0, now.as_ms()))?;
            while let Some(row) = rows.next()? {
                let (from, to): (i64, Option<i64>) = (row.get(0)?, row.get(1)?);
                if to.is_some_and(|to| to > now.as_ms()) {
                    open.push((monitor, Timestamp::from_ms(from)));
                }
            }
        }
        Ok(open)
    }
}

impl Reader {
    /// What the alert machine remembers of a monitor.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn kept(&self, monitor: MonitorId) -> Result<Option<Kept>> {
        let text: Option<String> = self
            .connection()
            .prepare_cached("SELECT kept FROM states WHERE monitor_id = ?1")?
            .query_row([monitor.0], |row| row.get(0))
            .optional()?;
        Ok(text.map(|text| serde_json::from_str(&text)).transpose()?)
    }

    /// The windows, pauses and removals of a monitor that touch a time, oldest first.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn spans(&self, monitor: MonitorId, from: Timestamp, to: Timestamp) -> Result<Vec<Span>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT kind, from_at, to_at FROM spans
             WHERE monitor_id = ?1 AND from_at <= ?3 AND (to_at IS NULL OR to_at > ?2)
             ORDER BY from_at",
        )?;
        let rows = statement.query_map((monitor.0, from.as_ms(), to.as_ms()), |row| {
            let kind: String = row.get(0)?;
            let to: Option<i64> = row.get(2)?;
            Ok(SpanKind::parse(&kind).map(|kind| (kind, row.get(1), to)))
        })?;
        let mut spans = Vec::new();
        for row in rows {
            if let Some((kind, from, to)) = row? {
                spans.push(Span {
                    kind,
                    from: Timestamp::from_ms(from?),
                    to: to.map(Timestamp::from_ms),
                });
            }
        }
        Ok(spans)
    }

    /// The newest incident of a monitor that had begun by a time.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn incident_by(&self, monitor: MonitorId, at: Timestamp) -> Result<Option<Incident>> {
        let sql = format!(
            "SELECT {} FROM incidents WHERE monitor_id = ?1 AND opened_at <= ?2 AND NOT clock_wrong
             ORDER BY opened_at DESC LIMIT 1",
            incidents::COLUMNS
        );
        let mut statement = self.connection().prepare_cached(&sql)?;
        let mut rows = statement.query((monitor.0, at.as_ms()))?;
        rows.next()?.map(incidents::incident).transpose()
    }
}
