//! Notes every row that changes, in the transaction that changes it, whichever part of the program writes it: by
//! triggers that only the writing connection has. Without a standby there are none.

use rusqlite::Connection;

use crate::store::error::Result;

/// Tables of this copy alone.
const OWN: [&str; 3] = ["hub_copy", "changes", "schema_migrations"];

/// A table and its columns.
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<String>,
    /// Those of its key, in the order of the key; all of them where it has none.
    pub(super) key: Vec<String>,
    /// Whether rows have a key. Where they have none, two may be the same.
    pub(super) has_key: bool,
}

/// The tables that both hubs have.
pub(super) fn tables(db: &Connection) -> Result<Vec<Table>> {
    let mut select = db.prepare(
        "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite@_%' ESCAPE '@' ORDER BY name",
    )?;
    let names: Vec<String> = select
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut tables = Vec::new();
    for name in names
        .into_iter()
        .filter(|name| !OWN.contains(&name.as_str()))
    {
        let mut select =
            db.prepare("SELECT name, pk FROM pragma_table_info(?1, 'main') ORDER BY cid")?;
        let columns: Vec<(String, i64)> = select
            .query_map([&name], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        let mut key: Vec<&(String, i64)> = columns.iter().filter(|(_, place)| *place > 0).collect();
        key.sort_by_key(|(_, place)| *place);
        let has_key = !key.is_empty();
        if !has_key {
            key = columns.iter().collect();
        }
        tables.push(Table {
            name,
            has_key,
            key: key.into_iter().map(|(column, _)| column.clone()).collect(),
            columns: columns.into_iter().map(|(column, _)| column).collect(),
        });
    }
    Ok(tables)
}

/// Notes changes from now on, for as long as the connection lasts.
pub(in crate::store) fn begin(db: &Connection) -> Result<()> {
    for table in tables(db)? {
        db.execute_batch(&triggers(&table))?;
    }
    Ok(())
}

/// Notes none any more.
pub(in crate::store) fn end(db: &Connection) -> Result<()> {
    for table in tables(db)? {
        for what in ["put", "changed", "gone"] {
            let name = &table.name;
            db.execute_batch(&format!(
                "DROP TRIGGER IF EXISTS temp.\"note_{name}_{what}\""
            ))?;
        }
    }
    Ok(())
}

fn triggers(table: &Table) -> String {
    let name = &table.name;
    let note = |row: &str, columns: &[String], is_gone: u8| {
        format!(
            "INSERT INTO changes (name, is_gone, literals) SELECT '{name}', {is_gone}, {}",
            literals(row, columns)
        )
    };
    let put = note("new", &table.columns, 0);
    let gone = note("old", &table.key, 1);
    let moved: Vec<String> = table
        .key
        .iter()
        .map(|column| format!("old.\"{column}\" IS NOT new.\"{column}\""))
        .collect();
    let moved = moved.join(" OR ");
    // Of two rows that are the same one must not become three.
    let changed = match table.has_key {
        true => put.clone(),
        false => format!("{put} WHERE {moved}"),
    };
    format!(
        "CREATE TEMP TRIGGER IF NOT EXISTS \"note_{name}_put\" AFTER INSERT ON main.\"{name}\" BEGIN {put}; END;
         CREATE TEMP TRIGGER IF NOT EXISTS \"note_{name}_changed\" AFTER UPDATE ON main.\"{name}\" BEGIN
             {gone} WHERE {moved}; {changed}; END;
         CREATE TEMP TRIGGER IF NOT EXISTS \"note_{name}_gone\" AFTER DELETE ON main.\"{name}\" BEGIN {gone}; END;"
    )
}

/// An expression for the columns of a row as SQL literals. `quote` ends a text at its first NUL.
fn literals(row: &str, columns: &[String]) -> String {
    let all: Vec<String> = columns
        .iter()
        .map(|column| {
            let value = format!("{row}.\"{column}\"");
            format!(
                "CASE WHEN typeof({value}) = 'text' AND instr({value}, char(0)) > 0
                      THEN 'CAST(x''' || hex({value}) || ''' AS TEXT)' ELSE quote({value}) END"
            )
        })
        .collect();
    all.join(" || ',' || ")
}
