//! What a probe saw and its hub has not committed: a SQLite file of its own. When it is full, the oldest good checks
//! are given up first, and counted.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::error::{Result, StoreError};
use super::file::lock::Lock;
use super::file::open::{connect, make_directory};
use crate::domain::location::Observation;
use crate::domain::monitor::MonitorId;
use crate::domain::timestamp::Timestamp;
use crate::wire::frame::{self, Packed};

/// What is older is given up.
pub const KEPT_FOR: Duration = Duration::from_secs(7 * 86_400);

/// So many frames are thinned in one transaction.
const THINNED_AT_ONCE: usize = 64;

/// What a frame takes beside its bytes.
const ROW_BYTES: u64 = 48;

/// The number that says that the file is a spool ("swsp").
const APPLICATION_ID: i64 = 0x7377_7370;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS frames (
    seq INTEGER PRIMARY KEY,
    made_at INTEGER NOT NULL,
    list_version INTEGER NOT NULL,
    -- 0: whole; 1: without its good checks; 2: counts of what was given up
    thinned INTEGER NOT NULL,
    packed BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
";

/// A frame that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its number.
    pub seq: u64,
    /// The number of the one before it that still waits; 0 for none.
    pub after: u64,
    /// When it was made.
    pub made_at: Timestamp,
    /// The list that it was made with.
    pub list_version: u64,
    /// Its observations, packed.
    pub packed: Vec<u8>,
}

/// A probe's spool; one process has it.
#[derive(Debug)]
pub struct Spool {
    connection: Connection,
    id: u64,
    newest: u64,
    frames: u64,
    bytes: u64,
    _file: File,
    _lock: Lock,
}

impl Spool {
    /// Opens the spool, or makes one.
    ///
    /// # Errors
    /// Another probe has it, it is something else, or the file system refuses.
    pub fn open(path: &Path, now: Timestamp) -> Result<Self> {
        make_directory(path)?;
        let lock = Lock::take(path)?;
        let (file, connection) = connect(path)?;
        let application: i64 =
            connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
        let tables: i64 =
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if application != APPLICATION_ID && tables > 0 {
            return Err(StoreError::Foreign {
                path: path.to_owned(),
                what: "it is not the spool of a probe; set another [daemon].database".to_owned(),
            });
        }
        connection.pragma_update(None, "application_id", APPLICATION_ID)?;
        connection.execute_batch(SCHEMA)?;
        let id = own_id(&connection, now)?;
        let (newest, frames, bytes) = connection.query_row(
            "SELECT coalesce(max(seq), 0), count(*), coalesce(sum(length(packed)), 0) FROM frames",
            [],
            |row| {
                Ok((
                    row.get::<_, i64>(0)?,
                    row.get::<_, i64>(1)?,
                    row.get::<_, i64>(2)?,
                ))
            },
        )?;
        let forgotten = number(&connection, "forgotten")?.unwrap_or(0);
        let frames = unsigned(frames);
        Ok(Self {
            connection,
            id,
            newest: unsigned(newest).max(forgotten),
            frames,
            bytes: unsigned(bytes) + frames * ROW_BYTES,
            _file: file,
            _lock: lock,
        })
    }

    /// The random number of this spool; a later one has a larger number.
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// The number of the newest frame.
    pub const fn newest(&self) -> u64 {
        self.newest
    }

    /// How many frames wait.
    pub const fn waiting(&self) -> u64 {
        self.frames
    }

