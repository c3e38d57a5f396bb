//! Brings a database to the format of this program, step by step, after a copy was made.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use sha2::{Digest, Sha256};

use crate::domain::timestamp::Timestamp;
use crate::own_files;
use crate::store::error::{Result, StoreError};

/// "sWtc": how `file` and other programs know whose SQLite file this is.
pub(in crate::store) const APPLICATION_ID: i64 = 0x7357_7463;

/// One file of `migrations/`, in order; its place in the list is its number.
const MIGRATIONS: &[(&str, &str)] = &[
    (
        "0001_init",
        include_str!("../../../migrations/0001_init.sql"),
    ),
    (
        "0002_ack_and_attempts",
        include_str!("../../../migrations/0002_ack_and_attempts.sql"),
    ),
    (
        "0003_wrong_clock",
        include_str!("../../../migrations/0003_wrong_clock.sql"),
    ),
    (
        "0004_first_attempt",
        include_str!("../../../migrations/0004_first_attempt.sql"),
    ),
    (
        "0005_clock_undo",
        include_str!("../../../migrations/0005_clock_undo.sql"),
    ),
    (
        "0006_lists",
        include_str!("../../../migrations/0006_lists.sql"),
    ),
    (
        "0007_events",
        include_str!("../../../migrations/0007_events.sql"),
    ),
    (
        "0008_evidence",
        include_str!("../../../migrations/0008_evidence.sql"),
    ),
    (
        "0009_amendments",
        include_str!("../../../migrations/0009_amendments.sql"),
    ),
    (
        "0010_deliveries",
        include_str!("../../../migrations/0010_deliveries.sql"),
    ),
    (
        "0011_channels",
        include_str!("../../../migrations/0011_channels.sql"),
    ),
    (
        "0012_rules",
        include_str!("../../../migrations/0012_rules.sql"),
    ),
    (
        "0013_escalation",
        include_str!("../../../migrations/0013_escalation.sql"),
    ),
    (
        "0014_alerts",
        include_str!("../../../migrations/0014_alerts.sql"),
    ),
    (
        "0015_locations",
        include_str!("../../../migrations/0015_locations.sql"),
    ),
    (
        "0016_standby",
        include_str!("../../../migrations/0016_standby.sql"),
    ),
    (
        "0017_arrivals",
        include_str!("../../../migrations/0017_arrivals.sql"),
    ),
    (
        "0018_shares",
        include_str!("../../../migrations/0018_shares.sql"),
    ),
    (
        "0019_incidents_by_begin",
        include_str!("../../../migrations/0019_incidents_by_begin.sql"),
    ),
];

/// The format this program writes.
pub(in crate::store) fn newest() -> i64 {
    i64::try_from(MIGRATIONS.len()).expect("migrations are counted by hand")
}

/// The format of a database: how many migrations it has seen; checks that it is one of ours.
pub(in crate::store) fn format(connection: &Connection, path: &Path) -> Result<i64> {
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let owner: i64 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    if found > 0 && owner != APPLICATION_ID {
        return Err(StoreError::Foreign {
            path: path.to_owned(),
            what: "it is a SQLite database of another program".to_owned(),
        });
    }
    if found > newest() {
        return Err(StoreError::Newer {
            path: path.to_owned(),
            found,
            known: newest(),
        });
    }
    Ok(found)
}

/// Runs what is missing. An existing database is copied to `PATH.before-N` first; answers where.
pub(in crate::store) fn run(
    connection: &mut Connection,
    path: &Path,
    now: Timestamp,
) -> Result<Option<PathBuf>> {
    run_list(connection, path, now, MIGRATIONS)
}

fn run_list(
    connection: &mut Connection,
    path: &Path,
    now: Timestamp,
    migrations: &[(&str, &str)],
) -> Result<Option<PathBuf>> {
    let found = format(connection, path)?;
    if found == 0 {
        refuse_foreign_tables(connection, path)?;
    } else {
        check_digests(connection, path, migrations)?;
    }
    let known = i64::try_from(migrations.len()).expect("migrations are counted by hand");
    if found == known {
        return Ok(None);
    }
    let copy = if found > 0 {
        Some(copy_before(connection, path, known)?)
    } else {
        None
    };
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(
        "CREATE TABLE IF NOT EXISTS schema_migrations (
            version INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL, applied_at INTEGER NOT NULL
        ) STRICT",
    )?;
    let todo = migrations
        .iter()
        .zip(1_i64..)
        .filter(|(_, version)| *version > found);
    for ((name, sql), version) in todo {
        transaction.execute_batch(sql)?;
        transaction.execute(
            "INSERT INTO schema_migrations (version, name, sha256, applied_at) VALUES (?1, ?2, ?3, ?4)",
            (version, name, digest(sql), now.as_ms()),
        )?;
    }
    let orphan: Option<String> = transaction
        .query_row("PRAGMA foreign_key_check", [], |row| row.get(0))
        .optional()?;
    if let Some(table) = orphan {
        return Err(StoreError::Damaged(format!(
            "a row of `{table}` points at nothing"
        )));
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", known)?;
    transaction.commit()?;
    Ok(copy)
}

