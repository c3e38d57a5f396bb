-- By which rules a monitor was judged, from each load of a configuration on that changed them.

CREATE TABLE rule_texts (
    id   INTEGER PRIMARY KEY,
    text TEXT NOT NULL UNIQUE   -- JSON, secrets masked
) STRICT;

CREATE TABLE rules (
    monitor_id INTEGER NOT NULL,
    from_at    INTEGER NOT NULL,
    text_id    INTEGER NOT NULL,
    PRIMARY KEY (monitor_id, from_at)
) STRICT, WITHOUT ROWID;

CREATE INDEX rules_by_text ON rules (text_id);
