"""What is exported is taken back by another system, which then says the same of every instant."""

import contextlib
import csv
import io
import json
import os
import random
import sqlite3
import stat

import pytest

import oracle
import recount
from driver import Driver
from harness import Broker, Gateway, Headcount

DONE, REFUSED, USAGE, NO_ANSWER = range(4)
BEGIN = oracle.milliseconds(oracle.datetime(2026, 3, 1, tzinfo=oracle.timezone.utc))
HEADER = ["dpu_event_time", "count", "dpu_id", "seq"]


@pytest.fixture
def other(tmp_path):
    """Another system, empty, with a broker of its own."""
    folder = tmp_path / "other"
    with Broker(folder) as broker, Gateway(broker, folder) as gateway:
        yield gateway


def furnish(headcount):
    """A building with all that a registry can say."""
    headcount("space", "add", "house", "--name", 'Büro "Süd"', "--timezone", "Europe/Berlin", "--daily-reset", "04:00")
    headcount("space", "add", "floor", "--parent", "house", "--capacity", 300)
    headcount("space", "add", "B", "--parent", "floor")
    headcount("space", "add", "A", "--parent", "floor", "--capacity", 80)
    headcount("doorway", "add", "X", "--space", "A", "--name", "front")
    headcount("doorway", "add", "Z", "--space", "A", "--adjacent-space", "B")
    for dpu in ("423", "283", "7"):
        headcount("dpu", "add", dpu, "--name", f"number {dpu}")
    headcount("installation", "add", "--dpu", "423", "--doorway", "Z", "--from", "2026-01-01")
    headcount("installation", "add", "--dpu", "283", "--doorway", "X", "--from", "2026-01-01", "--orientation", "-1")
    headcount("installation", "set", 2, "--until", "2026-03-04")
    headcount("move", "423", "X", "--at", "2026-03-05 12:00")
    headcount("installation", "add", "--dpu", "7", "--doorway", "Z", "--from", "2026-03-06", "--until", "2026-03-09")
    headcount("reset", "A", 7, "--at", "2026-03-02")
    headcount("reset", "B", 3, "--at", "2026-03-03 12:34")


def reset_daily_since(gateway, instant):
    """Lets the schedules of the past days come due, as if the gateway had been away since then."""
    gateway.stop()
    with contextlib.closing(sqlite3.connect(gateway.database)) as database, database:
        database.execute("UPDATE space SET next_reset = ? WHERE next_reset IS NOT NULL", (instant,))
    gateway.start()


def people(count, seed=1):
    """Rows of a CSV file, some of one millisecond, within the time that the DPUs hang somewhere."""
    dice = random.Random(seed)
    rows = []
    for number in range(count):
        time = BEGIN + dice.randrange(3 * 86_400_000) // 50 * 50
        rows.append([time, dice.choice((1, 1, -1, 2, -3)), dice.choice(("423", "283")), number % 3])
    return rows


def csv_of(*rows):
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()


def revision(gateway):
    return gateway.value("SELECT revision FROM meta")


# The registry


def test_a_registry_that_was_imported_is_exported_as_the_same_bytes(gateway, headcount, other, tmp_path):
    furnish(headcount)
    document = tmp_path / "registry.json"
    assert headcount("export", "registry", document) == ""
    text = document.read_text()
    assert headcount("export", "registry") == text
    target = Headcount(other.config)
    assert target("import", "registry", document) == "15 added, 0 changed, 0 were there\n"
    assert target("export", "registry") == text
    before, after = oracle.World(), oracle.World()
    recount.registry_of(gateway, before)
    recount.registry_of(other, after)
    assert after.spaces == before.spaces and after.doorways == before.doorways
    assert sorted(map(str, after.installations.values())) == sorted(map(str, before.installations.values()))


def test_the_document_says_what_is_where_and_nothing_else(headcount):
    furnish(headcount)
    document = json.loads(headcount("export", "registry"))
    assert list(document) == ["format", "version", "spaces", "doorways", "dpus", "installations", "resets"]
    assert [space["id"] for space in document["spaces"]] == ["A", "B", "floor", "house"]
    assert document["doorways"][1] == {"id": "Z", "name": "", "space": "A", "adjacent_space": "B"}
    assert document["installations"][0] == {
        "dpu": "283", "doorway": "X", "orientation": -1,
        "started_at": "2026-01-01T00:00:00.000Z", "ended_at": "2026-03-04T00:00:00.000Z",
    }
    assert document["resets"][0] == {"space": "A", "count": 7, "at": "2026-03-02T00:00:00.000Z"}


