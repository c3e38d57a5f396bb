-- What happened, in order: changes of state, deliveries, orders. `cursor` only grows, also where rows were deleted.
CREATE TABLE events (
    cursor     INTEGER PRIMARY KEY AUTOINCREMENT,
    at         INTEGER NOT NULL,
    type       TEXT    NOT NULL,             -- state, delivery, order
    monitor_id INTEGER,                      -- none: about several, or about none
    word       TEXT    NOT NULL,             -- the new state, the outcome, the order's command
    uid        INTEGER,                      -- of an order: who gave it, and the name of that user then
    user       TEXT,
    more       TEXT                          -- JSON: what else belongs to the type
) STRICT;

-- The orders of a monitor: which command came with which event. Monitor 0: all there were.
CREATE TABLE ordered (
    monitor_id INTEGER NOT NULL,
    word       TEXT    NOT NULL,
    cursor     INTEGER NOT NULL,
    PRIMARY KEY (monitor_id, word, cursor)
) STRICT, WITHOUT ROWID;
