"""The command line: what it answers, what it refuses, and how it says so."""

import contextlib
import csv
import io
import json
import re
import signal
import sqlite3

import pytest

from harness import Broker, Gateway, Headcount, Publisher, Subscriber, wait_until

DONE, REFUSED, USAGE, NO_ANSWER = range(4)


def refused(result, code, *words):
    """The command ended with the code, said why on standard error in these words, and printed nothing else."""
    assert result.returncode == code, result.stderr
    for word in words:
        assert word in result.stderr
    assert result.stdout == ""


def set_up_doorway(headcount, space="A", dpu="423"):
    headcount("space", "add", space)
    headcount("doorway", "add", "Z", "--space", space)
    headcount("dpu", "add", dpu)
    headcount("installation", "add", "--dpu", dpu, "--doorway", "Z", "--from", "2018-01-01")


def counts(headcount):
    """{space: (count, net)}"""
    return {row["id"]: (row["count"], row["net"]) for row in headcount.json("space", "list")}


def csv_of(*rows):
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()


# Help and usage: these need no gateway.


@pytest.fixture
def alone(tmp_path):
    """The command line with a configuration of which only the broker's port matters: nobody is there."""
    path = tmp_path / "headcount.conf"
    path.write_text(f"[broker]\nhost=127.0.0.1\nport=1\n[store]\ndatabase={tmp_path}/headcount.db\n")
    return Headcount(path)


def command_names(headcount):
    listed = headcount("--help").split("Commands:\n")[1].split("\n\n")[0]
    return [re.split(r"\s{2,}", line.strip())[0].split() for line in listed.splitlines()]


def test_every_command_explains_itself(alone):
    names = command_names(alone)
    assert ["space", "add"] in names and ["replay"] in names
    for name in names:
        assert f"headcount {' '.join(name)} " in alone(*name, "--help")


def test_an_object_explains_what_can_be_done_to_it(alone):
    assert "doorway add" in alone("doorway", "--help")
    refused(alone.run("doorway"), USAGE, "doorway add", "doorway remove")


def test_the_version_is_said(alone):
    assert re.fullmatch(r"headcount \d+\.\d+\.\d+\n", alone("--version"))


@pytest.mark.parametrize(
    "arguments, word",
    [
        ([], "which command?"),
        (["fly"], "'fly'"),
        (["space", "add"], "expected SPACE"),
        (["space", "add", "A", "B"], "'B'"),
        (["space", "add", "A", "--colour", "red"], "--colour"),
        (["space", "add", "A", "--capacity", "many"], "--capacity"),
        (["space", "set", "A"], "nothing"),
        (["space", "add", "A", "--name", b"\xff"], "--name"),
        (["reset", "A", "many"], "count"),
        (["move", "423", "Z", "--at", "soon"], "--at"),
        (["--config", "/nowhere.conf", "space", "list"], "/nowhere.conf"),
        (["replay", "x.csv", "--batch", "1001"], "--batch"),
        (["simulate", "--late", "2"], "--late"),
        (["seed-data", "--until", "1999-12-31"], "--until"),
        (["rejected", "list", "--reason", "boredom"], "unknown_dpu"),
        (["rejected", "remove"], "--all"),
        (["rejected", "replay", "1", "--all"], "--all"),
    ],
)
def test_what_makes_no_sense_is_not_tried(alone, arguments, word):
    result = alone.run(*[a if isinstance(a, str) else a.decode("utf-8", "surrogateescape") for a in arguments])
    refused(result, USAGE, word)


def test_without_a_broker_that_is_said(alone):
    refused(alone.run("space", "add", "A"), NO_ANSWER, "127.0.0.1:1", "refused")


def test_without_a_database_that_is_said(alone):
    refused(alone.run("space", "list"), REFUSED, "headcount.db", "headcount-gateway")


def test_a_broker_without_a_gateway_is_said_at_once(broker, tmp_path):
    headcount = Headcount(Gateway(broker, tmp_path).config)
    refused(headcount.run("space", "add", "A", timeout=5), NO_ANSWER, "headcount-gateway")


def test_what_nobody_waits_for_any_more_is_not_carried_out(gateway, headcount):
    headcount("space", "add", "A")
    gateway.stop()
    refused(headcount.run("space", "add", "B"), NO_ANSWER, "no answer", "headcount-gateway")
    gateway.start()
    headcount("space", "add", "C")
    assert list(counts(headcount)) == ["A", "C"]


