"""Random histories of random buildings (story.py): what the program keeps and answers against
what the oracle says. The program's side is the driver, which runs the gateway's batches without a
broker.

HEADCOUNT_SEED=N repeats one story. HEADCOUNT_ROUNDS=N tries so many random ones instead of one.
"""

import bisect
import contextlib
import dataclasses
import json
import os
import random
import sqlite3
import tempfile
from datetime import datetime, timezone
from pathlib import Path

import pytest

import oracle
from driver import Driver
from harness import SOURCE_DIR
from oracle import CLOCK_SKEW, DAILY_RESET, RESET, Event
from story import Command, Commit, Daily, Message, Reopen, Story, payload

LAST_INSTANT = 253402300799999

FIXED_SEEDS = range(1, 11)


def seeds():
    if "HEADCOUNT_SEED" in os.environ:
        return [int(os.environ["HEADCOUNT_SEED"])]
    rounds = int(os.environ.get("HEADCOUNT_ROUNDS", "1"))
    return [*FIXED_SEEDS, *(random.randrange(1000, 2**31) for _ in range(rounds))]


@pytest.fixture(params=seeds())
def seed(request, capsys):
    with capsys.disabled():
        print(f"\nHEADCOUNT_SEED={request.param}", flush=True)
    return request.param


@pytest.fixture
def folder(tmp_path):
    """Memory, if there is some to write files to: these tests are not about disks."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as name:
        yield Path(name)


# The program against the oracle


def run(driver, steps, dice):
    """Gives steps to the program, and checks that it takes and refuses what it should."""
    asked = {}
    answers = {}
    for number, step in enumerate(steps):
        if isinstance(step, Message):
            text = payload(dice, step.events)
            driver.message(step.received, f"dpu/{step.dpu}/events", text)
        elif isinstance(step, Command):
            driver.request(step.received, number, step.command)
            asked[number] = step
        elif isinstance(step, Commit):
            answers.update(driver.commit())
        elif isinstance(step, Daily):
            driver.ask("daily", step.now)
        elif isinstance(step, Reopen):
            driver.ask("reopen")
    assert answers.keys() == asked.keys()
    for number, step in asked.items():
        status = answers[number]["status"]
        assert (status < 300) == step.accepted, (step, answers[number])
        assert status < 500, (step, answers[number])


def parsed_item(dpu, item):
    """A rejected item as the event that it is."""
    item = json.loads(item)
    time = item["dpu_event_time"]
    if not isinstance(time, int):
        parsed = datetime.fromisoformat(time)
        time = oracle.milliseconds(parsed if parsed.tzinfo else parsed.replace(tzinfo=timezone.utc))
    return Event(dpu, time, item.get("seq", 0), item["count"])


def rejected_rows(tables):
    return {
        (parsed_item(row["dpu_id"], row["item"]), row["reason"])
        for row in tables.execute("SELECT dpu_id, item, reason FROM rejected_event")
    }


def check_facts(tables, world):
    rows = tables.execute("SELECT installation, dpu_event_time, seq, count FROM installation_count")
    assert {tuple(row) for row in rows} == world.attributed()
    assert rejected_rows(tables) == set(world.rejected().items())
    rows = tables.execute(
        "SELECT space_id, reset_time, by_person, count FROM space_reset"
        " JOIN space ON space.id = space"
    )
    kinds = {0: DAILY_RESET, 1: RESET}
    assert {(s, at, kinds[person]): count for s, at, person, count in rows} == world.resets


def kept_summaries(tables, space):
    columns = [field.name for field in dataclasses.fields(oracle.Summary)]
    rows = tables.execute(
        f"SELECT hour, level, {', '.join(columns)} FROM summary"
        " WHERE space = (SELECT id FROM space WHERE space_id = ?)",
        (space,),
    )
    return {(row["hour"], row["level"]): oracle.Summary(*tuple(row)[2:]) for row in rows}


def kept_now(tables, space):
    return tables.execute(
        "SELECT count, net, last_event_time, last_change_time, revision FROM occupancy_now"
        " WHERE space = (SELECT id FROM space WHERE space_id = ?)",
        (space,),
    ).fetchone()


def check_summaries(tables, space, changes):
    assert kept_summaries(tables, space) == oracle.summaries(changes), space


def check_now(driver, tables, space, changes):
    end = oracle.after_all(changes)
    row = kept_now(tables, space)
    assert (row["count"], row["net"]) == end, space
    assert driver.now(space) == end, space
    last_event = max((c.time for c in changes if c.kind not in oracle.RESETS), default=None)
    last_change = max((c.time for c in changes), default=None)
    assert (row["last_event_time"], row["last_change_time"]) == (last_event, last_change), space


def check_history(driver, space, changes, instants):
    course = [oracle.EMPTY, *oracle.replay(changes)]
    times = [change.time for change in changes]
    expected = [course[bisect.bisect_right(times, instant)] for instant in instants]
    found = driver.at(space, instants)
    differences = [
        (instant, answer, right)
        for instant, answer, right in zip(instants, found, expected)
        if answer != right
    ]
    assert not differences, (space, differences[:5])


def check_revisions(tables, spaces, before):
    """What people see of a space never changes without a higher revision. Returns what to give the
    next time."""
    seen = {space: tuple(kept_now(tables, space)) for space in spaces}
    for space, row in seen.items():
        if space in before and row[:-1] != before[space][:-1]:
            assert row[-1] > before[space][-1], (space, before[space], row)
    return seen


def instants_to_ask(story, dice, most):
    known = {event.time for event in story.world.events} | {at for _, at, _ in story.world.resets}
    beside = {instant + d for instant in known for d in (-1, 0, 1)}
    anywhere = {story.moment() for _ in range(30)} | {0, story.now, LAST_INSTANT}
    instants = sorted(instant for instant in beside | anywhere if instant >= 0)
    return sorted(dice.sample(instants, min(most, len(instants))))


def check_all(driver, story, dice, before, most_instants):
    world = story.world
    with driver.tables() as tables:
        check_facts(tables, world)
        instants = instants_to_ask(story, dice, most_instants)
        for space in world.spaces:
            changes = world.changes(space)
            check_now(driver, tables, space, changes)
            check_history(driver, space, changes, instants)
            check_summaries(tables, space, changes)
            assert driver.ask("check", space) == ([], ""), space
        return check_revisions(tables, world.spaces, before)


def test_the_program_agrees_with_the_oracle(seed, folder):
    story = Story(seed)
    dice = random.Random(seed)
    story.set_up()
    with Driver(folder / "headcount.db") as driver:
        run(driver, story.steps, dice)
        before = check_all(driver, story, dice, {}, most_instants=10)
        for _ in range(4):
            run(driver, story.go_on(turns=20), dice)
            before = check_all(driver, story, dice, before, most_instants=60)
        run(driver, story.go_on(turns=20), dice)
        check_all(driver, story, dice, before, most_instants=3000)


# The same facts in another order

DERIVED = {
    "doorway_effect": "SELECT * FROM doorway_effect ORDER BY doorway, space",
    "summary": "SELECT * FROM summary ORDER BY space, hour, level",
    "occupancy_now": "SELECT space, count, net, last_event_time, last_change_time"
    " FROM occupancy_now ORDER BY space",
}
FACTS = {
    "installation_count": "SELECT installation, dpu_event_time, seq, count"
    " FROM installation_count ORDER BY 1, 2, 3, 4",
    "space_reset": "SELECT space, reset_time, by_person, count FROM space_reset ORDER BY 1, 2, 3",
}


def contents(driver):
    with driver.tables() as tables:
        found = {
            table: [tuple(row) for row in tables.execute(query)]
            for table, query in (DERIVED | FACTS).items()
        }
        found["rejected_event"] = rejected_rows(tables)
    return found


def retold(steps, dice):
    """The same commands at the same times, and the same events at other ones: each arrives once or
    twice, alone or with others, whenever it may have arrived (not before it happened). Commits fall
    elsewhere."""
    clocks = [getattr(step, "received", getattr(step, "now", None)) for step in steps]
    arrivals = {}
    for place, step in enumerate(steps):
        if not isinstance(step, Message):
            continue
        for event in step.events:
            if event.time > step.received + CLOCK_SKEW:
                arrivals.setdefault(place, []).append(event)
                continue
            happened = event.time - CLOCK_SKEW
            first = next(n for n, now in enumerate(clocks) if now and now >= happened)
            for _ in range(dice.choice((1, 1, 2))):
                arrivals.setdefault(dice.randrange(first, len(steps)), []).append(event)
    told = []
    now = 0
    for place, step in enumerate(steps):
        now = clocks[place] or now
        if isinstance(step, (Command, Daily)):
            told += [Commit(), step] if isinstance(step, Daily) else [step]
        events = arrivals.get(place, [])
        dice.shuffle(events)
        for event in events:
            last = told[-1] if told else None
            if isinstance(last, Message) and last.dpu == event.dpu and last.received == now:
                last.events.append(event)
            else:
                told.append(Message(now, event.dpu, [event]))
        if dice.random() < 0.2:
            told.append(Commit())
    return told + [Commit()]


def test_the_order_of_arrival_does_not_matter(seed, folder):
    story = Story(seed, forgets=False)
    dice = random.Random(seed)
    story.set_up()
    story.go_on(turns=60)
    with Driver(folder / "first.db") as driver:
        run(driver, story.steps, dice)
        expected = contents(driver)
    for n in range(2):
        with Driver(folder / f"retold{n}.db") as driver:
            run(driver, retold(story.steps, dice), dice)
            found = contents(driver)
        for table, rows in expected.items():
            assert found[table] == rows, table


def test_a_rebuild_changes_nothing(seed, folder):
    story = Story(seed)
    dice = random.Random(seed)
    story.set_up()
    story.go_on(turns=60)
    with Driver(folder / "headcount.db") as driver:
        run(driver, story.steps, dice)
        expected = contents(driver)
        for number, space in enumerate(story.world.spaces):
            command = {"action": "rebuild", "object": "space", "id": space}
            driver.request(story.now, number, command)
        driver.commit()
        assert contents(driver) == expected


# Damage

# What may befall derived rows.
LAST = "(space, hour, level) = (SELECT space, hour, level FROM summary WHERE level = {} ORDER BY hour DESC LIMIT 1)"
BEFORE_ERA, BEFORE_STRETCH, AN_HOUR = (LAST.format(level) for level in range(3))
LEFT_OVER = (
    "INSERT INTO summary SELECT space, 7, level, entries, exits, sum, lowest, highest, peak,"
    " reset_time, reset_count, reset_net, reset_lowest, reset_highest, area, reset_area,"
    " last_event_time, last_change_time FROM summary WHERE {}"
)
AN_EFFECT = (
    "(doorway, space) = (SELECT effect.doorway, effect.space FROM doorway_effect AS effect"
    " JOIN installation ON installation.doorway = effect.doorway"
    " JOIN installation_count ON installation_count.installation = installation.id LIMIT 1)"
)
DAMAGE = {
    "an hour is wrong": f"UPDATE summary SET entries = entries + 1 WHERE {AN_HOUR}",
    "what is before a stretch is wrong": f"UPDATE summary SET lowest = lowest - 1 WHERE {BEFORE_STRETCH}",
    "what is before an era is wrong": f"UPDATE summary SET sum = sum + 1 WHERE {BEFORE_ERA}",
    "an hour is missing": f"DELETE FROM summary WHERE {AN_HOUR}",
    "what is before a stretch is missing": f"DELETE FROM summary WHERE {BEFORE_STRETCH}",
    "what is before an era is missing": f"DELETE FROM summary WHERE {BEFORE_ERA}",
    "an hour is left over": LEFT_OVER.format(AN_HOUR),
    "what is before a stretch is left over": LEFT_OVER.format(BEFORE_STRETCH),
    "what is before an era is left over": LEFT_OVER.format(BEFORE_ERA),
    "a count is wrong": "UPDATE occupancy_now SET count = count + 1 WHERE last_change_time > 0",
    "a net is wrong": "UPDATE occupancy_now SET net = net - 1 WHERE last_change_time > 0",
    "a time is wrong": "UPDATE occupancy_now SET last_event_time = 1 WHERE last_change_time > 0",
    "an effect is missing": f"DELETE FROM doorway_effect WHERE {AN_EFFECT}",
    "an effect is the wrong way": f"UPDATE doorway_effect SET sign = -sign WHERE {AN_EFFECT}",
    "an effect that no event had yet is missing": "DELETE FROM doorway_effect"
    " WHERE doorway = (SELECT max(id) FROM doorway)",
}


@pytest.fixture(scope="module")
def sound():
    """A database of a story in which much happens, over two years."""
    story = Story(4)
    story.set_up()
    story.go_on(turns=60)
    story.add_doorway()
    story.steps.append(Commit())
    with tempfile.TemporaryDirectory() as name:
        with Driver(Path(name) / "headcount.db") as driver:
            run(driver, story.steps, random.Random(3))
            yield driver, story


def test_the_migration_makes_of_hours_what_the_program_does(sound):
    columns = (
        "entries, exits, sum, lowest, highest, peak, reset_time, reset_count, reset_net, reset_lowest,"
        " reset_highest, area, reset_area, last_event_time, last_change_time"
    )
    script = (SOURCE_DIR / "core" / "migrations" / "0002-audit-and-pruning.sql").read_text()
    intact, _ = sound
    with intact.tables() as tables, contextlib.closing(sqlite3.connect(":memory:")) as copy:
        tables.backup(copy)
        kept = copy.execute(DERIVED["summary"]).fetchall()
        assert len({hour // oracle.ERA for _, hour, *_ in kept}) > 3
        copy.executescript(
            f"CREATE TABLE hours AS SELECT space, 0 AS level, hour AS span, {columns} FROM summary WHERE level = 2;"
            " DROP TABLE summary; ALTER TABLE hours RENAME TO summary;"
        )
        copy.executescript(script[script.index("ALTER TABLE summary") :])
        assert copy.execute(DERIVED["summary"]).fetchall() == kept


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_check_finds_damage_and_a_rebuild_mends_it(damage, sound, folder):
    intact, story = sound
    with intact.tables() as tables, contextlib.closing(
        sqlite3.connect(folder / "damaged.db")
    ) as damaged:
        tables.backup(damaged)
        assert damaged.execute(DAMAGE[damage]).rowcount > 0
        damaged.commit()
    with Driver(folder / "damaged.db") as driver:
        differences = [line for s in story.world.spaces for line in driver.ask("check", s)[0]]
        assert differences
        for number, space in enumerate(story.world.spaces):
            command = {"action": "rebuild", "object": "space", "id": space}
            driver.request(story.now, number, command)
        driver.commit()
        assert contents(driver) == contents(intact)
        assert [driver.ask("check", space) for space in story.world.spaces] == [
            ([], "") for _ in story.world.spaces
        ]
