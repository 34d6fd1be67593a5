"""Measures headcount against what its parts could do alone: driven by scripts/bench, which see.

Each figure is a ratio between a candidate and a baseline that take turns in one run on one machine; of the ratios of all
rounds the median counts. Everything is real (mosquitto with the project's configuration, the daemons of a release build)
and stays on loopback. Results: a table on the terminal, bench.json and bench.svg in the output folder.
"""

import argparse
import contextlib
import datetime
import hashlib
import json
import os
import platform
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import types
from pathlib import Path
from xml.sax.saxutils import escape

SOURCE_DIR = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE_DIR / "tests"))
sys.dont_write_bytecode = True

from harness import Api, Broker, Client, Gateway, Publisher, port_open, wait_until  # noqa: E402

TIMEOUT = 3600.0  # seconds that any one tool may take; filling 100 million events is the longest
FILL_BATCH = 5_000_000  # events a transaction
EVENTS_PER_DAY = 274_000  # of a town's past, whatever its length: 100 million are a year
SMALL_TOWN, LARGE_TOWN = 1_000, 100_000  # DPUs; a room has 4 of them
LARGE_TOWN_EVENTS = 300_000  # its first event makes a DPU known: with as many events as DPUs that would be most of the work
ROWS_MOST = 100  # that a count at an instant may read
QUIET = {"log": {"level": "notice"}}

random.seed(1)


