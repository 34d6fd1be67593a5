"""The faults, a cell each: a function that makes one happen to a system, which fault_matrix.py calls again and again."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import harness
from fault_system import System
from harness import Broker, Gateway, Headcount, wait_until
from link import Link

CELLS = {}


@dataclass
class Cell:
    name: str
    fault: object
    times: int
    system: type
    check_every: int
    needs_root: bool
    waits: bool


def cell(name, times=20, system=System, check_every=5, needs_root=False, waits=False):
    """The function makes one fault happen; what it kills is revived after it. One that mostly waits can do so beside others."""

    def add(fault):
        CELLS[name] = Cell(name, fault, times, system, check_every, needs_root, waits)
        return fault

    return add


class Keepers(System):
    """Devices that keep their events until the gateway has confirmed them."""

    confirm = True


@cell("gateway killed", times=60, check_every=10)
def kill_gateway(system):
    system.wait(0.0, 0.4)
    system.kill(system.gateway)
    system.wait(0.0, 0.2)


@cell("http side killed", times=20)
def kill_api(system):
    system.wait(0.0, 0.4)
    system.kill(system.api)


@cell("broker killed, gateway there", times=20)
def kill_broker(system):
    system.wait_until_caught_up()
    system.count_cellar()  # this is not said again by itself, and the broker has not saved it
    system.wait(0.0, 0.4)
    system.kill(system.broker)


@cell("broker killed, devices keep", times=20, system=Keepers)
def kill_broker_of_keepers(system):
    kill_broker(system)


@cell("all killed, devices keep", times=20, system=Keepers)
def kill_all(system):
    system.wait(0.0, 0.4)
    system.kill(*system.daemons)
    system.wait(0.0, 0.2)


@cell("broker killed while the gateway is away, devices keep", times=20, system=Keepers)
def kill_broker_behind_gateway(system):
    system.kill(system.gateway)
    system.wait(0.1, 0.5)
    system.kill(system.broker)


def named_point(point, most):
    """The gateway dies at a point of a batch: at one of the next so many calls."""

    @cell(f"killed {point}", times=20)
    def die(system):
        system.arm(point, system.dice.randint(1, most))
        system.wait_until_fired()
        system.wait_until_dead()


for point, most in (
    ("before a write to the WAL", 100),
    ("within a write to the WAL", 100),
    ("before the sync of the WAL", 5),
    ("after the sync of the WAL", 5),
    ("before a write to the broker", 20),
    ("within a write to the broker", 20),
    ("after a write to the broker", 20),
):
    named_point(point, most)


class Lone(System):
    """The gateway alone has the database open: it copies the WAL back when it ends."""

    with_api = False


def ends_dying(system, point, most):
    """The gateway is asked to end, and meant to die at one of the next so many calls; false if it made fewer."""
    system.wait(0.3, 0.6)
    system.arm(point, system.dice.randint(1, most))
    system.gateway.process.terminate()
    wait_until(lambda: not system.gateway.running, 10, "the gateway has ended")
    return system.trouble.fired()


def checkpoint_point(point, most):
    @cell(f"killed {point}", times=20, system=Lone)
    def die_checkpointing(system):
        for _ in range(20):
            if ends_dying(system, point, most):
                system.wait_until_dead()
                return
            system.revive()
            system.wait_for_progress()
        raise AssertionError(f"no gateway that ended came to the point {point}")


for point, most in (
    ("before a write to the database", 20),
    ("within a write to the database", 20),
    ("before the sync of the database", 1),
    ("after the sync of the database", 1),
):
    checkpoint_point(point, most)


# Storage

class Recorded(System):
    """What is not synced is known, so that it can be lost."""

    keeps_record = True


def storage_trouble(name, point, most, longest):
    """Calls fail for a while: at one of the next so many it begins."""

    @cell(name, times=20, system=Recorded)
    def fail(system):
        system.arm(point, system.dice.randint(1, most), times=system.dice.randint(1, longest))
        system.wait_until_fired()
        system.wait(0.0, 0.5)
        system.trouble.disarm()


for name, point, most, longest in (
    ("disk full, says the write", "no space", 50, 5),
    ("disk read-only", "read-only", 50, 5),
    ("write fails", "failing write", 50, 5),
    ("sync fails and forgets", "failing sync", 5, 3),
):
    storage_trouble(name, point, most, longest)


@cell("read fails", times=20)
def fail_reading(system):
    """Of a gateway that starts: later on it has all of a small database in memory."""
    for countdown in (system.dice.randint(1, 30), 1):
        system.arm("failing read", countdown, times=system.dice.randint(1, 5))
        system.kill(system.gateway)
        system.gateway.spawn()
        with contextlib.suppress(AssertionError):
            wait_until(system.trouble.fired, 2)
            break
    system.wait_until_fired()
    system.wait(0.0, 0.3)
    system.trouble.disarm()


@cell("power lost", times=20, system=Recorded)
def lose_power(system):
    """The machine of the gateway and the HTTP side goes off; the broker's does not."""
    system.arm("power loss", system.dice.randint(1, 60))
    system.wait_until_fired()
    system.wait_until_dead()
    system.kill(system.api)
    Path(f"{system.gateway.database}-shm").write_bytes(system.dice.randbytes(32768))


