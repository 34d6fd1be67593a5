-- PART_BEGIN
SAVEPOINT part;

-- PART_UNDO
ROLLBACK TO part;

-- PART_END
RELEASE part;

-- META_TAKE_REVISIONS
UPDATE meta SET revision = revision + ?1 RETURNING revision;

-- META_REVISION
SELECT revision FROM meta;

-- META_RAISE_REVISION
UPDATE meta SET revision = max(revision, ?1);

-- META_RETENTION
SELECT retention_horizon, settled_until, pruned_until FROM meta;

-- META_SET_RETENTION_HORIZON
UPDATE meta SET retention_horizon = ?1;

-- META_SET_RETENTION_DONE
UPDATE meta SET settled_until = ?1, pruned_until = ?2;

-- META_ADD_REJECTED_DROPPED
UPDATE meta SET rejected_dropped = rejected_dropped + ?1;

-- META_REJECTED
SELECT rejected_rows, rejected_dropped FROM meta;

-- INSTALLATION_AT
-- A row for each space that a crossing changes, or one with NULLs for the space if there is none; NULLs only for a DPU that
-- hung nowhere at that time, and no row for an unknown DPU.
SELECT installation.id, installation.started_at, installation.ended_at,
	effect.space, effect.sign * installation.orientation
FROM dpu
LEFT JOIN installation ON installation.dpu = dpu.id AND installation.started_at <= ?2
	AND (installation.ended_at IS NULL OR installation.ended_at > ?2)
LEFT JOIN doorway_effect AS effect ON effect.doorway = installation.doorway
WHERE dpu.dpu_id = ?1;

-- INSTALLATION_COUNT_ADD
INSERT INTO installation_count (installation, dpu_event_time, seq, count, event_received_time)
VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT DO NOTHING;

-- INSTALLATION_COUNT_ADD_50
-- Up to the first that is there already. So many in one statement take less time than one by one; and to undo all of them,
-- as without FAIL, SQLite would copy each page first.
INSERT OR FAIL INTO installation_count (installation, dpu_event_time, seq, count, event_received_time)
VALUES
	(?, ?, ?, ?, ?), (?, ?, ?, ?, ?), (?, ?, ?, ?, ?), (?, ?, ?, ?, ?), (?, ?, ?, ?, ?),
	(?, ?, ?, ?, ?), (?, ?, ?, ?, ?), (?, ?, ?, ?, ?), (?, ?, ?, ?, ?), (?, ?, ?, ?, ?),
	(?, ?, ?, ?, ?), (?, ?, ?, ?, ?), (?, ?, ?, ?, ?), (?, ?, ?, ?, ?), (?, ?, ?, ?, ?),
	(?, ?, ?, ?, ?), (?, ?, ?, ?, ?), (?, ?, ?, ?, ?), (?, ?, ?, ?, ?), (?, ?, ?, ?, ?),
	(?, ?, ?, ?, ?), (?, ?, ?, ?, ?), (?, ?, ?, ?, ?), (?, ?, ?, ?, ?), (?, ?, ?, ?, ?),
	(?, ?, ?, ?, ?), (?, ?, ?, ?, ?), (?, ?, ?, ?, ?), (?, ?, ?, ?, ?), (?, ?, ?, ?, ?),
	(?, ?, ?, ?, ?), (?, ?, ?, ?, ?), (?, ?, ?, ?, ?), (?, ?, ?, ?, ?), (?, ?, ?, ?, ?),
	(?, ?, ?, ?, ?), (?, ?, ?, ?, ?), (?, ?, ?, ?, ?), (?, ?, ?, ?, ?), (?, ?, ?, ?, ?),
	(?, ?, ?, ?, ?), (?, ?, ?, ?, ?), (?, ?, ?, ?, ?), (?, ?, ?, ?, ?), (?, ?, ?, ?, ?),
	(?, ?, ?, ?, ?), (?, ?, ?, ?, ?), (?, ?, ?, ?, ?), (?, ?, ?, ?, ?), (?, ?, ?, ?, ?);

