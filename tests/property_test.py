"""Random histories of random buildings: what the program keeps and answers against the oracle.

A story is a list of steps: messages from DPUs, registry commands, commits. The same steps go to the program (by
the driver, which runs the gateway's batches without a broker) and to the oracle, and both must agree on everything.

HEADCOUNT_SEED=N repeats one story. HEADCOUNT_ROUNDS=N tries so many random ones instead of one.
"""

import bisect
import dataclasses
import json
import os
import random
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

import oracle
from driver import Driver
from oracle import CLOCK_SKEW, DAILY_RESET, HOUR, RESET, Doorway, Event, Installation, Space

MINUTE = 60_000
DAY = 24 * HOUR
LAST_INSTANT = 253402300799999

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago"]

DPUS = [f"U{n}" for n in range(1, 10)]

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


# Steps of a story


@dataclasses.dataclass
class Message:
    received: int
    dpu: str
    events: list


@dataclasses.dataclass
class Command:
    received: int
    command: dict
    accepted: bool


@dataclasses.dataclass
class Daily:
    now: int


@dataclasses.dataclass
class Commit:
    pass


@dataclasses.dataclass
class Reopen:
    pass


def rfc3339(instant, offset_minutes=0):
    zone = timezone(timedelta(minutes=offset_minutes))
    return oracle.utc(instant).astimezone(zone).isoformat(timespec="milliseconds")


def written_event(dice, event):
    """One of the many ways to write an event."""
    ways = [
        lambda: event.time,
        lambda: rfc3339(event.time).replace("+00:00", "Z"),
        lambda: rfc3339(event.time, dice.choice((-570, -60, 60, 345, 840))),
        lambda: oracle.utc(event.time).strftime("%Y-%m-%d %H:%M:%S.%f"),
    ]
    members = [("dpu_event_time", dice.choice(ways)()), ("count", event.count)]
    if event.seq or dice.random() < 0.3:
        members.append(("seq", event.seq))
    if dice.random() < 0.1:
        members.append(("firmware", "2.1"))
    dice.shuffle(members)
    return dict(members)


def payload(dice, events):
    items = [written_event(dice, event) for event in events]
    if len(items) == 1 and dice.random() < 0.5:
        return json.dumps(items[0])
    return json.dumps(items)


def change_of_clocks(dice, zone):
    """An instant between 2018 and 2030 at which the zone's clocks change, and the minute of the day at which they do
    (any instant, in a zone where they never do)."""
    begin = oracle.milliseconds(datetime(dice.randrange(2018, 2031), 1, 1, tzinfo=timezone.utc))

    def wall_clock(instant):
        return oracle.utc(instant).astimezone(ZoneInfo(zone))

    hours = range(begin, begin + 365 * DAY, HOUR)
    changes = [h for h in hours if wall_clock(h).utcoffset() != wall_clock(h + HOUR).utcoffset()]
    before = dice.choice(changes or hours)
    local = wall_clock(before)
    return before + HOUR, (local.hour * 60 + local.minute + 60) % 1440


