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

-- A foreign key that looks up for each crossing what attribution has just read costs a tenth of storing it. The table stays
-- as it is, however large: https://www.sqlite.org/lang_altertable.html, "removing FOREIGN KEY constraints".
PRAGMA writable_schema = ON;
UPDATE sqlite_schema
SET sql = replace(sql, 'installation INTEGER NOT NULL REFERENCES installation (id),', 'installation INTEGER NOT NULL,')
WHERE type = 'table' AND name = 'installation_count';
PRAGMA writable_schema = RESET;
CREATE TRIGGER installation_keeps_its_counts BEFORE DELETE ON installation
BEGIN
	SELECT raise(ABORT, 'installation: it has counted')
	WHERE EXISTS (SELECT 1 FROM installation_count WHERE installation = OLD.id);
END;