-- INSTALLATION_COUNT_OF_NONE
-- A row if an installation is missing that has counted. Each is looked at once, however many rows it has.
WITH RECURSIVE counting (installation) AS (
	SELECT min(installation) FROM installation_count
	UNION ALL
	SELECT (SELECT min(installation) FROM installation_count WHERE installation > counting.installation)
	FROM counting WHERE counting.installation IS NOT NULL
)
SELECT installation FROM counting
WHERE installation IS NOT NULL AND installation NOT IN (SELECT id FROM installation)
LIMIT 1;

-- DOORWAY_EFFECTS
SELECT space, sign FROM doorway_effect WHERE doorway = ?1;

-- CHANGES
-- Of a space within a time, in the order in which they take effect: kind is enum change_kind. CROSS JOIN fixes the
-- order of the loops: a handful of doorways, each with a few installations, each with one range of events.
SELECT event.dpu_event_time AS time,
	CASE WHEN event.count * installation.orientation * effect.sign > 0 THEN 0 ELSE 1 END AS kind,
	event.count * installation.orientation * effect.sign AS value
FROM doorway_effect AS effect
CROSS JOIN installation ON installation.doorway = effect.doorway
CROSS JOIN installation_count AS event ON event.installation = installation.id
WHERE effect.space = ?1 AND event.dpu_event_time BETWEEN ?2 AND ?3
	AND installation.started_at <= ?3
	AND (installation.ended_at IS NULL OR installation.ended_at > ?2)
UNION ALL
SELECT reset_time, 2 + by_person, count
FROM space_reset
WHERE space = ?1 AND reset_time BETWEEN ?2 AND ?3
ORDER BY time, kind;

-- SUMMARY_PUT
-- OR REPLACE would say the same and take longer: it keeps what is needed to undo the statement alone.
INSERT INTO summary (space, hour, level, entries, exits, sum, lowest, highest, peak,
	reset_time, reset_count, reset_net, reset_lowest, reset_highest, area, reset_area,
	last_event_time, last_change_time)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
ON CONFLICT (space, hour, level) DO UPDATE SET entries = ?4, exits = ?5, sum = ?6, lowest = ?7, highest = ?8,
	peak = ?9, reset_time = ?10, reset_count = ?11, reset_net = ?12, reset_lowest = ?13, reset_highest = ?14,
	area = ?15, reset_area = ?16, last_event_time = ?17, last_change_time = ?18;

-- SUMMARY_REMOVE_HOURS
DELETE FROM summary WHERE space = ?1 AND hour BETWEEN ?2 AND ?3 AND level = 2;

-- SUMMARY_REMOVE_OPENINGS
DELETE FROM summary WHERE space = ?1 AND level < 2;

-- SUMMARY_FIND
SELECT hour, entries, exits, sum, lowest, highest, peak,
	reset_time, reset_count, reset_net, reset_lowest, reset_highest, area, reset_area,
	last_event_time, last_change_time
FROM summary
WHERE space = ?1 AND hour = ?2 AND level = ?3;

-- SUMMARY_HOURS
SELECT hour, entries, exits, sum, lowest, highest, peak,
	reset_time, reset_count, reset_net, reset_lowest, reset_highest, area, reset_area,
	last_event_time, last_change_time
FROM summary
WHERE space = ?1 AND hour BETWEEN ?2 AND ?3 AND level = 2
ORDER BY hour
LIMIT ?4;

-- SUMMARY_LAST_STRETCH
SELECT hour, entries, exits, sum, lowest, highest, peak,
	reset_time, reset_count, reset_net, reset_lowest, reset_highest, area, reset_area,
	last_event_time, last_change_time
FROM summary
WHERE space = ?1 AND hour BETWEEN ?2 AND ?3 AND level = 1
ORDER BY hour DESC
LIMIT 1;

-- SUMMARY_BACKWARDS
SELECT hour, level, sum, lowest, reset_time, reset_count, reset_net, last_event_time, last_change_time
FROM summary
WHERE space = ?1 AND hour <= ?2
ORDER BY hour DESC, level DESC;