def cpu_seconds(pid):
    """What a running process has used so far, all its threads."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


def status_kib(pid, key):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key + ":"))


def written_bytes(pid):
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes:"))


def wait_idle(pid):
    """Waits until a daemon has nothing left to do."""

    def rests():
        before = cpu_seconds(pid)
        time.sleep(0.3)
        return cpu_seconds(pid) - before < 0.006

    wait_until(rests, 120, f"process {pid} rests")


class Machine:
    """Where it runs, and how much others have run on it meanwhile: a figure of a busy machine is worth less."""

    def __init__(self):
        self.began = time.monotonic()
        self.busy_began = self.busy_seconds()

    @staticmethod
    def busy_seconds():
        words = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
        user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, words[:8])
        return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")

    def describe(self):
        cpu = next(
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        )
        own = resource.getrusage(resource.RUSAGE_CHILDREN), resource.getrusage(resource.RUSAGE_SELF)
        own_seconds = sum(usage.ru_utime + usage.ru_stime for usage in own)
        capacity = (time.monotonic() - self.began) * os.cpu_count()
        others = max(self.busy_seconds() - self.busy_began - own_seconds, 0)
        return {
            "cpu": cpu,
            "cpus": os.cpu_count(),
            "kernel": platform.release(),
            "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
            "seconds": round(time.monotonic() - self.began),
            "busy_with_others": round(others / capacity, 2),
        }


@contextlib.contextmanager
def commander(gateway):
    """A function that waits until the gateway has stored all that the broker has taken. The broker's queue is in order: once a
    command has reached the audit, what came before it is stored. The gateway's answer would say so, but late: it stands behind
    all acknowledgements, of which mosquitto reads one a round; nor does the counting subscriber wait for its own to be read."""
    command = {"action": "update", "object": "space", "id": "r0", "values": {}}
    with Publisher(gateway.broker) as publisher, gateway.reading() as database:

        def commands():
            return database.execute("SELECT coalesce(max(id), 0) FROM audit").fetchone()[0]

        def wait_stored():
            before, deadline = commands(), time.monotonic() + TIMEOUT
            publisher.publish("registry/commands", command)
            while commands() == before:
                assert time.monotonic() < deadline, "the gateway does not store"
                time.sleep(0.002)

        yield wait_stored


class Bench:
    def __init__(self, options):
        self.bin = options.bin
        self.out = options.out
        self.rounds = 3 if options.quick else 5
        self.quick = options.quick
        self.sizes = options.sizes
        self.figures = []
        self.machine = Machine()
        self.databases = self.out / "db"
        self.databases.mkdir(parents=True, exist_ok=True)

    # Tools

    def tool(self, name, *arguments, **options):
        """A tool of tests/bench in the background, as a context that ends it."""
        return running(
            [self.bin / f"bench-{name}", *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            **options,
        )

    def run(self, name, **options):
        """What a tool answers in JSON."""
        arguments = [f"--{key.replace('_', '-')}={value}" for key, value in options.items()]
        output = subprocess.run(
            [self.bin / f"bench-{name}", *arguments],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            timeout=TIMEOUT,
        ).stdout
        return json.loads(output)

    @contextlib.contextmanager
    def folder(self):
        with tempfile.TemporaryDirectory(dir=self.out, prefix="run-") as folder:
            yield Path(folder)

    # Databases are kept: a town and 100 million events take long to make.

    def database(self, dpus, events=0, days=None, open_hours=4):
        """The path of a database with a town's past (tests/bench/fill.c); who adds to it takes a copy."""
        schema = hashlib.sha256((SOURCE_DIR / "db_schema.sql").read_bytes()).hexdigest()[:8]
        path = self.databases / f"{schema}-{dpus}-{events}.db"
        if path.exists():
            return path
        making = path.with_suffix(".making")
        for leftover in self.databases.glob(making.name + "*"):
            leftover.unlink()
        if events > 0:
            self.copy(making, dpus)
        say(f"making a town of {dpus:,} DPUs with {events:,} events")
        days = days or days_of(events)
        self.run(
            "fill", database=making, dpus=dpus, events=events, days=days, open_hours=open_hours, batch=FILL_BATCH
        )
        for extra in ("-wal", "-shm", ""):
            Path(f"{making}{extra}").rename(f"{path}{extra}")
        return path

    def copy(self, path, dpus, events=0):
        """To add to. It is on the disk: else what is measured waits for its being written (commits of 0.1 s were seen)."""
        shutil.copy(self.database(dpus, events), path)
        os.sync()

    # Figures

    def add(self, group, name, pairs, unit, bar=None, better="higher", **details):
        """One figure: rounds as (baseline, candidate), the ratio being candidate : baseline."""
        ratio = statistics.median(candidate / baseline for baseline, candidate in pairs)
        figure = {
            "group": group,
            "name": name,
            "ratio": round(ratio, 4),
            "bar": bar,
            "better": better,
            "met": bar is None or (ratio >= bar if better == "higher" else ratio <= bar),
            "baseline": statistics.median(baseline for baseline, _ in pairs),
            "candidate": statistics.median(candidate for _, candidate in pairs),
            "unit": unit,
            "spread": [round(f(c / b for b, c in pairs), 4) for f in (min, max)],
            **details,
        }
        self.figures.append(figure)
        say(line_of(figure))


def running(command, **options):
    @contextlib.contextmanager
    def context():
        process = subprocess.Popen(command, **options)
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    return context()


def say(text):
    print(text, flush=True)


def days_of(events):
    return max(round(events / EVENTS_PER_DAY), 1)


# Ingest


