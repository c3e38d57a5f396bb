//! Uptime Kuma's database, versions 1 and 2, read into the shape of its export.

use std::cell::Cell;
use std::collections::HashMap;
use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Map, Value};

/// More rows than this in a table are not a person's monitors.
const ROWS_MAX: usize = 200_000;
/// A larger text of one column is no setting.
const TEXT_BYTES_MAX: usize = 1024 * 1024;
/// All texts that are read. A column that SQLite computes may be much longer than the file.
const ALL_BYTES_MAX: usize = 256 * 1024 * 1024;
/// About what a value takes beside its text.
const VALUE_BYTES: usize = 80;
/// Steps of SQLite's machine for all tables together; a person's database takes some thousands.
const STEPS_MAX: i32 = 200_000_000;
/// It is asked as often whether the steps are used up.
const STEPS_AT_ONCE: i32 = 100_000;

/// Why a database cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum KumaError {
    /// SQLite refuses the file.
    #[error("read the database: {0}")]
    Database(#[from] rusqlite::Error),
    /// It is a database of something else.
    #[error("it has no table `monitor`: is this Uptime Kuma's kuma.db?")]
    NoMonitors,
    /// Its texts are longer than any settings.
    #[error("its settings hold more than {} MiB of text", ALL_BYTES_MAX >> 20)]
    TooMuch,
    /// A table is longer than any that people have.
    #[error("the table `{0}` has more than {ROWS_MAX} rows")]
    TooMany(&'static str),
}

/// Reads monitors, notifications, tags and proxies of a `kuma.db`. The file is not written to, also while Uptime Kuma
/// has it open.
///
/// # Errors
/// When it is no database, or none of Uptime Kuma.
pub fn read(path: &Path) -> Result<Value, KumaError> {
    let connection = open(path)?;
    let has = |table: &str| {
        connection
            .query_row(
                "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 AND name = ?1",
                [table],
                |row| row.get::<_, i64>(0),
            )
            .map(|count| count > 0)
    };
    if !has("monitor")? {
        return Err(KumaError::NoMonitors);
    }
    let bytes = Cell::new(0);
    let all = |table: &'static str| match has(table)? {
        true => rows(&connection, table, ROWS_MAX, &bytes),
        false => Ok(Vec::new()),
    };
    // Of these it counts only that there are any.
    let any = |table: &'static str| match has(table)? {
        true => rows(&connection, table, 1, &bytes).or_else(|error| match error {
            KumaError::TooMany(_) => Ok(vec![Map::new()]),
            other => Err(other),
        }),
        false => Ok(Vec::new()),
    };
    let mut monitors: Vec<Map<String, Value>> =
        all("monitor")?.into_iter().map(as_exported).collect();
    let links = by_number(all("monitor_notification")?, "monitor_id");
    let tags = by_number(all("tag")?, "id");
    let tagged = by_number(all("monitor_tag")?, "monitor_id");
    for monitor in &mut monitors {
        let id = monitor.get("id").and_then(Value::as_i64);
        let of = |rows: &Rows| id.and_then(|id| rows.get(&id).cloned()).unwrap_or_default();
        let named: Map<String, Value> = of(&links)
            .into_iter()
            .filter_map(|link| Some((link.get("notification_id")?.to_string(), true.into())))
            .collect();
        let own_tags: Vec<Value> = of(&tagged)
            .into_iter()
            .filter_map(|link| {
                let tag = tags.get(&link.get("tag_id")?.as_i64()?)?.first()?;
                let mut tag = tag.clone();
                let value = link.get("value").cloned().unwrap_or(Value::Null);
                tag.insert("value".to_owned(), value);
                Some(Value::Object(tag))
            })
            .collect();
        monitor.insert("notificationIDList".to_owned(), Value::Object(named));
        monitor.insert("tags".to_owned(), Value::Array(own_tags));
    }
    let list = |rows: Vec<Map<String, Value>>| -> Value {
        rows.into_iter()
            .map(Value::Object)
            .collect::<Vec<_>>()
            .into()
    };
    let mut export = Map::new();
    export.insert("monitorList".to_owned(), list(monitors));
    export.insert("notificationList".to_owned(), list(all("notification")?));
    export.insert("proxyList".to_owned(), list(all("proxy")?));
    export.insert("statusPageList".to_owned(), list(any("status_page")?));
    export.insert("maintenanceList".to_owned(), list(any("maintenance")?));
    Ok(Value::Object(export))
}

