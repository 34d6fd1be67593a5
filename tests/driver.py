"""The program without a broker: driver.c, asked from Python."""

import contextlib
import json
import os
import sqlite3
import subprocess

from harness import SANITIZER_ENVIRONMENT, bin_dir


class Driver:
    def __init__(self, database):
        self.database = database
        self.process = self.start()

    def start(self):
        return subprocess.Popen(
            [str(bin_dir() / "test-driver"), str(self.database)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **SANITIZER_ENVIRONMENT},
        )

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        self.process.stdin.close()
        self.process.stdout.close()
        code = self.process.wait(60)
        assert kind is not None or code == 0, f"the driver ended with {code}"

    def write(self, *words):
        self.process.stdin.write("\t".join(map(str, words)) + "\n")

    def ask(self, *words):
        """The lines of the answer before the one with ok, and what that one says."""
        self.write(*words)
        self.process.stdin.flush()
        lines = []
        while True:
            line = self.process.stdout.readline().rstrip("\n")
            if line == "ok" or line.startswith("ok "):
                return lines, line[3:]
            assert line and not line.startswith("failed"), (words, line, self.process.poll())
            lines.append(line)

    def message(self, received, topic, payload):
        self.write("message", received, topic, payload)

    def request(self, received, number, command):
        self.write("request", received, number, json.dumps(command))

    def commit(self):
        """The answers to the requests of the batch, by number."""
        answers = {}
        for line in self.ask("commit")[0]:
            _, _, number, payload = line.split("\t", 3)
            if number:
                answers[int(number)] = json.loads(payload)
        return answers

    def look_back(self, space, instants):
        """(count, net, as_of) for each."""
        numbers = [int(word) for word in self.ask("at", space, *instants)[1].split()]
        return list(zip(numbers[::3], numbers[1::3], numbers[2::3]))

    def at(self, space, instants):
        found = self.look_back(space, instants)
        assert [as_of for _, _, as_of in found] == list(instants)
        return [(count, net) for count, net, _ in found]

    def buckets(self, space, edges):
        """The numbers of each, or None if they are not known any more."""
        lines, end = self.ask("buckets", space, *edges)
        if end == "unknown":
            return None
        return [[float(word) for word in line.split()[1:]] for line in lines]

    def prune_some(self):
        """A step; is there more?"""
        return self.ask("prune")[1] == "more"

    def kill(self):
        self.process.kill()
        self.process.communicate()
        self.process = self.start()

    def now(self, space):
        return tuple(int(word) for word in self.ask("now", space)[1].split())

    @contextlib.contextmanager
    def tables(self):
        with contextlib.closing(
            sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)
        ) as connection:
            connection.row_factory = sqlite3.Row
            yield connection
