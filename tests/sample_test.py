"""The problem's sample data, played through the whole system: however it arrives, the same is
stored and the same is answered for every instant.

Doorway X leads from outside into A (DPU 283), doorway Z from B into A (DPU 423). The real file is
not part of the project: HEADCOUNT_SAMPLE_CSV names it. Data of the same shape, made here, is always
tested.
"""

import csv
import os
import random
from collections import namedtuple
from datetime import datetime
from pathlib import Path

import pytest

import oracle
import recount
from driver import Driver
from harness import SOURCE_DIR, Gateway, Headcount
from oracle import Event, Occupancy

REAL = Path(
    os.environ.get("HEADCOUNT_SAMPLE_CSV", SOURCE_DIR.parent / "shared" / "data" / "dpu_data.csv")
)
HEADER = ["timestamp", "direction", "dpu_id"]

Sample = namedtuple("Sample", "rows stored duplicates counts")


def event_of(row):
    time, count, dpu = row
    return Event(dpu, oracle.milliseconds(datetime.fromisoformat(time)), 0, int(count))


def world_of(rows):
    world = oracle.World()
    world.spaces = {"A": oracle.Space(), "B": oracle.Space()}
    world.doorways = {"X": oracle.Doorway("A"), "Z": oracle.Doorway("A", "B")}
    world.dpus = {"283", "423"}
    since = oracle.milliseconds(datetime.fromisoformat("2018-01-01T00:00:00Z"))
    world.installations = {
        1: oracle.Installation("283", "X", since),
        2: oracle.Installation("423", "Z", since),
    }
    world.events = {event_of(row) for row in rows}
    return world


def real_sample():
    if not REAL.is_file():
        pytest.skip(f"the sample data is not at {REAL}: set HEADCOUNT_SAMPLE_CSV")
    with open(REAL, newline="") as file:
        header, *rows = csv.reader(file)
    assert header == HEADER
    return Sample(rows, 530, 33, {"A": Occupancy(4, -2), "B": Occupancy(9, 8)})


def made_sample():
    """Four days of people, a few milliseconds with several of them, one row in twenty repeated."""
    dice = random.Random(2018)
    begin = oracle.milliseconds(datetime.fromisoformat("2018-02-24T00:00:00Z"))
    rows = []
    for _ in range(500):
        time = begin + dice.randrange(4 * 86_400_000)
        if rows and dice.random() < 0.05:
            time = event_of(dice.choice(rows)).time + dice.choice((0, 0, 1))
        text = oracle.utc(time).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        rows.append([text, dice.choice(("1", "-1")), dice.choice(("283", "423"))])
    rows += dice.sample(rows, 25)
    dice.shuffle(rows)
    world = world_of(rows)
    stored = len(world.events)
    return Sample(
        rows, stored, len(rows) - stored, {space: world.now(space) for space in world.spaces}
    )


SAMPLES = {"real": real_sample, "made": made_sample}


def shuffled(rows):
    return random.Random(7).sample(rows, len(rows))


# How the same rows may arrive: their order, and the options of `headcount replay`.
VARIANTS = {
    "as it is": (list, []),
    "shuffled": (shuffled, []),
    "reversed": (lambda rows: rows[::-1], []),
    "doubled": (lambda rows: rows * 2, []),
    "in single messages": (shuffled, ["--batch", "1"]),
    "in large batches": (list, ["--batch", "1000"]),
}


def write_csv(path, rows):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(HEADER)
        writer.writerows(rows)


def set_up(headcount):
    headcount("space", "add", "A")
    headcount("space", "add", "B")
    headcount("doorway", "add", "X", "--space", "A")
    headcount("doorway", "add", "Z", "--space", "A", "--adjacent-space", "B")
    for dpu, doorway in (("283", "X"), ("423", "Z")):
        headcount("dpu", "add", dpu)
        headcount("installation", "add", "--dpu", dpu, "--doorway", doorway, "--from", "2018-01-01")


def check_history(database, world):
    """Every instant at which something happened, and the milliseconds around it."""
    instants = sorted({event.time + beside for event in world.events for beside in (-1, 0, 1)})
    with Driver(database) as driver:
        for space in world.spaces:
            changes = world.changes(space)
            expected = [
                oracle.after_all(change for change in changes if change.time <= instant)
                for instant in instants
            ]
            assert driver.at(space, instants) == expected
            assert driver.ask("check", space) == ([], "")


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", SAMPLES)
def test_however_the_data_arrives_the_answers_are_the_same(name, variant, broker, tmp_path):
    sample = SAMPLES[name]()
    arrange, options = VARIANTS[variant]
    rows = arrange(sample.rows)
    file = tmp_path / "data.csv"
    write_csv(file, rows)
    with Gateway(broker, tmp_path) as gateway:
        headcount = Headcount(gateway.config)
        set_up(headcount)
        summary = headcount.json("replay", file, *options)
        assert summary["stored"] == sample.stored
        assert summary["duplicates"] == len(rows) - sample.stored
        assert summary["rejected"] == 0
        assert gateway.value("SELECT count(*) FROM installation_count") == sample.stored
        assert recount.counts_now(gateway) == sample.counts
        recount.wait_for_retained(gateway)
    check_history(gateway.database, world_of(rows))


def test_the_real_file_repeats_33_of_563_rows():
    sample = real_sample()
    assert len(sample.rows) == 563
    world = world_of(sample.rows)
    assert len(world.events) == sample.stored == 563 - sample.duplicates
    assert {space: world.now(space) for space in world.spaces} == sample.counts
