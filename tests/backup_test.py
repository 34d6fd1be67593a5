"""A backup is whole, sound and of one moment, or it is not there; a restored database begins a life of its own, in
which all that was told before is overtaken."""

import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import stat
import threading
import time
from pathlib import Path

import pytest

import recount
from devices import DPUS, build
from harness import Api, Broker, Gateway, Headcount, retained_topics, wait_until
from loader import Loader

START = 1_700_000_000_000
RATE = 5000  # events a second
ARRAY = 25


@pytest.fixture
def broker(tmp_path):
    with Broker(tmp_path) as running:
        yield running


@pytest.fixture
def gateway(broker, tmp_path):
    with Gateway(broker, tmp_path) as running:
        build(running)
        yield running


@pytest.fixture
def headcount(gateway):
    return Headcount(gateway.config)


def array(dice, first, count):
    return json.dumps(
        [
            {"dpu_event_time": START + n * 40, "count": dice.choice((1, 1, -1)), "seq": n}
            for n in range(first, first + count)
        ]
    ).encode()


def fill(gateway, events):
    """So many events, at least."""
    dice = random.Random(7)
    with Loader(gateway.broker.port, "filler") as loader:
        for first in range(0, events, 1000):
            loader.send(f"dpu/{dice.choice(DPUS)}/events", array(dice, first, 1000))
        loader.flush()
    wait_until(lambda: rows(gateway) >= events, 120, lambda: f"{rows(gateway)} of {events} stored")


def rows(gateway):
    return gateway.value("SELECT count(*) FROM installation_count")


@contextlib.contextmanager
def load(gateway):
    """5,000 events a second, as long as the context lasts."""
    done = threading.Event()
    failures = []

    def publish():
        dice = random.Random(8)
        began, sent = time.monotonic(), 10_000_000
        try:
            with Loader(gateway.broker.port, "load") as loader:
                while not done.wait(ARRAY / RATE):
                    while sent - 10_000_000 < (time.monotonic() - began) * RATE:
                        loader.send(f"dpu/{dice.choice(DPUS)}/events", array(dice, sent, ARRAY))
                        sent += ARRAY
                loader.flush()
        except BaseException as failure:
            failures.append(failure)
            raise

    thread = threading.Thread(target=publish, daemon=True)
    thread.start()
    yield
    done.set()
    thread.join(120)
    assert not failures, failures


def facts(database):
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return set(
            connection.execute("SELECT installation, dpu_event_time, seq, count FROM installation_count")
        )


def files_beside(path):
    return sorted(name.name for name in path.parent.iterdir() if name.name.startswith(path.name))


# Making one


def test_a_backup_under_load_is_of_one_moment_and_restores_to_a_clean_check(gateway, headcount, tmp_path):
    fill(gateway, 20_000)
    backup = tmp_path / "backup.db"
    with load(gateway):
        wait_until(lambda: rows(gateway) > 25_000, 60, "the load is on")
        before = facts(gateway.database)
        said = headcount.json("backup", backup)
        taken = facts(backup)
        wait_until(lambda: rows(gateway) > len(taken), 60, "events are stored after the backup")
    assert said == {"file": str(backup), "bytes": backup.stat().st_size}
    assert files_beside(backup) == ["backup.db"]
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    gateway.stop()
    assert before < taken < facts(gateway.database)

    headcount("restore", backup)
    assert facts(gateway.database) == taken
    assert headcount.run("check").returncode == 0
    recount.check_counts(recount.world_of(gateway), gateway)


def test_a_backup_does_not_overwrite_unless_it_is_told_to(gateway, headcount, tmp_path):
    backup = tmp_path / "backup.db"
    backup.write_text("something else")
    refused = headcount.run("backup", backup)
    assert refused.returncode == 1
    assert "--force" in refused.stderr
    assert backup.read_text() == "something else"
    headcount("backup", backup, "--force")
    assert facts(backup) == set()
    assert files_beside(backup) == ["backup.db"]


def test_a_backup_of_what_is_out_of_step_is_none(gateway, headcount, tmp_path):
    fill(gateway, 1000)
    backup = tmp_path / "backup.db"
    gateway.stop()
    with contextlib.closing(sqlite3.connect(gateway.database)) as connection:
        connection.execute("UPDATE occupancy_now SET count = count + 1 WHERE space = 1")
        connection.commit()
    refused = headcount.run("backup", backup)
    assert refused.returncode == 1
    assert "house: the count kept is" in refused.stderr
    assert files_beside(backup) == []
    headcount("backup", backup, "--quick")
    assert headcount.run("restore", backup).returncode == 1
    headcount("restore", backup, "--quick")


