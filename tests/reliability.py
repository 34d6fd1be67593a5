#!/usr/bin/python3
"""Writes tests/RELIABILITY.md from what fault_matrix.py, storms.py and soak.py have kept:

    tests/reliability.py > tests/RELIABILITY.md
    tests/reliability.py --faults build/sanitize/faults.json --storms … --soak … > tests/RELIABILITY.md
"""

import argparse
import json
from pathlib import Path

from seeded_bugs_test import CATCHES

SOURCES = {"faults": "build/release/faults.json", "storms": "build/release/storms.json", "soak": "build/soak/soak.json"}

HEAD = """\
# What was broken, and what was lost

Made by tests/reliability.py from the last runs: a real mosquitto with the project's configuration, real daemons, and devices that
publish all the time, all on one machine. What is compared is everything that the devices were told is safe: each event is stored
once, or kept as rejected with its reason, and nothing else is; retained counts, `occupancy_now` and HTTP answers, for now and for
earlier instants, are what an oracle counts; no revision goes back.
"""

FAULTS = """
## Faults, one at a time

A fault is made to happen again and again; after every few of them all is compared. *Keep* means devices that hold each event until
`dpu/<id>/stored` names it. All others are content with the broker's acknowledgement. *Recovery* is the longest time from the end of
a fault to the next event on disk.
"""

POWER = """
A power loss drops, keeps or tears, by sectors, each write that was not synced; a failing sync loses what it was to save. Both, and the
named calls, are the work of tests/fault_hook, a library that is preloaded into the gateway.
"""

STORMS = """
## Storms

More at once than on any normal day. *Recovery* is how long it took, from the end of the trouble on, until an event sent at that
moment was stored, behind all that waited. Memory is the most that the process had; *drops* is the broker's own count.
"""

SOAK = """
## Hours of mixed load

Devices that keep what is not confirmed, displays, requests by HTTP, and every few seconds a fault by chance; all that was ever
sent is compared every few minutes. Memory and files must not grow once they are warm (tests/soak.py has the bounds).
"""

BUGS = """
## Bugs that were sown

tests/seeded_bugs_test.py sows them in a copy of the sources, one after the other; it fails unless the matrix breaks.
"""


def line(*cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def table(heads, rows):
    return "\n".join(["", line(*heads), "|" + "---|" * len(heads), *(line(*row) for row in rows)])


def state_of(row):
    return row["state"] + (f": {row['why']}" if row["why"] else "")


def words_of(rows, name):
    return ", ".join(sorted({str(row[name]) for row in rows if row.get(name) not in (None, "")}))


def origin(rows, command):
    """On which machine, when, from which sources, with which dice; and how to do it again."""
    minutes = sum(row["seconds"] for row in rows) / 60
    known = ((name, words_of(rows, name)) for name in ("machine", "date", "commit", "seed"))
    said = [words if name in ("machine", "date") else f"{name} {words}" for name, words in known if words]
    return f"\n{'; '.join(said)}; {minutes:.0f} minutes. Again, on a release build:\n\n    {command}"


# The three kinds of runs


def fault_cells(row):
    events = row["events"] + row["refused"]
    recovery = f"{row['longest_recovery_s']:.1f} s"
    return (row["cell"], row["times"], row["kills"], f"{events:,}", row["lost"], row["doubled"], recovery, state_of(row))


def all_faults(rows):
    names = ("times", "kills", "events", "refused", "lost", "doubled", "seconds")
    total = {name: sum(row[name] for row in rows) for name in names}
    longest = max(row["longest_recovery_s"] for row in rows)
    return fault_cells({"cell": "all", "state": "", "why": "", "longest_recovery_s": longest, **total})


def faults_text(rows):
    yield FAULTS
    heads = ("fault", "times", "kills", "events", "lost", "doubled", "recovery", "")
    yield table(heads, [*map(fault_cells, rows), all_faults(rows)])
    yield POWER
    yield origin(rows, "HEADCOUNT_BIN_DIR=build/release/bin tests/fault_matrix.py --json build/release/faults.json --seed SEED")


MEMORY = ("gateway_mib", "broker_mib", "api_mib")


def storm_cells(row):
    note = f" ({row['note']})" if row["note"] else ""
    size = "" if row["scale"] == 1 else f", at {row['scale']:g} of the size"
    memory = ", ".join(f"{row[name]:.0f}" for name in MEMORY if name in row) + " MiB"
    sent = f"{row['events']:,} + {row['refused']:,}"
    figures = (f"{row['messages']:,}", sent, row["lost"], row["doubled"], memory, row["drops"], f"{row['recovery_s']} s")
    return (f"{row['storm']}: {row['what']}{size}{note}", *figures, state_of(row))


def storms_text(rows):
    yield STORMS
    heads = ("storm", "messages", "events + rejected", "lost", "doubled", "memory of gateway, broker, HTTP side", "drops", "recovery", "")
    yield table(heads, map(storm_cells, rows))
    yield origin(rows, "HEADCOUNT_BIN_DIR=build/release/bin tests/storms.py --seed SEED")


def soak_text(run):
    yield SOAK
    peaks = ", ".join(f"{name} {most:.0f}" for name, most in run["peaks"].items())
    faults = sum(run["faults"].values())
    rows = [
        ("hours", f"{run['seconds'] / 3600:.2f}"),
        ("events, and rejected", f"{run['events']:,} + {run['refused']:,}"),
        ("faults, kills of a process among them", f"{faults}, {run['kills']}"),
        ("times that all was compared", run["checks"]),
        ("lost, doubled", f"{run['lost']}, {run['doubled']}"),
        ("longest recovery", f"{run['longest_recovery_s']} s"),
        ("most memory, MiB", peaks),
        *((what, f"{grown:,} (at most {bound:,})") for what, grown, bound in run.get("bounds", ())),
        ("outcome", state_of(run)),
    ]
    yield table(("", ""), rows)
    yield origin([run], f"scripts/soak --hours {run['hours']:g} --rate {run['rate']} --seed SEED")


def bugs_text():
    yield BUGS
    yield table(("bug", "caught by the cell"), [(bug.replace("-", " "), cell) for bug, cell in CATCHES.items()])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, path in SOURCES.items():
        parser.add_argument(f"--{name}", type=Path, default=Path(path), help=f"what was kept (default: {path})")
    arguments = parser.parse_args()
    print(HEAD)
    for path, text in ((arguments.faults, faults_text), (arguments.storms, storms_text), (arguments.soak, soak_text)):
        if path.exists():
            print(*(part.strip("\n") + "\n" for part in text(json.loads(path.read_text()))), sep="\n")
    print(*(part.strip("\n") for part in bugs_text()), sep="\n\n")


if __name__ == "__main__":
    main()