class Story:
    """Makes up steps and keeps the oracle's world in step with them."""

    def __init__(self, seed, forgets=True):
        self.dice = random.Random(seed)
        self.forgets = forgets
        self.world = oracle.World()
        self.steps = []
        self.late = []  # events that happened and are still under way
        self.sent = []
        self.installed = 0  # installations ever made: their numbers
        self.names = 0
        self.zone = self.dice.choice(ZONES)
        change, self.change_minute = change_of_clocks(self.dice, self.zone)
        self.pace = self.dice.choice((10 * MINUTE, 2 * HOUR, 2 * HOUR, 12 * HOUR, 5 * DAY, 30 * DAY))
        self.begin = change - self.dice.randrange(20 * self.pace)
        self.now = self.begin
        self.moments = [self.begin + self.dice.randrange(-DAY, DAY) for _ in range(6)]

    # Chance

    def moment(self, until=None):
        """An instant at which something may well have happened: on, or a millisecond beside, what counts."""
        dice = self.dice
        kind = dice.random()
        if kind < 0.6:
            instant = dice.choice(self.moments) + dice.choice((0, 0, 0, -1, 1, dice.randrange(HOUR)))
        elif kind < 0.75:
            unit = HOUR * dice.choice((1, 1, 16, 256))
            instant = dice.choice(self.moments) // unit * unit + dice.choice((-1, 0, 1))
        else:
            instant = dice.randrange(self.begin - 5 * DAY, self.now + 1)
        return max(0, instant if until is None else min(instant, until))

    def one_of(self, things):
        return self.dice.choice(sorted(things)) if things else None

    def new_name(self, letter):
        self.names += 1
        return f"{letter}{self.names}"

    # Events

    def place(self):
        """A DPU and a time: mostly while it hung somewhere, or a millisecond beside that."""
        dice = self.dice
        number = self.one_of(self.world.installations)
        time = self.moment(until=self.now + CLOCK_SKEW)
        if number is None or dice.random() < 0.2:
            return dice.choice(DPUS), time
        installation = self.world.installations[number]
        end = self.now if installation.ended_at is None else installation.ended_at
        if not installation.covers(time) and dice.random() < 0.7:
            time = max(time, installation.started_at - 1)
            time = min(time, end)
        return installation.dpu, time

    def crossing(self):
        dice = self.dice
        dpu, time = self.place()
        if self.sent and dice.random() < 0.3:  # the same millisecond again, often the newest
            resets = [at for _, at, _ in self.world.resets]
            newest = max([event.time for event in self.sent] + resets)
            time = dice.choice((newest, dice.choice(self.sent).time))
        count = dice.choice((1, 1, 1, 1, -1, -1, -1, 2, -3, 100, -100, dice.randrange(1, 101)))
        seq = dice.choice((0, 0, 0, 0, 1, 2, 2**53 - 1))
        if dice.random() < 0.01:
            time = self.now + CLOCK_SKEW + dice.choice((0, 1, DAY))
        return Event(dpu, time, seq, count)

    def happen(self):
        for _ in range(self.dice.choice((1, 3, 10))):
            event = self.crossing()
            if event.time > self.now + CLOCK_SKEW:
                if event not in self.world.events:
                    self.send([event])
            elif event not in self.world.clock_ahead:
                self.late.append(event)

    def send(self, events):
        by_dpu = {}
        for event in events:
            by_dpu.setdefault(event.dpu, []).append(event)
        for dpu, mine in by_dpu.items():
            self.steps.append(Message(self.now, dpu, mine))
            for event in mine:
                self.world.receive(event, self.now)
        self.sent += [event for event in events if event in self.world.events]

    def upload(self):
        """Some of what is under way arrives, in any order, and some of it again."""
        dice = self.dice
        dice.shuffle(self.late)
        arriving = self.late[: dice.randrange(len(self.late) + 1)]
        self.late = self.late[len(arriving) :]
        again = [event for event in dice.sample(self.sent, min(len(self.sent), 5))]
        if dice.random() < 0.3:
            arriving += again + arriving[:3]
        self.send(arriving)

    # Registry

    def command(self, action, kind, accepted, name=None, **values):
        command = {"action": action, "object": kind}
        if name is not None:
            command["id"] = name
        if values:
            command["values"] = values
        self.steps.append(Command(self.now, command, accepted))
        return accepted

    def depth(self, space):
        return len(self.world.within(space))

    def schedule(self):
        """Mostly a time of day that clocks skip or show twice, or one beside."""
        dice = self.dice
        if dice.random() < 0.3:
            return None
        if dice.random() < 0.3:
            return dice.randrange(1440)
        return (self.change_minute + dice.choice((-60, -45, -30, -15, 0, 15, 30, 45, 60))) % 1440

    def zone_name(self):
        return self.dice.choice([self.zone, self.zone, *ZONES])

    @staticmethod
    def clock(minute):
        return None if minute is None else f"{minute // 60:02}:{minute % 60:02}"

    def add_space(self):
        spaces = self.world.spaces
        parents = [space for space in spaces if self.depth(space) < 4]
        parent = self.dice.choice([None, *parents])
        zone = self.zone_name()
        minute = self.schedule()
        name = self.new_name("S")
        self.command("create", "space", True, id=name, parent=parent, timezone=zone,
                     daily_reset=self.clock(minute))
        spaces[name] = Space(parent, zone, minute, resets_done=self.now)

    def move_space(self):
        name = self.one_of(self.world.spaces)
        parent = self.dice.choice([None, *self.world.spaces])
        accepted = self.world.may_lie_inside(name, parent)
        if self.command("update", "space", accepted, name, parent=parent):
            self.world.spaces[name].parent = parent

    def reschedule(self):
        name = self.one_of(self.world.spaces)
        space = self.world.spaces[name]
        values = {}
        if self.dice.random() < 0.7:
            space.daily_reset = self.schedule()
            values["daily_reset"] = self.clock(space.daily_reset)
        if not values or self.dice.random() < 0.3:
            space.timezone = values["timezone"] = self.zone_name()
        space.resets_done = self.now
        self.command("update", "space", True, name, **values)

    def remove_space(self):
        world = self.world
        name = self.one_of(world.spaces)
        used = any(space.parent == name for space in world.spaces.values()) or any(
            name in (door.space, door.adjacent_space) for door in world.doorways.values()
        )
        if self.command("delete", "space", not used, name):
            del world.spaces[name]
            world.resets = {key: n for key, n in world.resets.items() if key[0] != name}

    def sides(self):
        space = self.one_of(self.world.spaces)
        adjacent = self.dice.choice([None, *self.world.spaces])
        return space, None if adjacent == space else adjacent

    def add_doorway(self):
        space, adjacent = self.sides()
        name = self.new_name("D")
        self.command("create", "doorway", True, id=name, space=space, adjacent_space=adjacent)
        self.world.doorways[name] = Doorway(space, adjacent)

    def change_doorway(self):
        name = self.one_of(self.world.doorways)
        space, adjacent = self.sides()
        self.command("update", "doorway", True, name, space=space, adjacent_space=adjacent)
        self.world.doorways[name] = Doorway(space, adjacent)

    def remove_doorway(self):
        name = self.one_of(self.world.doorways)
        used = any(i.doorway == name for i in self.world.installations.values())
        if self.command("delete", "doorway", not used, name):
            del self.world.doorways[name]

    def add_dpu(self):
        name = self.dice.choice(DPUS)
        if self.command("create", "dpu", name not in self.world.dpus, id=name):
            self.world.dpus.add(name)

    def remove_dpu(self):
        name = self.one_of(self.world.dpus)
        used = any(i.dpu == name for i in self.world.installations.values())
        if name and self.command("delete", "dpu", not used, name):
            self.world.dpus.remove(name)

    def period(self):
        start = self.moment(until=self.now)
        end = None if self.dice.random() < 0.5 else self.moment()
        return start, end

    def keep_moments(self, *instants):
        self.moments += [instant for instant in instants if instant is not None]

    def install(self):
        dpu, doorway = self.one_of(self.world.dpus), self.one_of(self.world.doorways)
        if dpu and doorway:
            self.install_at(dpu, doorway, *self.period())

    def install_at(self, dpu, doorway, start, end):
        world = self.world
        new = Installation(dpu, doorway, start, end, self.dice.choice((1, 1, -1)))
        accepted = (end is None or end > start) and world.may_install(new)
        self.command("create", "installation", accepted, dpu=dpu, doorway=doorway,
                     started_at=rfc3339(start), ended_at=end and rfc3339(end),
                     orientation=new.orientation)
        if accepted:
            self.installed += 1
            world.installations[self.installed] = new
            self.keep_moments(start, end)

    def move_dpu(self):
        world = self.world
        dpu, doorway = self.one_of(world.dpus), self.one_of(world.doorways)
        if not dpu or not doorway:
            return
        at = self.moment(until=self.now)
        active = [n for n, i in world.installations.items() if i.dpu == dpu and i.ended_at is None]
        new = Installation(dpu, doorway, at, None, self.dice.choice((1, -1)))
        accepted = all(world.installations[n].started_at < at for n in active)
        for n in active:
            world.installations[n].ended_at = at
        accepted = accepted and world.may_install(new)
        self.command("move", "dpu", accepted, dpu, doorway=doorway, at=rfc3339(at),
                     orientation=new.orientation)
        if accepted:
            self.installed += 1
            world.installations[self.installed] = new
            self.keep_moments(at)
        else:
            for n in active:
                world.installations[n].ended_at = None

    def amend(self):
        world = self.world
        number = self.one_of(world.installations)
        if number is None:
            return
        start, end = self.period()
        changes = {
            "started_at": start,
            "ended_at": end,
            "orientation": self.dice.choice((1, -1)),
            "doorway": self.one_of(world.doorways),
            "dpu": self.one_of(world.dpus),
        }
        chosen = self.dice.sample(sorted(changes), self.dice.choice((1, 1, 2, 3)))
        new = dataclasses.replace(
            world.installations[number], **{member: changes[member] for member in chosen}
        )
        accepted = new.ended_at is None or new.ended_at > new.started_at
        accepted = accepted and world.may_install(new, but=number)
        values = {member: changes[member] for member in chosen}
        for member in ("started_at", "ended_at"):
            if values.get(member) is not None:
                values[member] = rfc3339(values[member])
        if self.command("update", "installation", accepted, number, **values):
            world.installations[number] = new
            self.keep_moments(new.started_at, new.ended_at)

    def remove_installation(self):
        number = self.one_of(self.world.installations)
        if number is not None:
            self.command("delete", "installation", True, number)
            del self.world.installations[number]

    def reset(self):
        world = self.world
        space = self.one_of(world.spaces)
        at = self.moment(until=self.now + CLOCK_SKEW)
        if world.resets and self.dice.random() < 0.3:
            space, at, _ = self.one_of(world.resets)
        if self.dice.random() < 0.05:
            at = self.now + CLOCK_SKEW + 1
        count = self.dice.choice((0, 0, 1, 7, 250))
        there = world.resets.get((space, at, RESET), count)
        accepted = at <= self.now + CLOCK_SKEW and there == count
        if self.command("create", "reset", accepted, space=space, count=count, at=rfc3339(at)):
            world.resets[space, at, RESET] = count
            self.keep_moments(at)

    def remove_reset(self):
        """Both of the schedule and of a person, if they are of the same instant."""
        world = self.world
        if not world.resets:
            return
        space, at, _ = self.one_of(world.resets)
        self.command("delete", "reset", True, space=space, at=rfc3339(at))
        world.resets.pop((space, at, RESET), None)
        world.resets.pop((space, at, DAILY_RESET), None)

    def replay_rejected(self):
        self.command("replay", "rejected-event", True)
        self.world.replay_rejected(self.now)

    def forget(self):
        dpu = self.dice.choice(DPUS)
        if self.forgets:
            self.command("delete", "rejected-event", True, dpu=dpu)
            self.world.remove_rejected(dpu)

    def rebuild(self):
        self.command("rebuild", "space", True, self.one_of(self.world.spaces))

    # The story

    def set_up(self):
        dice = self.dice
        for _ in range(dice.randrange(2, 10)):
            self.add_space()
        for _ in range(dice.randrange(3, 9)):
            self.add_doorway()
        for _ in range(10):
            self.add_dpu()
        for dpu, doorway in zip(sorted(self.world.dpus), dice.sample(sorted(self.world.doorways), k=3)):
            start = self.begin - dice.randrange(4 * DAY)
            end = None if dice.random() < 0.7 else self.begin + dice.randrange(DAY)
            self.install_at(dpu, doorway, start, end)
        for _ in range(3):
            self.install()
        self.steps.append(Commit())

    def change_something(self):
        common = [
            self.move_dpu, self.amend, self.reset, self.install, self.move_space, self.change_doorway
        ]  # fmt: skip
        rare = [
            self.add_space, self.reschedule, self.remove_space, self.add_doorway, self.remove_doorway,
            self.add_dpu, self.remove_dpu, self.remove_installation, self.remove_reset,
            self.replay_rejected, self.forget, self.rebuild, self.install,
        ]  # fmt: skip
        self.world.write_daily_resets(self.now)
        self.dice.choice(self.dice.choice((common, rare)))()

    def keep_daily_moments(self):
        daily = [at for (_, at, kind) in self.world.resets if kind == DAILY_RESET]
        self.keep_moments(*self.dice.sample(daily, min(2, len(daily))))

    def pass_time(self):
        if self.dice.random() < 0.5:
            self.now += self.dice.randrange(2 * self.pace)
        self.keep_moments(self.now)
        if self.dice.random() < 0.2:
            self.write_daily()

    def write_daily(self):
        self.steps += [Commit(), Daily(self.now)]
        self.world.write_daily_resets(self.now)
        self.keep_daily_moments()

    def go_on(self, turns):
        """Makes up more steps; all is committed at their end."""
        first = len(self.steps)
        for _ in range(turns):
            self.pass_time()
            self.happen()
            if self.dice.random() < 0.7:
                self.upload()
            if self.dice.random() < 0.5:
                self.change_something()
            if self.dice.random() < 0.4:
                self.steps.append(Commit())
            if self.dice.random() < 0.02:
                self.steps += [Commit(), Reopen()]
        self.write_daily()
        return self.steps[first:]


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
        "SELECT space_id, reset_time, by_person, count FROM space_reset JOIN space ON space.id = space"
    )
    kinds = {0: DAILY_RESET, 1: RESET}
    assert {(s, at, kinds[person]): count for s, at, person, count in rows} == world.resets