-- SUMMARY_BEFORE_ERA
SELECT hour, level, sum, lowest, reset_time, reset_count, reset_net, last_event_time, last_change_time
FROM summary
WHERE space = ?1 AND hour = ?2 AND level = 0;

-- SUMMARY_NEXT
SELECT hour, level FROM summary WHERE space = ?1 AND hour >= ?2 ORDER BY hour, level LIMIT 1;

-- SUMMARY_COUNT
SELECT count(*) FROM summary WHERE space = ?1 AND hour >= ?2 AND level = ?3;

-- OCCUPANCY_NOW
SELECT count, net, last_event_time, last_change_time, revision FROM occupancy_now WHERE space = ?1;

-- OCCUPANCY_PUT
INSERT INTO occupancy_now (space, count, net, last_event_time, last_change_time, revision)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (space) DO UPDATE SET count = ?2, net = ?3, last_event_time = ?4, last_change_time = ?5, revision = ?6;

-- REJECTED_KEEP
INSERT INTO rejected_event (reason, topic, dpu_id, item, item_digest, item_size,
	event_received_time, last_received_time)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)
ON CONFLICT (topic, item_digest) DO UPDATE SET
	reason = excluded.reason,
	last_received_time = max(last_received_time, excluded.last_received_time),
	times = times + 1;

-- REJECTED_TRIM
DELETE FROM rejected_event WHERE id IN (
	SELECT id FROM rejected_event ORDER BY id
	LIMIT max((SELECT rejected_rows FROM meta) - ?1, 0)
);

-- REJECTED_REMOVE
DELETE FROM rejected_event
WHERE (?1 = 0 OR id = ?1) AND (?2 = '' OR reason = ?2) AND (?3 = '' OR dpu_id = ?3);

-- REJECTED_PAGE
SELECT id, dpu_id, item, event_received_time
FROM rejected_event
WHERE id > ?4 AND (?1 = 0 OR id = ?1) AND (?2 = '' OR reason = ?2) AND (?3 = '' OR dpu_id = ?3)
ORDER BY id
LIMIT ?5;

-- REJECTED_OF_DPU_PAGE
SELECT id, dpu_id, item, event_received_time
FROM rejected_event
WHERE dpu_id = ?3 AND id > ?4 AND reason IN ('unknown_dpu', 'no_installation')
ORDER BY id
LIMIT ?5;

-- REJECTED_REMOVE_ROW
DELETE FROM rejected_event WHERE id = ?1;

-- REJECTED_SET_REASON
UPDATE rejected_event SET reason = ?2 WHERE id = ?1;

-- AUDIT_KEEP
INSERT INTO audit (time, who, origin, object, action, object_id, details, status)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8);

-- AUDIT_TRIM
DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?1;

-- SPACE_KEY
SELECT id FROM space WHERE space_id = ?1;

-- SPACE_NEXT
SELECT id FROM space WHERE id > ?1 ORDER BY id LIMIT 1;

-- SPACE_ALL
SELECT id, space_id FROM space ORDER BY id;

-- SPACE_IDS_EVER
-- Of those that are there, and of those whose topics must be empty.
SELECT space_id FROM space UNION SELECT space_id FROM space_removed;

-- SPACE_LOAD
SELECT space.id, space.space_id, space.name, space.timezone, parent.space_id, space.capacity,
	space.daily_reset
FROM space
LEFT JOIN space AS parent ON parent.id = space.parent
WHERE space.space_id = ?1;

-- SPACE_ADD
INSERT INTO space (space_id, name, timezone, parent, capacity, daily_reset, next_reset)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
ON CONFLICT DO NOTHING;

-- SPACE_SET
-- ?7: the schedule is another one, and ?8 when it fires next.
UPDATE space SET name = ?2, timezone = ?3, parent = ?4, capacity = ?5, daily_reset = ?6,
	next_reset = CASE WHEN ?7 THEN ?8 ELSE next_reset END
WHERE space_id = ?1;

