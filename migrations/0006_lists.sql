-- The last good list of every [[source]]: what a start has while the list cannot be read.

CREATE TABLE lists (
    id      INTEGER PRIMARY KEY,
    key     TEXT NOT NULL UNIQUE,   -- a digest of where it comes from
    entries INTEGER NOT NULL        -- how many it had, those that are not kept included
) STRICT;

CREATE TABLE listed (
    list_id INTEGER NOT NULL REFERENCES lists (id),
    name    TEXT NOT NULL,
    url     TEXT NOT NULL,          -- without user and password: entries that have them are not kept
    tags    TEXT NOT NULL,          -- JSON
    PRIMARY KEY (list_id, name)
) STRICT, WITHOUT ROWID;
