"""Trouble for one program, at a call that is named: tests/fault_hook.c, preloaded into it.

    trouble = Trouble(folder / "trouble")
    gateway.environment = trouble.environment()
    gateway.start()
    trouble.arm("before the sync of the WAL")
    wait_until(trouble.fired)                  # the gateway has killed itself
    gateway.spawn()                            # and is unharmed until the next arm()
"""

import errno
import mmap
import struct
import sys
from typing import NamedTuple

from harness import SANITIZER_ENVIRONMENT, bin_dir

LAYOUT = struct.Struct("=IIiiiIII64s")  # struct control in fault_hook.c
FIRED_AT = struct.calcsize("=IIiiiII")
ACTION_AT = 0

WAL_WRITE, WAL_SYNC, DB_WRITE, DB_SYNC, READ, ACKNOWLEDGE, ALLOCATE = (1 << n for n in range(7))
NONE, KILL, TEAR, AFTER, FAIL, POWER = range(6)


class Point(NamedTuple):
    """Which calls are meant, what happens at one of them, and errno if it fails."""

    calls: int
    action: int
    error: int = 0


# A batch's life, in its order, then what a checkpoint does, then other ways to go wrong.
POINTS = {
    "before a write to the WAL": Point(WAL_WRITE, KILL),
    "within a write to the WAL": Point(WAL_WRITE, TEAR),
    "before the sync of the WAL": Point(WAL_SYNC, KILL),
    "after the sync of the WAL": Point(WAL_SYNC, AFTER),
    "before a write to the broker": Point(ACKNOWLEDGE, KILL),
    "within a write to the broker": Point(ACKNOWLEDGE, TEAR),
    "after a write to the broker": Point(ACKNOWLEDGE, AFTER),
    "before a write to the database": Point(DB_WRITE, KILL),
    "within a write to the database": Point(DB_WRITE, TEAR),
    "before the sync of the database": Point(DB_SYNC, KILL),
    "after the sync of the database": Point(DB_SYNC, AFTER),
    "no space": Point(WAL_WRITE | DB_WRITE, FAIL, errno.ENOSPC),
    "read-only": Point(WAL_WRITE | WAL_SYNC | DB_WRITE | DB_SYNC, FAIL, errno.EROFS),
    "failing write": Point(WAL_WRITE | DB_WRITE, FAIL, errno.EIO),
    "failing read": Point(READ, FAIL, errno.EIO),
    "failing sync": Point(WAL_SYNC | DB_SYNC, FAIL, errno.EIO),
    "power loss": Point(WAL_WRITE | WAL_SYNC | DB_WRITE | DB_SYNC, POWER),
    "no memory": Point(ALLOCATE, FAIL, errno.ENOMEM),
}


def hook():
    """The library; without it nothing here can be done."""
    path = bin_dir() / "fault-hook.so"
    if not path.exists():
        sys.exit(f"{path} is not there: cmake --build {path.parent.parent} --target fault-hook")
    return path


class Trouble:
    def __init__(self, path, keeps_record=False):
        self.path = path
        self.keeps_record = keeps_record
        path.write_bytes(bytes(LAYOUT.size))
        with open(path, "r+b") as file:
            self.shared = mmap.mmap(file.fileno(), LAYOUT.size)
        self.shared[:] = LAYOUT.pack(NONE, 0, 0, 0, 0, 0, keeps_record, 0, b"")
        self.before = 0  # how often it had fired when it was armed last

    def environment(self, *preloads):
        """What a program is to be started with; `preloads` are other libraries, which come first."""
        options = SANITIZER_ENVIRONMENT["ASAN_OPTIONS"] + ":verify_asan_link_order=0"
        return {
            "LD_PRELOAD": " ".join([*preloads, str(hook())]),
            "FAULT_HOOK": str(self.path),
            "ASAN_OPTIONS": options,
        }

    def arm(self, point, countdown=1, times=1, seed=0, library=""):
        """Meant is the `countdown`-th of the point's calls from now on; of those that fail, so many `times`.
        Memory runs out for the `library` alone, if one is named."""
        calls, action, error = POINTS[point]
        self.disarm()
        self.before = self.count()
        self.shared[:] = LAYOUT.pack(
            NONE, calls, countdown, times, error, seed, self.keeps_record, self.before, library.encode()
        )
        self.set_action(action)

    def disarm(self):
        self.set_action(NONE)

    def set_action(self, action):
        struct.pack_into("=I", self.shared, ACTION_AT, action)

    def count(self):
        return struct.unpack_from("=I", self.shared, FIRED_AT)[0]

    def fired(self):
        """Has it happened since it was armed?"""
        return self.count() > self.before
