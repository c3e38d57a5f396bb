-- A database of the first format, as a stopped daemon left it: 22 checks of one site and one incident.
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA application_id = 1935111267;
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE schema_migrations (
            version INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL, applied_at INTEGER NOT NULL
        ) STRICT;
INSERT INTO schema_migrations VALUES(1,'0001_init','69d53f89abb149da278a0b624c2c8c661ec623318ab82d7d08607b4925d950df',1795401130875);
CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES('database_id','54f1eb95a96fba1309bd138c3de3028e');
CREATE TABLE monitors (
    id          INTEGER PRIMARY KEY,
    name        TEXT    NOT NULL UNIQUE,
    url         TEXT    NOT NULL,            -- shown form: no userinfo, no secrets
    interval_ms INTEGER NOT NULL,
    public      INTEGER NOT NULL,            -- 0 or 1
    added_at    INTEGER NOT NULL,
    removed_at  INTEGER,                     -- no longer in the configuration
    first_at    INTEGER                      -- its first check: where every report begins
) STRICT;
INSERT INTO monitors VALUES(1,'front','http://localhost/',2000,1,1795401130875,NULL,1795401130906);
CREATE TABLE failures (
    id       INTEGER PRIMARY KEY,
    kind     TEXT    NOT NULL,
    detail   TEXT    NOT NULL,
    used_day INTEGER NOT NULL,
    UNIQUE (kind, detail)
) STRICT;
INSERT INTO failures VALUES(1,'connect_refused','connection refused: nobody listens there',20780);
INSERT INTO failures VALUES(2,'status','503 Service Unavailable: expected 200-299',20780);
CREATE TABLE chains (
    id       INTEGER PRIMARY KEY,
    digest   INTEGER NOT NULL,               -- of `way`
    shape    INTEGER NOT NULL,               -- of codes and of URLs without query and fragment
    way      TEXT    NOT NULL,               -- JSON: {"redirects":[[url, status, location], ..], "final_url": url}
    used_day INTEGER NOT NULL
) STRICT;
INSERT INTO chains VALUES(1,7941560217814981610,-5764835744844856150,'{"redirects":[],"final_url":"http://localhost/"}',20780);
CREATE TABLE peers (
    id        INTEGER PRIMARY KEY,
    addresses TEXT    NOT NULL UNIQUE,       -- of each redirect and of the end, separated by spaces; `-` for none
    used_day  INTEGER NOT NULL
) STRICT;
INSERT INTO peers VALUES(1,'127.0.0.1:80',20780);
CREATE TABLE certificates (
    id          INTEGER PRIMARY KEY,
    fingerprint INTEGER NOT NULL,
    not_after   INTEGER NOT NULL,
    not_before  INTEGER NOT NULL,
    subject     TEXT    NOT NULL,
    issuer      TEXT    NOT NULL,
    used_day    INTEGER NOT NULL
) STRICT;
CREATE TABLE journal (
    seq            INTEGER PRIMARY KEY,      -- grows for ever, also over settled rows
    monitor_id     INTEGER NOT NULL,
    at             INTEGER NOT NULL,
    interval_ms    INTEGER NOT NULL,         -- it speaks for at most twice this
    state          INTEGER NOT NULL,         -- 0 up, 1 degraded, 2 down, 3 unknown
    failure_id     INTEGER,
    status         INTEGER,
    chain_id       INTEGER NOT NULL,
    peers_id       INTEGER NOT NULL,
    certificate_id INTEGER,
    http_version   INTEGER,                  -- 10, 11
    retry_after_s  INTEGER,
    body_bytes     INTEGER NOT NULL,
    dns_us         INTEGER,
    connect_us     INTEGER,
    tls_us         INTEGER,
    ttfb_us        INTEGER,
    body_us        INTEGER,
    total_us       INTEGER NOT NULL,
    redirects_us   BLOB                      -- one LEB128 number a redirect
) STRICT;
INSERT INTO journal VALUES(1,1,1795401130906,2000,2,1,NULL,1,1,NULL,NULL,NULL,0,190,106,NULL,NULL,NULL,369,NULL);
INSERT INTO journal VALUES(2,1,1795401131408,2000,0,NULL,200,1,1,NULL,10,NULL,5,3,160,NULL,812,10,1084,NULL);
INSERT INTO journal VALUES(3,1,1795401132163,2000,0,NULL,200,1,1,NULL,10,NULL,5,28,181,NULL,946,11,1340,NULL);
INSERT INTO journal VALUES(4,1,1795401134163,2000,0,NULL,200,1,1,NULL,10,NULL,5,24,278,NULL,761,119,1258,NULL);
INSERT INTO journal VALUES(5,1,1795401136162,2000,0,NULL,200,1,1,NULL,10,NULL,5,23,127,NULL,528,66,809,NULL);
INSERT INTO journal VALUES(6,1,1795401138163,2000,0,NULL,200,1,1,NULL,10,NULL,5,119,150,NULL,783,9,1130,NULL);
INSERT INTO journal VALUES(7,1,1795401140163,2000,0,NULL,200,1,1,NULL,10,NULL,5,27,191,NULL,693,84,1070,NULL);
INSERT INTO journal VALUES(8,1,1795401142163,2000,0,NULL,200,1,1,NULL,10,NULL,5,25,140,NULL,605,89,931,NULL);
INSERT INTO journal VALUES(9,1,1795401144164,2000,2,2,503,1,1,NULL,10,NULL,33,26,186,NULL,778,82,1144,NULL);
INSERT INTO journal VALUES(10,1,1795401144666,2000,2,2,503,1,1,NULL,10,NULL,33,3,154,NULL,808,14,1046,NULL);
INSERT INTO journal VALUES(11,1,1795401145168,2000,2,2,503,1,1,NULL,10,NULL,33,27,458,NULL,451,174,1194,NULL);
INSERT INTO journal VALUES(12,1,1795401146164,2000,2,2,503,1,1,NULL,10,NULL,33,3,166,NULL,654,89,989,NULL);
INSERT INTO journal VALUES(13,1,1795401148163,2000,2,2,503,1,1,NULL,10,NULL,33,22,198,NULL,563,71,914,NULL);
INSERT INTO journal VALUES(14,1,1795401150163,2000,2,2,503,1,1,NULL,10,NULL,33,25,155,NULL,753,100,1107,NULL);
INSERT INTO journal VALUES(15,1,1795401152163,2000,2,2,503,1,1,NULL,10,NULL,33,26,149,NULL,721,155,1119,NULL);
INSERT INTO journal VALUES(16,1,1795401154163,2000,2,2,503,1,1,NULL,10,NULL,33,24,187,NULL,569,79,1003,NULL);
INSERT INTO journal VALUES(17,1,1795401156163,2000,0,NULL,200,1,1,NULL,10,NULL,5,25,130,NULL,556,80,861,NULL);
INSERT INTO journal VALUES(18,1,1795401156664,2000,0,NULL,200,1,1,NULL,10,NULL,5,3,147,NULL,571,66,851,NULL);
INSERT INTO journal VALUES(19,1,1795401158163,2000,0,NULL,200,1,1,NULL,10,NULL,5,21,122,NULL,570,66,838,NULL);
INSERT INTO journal VALUES(20,1,1795401160164,2000,0,NULL,200,1,1,NULL,10,NULL,5,22,121,NULL,515,63,809,NULL);
INSERT INTO journal VALUES(21,1,1795401162164,2000,0,NULL,200,1,1,NULL,10,NULL,5,25,145,NULL,556,107,900,NULL);
INSERT INTO journal VALUES(22,1,1795401164164,2000,0,NULL,200,1,1,NULL,10,NULL,5,26,151,NULL,557,107,909,NULL);
CREATE TABLE missed (
    monitor_id INTEGER NOT NULL,
    hour       INTEGER NOT NULL,             -- hours since 1970
    slots      INTEGER NOT NULL,
    PRIMARY KEY (monitor_id, hour)
) STRICT, WITHOUT ROWID;
CREATE TABLE ledger (
    id     INTEGER PRIMARY KEY,              -- hour << 32 | monitor
    checks BLOB    NOT NULL                  -- src/store/checks/hour_block.rs
) STRICT;
CREATE TABLE rollup_hour (
    hour       INTEGER NOT NULL,
    monitor_id INTEGER NOT NULL,
    up         INTEGER NOT NULL,
    degraded   INTEGER NOT NULL,
    down       INTEGER NOT NULL,
    unknown    INTEGER NOT NULL,
    missed     INTEGER NOT NULL,
    timeline   BLOB    NOT NULL,
    latency    BLOB    NOT NULL,
    PRIMARY KEY (hour, monitor_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE rollup_day (
    monitor_id INTEGER NOT NULL,
    day        INTEGER NOT NULL,             -- days since 1970, UTC
    up         INTEGER NOT NULL,
    degraded   INTEGER NOT NULL,
    down       INTEGER NOT NULL,
    unknown    INTEGER NOT NULL,
    missed     INTEGER NOT NULL,
    timeline   BLOB    NOT NULL,
    latency    BLOB    NOT NULL,
    PRIMARY KEY (monitor_id, day)
) STRICT, WITHOUT ROWID;
CREATE TABLE summary (
    monitor_id   INTEGER PRIMARY KEY,
    settled_hour INTEGER NOT NULL,           -- hours up to this one, with it, are in the ledger ..
    settled_seq  INTEGER NOT NULL,           -- .. but for journal rows that came after this one
    newest       BLOB,                       -- the newest settled check, a block of one
    good         BLOB,                       -- the newest settled good one
    bad          BLOB,                       -- the newest settled failed one
    day          TEXT,                       -- JSON: the 24 h before the end of `settled_hour`
    month        TEXT                        -- JSON: the 30 d before it
) STRICT;
CREATE TABLE states (
    monitor_id INTEGER PRIMARY KEY,
    kept       TEXT NOT NULL,                -- JSON: what the alert machine remembers
    shown      TEXT NOT NULL                 -- JSON: what is shown of it
) STRICT;
INSERT INTO states VALUES(1,'{"status":{"up":{"since":1795401156163}},"shown":{"state":"up","since":1795401156163,"flags":{"paused":false,"muted":false,"maintenance":false,"acked":false,"flapping":false,"parent_down":false},"incident":null,"reason":null},"gone_at":null,"paused":false,"muted_until":null,"flap":{"calm":{"changes":[1795401145169,1795401156665]}},"counted_after":1795401156664,"intermittent":null,"slow":"no","certificates":[],"drift":null}','{"state":"up","since":1795401156163,"flags":{"paused":false,"muted":false,"maintenance":false,"acked":false,"flapping":false,"parent_down":false},"incident":null,"reason":null}');
CREATE TABLE incidents (
    monitor_id    INTEGER NOT NULL,
    opened_at     INTEGER NOT NULL,
    closed_at     INTEGER,
    kind          TEXT    NOT NULL,
    detail        TEXT    NOT NULL,
    status        INTEGER,
    checks_failed INTEGER NOT NULL,
    maintenance   INTEGER NOT NULL,          -- 0 or 1
    acked_at      INTEGER,
    PRIMARY KEY (monitor_id, opened_at)
) STRICT, WITHOUT ROWID;
INSERT INTO incidents VALUES(1,1795401144164,1795401156163,'status','503 Service Unavailable: expected 200-299',503,8,0,NULL);
CREATE TABLE spans (
    monitor_id INTEGER NOT NULL,
    kind       TEXT    NOT NULL,             -- maintenance, paused, removed
    from_at    INTEGER NOT NULL,
    to_at      INTEGER,                      -- none: not over yet
    PRIMARY KEY (monitor_id, kind, from_at)
) STRICT, WITHOUT ROWID;
CREATE TABLE outbox (
    id                 INTEGER PRIMARY KEY,
    kind               TEXT    NOT NULL,
    recipient          TEXT    NOT NULL,     -- as configured, with the display name
    mailbox            TEXT    NOT NULL,     -- the bare address
    monitor_id         INTEGER,
    incident_opened_at INTEGER,              -- with monitor_id the incident's key
    message_id         TEXT    NOT NULL,     -- without angle brackets
    notice             TEXT,                 -- JSON; none where it carries others
    queued_at          INTEGER NOT NULL,
    next_attempt_at    INTEGER NOT NULL,
    last_attempt_at    INTEGER,
    attempts           INTEGER NOT NULL DEFAULT 0,
    unknown_outcomes   INTEGER NOT NULL DEFAULT 0,
    holds              TEXT,                 -- what the last failure holds back
    last_error         TEXT,
    state              TEXT    NOT NULL DEFAULT 'waiting'
                       CHECK (state IN ('waiting', 'failed', 'sent', 'dropped')),
    done_at            INTEGER,              -- when it was sent, failed or dropped
    carrier_id         INTEGER REFERENCES outbox (id),
    UNIQUE (message_id, mailbox)
) STRICT;
INSERT INTO outbox VALUES(1,'down','ops@mon1.example.test','ops@mon1.example.test',1,1795401144164,'b2a19bbdebc6b1170639b02de8720597@mon1.example.test','{"about":{"monitor":1,"name":"front","url":"http://localhost/"},"news":{"kind":"down","incident":"1-1795401144164","cause":{"failure":{"kind":"status","detail":"503 Service Unavailable: expected 200-299"},"status":503},"up_since":1795401131408,"check":{"at":1795401145168,"verdict":{"Down":{"kind":"status","detail":"503 Service Unavailable: expected 200-299"}},"status":503,"chain":{"redirects":[],"final_url":"http://localhost/","remote_addr":"127.0.0.1:80"},"redirect_times":[],"timings":{"dns":27,"connect":458,"tls":null,"ttfb":451,"body":174,"total":1194},"http_version":"HTTP/1.0","body_bytes":33,"retry_after_s":null,"certificate":null,"excerpt":"Service temporarily unavailable."},"checks_failed":3,"last_good":{"at":1795401142163,"verdict":"Up","status":200,"chain":{"redirects":[],"final_url":"http://localhost/","remote_addr":"127.0.0.1:80"},"redirect_times":[],"timings":{"dns":25,"connect":140,"tls":null,"ttfb":605,"body":89,"total":931},"http_version":"HTTP/1.0","body_bytes":5,"retry_after_s":null,"certificate":null},"held":null},"decided_at":1795401145169}',1795401145169,1795401145169,1795401146177,1,0,NULL,NULL,'sent',1795401146177,NULL);
INSERT INTO outbox VALUES(2,'up','ops@mon1.example.test','ops@mon1.example.test',1,1795401144164,'6d4d8e42b1161906ff494a9e10ab3936@mon1.example.test','{"about":{"monitor":1,"name":"front","url":"http://localhost/"},"news":{"kind":"up","incident":"1-1795401144164","cause":{"failure":{"kind":"status","detail":"503 Service Unavailable: expected 200-299"},"status":503},"closed_at":1795401156163,"check":{"at":1795401156664,"verdict":"Up","status":200,"chain":{"redirects":[],"final_url":"http://localhost/","remote_addr":"127.0.0.1:80"},"redirect_times":[],"timings":{"dns":3,"connect":147,"tls":null,"ttfb":571,"body":66,"total":851},"http_version":"HTTP/1.0","body_bytes":5,"retry_after_s":null,"certificate":null},"checks_failed":8},"decided_at":1795401156665}',1795401156665,1795401156665,1795401157671,1,0,NULL,NULL,'sent',1795401157671,NULL);
CREATE INDEX chains_by_digest ON chains (digest);
CREATE INDEX certificates_by_fingerprint ON certificates (fingerprint);
CREATE INDEX incidents_open ON incidents (monitor_id) WHERE closed_at IS NULL;
CREATE INDEX incidents_by_time ON incidents (opened_at);
CREATE INDEX outbox_unsent ON outbox (mailbox, id) WHERE state IN ('waiting', 'failed');
CREATE INDEX outbox_by_incident ON outbox (monitor_id, incident_opened_at);
CREATE INDEX outbox_by_carrier ON outbox (carrier_id) WHERE carrier_id IS NOT NULL;
CREATE INDEX outbox_digests ON outbox (mailbox, queued_at) WHERE kind = 'digest';
CREATE VIEW newest_checks AS
SELECT monitors.name AS monitor,
       strftime('%Y-%m-%dT%H:%M:%fZ', journal.at / 1000.0, 'unixepoch') AS at,
       CASE journal.state WHEN 0 THEN 'up' WHEN 1 THEN 'degraded' WHEN 2 THEN 'down' ELSE 'unknown' END AS state,
       journal.status, failures.kind, failures.detail,
       journal.total_us / 1000.0 AS total_ms,
       json_extract(chains.way, '$.final_url') AS final_url,
       peers.addresses
FROM journal
JOIN monitors ON monitors.id = journal.monitor_id
JOIN chains ON chains.id = journal.chain_id
JOIN peers ON peers.id = journal.peers_id
LEFT JOIN failures ON failures.id = journal.failure_id;
CREATE VIEW days AS
SELECT monitors.name AS monitor, date(day * 86400, 'unixepoch') AS day,
       up, degraded, down, unknown, missed
FROM rollup_day
JOIN monitors ON monitors.id = rollup_day.monitor_id;
COMMIT;
PRAGMA user_version = 1;
PRAGMA journal_mode = WAL;
