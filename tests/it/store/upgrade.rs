//! A database of the first format, with rows in it, under this program.

use rusqlite::Connection;
use sha2::{Digest, Sha256};
use sitewatch::domain::monitor::MonitorId;
use sitewatch::store::error::StoreError;
use sitewatch::store::facts::incidents::IncidentQuery;
use sitewatch::store::outbox::queries;
use sitewatch::store::reader::Reader;
use sitewatch::store::writer::Store;

use super::{MINUTE, Place, START, at, check};

const FIRST: &str = include_str!("../../../migrations/0001_init.sql");

/// What a daemon of that time left: a monitor with an open and a closed outage, and mails in every state.
fn of_the_first_format(place: &Place) {
    std::fs::create_dir_all(place.path.parent().unwrap()).unwrap();
    let db = Connection::open(&place.path).unwrap();
    db.pragma_update(None, "auto_vacuum", "INCREMENTAL")
        .unwrap();
    db.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))
        .unwrap();
    db.execute_batch(
        "CREATE TABLE schema_migrations (
            version INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL, applied_at INTEGER NOT NULL
        ) STRICT",
    )
    .unwrap();
    db.execute_batch(FIRST).unwrap();
    let digest: String = Sha256::digest(FIRST.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    db.execute(
        "INSERT INTO schema_migrations VALUES (1, '0001_init', ?1, ?2)",
        (digest, START),
    )
    .unwrap();
    db.execute_batch(&format!(
        r#"INSERT INTO meta VALUES ('database_id', '0123456789abcdef0123456789abcdef');
        INSERT INTO monitors VALUES (1, 'shop', 'https://shop.example/', 60000, 1, {START}, NULL, {START});
        INSERT INTO failures VALUES (1, 'status', '503, not 2xx', 20779);
        INSERT INTO chains VALUES (1, 7, 7, '{{"redirects":[],"final_url":"https://shop.example/"}}', 20779);
        INSERT INTO peers VALUES (1, '192.0.2.7:443', 20779);
        INSERT INTO journal VALUES (1, 1, {START}, 60000, 0, NULL, 200, 1, 1, NULL, 11, NULL, 5, 1, 1, 1, 1, 1, 9, NULL);
        INSERT INTO journal VALUES (2, 1, {down}, 60000, 2, 1, 503, 1, 1, NULL, 11, NULL, 5, 1, 1, 1, 1, 1, 9, NULL);
        INSERT INTO incidents VALUES (1, {before}, {START}, 'connect_refused', 'refused', NULL, 4, 0, {START});
        INSERT INTO incidents VALUES (1, {down}, NULL, 'status', '503, not 2xx', 503, 3, 0, NULL);
        INSERT INTO outbox (kind, recipient, mailbox, monitor_id, incident_opened_at, message_id, notice, queued_at,
                            next_attempt_at, attempts, state, done_at)
        VALUES ('report', 'Ops <ops@example.com>', 'ops@example.com', NULL, NULL, 'a@x',
                '{{"about":null,"news":{{"kind":"report","from":0,"to":{START}}},"decided_at":{START}}}',
                {START}, {START}, 0, 'waiting', NULL),
               ('down', 'Ops <ops@example.com>', 'ops@example.com', 1, {before}, 'b@x', '{{}}', {before}, {before}, 1,
                'sent', {before})"#,
        before = START - 5 * MINUTE,
        down = START + MINUTE,
    ))
    .unwrap();
    db.pragma_update(None, "application_id", 0x7357_7463)
        .unwrap();
    db.pragma_update(None, "user_version", 1).unwrap();
}

#[test]
fn a_database_of_the_first_format_is_copied_migrated_and_goes_on() {
    let place = Place::new();
    of_the_first_format(&place);
    // A command beside the old daemon says what to do instead of guessing.
    assert!(matches!(
        Reader::open(&place.path),
        Err(StoreError::Older { found: 1, .. })
    ));
    let mut store = Store::open(&place.path, at(START + 2 * MINUTE)).unwrap();
    let copy = store.copy_before_migration().unwrap().to_owned();
    assert!(copy.exists(), "{}", copy.display());
    let copied = Connection::open(&copy).unwrap();
    let format: i64 = copied
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .unwrap();
    let mails: i64 = copied
        .query_row("SELECT count(*) FROM outbox", [], |row| row.get(0))
        .unwrap();
    assert_eq!((format, mails), (1, 2));

    assert_eq!(store.database_id(), "0123456789abcdef0123456789abcdef");
    let reader = place.reader();
    let checks = reader
        .checks(MonitorId(1), at(0), at(START + MINUTE * 60))
        .unwrap();
    assert_eq!(checks.len(), 2);
    let listed = reader.incidents(&IncidentQuery::default()).unwrap();
    assert_eq!(listed.len(), 2);
    assert!(
        listed
            .iter()
            .all(|listed| listed.incident.ack_note.is_none())
    );
    assert_eq!(listed[1].mails[0].message_id, "b@x");
    let lanes = queries::lanes(reader.outbox()).unwrap();
    assert_eq!((lanes.len(), lanes[0].waiting.len()), (1, 1));
    assert_eq!(lanes[0].waiting[0].held, None);
    assert_eq!(queries::health(reader.outbox()).unwrap().waiting, 1);
    // It takes what is new, and is not migrated twice.
    let mut incident = store.open_incidents().unwrap().remove(0);
    incident.ack_note = Some("deploy".into());
    let mut batch = store.batch().unwrap();
    batch.put_incident(&incident).unwrap();
    batch
        .record(
            MonitorId(1),
            &check('U', START + 2 * MINUTE),
            std::time::Duration::from_secs(60),
        )
        .unwrap();
    batch.commit().unwrap();
    assert_eq!(
        store.open_incidents().unwrap()[0].ack_note.as_deref(),
        Some("deploy")
    );
    drop(store);
    let store = Store::open(&place.path, at(START + 3 * MINUTE)).unwrap();
    assert_eq!(store.copy_before_migration(), None);
}
