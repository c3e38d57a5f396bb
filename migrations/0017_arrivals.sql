-- Checks of a location that came later than they were made: what they decided, they decided then. Without [cluster] and
-- as long as every probe is connected this stays empty.
CREATE TABLE arrivals (
    location_id INTEGER NOT NULL,
    from_at     INTEGER NOT NULL,            -- the first of them began
    to_at       INTEGER NOT NULL,            -- the last of them began
    arrived_at  INTEGER NOT NULL,
    PRIMARY KEY (location_id, from_at)
) STRICT, WITHOUT ROWID;

-- What the newest event of this location says: fresh, silent, offline; none yet: NULL.
ALTER TABLE probes ADD COLUMN seen TEXT;
