-- A start with a clock that is behind the record: what was changed by that, until the clock proves right or is set
-- forward again.
CREATE TABLE clock_undo (
    what  TEXT NOT NULL,                     -- step, incident, monitor, span, missed, mail, state
    image TEXT NOT NULL                      -- JSON: key and values as they were
) STRICT;

-- Few incidents are of a wrong clock; retention asks for them.
CREATE INDEX incidents_of_wrong_clock ON incidents (monitor_id) WHERE clock_wrong = 1;