# The registry


def test_what_is_added_is_listed(headcount):
    headcount("space", "add", "house", "--timezone", "Europe/Berlin")
    given = {"name": "Büro", "timezone": "Europe/Berlin", "capacity": 80, "daily_reset": "04:00", "parent": "house"}
    options = [[f"--{name.replace('_', '-')}", value] for name, value in given.items()]
    answer = headcount.json("space", "add", "A", *sum(options, []))
    assert answer == {"id": "A"} | given
    listed = {row["id"]: row for row in headcount.json("space", "list")}
    assert listed["A"].items() >= answer.items()
    assert listed["house"]["timezone"] == "Europe/Berlin"
    table = headcount("space", "list").splitlines()
    assert len(table) == 3 and "Büro" in table[1] and "house" in table[2]


def test_what_is_set_changes_and_an_empty_text_clears(headcount):
    headcount("space", "add", "A", "--capacity", 80, "--name", "Hall", "--daily-reset", "04:00")
    headcount("space", "set", "A", "--capacity", "", "--daily-reset", "", "--timezone", "America/New_York")
    (space,) = headcount.json("space", "list")
    assert (space["capacity"], space["daily_reset"]) == (None, None)
    assert (space["name"], space["timezone"]) == ("Hall", "America/New_York")


def test_what_is_removed_is_gone(headcount):
    set_up_doorway(headcount)
    refused(headcount.run("space", "remove", "A"), REFUSED, "space A", "refer")
    headcount("installation", "remove", 1)
    for kind, identity in (("doorway", "Z"), ("dpu", "423"), ("space", "A")):
        assert headcount(kind, "remove", identity).endswith("removed\n")
        assert headcount.json(kind, "list") == []


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["space", "add", "A"], ["space A", "id", "already"]),
        (["space", "add", "A/B"], ["id", "characters"]),
        (["space", "set", "B", "--name", "b"], ["B"]),
        (["space", "set", "A", "--capacity", "0"], ["capacity"]),
        (["space", "set", "A", "--timezone", "Mars/Base"], ["timezone"]),
        (["doorway", "add", "Y", "--space", "B"], ["space", "'B'"]),
        (["doorway", "add", "Y"], ["space"]),
        (["installation", "add", "--dpu", "423", "--doorway", "Z", "--from", "2019-01-01"], ["installed"]),
        (["installation", "add", "--dpu", "423"], ["doorway"]),
        (["reset", "A", "1", "--at", "2999-01-01"], ["at", "future"]),
        (["remove-reset", "A", "2018-01-01"], ["at"]),
    ],
)
def test_a_refusal_names_what_is_wrong(headcount, arguments, words):
    set_up_doorway(headcount)
    refused(headcount.run(*arguments), REFUSED, *words)


def test_a_moved_dpu_counts_where_it_hangs(headcount):
    set_up_doorway(headcount)
    headcount("space", "add", "B")
    headcount("doorway", "add", "Y", "--space", "B")
    headcount("move", "423", "Y", "--at", "2020-06-01", "--orientation", "-1")
    ended, begun = headcount.json("installation", "list")
    assert ended["ended_at"] == begun["started_at"] == "2020-06-01T00:00:00.000Z"
    assert (begun["doorway"], begun["orientation"]) == ("Y", -1)
    assert headcount.json("dpu", "list")[0]["doorway"] == "Y"
    rows = csv_of(["timestamp", "direction", "dpu_id"],
                  ["2020-05-31 23:59", "1", "423"], ["2020-06-01 00:00", "-1", "423"])
    headcount("replay", "-", input=rows)
    assert counts(headcount) == {"A": (1, 1), "B": (1, 1)}


def test_a_reset_is_somebodys_word_and_can_be_taken_back(headcount):
    headcount("space", "add", "A")
    headcount("reset", "A", 7, "--at", "2020-01-01")
    assert counts(headcount)["A"][0] == 7
    headcount("remove-reset", "A", "2020-01-01")
    assert counts(headcount)["A"][0] == 0


# Replaying


@pytest.fixture
def doorway(headcount):
    set_up_doorway(headcount)
    return headcount


HEADER = ["dpu_event_time", "count", "dpu_id", "seq"]


