#!/usr/bin/python3
"""More at once than on any normal day, against a real broker and real daemons: what 100,000 devices have to say after an
outage, thousands of them reconnecting in one instant, late days and years, floods of nonsense, a thousand displays.

    HEADCOUNT_BIN_DIR=build/release/bin tests/storms.py                          all, at full size
    … tests/storms.py --storm reconnect --scale 0.1 --seed 4711                  one, smaller
    … tests/storms.py --list

After each storm everything that was sent must be stored once, or kept as rejected, and every count be right (ledger.py); the
broker must have dropped nothing, and memory have stayed below a bound. `recovery` is how long it then takes, from the end of
the trouble on, until an event that is sent at that moment is stored. Everything stays on loopback and ends by itself; the
table comes on the terminal, the rows into storms.json of the build folder, where those of earlier runs stay as long as
they are not run again. Ends with 1 if something did not hold.

The programs of tests/bench are used: build the target bench, too.
"""

import argparse
import contextlib
import json
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path

import oracle
import recount
from displays import Display, Displays, Stream
from harness import Api, Broker, Gateway, Publisher, Subscriber, bin_dir, wait_until
from invariants import Broken, require
from ledger import Ledger
from provenance import stamp

DAY_MS = 24 * 3_600_000
PER_ROOM = 4  # DPUs, see tests/bench/town.h
PATIENCE = 200  # seconds that any one thing may take
API_MIB = 96
OWN_FILES = 100  # that a program needs besides its connections


@dataclass
class Row:
    """What came of a storm."""

    storm: str
    what: str = ""
    note: str = ""  # what else was seen
    scale: float = 1.0
    messages: int = 0
    events: int = 0
    refused: int = 0
    lost: int = 0
    doubled: int = 0
    gateway_mib: float = 0.0  # at most
    broker_mib: float = 0.0
    api_mib: float = 0.0
    drops: int = 0  # by the broker, as $SYS has it
    recovery_s: float = 0.0
    seconds: float = 0.0
    seed: int = 0
    state: str = "held"  # or "broken", with why
    why: str = ""
    date: str = ""
    commit: str = ""
    machine: str = ""


# What is measured


class Peaks:
    """The most memory that daemons have had, over all their processes, in MiB."""

    def __init__(self, *daemons):
        self.most = dict.fromkeys(daemons, 0.0)
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()

    def watch(self):
        while not self.ended.wait(0.05):
            self.look()

    def look(self):
        for daemon in self.most:
            with contextlib.suppress(OSError, AttributeError, StopIteration):  # it is being restarted
                self.most[daemon] = max(self.most[daemon], memory_mib(daemon.pid, "VmHWM"))


def memory_mib(pid, key):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key + ":")) / 1024


class Drops(Subscriber):
    """How many messages the broker has dropped, over its restarts."""

    TOPIC, CLOCK = "$SYS/broker/publish/messages/dropped", "$SYS/broker/uptime"

    def __init__(self, broker):
        super().__init__(broker, self.TOPIC, self.CLOCK)
        self.before = self.now = 0
        self.ticks = 0

    def on_message(self, client, userdata, message):
        if message.topic == self.CLOCK:
            self.ticks += not message.retain
            return
        said = int(message.payload)
        if said < self.now:
            self.before += self.now
        self.now = said

    def total(self):
        """As of now: the broker says it once a second."""
        ticks = self.ticks
        wait_until(lambda: self.ticks >= ticks + 2, 30, "the broker says what it dropped")
        return self.before + self.now


class Load:
    """A crowd of devices in the background (tests/bench/load.c). Options are the tool's."""

    def __init__(self, site, **options):
        self.site = site
        self.record = site.folder / f"sent-{site.dice.randrange(2**31)}"
        site.loads.append(self)
        self.lines = []
        arguments = {"port": site.broker.port, "seed": site.dice.randrange(2**31), "record": self.record, **options}
        self.process = subprocess.Popen([bin_dir() / "bench-load", *flags(arguments)], stdout=subprocess.PIPE, text=True)
        self.reader = threading.Thread(target=lambda: self.lines.extend(iter(self.process.stdout.readline, "")))
        self.reader.start()

    def times_connected(self):
        return self.lines.count("connected\n")

    def wait_connected(self, times):
        wait_until(lambda: self.times_connected() >= times or self.ended(), PATIENCE, "all are connected")

    def ended(self):
        return self.process.poll() is not None

    def wait(self):
        """Until everything is acknowledged."""
        code = self.process.wait(PATIENCE)
        self.reader.join()
        assert code == 0, f"the load ended with {code}"
        said = json.loads(self.lines[-1])
        self.site.row.messages += said["messages"]
        return said["messages"]

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.reader.join()


