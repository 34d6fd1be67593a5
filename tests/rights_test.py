"""headcount-api runs as a user who may read the database by its group and change nothing: with that user's rights, every
way to change a file of it is tried, in each state that the gateway may leave it in."""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

import web_folder
from harness import Api, Broker, Gateway, Headcount, bin_dir

# Nobody else's on this machine; names are not needed.
GATEWAY_GROUP, API_USER = 60123, 60124
AS_API = ["setpriv", f"--reuid={API_USER}", f"--regid={GATEWAY_GROUP}", "--clear-groups"]
ACCESS_MODE = 0o3  # of the flags of an open file: 0 is reading

# Tries all that would change the database or its folder; prints what has worked.
ATTEMPTS = """
import contextlib, json, os, sqlite3, sys
database = sys.argv[1]
folder = os.path.dirname(database)
worked = []
def attempt(name, work):
    with contextlib.suppress(PermissionError, sqlite3.OperationalError):
        work()
        worked.append(name)
def change(sql):
    with contextlib.closing(sqlite3.connect(database, timeout=1)) as connection:
        connection.execute(sql)
        connection.commit()
with open(database, "rb") as file:
    worked.append("read") if file.read(6) == b"SQLite" else None
attempt("a file beside it", lambda: open(os.path.join(folder, "new"), "wb").close())
attempt("a row", lambda: change("INSERT INTO space (space_id) VALUES ('forged')"))
attempt("a count", lambda: change("UPDATE occupancy_now SET count = 99"))
attempt("the audit", lambda: change("DELETE FROM audit"))
attempt("the schema", lambda: change("PRAGMA user_version = 99"))
for name in sorted(os.listdir(folder)):
    path = os.path.join(folder, name)
    attempt("write " + name, lambda: open(path, "r+b").close())
    attempt("mode of " + name, lambda: os.chmod(path, 0o666))
    attempt("rename " + name, lambda: (os.rename(path, path + ".moved"), os.rename(path + ".moved", path)))
    attempt("remove " + name, lambda: os.unlink(path))
print(json.dumps(worked))
"""


class OtherUsersApi(Api):
    """An api that runs as its own user, of the gateway's group."""

    def command(self):
        # Where the build is, that user may not be able to look.
        program = shutil.copy(bin_dir() / "headcount-api", self.folder)
        return [*AS_API, program, "--config", str(self.config)]


@pytest.fixture
def folder():
    """One that other users may look into, unlike those of pytest."""
    made = Path(tempfile.mkdtemp(prefix="headcount-rights-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@contextlib.contextmanager
def umask(mask):
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def worked(gateway, as_whom):
    said = subprocess.run(
        [*as_whom, "/usr/bin/python3", "-c", ATTEMPTS, gateway.database], check=True, capture_output=True, text=True
    )
    return json.loads(said.stdout)


def open_files(api, folder):
    """{path: access mode} of what the api has open there."""
    found = {}
    for number in os.listdir(f"/proc/{api.pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            path = os.readlink(f"/proc/{api.pid}/fd/{number}")
            if path.startswith(str(folder)):
                (flags,) = [
                    line.split()[1]
                    for line in Path(f"/proc/{api.pid}/fdinfo/{number}").read_text().splitlines()
                    if line.startswith("flags:")
                ]
                found[path] = int(flags, 8) & ACCESS_MODE
    return found


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a program as another user")
def test_the_http_side_reads_and_can_change_nothing(folder):
    with Broker(folder) as broker:
        gateway = Gateway(broker, folder)
        # As StateDirectory, StateDirectoryMode and UMask of the gateway's unit have it.
        os.chown(gateway.folder, 0, GATEWAY_GROUP)
        gateway.folder.chmod(0o2750)
        with umask(0o027):
            gateway.start()
        settings = {"api": {"web_dir": web_folder.write_pages(folder / "pages")}}
        with OtherUsersApi(gateway, folder, settings) as api:
            api.wait_connected()
            assert os.stat(f"/proc/{api.pid}").st_uid == API_USER
            Headcount(gateway.config)("space", "add", "A")

            def check():
                assert api.ask("/spaces/A")["count"] == 0
                assert worked(gateway, AS_API) == ["read"]
                assert gateway.value("SELECT count(*) FROM space") == 1
                opened = open_files(api, gateway.folder)
                assert str(gateway.database) in opened
                assert set(opened.values()) == {os.O_RDONLY}, opened

            check()
            with umask(0o027):
                gateway.kill()
                check()
                gateway.start()
                check()
                gateway.stop()
                check()
        # The attempts are not in vain: who may, can.
        shutil.copytree(gateway.folder, folder / "gateway-copy")
        gateway.database = folder / "gateway-copy" / "headcount.db"
        expected = {"a row", "a count", "the audit", "the schema", "a file beside it", "remove headcount.db"}
        assert expected <= set(worked(gateway, []))