def test_columns_are_found_by_their_names(doorway):
    rows = csv_of(["colour", "DPU_ID", " direction ", "timestamp"], ["red", "423", "-1", "2020-01-01T12:00:00+02:00"])
    assert doorway.json("replay", "-", input=rows)["stored"] == 1
    again = csv_of(HEADER, ["1577872800000", "-1", "423", ""])
    assert doorway.json("replay", "-", input=again)["duplicates"] == 1


@pytest.mark.parametrize("missing", ["dpu_event_time", "count", "dpu_id"])
def test_a_missing_column_is_named(doorway, missing):
    header = [name for name in HEADER if name != missing]
    refused(doorway.run("replay", "-", input=csv_of(header)), REFUSED, missing)


def test_a_file_without_anything_is_refused(doorway):
    refused(doorway.run("replay", "-", input=""), REFUSED, "empty")


def test_a_file_that_is_not_there_is_named(doorway):
    refused(doorway.run("replay", "nowhere.csv"), REFUSED, "nowhere.csv")


def test_bad_rows_are_reported_and_the_others_stored(doorway):
    good = ["2020-01-01 12:00", "1", "423", "1"]
    bad = [
        ["noon", "1", "423", "1"],
        ["2020-01-01 12:00", "0", "423", "1"],
        ["2020-01-01 12:00", "101", "423", "1"],
        ["2020-01-01 12:00", "1.0", "423", "1"],
        ["2020-01-01 12:00", "1", "423/x", "1"],
        ["2020-01-01 12:00", "1", "423", "-1"],
        ["2020-01-01 12:00", "1"],
    ]
    malformed = '"2020"-01-01,1,423,1\r\n'
    text = csv_of(HEADER, good, *bad) + malformed + csv_of(["2020-01-01 13:00", "1", "423", "1"])
    result = doorway.run("replay", "-", "--json", input=text)
    assert result.returncode == REFUSED
    assert json.loads(result.stdout) == {"rows": 10, "stored": 2, "duplicates": 0, "rejected": 0, "invalid": 8}
    assert re.findall(r"-:(\d+): ", result.stderr) == [str(line) for line in range(3, 11)]


def test_many_bad_rows_are_only_counted(doorway):
    result = doorway.run("replay", "-", "--json", input=csv_of(HEADER, *[["x"] * 4] * 1000))
    assert json.loads(result.stdout)["invalid"] == 1000
    assert len(result.stderr.splitlines()) < 30


def test_rows_that_cannot_be_stored_are_counted_as_the_gateway_does(doorway):
    rows = csv_of(HEADER, ["2020-01-01 12:00", "1", "423", "1"], ["2017-01-01 12:00", "1", "423", "1"],
                  ["2020-01-01 12:00", "1", "999", "1"])
    result = doorway.run("replay", "-", input=rows)
    assert result.returncode == REFUSED
    assert result.stdout == "3 rows: 1 stored, 0 duplicates, 2 rejected\n"
    assert "headcount rejected list" in result.stderr


