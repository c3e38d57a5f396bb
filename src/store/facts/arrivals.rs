//! Which checks of a location arrived later than they were made, and when. All others arrived as they ended.

use rusqlite::Connection;

use crate::domain::timestamp::Timestamp;
use crate::store::error::Result;

/// Checks of one location that arrived together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// When the first of them began.
    pub from: Timestamp,
    /// When the last of them began.
    pub to: Timestamp,
    /// When they arrived.
    pub arrived_at: Timestamp,
}

/// Forgets arrivals of checks that began before `before`, at most `limit`; says how many.
pub(in crate::store) fn forget(connection: &Connection, before: i64, limit: i64) -> Result<usize> {
    Ok(connection
        .prepare_cached(
            "DELETE FROM arrivals WHERE (location_id, from_at) IN
               (SELECT location_id, from_at FROM arrivals WHERE to_at < ?1 LIMIT ?2)",
        )?
        .execute((before, limit))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::location::{LocationName, ProbeName};
    use crate::store::facts::locations::StoredProbe;
    use crate::store::reader::Reader;
    use crate::store::writer::Store;

    const fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    #[test]
    fn arrivals_go_on_and_are_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.db");
        let mut store = Store::open(&path, at(0)).unwrap();
        let nyc = LocationName::parse("nyc").unwrap();
        let arrival = |from, to, arrived_at| Arrival {
            from: at(from),
            to: at(to),
            arrived_at: at(arrived_at),
        };
        let mut batch = store.batch().unwrap();
        let probe = StoredProbe {
            spool: 1,
            done_seq: 1,
            heard_at: at(0),
            silent_from: None,
            seen: None,
        };
        let sender = ProbeName::whole(nyc.clone());
        batch.put_probe(&sender, &probe).unwrap();
        for one in [
            arrival(10, 20, 90),
            arrival(10, 30, 90),
            // A piece that ends earlier takes nothing away.
            arrival(10, 25, 90),
            arrival(40, 50, 99),
        ] {
            batch.put_arrival(&nyc, one).unwrap();
        }
        batch.commit().unwrap();
        let reader = Reader::open(&path).unwrap();
        let found = |from, until| -> Vec<Arrival> {
            let all = reader.arrivals(at(from), at(until)).unwrap();
            all.into_iter().map(|(_, arrival)| arrival).collect()
        };
        let both = [arrival(10, 30, 90), arrival(40, 50, 99)];
        assert_eq!(found(0, 100), both);
        assert_eq!(found(30, 40), both[..1]);
        assert_eq!(found(31, 41), both[1..]);
        assert_eq!(forget(store.outbox(), 31, 10).unwrap(), 1);
        assert_eq!(found(0, 100), both[1..]);
    }
}
