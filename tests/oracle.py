"""What Headcount promises, worked out the slow way: every answer is a replay of everything known.

Written from the design alone (what an event is, what "count" means, what registry changes do). It
shares no code with the program that it judges, nor any of its ideas of how to be quick.
"""

import dataclasses
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import NamedTuple
from zoneinfo import ZoneInfo

HOUR = 3_600_000
CLOCK_SKEW = 300_000

# Kinds of changes, in the order in which those of one millisecond take effect.
ENTRY, EXIT, DAILY_RESET, RESET = range(4)
RESETS = (DAILY_RESET, RESET)


class Event(NamedTuple):
    """What a DPU says. Two with the same members are the same event."""

    dpu: str
    time: int
    seq: int
    count: int


class Change(NamedTuple):
    """What happens to the count of one space. Sorts in the order of taking effect."""

    time: int
    kind: int
    value: int


class Occupancy(NamedTuple):
    count: int
    net: int


EMPTY = Occupancy(0, 0)


def step(before, change):
    if change.kind in RESETS:
        return Occupancy(change.value, change.value)
    return Occupancy(max(before.count + change.value, 0), before.net + change.value)


def replay(changes, before=EMPTY):
    """The occupancy after each of the changes."""
    for change in changes:
        before = step(before, change)
        yield before


def after_all(changes, before=EMPTY):
    for before in replay(changes, before):
        pass
    return before


# Daily resets


def milliseconds(when):
    return (when - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(milliseconds=1)


def utc(instant):
    return datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=instant)


def daily_instant(zone, day, minute_of_day):
    """When the wall clock shows that minute on that day: the first time, if it does so twice; the
    first instant at which the clock is past it, if it is skipped."""
    wanted = datetime(day.year, day.month, day.day) + timedelta(minutes=minute_of_day)

    def wall_clock(when):
        return when.astimezone(zone).replace(tzinfo=None)

    found = wanted.replace(tzinfo=zone, fold=0).astimezone(timezone.utc)
    if wall_clock(found) != wanted:
        while wall_clock(found - timedelta(minutes=1)) > wanted:
            found -= timedelta(minutes=1)
    return milliseconds(found)


def daily_instants(zone_name, minute_of_day, after, until):
    """All of them with after < instant <= until."""
    zone = ZoneInfo(zone_name)
    day = utc(after).date() - timedelta(days=2)
    last_day = utc(until).date() + timedelta(days=2)
    while day <= last_day:
        instant = daily_instant(zone, day, minute_of_day)
        if after < instant <= until:
            yield instant
        day += timedelta(days=1)


# The registry and what is known


@dataclass
class Space:
    parent: str | None = None
    timezone: str = "UTC"
    daily_reset: int | None = None  # minute of the day
    resets_done: int = 0  # daily resets up to this instant are written, or were never due


@dataclass
class Doorway:
    space: str
    adjacent_space: str | None = None


@dataclass
class Installation:
    dpu: str
    doorway: str
    started_at: int
    ended_at: int | None = None  # None: active
    orientation: int = 1

    def covers(self, instant):
        return self.started_at <= instant and (self.ended_at is None or instant < self.ended_at)

    def overlaps(self, other):
        return (other.ended_at is None or self.started_at < other.ended_at) and (
            self.ended_at is None or other.started_at < self.ended_at
        )


