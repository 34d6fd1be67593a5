-- The database of headcount: facts first, then what is derived from them. All times are UTC, integer
-- milliseconds since 1970. Ids that end in _id are the operator's; plain ids are ours and stay inside.
-- Applied to an empty database by the gateway, which alone writes (DESIGN: storage).

-- Facts: the registry

CREATE TABLE space (
	id INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice, so that nobody takes one space for another
	space_id TEXT NOT NULL UNIQUE
		CHECK (length(space_id) BETWEEN 1 AND 64 AND space_id NOT GLOB '*[^-A-Za-z0-9._:]*'),
	name TEXT NOT NULL DEFAULT '' CHECK (length(name) <= 200),
	timezone TEXT NOT NULL DEFAULT 'UTC',
	capacity INTEGER CHECK (capacity > 0),
	parent INTEGER REFERENCES space (id) CHECK (parent <> id),
	daily_reset INTEGER CHECK (daily_reset BETWEEN 0 AND 1439), -- minute of the local day
	next_reset INTEGER,                                         -- when that is next
	CHECK ((daily_reset IS NULL) = (next_reset IS NULL))
) STRICT;
CREATE INDEX space_parent ON space (parent) WHERE parent IS NOT NULL;
CREATE INDEX space_next_reset ON space (next_reset) WHERE next_reset IS NOT NULL;

-- Every space with itself and all that it lies inside.
CREATE VIEW space_within (space, ancestor) AS
WITH RECURSIVE up (space, ancestor) AS (
	SELECT id, id FROM space
	UNION
	SELECT up.space, space.parent FROM up JOIN space ON space.id = up.ancestor
	WHERE space.parent IS NOT NULL
)
SELECT space, ancestor FROM up;

CREATE TRIGGER space_no_cycle BEFORE UPDATE OF parent ON space
WHEN NEW.parent IS NOT NULL
BEGIN
	SELECT raise(ABORT, 'parent: a space cannot lie inside itself')
	WHERE EXISTS (SELECT 1 FROM space_within WHERE space = NEW.parent AND ancestor = NEW.id);
END;

CREATE TABLE doorway (
	id INTEGER PRIMARY KEY,
	doorway_id TEXT NOT NULL UNIQUE
		CHECK (length(doorway_id) BETWEEN 1 AND 64 AND doorway_id NOT GLOB '*[^-A-Za-z0-9._:]*'),
	name TEXT NOT NULL DEFAULT '' CHECK (length(name) <= 200),
	space INTEGER NOT NULL REFERENCES space (id),
	adjacent_space INTEGER REFERENCES space (id) CHECK (adjacent_space <> space) -- NULL: the outside
) STRICT;
CREATE INDEX doorway_space ON doorway (space);
CREATE INDEX doorway_adjacent_space ON doorway (adjacent_space) WHERE adjacent_space IS NOT NULL;

CREATE TABLE dpu (
	id INTEGER PRIMARY KEY,
	dpu_id TEXT NOT NULL UNIQUE
		CHECK (length(dpu_id) BETWEEN 1 AND 64 AND dpu_id NOT GLOB '*[^-A-Za-z0-9._:]*'),
	name TEXT NOT NULL DEFAULT '' CHECK (length(name) <= 200),
	online INTEGER CHECK (online IN (0, 1)), -- NULL: it never said
	online_since INTEGER,                    -- when it said so
	CHECK ((online IS NULL) = (online_since IS NULL))
) STRICT;

CREATE TABLE installation (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	dpu INTEGER NOT NULL REFERENCES dpu (id),
	doorway INTEGER NOT NULL REFERENCES doorway (id),
	started_at INTEGER NOT NULL CHECK (started_at >= 0),
	ended_at INTEGER CHECK (ended_at > started_at), -- NULL: active; the installation is [started_at, ended_at)
	orientation INTEGER NOT NULL DEFAULT 1 CHECK (orientation IN (1, -1))
) STRICT;
CREATE INDEX installation_dpu ON installation (dpu, started_at);
CREATE INDEX installation_doorway ON installation (doorway, started_at);
CREATE UNIQUE INDEX installation_active_dpu ON installation (dpu) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX installation_active_doorway ON installation (doorway) WHERE ended_at IS NULL;

