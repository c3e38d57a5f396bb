-- When a mail was tried first: it is given up five days after that, however long it was held back before.
ALTER TABLE outbox ADD COLUMN first_attempt_at INTEGER;
UPDATE outbox SET first_attempt_at = coalesce(released_at, queued_at) WHERE attempts > 0;
