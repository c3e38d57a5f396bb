//! Does again what another hub noted.

use std::collections::HashMap;

use rusqlite::TransactionBehavior;
use rusqlite::config::DbConfig;

use super::capture::tables;
use super::standing;
use crate::domain::hub_copy::{Change, HubCopy};
use crate::store::error::{Result, StoreError};
use crate::store::writer::Store;

/// How to do a change to a table; `{}` is where its literals go.
struct Ways {
    put: String,
    gone: String,
}

impl Store {
    /// Prepares this copy for following: what triggers do is among the changes that come.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn follow(&mut self) -> Result<()> {
        super::capture::end(&self.connection)?;
        self.connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
        self.connection.pragma_update(None, "foreign_keys", false)?;
        Ok(())
    }

    /// Does changes in one transaction, after which the copy is as `after` says.
    ///
    /// # Errors
    /// If SQLite fails, or a change does not fit. Nothing of it is stored then.
    pub fn apply(&mut self, changes: &[Change], after: &HubCopy) -> Result<()> {
        let ways: HashMap<String, Ways> = tables(&self.connection)?
            .into_iter()
            .map(|table| {
                let name = &table.name;
                let key: Vec<String> = table.key.iter().map(|one| format!("\"{one}\"")).collect();
                let key = key.join(", ");
                let gone = match table.has_key {
                    true => format!("DELETE FROM main.\"{name}\" WHERE ({key}) = ({{}})"),
                    false => format!(
                        "DELETE FROM main.\"{name}\" WHERE rowid =
                             (SELECT rowid FROM main.\"{name}\" WHERE ({key}) IS ({{}}) LIMIT 1)"
                    ),
                };
                let ways = Ways {
                    put: format!("INSERT OR REPLACE INTO main.\"{name}\" VALUES ({{}})"),
                    gone,
                };
                (table.name, ways)
            })
            .collect();
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        for change in changes {
            let unknown = || StoreError::Damaged(format!("there is no table {}", change.name));
            let ways = ways.get(&change.name).ok_or_else(unknown)?;
            let way = match change.is_gone {
                true => &ways.gone,
                false => &ways.put,
            };
            transaction.execute(&way.replace("{}", &change.literals), [])?;
        }
        transaction.execute("DELETE FROM changes", [])?;
        standing::put(&transaction, after)?;
        transaction.commit()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::domain::timestamp::Timestamp;
    use crate::store::reader::Reader;
    use crate::store::replica::standing::Unsent;

    const COPY: HubCopy = HubCopy {
        term: 3,
        boot: 77,
        position: 0,
        number: 9,
        leads: true,
        is_followed: true,
    };

    fn opened(path: &std::path::Path) -> Store {
        Store::open(path, Timestamp::from_ms(1_700_000_000_000)).unwrap()
    }

    /// Everything that both should have.
    fn dump(db: &Connection) -> String {
        let mut out = String::new();
        for table in tables(db).unwrap() {
            let columns: Vec<String> = table
                .columns
                .iter()
                .map(|column| format!("quote(\"{column}\")"))
                .collect();
            let key: Vec<String> = table.key.iter().map(|one| format!("\"{one}\"")).collect();
            let sql = format!(
                "SELECT {} FROM \"{}\" ORDER BY {}",
                columns.join(" || ',' || "),
                table.name,
                key.join(", ")
            );
            let mut select = db.prepare(&sql).unwrap();
            let rows = select.query_map([], |row| row.get::<_, String>(0)).unwrap();
            for row in rows {
                out.push_str(&format!("{}: {}\n", table.name, row.unwrap()));
            }
        }
        out
    }

    /// Writes of every kind: with triggers, keys of two columns, keys that change, texts with anything in them.
    fn write(db: &Connection, round: i64) {
        db.execute_batch(&format!(
            "INSERT INTO monitors (id, name, url, interval_ms, public, added_at)
                VALUES ({round}, 'shop {round}', 'it''s; DROP TABLE monitors; --', 1, 1, 1);
             INSERT INTO outbox (kind, recipient, mailbox, message_id, notice, queued_at, next_attempt_at)
                VALUES ('down', 'a@x', 'a@x', 'id-{round}', 'a' || char(0) || 'b' || char(10), {round}, 5);
             UPDATE outbox SET state = 'sent', done_at = 7 WHERE message_id = 'id-{round}';
             INSERT INTO missed (monitor_id, hour, slots) VALUES ({round}, 1, 2)
                ON CONFLICT (monitor_id, hour) DO UPDATE SET slots = slots + excluded.slots;
             INSERT INTO meta (key, value) VALUES ('k', '{round}')
                ON CONFLICT (key) DO UPDATE SET value = excluded.value;
             UPDATE missed SET hour = hour + {round};
             INSERT INTO ledger (id, checks) VALUES ({round}, x'00ff27');
             INSERT INTO clock_undo VALUES ('missed', 'same'), ('missed', 'same'), ('missed', '{round}');
             UPDATE clock_undo SET image = image WHERE image = 'same';
             DELETE FROM clock_undo WHERE rowid = (SELECT min(rowid) FROM clock_undo WHERE image = 'same');"
        ))
        .unwrap();
        if round > 2 {
            db.execute("DELETE FROM monitors WHERE id = ?1", [round - 2])
                .unwrap();
            db.execute("DELETE FROM missed WHERE hour < ?1", [round])
                .unwrap();
        }
    }

    fn unsent(path: &std::path::Path, after: i64) -> Vec<Change> {
        match Reader::open(path).unwrap().unsent(after).unwrap() {
            Unsent::Changes { changes, .. } => changes,
            Unsent::TooMany => panic!("too many"),
        }
    }

    #[test]
    fn a_copy_that_follows_is_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let (ours, theirs) = (directory.path().join("a.db"), directory.path().join("b.db"));
        let mut leader = opened(&ours);
        write(&leader.connection, 1);
        leader.lead(&COPY).unwrap();
        write(&leader.connection, 2);
        Reader::open(&ours).unwrap().backup(&theirs).unwrap();
        let mut standby = opened(&theirs);
        let base = standby.hub_copy().unwrap().unwrap();
        assert_eq!(base.boot, 77);
        standby.follow().unwrap();
        let position = standby.newest_change().unwrap();
        assert!(position > 0, "what was written before the copy is numbered");
        let mut copy = HubCopy {
            position,
            leads: false,
            ..base
        };
        standby.apply(&[], &copy).unwrap();
        for round in 3..9 {
            write(&leader.connection, round);
            let changes = unsent(&ours, copy.position);
            assert!(!changes.is_empty());
            copy.position += i64::try_from(changes.len()).unwrap();
            standby.apply(&changes, &copy).unwrap();
            leader
                .sent(&HubCopy {
                    leads: true,
                    ..copy
                })
                .unwrap();
            assert_eq!(dump(&standby.connection), dump(&leader.connection));
        }
        assert_eq!(standby.hub_copy().unwrap(), Some(copy));
        assert!(
            dump(&standby.connection).contains("events: "),
            "triggers count"
        );
        // A restart goes on noting, and numbers go on.
        drop(leader);
        let leader = opened(&ours);
        write(&leader.connection, 9);
        let changes = unsent(&ours, copy.position);
        standby.apply(&changes, &copy).unwrap();
        assert_eq!(dump(&standby.connection), dump(&leader.connection));
    }

    #[test]
    fn without_a_standby_nothing_is_noted() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.db");
        let mut store = opened(&path);
        write(&store.connection, 1);
        assert_eq!(store.newest_change().unwrap(), 0);
        store
            .lead(&HubCopy {
                is_followed: false,
                ..COPY
            })
            .unwrap();
        write(&store.connection, 2);
        assert_eq!(unsent(&path, 0), []);
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.db");
        let mut store = opened(&path);
        store.follow().unwrap();
        let change = |name: &str, literals: &str| Change {
            name: name.to_owned(),
            is_gone: false,
            literals: literals.to_owned(),
        };
        for bad in [
            change("nothing", "1"),
            change("meta", "1"),
            change("hub_copy", "1,1,1,1,1,1,1"),
            change("meta", "'a','b'); DELETE FROM meta; --"),
        ] {
            let before = dump(&store.connection);
            let fine = change("meta", "'fine','x'");
            assert!(store.apply(&[fine, bad.clone()], &COPY).is_err(), "{bad:?}");
            assert_eq!(dump(&store.connection), before);
        }
    }

    #[test]
    fn a_log_that_is_away_for_long_is_given_up() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.db");
        let mut store = opened(&path);
        store.lead(&COPY).unwrap();
        let before = unsent(&path, 0).len();
        store
            .connection
            .execute_batch(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 250000)
                 INSERT INTO missed (monitor_id, hour, slots) SELECT i, 1, 1 FROM n",
            )
            .unwrap();
        assert!(before < 10);
        let reader = Reader::open(&path).unwrap();
        assert!(matches!(reader.unsent(0).unwrap(), Unsent::TooMany));
        store.unfollowed().unwrap();
        assert!(!store.hub_copy().unwrap().unwrap().is_followed);
        assert_eq!(unsent(&path, 0), []);
        write(&store.connection, 5);
        assert_eq!(unsent(&path, 0), []);
    }
}