def flags(options):
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        if value is True:
            yield flag
        else:
            yield f"{flag}={value}"


def make_town(database, dpus):
    database.parent.mkdir()
    fill = [bin_dir() / "bench-fill", f"--database={database}", f"--dpus={dpus}"]
    subprocess.run(fill, check=True, stdout=subprocess.DEVNULL, timeout=PATIENCE)


class Site:
    """A town (tests/bench/town.h) with broker, gateway and HTTP side, in a folder; what is sent, and the storm's row."""

    def __init__(self, folder, dice, row, dpus):
        self.folder, self.dice, self.row, self.dpus = folder, dice, row, dpus
        make_town(folder / "gateway" / "headcount.db", dpus)  # first: it takes a while, in which a port may be lost
        self.broker = Broker(folder, replace={"sys_interval": "1"})
        self.gateway = Gateway(self.broker, folder, {"log": {"level": "notice"}})
        self.api = Api(self.gateway, folder)
        self.loads = []
        self.probes = 0
        self.broken = True  # until it has come to an end

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.ledger = stack.enter_context(contextlib.closing(Ledger(self.folder / "ledger.db")))
            stack.callback(self.end)
            self.broker.start()
            self.gateway.start()
            self.api.start()
            recount.wait_for_retained(self.gateway, PATIENCE)
            self.peaks = stack.enter_context(Peaks(self.gateway, self.broker, self.api))
            self.drops = stack.enter_context(Drops(self.broker))
            self.stack = stack.pop_all()
        return self

    def __exit__(self, kind, *_):
        self.broken = kind is not None
        self.stack.close()

    def end(self):
        for load in self.loads:
            load.kill()
        for daemon in (self.api, self.gateway, self.broker):
            (daemon.kill_quietly if self.broken else daemon.stop)()

    def send(self, **options):
        return Load(self, **options)

    def stored(self):
        return self.gateway.value("SELECT count(*) FROM installation_count")

    def probe(self):
        """Sends an event, behind all that waits in the broker, and waits until it is stored."""
        self.probes += 1
        event = oracle.Event("0", int(time.time() * 1000), 2**52 + self.probes, 1)
        with Publisher(self.broker) as device:
            said = {"dpu_event_time": event.time, "count": event.count, "seq": event.seq}
            device.publish("dpu/0/events", said, timeout=PATIENCE)
        self.row.messages += 1
        self.ledger.add([event], [])
        of_it = "SELECT count(*) FROM installation_count WHERE dpu_event_time = ? AND seq = ? AND installation IN"
        its_place = "(SELECT installation.id FROM installation JOIN dpu ON dpu.id = dpu WHERE dpu_id = '0')"
        wait_until(
            lambda: self.gateway.value(f"{of_it} {its_place}", (event.time, event.seq)) == 1,
            PATIENCE,
            lambda: f"an event that was sent at the end is stored\n{self.gateway.log()}",
        )

    @contextlib.contextmanager
    def recovery(self):
        """Within the block, and until a probe is stored."""
        begun = time.monotonic()
        yield
        self.probe()
        self.row.recovery_s = round(time.monotonic() - begun, 2)

    def collect(self):
        """Into the ledger goes what was sent since the last time."""
        while self.loads:
            load = self.loads.pop()
            load.kill()
            self.ledger.add_file(load.record)

    def judge(self, bounds):
        self.collect()
        finding = self.ledger.check(self.gateway, self.api, self.dice)
        self.row.events, self.row.refused = finding
        self.row.drops = self.drops.total()
        self.peaks.look()
        sizes = tuple(round(most, 1) for most in self.peaks.most.values())
        self.row.gateway_mib, self.row.broker_mib, self.row.api_mib = sizes
        require(self.row.drops == 0, f"the broker has dropped {self.row.drops} messages")
        if not sanitized():
            for name, most, bound in zip(("gateway", "broker", "HTTP side"), sizes, (*bounds, API_MIB)):
                require(most <= bound, f"the {name} took {most} MiB, more than {bound}")


def sanitized():
    """Memory of such a build says nothing."""
    return b"__asan_init" in (bin_dir() / "headcount-gateway").read_bytes()


# The storms

STORMS = {}


@dataclass
class Storm:
    name: str
    what: str
    run: object
    dpus: int  # at full size
    bounds: tuple  # MiB of gateway and broker
    connects: bool  # each DPU by a connection of its own


