-- What the hub has committed of probes that share a location; a probe that has its location alone is in `probes`.
CREATE TABLE shares (
    location_id INTEGER NOT NULL,
    number      INTEGER NOT NULL,            -- the second ..
    among       INTEGER NOT NULL,            -- .. of four
    spool       INTEGER NOT NULL,            -- which spool numbered its frames
    done_seq    INTEGER NOT NULL,            -- its newest frame that is stored
    heard_at    INTEGER NOT NULL,
    silent_from INTEGER,                     -- told as silent: heard last then
    seen        TEXT,                        -- what the newest event says of the location
    PRIMARY KEY (location_id, number, among)
) STRICT, WITHOUT ROWID;
