-- When an incident was first told by a step of [[escalation]]; NULL: never.
ALTER TABLE incidents ADD COLUMN escalated_at INTEGER;