@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_large_files_go_in_batches_of_any_size(doorway, batch):
    """At the longest, so that 1000 of them would not fit into one message."""
    rows = [[1577872800000 + number // 2, (-100, 100)[number % 2], "423", 2**53 - 1 - number] for number in range(3000)]
    text = csv_of(HEADER, *rows)
    assert doorway.json("replay", "-", "--batch", batch, input=text)["stored"] == 3000
    assert doorway.json("replay", "-", input=text)["duplicates"] == 3000


# Rejected events


@pytest.fixture
def rejections(doorway, gateway):
    """Three events of unknown DPUs, one that nobody can read, and one before the DPU hung anywhere."""
    rows = csv_of(HEADER, *[["2020-01-01 12:00", "1", dpu, "1"] for dpu in ("7", "8", "9")], ["2017-01-01 12:00", "1", "423", "1"])
    doorway.run("replay", "-", input=rows)
    with Publisher(gateway.broker) as device:
        device.publish("dpu/423/events", "\x1b[31mred\x07")
    wait_until(lambda: len(doorway.json("rejected", "list")) == 5)
    return doorway


def test_rejected_events_are_listed_by_what_is_asked(rejections):
    def reasons(*arguments):
        return [row["reason"] for row in rejections.json("rejected", "list", *arguments)]

    assert sorted(reasons()) == ["malformed", "no_installation"] + ["unknown_dpu"] * 3
    assert reasons("--reason", "malformed") == ["malformed"]
    assert reasons("--dpu", "8") == ["unknown_dpu"]
    assert reasons("--dpu", "8", "--reason", "malformed") == []


def test_a_long_list_is_told_in_parts(rejections):
    whole = [row["id"] for row in rejections.json("rejected", "list", "--limit", "0")]
    part = rejections.run("rejected", "list", "--limit", "2", "--json")
    assert [row["id"] for row in json.loads(part.stdout)] == whole[:2]
    after = re.search(r"--after (\d+)", part.stderr)[1]
    assert [row["id"] for row in rejections.json("rejected", "list", "--after", after)] == whole[2:]


def test_what_a_dpu_sent_cannot_command_the_terminal(rejections):
    listed = rejections("rejected", "list")
    assert "red" in listed
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", listed)


def test_rejected_events_are_judged_again_when_asked(rejections):
    assert rejections.json("rejected", "replay", "--dpu", "7")["rejected"] == 1
    assert rejections("rejected", "replay", "--all") == "0 stored, 0 duplicates, 5 rejected again\n"
    rejections("installation", "set", 1, "--from", "2016-01-01")
    assert rejections.json("rejected", "list", "--reason", "no_installation") == []


def test_rejected_events_are_removed_when_asked(rejections):
    first = rejections.json("rejected", "list")[0]["id"]
    assert rejections("rejected", "remove", first) == "1 removed\n"
    assert rejections.json("rejected", "remove", "--reason", "malformed")["removed"] == 1
    assert rejections.json("rejected", "remove", "--all")["removed"] == 3
    assert rejections.json("rejected", "list") == []


# What is derived


def test_check_finds_what_is_out_of_step_and_rebuild_mends_it(doorway, gateway):
    doorway("replay", "-", input=csv_of(HEADER, ["2020-01-01 12:00", "1", "423", "1"]))
    doorway("space", "add", "B")
    assert doorway("check") == "2 spaces checked: all in step\n"
    gateway.stop()
    with contextlib.closing(sqlite3.connect(gateway.database)) as database, database:
        database.execute("UPDATE occupancy_now SET count = 5 WHERE count = 1")
    gateway.start()
    wrong = doorway.run("check", "--json")
    assert wrong.returncode == REFUSED
    assert {row["space"] for row in json.loads(wrong.stdout)["differences"]} == {"A"}
    assert doorway.run("check", "B").returncode == DONE
    assert doorway("rebuild") == "2 of 2 spaces rebuilt\n"
    assert doorway.json("check", "A") == {"spaces": 1, "differences": []}
    assert counts(doorway)["A"] == (1, 1)


def test_check_finds_crossings_of_an_installation_that_is_missing(doorway, gateway):
    doorway("replay", "-", input=csv_of(HEADER, ["2020-01-01 12:00", "1", "423", "1"]))
    gateway.stop()
    with contextlib.closing(sqlite3.connect(gateway.database)) as database, database:
        with pytest.raises(sqlite3.IntegrityError, match="it has counted"):
            database.execute("DELETE FROM installation")
        database.execute("INSERT INTO installation_count SELECT 7, dpu_event_time, 0, 1, 0 FROM installation_count")
    gateway.start()
    wrong = doorway.run("check")
    assert wrong.returncode == REFUSED
    assert "missing" in wrong.stderr


def test_a_space_that_is_not_there_is_named(doorway):
    for command in ("check", "rebuild"):
        result = doorway.run(command, "A", "nowhere")
        assert result.returncode == REFUSED
        assert "nowhere" in result.stderr and result.stdout.startswith("1 ")


# People who don't exist


def test_seed_data_is_a_plausible_town(headcount, gateway):
    noon = ["--days", "2", "--until", "2026-11-18 12:00"]  # a Wednesday
    first = headcount.json("seed-data", *noon)
    assert first["rejected"] == 0 and first["stored"] == first["crossings"] > 5000
    people = counts(headcount)
    assert all(count == net >= 0 for count, net in people.values()), people
    assert people["harbour"][0] > 50 and people["harbour-east"][0] > 5
    timezones = {row["timezone"] for row in headcount.json("space", "list")}
    assert len(timezones) == 2
    assert gateway.value("SELECT count(*) FROM installation_count WHERE dpu_event_time > unixepoch('2026-11-18 11:00') * 1000") > 50


def test_seed_data_of_a_seed_is_always_the_same(headcount):
    day = ["--days", "1", "--until"]
    first = headcount.json("seed-data", *day, "2026-11-18 12:00")
    again = headcount.json("seed-data", *day, "2026-11-18 12:00")
    assert (again["made"], again["stored"], again["duplicates"]) == (0, 0, first["stored"])
    later = headcount.json("seed-data", *day, "2026-11-18 13:00")
    assert later["duplicates"] == first["stored"] and later["stored"] > 0
    others = headcount.json("seed-data", *day, "2026-11-18 12:00", "--seed", "2")
    assert others["duplicates"] < others["crossings"] / 100


def test_simulated_people_arrive_however_their_uploads_go_wrong(headcount):
    wrong = ["--late", "0.2", "--duplicate", "0.2", "--out-of-order", "0.2"]
    run = headcount.json("simulate", "--dpus", "20", "--rate", "300", "--duration", "2", "--seed", "1", *wrong)
    assert run["crossings"] > 100
    assert min(run["late"], run["duplicated"], run["out_of_order"]) > 10
    assert (run["stored"], run["duplicates"], run["rejected"]) == (run["crossings"], run["duplicated"], 0)
    assert len(headcount.json("dpu", "list")) == 20
    people = counts(headcount)
    assert len(people) == 5 and all(count == net for count, net in people.values()), people
    assert headcount("check") == "5 spaces checked: all in step\n"
    again = headcount.json("simulate", "--dpus", "20", "--rate", "300", "--duration", "1")
    assert again["rejected"] == 0
    assert all(count == net for count, net in counts(headcount).values())


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_simulation_ends_cleanly_when_asked(doorway, gateway, how):
    running = doorway.spawn("simulate", "--rate", "50", "--json")
    try:
        wait_until(lambda: gateway.value("SELECT count(*) FROM installation_count") > 0)
        running.send_signal(how)
        out, err = running.communicate(timeout=20)
    finally:
        running.kill()
    assert running.returncode == DONE, err
    summary = json.loads(out)
    assert summary["stored"] == summary["crossings"] == gateway.value("SELECT count(*) FROM installation_count")


def events_in(gateway):
    return gateway.value("SELECT count(*) FROM installation_count")


def test_devices_that_keep_their_events_lose_nobody_to_a_broker_that_dies_meanwhile(broker, tmp_path):
    with Gateway(broker, tmp_path, {"gateway": {"confirm_stored": True}}) as gateway:
        headcount = Headcount(gateway.config)
        running = headcount.spawn("simulate", "--dpus", "20", "--rate", "200", "--confirm", "--json")
        try:
            wait_until(lambda: events_in(gateway) > 100, message="100 events are stored")
            with Subscriber(broker, "dpu/+/events") as away:
                gateway.kill()
                before = len(away.live())
                wait_until(lambda: len(away.live()) > before + 100, message="100 events at the broker")
            broker.kill()  # and with it what it had acknowledged
            broker.start()
            gateway.start()
            running.send_signal(signal.SIGTERM)
            out, err = running.communicate(timeout=90)
        finally:
            running.kill()
        summary = json.loads(out)
        assert running.returncode == DONE, (summary, err)
        assert (summary["confirmed"], summary["unconfirmed"]) == (summary["crossings"], 0)
        assert summary["crossings"] == events_in(gateway)
        assert summary["sent_again"] > 0
        assert headcount("check").endswith("all in step\n")


def test_an_event_that_is_rejected_is_not_kept_for_ever(broker, tmp_path):
    settings = {"gateway": {"confirm_stored": True}}
    with Gateway(broker, tmp_path, settings) as gateway:
        headcount = Headcount(gateway.config)
        headcount("simulate", "--dpus", "4", "--duration", "0.1")
        running = headcount.spawn("simulate", "--rate", "100", "--confirm", "--json")
        try:
            wait_until(lambda: events_in(gateway) > 10, message="10 events are stored")
            for number in range(1, 5):
                headcount("installation", "remove", number)
            rejected = "SELECT count(*) FROM rejected_event"
            before = gateway.value(rejected)
            wait_until(lambda: gateway.value(rejected) > before, message="an event without installation")
            running.send_signal(signal.SIGTERM)
            out, err = running.communicate(timeout=60)
        finally:
            running.kill()
        summary = json.loads(out)
        assert summary["unconfirmed"] == 0 and summary["rejected"] > 0, (summary, err)
        assert running.returncode == REFUSED


def test_nobody_can_walk_without_doorways(headcount):
    refused(headcount.run("simulate", "--duration", "1"), REFUSED, "no DPU", "seed-data")
