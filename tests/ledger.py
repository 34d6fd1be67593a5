"""What devices have sent, kept on disk, and what a system has to have made of it: for more events than the oracle can hold.

    ledger = Ledger(folder / "ledger.db")
    ledger.add_file(record)                     # what tests/bench/load.c says it has sent
    ledger.add(devices.events, devices.refused)
    ledger.check(gateway)                       # raises invariants.Broken

It checks what invariants.check does: each event is stored exactly once or kept with its reason, nothing else is, the count of
each space = occupancy_now = the retained one. Sets are compared by SQL; what happens to a count is the oracle's word.
"""

import contextlib
import itertools
import sqlite3

import invariants
import oracle
import recount
from harness import wait_until

SCHEMA = """
CREATE TABLE sent (dpu TEXT, time INTEGER, seq INTEGER, count INTEGER, PRIMARY KEY (dpu, time, seq, count)) WITHOUT ROWID;
CREATE TABLE refused (dpu TEXT, item TEXT, reason TEXT, PRIMARY KEY (dpu, item, reason)) WITHOUT ROWID;
"""

# What the gateway's database says, as `sent` and `refused` have it; and how crossings at a doorway change a space.
VIEWS = """
CREATE TEMP VIEW stored AS
	SELECT dpu_id AS dpu, dpu_event_time AS time, seq, count FROM system.installation_count
	JOIN system.installation ON installation.id = installation JOIN system.dpu ON dpu.id = dpu;
CREATE TEMP VIEW kept AS
	SELECT dpu_id AS dpu, CAST(item AS TEXT) AS item, reason FROM system.rejected_event;
CREATE TEMP TABLE effect (dpu TEXT, started_at INTEGER, ended_at INTEGER, space TEXT, value INTEGER);
CREATE TEMP TABLE reset (space TEXT, time INTEGER, kind INTEGER, count INTEGER);
"""

CHANGES = """
	SELECT space, time, iif(sent.count * value > 0, {entry}, {exit}) AS kind, sent.count * value AS value
	FROM effect CROSS JOIN sent ON sent.dpu = effect.dpu
		AND time >= started_at AND (ended_at IS NULL OR time < ended_at)
	WHERE space IN (SELECT space FROM wanted)
	UNION ALL SELECT space, time, kind, count FROM reset WHERE space IN (SELECT space FROM wanted)
	ORDER BY space, time, kind, value
""".format(entry=oracle.ENTRY, exit=oracle.EXIT)


def record_rows(path, kind, members):
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            first, *rest = line.rstrip("\n").split("\t")
            if first == kind:
                yield [rest[n] for n in members]


def effects_of(world):
    for installation in world.installations.values():
        doorway = world.doorways[installation.doorway]
        sides = (doorway.space, doorway.adjacent_space)
        for space in sorted({space for side in sides if side for space in world.within(side)}):
            value = installation.orientation * world.sign(installation.doorway, space)
            if value:
                yield installation.dpu, installation.started_at, installation.ended_at, space, value


def registry(gateway):
    """The oracle's world as the operator made it, without events."""
    world = oracle.World()
    recount.registry_of(gateway, world)
    resets = gateway.query(
        "SELECT space_id, reset_time, by_person, count FROM space_reset JOIN space ON space.id = space"
    )
    for space, at, by_person, count in resets:
        world.resets[space, at, oracle.RESET if by_person else oracle.DAILY_RESET] = count
    return world


