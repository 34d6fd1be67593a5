"""What the history of a space by intervals comes to, worked out the slow way: each bucket looks at every change.

    edges = bucket_oracle.edges(start, end, 1, "mo", "Europe/Berlin")
    buckets = bucket_oracle.buckets(world.changes("A"), edges)

Written from the contract alone (api/openapi.yaml); instants are milliseconds UTC.
"""

import calendar
from datetime import timedelta, timezone
from fractions import Fraction
from typing import NamedTuple
from zoneinfo import ZoneInfo

import oracle

MINUTE = 60_000
LENGTHS = {"m": MINUTE, "h": 60 * MINUTE}
DAYS = {"d": 1, "w": 7}


class Bucket(NamedTuple):
    start: int
    end: int
    opening: int
    closing: int
    net: int
    entries: int
    exits: int
    min: int
    max: int
    max_time: int
    average: Fraction


def later_month(wall, months):
    """The same day so many months later, or the last one of a shorter month."""
    month = wall.month - 1 + months
    year, month = wall.year + month // 12, month % 12 + 1
    return wall.replace(year=year, month=month, day=min(wall.day, calendar.monthrange(year, month)[1]))


def shown(wall, zone):
    """When the wall clock of a zone shows that time: at first, if it does so twice; the first instant after the
    gap that it lies in, if it never does."""
    found = wall.replace(tzinfo=zone, fold=0).astimezone(timezone.utc)
    if found.astimezone(zone).replace(tzinfo=None) == wall:
        return oracle.milliseconds(found)
    # The clock jumps over it: within a day around it, find by halves the instant at which it is past it.
    before, after = found - timedelta(days=1), found + timedelta(days=1)
    while after - before > timedelta(milliseconds=1):
        middle = before + timedelta(milliseconds=(after - before) // timedelta(milliseconds=1) // 2)
        if middle.astimezone(zone).replace(tzinfo=None) < wall:
            before = middle
        else:
            after = middle
    return oracle.milliseconds(after)


def edge(start, steps, unit, zone):
    """So many steps after the start."""
    if unit in LENGTHS:
        return start + steps * LENGTHS[unit]
    wall = oracle.utc(start).astimezone(zone).replace(tzinfo=None)
    if unit in DAYS:
        return shown(wall + timedelta(days=steps * DAYS[unit]), zone)
    return shown(later_month(wall, steps), zone)


def edges(start, end, length, unit, zone_name):
    zone = ZoneInfo(zone_name)
    found = [start]
    steps = 1
    while True:
        after = edge(start, steps * length, unit, zone)
        if after >= end:
            return [*found, end]
        if after > found[-1]:
            found.append(after)
        steps += 1


def bucket(changes, start, end):
    before = [change for change in changes if change.time < start]
    within = [change for change in changes if start <= change.time < end]
    opening = oracle.after_all(before)
    course = [opening, *oracle.replay(within, opening)]
    times = [start, *(change.time for change in within)]
    most = max(occupancy.count for occupancy in course)
    area = sum(
        occupancy.count * (until - since)
        for occupancy, since, until in zip(course, times, [*times[1:], end])
    )
    return Bucket(
        start=start,
        end=end,
        opening=opening.count,
        closing=course[-1].count,
        net=course[-1].net,
        entries=sum(change.value for change in within if change.kind == oracle.ENTRY),
        exits=-sum(change.value for change in within if change.kind == oracle.EXIT),
        min=min(occupancy.count for occupancy in course),
        max=most,
        max_time=next(time for time, occupancy in zip(times, course) if occupancy.count == most),
        average=Fraction(area, end - start),
    )


def buckets(changes, edges_):
    return [bucket(changes, start, end) for start, end in zip(edges_, edges_[1:])]