def load_options(connections=100, dpus=SMALL_TOWN, batch=1, events=100_000, late=0):
    window = max(1, min(100, 10_000 // (connections * batch)))
    return {
        "connections": connections,
        "dpus": dpus,
        "batch": batch,
        "events": events,
        "late": late,
        "window": window,
    }


def ingest_baseline(bench, load):
    messages = load["events"] // load["batch"]
    with bench.folder() as folder, Broker(folder) as broker:
        with bench.tool("subscriber", broker.port, messages) as subscriber:
            assert subscriber.stdout.readline() == "ready\n"
            before = cpu_seconds(subscriber.pid)
            begin = bench.run("load", port=broker.port, **load)["begin"]
            assert json.loads(subscriber.stdout.readline())["messages"] == messages
            seconds, cpu = time.monotonic() - begin, cpu_seconds(subscriber.pid) - before
    return {"rate": load["events"] / seconds, "cpu": cpu / load["events"] * 1e6}


def ingest_candidate(bench, load, past=0):
    """With so many events stored before."""
    with bench.folder() as folder, Broker(folder) as broker:
        gateway = Gateway(broker, folder, settings=QUIET)
        bench.copy(gateway.database, load["dpus"], past)
        with gateway, commander(gateway) as wait_stored:
            wait_stored()
            wait_idle(gateway.pid)
            before, written = cpu_seconds(gateway.pid), written_bytes(gateway.pid)
            begin = bench.run("load", port=broker.port, **load)["begin"]
            wait_stored()
            seconds, cpu = time.monotonic() - begin, cpu_seconds(gateway.pid) - before
            written = written_bytes(gateway.pid) - written
            peak_kib = status_kib(gateway.pid, "VmHWM")
            stored = gateway.value("SELECT count(*) FROM installation_count")
            assert stored == past + load["events"], f"{stored - past} of {load['events']} events are stored"
    return {
        "rate": load["events"] / seconds,
        "cpu": cpu / load["events"] * 1e6,
        "written": written / load["events"],
        "peak_kib": peak_kib,
    }


def pairs_of(rounds, key):
    return [(baseline[key], candidate[key]) for baseline, candidate in rounds]


def ingest_cell(bench, name, load, bars=(None, None)):
    rounds = [(ingest_baseline(bench, load), ingest_candidate(bench, load)) for _ in range(bench.rounds)]
    written = statistics.median(candidate["written"] for _, candidate in rounds)
    bench.add("ingest", f"events/s until stored, {name}", pairs_of(rounds, "rate"), "events/s", bars[0])
    bench.add(
        "ingest",
        f"CPU per event, {name}",
        pairs_of(rounds, "cpu"),
        "µs",
        bars[1],
        better="lower",
        written_bytes_per_event=round(written),
    )


def ingest_arrays(bench, name, dpus, bar):
    """Their CPU per event is compared with that of a counting subscriber per single event."""
    events = 200_000 if bench.quick else 1_000_000
    single, arrays = load_options(dpus=dpus), load_options(dpus=dpus, batch=100, events=events)
    rounds, rates = [], []
    for _ in range(bench.rounds):
        alone = ingest_baseline(bench, single)
        candidate = ingest_candidate(bench, arrays)
        rates.append((ingest_baseline(bench, arrays)["rate"], candidate["rate"]))
        rounds.append((alone, candidate))
    bench.add("ingest", f"events/s until stored, {name}", rates, "events/s")
    bench.add("ingest", f"CPU per event, {name} : single", pairs_of(rounds, "cpu"), "µs", bar, "lower")


def ingest_late(bench):
    """A storm of late events, against the same gateway without one."""
    on_time, late = load_options(dpus=LARGE_TOWN), load_options(dpus=LARGE_TOWN, late=10)
    rounds = [[ingest_candidate(bench, load, bench.sizes[0]) for load in (on_time, late)] for _ in range(bench.rounds)]
    bench.add("ingest", "events/s, 10 % late by up to a day : in order", pairs_of(rounds, "rate"), "events/s", 0.6)


def measure_ingest(bench):
    ingest_cell(bench, "100 connections", load_options(), (0.8, 1.5))
    large = load_options(dpus=LARGE_TOWN, events=LARGE_TOWN_EVENTS)
    ingest_cell(bench, "100 connections, 100,000 DPUs", large, (0.8, 1.5))
    if not bench.quick:
        for connections in (1, 10, 1000):
            ingest_cell(bench, f"{connections} connections", load_options(connections))
    ingest_arrays(bench, "arrays of 100", SMALL_TOWN, 0.15)
    if not bench.quick:
        ingest_arrays(bench, "arrays of 100, 100,000 DPUs", LARGE_TOWN, None)
    ingest_late(bench)


# Latency


# Seconds of a round by events a second. Where a bar is, long enough for as many of the broker's saves as come in the long
# run: each holds up 30 of 500 a second, which in one of 5 seconds would be the 99th percentile, and is not in all.
LATENCY_SECONDS = {100: 5, 500: 20, 5000: 5}


def measure_latency(bench):
    rates = (500,) if bench.quick else tuple(LATENCY_SECONDS)
    rounds = {rate: [] for rate in rates}
    with bench.folder() as folder, Broker(folder) as broker:
        gateway = Gateway(broker, folder, settings=QUIET)
        town = folder / "town.db"
        for path in (gateway.database, town):
            bench.copy(path, LARGE_TOWN)
        options = {"port": broker.port, "rooms": LARGE_TOWN // 4, "folder": folder, "town": town}
        with gateway:
            wait_idle(gateway.pid)
            for _ in range(bench.rounds):
                for rate in rates:
                    once = bench.run("latency", rate=rate, seconds=LATENCY_SECONDS[rate], **options)
                    assert once["lost"] == 0, once
                    rounds[rate].append(once)
    for rate, all_of in rounds.items():
        for part in ("p50", "p99", "p99.9"):
            bench.add(
                "latency",
                f"added by the gateway : a commit's, {part} at {rate} events/s",
                [(once["commit"][part], once["added"][part]) for once in all_of],
                "ms",
                better="lower",
                broker_ms=statistics.median(once["broker"][part] for once in all_of),
                sync_ms=statistics.median(once["sync"][part] for once in all_of),
                count_ms=statistics.median(once["count"][part] for once in all_of),
            )
    bench.add(
        "latency",
        "until displays know : the broker's own way and two commits, p99 at 500 events/s",
        [(once["broker"]["p99"] + 2 * once["commit"]["p99"], once["count"]["p99"]) for once in rounds[500]],
        "ms",
        bar=1,
        better="lower",
    )


# HTTP


@contextlib.contextmanager
def api_of(bench, folder, broker, database):
    """The HTTP side on a database, and nobody writes it."""
    gateway = types.SimpleNamespace(broker=broker, database=database, client_id="headcount-gateway")
    api = Api(gateway, folder, settings=QUIET)
    api.spawn()
    try:
        api.wait_for(lambda: port_open(api.port), 30, "headcount-api listens")
        yield api
    finally:
        api.kill()


def any_room():
    return f"/spaces/r{random.randrange(LARGE_TOWN // 4)}"


def any_time(days):
    then = time.time() - random.random() * days * 86400
    return datetime.datetime.fromtimestamp(then, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def midnight(days_ago):
    day = datetime.datetime.now(datetime.timezone.utc).date() - datetime.timedelta(days=days_ago)
    return f"{day}T00:00:00Z"


def targets_of(folder, name, targets):
    path = folder / name
    path.write_text("".join(target + "\n" for target in targets))
    return path


def ask(bench, server, targets, requests, connections=64):
    """Requests a second of a running server, (port, pid), and its CPU."""
    port, pid = server
    before = cpu_seconds(pid)
    answer = bench.run("ask", port=port, targets=targets, requests=requests, connections=connections)
    assert answer["refused"] == 0, f"{answer['refused']} answers of {targets.name} were no 200"
    return {
        "rate": requests / answer["seconds"],
        "p50": answer["p50_us"],
        "p99": answer["p99_us"],
        "cpu": (cpu_seconds(pid) - before) / requests * 1e6,
    }


HTTP_BARS = {"now": 0.70, "then": 0.40, "again": 0.65}
HTTP_NAMES = {
    "now": "GET /spaces/{id}",
    "then": "GET /spaces/{id}?time=, nothing cached",
    "again": "GET /spaces/{id}?time=, asked before",
    "day": "GET /spaces/{id}/counts, a day of hours",
}


HTTP_TURNS = 10  # of a round: what else shares the processors, and which thread gets which connection, changes between them


def http_targets(folder, days, requests, turns):
    """For each turn a file; `then` never repeats itself in any."""
    start, end = midnight(days), midnight(days - 1)
    makers = {
        "now": [any_room() for _ in range(10_000)],
        "again": [f"{any_room()}?time={any_time(days)}" for _ in range(1_000)],
        "day": [f"{any_room()}/counts?start={start}&end={end}&interval=1h" for _ in range(10_000)],
    }
    targets = {name: [targets_of(folder, name, made)] * turns for name, made in makers.items()}
    targets["then"] = [
        targets_of(folder, f"then-{i}", [f"{any_room()}?time={any_time(days)}" for _ in range(requests)])
        for i in range(turns)
    ]
    return targets


def ask_in_turns(bench, servers, targets, requests):
    """One round: what `ask` says of each server, over all turns."""
    turns = [[ask(bench, server, of_turn, requests) for server in servers] for of_turn in targets]
    return [
        {
            "rate": statistics.harmonic_mean(once["rate"] for once in of_server),
            "cpu": statistics.fmean(once["cpu"] for once in of_server),
            "p99": statistics.median(once["p99"] for once in of_server),
        }
        for of_server in zip(*turns)
    ]


def measure_http(bench):
    events = bench.sizes[0]
    requests = 1_000 if bench.quick else 10_000
    rounds = {name: [] for name in HTTP_NAMES}
    with bench.folder() as folder, Broker(folder) as broker:
        database = folder / "past.db"
        bench.copy(database, LARGE_TOWN, events)
        targets = http_targets(folder, days_of(events), requests, bench.rounds * HTTP_TURNS)
        settings = {**QUIET, "store": {"database": database}}
        with Gateway(broker, folder, settings=settings) as gateway, api_of(bench, folder, broker, database) as api:
            api.wait_connected()
            wait_idle(gateway.pid)
            threads = "4"  # as [api] threads has it by default
            with bench.tool("constant", threads) as constant:
                servers = (int(constant.stdout.readline()), constant.pid), (api.port, api.pid)
                for first in range(0, bench.rounds * HTTP_TURNS, HTTP_TURNS):
                    for name in HTTP_NAMES:
                        of_round = targets[name][first : first + HTTP_TURNS]
                        rounds[name].append(ask_in_turns(bench, servers, of_round, requests))
    for name, pairs in rounds.items():
        bench.add(
            "http",
            f"requests/s, {HTTP_NAMES[name]}",
            pairs_of(pairs, "rate"),
            "requests/s",
            HTTP_BARS.get(name),
            cpu_ratio=round(statistics.median(c["cpu"] / b["cpu"] for b, c in pairs), 2),
            p99_us=[statistics.median(pair[i]["p99"] for pair in pairs) for i in (0, 1)],
        )


# History

HISTORY_NAMES = {
    "at": "count at an instant",
    "day_of_minutes": "day of minutes",
    "month_of_hours": "month of hours",
    "year_of_days": "year of days",
}
BUSY_ROOM = {"dpus": 4, "events": 1_000_000, "days": 365, "open_hours": 12}
YEAR_MS = 100.0


def history_times(bench, database, dpus, days):
    times = 300 if bench.quick else 1000
    return bench.run("history", database=database, dpus=dpus, days=days, times=times)


def add_history(bench, rounds):
    small, large = bench.sizes[0], bench.sizes[-1]
    bench.add(
        "history",
        f"rows that a count at an instant reads, at most : {ROWS_MOST}",
        [(ROWS_MOST, max(size["at"]["rows"] for size in once.values())) for once in rounds],
        "rows",
        1,
        "lower",
    )
    for size in bench.sizes[1:]:
        for name, text in HISTORY_NAMES.items():
            bench.add(
                "history",
                f"{text}, {size:,} : {small:,} events",
                [(once[small][name]["p50_us"], once[size][name]["p50_us"]) for once in rounds],
                "µs",
                bar=1.5 if (name, size) == ("at", large) else None,
                better="lower",
                rows=max(once[size][name]["rows"] for once in rounds),
                p99_us=statistics.median(once[size][name]["p99_us"] for once in rounds),
            )


def add_busy_room(bench, rounds):
    for name, text in HISTORY_NAMES.items():
        bench.add(
            "history",
            f"{text} of a room with {BUSY_ROOM['events']:,} events : {YEAR_MS:g} ms",
            [(YEAR_MS, once[name]["p50_us"] / 1000) for once in rounds],
            "ms",
            bar=1 if name == "year_of_days" else None,
            better="lower",
            rows=max(once[name]["rows"] for once in rounds),
        )


def history_over_http(bench):
    small, *others = bench.sizes
    requests = 2_000 if bench.quick else 10_000
    rounds = []
    with bench.folder() as folder, Broker(folder) as broker, contextlib.ExitStack() as stack:
        servers = {}
        for size in bench.sizes:
            database = bench.database(LARGE_TOWN, size)
            api = stack.enter_context(api_of(bench, folder / str(size), broker, database))
            servers[size] = api.port, api.pid
        for i in range(bench.rounds):
            once = {}
            for size, server in servers.items():
                asked = [f"{any_room()}?time={any_time(days_of(size))}" for _ in range(requests)]
                once[size] = ask(bench, server, targets_of(folder, f"{size}-{i}", asked), requests, 8)
            rounds.append(once)
    for size in others:
        bench.add(
            "history",
            f"GET /spaces/{{id}}?time=, {size:,} : {small:,} events",
            [(once[small]["p50"], once[size]["p50"]) for once in rounds],
            "µs",
            better="lower",
        )


def warm(path):
    """Reads a file into the page cache: what is asked here is how much is read, not how fast the disk is."""
    with open(path, "rb") as file:
        while file.read(1 << 24):
            pass


def measure_history(bench):
    past = {size: bench.database(LARGE_TOWN, size) for size in bench.sizes}
    for path in past.values():
        warm(path)
    add_history(
        bench,
        [
            {size: history_times(bench, path, LARGE_TOWN, days_of(size)) for size, path in past.items()}
            for _ in range(bench.rounds)
        ],
    )
    busy = bench.database(**BUSY_ROOM)
    add_busy_room(
        bench, [history_times(bench, busy, BUSY_ROOM["dpus"], BUSY_ROOM["days"]) for _ in range(bench.rounds)]
    )
    history_over_http(bench)


# Memory and start


def start_seconds(gateway):
    """From the start of the program to the word that it is online."""
    online = threading.Event()
    with Client(gateway.broker) as watch:
        watch.client.on_message = lambda client, userdata, message: (
            online.set() if not message.retain and message.payload == b"online" else None
        )
        subscribed = threading.Event()
        watch.client.on_subscribe = lambda *_: subscribed.set()
        watch.client.subscribe(gateway.status_topic, 1)
        assert subscribed.wait(20)
        begin = time.monotonic()
        gateway.spawn()
        assert online.wait(60), gateway.log()
        seconds = time.monotonic() - begin
    wait_idle(gateway.pid)
    gateway.stop()
    return seconds


def measure_memory(bench):
    largest = bench.sizes[-1]
    load = load_options(dpus=LARGE_TOWN)
    peaks = [ingest_candidate(bench, load)["peak_kib"] / 1024 for _ in range(bench.rounds)]
    bench.add(
        "memory",
        "gateway's peak with 100,000 DPUs, 25,000 rooms : 64 MiB",
        [(64.0, peak) for peak in peaks],
        "MiB",
        1.0,
        "lower",
    )
    empty, full = bench.database(LARGE_TOWN), bench.database(LARGE_TOWN, largest)
    size = (full.stat().st_size - empty.stat().st_size) / largest
    with bench.folder() as folder, Broker(folder) as broker:
        gateways = []
        for database in (empty, full):
            settings = {**QUIET, "store": {"database": database}}
            gateways.append(Gateway(broker, folder / database.stem, settings=settings))
        seconds = [[start_seconds(gateway) * 1000 for gateway in gateways] for _ in range(bench.rounds)]
    bench.add(
        "memory",
        f"start to ready, {largest:,} : no events",
        seconds,
        "ms",
        1.2,
        "lower",
        database_bytes_per_event=round(size, 1),
    )


# Results


def line_of(figure):
    bar = "" if figure["bar"] is None else f"{'≥' if figure['better'] == 'higher' else '≤'} {figure['bar']:g}"
    verdict = "" if figure["bar"] is None else ("met" if figure["met"] else "MISSED")
    values = f"{figure['candidate']:,.4g} : {figure['baseline']:,.4g} {figure['unit']}"
    return f"{figure['ratio']:8.2f}  {bar:>7}  {verdict:6}  {figure['name']}  ({values})"


def svg_of(figures, machine):
    """A bar each, as long as the ratio's share of what the figure may or must be; at the line it is just met."""
    barred = [figure for figure in figures if figure["bar"] is not None]
    row, left, unit = 22, 470, 200
    height = row * (len(barred) + 3)
    rows = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + 2 * unit + 100}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="8" y="{row}">{escape(machine["cpu"])}, {machine["cpus"]} CPUs, Linux {machine["kernel"]}: '
        "ratio / bar, the line is the bar</text>",
    ]
    for i, figure in enumerate(barred, 2):
        share = min(figure["ratio"] / figure["bar"], 2)
        color = "#2a7d4f" if figure["met"] else "#b5382a"
        sign = "≥" if figure["better"] == "higher" else "≤"
        rows.append(
            f'<text x="8" y="{i * row}">{escape(figure["name"])}</text>'
            f'<rect x="{left}" y="{i * row - 12}" width="{share * unit:.1f}" height="14" fill="{color}"/>'
            f'<text x="{left + share * unit + 5:.1f}" y="{i * row}">{figure["ratio"]:.2f} ({sign} {figure["bar"]:g})'
            "</text>"
        )
    x = left + unit
    rows.append(f'<line x1="{x}" y1="{row + 8}" x2="{x}" y2="{height - row}" stroke="black"/></svg>\n')
    return "\n".join(rows)


def report(bench):
    machine = bench.machine.describe()
    say(f"\n{machine['cpu']}, {machine['cpus']} CPUs, {machine['memory_gib']} GiB, Linux {machine['kernel']}")
    say(f"{bench.rounds} rounds, {machine['seconds']} s, CPUs busy with other things: {machine['busy_with_others']:.0%}\n")
    say("   ratio      bar          candidate : baseline")
    for figure in bench.figures:
        say(line_of(figure))
    (bench.out / "bench.json").write_text(
        json.dumps({"machine": machine, "rounds": bench.rounds, "figures": bench.figures}, indent=1) + "\n"
    )
    (bench.out / "bench.svg").write_text(svg_of(bench.figures, machine))
    say(f"\n{bench.out / 'bench.json'}, {bench.out / 'bench.svg'}")


GROUPS = {
    "ingest": measure_ingest,
    "latency": measure_latency,
    "history": measure_history,
    "http": measure_http,
    "memory": measure_memory,
}


def read_options():
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measures headcount against its parts.")
    parser.add_argument("group", nargs="?", choices=[*GROUPS, "all"], default="all")
    parser.add_argument("--quick", action="store_true", help="3 rounds instead of 5, and fewer cases")
    parser.add_argument("--bin", type=Path, default=SOURCE_DIR / "build/release/bin", help="the programs")
    parser.add_argument("--out", type=Path, default=SOURCE_DIR / "build/bench", help="results and databases")
    parser.add_argument("--sizes", help="millions of events for history and memory (1,10,100; quick: 1,10)")
    options = parser.parse_args()
    sizes = options.sizes or ("1,10" if options.quick else "1,10,100")
    options.sizes = sorted(int(size) * 1_000_000 for size in sizes.split(","))
    options.bin, options.out = options.bin.resolve(), options.out.resolve()
    return options


def main():
    options = read_options()
    os.environ["HEADCOUNT_BIN_DIR"] = str(options.bin)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a connection is a file
    bench = Bench(options)
    for name, measure in GROUPS.items():
        if options.group in (name, "all"):
            measure(bench)
    report(bench)
    return 0 if all(figure["met"] for figure in bench.figures) else 1


if __name__ == "__main__":
    sys.exit(main())