def kept_summaries(tables, space, level):
    columns = [field.name for field in dataclasses.fields(oracle.Summary)]
    rows = tables.execute(
        f"SELECT span, {', '.join(columns)} FROM summary WHERE level = ? AND space ="
        " (SELECT id FROM space WHERE space_id = ?) ORDER BY span",
        (level, space),
    )
    return {row["span"]: oracle.Summary(*tuple(row)[1:]) for row in rows}


def kept_now(tables, space):
    return tables.execute(
        "SELECT count, net, last_event_time, last_change_time, revision FROM occupancy_now"
        " WHERE space = (SELECT id FROM space WHERE space_id = ?)",
        (space,),
    ).fetchone()


def check_summaries(tables, space, changes):
    for level in range(5):
        assert kept_summaries(tables, space, level) == oracle.summaries(changes, level), (space, level)


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
    """What people see of a space never changes without a higher revision. Returns what to give the next time."""
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
    "summary": "SELECT * FROM summary ORDER BY space, level, span",
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
    """The same commands at the same times, and the same events at other ones: each arrives once or twice, alone or
    with others, whenever it may have arrived (not before it happened). Commits fall elsewhere."""
    clocks = [getattr(step, "received", getattr(step, "now", None)) for step in steps]
    arrivals = {}
    for place, step in enumerate(steps):
        if not isinstance(step, Message):
            continue
        for event in step.events:
            if event.time > step.received + CLOCK_SKEW:
                arrivals.setdefault(place, []).append(event)
                continue
            first = next(n for n, now in enumerate(clocks) if now and now + CLOCK_SKEW >= event.time)
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