def test_an_empty_registry_is_a_document_too(headcount, other, tmp_path):
    document = tmp_path / "registry.json"
    headcount("export", "registry", document)
    assert Headcount(other.config).json("import", "registry", document)["added"] == 0


def test_what_exists_alike_is_left_as_it_is(gateway, headcount, tmp_path):
    furnish(headcount)
    document = tmp_path / "registry.json"
    headcount("export", "registry", document)
    before = revision(gateway)
    assert headcount("import", "registry", document) == "0 added, 0 changed, 15 were there\n"
    assert revision(gateway) == before


def test_what_is_tried_beforehand_leaves_nothing_behind(headcount, tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    path = tmp_path / "registry.json"
    path.write_text(document_of(spaces=[A]))
    assert headcount.json("import", "registry", path)["added"] == 1
    assert list(scratch.iterdir()) == []


def changed(headcount, path):
    """The document with something else of each kind."""
    document = json.loads(headcount("export", "registry"))
    document["spaces"][0]["capacity"] = 81
    document["doorways"][1].update(space="B", adjacent_space=None)
    document["dpus"][0]["name"] = "another"
    document["installations"][0]["orientation"] = 1
    document["resets"][0]["count"] = 9
    path.write_text(json.dumps(document))
    return path


def test_what_differs_is_listed_and_nothing_is_done(gateway, headcount, tmp_path):
    furnish(headcount)
    document = changed(headcount, tmp_path / "registry.json")
    before = headcount("export", "registry")
    result = headcount.run("import", "registry", document)
    assert result.returncode == REFUSED and result.stdout == ""
    for line in (
        "space A: capacity: 80 here, 81 in the document",
        'doorway Z: space: "A" here, "B" in the document',
        'doorway Z: adjacent_space: "B" here, null in the document',
        "installation of DPU 283 2026-01-01T00:00:00.000Z: orientation: -1 here, 1 in the document",
        "reset of space A 2026-03-02T00:00:00.000Z: count: 7 here, 9 in the document",
        "--update",
    ):
        assert line in result.stderr
    assert headcount("export", "registry") == before


def test_what_differs_is_changed_when_asked(gateway, headcount, tmp_path):
    furnish(headcount)
    headcount("replay", "-", input=csv_of(HEADER, *people(300)))
    document = changed(headcount, tmp_path / "registry.json")
    trial = headcount.json("import", "registry", document, "--update", "--dry-run")
    assert (trial["added"], trial["changed"], trial["unchanged"]) == (0, 5, 10)
    assert {(row["subject"], row["member"]) for row in trial["differences"]} >= {("space A", "capacity")}
    assert headcount("import", "registry", document, "--update") == "0 added, 5 changed, 10 were there\n"
    given = json.loads(document.read_text())
    assert json.loads(headcount("export", "registry")) == given
    recount.check_counts(recount.world_of(gateway), gateway)


def test_spaces_may_change_places(headcount, tmp_path):
    headcount("space", "add", "A")
    headcount("space", "add", "B", "--parent", "A")
    document = json.loads(headcount("export", "registry"))
    document["spaces"][0]["parent"], document["spaces"][1]["parent"] = "B", None
    path = tmp_path / "registry.json"
    path.write_text(json.dumps(document))
    headcount("import", "registry", path, "--update")
    assert json.loads(headcount("export", "registry")) == document


def test_a_dpu_that_hung_still_moves_on(headcount, tmp_path):
    furnish(headcount)
    document = json.loads(headcount("export", "registry"))
    installations = document["installations"]
    moved = next(i for i in installations if i["dpu"] == "423" and i["ended_at"] is None)
    moved["ended_at"] = "2026-04-01T00:00:00.000Z"
    installations.append(dict(moved, doorway="Z", started_at="2026-04-01T00:00:00.000Z", ended_at=None))
    path = tmp_path / "registry.json"
    path.write_text(json.dumps(document))
    assert headcount("import", "registry", path, "--update").startswith("1 added, 1 changed")


def document_of(**parts):
    return json.dumps({"format": "headcount registry", "version": 1} | parts)


A, B = {"id": "A"}, {"id": "B"}
DOORWAY = {"id": "X", "space": "A"}
HANGS = {"dpu": "1", "doorway": "X", "started_at": "2026-01-01"}


@pytest.mark.parametrize(
    "text, words",
    [
        ("", ["no JSON"]),
        ("[]", ["no registry"]),
        ("{}", ["no registry"]),
        ('{"format": "headcount registry", "version": 2}', ["version"]),
        (document_of(people=[]), ["people"]),
        (document_of(spaces={}), ["spaces", "array"]),
        (document_of(spaces=[1]), ["spaces[0]", "object"]),
        (document_of(spaces=[A, {"id": "B", "capacity": 0}]), ["spaces[1].capacity"]),
        (document_of(spaces=[{"id": "A", "colour": "red"}]), ["spaces[0].colour"]),
        (document_of(spaces=[{"name": "A"}]), ["spaces[0].id"]),
        (document_of(spaces=[A, A]), ["space A", "twice"]),
        (document_of(spaces=[{"id": "A", "parent": "A"}]), ["space A", "inside itself"]),
        (document_of(spaces=[{"id": "A", "parent": "B"}, {"id": "B", "parent": "A"}]), ["parent", "inside itself"]),
        (document_of(spaces=[{"id": "A", "parent": "C"}]), ["space A", "parent", "'C'"]),
        (document_of(spaces=[{"id": "A", "timezone": "Mars/Base"}]), ["spaces[0].timezone"]),
        (document_of(doorways=[DOORWAY]), ["doorway X", "space", "'A'"]),
        (document_of(spaces=[A], doorways=[DOORWAY | {"adjacent_space": "A"}]), ["doorway X", "adjacent_space"]),
        (document_of(spaces=[A], doorways=[DOORWAY], installations=[HANGS]), ["dpu", "'1'"]),
        (
            document_of(spaces=[A], doorways=[DOORWAY], dpus=[{"id": "1"}],
                        installations=[HANGS, HANGS | {"started_at": "2026-02-01"}]),
            ["2026-02-01", "installed"],
        ),
        (
            document_of(spaces=[A], doorways=[DOORWAY], dpus=[{"id": "1"}],
                        installations=[HANGS | {"ended_at": "2025-01-01"}]),
            ["ended_at"],
        ),
        (
            document_of(spaces=[A], doorways=[DOORWAY], dpus=[{"id": "1"}], installations=[HANGS | {"orientation": 0}]),
            ["orientation"],
        ),
        (document_of(spaces=[A], resets=[{"space": "B", "count": 1, "at": "2026-01-01"}]), ["space", "'B'"]),
        (document_of(spaces=[A], resets=[{"space": "A", "count": 1}]), ["reset of space A", "missing"]),
        (document_of(spaces=[A], resets=[{"space": "A", "count": 1, "at": "2999-01-01"}]), ["at", "future"]),
    ],
)
def test_a_document_that_cannot_be_is_refused_before_anything_is_done(text, words, system, tmp_path):
    headcount = Headcount(system.gateway.config)
    before = headcount("export", "registry")
    path = tmp_path / "registry.json"
    path.write_text(text.replace("2026-01-01", "2026-01-01T00:00:00Z").replace("2025-01-01", "2025-01-01T00:00:00Z")
                    .replace("2026-02-01", "2026-02-01T00:00:00Z").replace("2999-01-01", "2999-01-01T00:00:00Z"))
    result = headcount.run("import", "registry", path)
    assert result.returncode == REFUSED and result.stdout == ""
    for word in words:
        assert word in result.stderr
    assert headcount("export", "registry") == before


def test_a_circle_by_way_of_what_exists_is_refused(headcount, tmp_path):
    headcount("space", "add", "A")
    headcount("space", "add", "B", "--parent", "A")
    path = tmp_path / "registry.json"
    path.write_text(document_of(spaces=[{"id": "A", "parent": "B"}]))
    result = headcount.run("import", "registry", path, "--update")
    assert result.returncode == REFUSED and "inside itself" in result.stderr


def test_a_file_is_there_whole_or_not_at_all(headcount, tmp_path):
    furnish(headcount)
    result = headcount.run("export", "registry", tmp_path / "nowhere" / "registry.json")
    assert result.returncode == REFUSED and "nowhere" in result.stderr
    full = headcount.run("export", "crossings", "/dev/full")
    assert full.returncode == REFUSED
    assert list(tmp_path.glob("*.partial")) == []


@pytest.mark.parametrize("what", ["registry", "crossings"])
def test_a_file_is_for_nobody_else_to_read(what, headcount, tmp_path):
    furnish(headcount)
    path = tmp_path / "export"
    left = tmp_path / "export.partial"
    left.write_text("what a killed export has left, more than there is now\n" * 1000)
    left.chmod(0o644)
    headcount("export", what, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == headcount("export", what)
    assert not left.exists()


@pytest.mark.parametrize("what", ["registry", "crossings"])
@pytest.mark.parametrize("lay", [os.symlink, os.link])
def test_a_file_is_written_through_nobody_s_link(what, lay, headcount, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("precious")
    lay(elsewhere, tmp_path / "export.partial")
    result = headcount.run("export", what, tmp_path / "export")
    assert result.returncode == REFUSED and "remove it" in result.stderr
    assert elsewhere.read_text() == "precious"
    assert not (tmp_path / "export").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_is_no_file_of_somebody_else(headcount, tmp_path):
    waiting = tmp_path / "export.partial"
    waiting.touch(0o666)
    os.chown(waiting, 65534, 65534)
    result = headcount.run("export", "registry", tmp_path / "export")
    assert result.returncode == REFUSED and "somebody else" in result.stderr
    assert waiting.read_bytes() == b""


# Crossings


def test_a_copy_says_the_same_of_every_instant(gateway, headcount, other, tmp_path):
    furnish(headcount)
    reset_daily_since(gateway, BEGIN + 3_600_000)
    rows = people(600)
    sent = headcount.run("replay", "-", "--json", input=csv_of(HEADER, *rows))
    assert json.loads(sent.stdout)["rejected"] == 0, sent
    registry, crossings = tmp_path / "registry.json", tmp_path / "crossings.csv"
    headcount("export", "registry", "--daily-resets", registry)
    headcount("export", "crossings", crossings)
    copy = Headcount(other.config)
    copy("import", "registry", registry)
    stored = gateway.value("SELECT count(*) FROM installation_count")
    assert stored > 500
    summary = copy.json("replay", crossings)
    assert summary == {"rows": stored, "stored": stored, "duplicates": 0, "rejected": 0, "invalid": 0}
    assert copy.json("import", "crossings", crossings)["duplicates"] == stored
    assert copy("export", "registry", "--daily-resets") == registry.read_text()
    world = recount.world_of(gateway)
    assert recount.world_of(other).events == world.events
    assert any(kind == oracle.DAILY_RESET for _, _, kind in world.resets)
    instants = sorted({change.time + beside for space in world.spaces
                       for change in world.changes(space) for beside in (-1, 0, 1)})
    other.stop()
    with Driver(other.database) as driver:
        for space in world.spaces:
            changes = world.changes(space)
            expected = [oracle.after_all(c for c in changes if c.time <= instant) for instant in instants]
            assert driver.at(space, instants) == expected, space


def exported(headcount, *options):
    return list(csv.DictReader(io.StringIO(headcount("export", "crossings", *options))))


@pytest.fixture
def peopled(headcount):
    furnish(headcount)
    headcount("replay", "-", input=csv_of(HEADER, *people(300)))
    return headcount


def test_crossings_are_chosen_by_what_is_asked(peopled):
    rows = exported(peopled)
    assert list(rows[0]) == ["dpu_event_time", "count", "dpu_id", "seq", "event_received_time", "doorway_id"]
    assert {row["dpu_id"] for row in rows} == {"423", "283"}
    assert exported(peopled, "--dpu", "423") == [row for row in rows if row["dpu_id"] == "423"]
    assert exported(peopled, "--space", "B") == [row for row in rows if row["doorway_id"] == "Z"]
    assert exported(peopled, "--space", "house") == [row for row in rows if row["doorway_id"] == "X"]
    within = exported(peopled, "--start", "2026-03-02", "--end", "2026-03-03T00:00:00Z")
    assert within == [row for row in rows if "2026-03-02" <= row["dpu_event_time"] < "2026-03-03T"]
    assert 0 < len(within) < len(rows)


def test_the_bounds_are_from_the_start_on_and_before_the_end(peopled):
    rows = exported(peopled)
    first, last = min(row["dpu_event_time"] for row in rows), max(row["dpu_event_time"] for row in rows)
    assert exported(peopled, "--start", first, "--end", last) == [row for row in rows if row["dpu_event_time"] < last]


@pytest.mark.parametrize("arguments, word", [(["--space", "C"], "'C'"), (["--dpu", "8"], "'8'")])
def test_a_name_that_is_not_there_is_no_empty_file(headcount, arguments, word):
    result = headcount.run("export", "crossings", *arguments)
    assert result.returncode == REFUSED and word in result.stderr and result.stdout == ""


def test_pages_leave_nothing_out_and_repeat_nothing(headcount, gateway):
    """Many more than a page, dozens in each millisecond, so that pages end within one."""
    furnish(headcount)
    rows = [[BEGIN + number // 60, (1, -1, 2)[number % 3], ("423", "283")[number % 2], number % 60] for number in range(50_000)]
    assert headcount.json("replay", "-", "--batch", 1000, input=csv_of(HEADER, *rows))["stored"] == len(rows)
    out = exported(headcount)
    assert len(out) == len(rows)
    assert len({tuple(row[name] for name in HEADER) for row in out}) == len(rows)
