"""scripts/quickstart as a newcomer runs it: builds release, starts everything, ends it again."""

import contextlib
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import urllib.request
from types import SimpleNamespace

import pytest

from harness import SOURCE_DIR, free_port, port_open, retained_topics, wait_until

QUICKSTART = SOURCE_DIR / "scripts" / "quickstart"
BUILD_SECONDS = 600


class Quickstart:
    """A running quickstart; what its ready line says as attributes."""

    def __init__(self, log_path, *options):
        self.log_path = log_path
        self.ready = None
        with open(log_path, "wb") as log:
            self.process = subprocess.Popen(
                [QUICKSTART, "--no-install", *map(str, options)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                # A shell that was started with SIGINT ignored could not heed it.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )

    def output(self):
        return self.log_path.read_text(errors="replace")

    def wait_ready(self):
        def is_ready():
            if self.process.poll() is not None:
                raise AssertionError(f"ended with {self.process.returncode}\n{self.output()}")
            return re.search(r"^ready .*\n", self.output(), re.M)

        line = wait_until(is_ready, BUILD_SECONDS, lambda: f"ready\n{self.output()}")[0]
        self.ready = SimpleNamespace(**dict(word.split("=", 1) for word in shlex.split(line)[1:]))
        self.ready.mqtt = int(self.ready.mqtt)
        self.ready.http = int(self.ready.http)
        return self

    @property
    def broker(self):
        return SimpleNamespace(port=self.ready.mqtt, login=(None, None))

    def children(self):
        task = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        with open(task) as children:
            return {
                int(pid): os.path.basename(os.readlink(f"/proc/{pid}/exe"))
                for pid in children.read().split()
            }

    def headcount(self, *arguments):
        return subprocess.run(
            [f"{self.ready.bin}/headcount", "--config", self.ready.config, *arguments],
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        ).stdout

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(60)


@contextlib.contextmanager
def quickstart(log_path, *options):
    running = Quickstart(log_path, *options)
    try:
        yield running.wait_ready()
    finally:
        if running.process.poll() is None:
            running.end()


def exists(pid):
    return os.path.exists(f"/proc/{pid}")


def test_a_simulated_building_is_alive(tmp_path):
    with quickstart(tmp_path / "log") as running:
        counts = wait_until(
            lambda: retained_topics(running.broker, "space/+/count"), 60, "retained counts"
        )
        assert len(counts) > 5
        assert {space["id"] for space in json.loads(running.headcount("space", "list", "--json"))} == {
            topic.split("/")[1] for topic in counts
        }
        address = f"http://127.0.0.1:{running.ready.http}/"
        assert f"In a browser: {address}\n" in running.output()
        with urllib.request.urlopen(address + "web/dygraph.min.js") as script:
            assert script.status == 200
        folder = running.ready.data
        assert running.end() == 0
        assert not os.path.exists(folder)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything_and_keeps_the_data_asked_for(tmp_path, number):
    data = tmp_path / "a folder of mine"
    with quickstart(tmp_path / "log", "--no-demo", "--data", data) as running:
        assert running.ready.data == str(data)
        children = running.children()
        assert {"mosquitto", "headcount-gateway"} <= set(children.values())
        assert running.end(number) == 0
        assert not any(exists(pid) for pid in children)
        assert not port_open(running.ready.mqtt)
    assert (data / "headcount.db").exists()


def test_two_run_side_by_side_and_a_third_finds_its_port_taken(tmp_path):
    with quickstart(tmp_path / "log-1", "--no-demo") as one:
        with quickstart(tmp_path / "log-2", "--no-demo") as two:
            ports = {one.ready.mqtt, one.ready.http, two.ready.mqtt, two.ready.http}
            assert len(ports) == 4
            one.headcount("space", "add", "A")
            assert [space["id"] for space in json.loads(one.headcount("space", "list", "--json"))] == ["A"]
            assert json.loads(two.headcount("space", "list", "--json")) == []
            third = Quickstart(tmp_path / "log-3", "--no-demo", "--mqtt-port", one.ready.mqtt)
            assert third.process.wait(BUILD_SECONDS) != 0
            assert f"port {one.ready.mqtt} is taken" in third.output()


def test_ports_are_those_asked_for(tmp_path):
    mqtt, http = free_port(), free_port()
    with quickstart(tmp_path / "log", "--no-demo", "--mqtt-port", mqtt, "--http-port", http) as running:
        assert (running.ready.mqtt, running.ready.http) == (mqtt, http)
        assert port_open(mqtt)


def test_a_broker_that_is_there_already_is_left_alone(tmp_path):
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # somebody else has it: just as well
            other.bind(("127.0.0.1", 1883))
            other.listen()
        with quickstart(tmp_path / "log", "--no-demo") as running:
            assert running.ready.mqtt > 1883


def test_a_program_that_dies_ends_all_and_its_log_is_shown(tmp_path):
    with quickstart(tmp_path / "log", "--no-demo") as running:
        children = running.children()
        gateway = next(pid for pid, name in children.items() if name == "headcount-gateway")
        os.kill(gateway, signal.SIGKILL)
        assert running.process.wait(60) != 0
        assert "headcount-gateway has ended" in running.output()
        assert not any(exists(pid) for pid in children)


def test_nothing_is_left_when_it_is_killed(tmp_path):
    data = tmp_path / "data"
    with quickstart(tmp_path / "log", "--no-demo", "--data", data) as running:
        children = running.children()
        running.end(signal.SIGKILL)
        wait_until(lambda: not any(exists(pid) for pid in children), 30, "the programs end too")


def test_a_wrong_option_is_said(tmp_path):
    result = subprocess.run([QUICKSTART, "--port", "1"], capture_output=True, text=True)
    assert result.returncode != 0
    assert "--port" in result.stderr
