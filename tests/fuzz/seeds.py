"""What a fuzzer begins with: seeds.py NAME FOLDER writes an input a file. Most come from what the other tests and the
project have; the rest stands in NAME.txt here, separated by lines of ----."""

import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
SEPARATOR = re.compile(rb"^----\n", re.M)


def payloads():
    sys.path.insert(0, str(HERE.parent))
    from payload_file import read_cases

    return [bytes(case.payload) for case in read_cases() if len(case.payload) <= 4096]


def times():
    """The times in payloads, each in a timezone."""
    texts = [time for payload in payloads() for time in re.findall(rb'"dpu_event_time":"([^"\\]*)"', payload)]
    return [text + b"\nEurope/Berlin" for text in texts]


def gateway_messages():
    return [b"dpu/1/events " + payload for payload in payloads() if b"\n" not in payload]


MORE = {
    "payload": payloads,
    "instant": times,
    "configuration": lambda: [(ROOT / "config/headcount.conf").read_bytes()],
    "gateway": gateway_messages,
}


def seeds_of(name):
    own = HERE / f"{name}.txt"
    texts = SEPARATOR.split(own.read_bytes()) if own.exists() else []
    return [text.removesuffix(b"\n") for text in texts] + MORE.get(name, list)()


def main(name, folder):
    for number, seed in enumerate(seeds_of(name)):
        (Path(folder) / f"{number:03}").write_bytes(seed)


if __name__ == "__main__":
    main(*sys.argv[1:])
