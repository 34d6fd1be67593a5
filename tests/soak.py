#!/usr/bin/python3
"""Hours of mixed load with faults at random: scripts/soak, which see, builds what people run and starts this.

    HEADCOUNT_BIN_DIR=build/release/bin tests/soak.py --hours 0.2 --seed 4711

Devices publish (some late, twice, or nonsense) and keep what is not confirmed; displays show, the HTTP side is asked; every few
seconds something breaks (faults.py). Every few minutes the devices pause and everything that they ever sent
is checked (ledger.py). Memory, open files and file sizes are sampled into soak.csv and drawn in soak.svg; soak.json says what
came of it. Ends with 1 if an invariant broke, or if after its warm-up something grew beyond its bound:

- memory of a process: the last fifth of its life, against a fifth after the first two: a tenth and 4 MiB more at most (median);
- its open files: 8 more at most;
- the database: 400 bytes for each event and rejected event; its WAL 64 MiB; the broker's file 64 MiB; the logs 8 KiB a fault.
"""

import argparse
import collections
import contextlib
import csv
import json
import os
import random
import statistics
import sys
import tempfile
import time
import traceback
from pathlib import Path
from xml.sax.saxutils import escape

from devices import ROOMS
from displays import Display, Displays, Stream
from faults import CELLS, Keepers
from harness import bin_dir
from invariants import SETTLE_SECONDS, Broken, expected_of, require
from ledger import Ledger, registry
from provenance import stamp
from storms import memory_mib, right_counts, sanitized

GAP_SECONDS = (2.0, 10.0)  # between faults
CHECK_SECONDS = (60, 600)  # between checks: a tenth of the whole, within that
LIFE_SECONDS = (100, 3600)  # of a process, about: a fifth of the whole, within that
SHORTEST_LIFE = 40  # samples that a life must have to be judged
WARM_UP = 0.4  # of a life
MIB = 1 << 20

# Those that end a process, and so hide what it would have grown to, come rarely. No second gateway: if it wins and then goes, the
# broker keeps all events for it, as it has to.
GENTLE = (
    "gateway halted",
    "broker halted",
    "http side halted",
    "database locked",
    "disk full, says the write",
    "disk read-only",
    "write fails",
)
DEADLY = (
    "gateway killed",
    "http side killed",
    "broker killed, devices keep",
    "all killed, devices keep",
    "broker killed while the gateway is away, devices keep",
    "broker restarted",
    "killed before the sync of the WAL",
    "killed after a write to the broker",
)
DAEMONS = ("gateway", "broker", "api")
COLUMNS = (
    "seconds",
    *(f"{daemon}_{what}" for daemon in DAEMONS for what in ("pid", "mib", "files")),
    *("database_bytes", "wal_bytes", "broker_bytes", "log_bytes", "said", "faults", "checks"),
)


class Tried(Keepers):
    """A system that lasts: what was checked is kept on disk and no more in memory."""

    def __enter__(self):
        self.ledger = Ledger(self.folder / "ledger.db")
        ways = ((Display, self.broker.port), (Stream, self.api.port))
        self.displays = Displays([way(port, room) for way, port in ways for room in ROOMS * 2])
        super().__enter__()
        self.stack.enter_context(self.displays)
        return self

    def check_all(self):
        self.devices.pause()
        world = registry(self.gateway)
        world.events = self.devices.events
        self.ledger.add(*expected_of(self.devices, world))
        with self.devices.lock:
            self.devices.sent.clear()
        finding = self.ledger.check(self.gateway, self.api, self.dice)
        self.watch.check()
        self.displays.wait_shown(right_counts(self.gateway), SETTLE_SECONDS)
        self.devices.resume()
        return finding


# Samples


def size_of(path):
    with contextlib.suppress(OSError):
        return os.stat(path).st_size
    return 0


def process_of(daemon):
    """(pid, MiB, open files); nothing of one that is not there."""
    with contextlib.suppress(OSError, AttributeError, StopIteration):
        return daemon.pid, round(memory_mib(daemon.pid, "VmRSS"), 2), len(os.listdir(f"/proc/{daemon.pid}/fd"))
    return "", "", ""


