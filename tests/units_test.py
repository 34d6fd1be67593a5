"""The systemd units, as far as that can be judged without systemd, and what the daemons tell it. The units at work: package_test."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time

import pytest

from harness import Api, Gateway, bin_dir

UNITS = ("headcount-gateway.service", "headcount-api.service")
EXPOSURE_MOST = 15  # of 100


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """What an installation puts where, with the units of this machine beside ours."""
    root = tmp_path_factory.mktemp("tree")
    subprocess.run(
        ["cmake", "--install", bin_dir().parent],
        env={**os.environ, "DESTDIR": str(root)},
        check=True,
        capture_output=True,
    )
    shutil.copytree("/lib/systemd/system", root / "lib/systemd/system", symlinks=True)
    (root / "bin").mkdir()
    shutil.copy("/bin/sh", root / "bin/sh")
    return root


def complaints(tree):
    """What systemd finds wrong in the units, their documentation included."""
    (manuals,) = tree.glob("**/share/man")
    result = subprocess.run(
        ["systemd-analyze", "verify", f"--root={tree}", *UNITS],
        env={**os.environ, "MANPATH": str(manuals)},
        capture_output=True,
        text=True,
    )
    return result.stdout + result.stderr


def test_systemd_finds_nothing_wrong(tree):
    assert complaints(tree) == ""


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_may_do_little(tree, unit):
    (path,) = tree.glob(f"usr*/**/{unit}")
    result = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE_MOST}", "--no-pager", path],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_systemd_finds_what_is_wrong(tree, tmp_path):
    wrong = tmp_path / "tree"
    shutil.copytree(tree, wrong, symlinks=True)
    (unit,) = wrong.glob(f"usr*/**/{UNITS[0]}")
    unit.write_text(unit.read_text().replace("Restart=", "Restrat="))
    assert "Restrat" in complaints(wrong)


class Systemd:
    """The socket that a daemon reports to: what it told so far, a set of lines for each message."""

    def __init__(self, folder):
        self.path = str(folder / "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(1)
        self.told = []

    def spawn(self, daemon, watchdog_ms=3000):
        """Starts a daemon that reports here; mosquitto would, too, if it was told of the socket."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("NOTIFY_SOCKET", self.path)
            patch.setenv("WATCHDOG_USEC", str(watchdog_ms * 1000))
            daemon.spawn()

    def wait_for(self, line, timeout=30):
        """Reads on until a message says `line`, or begins a line with it; that message."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            with contextlib.suppress(TimeoutError):
                self.told.append(self.socket.recv(4096).decode().splitlines())
                if any(each.startswith(line) for each in self.told[-1]):
                    return self.told[-1]
        raise AssertionError(f"systemd was not told {line} within {timeout} s, but {self.told}")


@pytest.fixture
def systemd(tmp_path):
    made = Systemd(tmp_path)
    with contextlib.closing(made.socket):
        yield made


def check_life(systemd, daemon):
    """What every daemon tells from its readiness to its end, which must follow."""
    assert not any("READY=1" in message for message in systemd.told)
    assert "STATUS=working" in systemd.wait_for("READY=1")
    for _ in range(3):
        systemd.wait_for("WATCHDOG=1")
    daemon.signal(signal.SIGHUP)
    assert any(line.startswith("MONOTONIC_USEC=") for line in systemd.wait_for("RELOADING=1"))
    systemd.wait_for("READY=1")


def test_the_gateway_tells_systemd_how_it_is(broker, tmp_path, systemd):
    gateway = Gateway(broker, tmp_path)
    broker.stop()
    systemd.spawn(gateway)
    # An old database may be large: while it is opened, systemd is to be patient.
    systemd.wait_for("EXTEND_TIMEOUT_USEC=")
    # Without a broker it is alive, and not ready.
    systemd.wait_for("STATUS=connecting")
    systemd.wait_for("STATUS=broker: ")
    systemd.wait_for("WATCHDOG=1")
    broker.start()
    check_life(systemd, gateway)
    broker.stop()
    systemd.wait_for("STATUS=broker: ")
    broker.start()
    assert "STATUS=working" in systemd.wait_for("READY=1")
    gateway.stop()
    assert systemd.wait_for("STOPPING=1") == ["STOPPING=1", "STATUS=stopping"]


def test_the_http_side_tells_systemd_how_it_is(gateway, tmp_path, systemd):
    api = Api(gateway, tmp_path)
    systemd.spawn(api)
    check_life(systemd, api)
    api.stop()
    assert systemd.wait_for("STOPPING=1") == ["STOPPING=1", "STATUS=stopping"]


def test_the_http_side_stops_feeding_the_watchdog_when_it_hangs(gateway, tmp_path, systemd):
    api = Api(gateway, tmp_path, {"store": {"database": tmp_path / "pipe"}})
    os.mkfifo(tmp_path / "pipe")  # who opens it for reading waits for a writer, for ever
    systemd.spawn(api, watchdog_ms=1500)
    systemd.wait_for("STATUS=reading the database hangs")
    with pytest.raises(AssertionError):
        systemd.wait_for("WATCHDOG=1", timeout=3)  # turns of a second
    api.kill()
