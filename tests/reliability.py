#!/usr/bin/python3
"""Writes tests/RELIABILITY.md from what fault_matrix.py has kept:

    tests/reliability.py build/sanitize/faults.json > tests/RELIABILITY.md
"""

import json
import sys
from pathlib import Path

from seeded_bugs_test import CATCHES

HEAD = """\
# What was broken, and what was lost

Made by tests/reliability.py from a run of tests/fault_matrix.py: a real mosquitto, real daemons, and devices that publish all
the time while a fault is made to happen, again and again. After every few faults all is compared with what the devices
know: each event acknowledged to them is stored once, or kept as rejected with its reason, and nothing else is; retained counts,
`occupancy_now` and HTTP answers, for now and for earlier instants, are what an oracle counts; no revision goes back.

*Keep* means devices that hold each event until `dpu/<id>/stored` names it. All others are content with the broker's
acknowledgement. *Recovery* is the longest time from the end of a fault to the next event on disk.

| fault | times | kills | events | lost | doubled | recovery | |
|---|---|---|---|---|---|---|---|
"""

AFTER = """
A power loss drops, keeps or tears, by sectors, each write that was not synced; a failing sync loses what it was to save. Both, and the
named calls, are the work of tests/fault_hook, a library that is preloaded into the gateway.

## Bugs that were sown

tests/seeded_bugs_test.py sows them in a copy of the sources, one after the other; it fails unless the matrix breaks.

| bug | caught by the cell |
|---|---|
"""


def line(*cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def row_line(row):
    events = row["events"] + row["refused"]
    state = row["state"] + (f": {row['why']}" if row["why"] else "")
    recovery = f"{row['longest_recovery_s']:.1f} s"
    return line(row["cell"], row["times"], row["kills"], events, row["lost"], row["doubled"], recovery, state)


def total_line(rows):
    total = {name: sum(row[name] for row in rows) for name in ("times", "kills", "events", "refused", "lost", "doubled")}
    longest = max(row["longest_recovery_s"] for row in rows)
    events = total["events"] + total["refused"]
    return line("all", total["times"], total["kills"], events, total["lost"], total["doubled"], f"{longest:.1f} s", "")


def main():
    rows = json.loads(Path(sys.argv[1]).read_text())
    print(HEAD + "\n".join([*map(row_line, rows), total_line(rows)]))
    seeds = sorted({row["seed"] for row in rows})
    minutes = sum(row["seconds"] for row in rows) / 60
    print(f"\nSeeds: {', '.join(map(str, seeds))}. {minutes:.0f} minutes.")
    print(AFTER + "\n".join(line(bug.replace("-", " "), cell) for bug, cell in CATCHES.items()))


if __name__ == "__main__":
    main()