class Samples:
    def __init__(self, system, path, tally):
        self.system, self.tally = system, tally
        self.begun = time.monotonic()
        self.rows = []
        self.file = open(path, "w", newline="", encoding="utf-8")
        self.writer = csv.writer(self.file)
        self.writer.writerow(COLUMNS)

    def take(self):
        system, database = self.system, self.system.gateway.database
        processes = [value for name in DAEMONS for value in process_of(getattr(system, name))]
        sizes = [size_of(path) for path in (database, f"{database}-wal", system.broker.folder / "mosquitto.db")]
        logs = sum(size_of(daemon.log_path) for daemon in system.daemons)
        seconds = round(time.monotonic() - self.begun, 1)
        row = (seconds, *processes, *sizes, logs, system.devices.number, sum(self.tally.values()), self.checks)
        self.rows.append(dict(zip(COLUMNS, row)))
        self.writer.writerow(row)
        self.file.flush()

    checks = 0


# What may grow


def lives(rows, daemon):
    """The samples of each process of a daemon, of those that lived long enough."""
    by_pid = collections.defaultdict(list)
    for row in rows:
        if row[f"{daemon}_pid"]:
            by_pid[row[f"{daemon}_pid"]].append(row)
    return [life for life in by_pid.values() if len(life) >= SHORTEST_LIFE]


def ends_of(life, column):
    """The median of a fifth of a life after its warm-up, and of its last fifth."""
    fifth = len(life) // 5
    after = int(len(life) * WARM_UP)
    parts = (life[after : after + fifth], life[-fifth:])
    return tuple(round(statistics.median(row[column] for row in part), 1) for part in parts)


