-- Checks that were recorded while the clock was ahead, packed as in the ledger. They keep their time and count nowhere;
-- there may be several rows of one hour of a monitor.
CREATE TABLE wrong_clock (
    id         INTEGER PRIMARY KEY,
    hour       INTEGER NOT NULL,             -- hours since 1970, by the wrong clock
    monitor_id INTEGER NOT NULL,
    marked_at  INTEGER NOT NULL,             -- when the clock was set right
    checks     BLOB    NOT NULL              -- src/store/block.rs
) STRICT;
CREATE INDEX wrong_clock_by_hour ON wrong_clock (hour, monitor_id);

-- The beginning of an incident during which the clock was set; none: `opened_at`, which stays its name.
ALTER TABLE incidents ADD COLUMN began_at INTEGER;
-- 1: it began and ended while the clock was ahead, and counts nowhere.
ALTER TABLE incidents ADD COLUMN clock_wrong INTEGER NOT NULL DEFAULT 0;