-- SPACE_IN_USE
SELECT 1 FROM space WHERE parent = ?1
UNION ALL SELECT 1 FROM doorway WHERE space = ?1
UNION ALL SELECT 1 FROM doorway WHERE adjacent_space = ?1
LIMIT 1;

-- SPACE_REMOVE
DELETE FROM space WHERE id = ?1;

-- SPACE_REMOVED_REMEMBER
INSERT OR REPLACE INTO space_removed (space_id, revision) VALUES (?1, ?2);

-- SPACE_REMOVED_FORGET
DELETE FROM space_removed WHERE space_id = ?1;

-- SPACE_DOORWAYS_WITHIN
WITH RECURSIVE inside (space) AS (
	SELECT ?1
	UNION
	SELECT space.id FROM inside JOIN space ON space.parent = inside.space
)
SELECT doorway.id FROM inside JOIN doorway ON doorway.space = inside.space
UNION
SELECT doorway.id FROM inside JOIN doorway ON doorway.adjacent_space = inside.space;

-- SPACE_DUE
SELECT id, timezone, daily_reset, next_reset
FROM space
WHERE next_reset <= ?1
ORDER BY next_reset
LIMIT ?2;

-- SPACE_NEXT_RESET
SELECT min(next_reset) FROM space WHERE next_reset IS NOT NULL;

-- SPACE_SET_NEXT_RESET
UPDATE space SET next_reset = ?2 WHERE id = ?1;

-- SUMMARY_REMOVE_SPACE
DELETE FROM summary WHERE space = ?1;

-- OCCUPANCY_PUT_50
-- So many in one statement take less time than one by one.
INSERT INTO occupancy_now (space, count, net, last_event_time, last_change_time, revision)
VALUES
	(?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?),
	(?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?),
	(?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?),
	(?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?),
	(?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?),
	(?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?),
	(?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?),
	(?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?),
	(?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?),
	(?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?)
ON CONFLICT (space) DO UPDATE SET count = excluded.count, net = excluded.net,
	last_event_time = excluded.last_event_time, last_change_time = excluded.last_change_time,
	revision = excluded.revision;

-- OCCUPANCY_REMOVE
DELETE FROM occupancy_now WHERE space = ?1;

-- RESET_REMOVE_SPACE
DELETE FROM space_reset WHERE space = ?1;

-- RESET_ADD
INSERT INTO space_reset (space, reset_time, by_person, count, reset_received_time)
VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT DO NOTHING;

-- RESET_BY_PERSON
SELECT count FROM space_reset WHERE space = ?1 AND reset_time = ?2 AND by_person = 1;

-- RESET_REMOVE
DELETE FROM space_reset WHERE space = ?1 AND reset_time = ?2;

-- DOORWAY_KEY
SELECT id FROM doorway WHERE doorway_id = ?1;

-- DOORWAY_LOAD
SELECT doorway.id, doorway.doorway_id, doorway.name, space.space_id, adjacent.space_id
FROM doorway
JOIN space ON space.id = doorway.space
LEFT JOIN space AS adjacent ON adjacent.id = doorway.adjacent_space
WHERE doorway.doorway_id = ?1;

-- DOORWAY_ADD
INSERT INTO doorway (doorway_id, name, space, adjacent_space)
VALUES (?1, ?2, ?3, ?4)
ON CONFLICT DO NOTHING;

-- DOORWAY_SET
UPDATE doorway SET name = ?2, space = ?3, adjacent_space = ?4 WHERE doorway_id = ?1;

-- DOORWAY_IN_USE
SELECT 1 FROM installation WHERE doorway = ?1 LIMIT 1;

-- DOORWAY_REMOVE
DELETE FROM doorway WHERE id = ?1;

-- DOORWAY_EFFECTS_REMOVE
DELETE FROM doorway_effect WHERE doorway = ?1;