fn refuse_foreign_tables(connection: &Connection, path: &Path) -> Result<()> {
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        return Ok(());
    }
    Err(StoreError::Foreign {
        path: path.to_owned(),
        what: "it is a SQLite database of another program".to_owned(),
    })
}

fn check_digests(connection: &Connection, path: &Path, migrations: &[(&str, &str)]) -> Result<()> {
    let mut statement = connection
        .prepare("SELECT version, name, sha256 FROM schema_migrations ORDER BY version")?;
    let rows = statement.query_map([], |row| {
        Ok((
            row.get::<_, i64>(0)?,
            row.get::<_, String>(1)?,
            row.get::<_, String>(2)?,
        ))
    })?;
    for row in rows {
        let (version, name, sha256) = row?;
        let known = usize::try_from(version - 1)
            .ok()
            .and_then(|index| migrations.get(index));
        if known.is_none_or(|(_, sql)| digest(sql) != sha256) {
            return Err(StoreError::Foreign {
                path: path.to_owned(),
                what: format!("its migration {name} is not the one this program has"),
            });
        }
    }
    Ok(())
}

fn copy_before(connection: &Connection, path: &Path, version: i64) -> Result<PathBuf> {
    let copy = own_files::beside(path, &format!(".before-{version}"));
    let fail = |what: &str, source| StoreError::File {
        what: format!("{what} `{}`", copy.display()),
        source,
    };
    // Left by an attempt that failed half way.
    if copy.symlink_metadata().is_ok() {
        std::fs::remove_file(&copy).map_err(|source| fail("remove", source))?;
    }
    own_files::create_new(&copy).map_err(|source| fail("create", source))?;
    connection.execute("VACUUM INTO ?1", [copy.to_string_lossy()])?;
    Ok(copy)
}

fn digest(sql: &str) -> String {
    use std::fmt::Write as _;
    Sha256::digest(sql.as_bytes())
        .iter()
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    #[test]
    fn a_new_database_gets_everything_once() {
        let mut connection = Connection::open_in_memory().unwrap();
        assert_eq!(
            run(&mut connection, Path::new("x.db"), at(1)).unwrap(),
            None
        );
        assert_eq!(format(&connection, Path::new("x.db")).unwrap(), newest());
        assert_eq!(
            run(&mut connection, Path::new("x.db"), at(2)).unwrap(),
            None
        );
    }

    #[test]
    fn an_older_one_is_copied_and_then_changed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.db");
        let mut connection = Connection::open(&path).unwrap();
        let first = (
            "0001_a",
            "CREATE TABLE a (x INTEGER) STRICT; INSERT INTO a VALUES (7);",
        );
        let second = ("0002_b", "ALTER TABLE a ADD COLUMN y INTEGER;");
        run_list(&mut connection, &path, at(1), &[first]).unwrap();
        let copy = run_list(&mut connection, &path, at(2), &[first, second])
            .unwrap()
            .unwrap();
        let old = Connection::open(copy).unwrap();
        let kept: i64 = old
            .query_row("SELECT x FROM a", [], |row| row.get(0))
            .unwrap();
        assert_eq!(kept, 7);
        assert!(old.prepare("SELECT y FROM a").is_err());
        assert!(connection.prepare("SELECT y FROM a").is_ok());
    }

    #[test]
    fn a_step_that_fails_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.db");
        let mut connection = Connection::open(&path).unwrap();
        let first = ("0001_a", "CREATE TABLE a (x INTEGER) STRICT;");
        let broken = (
            "0002_b",
            "CREATE TABLE b (x INTEGER) STRICT; SELECT nonsense;",
        );
        run_list(&mut connection, &path, at(1), &[first]).unwrap();
        assert!(run_list(&mut connection, &path, at(2), &[first, broken]).is_err());
        assert!(connection.prepare("SELECT x FROM b").is_err());
        assert_eq!(format(&connection, &path).unwrap(), 1);
    }

    #[test]
    fn what_is_not_ours_is_refused() {
        let path = Path::new("x.db");
        let mut newer = Connection::open_in_memory().unwrap();
        run(&mut newer, path, at(1)).unwrap();
        newer.pragma_update(None, "user_version", 99).unwrap();
        assert!(matches!(
            run(&mut newer, path, at(2)),
            Err(StoreError::Newer { found: 99, .. })
        ));

        let mut foreign = Connection::open_in_memory().unwrap();
        foreign.execute_batch("CREATE TABLE theirs (x)").unwrap();
        assert!(matches!(
            run(&mut foreign, path, at(2)),
            Err(StoreError::Foreign { .. })
        ));

        let mut changed = Connection::open_in_memory().unwrap();
        run_list(
            &mut changed,
            path,
            at(1),
            &[("0001_a", "CREATE TABLE a (x)")],
        )
        .unwrap();
        let other = [("0001_a", "CREATE TABLE a (x, y)")];
        assert!(matches!(
            run_list(&mut changed, path, at(2), &other),
            Err(StoreError::Foreign { .. })
        ));
    }
}
