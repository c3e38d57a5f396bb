-- A second hub that follows. What stands in these tables is of this copy of the database alone and is never sent.
-- Without a standby they stay empty.

-- What this copy is.
CREATE TABLE hub_copy (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    term        INTEGER NOT NULL,            -- the leadership that its newest change belongs to
    boot        INTEGER NOT NULL,            -- the process that led then
    position    INTEGER NOT NULL,            -- its newest change that the log has
    number      INTEGER NOT NULL,            -- the newest entry of the log that counts for it
    leads       INTEGER NOT NULL,            -- whether that process wrote this copy itself
    is_followed INTEGER NOT NULL             -- whether another hub has a copy, too
) STRICT;

-- Rows of other tables as they became, until the log has them. The newest one stays, so that the numbers go on.
CREATE TABLE changes (
    seq     INTEGER PRIMARY KEY,
    name    TEXT    NOT NULL,                -- the table; '' for none
    is_gone INTEGER NOT NULL,
    literals TEXT   NOT NULL                 -- the row, or the key of one that is gone
) STRICT;