-- DOORWAY_EFFECTS_REMOVE_WRONG
WITH RECURSIVE own (space) AS (
	SELECT space FROM doorway WHERE id = ?1
	UNION
	SELECT space.parent FROM own JOIN space ON space.id = own.space WHERE space.parent IS NOT NULL
), adjacent (space) AS (
	SELECT adjacent_space FROM doorway WHERE id = ?1 AND adjacent_space IS NOT NULL
	UNION
	SELECT space.parent FROM adjacent JOIN space ON space.id = adjacent.space WHERE space.parent IS NOT NULL
)
DELETE FROM doorway_effect
WHERE doorway = ?1 AND (space, sign) NOT IN (
	SELECT space, 1 FROM own WHERE space NOT IN (SELECT space FROM adjacent)
	UNION ALL
	SELECT space, -1 FROM adjacent WHERE space NOT IN (SELECT space FROM own)
);

-- DOORWAY_EFFECTS_ADD_MISSING
WITH RECURSIVE own (space) AS (
	SELECT space FROM doorway WHERE id = ?1
	UNION
	SELECT space.parent FROM own JOIN space ON space.id = own.space WHERE space.parent IS NOT NULL
), adjacent (space) AS (
	SELECT adjacent_space FROM doorway WHERE id = ?1 AND adjacent_space IS NOT NULL
	UNION
	SELECT space.parent FROM adjacent JOIN space ON space.id = adjacent.space WHERE space.parent IS NOT NULL
)
INSERT INTO doorway_effect (doorway, space, sign)
SELECT ?1, space, 1 FROM own WHERE space NOT IN (SELECT space FROM adjacent)
UNION ALL
SELECT ?1, space, -1 FROM adjacent WHERE space NOT IN (SELECT space FROM own)
ON CONFLICT DO NOTHING;

-- SPACE_EFFECTS_DIFFER
-- A row if the doorways that change the space's count are not those in doorway_effect: found from the space
-- downwards, where the others go from the doorway upwards.
WITH RECURSIVE inside (space) AS (
	SELECT ?1
	UNION
	SELECT space.id FROM inside JOIN space ON space.parent = inside.space
), derived (doorway, sign) AS (
	SELECT id, 1 FROM doorway
	WHERE space IN (SELECT space FROM inside)
		AND (adjacent_space IS NULL OR adjacent_space NOT IN (SELECT space FROM inside))
	UNION ALL
	SELECT id, -1 FROM doorway
	WHERE adjacent_space IN (SELECT space FROM inside) AND space NOT IN (SELECT space FROM inside)
), kept (doorway, sign) AS (
	SELECT doorway, sign FROM doorway_effect WHERE space = ?1
)
SELECT 1 FROM (SELECT doorway, sign FROM derived EXCEPT SELECT doorway, sign FROM kept)
UNION ALL
SELECT 1 FROM (SELECT doorway, sign FROM kept EXCEPT SELECT doorway, sign FROM derived)
LIMIT 1;

-- DPU_KEY
SELECT id FROM dpu WHERE dpu_id = ?1;

-- DPU_LOAD
SELECT id, dpu_id, name FROM dpu WHERE dpu_id = ?1;

-- DPU_ADD
INSERT INTO dpu (dpu_id, name) VALUES (?1, ?2) ON CONFLICT DO NOTHING;

-- DPU_SET
UPDATE dpu SET name = ?2 WHERE dpu_id = ?1;

-- DPU_SET_ONLINE
UPDATE dpu SET online = ?2, online_since = ?3 WHERE dpu_id = ?1 AND online IS NOT ?2;

-- DPU_IN_USE
SELECT 1 FROM installation WHERE dpu = ?1 LIMIT 1;

-- DPU_REMOVE
DELETE FROM dpu WHERE id = ?1;

-- DPU_DOORWAYS_FROM
-- Where it hangs at a time or will hang later.
SELECT installation.doorway
FROM dpu
JOIN installation ON installation.dpu = dpu.id
WHERE dpu.dpu_id = ?1 AND (installation.ended_at IS NULL OR installation.ended_at > ?2);

-- INSTALLATION_LOAD
SELECT installation.id, dpu.dpu_id, doorway.doorway_id, installation.started_at,
	installation.ended_at, installation.orientation
