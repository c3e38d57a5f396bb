-- Every change of a mail is written in the transaction that makes it, for all writers alike.
CREATE TRIGGER outbox_queued AFTER INSERT ON outbox BEGIN
    INSERT INTO events (at, type, monitor_id, word, more)
    VALUES (new.queued_at, 'delivery', new.monitor_id, 'queued',
            json_object('id', new.id, 'kind', new.kind, 'to', new.mailbox));
END;

CREATE TRIGGER outbox_done AFTER UPDATE OF state ON outbox
WHEN new.state <> old.state AND new.state <> 'waiting' BEGIN
    INSERT INTO events (at, type, monitor_id, word, more)
    VALUES (coalesce(new.done_at, new.queued_at), 'delivery', new.monitor_id, new.state,
            json_object('id', new.id, 'kind', new.kind, 'to', new.mailbox));
END;
