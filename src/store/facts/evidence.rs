//! Answers of failing checks and the good ones that they are compared with, within the room that they may take.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};

use crate::domain::check::Check;
use crate::domain::evidence::Evidence;
use crate::domain::incident::IncidentKey;
use crate::domain::monitor::MonitorId;
use crate::domain::timestamp::Timestamp;
use crate::store::checks::journal::DAY;
use crate::store::error::{Result, StoreError};
use crate::store::reader::Reader;
use crate::store::transaction::Batch;

/// Packed evidence is never larger when it is unpacked: a body as numbers in JSON, twice over.
const UNPACKED_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// From about this size on a row has pages of its own, in bytes.
const ROW_BYTES_MAX: usize = 3500;

/// A page of the database, in bytes.
const PAGE_BYTES: usize = 4096;

/// What a row takes beside what is packed: its columns and its places in three indexes, in bytes.
const ROW_BYTES_BESIDE: usize = 128;

/// When the room is used up, this part of it is made free, so that not every row has to look for the oldest one.
const FREED_PART: u64 = 100;

/// So many rows are looked at for one that goes.
const ROWS_A_LOOK: i64 = 64;

/// A failing answer of which no incident came within this time never gets one, in milliseconds.
const CANDIDATE_MS: i64 = 2 * DAY;

/// Those are looked for among the answers of so much time before, in milliseconds.
const CANDIDATES_LOOKED_FOR_MS: i64 = 14 * DAY;

/// What is stored of one check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptAnswer {
    /// The check.
    pub check: Check,
    /// Its answers.
    pub evidence: Evidence,
}

/// The first failing answer of an incident.
#[derive(Debug, Clone, PartialEq)]
pub struct IncidentEvidence {
    /// It.
    pub failing: KeptAnswer,
    /// The last good one before it, where one was kept.
    pub good: Option<KeptAnswer>,
}

/// One answer, ready to be written.
#[derive(Debug)]
pub struct EvidenceRow {
    /// The monitor's number.
    pub monitor: MonitorId,
    /// The check's beginning.
    pub at: Timestamp,
    /// Whether it is one to compare with.
    pub is_good: bool,
    packed: Vec<u8>,
}

impl EvidenceRow {
    /// Packs an answer.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    pub fn new(monitor: MonitorId, is_good: bool, kept: &KeptAnswer) -> Result<Self> {
        let text = serde_json::to_vec(kept)?;
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        let packed = encoder.write_all(&text).and_then(|()| encoder.finish());
        Ok(Self {
            monitor,
            at: kept.check.at,
            is_good,
            packed: packed.map_err(damaged)?,
        })
    }

    /// What it takes of the database, about, in bytes.
    fn bytes(&self) -> usize {
        let length = self.packed.len();
        ROW_BYTES_BESIDE
            + match length > ROW_BYTES_MAX {
                true => length.div_ceil(PAGE_BYTES) * PAGE_BYTES,
                false => length,
            }
    }
}

fn unpack(packed: &[u8]) -> Result<KeptAnswer> {
    let mut text = Vec::new();
    let mut decoder = ZlibDecoder::new(packed).take(UNPACKED_BYTES_MAX);
    decoder.read_to_end(&mut text).map_err(damaged)?;
    Ok(serde_json::from_slice(&text)?)
}

fn damaged(error: std::io::Error) -> StoreError {
    StoreError::Damaged(format!("a kept answer cannot be read: {error}"))
}