@pytest.mark.parametrize("number, left", [(signal.SIGINT, []), (signal.SIGKILL, ["backup.db.partial"])])
def test_a_backup_that_is_cut_short_leaves_none(number, left, gateway, headcount, tmp_path):
    fill(gateway, 60_000)
    backup = tmp_path / "backup.db"
    partial = tmp_path / "backup.db.partial"
    process = headcount.spawn("backup", backup)
    wait_until(partial.exists, 30, "the copy is begun")
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert files_beside(backup) == left
    headcount("backup", backup)
    assert files_beside(backup) == ["backup.db"]
    assert facts(backup) == facts(gateway.database)


def test_a_backup_needs_room(gateway, headcount):
    refused = headcount.run("backup", "/proc/backup.db")
    assert refused.returncode == 1
    assert "/proc/backup.db.partial" in refused.stderr


# Restoring one


def test_nothing_is_restored_while_a_gateway_runs(gateway, headcount, tmp_path):
    backup = tmp_path / "backup.db"
    headcount("backup", backup)
    refused = headcount.run("restore", backup)
    assert refused.returncode == 1
    assert "in use by another headcount-gateway" in refused.stderr
    assert not list(gateway.database.parent.glob("*.before-*"))


def damaged(path):
    """A byte of a page in the middle is another one."""
    with open(path, "r+b") as file:
        file.seek(path.stat().st_size // 2 // 4096 * 4096)
        file.write(b"\xff" * 100)


def cut_off(path):
    os.truncate(path, path.stat().st_size // 2)


def no_database(path):
    path.write_text("something else")


def of_another_program(path):
    path.unlink()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE other (id INTEGER)")


def newer(path):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")


@pytest.mark.parametrize("harm", [damaged, cut_off, no_database, of_another_program, newer])
def test_what_is_not_sound_is_not_restored(harm, gateway, headcount, tmp_path):
    fill(gateway, 5000)
    backup = tmp_path / "backup.db"
    headcount("backup", backup)
    gateway.stop()
    harm(backup)
    before = facts(gateway.database)
    refused = headcount.run("restore", backup)
    assert refused.returncode == 1, refused.stdout
    assert refused.stderr
    assert facts(gateway.database) == before
    assert not list(gateway.database.parent.glob("*.before-*"))
    assert not list(gateway.database.parent.glob("*.restoring*"))


@pytest.mark.parametrize("name", ["restoring", "writer"])
def test_a_restore_writes_through_nobody_s_link(name, gateway, headcount, tmp_path):
    """Root restores in a folder that is the gateway's: what lies there may lead anywhere."""
    fill(gateway, 1000)
    backup = tmp_path / "backup.db"
    headcount("backup", backup)
    gateway.stop()
    precious, new = tmp_path / "precious", tmp_path / "new"
    precious.write_text("mine")
    before = precious.stat()
    for target in (precious, new):
        link = Path(f"{gateway.database}.{name}")
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        headcount.run("restore", backup)
    assert precious.read_text() == "mine" and not new.exists()
    after = precious.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_root_restores_belongs_to_the_gateway_s_user(gateway, headcount, tmp_path):
    fill(gateway, 1000)
    backup = tmp_path / "backup.db"
    headcount("backup", backup)
    gateway.stop()
    folder = gateway.database.parent
    for path in folder.glob("headcount.db*"):
        path.unlink()
    before = folder.stat()
    os.chown(folder, 65534, 65534)
    try:
        headcount("restore", backup)
    finally:
        os.chown(folder, before.st_uid, before.st_gid)
    owners = {path.name: path.stat().st_uid for path in folder.glob("headcount.db*")}
    assert set(owners) >= {"headcount.db", "headcount.db.writer"} and set(owners.values()) == {65534}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_backup_is_written_into_no_file_of_somebody_else(gateway, headcount, tmp_path):
    waiting = tmp_path / "backup.db.partial"
    waiting.touch(0o666)
    os.chown(waiting, 65534, 65534)
    result = headcount.run("backup", tmp_path / "backup.db")
    assert result.returncode == 1 and "somebody else" in result.stderr
    assert waiting.read_bytes() == b""


def test_the_database_of_before_is_kept_whole(gateway, headcount, tmp_path):
    fill(gateway, 1000)
    backup = tmp_path / "backup.db"
    headcount("backup", backup)
    fill(gateway, 3000)
    gateway.kill()  # with much of it in the WAL
    os.chmod(gateway.database, 0o640)
    before = facts(gateway.database)
    kept = headcount.json("restore", backup)["kept"]
    assert facts(kept) == before
    assert facts(gateway.database) == facts(backup)
    assert stat.S_IMODE(gateway.database.stat().st_mode) == 0o640


def test_a_database_that_is_lost_or_ruined_is_restored(gateway, headcount, tmp_path):
    fill(gateway, 1000)
    backup = tmp_path / "backup.db"
    headcount("backup", backup)
    gateway.stop()
    no_database(gateway.database)
    (gateway.database.parent / "headcount.db-wal").unlink()
    kept = headcount.json("restore", backup)["kept"]
    assert facts(gateway.database) == facts(backup)
    assert Path(kept).read_text() == "something else"
    for path in gateway.database.parent.glob("headcount.db*"):
        path.unlink()
    assert headcount.json("restore", backup)["kept"] is None
    assert facts(gateway.database) == facts(backup)
    assert headcount.run("check").returncode == 0


def revisions(broker):
    return {
        topic: json.loads(payload)["revision"]
        for topic, payload in retained_topics(broker, "space/+/state").items()
    }


def test_what_was_told_before_is_overtaken(gateway, headcount, tmp_path):
    """Displays and browsers that know the state of after the backup take the one of before."""
    fill(gateway, 1000)
    recount.wait_for_retained(gateway)
    backup = tmp_path / "backup.db"
    headcount("backup", backup)
    headcount("space", "add", "later")
    fill(gateway, 3000)
    with Api(gateway, tmp_path) as api:
        api.wait_connected()
        told = api.get("/spaces/house")
        assert told.json()["count"] == gateway.value(
            "SELECT count FROM occupancy_now WHERE space = 1"
        )
        recount.wait_for_retained(gateway)
        before = revisions(gateway.broker)
        gateway.stop()
        headcount("restore", backup)
        gateway.start()
        recount.wait_for_retained(gateway)
        after = revisions(gateway.broker)
        assert after.keys() == before.keys() - {"space/later/state"}
        assert min(after.values()) > max(before.values())
        assert max(after.values()) < 2**53
        # Whichever of its threads answers, and however lately that has looked.
        for _ in range(20):
            again = api.get("/spaces/house", headers={"If-None-Match": told.headers["ETag"]})
            assert again.status == 200 and again.json()["revision"] > max(before.values())
            assert api.get("/spaces/later").status == 404
        assert again.json()["count"] == gateway.value(
            "SELECT count FROM occupancy_now WHERE space = 1"
        )
        # What the gateway had acknowledged after the backup can be sent again.
        fill(gateway, 3000)
    assert headcount.run("check").returncode == 0


def test_a_restore_that_is_killed_leaves_one_of_the_two(gateway, headcount, tmp_path):
    fill(gateway, 2000)
    backup = tmp_path / "backup.db"
    headcount("backup", backup)
    fill(gateway, 4000)
    gateway.stop()
    old, restored = facts(gateway.database), facts(backup)
    dice = random.Random()
    shutil.copy(gateway.database, tmp_path / "old.db")
    for _ in range(8):
        process = headcount.spawn("restore", backup)
        time.sleep(dice.uniform(0, 0.6))  # any moment will do
        process.kill()
        process.communicate()
        assert facts(gateway.database) in (old, restored)
        assert headcount.run("check").returncode == 0
    headcount("restore", backup)
    assert facts(gateway.database) == restored
    with gateway:
        recount.wait_for_retained(gateway)


def test_restores_one_after_the_other_keep_a_copy_each(gateway, headcount, tmp_path):
    backup = tmp_path / "backup.db"
    headcount("backup", backup)
    gateway.stop()
    for _ in range(4):  # within one second or two
        headcount("restore", backup)
    assert len(list(gateway.database.parent.glob("*.before-*Z"))) == 4