CREATE TRIGGER installation_no_overlap_insert BEFORE INSERT ON installation
BEGIN
	SELECT raise(ABORT, 'dpu: it is installed elsewhere at that time')
	WHERE EXISTS (SELECT 1 FROM installation WHERE dpu = NEW.dpu
		AND started_at < coalesce(NEW.ended_at, 9223372036854775807)
		AND coalesce(ended_at, 9223372036854775807) > NEW.started_at);
	SELECT raise(ABORT, 'doorway: another DPU is installed there at that time')
	WHERE EXISTS (SELECT 1 FROM installation WHERE doorway = NEW.doorway
		AND started_at < coalesce(NEW.ended_at, 9223372036854775807)
		AND coalesce(ended_at, 9223372036854775807) > NEW.started_at);
END;
CREATE TRIGGER installation_no_overlap_update
BEFORE UPDATE OF dpu, doorway, started_at, ended_at ON installation
BEGIN
	SELECT raise(ABORT, 'dpu: it is installed elsewhere at that time')
	WHERE EXISTS (SELECT 1 FROM installation WHERE dpu = NEW.dpu AND id <> NEW.id
		AND started_at < coalesce(NEW.ended_at, 9223372036854775807)
		AND coalesce(ended_at, 9223372036854775807) > NEW.started_at);
	SELECT raise(ABORT, 'doorway: another DPU is installed there at that time')
	WHERE EXISTS (SELECT 1 FROM installation WHERE doorway = NEW.doorway AND id <> NEW.id
		AND started_at < coalesce(NEW.ended_at, 9223372036854775807)
		AND coalesce(ended_at, 9223372036854775807) > NEW.started_at);
END;

-- Facts: what happened. The identity of an event is the key.