impl Batch<'_> {
    /// Stores an answer, and makes room for it: all of them take at most `bytes_max`. Of good ones the first of a day
    /// is stored, and an older one is dropped unless an incident is compared with it.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn put_evidence(&mut self, row: &EvidenceRow, bytes_max: u64) -> Result<()> {
        let connection = self.connection();
        if row.is_good && has_good_of_day(connection, row)? {
            return Ok(());
        }
        let good_id: Option<i64> = match row.is_good {
            true => None,
            false => connection
                .prepare_cached(
                    "SELECT id FROM evidence WHERE monitor_id = ?1 AND is_good = 1 AND at < ?2
                     ORDER BY at DESC LIMIT 1",
                )?
                .query_row((row.monitor.0, row.at.as_ms()), |row| row.get(0))
                .optional()?,
        };
        connection
            .prepare_cached(
                "INSERT OR IGNORE INTO evidence (monitor_id, at, is_good, good_id, bytes, packed)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute((
                row.monitor.0,
                row.at.as_ms(),
                row.is_good,
                good_id,
                i64::try_from(row.bytes()).unwrap_or(i64::MAX),
                &row.packed,
            ))?;
        if row.is_good {
            drop_older_good(connection, row.monitor.0)?;
        }
        make_room(connection, bytes_max)
    }

    /// Drops the answer of a failure that was not confirmed.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn drop_evidence(&mut self, monitor: MonitorId, at: Timestamp) -> Result<()> {
        self.connection()
            .prepare_cached(
                "DELETE FROM evidence WHERE monitor_id = ?1 AND is_good = 0 AND at = ?2",
            )?
            .execute((monitor.0, at.as_ms()))?;
        Ok(())
    }
}

impl Reader {
    /// The first failing answer of an incident; `None` if it is not kept.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn evidence(&self, incident: IncidentKey) -> Result<Option<IncidentEvidence>> {
        let connection = self.connection();
        let found: Option<(Vec<u8>, Option<i64>)> = connection
            .prepare_cached(
                "SELECT packed, good_id FROM evidence WHERE monitor_id = ?1 AND is_good = 0 AND at = ?2",
            )?
            .query_row((incident.monitor.0, incident.opened_at.as_ms()), |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        let Some((packed, good_id)) = found else {
            return Ok(None);
        };
        let good: Option<Vec<u8>> = connection
            .prepare_cached(
                "SELECT packed FROM evidence WHERE id = ?1 AND is_good = 1 AND monitor_id = ?2 AND at < ?3",
            )?
            .query_row(
                (good_id, incident.monitor.0, incident.opened_at.as_ms()),
                |row| row.get(0),
            )
            .optional()?;
        Ok(Some(IncidentEvidence {
            failing: unpack(&packed)?,
            good: good.as_deref().map(unpack).transpose()?,
        }))
    }

    /// What all kept answers take, about, in bytes.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn evidence_bytes(&self) -> Result<u64> {
        let [bad, good] = sizes(self.connection())?;
        Ok(bad + good)
    }
}

fn has_good_of_day(connection: &Connection, row: &EvidenceRow) -> Result<bool> {
    let day = row.at.as_ms().div_euclid(DAY) * DAY;
    Ok(connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM evidence
               WHERE monitor_id = ?1 AND is_good = 1 AND at >= ?2 AND at < ?3)",
        )?
        .query_row((row.monitor.0, day, day + DAY), |row| row.get(0))?)
}

/// Good answers of a monitor that are neither the newest nor compared with.
fn drop_older_good(connection: &Connection, monitor: i64) -> Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM evidence WHERE monitor_id = ?1 AND is_good = 1
               AND at < (SELECT max(at) FROM evidence WHERE monitor_id = ?1 AND is_good = 1)
               AND NOT EXISTS (SELECT 1 FROM evidence AS failing WHERE failing.good_id = evidence.id)",
        )?
        .execute([monitor])?;
    Ok(())
}

/// What failing and good answers take, in bytes.
fn sizes(connection: &Connection) -> Result<[u64; 2]> {
    let of = |is_good: bool| -> Result<u64> {
        let bytes: i64 = connection
            .prepare_cached("SELECT bytes FROM evidence_size WHERE is_good = ?1")?
            .query_row([is_good], |row| row.get(0))?;
        Ok(u64::try_from(bytes).unwrap_or(0))
    };
    Ok([of(false)?, of(true)?])
}

/// The answers that go first, by what they are: those of open incidents last.
const GOING_FIRST: [&str; 3] = [
    "SELECT id, monitor_id, good_id, bytes FROM evidence WHERE is_good = 0 AND NOT EXISTS
       (SELECT 1 FROM incidents WHERE incidents.monitor_id = evidence.monitor_id
          AND incidents.opened_at = evidence.at AND incidents.closed_at IS NULL)
     ORDER BY at LIMIT ?1",
    GOOD_BY_AGE,
    "SELECT id, monitor_id, good_id, bytes FROM evidence WHERE is_good = 0 ORDER BY at LIMIT ?1",
];