def growths(rows):
    """(what, how much it grew to, how much it may): all that is bounded."""
    for daemon in DAEMONS:
        for life in lives(rows, daemon):
            if not sanitized():
                before, after = ends_of(life, f"{daemon}_mib")
                yield f"memory of the {daemon} in MiB, after {before:g}", after, round(before * 1.1 + 4, 1)
            before, after = ends_of(life, f"{daemon}_files")
            yield f"open files of the {daemon}", round(after), round(before) + 8
    first, last = rows[len(rows) // 10], rows[-1]
    per_item = (last["database_bytes"] - first["database_bytes"]) / max(last["said"] - first["said"], 1)
    yield "bytes of database an item", round(per_item), 400
    yield "bytes of WAL", max(row["wal_bytes"] for row in rows), 64 * MIB
    yield "bytes of the broker's file", max(row["broker_bytes"] for row in rows), 64 * MIB
    yield "bytes of logs a fault", round(last["log_bytes"] / max(last["faults"], 1)), 8192


# The picture

WIDTH, HEIGHT, LEFT = 900, 170, 80
COLORS = ("#2a7d4f", "#b5382a", "#2b5f9e")


def polyline(rows, column, scale, most, top, color):
    points = " ".join(
        f"{LEFT + row['seconds'] * scale:.1f},{top + HEIGHT - row[column] / most * (HEIGHT - 40):.1f}"
        for row in rows
        if row[column] != ""
    )
    return f'<polyline fill="none" stroke="{color}" points="{points}"/>'


def panel(rows, title, columns, top, unit):
    scale = (WIDTH - LEFT - 20) / max(rows[-1]["seconds"], 1)
    most = max((row[column] for row in rows for column in columns if row[column] != ""), default=0) or 1
    yield f'<text x="{LEFT}" y="{top + 14}">{escape(title)}</text>'
    yield f'<text x="8" y="{top + 44}">{most / unit:,.1f}</text><text x="8" y="{top + HEIGHT}">0</text>'
    yield f'<line x1="{LEFT}" x2="{WIDTH - 20}" y1="{top + HEIGHT}" y2="{top + HEIGHT}" stroke="#999"/>'
    for n, column in enumerate(columns):
        color = COLORS[n % len(COLORS)]
        yield polyline(rows, column, scale, most, top, color)
        yield f'<text x="{LEFT + 300 + 180 * n}" y="{top + 14}" fill="{color}">{escape(column)}</text>'


def svg_of(rows):
    panels = (
        ("Memory, MiB", [f"{daemon}_mib" for daemon in DAEMONS], 1),
        ("Files, MiB", ["database_bytes", "wal_bytes", "broker_bytes"], MIB),
        ("Logs, KiB", ["log_bytes"], 1024),
        ("Items said", ["said"], 1),
        ("Faults", ["faults"], 1),
    )
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{(HEIGHT + 30) * len(panels)}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for n, (title, columns, unit) in enumerate(panels):
        lines += panel(rows, f"{title}, over {rows[-1]['seconds']:,.0f} s", columns, n * (HEIGHT + 30), unit)
    return "\n".join([*lines, "</svg>"]) + "\n"


# The run


def within(seconds, bounds):
    return min(max(seconds, bounds[0]), bounds[1])


class Soak:
    def __init__(self, arguments):
        self.seconds = arguments.hours * 3600
        self.out = arguments.out
        self.seed = arguments.seed
        self.rate = arguments.rate
        self.dice = random.Random(f"{arguments.seed}/soak")
        self.tally = collections.Counter()
        self.result = {"hours": arguments.hours, "seed": arguments.seed, "rate": arguments.rate, "state": "held", "why": ""}
        self.result |= stamp() | {"events": 0, "refused": 0, "lost": 0, "doubled": 0}

    def run(self):
        with tempfile.TemporaryDirectory(prefix="headcount-soak.") as folder:
            try:
                Tried.rate = self.rate
                with Tried(Path(folder), self.dice) as self.system:
                    self.samples = Samples(self.system, self.out / "soak.csv", self.tally)
                    self.live()
                    self.judge()
            except Exception as problem:
                self.result |= {"state": "broken", "why": str(problem).split("\n")[0]}
                if isinstance(problem, Broken):
                    self.result |= {"lost": problem.lost, "doubled": problem.doubled}
                traceback.print_exc()
        self.report()

    def live(self):
        begun = time.monotonic()
        next_check = check_every = within(self.seconds / 10, CHECK_SECONDS)
        next_death = life = within(self.seconds / 5, LIFE_SECONDS)
        self.system.wait_for_progress()
        while (now := time.monotonic() - begun) < self.seconds:
            if now >= next_check:
                self.check()
                next_check = time.monotonic() - begun + check_every
            elif now >= next_death:
                self.fault(self.dice.choice(DEADLY))
                next_death = time.monotonic() - begun + life
            else:
                self.fault(self.dice.choice(GENTLE))
            self.rest(self.dice.uniform(*GAP_SECONDS))
        self.check()

    def rest(self, seconds):
        """With a sample a second, or 2,000 in all."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if not self.samples.rows or self.due() <= time.monotonic() - self.samples.begun:
                self.samples.take()
            time.sleep(0.1)

    def due(self):
        return self.samples.rows[-1]["seconds"] + max(1.0, self.seconds / 2000)

    def fault(self, name):
        CELLS[name].fault(self.system)
        self.system.revive()
        self.system.wait_for_progress()
        self.tally[name] += 1

    def check(self):
        events, refused = self.system.check_all()
        self.samples.checks += 1
        self.result |= {"events": events, "refused": refused}
        seconds, faults = time.monotonic() - self.samples.begun, sum(self.tally.values())
        said = f"{events:,} events, {refused:,} rejected, none lost or doubled; {faults} faults"
        print(f"{seconds:7.0f} s: {said}", flush=True)

    def judge(self):
        self.samples.take()
        found = list(growths(self.samples.rows))
        for what, grown, bound in found:
            print(f"{what}: {grown:,} (at most {bound:,})")
        self.result["bounds"] = found
        wrong = [f"{what}: {grown:,}, more than {bound:,}" for what, grown, bound in found if grown > bound]
        require(not wrong, "; ".join(wrong))

    def report(self):
        samples = getattr(self, "samples", None)
        rows = samples.rows if samples else []
        self.result |= {
            "faults": dict(self.tally),
            "kills": self.system.kills if samples else 0,
            "checks": samples.checks if samples else 0,
            "longest_recovery_s": round(max(self.system.recoveries, default=0.0), 1) if samples else 0,
            "seconds": round(rows[-1]["seconds"]) if rows else 0,
            "peaks": {d: max((r[f"{d}_mib"] for r in rows if r[f"{d}_mib"] != ""), default=0) for d in DAEMONS},
        }
        if rows:
            (self.out / "soak.svg").write_text(svg_of(rows))
        (self.out / "soak.json").write_text(json.dumps(self.result, indent=1) + "\n")
        print(f"\n{self.result['state']} {self.result['why']}", self.out / "soak.csv", self.out / "soak.svg", sep="\n")


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=1, help="how long (default: 1; also 0.1)")
    parser.add_argument("--seed", type=int, default=random.randrange(2**31), help="the dice (default: others each time)")
    parser.add_argument("--rate", type=int, default=150, help="items a second (default: 150)")
    parser.add_argument("--out", type=Path, help="the folder for results (default: soak in the build folder)")
    return parser.parse_args()


def main():
    arguments = read_arguments()
    arguments.out = arguments.out or bin_dir().parent / "soak"
    arguments.out.mkdir(parents=True, exist_ok=True)
    print(f"seed {arguments.seed}, {arguments.hours:g} hours", flush=True)
    soak = Soak(arguments)
    soak.run()
    return 0 if soak.result["state"] == "held" else 1


if __name__ == "__main__":
    sys.exit(main())
