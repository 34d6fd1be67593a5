"""After a prune, hours are what is left of the past, and everything that is still promised is as it was.

The first part gives random stories to the program without a broker and judges it by the oracle; HEADCOUNT_SEED=N
repeats one. The second has a real gateway.
"""

import bisect
import copy
import json
import random
import sqlite3

import pytest

import bucket_oracle
import oracle
import recount
from crash_test import DPUS, START, build, create
from driver import Driver
from harness import Api, Broker, Gateway, Headcount, wait_until
from loader import Loader
from oracle import HOUR, RESET
from property_test import folder, parsed_item, run, seed  # noqa: F401 (fixtures)
from story import DAY, Commit, Message, Story, payload, rfc3339


class Past:
    """What a story's world was when its horizon was set: the promise for all before it."""

    def __init__(self, story, horizon):
        self.horizon = horizon
        self.world = story.world
        self.changes = {
            space: [c for c in story.world.changes(space) if c.time < horizon]
            for space in story.world.spaces
        }

    def now(self, space):
        """All changes that are known: those before the horizon as they were."""
        return self.changes[space] + [
            c for c in self.world.changes(space) if c.time >= self.horizon
        ]

    def answer(self, space, instant):
        """(count, net, as_of)"""
        changes = self.now(space)
        end = instant // HOUR * HOUR + HOUR
        if instant < self.horizon and any(instant < c.time < end for c in changes):
            instant = end - HOUR - 1
        known = [c for c in changes if c.time <= instant]
        return (*oracle.after_all(known), instant)


def check_answers(driver, past, dice, span):
    begin, end = span
    moments = [c.time + d for changes in past.changes.values() for c in changes for d in (-1, 0, 1)]
    moments += [past.horizon + d for d in (-HOUR, -1, 0, 1, HOUR)]
    moments += [dice.randrange(begin, end) for _ in range(20)]
    moments = sorted(max(0, m) for m in dice.sample(moments, min(len(moments), 150)))
    for space in past.world.spaces:
        found = driver.look_back(space, moments)
        assert found == [past.answer(space, m) for m in moments], space
        assert driver.now(space) == oracle.after_all(past.now(space)), space
        assert driver.ask("check", space) == ([], ""), space


def expected_bucket(past, bucket, changes):
    """As the oracle's, but for the time of the highest count: before the horizon, its hour."""
    highest = bucket.max_time
    if bucket.start < highest < past.horizon:
        highest = highest // HOUR * HOUR
    return [
        *bucket[2:9],
        highest,
        pytest.approx(float(bucket.average), abs=0.000001),
    ]


def check_buckets(driver, past, dice, span):
    begin, end = (instant // HOUR for instant in span)
    for space in past.world.spaces:
        changes = past.now(space)
        hours = sorted(dice.sample(range(begin, end + 2), min(20, end + 2 - begin)))
        edges = [hour * HOUR for hour in hours]
        right = bucket_oracle.buckets(changes, edges)
        found = driver.buckets(space, edges)
        assert found == [expected_bucket(past, bucket, changes) for bucket in right], space
        odd = past.horizon - dice.randrange(1, HOUR)
        assert driver.buckets(space, [odd, past.horizon]) is None
        assert driver.buckets(space, [past.horizon, past.horizon + 1]) is not None


def tell(driver, story, dice, past):
    """Events and daily resets go on to come, late ones too. Returns those that are too old."""
    for _ in range(15):
        story.pass_time()
        story.happen()
        story.upload()
    steps, story.steps = story.steps, []
    run(driver, [*steps, Commit()], dice)
    sent = (event for step in steps if isinstance(step, Message) for event in step.events)
    return {event for event in sent if event.time < past.horizon}


def too_old(driver):
    with driver.tables() as tables:
        rows = tables.execute("SELECT dpu_id, item FROM rejected_event WHERE reason = 'too_old'")
        return {parsed_item(dpu, item) for dpu, item in rows}


def prune(driver, dice):
    """To the end, with whatever may befall the gateway meanwhile."""
    steps = 0
    while driver.prune_some():
        steps += 1
        if dice.random() < 0.1:
            driver.kill()
    return steps


def test_what_is_promised_after_a_prune_is_what_the_oracle_says(seed, folder):  # noqa: F811
    story = Story(seed)
    dice = random.Random(seed)
    story.set_up()
    story.go_on(turns=50)
    with Driver(folder / "headcount.db") as driver:
        run(driver, story.steps, dice)
        story.steps = []
        span = (story.begin - 5 * DAY, story.now)
        first = dice.randrange(span[0], span[1]) // HOUR * HOUR
        second = dice.randrange(first, span[1]) // HOUR * HOUR
        past = None
        for horizon in (first, second):
            driver.request(
                story.now,
                1,
                {
                    "action": "prune",
                    "object": "history",
                    "values": {"before": rfc3339(horizon)},
                },
            )
            assert driver.commit()[1]["status"] == 202
            story.world.write_daily_resets(story.now)
            before = past
            past = Past(story, horizon)
            if before is not None:
                for space, changes in past.changes.items():
                    kept = [c for c in changes if c.time >= before.horizon]
                    past.changes[space] = before.changes[space] + kept
            check_answers(driver, past, dice, span)  # though nothing is gone yet
            driver.prune_some()
            check_buckets(driver, past, dice, span)
            expected = tell(driver, story, dice, past)
            prune(driver, dice)
            assert expected <= too_old(driver)
            with driver.tables() as tables:
                (left,) = tables.execute(
                    "SELECT count(*) FROM installation_count WHERE dpu_event_time < ?", (horizon,)
                ).fetchone()
                (free,) = tables.execute("PRAGMA freelist_count").fetchone()
            assert (left, free) == (0, 0)
            span = (span[0], story.now)
            check_answers(driver, past, dice, span)
            check_buckets(driver, past, dice, span)
            tell(driver, story, dice, past)
            story.world.write_daily_resets(story.now)
            for number, space in enumerate(story.world.spaces):
                command = {"action": "rebuild", "object": "space", "id": space}
                driver.request(story.now, number, command)
            driver.commit()
            check_answers(driver, past, dice, span)
            check_buckets(driver, past, dice, span)