FROM installation
JOIN dpu ON dpu.id = installation.dpu
JOIN doorway ON doorway.id = installation.doorway
WHERE installation.id = ?1;

-- INSTALLATION_LOAD_ACTIVE
SELECT installation.id, dpu.dpu_id, doorway.doorway_id, installation.started_at,
	installation.ended_at, installation.orientation
FROM dpu
JOIN installation ON installation.dpu = dpu.id AND installation.ended_at IS NULL
JOIN doorway ON doorway.id = installation.doorway
WHERE dpu.dpu_id = ?1;

-- INSTALLATION_ADD
INSERT INTO installation (dpu, doorway, started_at, ended_at, orientation)
VALUES (?1, ?2, ?3, ?4, ?5);

-- INSTALLATION_SET
UPDATE installation SET dpu = ?1, doorway = ?2, started_at = ?3, ended_at = ?4, orientation = ?5
WHERE id = ?6;

-- INSTALLATION_REMOVE
DELETE FROM installation WHERE id = ?1;

-- INSTALLATION_EVENT_TIMES
SELECT (SELECT min(dpu_event_time) FROM installation_count WHERE installation = ?1),
	(SELECT max(dpu_event_time) FROM installation_count WHERE installation = ?1);

-- INSTALLATION_EVENTS_OUTSIDE
SELECT dpu_event_time, seq, count, event_received_time
FROM installation_count
WHERE installation = ?1 AND dpu_event_time < ?2
UNION ALL
SELECT dpu_event_time, seq, count, event_received_time
FROM installation_count
WHERE installation = ?1 AND dpu_event_time >= ?3 AND dpu_event_time >= ?2;

-- INSTALLATION_EVENTS_REMOVE_OUTSIDE
DELETE FROM installation_count
WHERE installation = ?1 AND (dpu_event_time < ?2 OR dpu_event_time >= ?3);

-- SPACE_STATE
SELECT space.id, space.space_id, space.name, space.timezone, space.capacity,
	now.count, now.net, now.last_event_time, now.last_change_time, now.revision
FROM space
JOIN occupancy_now AS now ON now.space = space.id
WHERE space.space_id = ?1;

-- SPACE_CHANGED_SINCE
SELECT space.id, space.space_id, space.name, space.timezone, space.capacity,
	now.count, now.net, now.last_event_time, now.last_change_time, now.revision AS revision
FROM occupancy_now AS now
CROSS JOIN space ON space.id = now.space
WHERE now.revision > ?1
UNION ALL
SELECT NULL, space_id, '', '', NULL, 0, 0, NULL, NULL, revision
FROM space_removed
WHERE revision > ?1
ORDER BY revision
LIMIT ?2;

-- SPACE_DEVICES
-- Those that are there at a time, and when one comes or goes next.
SELECT count(*) FILTER (WHERE installation.started_at <= ?2),
	count(dpu.online) FILTER (WHERE installation.started_at <= ?2),
	coalesce(sum(dpu.online) FILTER (WHERE installation.started_at <= ?2), 0),
	min(CASE WHEN installation.started_at > ?2 THEN installation.started_at ELSE installation.ended_at END)
FROM doorway_effect AS effect
CROSS JOIN installation ON installation.doorway = effect.doorway
	AND (installation.ended_at IS NULL OR installation.ended_at > ?2)
CROSS JOIN dpu ON dpu.id = installation.dpu
WHERE effect.space = ?1;

-- SPACE_REVISION
SELECT now.revision FROM space JOIN occupancy_now AS now ON now.space = space.id WHERE space.space_id = ?1;

-- LISTING_SPACES
SELECT space_id FROM space WHERE space_id > ?1 ORDER BY space_id LIMIT ?2;

-- LISTING_DOORWAYS
SELECT doorway_id FROM doorway WHERE doorway_id > ?1 ORDER BY doorway_id LIMIT ?2;

-- LISTING_DPUS
SELECT dpu_id FROM dpu WHERE dpu_id > ?1 ORDER BY dpu_id LIMIT ?2;