class World:
    """Everything known at some moment. The answers depend on nothing else."""

    def __init__(self):
        self.spaces = {}
        self.doorways = {}
        self.dpus = set()
        self.installations = {}  # by number
        self.resets = {}  # (space, time, DAILY_RESET or RESET): count
        self.events = set()
        self.clock_ahead = set()  # refused for now, until a replay

    # What comes in

    def receive(self, event, received):
        ahead = event.time > received + CLOCK_SKEW
        (self.clock_ahead if ahead else self.events).add(event)

    def replay_rejected(self, now):
        for event in list(self.clock_ahead):
            if event.time <= now + CLOCK_SKEW:
                self.clock_ahead.remove(event)
                self.events.add(event)

    def remove_rejected(self, dpu):
        self.events -= {event for event in self.rejected() if event.dpu == dpu}
        self.clock_ahead = {event for event in self.clock_ahead if event.dpu != dpu}

    def write_daily_resets(self, now):
        for name, space in self.spaces.items():
            if space.daily_reset is None:
                continue
            due = daily_instants(space.timezone, space.daily_reset, space.resets_done, now)
            for instant in due:
                self.resets[name, instant, DAILY_RESET] = 0
            space.resets_done = max(space.resets_done, now)

    def may_install(self, installation, but=None):
        """No DPU is at two doorways at once, and no doorway has two DPUs."""
        return not any(
            number != but
            and (other.dpu == installation.dpu or other.doorway == installation.doorway)
            and other.overlaps(installation)
            for number, other in self.installations.items()
        )

    def may_lie_inside(self, name, parent):
        return parent is None or name not in self.within(parent)

    # What follows from it

    def within(self, name):
        """The space and all that it lies inside."""
        names = []
        while name is not None:
            names.append(name)
            name = self.spaces[name].parent
        return names

    def sign(self, doorway_name, space):
        """What one person who walks into the doorway's space changes in the count of a space."""
        doorway = self.doorways[doorway_name]
        inside = space in self.within(doorway.space)
        beyond = doorway.adjacent_space is not None and space in self.within(doorway.adjacent_space)
        return inside - beyond

    def installation_at(self, dpu, instant):
        """The number of the installation that a crossing belongs to; None if there is none."""
        for number, installation in self.installations.items():
            if installation.dpu == dpu and installation.covers(instant):
                return number
        return None

    def attributed(self):
        """The rows of table installation_count: (installation, time, seq, count)."""
        rows = set()
        for event in self.events:
            number = self.installation_at(event.dpu, event.time)
            if number is not None:
                rows.add((number, event.time, event.seq, event.count))
        return rows

    def rejected(self):
        """The events that count nowhere, each with the reason."""
        reasons = {event: "clock_ahead" for event in self.clock_ahead}
        for event in self.events:
            if self.installation_at(event.dpu, event.time) is None:
                known = event.dpu in self.dpus
                reasons[event] = "no_installation" if known else "unknown_dpu"
        return reasons

    def changes(self, space):
        """All that ever happened to the count of a space, in the order of taking effect."""
        found = []
        for number, time, _, count in self.attributed():
            installation = self.installations[number]
            value = count * installation.orientation * self.sign(installation.doorway, space)
            if value != 0:
                found.append(Change(time, ENTRY if value > 0 else EXIT, value))
        for (name, time, kind), count in self.resets.items():
            if name == space:
                found.append(Change(time, kind, count))
        return sorted(found)

    def at(self, space, instant):
        return after_all(change for change in self.changes(space) if change.time <= instant)

    def now(self, space):
        return after_all(self.changes(space))


# Summaries of a span of time


@dataclass
class Summary:
    """A row of table summary."""

    entries: int
    exits: int
    sum: int
    lowest: int
    highest: int
    peak: int
    reset_time: int | None
    reset_count: int
    reset_net: int
    reset_lowest: int
    reset_highest: int
    area: int
    reset_area: int
    last_event_time: int | None
    last_change_time: int | None


def area(changes, values, end):
    """Person-milliseconds up to `end`, with nobody there before the first of the changes and after
    each one as many as its value says."""
    ends = [change.time for change in changes[1:]] + [end]
    return sum(value * (until - change.time) for change, value, until in zip(changes, values, ends))


def summarize(changes, end):
    """What the changes of a space within a span of time come to: all of them, in order, and one at
    least."""
    events = [change for change in changes if change.kind not in RESETS]
    first_reset = next((i for i, c in enumerate(changes) if c.kind in RESETS), len(changes))
    free, fixed = changes[:first_reset], changes[first_reset:]
    sums = [occupancy.net for occupancy in replay(free)]
    counts = [occupancy.count for occupancy in replay(free)]
    course = list(replay(fixed))
    fixed_counts = [occupancy.count for occupancy in course]
    reset_time = fixed[0].time if fixed else None
    return Summary(
        entries=sum(change.value for change in events if change.kind == ENTRY),
        exits=-sum(change.value for change in events if change.kind == EXIT),
        sum=sum(change.value for change in free),
        lowest=min(sums + [0]),
        highest=max(sums + [0]),
        peak=max(counts + [0]),
        reset_time=reset_time,
        reset_count=course[-1].count if course else 0,
        reset_net=course[-1].net if course else 0,
        reset_lowest=min(fixed_counts, default=0),
        reset_highest=max(fixed_counts, default=0),
        area=area(free, sums, end if reset_time is None else reset_time),
        reset_area=area(fixed, fixed_counts, end),
        last_event_time=max((event.time for event in events), default=None),
        last_change_time=changes[-1].time,
    )


STRETCH = 16
ERA = 512
BEFORE_ERA, BEFORE_STRETCH, OF_HOUR = 0, 1, 2


def told_before(changes, hour, since):
    """What the changes between two hours come to, if there are any."""
    within = [change for change in changes if since <= change.time // HOUR < hour]
    if not within:
        return Summary(0, 0, 0, 0, 0, 0, None, 0, 0, 0, 0, 0, 0, None, None)
    return dataclasses.replace(summarize(within, hour * HOUR), area=0, reset_area=0)


def summaries(changes):
    """The rows of a space, by hour and level."""
    hours = {}
    for change in changes:
        hours.setdefault(change.time // HOUR, []).append(change)
    rows = {(hour, OF_HOUR): summarize(within, (hour + 1) * HOUR) for hour, within in hours.items()}
    first = min(hours, default=0)
    for stretch in {hour - hour % STRETCH for hour in hours}:
        if first < stretch:
            rows[stretch, BEFORE_STRETCH] = told_before(changes, stretch, stretch - stretch % ERA)
    for era in {hour - hour % ERA for hour in hours}:
        if first < era:
            rows[era, BEFORE_ERA] = told_before(changes, era, 0)
    return rows
