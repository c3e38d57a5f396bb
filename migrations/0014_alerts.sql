-- What Alertmanager shows: incidents, from the moment when nothing holds their DOWN; a row for each channel.
CREATE TABLE alerts (
    channel    TEXT    NOT NULL,
    monitor_id INTEGER NOT NULL,
    opened_at  INTEGER NOT NULL,             -- with monitor_id the incident's key
    facts      TEXT    NOT NULL,             -- JSON: labels, annotations and link, the same at each post
    raised_at  INTEGER NOT NULL,
    shown_at   INTEGER,                      -- when every instance had taken it
    ended_at   INTEGER,                      -- when every instance had taken its end
    done_at    INTEGER,                      -- since when nothing of it is posted
    last_error TEXT,
    PRIMARY KEY (channel, monitor_id, opened_at)
) STRICT, WITHOUT ROWID;
CREATE INDEX alerts_by_incident ON alerts (monitor_id, opened_at);
CREATE INDEX alerts_posted ON alerts (channel) WHERE done_at IS NULL;
