#!/usr/bin/python3
"""Proof by trouble that nothing is lost and nothing counted twice: a real broker, real daemons, devices that publish all the
time, and faults of every kind, one after the other; after every few of them each invariant (invariants.py) is checked.

    HEADCOUNT_BIN_DIR=build/release/bin tests/fault_matrix.py                 all, at full size
    … tests/fault_matrix.py --cell 'gateway killed' --times 5 --seed 4711     a row again
    … tests/fault_matrix.py --list

The seed is printed; with it the dice fall as before, though not the machine's timing. It ends with a table and 1 if an
invariant broke. --json FILE keeps the rows, where those of earlier runs stay as long as they are not run again.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
import traceback
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from faults import CELLS
from invariants import Broken
from provenance import stamp
from trouble import hook


@dataclass
class Row:
    """What came of a cell."""

    cell: str
    times: int = 0
    kills: int = 0
    checks: int = 0
    events: int = 0
    refused: int = 0
    lost: int = 0
    doubled: int = 0
    longest_recovery_s: float = 0.0
    seconds: float = 0.0
    seed: int = 0
    state: str = "held"  # or "broken", or "not run", with why
    why: str = ""
    date: str = ""
    commit: str = ""
    machine: str = ""


def run_fault(system, cell, row):
    cell.fault(system)
    system.revive()
    system.wait_for_progress()
    row.times += 1


def run_checks(system, row):
    finding = system.check()
    row.checks += 1
    row.events, row.refused = finding.events, finding.refused


def run_system(cell, row, times, dice, folder):
    with cell.system(folder, dice) as system:
        try:
            system.wait_for_progress()
            system.recoveries.clear()
            for n in range(times):
                run_fault(system, cell, row)
                if (n + 1) % cell.check_every == 0 or n + 1 == times:
                    run_checks(system, row)
        finally:
            row.kills = system.kills
            row.longest_recovery_s = round(max(system.recoveries, default=0.0), 2)


def run_cell(cell, times, seed):
    row = Row(cell.name, seed=seed, **stamp())
    begun = time.monotonic()
    if cell.needs_root and os.geteuid() != 0:
        row.state, row.why = "not run", "takes root"
        return row
    with tempfile.TemporaryDirectory(prefix="headcount-faults.") as folder:
        try:
            run_system(cell, row, times, random.Random(f"{seed}/{cell.name}"), Path(folder))
        except Exception as problem:
            row.state, row.why = "broken", str(problem).split("\n")[0]
            if isinstance(problem, Broken):
                row.lost, row.doubled = problem.lost, problem.doubled
            traceback.print_exc()
    row.seconds = round(time.monotonic() - begun, 1)
    return row


def table(rows):
    heads = ("fault", "times", "kills", "events", "lost", "doubled", "recovery", "")
    lines = [heads] + [
        (r.cell, r.times, r.kills, r.events + r.refused, r.lost, r.doubled, f"{r.longest_recovery_s:.1f} s", r.state)
        for r in rows
    ]
    widths = [max(len(str(line[n])) for line in lines) for n in range(len(heads))]
    for line in lines:
        first, *rest = (str(text) for text in line)
        yield " ".join([first.ljust(widths[0])] + [t.rjust(w) for t, w in zip(rest[:-1], widths[1:])] + rest[-1:])


def keep(path, rows):
    """Replaces the rows of the cells that were run."""
    kept = json.loads(path.read_text()) if path.exists() else []
    known = {row["cell"]: row for row in kept} | {row.cell: asdict(row) for row in rows}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([known[name] for name in CELLS if name in known], indent=1) + "\n")


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=random.randrange(2**31), help="the dice (default: others each time)")
    parser.add_argument("--cell", action="append", help="only cells with this in their name (=NAME: this one); may be repeated")
    parser.add_argument("--times", type=int, help="so many faults of each cell, and not the full number")
    parser.add_argument("--minutes", type=float, default=30, help="begin no further cell after that (default: 30)")
    parser.add_argument("--json", type=Path, help="keep the rows in this file")
    parser.add_argument("--list", action="store_true", help="print the names of the cells")
    return parser.parse_args()


def run_named(name, times, seed):
    return run_cell(CELLS[name], times, seed)


def run_all(cells, arguments):
    """A row for each, in their order; those that mostly wait do so in a process of their own."""
    begun = time.monotonic()
    with ProcessPoolExecutor(1) as beside:
        waiting = {
            one.name: beside.submit(run_named, one.name, arguments.times or one.times, arguments.seed)
            for one in cells
            if one.waits
        }
        for one in cells:
            if one.waits:
                yield waiting[one.name].result()
            elif time.monotonic() - begun > arguments.minutes * 60:
                yield Row(one.name, seed=arguments.seed, state="not run", why="no time left")
            else:
                yield run_cell(one, arguments.times or one.times, arguments.seed)


def is_meant(cell, part):
    return cell.name == part[1:] if part.startswith("=") else part in cell.name


def main():
    arguments = read_arguments()
    chosen = [c for c in CELLS.values() if not arguments.cell or any(is_meant(c, part) for part in arguments.cell)]
    if arguments.list:
        print(*(f"{c.name}: {c.times}" for c in chosen), sep="\n")
        return 0
    hook()
    print(f"seed {arguments.seed}", flush=True)
    rows, begun = [], time.monotonic()
    for row in run_all(chosen, arguments):
        rows.append(row)
        print(*list(table([row]))[1:], f"({row.seconds} s)", row.why, flush=True)
    print("", *table(rows), f"in {(time.monotonic() - begun) / 60:.1f} min", sep="\n")
    if arguments.json:
        keep(arguments.json, rows)
    return 0 if chosen and all(row.state == "held" for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
