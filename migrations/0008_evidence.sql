-- Answers of failing checks, and the good ones that they are compared with. Secrets are masked before they come here.

CREATE TABLE evidence (
    id         INTEGER PRIMARY KEY,
    monitor_id INTEGER NOT NULL,
    at         INTEGER NOT NULL,   -- the check's; of a failing one the incident's opened_at
    is_good    INTEGER NOT NULL,
    good_id    INTEGER,            -- the good one before a failing one
    bytes      INTEGER NOT NULL,   -- what the row takes, about
    packed     BLOB NOT NULL       -- zlib of JSON
) STRICT;

CREATE UNIQUE INDEX evidence_by_monitor ON evidence (monitor_id, is_good, at);
CREATE INDEX evidence_by_age ON evidence (is_good, at);
CREATE INDEX evidence_by_good ON evidence (good_id) WHERE good_id IS NOT NULL;

-- What all of them take.
CREATE TABLE evidence_size (
    is_good INTEGER PRIMARY KEY,
    bytes   INTEGER NOT NULL
) STRICT;
INSERT INTO evidence_size (is_good, bytes) VALUES (0, 0), (1, 0);

CREATE TRIGGER evidence_added AFTER INSERT ON evidence BEGIN
    UPDATE evidence_size SET bytes = bytes + new.bytes WHERE is_good = new.is_good;
END;

CREATE TRIGGER evidence_gone AFTER DELETE ON evidence BEGIN
    UPDATE evidence_size SET bytes = bytes - old.bytes WHERE is_good = old.is_good;
END;
