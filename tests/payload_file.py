"""Reads payload_cases.txt, which says itself what its lines mean."""

import re
from collections import namedtuple
from datetime import datetime
from pathlib import Path

import oracle

PayloadCase = namedtuple("PayloadCase", "name payload stored rejected")
Rejected = namedtuple("Rejected", "reason event")


def unescaped(text, repetition=1):
    """\\xHH, \\\\ and \\# as payload_cases.txt explains them."""

    def value(found):
        escape = found[1]
        if escape[:1] == b"x":
            return bytes([int(escape[1:], 16)])
        return b"\\" if escape == b"\\" else str(repetition).encode()

    return re.sub(rb"\\(x[0-9a-fA-F]{2}|\\|#)", value, text)


def events(words):
    """TIME COUNT SEQ or TIME COUNT FIRST..LAST as (time, seq, count)."""
    time, count, seq = words
    first, _, last = seq.partition("..")
    at = oracle.milliseconds(datetime.fromisoformat(time))
    return [(at, number, int(count)) for number in range(int(first), int(last or first) + 1)]


def read_cases():
    cases = []
    for line in (Path(__file__).parent / "payload_cases.txt").read_bytes().split(b"\n"):
        if not line or line.startswith(b"#"):
            continue
        keyword, _, rest = line.partition(b" ")
        if keyword == b"case":
            cases.append(PayloadCase(rest.decode(), bytearray(), [], []))
        elif keyword == b"payload":
            cases[-1].payload.extend(unescaped(rest))
        elif keyword == b"repeat":
            times, _, text = rest.partition(b" ")
            for number in range(1, int(times) + 1):
                cases[-1].payload.extend(unescaped(text, number))
        elif keyword == b"stored":
            cases[-1].stored.extend(events(rest.decode().split()))
        elif keyword == b"rejected":
            reason, *words = rest.decode().split()
            cases[-1].rejected.append(Rejected(reason, events(words)[0] if words else None))
        else:
            raise AssertionError(f"what is {line!r}?")
    return cases
