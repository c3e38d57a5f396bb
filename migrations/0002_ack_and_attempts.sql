-- What was said with the newest acknowledgement.
ALTER TABLE incidents ADD COLUMN ack_note TEXT;

-- When a try reached the message itself whose outcome is not written yet: whoever finds it after a crash
-- knows that the mail may have arrived.
ALTER TABLE outbox ADD COLUMN begun_at INTEGER;
-- Why a mail that was queued already was held back (maintenance, mute), and when that ended; none while it is held.
ALTER TABLE outbox ADD COLUMN held TEXT;
ALTER TABLE outbox ADD COLUMN released_at INTEGER;