class SmallDisk(System):
    """The database is on a file system of its own that is soon full."""

    def make(self):
        disk = self.folder / "disk"
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", disk], check=True)
        self.disk = disk
        self.settings = {"store": {"database": disk / "headcount.db"}}
        super().make()

    def make_gateway(self, settings):
        gateway = super().make_gateway(settings)
        gateway.database = self.disk / "headcount.db"
        return gateway

    def end(self):
        super().end()
        subprocess.run(["umount", "--lazy", self.disk], check=True)

    def fill(self):
        ballast = self.disk / "ballast"
        with open(ballast, "wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        return ballast


@cell("disk full", times=20, system=SmallDisk, needs_root=True)
def fill_disk(system):
    with system.said_in_health("full"):
        ballast = system.fill()
    system.wait(0.0, 0.5)
    ballast.unlink()


@cell("started on a read-only disk", times=20, system=SmallDisk, needs_root=True)
def start_read_only(system):
    system.kill(system.gateway, system.api)
    subprocess.run(["mount", "-o", "remount,ro", system.disk], check=True)
    system.gateway.spawn()
    code = system.gateway.wait()
    assert code == os.EX_CONFIG, f"{code}\n{system.gateway.log()}"
    assert f"the folder {system.disk} can't be written" in system.gateway.log()
    subprocess.run(["mount", "-o", "remount,rw", system.disk], check=True)


@contextlib.contextmanager
def locked(system):
    with contextlib.closing(sqlite3.connect(system.gateway.database, timeout=30)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@cell("database locked", times=20)
def lock_database(system):
    with locked(system):
        system.wait(0.0, 0.6)


@cell("database locked for long", times=20)
def lock_database_long(system):
    with system.said_in_health("locked"), locked(system):
        system.wait(6.0, 6.5)  # longer than SQLite waits for it


@cell("second gateway", times=20)
def start_second(system):
    """Beside the first, or both at once: one of them refuses, and says why."""
    second = Gateway(
        system.broker,
        system.folder / "second",
        {"store": {"database": system.gateway.database}, "gateway": {"client_id": "second"}},
    )
    at_once = system.dice.random() < 0.5
    if at_once:
        system.kill(system.gateway)
    pair = [second, system.gateway] if at_once else [second]
    for gateway in pair:
        gateway.spawn()
    loser = wait_until(lambda: next((g for g in pair if not g.running), None), 30, "one has ended")
    assert loser.wait() == os.EX_TEMPFAIL, loser.log()
    assert f"{system.gateway.database} is in use by another headcount-gateway" in loser.log()
    if second.running:
        second.stop()
    second.check_sanitizers()
    harness.daemons.remove(second)


# Memory


def no_memory(library, most, *ends):
    """An allocation fails. GLib ends the program then, by design; libraries say so, or we end it as GLib does."""

    @cell(f"no memory for {library}", times=20)
    def fail(system):
        system.arm("no memory", system.dice.randint(1, most), library=f"lib{library}")
        if system.dice.random() < 0.3:
            system.kill(system.gateway)  # while it starts
            system.gateway.spawn()
        wait_until(lambda: system.trouble.fired() or system.rename_dpu(), 30, "an allocation has failed")
        system.wait(0.05, 0.2)
        if not system.gateway.running:
            code = system.gateway.wait()
            assert code in (*ends, os.EX_IOERR, os.EX_UNAVAILABLE), f"the gateway ended with {code}"


for library, most, *ends in (
    ("sqlite3", 200),
    ("json-c", 20, -signal.SIGTRAP, -signal.SIGABRT),
    ("glib", 500, -signal.SIGTRAP, -signal.SIGABRT),
    ("mosquitto", 100),
):
    no_memory(library, most, *ends)


# The HTTP side


def api_trouble(name, point, most, **options):
    """It may answer that it can't, or end; what it answers must be right."""

    @cell(name, times=20)
    def fail(system):
        seed = system.dice.randrange(2**31)
        system.api_trouble.arm(point, system.dice.randint(1, most), times=system.dice.randint(1, 3), seed=seed, **options)
        wait_until(lambda: system.api_trouble.fired() or not system.api.running, 30, "a call has failed")
        system.wait(0.05, 0.2)
        system.api_trouble.disarm()
        code = 0 if system.api.running else system.api.wait()
        assert code in (0, -signal.SIGTRAP, -signal.SIGABRT, os.EX_IOERR), f"the HTTP side ended with {code}"


api_trouble("http side: read fails", "failing read", 50)
api_trouble("http side: no memory for sqlite3", "no memory", 100, library="libsqlite3")
api_trouble("http side: no memory for glib", "no memory", 300, library="libglib")
api_trouble("http side: no memory for microhttpd", "no memory", 20, library="libmicrohttpd")


# Time


@cell("gateway halted", times=20)
def halt_gateway(system):
    system.halt(system.gateway, 0.2, 2.0)


class Slow(System):
    rate = 50


@cell("gateway halted for 30 s", times=20, system=Slow, waits=True)
def halt_gateway_long(system):
    system.halt(system.gateway, 30.0, 30.0)


@cell("broker halted", times=20)
def halt_broker(system):
    system.halt(system.broker, 0.2, 2.0)


@cell("http side halted", times=20)
def halt_api(system):
    system.halt(system.api, 0.2, 1.0)


# Clocks


class Clocked(System):
    """The gateway's clock can be set; devices say what happens now."""

    FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"

    def make(self):
        super().make()
        self.clock = self.folder / "clock"
        self.set_clock(0)
        self.gateway.environment = self.trouble.environment(self.FAKETIME) | {
            "FAKETIME_TIMESTAMP_FILE": str(self.clock),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        self.devices.event_time = lambda number: time.time_ns() // 1_000_000

    def events_ahead(self):
        """Stored though they lay in the future when they came: by a replay later on, and by nothing else."""
        return self.gateway.value(
            "SELECT count(*) FROM installation_count WHERE dpu_event_time > event_received_time + 300000"
        )

    def set_clock(self, seconds):
        new = self.clock.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.rename(self.clock)


@cell("clock steps by an hour", times=20, system=Clocked)
def step_clock(system):
    before = system.events_ahead()
    system.set_clock(system.dice.choice((-3600, 3600)))
    system.wait(0.2, 0.6)
    assert system.events_ahead() == before
    system.set_clock(0)
    Headcount(system.gateway.config)("rejected", "replay", "--reason", "clock_ahead")


# The broker, and the way to it


@cell("broker restarted", times=20)
def restart_broker(system):
    system.wait(0.0, 0.4)
    system.broker.stop()
    system.wait(0.0, 0.2)


class Linked(System):
    """The gateway is in a network of its own."""

    def make(self):
        self.link = Link(self.dice)
        super().make()
        self.gateway.wrapper = self.link.inside

    def make_broker(self):
        port = harness.free_port()
        self.settings = {"broker": {"host": self.link.near, "port": port}}
        return Broker(self.folder, settings=[f"listener {port} {self.link.near}"])

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.link)
            super().__enter__()
            stack.push(super().__exit__)
            self.stack_of_link = stack.pop_all()
        return self

    def __exit__(self, *details):
        self.stack_of_link.__exit__(*details)


@cell("TCP connection cut", times=20, system=Linked, needs_root=True)
def cut_connection(system):
    system.wait(0.0, 0.4)
    wait_until(system.link.reset, 30, "a connection to cut")


@cell("link away", times=20, system=Linked, needs_root=True)
def cut_link(system):
    system.link.cut = True
    system.wait(0.2, 2.0)
    system.link.mend()


@cell("link slow and lossy", times=20, system=Linked, needs_root=True)
def spoil_link(system):
    system.link.loss = system.dice.uniform(0.01, 0.2)
    system.link.delay = (0.0, system.dice.uniform(0.005, 0.1))
    system.wait(0.5, 2.0)
    system.link.mend()


@cell("half open, the broker knows nothing", times=20, system=Linked, needs_root=True)
def leave_broker_half_open(system):
    system.link.cut = True
    system.kill(system.gateway)
    system.wait(0.0, 0.3)
    system.link.mend()


class SlowlyLinked(Linked):
    rate = 30


@cell("half open, the gateway knows nothing", times=20, system=SlowlyLinked, needs_root=True, waits=True)
def leave_gateway_half_open(system):
    """It finds out when it next says something, which is once in 20 s where there is nothing to say."""
    system.link.cut = True
    wait_until(lambda: system.link.reset(inside=False), 30, "a connection to cut")
    system.wait(0.0, 0.3)
    system.link.mend()