class Ledger:
    def __init__(self, path):
        self.connection = sqlite3.connect(f"file:{path}", uri=True, isolation_level=None)
        self.connection.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;" + SCHEMA)

    def add_rows(self, table, rows):
        places = ", ".join("?" * len(rows[0])) if rows else ""
        if rows:
            self.connection.executemany(f"INSERT OR IGNORE INTO {table} VALUES ({places})", rows)

    def add(self, events, refused):
        with self.transaction():
            self.add_rows("sent", sorted(events))
            self.add_rows("refused", sorted(refused))

    def add_file(self, path):
        with self.transaction():
            for table, kind, members in (("sent", "E", (0, 1, 2, 3)), ("refused", "R", (0, 2, 1))):
                rows = record_rows(path, kind, members)
                while some := list(itertools.islice(rows, 50_000)):
                    self.add_rows(table, sorted(some))

    @contextlib.contextmanager
    def transaction(self):
        self.connection.execute("BEGIN")
        yield
        self.connection.execute("COMMIT")

    def value(self, sql):
        return self.connection.execute(sql).fetchone()[0]

    @property
    def rows(self):
        return self.value("SELECT (SELECT count(*) FROM sent) + (SELECT count(*) FROM refused)")

    def close(self):
        self.connection.close()

    # What became of it

    @contextlib.contextmanager
    def beside(self, gateway):
        """The gateway's database as `system`."""
        self.connection.execute(f"ATTACH 'file:{gateway.database}?mode=ro' AS system")
        self.connection.executescript(VIEWS)
        try:
            yield
        finally:
            for kind, name in (("VIEW", "stored"), ("VIEW", "kept"), ("TABLE", "effect"), ("TABLE", "reset")):
                self.connection.execute(f"DROP {kind} temp.{name}")
            self.connection.execute("DETACH system")

    def difference(self, left, right):
        return self.value(f"SELECT count(*) FROM (SELECT * FROM {left} EXCEPT SELECT * FROM {right})")

    def repeated(self, view):
        return self.value(f"SELECT (SELECT count(*) FROM {view}) - (SELECT count(*) FROM (SELECT DISTINCT * FROM {view}))")

    def check_stored(self):
        lost = self.difference("sent", "stored") + self.difference("refused", "kept")
        extra = self.difference("stored", "sent") + self.difference("kept", "refused")
        doubled = extra + self.repeated("stored") + self.repeated("kept")
        what = f"of {self.rows} sent {lost} are lost, {doubled} too many"
        invariants.require(not lost and not doubled, what, lost=lost, doubled=doubled)
        return invariants.Finding(self.value("SELECT count(*) FROM sent"), self.value("SELECT count(*) FROM refused"))

    def changes(self, spaces):
        """(space, its changes in the order of taking effect) of each that has any; within beside()."""
        self.connection.execute("CREATE TEMP TABLE wanted (space TEXT PRIMARY KEY) WITHOUT ROWID")
        try:
            self.add_rows("wanted", [(space,) for space in sorted(spaces)])
            rows = self.connection.execute(CHANGES)
            for space, of_space in itertools.groupby(rows, key=lambda row: row[0]):
                yield space, (oracle.Change(*row[1:]) for row in of_space)
        finally:
            self.connection.execute("DROP TABLE temp.wanted")

    def know(self, world):
        self.add_rows("effect", list(effects_of(world)))
        self.add_rows("reset", [(*key[:2], key[2], count) for key, count in world.resets.items()])

    def check(self, gateway, api=None, dice=None, asked=10):
        """To be called when nothing is under way; with an `api`, so many spaces by chance are asked of it."""
        with contextlib.suppress(AssertionError):
            wait_until(lambda: invariants.rows_stored(gateway) >= self.rows, invariants.SETTLE_SECONDS)
        world = registry(gateway)
        with self.beside(gateway):
            finding = self.check_stored()
            self.know(world)
            counts = dict.fromkeys(world.spaces, oracle.EMPTY)
            counts.update((space, oracle.after_all(changes)) for space, changes in self.changes(world.spaces))
            invariants.check_counts(gateway, counts)
            invariants.check_retained(gateway)
            if api is not None:
                some = dice.sample(sorted(world.spaces), min(asked, len(world.spaces)))
                api.wait_connected()
                known = {space: list(changes) for space, changes in self.changes(some)}
                invariants.check_answers(api, known, dice)
        return finding
