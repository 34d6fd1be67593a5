"""Publishes at QoS 1, quickly, over plain sockets, and knows of each message whether the broker
acknowledged it.

    with Loader(broker.port, "door-1") as loader:
        loader.send(topic, payload, token)     # waits while `window` messages are unacknowledged
        loader.flush()                         # waits until none is
    loader.acknowledged                        # the tokens, in the order of their PUBACKs

MQTT 3.1.1 (OASIS standard, section 3), no more of it than a device needs that only sends. A
connection that breaks is made again; what was not acknowledged is sent again, as a device would do.
"""

import collections
import contextlib
import socket
import struct
import time

CONNACK, PUBACK = 0x20, 0x40
RETRY_SECONDS = 0.05


def length(number):
    """The remaining length of a packet: seven bits a byte, the lowest first."""
    encoded = bytearray()
    while True:
        number, low = divmod(number, 128)
        encoded.append(low | (128 if number else 0))
        if not number:
            return bytes(encoded)


def text(words):
    encoded = words.encode() if isinstance(words, str) else words
    return struct.pack("!H", len(encoded)) + encoded


def connect_packet(client_id):
    clean_session, keep_alive = 2, 0
    body = text("MQTT") + struct.pack("!BBH", 4, clean_session, keep_alive) + text(client_id)
    return b"\x10" + length(len(body)) + body


def publish_packet(topic, payload, packet_id, retain=False):
    body = text(topic) + struct.pack("!H", packet_id) + payload
    return bytes([0x32 | retain]) + length(len(body)) + body


class Loader:
    def __init__(self, port, client_id, window=500, timeout=120.0):
        self.port = port
        self.client_id = client_id
        self.window = window
        self.timeout = timeout  # for the broker to come back, or to acknowledge anything
        self.acknowledged = []
        self.connection = None
        self.received = b""
        self.outgoing = bytearray()
        self.in_flight = collections.OrderedDict()  # packet id: (topic, payload, retain, token)
        self.last_id = 0

    def __enter__(self):
        self.connect()
        return self

    def __exit__(self, kind, value, traceback):
        if self.connection is None:
            return
        with contextlib.suppress(OSError):
            self.connection.sendall(b"\xe0\x00")
        self.connection.close()

    def connect(self):
        deadline = time.monotonic() + self.timeout
        while True:
            try:
                self.connection = socket.create_connection(("127.0.0.1", self.port), timeout=10)
                self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.connection.sendall(connect_packet(self.client_id))
                answer = self.connection.recv(4)
                if answer[:1] == bytes([CONNACK]):
                    assert answer[3] == 0, f"refused: CONNACK {answer[3]}"
                    break
            except OSError:
                pass
            assert time.monotonic() < deadline, "the broker does not come back"
            time.sleep(RETRY_SECONDS)
        self.received = b""
        self.outgoing.clear()
        for packet_id, (topic, payload, retain, _) in self.in_flight.items():
            self.outgoing += publish_packet(topic, payload, packet_id, retain)

    def send(self, topic, payload, token=None, retain=False):
        while len(self.in_flight) >= self.window:
            self.exchange(wait=True)
        packet_id = self.next_id()
        self.in_flight[packet_id] = (topic, payload, retain, token)
        self.outgoing += publish_packet(topic, payload, packet_id, retain)
        if len(self.outgoing) > 4096:
            self.exchange(wait=False)

    def flush(self):
        while self.in_flight:
            self.exchange(wait=True)

    def next_id(self):
        while True:
            self.last_id = self.last_id % 65535 + 1
            if self.last_id not in self.in_flight:
                return self.last_id

    def exchange(self, wait):
        """Sends what is ready to go and takes what has come."""
        try:
            self.connection.settimeout(self.timeout)
            self.connection.sendall(self.outgoing)
            self.outgoing.clear()
            self.receive(wait)
        except TimeoutError:
            raise AssertionError(f"{self.client_id}: no PUBACK within {self.timeout:g} s")
        except OSError:
            self.connection.close()
            self.connect()

    def receive(self, wait):
        self.connection.settimeout(self.timeout if wait else 0)
        try:
            chunk = self.connection.recv(65536)
        except BlockingIOError:
            return
        if not chunk:
            raise ConnectionResetError
        self.received += chunk
        # Nothing comes but PUBACKs, of four bytes each.
        complete = len(self.received) // 4 * 4
        for place in range(0, complete, 4):
            kind, _, packet_id = struct.unpack_from("!BBH", self.received, place)
            assert kind == PUBACK, f"unexpected packet {kind:#x}"
            known = self.in_flight.pop(packet_id, None)
            if known is not None:
                self.acknowledged.append(known[3])
        self.received = self.received[complete:]
