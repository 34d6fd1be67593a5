"""Displays that take a count from the broker themselves: each shows the right number after a crossing, and after a
restart of broker and gateway."""

import contextlib
import socket
import struct
import subprocess
import threading
import time

import pytest

import npm
from harness import Publisher, wait_until

TOPIC = "space/A/count"


class Program:
    """A display that is a program and prints each number on a line."""

    def __init__(self, *command, cwd=None):
        self.command, self.cwd = command, cwd
        self.numbers = []

    def __enter__(self):
        self.process = subprocess.Popen(self.command, cwd=self.cwd, stdout=subprocess.PIPE, text=True)
        self.thread = threading.Thread(target=self.read)
        self.thread.start()
        return self

    def read(self):
        for line in self.process.stdout:
            self.numbers.append(int(line))

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.thread.join()
        self.process.stdout.close()

    def shown(self):
        return self.numbers[-1] if self.numbers else None


class Microcontroller:
    """What a small device does: a socket, three kinds of packets of MQTT 3.1.1, and a number in the payload."""

    def __init__(self, port):
        self.port = port
        self.number = None
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.loop)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()

    def shown(self):
        return self.number

    def loop(self):
        while not self.ended.is_set():
            with contextlib.suppress(OSError):
                with socket.create_connection(("127.0.0.1", self.port)) as connection:
                    connection.settimeout(0.1)
                    self.listen(connection)
            time.sleep(0.05)

    def listen(self, connection):
        connection.sendall(packet(0x10, text("MQTT") + bytes([4, 2, 0, 60]) + text("display")))
        connection.sendall(packet(0x82, struct.pack(">H", 1) + text(TOPIC) + bytes([0])))
        while not self.ended.is_set():
            kind, body = self.receive(connection)
            if kind >> 4 == 3:  # PUBLISH at QoS 0: topic, then the payload
                length = struct.unpack(">H", body[:2])[0]
                self.number = int(body[2 + length :])

    def receive(self, connection):
        """The next packet: its first byte and what follows its length."""
        kind, length, shift = self.take(connection, 1)[0], 0, 0
        while True:
            byte = self.take(connection, 1)[0]
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return kind, self.take(connection, length)

    def take(self, connection, size):
        taken = b""
        while len(taken) < size:
            try:
                more = connection.recv(size - len(taken))
            except TimeoutError:
                if self.ended.is_set():
                    raise
                continue
            if not more:
                raise ConnectionResetError
            taken += more
        return taken


def packet(kind, body):
    assert len(body) < 0x80
    return bytes([kind, len(body)]) + body


def text(value):
    return struct.pack(">H", len(value)) + value.encode()


def plain_subscriber(broker):
    return Program("mosquitto_sub", "-h", "127.0.0.1", "-p", str(broker.port), "-t", TOPIC)


def websockets(broker):
    """node.js with npm's mqtt."""
    folder = npm.install("websocket_display")
    return Program("node", "display.mjs", f"ws://127.0.0.1:{broker.websockets_port}", TOPIC, cwd=folder)


def microcontroller(broker):
    return Microcontroller(broker.port)


def cross(broker, second):
    with Publisher(broker) as dpu:
        dpu.publish("dpu/423/events", {"dpu_event_time": f"2026-01-01T08:00:{second:02}Z", "count": 1})


def wait_for(display, number):
    wait_until(lambda: display.shown() == number, message=lambda: f"{number}, it shows {display.shown()}")


@pytest.mark.parametrize("make", [plain_subscriber, websockets, microcontroller])
def test_a_display_shows_the_count_through_restarts(make, broker, gateway, headcount):
    headcount("space", "add", "A")
    headcount("doorway", "add", "X", "--space", "A")
    headcount("dpu", "add", "423")
    headcount("installation", "add", "--dpu", "423", "--doorway", "X", "--from", "2026-01-01")
    with make(broker) as display:
        wait_for(display, 0)
        cross(broker, 1)
        wait_for(display, 1)
        gateway.stop()
        broker.restart()
        cross(broker, 2)
        gateway.start()
        wait_for(display, 2)
        cross(broker, 3)
        wait_for(display, 3)
    gateway.stop()
    broker.restart()
    with make(broker) as display:
        wait_for(display, 3)  # from what the broker keeps, with no gateway there