def storm(name, what, dpus, gateway_mib, broker_mib, connects=False):
    """The function sends what there is to send, and measures the recovery; in `what`, {} stands for the DPUs."""

    def add(function):
        STORMS[name] = Storm(name, what, function, dpus, (gateway_mib, broker_mib), connects)
        return function

    return add


def scaled(full, scale, least=1):
    return max(int(full * scale), least)


# The broker keeps 300,000 messages of some 340 bytes for the gateway and 100,000 as retained; each costs it 363 bytes more
# (mosquitto.conf): 270 MiB, and half as much again while it saves and for its clients.
@storm("backlog", "{} devices upload three retained messages each while the gateway is away", 100_000, 96, 640)
def backlog(site, scale):
    """Each comes from the queue, and the last of each device again as retained whenever the gateway subscribes."""
    site.gateway.stop()
    events = 15 * site.dpus
    connections = min(1000, site.dpus)
    site.send(
        connections=connections, dpus=site.dpus, events=events, batch=5, window=10, retain=True, in_turn=True
    ).wait()
    with site.recovery():
        site.gateway.spawn()
    site.collect()
    site.row.note = f"{site.ledger.value('SELECT count(DISTINCT dpu) FROM sent'):,} devices did"
    site.gateway.stop()
    site.gateway.start()
    site.probe()


@storm("reconnect", "{} connections, all cut at once by a restart of the broker while 2,000 events/s go on", 20_000, 96, 512, connects=True)
def reconnect(site, scale):
    load = site.send(
        connections=site.dpus,
        dpus=site.dpus,
        events=scaled(80_000, scale, 4000),
        rate=2000,
        window=5,
        sources=8,
        come_again=True,
        status=True,
    )
    load.wait_connected(1)
    wait_until(lambda: site.stored() > 500, PATIENCE, "some are stored")
    site.broker.stop(PATIENCE)
    with site.recovery():
        site.broker.start()
        load.wait_connected(2)
        assert load.times_connected() >= 2, "the load ended before all were back"
    load.wait()
    site.probe()
    away = site.gateway.value("SELECT count(*) FROM dpu WHERE online IS NOT 1")
    require(away == 0, f"{away} devices are said to be away, and are not")


@storm("late", "a day's events of {} devices, a day late, while 500 events/s go on", 1000, 96, 256)
def late(site, scale):
    live = site.send(connections=100, dpus=site.dpus, events=scaled(20_000, scale, 1000), rate=500, come_again=True)
    past = site.send(
        connections=20, dpus=site.dpus, events=scaled(1_000_000, scale), batch=100, age=2 * DAY_MS, span=DAY_MS, window=5
    )
    past.wait()
    with site.recovery():
        pass
    live.wait()
    site.probe()


@storm("year", "a year of one device, 2,740 events a day, while 500 events/s of others go on", 1000, 96, 256)
def year(site, scale):
    live = site.send(connections=100, dpus=site.dpus, events=scaled(20_000, scale, 1000), rate=500, come_again=True)
    past = site.send(
        connections=1,
        dpus=1,
        events=scaled(1_000_000, scale),
        batch=1000,
        age=365 * DAY_MS,
        span=364 * DAY_MS,
        window=20,
    )
    past.wait()
    with site.recovery():
        pass
    live.wait()
    site.probe()


@storm("rejected", "10,000 messages/s for a minute, 95 of 100 of which can't be stored", 1000, 96, 512)
def rejected(site, scale):
    begun = time.monotonic()
    load = site.send(connections=100, dpus=site.dpus, events=scaled(600_000, scale), rate=10_000, bad=95)
    rate = load.wait() / (time.monotonic() - begun)
    with site.recovery():
        pass
    site.row.note = f"{rate:,.0f}/s came"