type Rows = HashMap<i64, Vec<Map<String, Value>>>;

fn by_number(rows: Vec<Map<String, Value>>, column: &str) -> Rows {
    let mut found = Rows::new();
    for row in rows {
        if let Some(number) = row.get(column).and_then(Value::as_i64) {
            found.entry(number).or_default().push(row);
        }
    }
    found
}

/// Opens it for reading. A copy without the files beside it, in a folder that takes none, is read as it is.
fn open(path: &Path) -> Result<Connection, KumaError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let encoded = percent_encoding::percent_encode(
        path.as_os_str().as_encoded_bytes(),
        percent_encoding::NON_ALPHANUMERIC,
    );
    let mut last = None;
    for mode in ["mode=ro", "immutable=1"] {
        let mut connection = Connection::open_with_flags(format!("file:{encoded}?{mode}"), flags)?;
        connection.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA query_only = ON;")?;
        let mut left = STEPS_MAX / STEPS_AT_ONCE;
        connection.progress_handler(
            STEPS_AT_ONCE,
            Some(move || {
                left -= 1;
                left < 0
            }),
        )?;
        let readable = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| {
            row.get::<_, i64>(0)
        });
        match readable {
            Ok(_) => return Ok(connection),
            Err(error) => last = Some(error),
        }
    }
    Err(last.map_or(KumaError::NoMonitors, KumaError::Database))
}

fn rows(
    connection: &Connection,
    table: &'static str,
    rows_max: usize,
    bytes: &Cell<usize>,
) -> Result<Vec<Map<String, Value>>, KumaError> {
    // Columns that are computed, which Uptime Kuma has none of, could be of any length.
    let names: Vec<String> = connection
        .prepare("SELECT name FROM pragma_table_xinfo(?1) WHERE hidden = 0")?
        .query_map([table], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let columns: Vec<String> = names
        .iter()
        .map(|name| format!("\"{}\"", name.replace('"', "\"\"")))
        .collect();
    let mut statement = connection.prepare(&format!(
        "SELECT {} FROM \"{table}\" LIMIT {}",
        columns.join(", "),
        rows_max + 1
    ))?;
    let mut found = Vec::new();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let mut values = Map::new();
        for (index, name) in names.iter().enumerate() {
            let value = value(row.get_ref(index)?);
            let size = value.as_str().map_or(0, str::len) + name.len() + VALUE_BYTES;
            bytes.set(bytes.get() + size);
            values.insert(name.clone(), value);
        }
        if bytes.get() > ALL_BYTES_MAX {
            return Err(KumaError::TooMuch);
        }
        found.push(values);
    }
    if found.len() > rows_max {
        return Err(KumaError::TooMany(table));
    }
    Ok(found)
}

fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) if bytes.len() > TEXT_BYTES_MAX => {
            Value::Null
        }
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            String::from_utf8_lossy(bytes).into_owned().into()
        }
    }
}

/// Columns that the export calls otherwise than by their name in camel case, or keeps as they are.
const NAMES: [(&str, &str); 9] = [
    ("accepted_statuscodes_json", "accepted_statuscodes"),
    ("basic_auth_user", "basic_auth_user"),
    ("basic_auth_pass", "basic_auth_pass"),
    ("ignore_tls", "ignoreTls"),
    ("maxretries", "maxretries"),
    ("maxredirects", "maxredirects"),
    ("monitor_id", "monitor_id"),
    ("tag_id", "tag_id"),
    ("dns_last_result", "dns_last_result"),
];

/// A row of `monitor` with the names of the export.
fn as_exported(row: Map<String, Value>) -> Map<String, Value> {
    row.into_iter()
        .map(|(column, value)| {
            let known = NAMES.iter().find(|(name, _)| *name == column);
            let name = known.map_or_else(|| camel_case(&column), |(_, name)| (*name).to_owned());
            let value = match (name.as_str(), value) {
                // A list as JSON in a text.
                ("accepted_statuscodes", Value::String(text)) => {
                    serde_json::from_str(&text).unwrap_or(Value::Null)
                }
                (_, value) => value,
            };
            (name, value)
        })
        .collect()
}

fn camel_case(column: &str) -> String {
    let mut words = column.split('_');
    let mut name = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        name.push_str(letters.as_str());
    }
    name
}
