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

-- The summaries of hours stay; those of longer spans make place for what is before a stretch of 16 hours and an era of 512
-- (core/openings.h). Each is what the walk along the hours of its reach, an era or all time, has added up when it comes
-- to a new stretch or era.
ALTER TABLE summary RENAME TO summary_1;
CREATE TABLE summary (
	space INTEGER NOT NULL REFERENCES space (id),
	hour INTEGER NOT NULL, -- since 1970; the first one of the stretch or the era at levels 1 and 0
	level INTEGER NOT NULL CHECK (level BETWEEN 0 AND 2),
	entries INTEGER NOT NULL,
	exits INTEGER NOT NULL,
	sum INTEGER NOT NULL,
	lowest INTEGER NOT NULL CHECK (lowest <= 0),
	highest INTEGER NOT NULL CHECK (highest >= 0),
	peak INTEGER NOT NULL,
	reset_time INTEGER,    -- the first reset in the span; the next four columns are what follows from it
	reset_count INTEGER NOT NULL,
	reset_net INTEGER NOT NULL,
	reset_lowest INTEGER NOT NULL,
	reset_highest INTEGER NOT NULL,
	area INTEGER NOT NULL, -- person-ms, of hours only
	reset_area INTEGER NOT NULL,
	last_event_time INTEGER,
	last_change_time INTEGER,
	PRIMARY KEY (space, hour, level)
) STRICT, WITHOUT ROWID;
INSERT INTO summary
SELECT space, span, 2, entries, exits, sum, lowest, highest, peak, reset_time, reset_count, reset_net, reset_lowest,
	reset_highest, area, reset_area, last_event_time, last_change_time
FROM summary_1 WHERE level = 0;
DROP TABLE summary_1;

WITH RECURSIVE kind (level, width, reach) AS (VALUES (0, 512, 1000000000), (1, 16, 512)),
walk (level, width, reach, space, hour, previous, entries, exits, sum, lowest, highest, peak, reset_time, reset_count,
	reset_net, reset_lowest, reset_highest, last_event_time, last_change_time) AS (
	SELECT level, width, reach, space, min(hour), NULL, 0, 0, 0, 0, 0, 0, NULL, 0, 0, 0, 0, NULL, NULL
	FROM kind CROSS JOIN (SELECT space, hour FROM summary)
	GROUP BY level, space, hour / reach
	UNION ALL
	SELECT w.level, w.width, w.reach, w.space, next.hour, w.hour, w.entries + h.entries, w.exits + h.exits,
		iif(w.reset_time IS NULL, w.sum + h.sum, w.sum),
		iif(w.reset_time IS NULL, min(w.lowest, w.sum + h.lowest), w.lowest),
		iif(w.reset_time IS NULL, max(w.highest, w.sum + h.highest), w.highest),
		iif(w.reset_time IS NULL, max(w.peak, w.sum - w.lowest + h.highest, h.peak), w.peak),
		coalesce(w.reset_time, h.reset_time),
		iif(w.reset_time IS NULL OR h.reset_time IS NOT NULL, h.reset_count,
			max(w.reset_count + h.sum, h.sum - h.lowest)),
		iif(w.reset_time IS NULL OR h.reset_time IS NOT NULL, h.reset_net, w.reset_net + h.sum),
		iif(w.reset_time IS NULL, h.reset_lowest, min(w.reset_lowest, max(w.reset_count + h.lowest, 0),
			iif(h.reset_time IS NULL, w.reset_lowest, h.reset_lowest))),
		iif(w.reset_time IS NULL, h.reset_highest, max(w.reset_highest, w.reset_count + h.highest, h.peak,
			iif(h.reset_time IS NULL, 0, h.reset_highest))),
		coalesce(h.last_event_time, w.last_event_time), h.last_change_time
	FROM walk AS w
	CROSS JOIN summary AS h ON h.space = w.space AND h.hour = w.hour AND h.level = 2
	CROSS JOIN summary AS next ON next.space = w.space AND next.level = 2
		AND next.hour = (SELECT min(hour) FROM summary WHERE space = w.space AND hour > w.hour)
	WHERE next.hour / w.reach = w.hour / w.reach
)
INSERT INTO summary
SELECT space, hour / width * width, level, entries, exits, sum, lowest, highest, peak, reset_time, reset_count, reset_net,
	reset_lowest, reset_highest, 0, 0, last_event_time, last_change_time
FROM walk
WHERE (previous IS NULL OR previous / width <> hour / width)
	AND hour > (SELECT min(hour) FROM summary AS first WHERE first.space = walk.space);