-- LISTING_INSTALLATIONS
SELECT id FROM installation WHERE id > ?1 ORDER BY id LIMIT ?2;

-- LISTING_REJECTED
SELECT id, reason, topic, dpu_id, item, item_size, event_received_time, last_received_time, times
FROM rejected_event
WHERE id > ?1
ORDER BY id
LIMIT ?2;

-- LISTING_REJECTED_OF_DPU
SELECT id, reason, topic, dpu_id, item, item_size, event_received_time, last_received_time, times
FROM rejected_event
WHERE dpu_id = ?3 AND id > ?1 AND (?4 = '' OR reason = ?4)
ORDER BY id
LIMIT ?2;

-- LISTING_REJECTED_OF_REASON
SELECT id, reason, topic, dpu_id, item, item_size, event_received_time, last_received_time, times
FROM rejected_event
WHERE reason = ?4 AND id > ?1 AND ?3 = ''
ORDER BY id
LIMIT ?2;

-- LISTING_AUDIT
-- The newest first. ?1 is the row that the page before has ended with, 0 at first; if that is gone, so is what follows.
SELECT id, time, who, origin, object, action, object_id, details, status
FROM audit
WHERE time >= ?3 AND (time, id) < (CASE ?1 WHEN 0 THEN ?4 ELSE (SELECT time FROM audit WHERE id = ?1) END, ?1)
ORDER BY time DESC, id DESC
LIMIT ?2;

-- SPACE_REMOVED_FIND
SELECT revision FROM space_removed WHERE space_id = ?1;

-- SPACE_SURROUNDINGS
SELECT parent.space_id, space.daily_reset
FROM space
LEFT JOIN space AS parent ON parent.id = space.parent
WHERE space.id = ?1;

-- SPACE_CHILDREN
SELECT space_id FROM space WHERE parent = ?1 ORDER BY space_id;

-- DPU_STATE
SELECT dpu.dpu_id, dpu.name, dpu.online, dpu.online_since, doorway.doorway_id
FROM dpu
LEFT JOIN installation ON installation.dpu = dpu.id AND installation.started_at <= ?2
	AND (installation.ended_at IS NULL OR installation.ended_at > ?2)
LEFT JOIN doorway ON doorway.id = installation.doorway
WHERE dpu.dpu_id = ?1;

-- LISTING_SPACES_OF_PARENT
SELECT space_id
FROM space
WHERE parent = (SELECT id FROM space WHERE space_id = ?3) AND space_id > ?1
ORDER BY space_id
LIMIT ?2;

-- LISTING_DOORWAYS_OF_SPACE
SELECT doorway_id
FROM doorway
WHERE space = (SELECT id FROM space WHERE space_id = ?3) AND doorway_id > ?1
UNION
SELECT doorway_id
FROM doorway
WHERE adjacent_space = (SELECT id FROM space WHERE space_id = ?3) AND doorway_id > ?1
ORDER BY doorway_id
LIMIT ?2;

-- LISTING_INSTALLATIONS_OF_DPU
SELECT id
FROM installation
WHERE dpu = (SELECT id FROM dpu WHERE dpu_id = ?3) AND id > ?1
	AND (?4 = '' OR doorway = (SELECT id FROM doorway WHERE doorway_id = ?4))
ORDER BY id
LIMIT ?2;

-- LISTING_INSTALLATIONS_OF_DOORWAY
SELECT id
FROM installation
WHERE doorway = (SELECT id FROM doorway WHERE doorway_id = ?4) AND id > ?1 AND ?3 = ''
ORDER BY id
LIMIT ?2;

-- DOORWAY_SPACES
SELECT space.space_id
FROM doorway
CROSS JOIN doorway_effect AS effect ON effect.doorway = doorway.id
CROSS JOIN space ON space.id = effect.space
WHERE doorway.doorway_id = ?1;

-- INSTALLATION_SPACES
SELECT space.space_id
FROM installation
CROSS JOIN doorway_effect AS effect ON effect.doorway = installation.doorway
CROSS JOIN space ON space.id = effect.space
WHERE installation.id = ?1;