CREATE TABLE installation_count (
	installation INTEGER NOT NULL, -- of installation; who attributes has just read it, so that no row looks it up again
	dpu_event_time INTEGER NOT NULL CHECK (dpu_event_time >= 0),
	seq INTEGER NOT NULL DEFAULT 0 CHECK (seq BETWEEN 0 AND 9007199254740991),
	count INTEGER NOT NULL CHECK (count BETWEEN -100 AND 100 AND count <> 0), -- +: towards the DPU's side
	event_received_time INTEGER NOT NULL,
	PRIMARY KEY (installation, dpu_event_time, seq, count)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER installation_keeps_its_counts BEFORE DELETE ON installation
BEGIN
	SELECT raise(ABORT, 'installation: it has counted')
	WHERE EXISTS (SELECT 1 FROM installation_count WHERE installation = OLD.id);
END;

-- "At this instant there were `count` people here". At one instant a person's word comes after the schedule's.
CREATE TABLE space_reset (
	space INTEGER NOT NULL REFERENCES space (id),
	reset_time INTEGER NOT NULL CHECK (reset_time >= 0),
	by_person INTEGER NOT NULL CHECK (by_person IN (0, 1)), -- 0: by the daily schedule
	count INTEGER NOT NULL CHECK (count >= 0),
	reset_received_time INTEGER NOT NULL,
	PRIMARY KEY (space, reset_time, by_person)
) STRICT, WITHOUT ROWID;

-- Message items that could not be stored. The same bytes by the same way are one row, however often they came.
CREATE TABLE rejected_event (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	reason TEXT NOT NULL CHECK (reason IN ('malformed', 'invalid_time', 'invalid_count', 'unknown_dpu',
		'no_installation', 'clock_ahead', 'too_old', 'too_large', 'topic')),
	topic TEXT NOT NULL,
	dpu_id TEXT NOT NULL,        -- '' if the topic names none
	item BLOB NOT NULL,          -- its bytes; only the first 64 KiB if it was too_large
	item_digest BLOB NOT NULL,   -- SHA-256 of all of them
	item_size INTEGER NOT NULL,
	event_received_time INTEGER NOT NULL, -- when it came first
	last_received_time INTEGER NOT NULL,
	times INTEGER NOT NULL DEFAULT 1,
	UNIQUE (topic, item_digest)
) STRICT;
CREATE INDEX rejected_event_dpu ON rejected_event (dpu_id, id);
CREATE INDEX rejected_event_reason ON rejected_event (reason, id);

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

-- One row: the few numbers that are kept for the whole database.
CREATE TABLE meta (
	id INTEGER PRIMARY KEY CHECK (id = 1),
	revision INTEGER NOT NULL DEFAULT 0,            -- the last one given to a change of a space
	retention_horizon INTEGER NOT NULL DEFAULT 0,   -- events before it are too_old
	rejected_rows INTEGER NOT NULL DEFAULT 0,
	rejected_dropped INTEGER NOT NULL DEFAULT 0,    -- rows that went because the table was full
	-- How far a prune has come on the way to the horizon (core/pruning.c): summaries before it say all that is known,
	settled_until INTEGER NOT NULL DEFAULT 0,
	pruned_until INTEGER NOT NULL DEFAULT 0         -- crossings before it are gone, and the file is smaller
) STRICT;
INSERT INTO meta (id) VALUES (1);

CREATE TRIGGER rejected_event_counted AFTER INSERT ON rejected_event
BEGIN
	UPDATE meta SET rejected_rows = rejected_rows + 1;
END;
CREATE TRIGGER rejected_event_uncounted AFTER DELETE ON rejected_event
BEGIN
	UPDATE meta SET rejected_rows = rejected_rows - 1;
END;

-- Derived: `headcount rebuild` makes all of it again from the facts.

-- Which doorways change a space's count, and which way: the space contains exactly one of the doorway's two sides.
CREATE TABLE doorway_effect (
	doorway INTEGER NOT NULL REFERENCES doorway (id),
	space INTEGER NOT NULL REFERENCES space (id),
	sign INTEGER NOT NULL CHECK (sign IN (1, -1)),
	PRIMARY KEY (doorway, space)
) STRICT, WITHOUT ROWID;
CREATE INDEX doorway_effect_space ON doorway_effect (space, doorway, sign);

-- What all changes of a space within a span of time do to its count: core/span.h. Each UTC hour with a change has a row of
-- level 2. The first of them in a stretch of 16 hours has one of level 1 in front of it, of the part of its era that
-- lies before the stretch, and the first in an era of 512 hours one of level 0, of all that lies before the era, if
-- there is anything before it at all: whoever reads backwards from any hour soon comes to where the rest is told (core/openings.h).
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

CREATE TABLE occupancy_now (
	space INTEGER PRIMARY KEY REFERENCES space (id),
	count INTEGER NOT NULL CHECK (count >= 0),
	net INTEGER NOT NULL,
	last_event_time INTEGER,
	last_change_time INTEGER, -- of an event or a reset
	revision INTEGER NOT NULL UNIQUE
) STRICT;

-- Ids whose retained topics must be empty, until a space of that id is made again.
CREATE TABLE space_removed (
	space_id TEXT PRIMARY KEY,
	revision INTEGER NOT NULL UNIQUE
) STRICT, WITHOUT ROWID;

-- For people with the sqlite3 shell.
CREATE VIEW installation_count_utc AS
SELECT strftime('%Y-%m-%dT%H:%M:%fZ', c.dpu_event_time / 1000.0, 'unixepoch') AS dpu_event_time_utc,
	strftime('%Y-%m-%dT%H:%M:%fZ', c.event_received_time / 1000.0, 'unixepoch') AS event_received_time_utc,
	dpu.dpu_id, doorway.doorway_id, space.space_id, adjacent.space_id AS adjacent_space_id,
	c.seq, c.count, c.count * installation.orientation AS into_space, installation.id AS installation
FROM installation_count AS c
JOIN installation ON installation.id = c.installation
JOIN dpu ON dpu.id = installation.dpu
JOIN doorway ON doorway.id = installation.doorway
JOIN space ON space.id = doorway.space
LEFT JOIN space AS adjacent ON adjacent.id = doorway.adjacent_space;
