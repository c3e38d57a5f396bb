-- Times are milliseconds since 1970-01-01T00:00:00Z, lengths milliseconds, phases microseconds.
-- A file of this directory is never changed once it was released: a new one is added.

CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

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

-- What many checks share is stored once. `used_day` (days since 1970) is when a check last pointed at it.

CREATE TABLE failures (
    id       INTEGER PRIMARY KEY,
    kind     TEXT    NOT NULL,
    detail   TEXT    NOT NULL,
    used_day INTEGER NOT NULL,
    UNIQUE (kind, detail)
) STRICT;

CREATE TABLE chains (
    id       INTEGER PRIMARY KEY,
    digest   INTEGER NOT NULL,               -- of `way`
    shape    INTEGER NOT NULL,               -- of codes and of URLs without query and fragment
    way      TEXT    NOT NULL,               -- JSON: {"redirects":[[url, status, location], ..], "final_url": url}
    used_day INTEGER NOT NULL
) STRICT;
CREATE INDEX chains_by_digest ON chains (digest);

CREATE TABLE peers (
    id        INTEGER PRIMARY KEY,
    addresses TEXT    NOT NULL UNIQUE,       -- of each redirect and of the end, separated by spaces; `-` for none
    used_day  INTEGER NOT NULL
) STRICT;

CREATE TABLE certificates (
    id          INTEGER PRIMARY KEY,
    fingerprint INTEGER NOT NULL,
    not_after   INTEGER NOT NULL,
    not_before  INTEGER NOT NULL,
    subject     TEXT    NOT NULL,
    issuer      TEXT    NOT NULL,
    used_day    INTEGER NOT NULL
) STRICT;
CREATE INDEX certificates_by_fingerprint ON certificates (fingerprint);

-- The journal: checks as they come. No second index, so that a check costs one small append.
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

-- Slots that were due and not run, until they are settled.
CREATE TABLE missed (
    monitor_id INTEGER NOT NULL,
    hour       INTEGER NOT NULL,             -- hours since 1970
    slots      INTEGER NOT NULL,
    PRIMARY KEY (monitor_id, hour)
) STRICT, WITHOUT ROWID;

-- The ledger: settled checks, packed, one row an hour of a monitor, in the order in which hours end.
CREATE TABLE ledger (
    id     INTEGER PRIMARY KEY,              -- hour << 32 | monitor
    checks BLOB    NOT NULL                  -- src/store/block.rs
) STRICT;

-- Counts by verdict, how time passed (src/policy/timeline.rs) and how long good checks took
-- (src/policy/histogram.rs). An hour or a day in which no check spoke has no row.
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

-- Up to where a monitor is settled, and what is shown of it without reading further.
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
CREATE INDEX incidents_open ON incidents (monitor_id) WHERE closed_at IS NULL;
CREATE INDEX incidents_by_time ON incidents (opened_at);

-- Times that count otherwise than the checks in them say.
CREATE TABLE spans (
    monitor_id INTEGER NOT NULL,
    kind       TEXT    NOT NULL,             -- maintenance, paused, removed
    from_at    INTEGER NOT NULL,
    to_at      INTEGER,                      -- none: not over yet
    PRIMARY KEY (monitor_id, kind, from_at)
) STRICT, WITHOUT ROWID;

-- One row a recipient of a mail. A digest, or one mail that replaces two, is a row that carries others.
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
CREATE INDEX outbox_unsent ON outbox (mailbox, id) WHERE state IN ('waiting', 'failed');
CREATE INDEX outbox_by_incident ON outbox (monitor_id, incident_opened_at);
CREATE INDEX outbox_by_carrier ON outbox (carrier_id) WHERE carrier_id IS NOT NULL;
CREATE INDEX outbox_digests ON outbox (mailbox, queued_at) WHERE kind = 'digest';

-- For people with a SQL shell.
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