    /// How many bytes they take.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds observations as frames: all of them or none.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn append(
        &mut self,
        mut observations: &[Observation],
        made_at: Timestamp,
        list_version: u64,
    ) -> Result<()> {
        let transaction = self.connection.unchecked_transaction()?;
        let (mut newest, mut frames, mut bytes) = (self.newest, self.frames, self.bytes);
        while !observations.is_empty() {
            let Packed {
                bytes: packed,
                count,
            } = frame::pack(observations);
            newest += 1;
            frames += 1;
            bytes += packed.len() as u64 + ROW_BYTES;
            transaction
                .prepare_cached(
                    "INSERT INTO frames (seq, made_at, list_version, thinned, packed) VALUES (?, ?, ?, 0, ?)",
                )?
                .execute(params![
                    signed(newest),
                    made_at.as_ms(),
                    signed(list_version),
                    packed
                ])?;
            observations = observations.get(count.max(1)..).unwrap_or_default();
        }
        transaction.commit()?;
        (self.newest, self.frames, self.bytes) = (newest, frames, bytes);
        Ok(())
    }

    /// The frames after a number, in order: at most `count`.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn after(&self, seq: u64, count: usize) -> Result<Vec<Waiting>> {
        let before: Option<i64> = self
            .connection
            .prepare_cached("SELECT max(seq) FROM frames WHERE seq <= ?")?
            .query_row([signed(seq)], |row| row.get(0))?;
        let mut after = before.map_or(0, unsigned);
        let mut statement = self.connection.prepare_cached(
            "SELECT seq, made_at, list_version, packed FROM frames WHERE seq > ? ORDER BY seq LIMIT ?",
        )?;
        let rows = statement.query_map(
            params![signed(seq), i64::try_from(count).unwrap_or(i64::MAX)],
            |row| {
                Ok(Waiting {
                    seq: unsigned(row.get(0)?),
                    after: 0,
                    made_at: Timestamp::from_ms(row.get(1)?),
                    list_version: unsigned(row.get(2)?),
                    packed: row.get(3)?,
                })
            },
        )?;
        let mut frames = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        for frame in &mut frames {
            frame.after = after;
            after = frame.seq;
        }
        Ok(frames)
    }

    /// Forgets the frames up to this one: the hub has them.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn forget(&mut self, up_to: u64) -> Result<()> {
        let up_to = up_to.min(self.newest);
        let transaction = self.connection.unchecked_transaction()?;
        transaction
            .prepare_cached("DELETE FROM frames WHERE seq <= ?")?
            .execute([signed(up_to)])?;
        // A spool that is empty at the next start still knows how far it had counted.
        put(
            &transaction,
            "forgotten",
            &self.newest.max(up_to).to_le_bytes(),
        )?;
        transaction.commit()?;
        self.count()
    }

    fn count(&mut self) -> Result<()> {
        let (frames, bytes) = self.connection.query_row(
            "SELECT count(*), coalesce(sum(length(packed)), 0) FROM frames",
            [],
            |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)),
        )?;
        self.frames = unsigned(frames);
        self.bytes = unsigned(bytes) + self.frames * ROW_BYTES;
        Ok(())
    }

    /// Gives up what is too old or too much: first the good checks, then the rest; what goes is counted in its place.
    /// Answers how many checks were given up.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn shrink(&mut self, bytes_max: u64, now: Timestamp) -> Result<u64> {
        let oldest = now.minus(KEPT_FOR);
        let mut given_up = self.fold(|row| row.made_at < oldest)?;
        while self.bytes > bytes_max {
            let before = self.bytes;
            given_up += self.thin()?;
            if self.bytes >= before {
                given_up += self.fold(|row| row.thinned > 0)?;
            }
            if self.bytes >= before {
                // Counts alone: a hundred monitors take less than a KiB.
                break;
            }
        }
        Ok(given_up)
    }

    /// Takes the good checks out of the oldest whole frames.
    fn thin(&mut self) -> Result<u64> {
        let transaction = self.connection.unchecked_transaction()?;
        let frames = rows(&transaction, "WHERE thinned = 0")?;
        let mut given_up = 0;
        for Row { seq, packed, .. } in frames {
            let observations = frame::unpack(&packed).unwrap_or_default();
            let mut missed = Missed::default();
            let mut kept = Vec::new();
            for observation in observations {
                match &observation {
                    Observation::Checked { check, .. } if check.verdict.is_good() => {
                        given_up += 1;
                        missed.add(&observation);
                    }
                    _ => kept.push(observation),
                }
            }
            kept.extend(missed.observations());
            transaction
                .prepare_cached("UPDATE frames SET thinned = 1, packed = ? WHERE seq = ?")?
                .execute(params![frame::pack_missed(&kept).bytes, seq])?;
        }
        transaction.commit()?;
        self.count()?;
        Ok(given_up)
    }

    /// Makes one frame of those at the beginning that are meant, with counts of what was in them.
    fn fold(&mut self, is_meant: impl Fn(&Row) -> bool) -> Result<u64> {
        let transaction = self.connection.unchecked_transaction()?;
        let mut frames = rows(&transaction, "")?;
        let meant = frames.iter().take_while(|row| is_meant(row)).count();
        frames.truncate(meant);
        let newest = match frames.as_slice() {
            [] => return Ok(0),
            // A frame that was made by this stays as it is.
            [only] if only.thinned == 2 => return Ok(0),
            [.., newest] => newest.seq,
        };
        let mut missed = Missed::default();
        let mut given_up = 0;
        for row in &frames {
            for observation in frame::unpack(&row.packed).unwrap_or_default() {
                given_up += u64::from(matches!(observation, Observation::Checked { .. }));
                missed.add(&observation);
            }
        }
        let packed = frame::pack_missed(&missed.observations()).bytes;
        transaction.execute("DELETE FROM frames WHERE seq < ?", [newest])?;
        transaction.execute(
            "UPDATE frames SET thinned = 2, packed = ? WHERE seq = ?",
            params![packed, newest],
        )?;
        transaction.commit()?;
        self.count()?;
        Ok(given_up)
    }

    /// The last list of monitors that was kept, with its version.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn list(&self) -> Result<Option<(u64, Vec<u8>)>> {
        let version = number(&self.connection, "list_version")?;
        let list = fact(&self.connection, "list")?;
        Ok(version.zip(list))
    }

    /// Keeps a list of monitors, so that a restart needs nobody.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn put_list(&mut self, version: u64, list: &[u8]) -> Result<()> {
        let transaction = self.connection.unchecked_transaction()?;
        put(&transaction, "list_version", &version.to_le_bytes())?;
        put(&transaction, "list", list)?;
        Ok(transaction.commit()?)
    }
}

