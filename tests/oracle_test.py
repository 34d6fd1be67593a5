"""The oracle against cases worked out by hand, and the algebra of late data against the oracle."""

import random
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

import oracle
from oracle import (
    DAILY_RESET,
    EMPTY,
    ENTRY,
    EXIT,
    RESET,
    Change,
    Doorway,
    Event,
    Installation,
    Occupancy,
    Space,
    World,
)


def instant(text):
    return oracle.milliseconds(datetime.fromisoformat(text))


def people(*counts):
    """One change a millisecond."""
    return [Change(time, ENTRY if n > 0 else EXIT, n) for time, n in enumerate(counts)]


def two_rooms():
    """The problem's own example: doorway X of A leads outside, doorway Z of A to B."""
    world = World()
    world.spaces = {"A": Space(), "B": Space()}
    world.doorways = {"X": Doorway("A"), "Z": Doorway("A", "B")}
    world.dpus = {"283", "423"}
    world.installations = {1: Installation("283", "X", 0), 2: Installation("423", "Z", 0)}
    return world


def building():
    """Two rooms on one floor, a third on another, which join; R2 has a door to the street."""
    world = World()
    world.spaces = {
        "building": Space(),
        "F1": Space("building"),
        "F2": Space("building"),
        "R1": Space("F1"),
        "R2": Space("F1"),
        "R3": Space("F2"),
    }
    world.doorways = {
        "within the floor": Doorway("R1", "R2"),
        "between floors": Doorway("R1", "R3"),
        "to the street": Doorway("R2"),
        "room to its own floor": Doorway("R1", "F1"),
    }
    return world


# What count means


def test_count_never_goes_below_zero_and_net_does():
    assert list(oracle.replay(people(-1, 1, 1, -3, 2))) == [
        Occupancy(0, -1),
        Occupancy(1, 0),
        Occupancy(2, 1),
        Occupancy(0, -2),
        Occupancy(2, 0),
    ]


def test_a_reset_sets_both_count_and_net():
    changes = people(-1, -1) + [Change(2, RESET, 7), Change(3, EXIT, -9)]
    assert list(oracle.replay(changes))[-2:] == [Occupancy(7, 7), Occupancy(0, -2)]


def test_one_millisecond_has_entries_then_exits_then_resets():
    world = two_rooms()
    world.events = {Event("283", 5, 0, -1), Event("283", 5, 0, 1), Event("283", 6, 0, -1)}
    assert world.changes("A") == [Change(5, ENTRY, 1), Change(5, EXIT, -1), Change(6, EXIT, -1)]
    assert world.at("A", 5) == Occupancy(0, 0)
    world.resets = {("A", 5, RESET): 3, ("A", 5, DAILY_RESET): 8}
    assert world.at("A", 5) == Occupancy(3, 3)
    assert world.now("A") == Occupancy(2, 2)


def test_a_doorway_between_two_spaces_moves_people_from_one_to_the_other():
    world = two_rooms()
    world.events = {Event("283", 1, 0, 3), Event("423", 2, 0, -2), Event("423", 3, 0, 1)}
    assert [world.at("A", t).count for t in range(4)] == [0, 3, 1, 2]
    assert [world.at("B", t).count for t in range(4)] == [0, 0, 2, 1]


def test_the_answer_at_an_instant_includes_that_instant():
    world = two_rooms()
    world.events = {Event("283", 10, 0, 1)}
    assert world.at("A", 9) == EMPTY
    assert world.at("A", 10) == Occupancy(1, 1)


def test_orientation_turns_the_count_around():
    world = two_rooms()
    world.installations[1].orientation = -1
    world.events = {Event("283", 1, 0, -4)}
    assert world.now("A") == Occupancy(4, 4)


@pytest.mark.parametrize(
    "doorway, signs",
    [
        ("within the floor", {"R1": 1, "R2": -1}),
        ("between floors", {"R1": 1, "F1": 1, "R3": -1, "F2": -1}),
        ("to the street", {"R2": 1, "F1": 1, "building": 1}),
        ("room to its own floor", {"R1": 1}),
    ],
)
def test_spaces_that_contain_exactly_one_side_change(doorway, signs):
    world = building()
    found = {space: world.sign(doorway, space) for space in world.spaces}
    assert {space: sign for space, sign in found.items() if sign} == signs


def test_no_space_lies_inside_itself():
    world = building()
    assert not world.may_lie_inside("building", "R3")
    assert not world.may_lie_inside("F1", "F1")
    assert world.may_lie_inside("R3", "R1")
    assert world.may_lie_inside("R3", None)


# Events and installations


def test_an_event_is_stored_once_and_seq_or_count_make_another():
    world = two_rooms()
    for event in [("283", 1, 0, 1), ("283", 1, 0, 1), ("283", 1, 1, 1), ("283", 1, 0, 2)]:
        world.receive(Event(*event), received=1)
    assert world.attributed() == {(1, 1, 0, 1), (1, 1, 1, 1), (1, 1, 0, 2)}
    assert world.now("A") == Occupancy(4, 4)