const GOOD_BY_AGE: &str =
    "SELECT id, monitor_id, good_id, bytes FROM evidence WHERE is_good = 1 ORDER BY at LIMIT ?1";

/// Takes away the oldest answers until all fit, the good ones into half of the room.
fn make_room(connection: &Connection, bytes_max: u64) -> Result<()> {
    let [bad, good] = sizes(connection)?;
    let half = bytes_max / 2;
    if good > half {
        let over = good - (half - half / FREED_PART);
        take_away(connection, GOOD_BY_AGE, over)?;
    }
    if bad + good <= bytes_max {
        return Ok(());
    }
    for going in GOING_FIRST {
        let [bad, good] = sizes(connection)?;
        let over = (bad + good).saturating_sub(bytes_max - bytes_max / FREED_PART);
        if over == 0 {
            break;
        }
        take_away(connection, going, over)?;
    }
    Ok(())
}

/// Deletes rows in the order of a query until so many bytes are free, or there are none.
fn take_away(connection: &Connection, going: &str, bytes: u64) -> Result<()> {
    let mut left = i64::try_from(bytes).unwrap_or(i64::MAX);
    while left > 0 {
        let mut statement = connection.prepare_cached(going)?;
        let rows = statement
            .query_map([ROWS_A_LOOK], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })?
            .collect::<std::result::Result<Vec<(i64, i64, Option<i64>, i64)>, _>>()?;
        if rows.is_empty() {
            break;
        }
        for (id, monitor, good_id, bytes) in rows {
            if left <= 0 {
                break;
            }
            connection
                .prepare_cached("DELETE FROM evidence WHERE id = ?1")?
                .execute([id])?;
            if good_id.is_some() {
                drop_older_good(connection, monitor)?;
            }
            left -= bytes;
        }
    }
    Ok(())
}

/// Forgets good answers that are dated ahead of a clock that was set back: no later one could take their place.
pub(in crate::store) fn clock_was_set_back(connection: &Connection, now: i64) -> Result<()> {
    connection.execute("DELETE FROM evidence WHERE is_good = 1 AND at > ?1", [now])?;
    Ok(())
}

/// Deletes some answers that are past their time, if there are any. `now` is the newest check's time.
pub(in crate::store) fn forget(
    connection: &Connection,
    keep: Option<std::time::Duration>,
    now: i64,
    rows_max: i64,
) -> Result<usize> {
    let Some(keep) = keep else {
        return Ok(connection
            .prepare_cached("DELETE FROM evidence WHERE id IN (SELECT id FROM evidence LIMIT ?1)")?
            .execute([rows_max])?);
    };
    let before = now.saturating_sub(i64::try_from(keep.as_millis()).unwrap_or(i64::MAX));
    let old = connection
        .prepare_cached(
            "DELETE FROM evidence WHERE id IN (SELECT id FROM evidence WHERE is_good = 0 AND at < ?1
               AND NOT EXISTS (SELECT 1 FROM incidents WHERE incidents.monitor_id = evidence.monitor_id
                 AND incidents.opened_at = evidence.at AND incidents.closed_at IS NULL)
             ORDER BY at LIMIT ?2)",
        )?
        .execute((before, rows_max))?;
    let unused = connection
        .prepare_cached(
            "DELETE FROM evidence WHERE id IN (SELECT id FROM evidence WHERE is_good = 1 AND at < ?1
               AND NOT EXISTS (SELECT 1 FROM evidence AS failing WHERE failing.good_id = evidence.id)
             ORDER BY at LIMIT ?2)",
        )?
        .execute((before, rows_max))?;
    let unconfirmed = connection
        .prepare_cached(
            "DELETE FROM evidence WHERE id IN (SELECT id FROM evidence WHERE is_good = 0 AND at >= ?1 AND at < ?2
               AND NOT EXISTS (SELECT 1 FROM incidents WHERE incidents.monitor_id = evidence.monitor_id
                 AND incidents.opened_at = evidence.at)
             LIMIT ?3)",
        )?
        .execute((now - CANDIDATES_LOOKED_FOR_MS, now - CANDIDATE_MS, rows_max))?;
    Ok(old + unused + unconfirmed)
}
