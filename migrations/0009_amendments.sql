-- How incidents count by order of people, and what they noted. Nothing here is changed but by an undo.
CREATE TABLE amendments (
    id         INTEGER PRIMARY KEY,
    monitor_id INTEGER NOT NULL,
    opened_at  INTEGER NOT NULL,             -- with monitor_id the incident's key
    at         INTEGER NOT NULL,
    uid        INTEGER NOT NULL,             -- who, and the name of that user then
    user       TEXT,
    counts_as  TEXT    NOT NULL,             -- maintenance, false-alarm, real
    note       TEXT,
    undone_at  INTEGER,
    undone_uid INTEGER,
    undone_user TEXT
) STRICT;
CREATE INDEX amendments_by_incident ON amendments (monitor_id, opened_at);

CREATE TABLE incident_notes (
    id         INTEGER PRIMARY KEY,
    monitor_id INTEGER NOT NULL,
    opened_at  INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    uid        INTEGER NOT NULL,
    user       TEXT,
    text       TEXT    NOT NULL,
    public     INTEGER NOT NULL              -- 0 or 1: shown on the page and in the feed
) STRICT;
CREATE INDEX incident_notes_by_incident ON incident_notes (monitor_id, opened_at);
