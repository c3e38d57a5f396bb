-- Several locations. Without [cluster] these tables stay empty.

CREATE TABLE locations (
    id   INTEGER PRIMARY KEY,
    name TEXT    NOT NULL UNIQUE
) STRICT;

-- A monitor seen from one location. `id` is used as monitor_id of journal, missed, ledger, roll-ups and summary; it
-- never meets a monitor's. What has the monitor's own id meanwhile is what its locations agree on.
CREATE TABLE series (
    id          INTEGER PRIMARY KEY,         -- from 2147483648 on
    monitor_id  INTEGER NOT NULL,
    location_id INTEGER NOT NULL,
    from_at     INTEGER NOT NULL,
    to_at       INTEGER,                     -- since then it is not checked from there any more
    UNIQUE (monitor_id, location_id)
) STRICT;

-- What the hub has committed of each probe.
CREATE TABLE probes (
    location_id INTEGER PRIMARY KEY,
    spool       INTEGER NOT NULL,            -- which spool numbered its frames
    done_seq    INTEGER NOT NULL,            -- its newest frame that is stored
    heard_at    INTEGER NOT NULL,
    silent_from INTEGER                      -- told as silent: heard last then
) STRICT;

-- What each location said when an incident was opened.
CREATE TABLE incident_locations (
    monitor_id INTEGER NOT NULL,
    opened_at  INTEGER NOT NULL,             -- with monitor_id the incident's key
    locations  TEXT    NOT NULL,             -- JSON
    PRIMARY KEY (monitor_id, opened_at)
) STRICT, WITHOUT ROWID;