def show(site, scale, make, restart):
    """Displays come at once, then events; all are cut in the middle, and after that a tenth reads nothing for a while."""
    rooms = max(site.dpus // PER_ROOM, 1)
    with Displays([make(f"r{n % rooms}") for n in range(scaled(1000, scale, 20))]) as crowd:
        crowd.wait_shown(right_counts(site.gateway), PATIENCE)
        events = scaled(60_000, scale, 4000)
        load = site.send(connections=100, dpus=site.dpus, events=events, rate=2000, come_again=True)
        wait_until(lambda: site.stored() > events // 4, PATIENCE, "a quarter is stored")
        restart()
        crowd.wait_shown(None, PATIENCE)
        crowd.halt(len(crowd.displays) // 10)
        load.wait()
        crowd.go_on()
        with site.recovery():
            pass
        begun = time.monotonic()
        crowd.wait_shown(right_counts(site.gateway), PATIENCE)
        site.row.recovery_s = round(site.row.recovery_s + time.monotonic() - begun, 2)
        site.row.note = f"{len(crowd.displays):,} displays, {crowd.messages:,} numbers shown"


CUT = "cut at once by a restart, a tenth of them halted after it; 2,000 events/s"


@storm("displays", f"1,000 displays by MQTT, {CUT}", 1000, 96, 256)
def displays(site, scale):
    show(site, scale, lambda room: Display(site.broker.port, room), site.broker.restart)


@storm("streams", f"1,000 displays by HTTP, {CUT}", 1000, 96, 256)
def streams(site, scale):
    def restart():
        site.api.stop()
        site.api.start()

    show(site, scale, lambda room: Stream(site.api.port, room), restart)


def right_counts(gateway):
    return {space: now.count for space, now in recount.counts_now(gateway).items()}


# Running them


def raise_limits(files):
    """As many open files as are wanted, or as one may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError):  # only who may do more
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(files, hard), max(files, hard)))
        return max(files, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def run_storm(one, scale, seed):
    files = raise_limits(scaled(one.dpus, scale) + OWN_FILES)
    dpus = scaled(one.dpus, scale, 8)
    if one.connects:
        dpus = min(dpus, files - OWN_FILES)
    row = Row(one.name, one.what.format(f"{dpus:,}"), scale=scale, seed=seed, **stamp())
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="headcount-storms.") as folder:
        try:
            with Site(Path(folder), random.Random(f"{seed}/{one.name}"), row, dpus) as site:
                one.run(site, scale)
                site.judge(one.bounds)
        except Exception as problem:
            row.state, row.why = "broken", str(problem).split("\n")[0]
            if isinstance(problem, Broken):
                row.lost, row.doubled = problem.lost, problem.doubled
            traceback.print_exc()
    row.seconds = round(time.monotonic() - begun, 1)
    return row


def table(rows):
    heads = ("storm", "messages", "events", "rejected", "lost", "doubled", "gateway", "broker", "http", "drops", "recovery", "")
    lines = [heads]
    for r in rows:
        sizes = (f"{r.messages:,}", f"{r.events:,}", f"{r.refused:,}", r.lost, r.doubled)
        memory = (f"{mib} MiB" for mib in (r.gateway_mib, r.broker_mib, r.api_mib))
        lines.append((r.storm, *sizes, *memory, r.drops, f"{r.recovery_s} s", r.state))
    widths = [max(len(str(line[n])) for line in lines) for n in range(len(heads))]
    for line in lines:
        first, *rest = (str(text) for text in line)
        yield "  ".join([first.ljust(widths[0])] + [t.rjust(w) for t, w in zip(rest, widths[1:])])


def keep(path, rows):
    """Replaces the rows of the storms that were run."""
    kept = json.loads(path.read_text()) if path.exists() else []
    known = {row["storm"]: row for row in kept} | {row.storm: asdict(row) for row in rows}
    path.write_text(json.dumps([known[name] for name in STORMS if name in known], indent=1) + "\n")


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--storm", action="append", choices=STORMS, help="only this one; may be repeated")
    parser.add_argument("--seed", type=int, default=random.randrange(2**31), help="the dice (default: others each time)")
    parser.add_argument("--scale", type=float, default=1.0, help="times the full size (default: 1)")
    parser.add_argument("--json", type=Path, help="keep the rows in this file (default: storms.json of the build folder)")
    parser.add_argument("--list", action="store_true", help="print the storms")
    return parser.parse_args()


def main():
    arguments = read_arguments()
    chosen = [STORMS[name] for name in arguments.storm or STORMS]
    if arguments.list:
        print(*(f"{one.name}: {one.what.format(f'{one.dpus:,}')}" for one in chosen), sep="\n")
        return 0
    print(f"seed {arguments.seed}, scale {arguments.scale:g}", flush=True)
    rows = []
    for one in chosen:
        rows.append(run_storm(one, arguments.scale, arguments.seed))
        print(*list(table(rows[-1:]))[1:], f"({rows[-1].seconds} s)", rows[-1].note, rows[-1].why, flush=True)
    print("", *table(rows), sep="\n")
    keep(arguments.json or bin_dir().parent / "storms.json", rows)
    return 0 if all(row.state == "held" for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
