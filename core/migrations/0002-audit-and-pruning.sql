-- Who told the gateway to do what: a row for every command, refused ones too. Only the oldest rows ever go, so the ids
-- have no gaps, and how many there are needs no counting.
CREATE TABLE audit (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	time INTEGER NOT NULL,    -- when the command came
	who TEXT NOT NULL,        -- as its sender says; '' if it does not
	origin TEXT NOT NULL,     -- from where, likewise
	object TEXT NOT NULL,
	action TEXT NOT NULL,
	object_id TEXT NOT NULL,  -- of what is changed; '' if it has none
	details TEXT NOT NULL,    -- its values in JSON, the first 1000 bytes
	status INTEGER NOT NULL   -- of the answer, as HTTP has it
) STRICT;
CREATE INDEX audit_time ON audit (time);

-- How far a prune has come (core/pruning.c).
ALTER TABLE meta ADD COLUMN settled_until INTEGER NOT NULL DEFAULT 0;
ALTER TABLE meta ADD COLUMN pruned_until INTEGER NOT NULL DEFAULT 0;
