"""Many displays, each a connection of its own that shows one number. Small devices take it from the broker (MQTT 3.1.1 at QoS 1, no
library), pages from the HTTP side's stream of changes.

    with Displays([Display(broker.port, "A"), Stream(api.port, "A"), …]) as crowd:
        crowd.wait_shown({"A": 12, …}, timeout)
        crowd.halt(10)                             # the first ten read nothing more
        crowd.go_on()

A display whose connection ends comes again.
"""

import itertools
import json
import selectors
import socket
import struct
import threading
import time

from harness import wait_until
from loader import connect_packet, length, text

PUBLISH = 3
PAUSE_SECONDS = 0.2  # before coming again


def subscribe_packet(topic):
    body = struct.pack("!H", 1) + text(topic) + b"\x01"
    return b"\x82" + length(len(body)) + body


def packets_of(received):
    """The packets that are complete, (first byte, body), and what is left."""
    packets = []
    while len(received) >= 2:
        size = shift = 0
        at = 1
        while at < len(received):
            size |= (received[at] & 127) << shift
            shift, at = shift + 7, at + 1
            if received[at - 1] < 128:
                break
        if received[at - 1] >= 128 or len(received) < at + size:
            break
        packets.append((received[0], received[at : at + size]))
        received = received[at + size :]
    return packets, received


class Display:
    numbers = itertools.count()

    def __init__(self, port, space):
        self.port, self.space = port, space
        self.name = f"display-{next(self.numbers)}"
        self.shown = None
        self.connection = None
        self.due = 0.0  # when to come, if there is no connection

    def greeting(self):
        return connect_packet(self.name) + subscribe_packet(f"space/{self.space}/count")

    def come(self):
        self.connection = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        self.connection.sendall(self.greeting())
        self.connection.setblocking(False)
        self.received = b""

    def leave(self):
        if self.connection is not None:
            self.connection.close()
        self.connection, self.shown = None, None
        self.due = time.monotonic() + PAUSE_SECONDS

    def read(self):
        """How many numbers came; raises OSError if the connection has ended."""
        chunk = self.connection.recv(65536)
        if not chunk:
            raise ConnectionResetError
        return self.take(chunk)

    def take(self, chunk):
        packets, self.received = packets_of(self.received + chunk)
        answers = b""
        numbers = 0
        for first, body in packets:
            if first >> 4 == PUBLISH:
                payload = 2 + struct.unpack_from("!H", body)[0]
                if first & 6:
                    answers += b"\x40\x02" + body[payload : payload + 2]
                    payload += 2
                self.shown = int(body[payload:])
                numbers += 1
        if answers:
            self.connection.sendall(answers)
        return numbers


class Stream(Display):
    """By HTTP/1.0, so that what comes is not in chunks."""

    def greeting(self):
        return f"GET /live?space={self.space} HTTP/1.0\r\nHost: display\r\n\r\n".encode()

    def take(self, chunk):
        *lines, self.received = (self.received + chunk).split(b"\n")
        states = [line[5:] for line in lines if line.startswith(b"data:")]
        if states:
            self.shown = json.loads(states[-1])["count"]
        return len(states)


class Displays:
    def __init__(self, displays):
        self.displays = displays
        self.halted = set()
        self.messages = 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()

    def run(self):
        with selectors.DefaultSelector() as selector:
            while not self.ended.is_set():
                self.come(selector)
                ready = selector.select(0.02)
                for key, _ in ready:
                    if key.data not in self.halted:
                        self.read(selector, key.data)
                if ready and all(key.data in self.halted for key, _ in ready):
                    time.sleep(0.02)
        for display in self.displays:
            display.leave()

    def come(self, selector):
        for display in self.displays:
            if display.connection is None and display.due <= time.monotonic():
                try:
                    display.come()
                    selector.register(display.connection, selectors.EVENT_READ, display)
                except OSError:
                    display.leave()

    def read(self, selector, display):
        try:
            self.messages += display.read()
        except BlockingIOError:
            pass
        except OSError:
            selector.unregister(display.connection)
            display.leave()

    def halt(self, number):
        self.halted = set(self.displays[:number])

    def go_on(self):
        self.halted = set()

    def wait_shown(self, right, timeout):
        """Waits until each shows its number of `right`, {space: number}; None: any number."""

        def wrong():
            return [d.space for d in self.displays if d.shown is None or right and d.shown != right[d.space]]

        wait_until(lambda: not wrong(), timeout, lambda: f"{len(wrong())} displays show the right number: {wrong()[:5]}")
