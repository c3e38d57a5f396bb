//! What is shown of a monitor without reading its history: one row, rewritten when it is settled.

use rusqlite::{Connection, OptionalExtension};

use crate::policy::availability::uptime::Account;
use crate::store::checks::hour_block::{Row, pack, unpack};
use crate::store::checks::journal::{DAY, HOUR};
use crate::store::checks::observed_period;
use crate::store::error::Result;

/// The times of a period as the summary keeps them, in milliseconds: up, degraded, down, maintenance, unknown.
pub(super) fn to_text(account: &Account) -> String {
    let times = [
        account.up_ms,
        account.degraded_ms,
        account.down_ms,
        account.maintenance_ms,
        account.unknown_ms,
    ];
    serde_json::to_string(&times).expect("numbers are always JSON")
}

/// The reverse: the times, without the rest of an account.
pub(in crate::store) fn from_text(text: &str) -> Result<Account> {
    let [up_ms, degraded_ms, down_ms, maintenance_ms, unknown_ms]: [i64; 5] =
        serde_json::from_str(text)?;
    Ok(Account {
        up_ms,
        degraded_ms,
        down_ms,
        maintenance_ms,
        unknown_ms,
        ..Account::default()
    })
}

/// Rewrites the summary of a monitor; `rows` are the checks that were settled now, in order.
pub(in crate::store) fn put(
    connection: &Connection,
    monitor: i64,
    settled_hour: i64,
    settled_seq: i64,
    rows: &[Row],
) -> Result<()> {
    let known: Option<[Option<Vec<u8>>; 3]> = connection
        .prepare_cached("SELECT newest, good, bad FROM summary WHERE monitor_id = ?1")?
        .query_row([monitor], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?]))
        .optional()?;
    let [newest, good, bad] = known.unwrap_or_default();
    let last = |wanted: fn(u8) -> bool, known: Option<Vec<u8>>| -> Result<Option<Vec<u8>>> {
        let Some(row) = rows.iter().rev().find(|row| wanted(row.context.state)) else {
            return Ok(known);
        };
        if let Some(bytes) = &known
            && unpack(0, bytes)?.first().is_some_and(|old| old.at > row.at)
        {
            return Ok(known);
        }
        Ok(Some(pack(0, std::slice::from_ref(row))))
    };
    let newest = last(|_| true, newest)?;
    let good = last(|state| state < 2, good)?;
    let bad = last(|state| state == 2, bad)?;
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO summary (monitor_id, settled_hour, settled_seq, newest, good, bad)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute((monitor, settled_hour, settled_seq, newest, good, bad))?;
    put_times(connection, monitor, settled_hour)
}

/// Computes the times in the summary of a monitor again, because an incident counts differently.
pub(in crate::store) fn account_again(connection: &Connection, monitor: i64) -> Result<()> {
    let settled_hour: Option<i64> = connection
        .prepare_cached("SELECT settled_hour FROM summary WHERE monitor_id = ?1")?
        .query_row([monitor], |row| row.get(0))
        .optional()?;
    match settled_hour {
        Some(settled_hour) => put_times(connection, monitor, settled_hour),
        None => Ok(()),
    }
}

fn put_times(connection: &Connection, monitor: i64, settled_hour: i64) -> Result<()> {
    let end = (settled_hour + 1) * HOUR;
    let month = observed_period::settled(connection, monitor, end - 30 * DAY, end)?;
    let times = |from: i64| to_text(&month.account(from, end));
    connection
        .prepare_cached("UPDATE summary SET day = ?2, month = ?3 WHERE monitor_id = ?1")?
        .execute((monitor, times(end - DAY), times(end - 30 * DAY)))?;
    Ok(())
}