/// Slots of monitors without a check: the first, and how many.
#[derive(Default)]
struct Missed(BTreeMap<MonitorId, (Timestamp, u32)>);

impl Missed {
    fn add(&mut self, observation: &Observation) {
        let (monitor, at, count) = match observation {
            Observation::Checked { monitor, check } => (*monitor, check.at, 1),
            Observation::Missed {
                monitor,
                from,
                count,
            } => (*monitor, *from, *count),
        };
        let (from, sum) = self.0.entry(monitor).or_insert((at, 0));
        *from = at.min(*from);
        *sum = sum.saturating_add(count);
    }

    fn observations(self) -> Vec<Observation> {
        let all = self.0.into_iter();
        all.map(|(monitor, (from, count))| Observation::Missed {
            monitor,
            from,
            count,
        })
        .collect()
    }
}

/// A frame that may be given up.
struct Row {
    seq: i64,
    made_at: Timestamp,
    thinned: i64,
    packed: Vec<u8>,
}

/// The oldest frames, in order.
fn rows(transaction: &Transaction<'_>, which: &'static str) -> Result<Vec<Row>> {
    let sql = format!(
        "SELECT seq, made_at, thinned, packed FROM frames {which} ORDER BY seq LIMIT {THINNED_AT_ONCE}"
    );
    let mut statement = transaction.prepare_cached(&sql)?;
    let rows = statement.query_map([], |row| {
        Ok(Row {
            seq: row.get(0)?,
            made_at: Timestamp::from_ms(row.get(1)?),
            thinned: row.get(2)?,
            packed: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The spool's own number: the time in its upper part, so that a spool made later has a larger one.
fn own_id(connection: &Connection, now: Timestamp) -> Result<u64> {
    if let Some(id) = number(connection, "id")? {
        return Ok(id);
    }
    let random: i64 = connection.query_row("SELECT random()", [], |row| row.get(0))?;
    let made = unsigned(now.as_ms().max(0)) << 16;
    let id = made | (random.cast_unsigned() & 0xffff);
    put(connection, "id", &id.to_le_bytes())?;
    Ok(id)
}

fn fact(connection: &Connection, name: &str) -> Result<Option<Vec<u8>>> {
    let mut statement = connection.prepare_cached("SELECT value FROM facts WHERE name = ?")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?)
}

fn number(connection: &Connection, name: &str) -> Result<Option<u64>> {
    let bytes = fact(connection, name)?;
    let bytes: Option<[u8; 8]> = bytes.and_then(|bytes| bytes.try_into().ok());
    Ok(bytes.map(u64::from_le_bytes))
}

fn put(connection: &Connection, name: &str, value: &[u8]) -> Result<()> {
    connection
        .prepare_cached("INSERT INTO facts (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2")?
        .execute(params![name, value])?;
    Ok(())
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::check::{Chain, Check, Failure, FailureKind, Timings, Verdict};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_ms(1_700_000_000_000 + seconds * 1000)
    }

    fn checked(monitor: i64, second: i64, is_good: bool) -> Observation {
        let verdict = match is_good {
            true => Verdict::Up,
            false => Verdict::Down(Failure {
                kind: FailureKind::Status,
                detail: "503".into(),
            }),
        };
        Observation::Checked {
            monitor: MonitorId(monitor),
            check: Box::new(Check {
                at: at(second),
                verdict,
                status: Some(200),
                chain: Arc::new(Chain {
                    final_url: format!("https://site-{monitor}.example/{second}").into(),
                    ..Chain::default()
                }),
                redirect_times: Box::default(),
                timings: Timings::default(),
                http_version: None,
                body_bytes: 0,
                retry_after_s: None,
                certificate: None,
                excerpt: None,
                remarks: Box::default(),
                extras: None,
            }),
        }
    }

    fn seen(spool: &Spool) -> (usize, usize, u32) {
        let (mut good, mut bad, mut missed) = (0, 0, 0);
        for frame in spool.after(0, usize::MAX).unwrap() {
            for observation in frame::unpack(&frame.packed).unwrap() {
                match observation {
                    Observation::Checked { check, .. } if check.verdict.is_good() => good += 1,
                    Observation::Checked { .. } => bad += 1,
                    Observation::Missed { count, .. } => missed += count,
                }
            }
        }
        (good, bad, missed)
    }

    #[test]
    fn frames_are_numbered_and_forgotten_across_restarts() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("spool.db");
        let mut spool = Spool::open(&path, at(0)).unwrap();
        let id = spool.id();
        let many: Vec<_> = (0..250).map(|second| checked(1, second, true)).collect();
        spool.append(&many, at(250), 3).unwrap();
        assert_eq!((spool.newest(), spool.waiting()), (3, 3));
        drop(spool);
        let mut spool = Spool::open(&path, at(300)).unwrap();
        assert_eq!((spool.id(), spool.newest(), spool.waiting()), (id, 3, 3));
        let numbers = |spool: &Spool, seq| -> Vec<_> {
            let frames = spool.after(seq, 10).unwrap();
            frames
                .iter()
                .map(|frame| (frame.after, frame.seq))
                .collect()
        };
        assert_eq!(numbers(&spool, 0), [(0, 1), (1, 2), (2, 3)]);
        assert_eq!(numbers(&spool, 2), [(2, 3)]);
        assert_eq!(spool.after(0, 1).unwrap()[0].list_version, 3);
        spool.forget(2).unwrap();
        assert_eq!(numbers(&spool, 0), [(0, 3)]);
        spool.forget(3).unwrap();
        assert_eq!(spool.waiting(), 0);
        drop(spool);
        let mut spool = Spool::open(&path, at(300)).unwrap();
        spool.append(&many[..1], at(301), 3).unwrap();
        assert_eq!(numbers(&spool, 0), [(0, 4)], "a number is never used twice");
        assert!(
            Spool::open(&path, at(302)).is_err(),
            "two probes share no spool"
        );
    }

    #[test]
    fn the_oldest_good_checks_go_first_and_all_are_counted() {
        let place = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(&place.path().join("spool.db"), at(0)).unwrap();
        for second in 0..400 {
            let both = [
                checked(1, second, true),
                checked(2, second, second % 10 > 0),
            ];
            spool.append(&both, at(second), 1).unwrap();
        }
        assert_eq!(seen(&spool), (760, 40, 0));
        let whole = spool.bytes();
        // What failed is a third of it at most; each frame that was thinned goes on taking some bytes.
        let given_up = spool.shrink(whole / 5 * 4, at(400)).unwrap();
        let (good, bad, missed) = seen(&spool);
        assert!(spool.bytes() <= whole / 5 * 4);
        assert_eq!(bad, 40, "what failed stays");
        assert!(good > 0 && u64::from(missed) == given_up);
        assert_eq!(good + bad + missed as usize, 800);
        spool.shrink(200, at(400)).unwrap();
        let (good, bad, missed) = seen(&spool);
        assert_eq!(good + bad + missed as usize, 800);
        // A week later nothing is left but counts.
        let later = at(400).plus(KEPT_FOR * 2);
        for _ in 0..20 {
            spool.shrink(u64::MAX, later).unwrap();
        }
        assert_eq!(seen(&spool), (0, 0, 800));
        assert_eq!(spool.waiting(), 1);
        assert_eq!(spool.after(0, 1).unwrap()[0].seq, 400);
    }

    #[test]
    fn a_list_is_kept_and_other_files_are_left_alone() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("spool.db");
        let mut spool = Spool::open(&path, at(0)).unwrap();
        assert_eq!(spool.list().unwrap(), None);
        spool.put_list(7, b"list").unwrap();
        drop(spool);
        let spool = Spool::open(&path, at(0)).unwrap();
        assert_eq!(spool.list().unwrap(), Some((7, b"list".to_vec())));
        let database = place.path().join("sitewatch.db");
        drop(crate::store::writer::Store::open(&database, at(0)).unwrap());
        let refused = Spool::open(&database, at(0)).unwrap_err().to_string();
        assert!(refused.contains("not the spool of a probe"), "{refused}");
    }
}