-- CROSSING_INSTALLATIONS
-- Those whose events change a space, as far as they were there within a time.
SELECT installation.id, installation.orientation * effect.sign, dpu.dpu_id, doorway.doorway_id
FROM doorway_effect AS effect
CROSS JOIN installation ON installation.doorway = effect.doorway
CROSS JOIN dpu ON dpu.id = installation.dpu
CROSS JOIN doorway ON doorway.id = installation.doorway
WHERE effect.space = ?1 AND installation.started_at <= ?3
	AND (installation.ended_at IS NULL OR installation.ended_at > ?2);

-- CROSSING_PAGE
SELECT dpu_event_time, event_received_time, seq, count
FROM installation_count
WHERE installation = ?1 AND (dpu_event_time, seq, count) >= (?2, ?3, ?4) AND dpu_event_time <= ?5
ORDER BY dpu_event_time, seq, count
LIMIT ?6;

-- CROSSING_NTH_BEFORE
SELECT dpu_event_time
FROM installation_count
WHERE installation = ?1 AND dpu_event_time < ?2
ORDER BY dpu_event_time
LIMIT 1 OFFSET ?3;

-- CROSSING_REMOVE_BEFORE
DELETE FROM installation_count WHERE installation = ?1 AND dpu_event_time < ?2;

-- INSTALLATION_NEXT_BEFORE
SELECT id FROM installation WHERE id > ?1 AND started_at < ?2 ORDER BY id LIMIT 1;

-- DOORWAY_INSTALLED_BEFORE
SELECT 1 FROM installation WHERE doorway = ?1 AND started_at < ?2 LIMIT 1;

-- DPU_SPACES
SELECT DISTINCT space.space_id
FROM dpu
CROSS JOIN installation ON installation.dpu = dpu.id
CROSS JOIN doorway_effect AS effect ON effect.doorway = installation.doorway
CROSS JOIN space ON space.id = effect.space
WHERE dpu.dpu_id = ?1;

-- DOCUMENT_INSTALLATIONS
SELECT installation.id
FROM dpu
CROSS JOIN installation ON installation.dpu = dpu.id
ORDER BY dpu.dpu_id, installation.started_at;

-- DOCUMENT_RESETS
-- Those by persons, and if ?1 is set the schedule's, where no person has said something else of the same instant.
SELECT space.space_id || ' ' || reset.reset_time
FROM space
CROSS JOIN space_reset AS reset ON reset.space = space.id
WHERE reset.by_person = 1
	OR (?1 AND NOT EXISTS (SELECT 1 FROM space_reset AS word
		WHERE word.space = reset.space AND word.reset_time = reset.reset_time AND word.by_person = 1))
ORDER BY space.space_id, reset.reset_time;

-- RESET_LOAD
SELECT reset.count
FROM space
CROSS JOIN space_reset AS reset ON reset.space = space.id
WHERE space.space_id = ?1 AND reset.reset_time = ?2
ORDER BY reset.by_person DESC
LIMIT 1;

-- EXPORT_INSTALLATIONS
-- Those that were there within a time (perhaps of one DPU, perhaps of doorways that change one space).
SELECT installation.id, dpu.dpu_id, doorway.doorway_id, installation.started_at, installation.ended_at
FROM installation
CROSS JOIN dpu ON dpu.id = installation.dpu
CROSS JOIN doorway ON doorway.id = installation.doorway
WHERE installation.started_at < ?2 AND (installation.ended_at IS NULL OR installation.ended_at > ?1)
	AND (?3 = '' OR dpu.dpu_id = ?3)
	AND (?4 = '' OR EXISTS (SELECT 1 FROM doorway_effect AS effect WHERE effect.doorway = installation.doorway
		AND effect.space = (SELECT id FROM space WHERE space_id = ?4)))
ORDER BY installation.id;

-- REJECTED_BY_REASON
SELECT reason, count(*) FROM rejected_event GROUP BY reason;

-- DPU_COUNT
SELECT count(*) FROM dpu;
