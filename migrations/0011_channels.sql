-- Every [[channel]] that was ever configured. In the outbox a recipient without an @ is the name of one.
CREATE TABLE channels (
    name   TEXT PRIMARY KEY,
    format TEXT NOT NULL,
    pause  TEXT                              -- JSON: why nothing leaves by it; none while it works
) STRICT, WITHOUT ROWID;
