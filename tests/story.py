"""Random stories of a building: what its DPUs say and what its operator does.

A story is a list of steps, which the program can be given; the oracle's world is in step with
them. Whatever may go wrong is in them: DPUs that move, or report late, twice, or before anybody
knows them; installations, doorways, spaces and schedules that are changed afterwards; clocks that change;
many things within one millisecond, or a millisecond beside what counts.
"""

import dataclasses
import json
import random
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import oracle
from oracle import CLOCK_SKEW, DAILY_RESET, HOUR, RESET, Doorway, Event, Installation, Space

MINUTE = 60_000
DAY = 24 * HOUR

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago"]

DPUS = [f"U{n}" for n in range(1, 10)]


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
    """An instant between 2018 and 2030 at which the zone's clocks change, and the minute of the day
    at which they do (any instant, in a zone where they never do)."""
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
        paces = (10 * MINUTE, 2 * HOUR, 2 * HOUR, 12 * HOUR, 5 * DAY, 30 * DAY)
        self.pace = self.dice.choice(paces)
        self.begin = change - self.dice.randrange(20 * self.pace)
        self.now = self.begin
        self.moments = [self.begin + self.dice.randrange(-DAY, DAY) for _ in range(6)]

    # Chance

    def moment(self, until=None):
        """An instant at which something may well have happened: on, or a millisecond beside, what
        counts."""
        dice = self.dice
        kind = dice.random()
        if kind < 0.6:
            beside = dice.choice((0, 0, 0, -1, 1, dice.randrange(HOUR)))
            instant = dice.choice(self.moments) + beside
        elif kind < 0.75:
            unit = HOUR * dice.choice((1, 1, 16, 512))
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
        doorways = dice.sample(sorted(self.world.doorways), k=3)
        for dpu, doorway in zip(sorted(self.world.dpus), doorways):
            start = self.begin - dice.randrange(4 * DAY)
            end = None if dice.random() < 0.7 else self.begin + dice.randrange(DAY)
            self.install_at(dpu, doorway, start, end)
        for _ in range(3):
            self.install()
        self.steps.append(Commit())

    def change_something(self):
        common = [
            self.move_dpu, self.amend, self.install, self.reset, self.move_space,
            self.change_doorway,
        ]  # fmt: skip
        rare = [
            self.add_space, self.reschedule, self.remove_space, self.add_doorway,
            self.remove_doorway, self.add_dpu, self.remove_dpu, self.install,
            self.remove_installation, self.remove_reset, self.replay_rejected, self.forget,
            self.rebuild,
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