def test_an_event_belongs_to_the_installation_of_its_own_time():
    world = two_rooms()
    world.installations = {1: Installation("283", "X", 10, 20), 2: Installation("283", "Z", 20)}
    world.events = {Event("283", t, 0, 1) for t in (9, 10, 19, 20, 99)} | {Event("7", 15, 0, 1)}
    assert world.attributed() == {(1, 10, 0, 1), (1, 19, 0, 1), (2, 20, 0, 1), (2, 99, 0, 1)}
    assert world.rejected() == {
        Event("283", 9, 0, 1): "no_installation",
        Event("7", 15, 0, 1): "unknown_dpu",
    }


def test_an_event_of_the_future_waits_for_a_replay():
    world = two_rooms()
    event = Event("283", 1_000_000, 0, 1)
    world.receive(event, received=1_000_000 - oracle.CLOCK_SKEW - 1)
    assert world.rejected() == {event: "clock_ahead"}
    assert world.now("A") == EMPTY
    world.replay_rejected(now=1_000_000 - oracle.CLOCK_SKEW)
    assert world.rejected() == {}
    assert world.now("A") == Occupancy(1, 1)


def test_installations_of_a_doorway_or_a_dpu_never_overlap():
    world = two_rooms()
    world.installations = {1: Installation("283", "X", 10, 20)}
    assert world.may_install(Installation("283", "Z", 20))
    assert world.may_install(Installation("283", "Z", 5, 10))
    assert world.may_install(Installation("423", "Z", 0))
    assert not world.may_install(Installation("283", "Z", 19))
    assert not world.may_install(Installation("423", "X", 5, 11))
    assert world.may_install(Installation("283", "X", 5, 11), but=1)


# Daily resets


@pytest.mark.parametrize(
    "zone, day, time, expected",
    [
        ("Europe/Berlin", "2026-01-15", "04:00", "2026-01-15T03:00:00Z"),
        ("Europe/Berlin", "2026-07-15", "04:00", "2026-07-15T02:00:00Z"),
        # Sunday 2026-03-29, 02:00 to 03:00 are skipped; they are over at 01:00 UTC.
        ("Europe/Berlin", "2026-03-29", "01:59", "2026-03-29T00:59:00Z"),
        ("Europe/Berlin", "2026-03-29", "02:00", "2026-03-29T01:00:00Z"),
        ("Europe/Berlin", "2026-03-29", "02:30", "2026-03-29T01:00:00Z"),
        ("Europe/Berlin", "2026-03-29", "03:00", "2026-03-29T01:00:00Z"),
        # Sunday 2026-10-25, 02:00 to 03:00 come twice; summer time's hour is the first.
        ("Europe/Berlin", "2026-10-25", "02:30", "2026-10-25T00:30:00Z"),
        ("Europe/Berlin", "2026-10-25", "03:00", "2026-10-25T02:00:00Z"),
        ("America/New_York", "2026-03-08", "02:30", "2026-03-08T07:00:00Z"),
        ("America/New_York", "2026-11-01", "01:30", "2026-11-01T05:30:00Z"),
        # Half an hour is skipped and comes twice.
        ("Australia/Lord_Howe", "2026-10-04", "02:15", "2026-10-03T15:30:00Z"),
        ("Australia/Lord_Howe", "2026-04-05", "01:45", "2026-04-04T14:45:00Z"),
        # The first hour of the day is skipped; at the end of another day, the last one comes twice.
        ("America/Santiago", "2026-09-06", "00:30", "2026-09-06T04:00:00Z"),
        ("America/Santiago", "2026-04-04", "23:30", "2026-04-05T02:30:00Z"),
    ],
)
def test_a_daily_reset_is_where_the_wall_clock_first_shows_or_passes_it(zone, day, time, expected):
    hours, minutes = map(int, time.split(":"))
    found = oracle.daily_instant(ZoneInfo(zone), date.fromisoformat(day), hours * 60 + minutes)
    assert oracle.utc(found) == datetime.fromisoformat(expected)


@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "UTC"]
)
def test_a_daily_reset_is_the_first_minute_not_before_it(zone):
    """By trying every minute of the days around a change of the clocks."""
    info = ZoneInfo(zone)
    changes = ["03-08", "03-29", "04-04", "04-05", "09-06", "10-04", "10-25", "11-01"]
    for day in (date.fromisoformat(f"2026-{change}") for change in changes):
        midnight = datetime(day.year, day.month, day.day, tzinfo=timezone.utc)
        minutes = [midnight + timedelta(minutes=m) for m in range(-15 * 60, 39 * 60)]
        clock = [(m.astimezone(info).replace(tzinfo=None), m) for m in minutes]
        for minute_of_day in range(0, 1440, 15):
            wanted = midnight.replace(tzinfo=None) + timedelta(minutes=minute_of_day)
            first = next(m for wall, m in clock if wall >= wanted)
            assert oracle.utc(oracle.daily_instant(info, day, minute_of_day)) == first


def test_daily_resets_begin_after_the_schedule_and_a_change_leaves_past_ones():
    world = World()
    four = instant("2026-11-23T04:00:00Z")
    day = 24 * oracle.HOUR
    world.spaces = {"A": Space(daily_reset=240, resets_done=four)}
    world.write_daily_resets(four + day - 1)
    assert world.resets == {}
    world.write_daily_resets(four + 2 * day)
    assert world.resets == {("A", four + n * day, DAILY_RESET): 0 for n in (1, 2)}
    world.spaces["A"].daily_reset = 300
    world.write_daily_resets(four + 3 * day)
    assert world.resets == {
        ("A", four + day, DAILY_RESET): 0,
        ("A", four + 2 * day, DAILY_RESET): 0,
        ("A", four + 2 * day + oracle.HOUR, DAILY_RESET): 0,
    }


# Summaries


def test_a_summary_of_people_who_walk():
    found = oracle.summarize(people(-2, 3, 1, -1), end=10)
    assert found == oracle.Summary(
        entries=4,
        exits=3,
        sum=1,
        lowest=-2,
        highest=2,
        peak=4,
        reset_time=None,
        reset_count=0,
        reset_net=0,
        reset_lowest=0,
        reset_highest=0,
        area=-2 + 1 + 2 + 1 * 7,
        reset_area=0,
        last_event_time=3,
        last_change_time=3,
    )


def test_a_summary_with_resets_has_a_part_that_nothing_before_can_change():
    changes = people(2) + [
        Change(4, RESET, 5),
        Change(6, EXIT, -9),
        Change(7, ENTRY, 1),
        Change(8, DAILY_RESET, 0),
    ]
    found = oracle.summarize(changes, end=10)
    assert (found.entries, found.exits, found.sum, found.highest, found.peak) == (3, 9, 2, 2, 2)
    assert (found.reset_time, found.reset_count, found.reset_net) == (4, 0, 0)
    assert (found.reset_lowest, found.reset_highest) == (0, 5)
    assert (found.area, found.reset_area) == (2 * 4, 5 * 2 + 0 + 1)
    assert (found.last_event_time, found.last_change_time) == (7, 8)


def test_each_stretch_and_each_era_with_a_change_begins_with_what_is_before_it():
    changes = [Change(hour * oracle.HOUR, ENTRY, 1) for hour in (5, 15, 40, 520, 540, 541, 9999)]
    rows = oracle.summaries(changes)
    entries = [
        {hour: row.entries for (hour, level), row in sorted(rows.items()) if level == wanted} for wanted in range(3)
    ]
    assert entries[oracle.OF_HOUR] == {5: 1, 15: 1, 40: 1, 520: 1, 540: 1, 541: 1, 9999: 1}
    assert entries[oracle.BEFORE_STRETCH] == {32: 2, 512: 0, 528: 1, 9984: 0}
    assert entries[oracle.BEFORE_ERA] == {512: 3, 9728: 6}


# The algebra (DESIGN, section 4), before anything is built on it


def numbers(changes):
    """S, L, H and R of a run without resets, by their definitions."""
    sums = [sum(change.value for change in changes[:n]) for n in range(len(changes) + 1)]
    counts = [0] + [occupancy.count for occupancy in oracle.replay(changes)]
    return sums[-1], min(sums), max(sums), max(counts)


def join(first, second):
    s1, l1, h1, r1 = first
    s2, l2, h2, r2 = second
    return s1 + s2, min(l1, s1 + l2), max(h1, s1 + h2), max(r1, (s1 - l1) + h2, r2)


def random_people(dice):
    counts = (-100, -3, -1, -1, 1, 1, 2, 100)
    return people(*(dice.choice(counts) for _ in range(dice.randrange(12))))


def test_four_numbers_tell_what_a_run_does_to_any_count():
    dice = random.Random(4)
    for _ in range(3000):
        changes = random_people(dice)
        S, L, H, R = numbers(changes)
        for x in (0, 1, 2, 3, 50, 400):
            counts = [x] + [o.count for o in oracle.replay(changes, Occupancy(x, x))]
            assert counts[-1] == max(x + S, S - L)
            assert min(counts) == max(x + L, 0)
            assert max(counts) == max(x + H, R)


def test_joined_numbers_are_those_of_the_whole_run():
    dice = random.Random(5)
    for _ in range(3000):
        first, second, third = (random_people(dice) for _ in range(3))
        one, two, three = numbers(first), numbers(second), numbers(third)
        assert join(one, two) == numbers(first + second)
        assert join(join(one, two), three) == join(one, join(two, three))
        assert join(one, numbers([])) == join(numbers([]), one) == one
