"""Many clients ask while the gateway stores 5,000 events a second: nobody gets an error, and the gateway does not slow
down for it.

HEADCOUNT_LOAD_SECONDS=N is how long each part lasts.
"""

import json
import multiprocessing
import os
import random
import selectors
import socket
import time

import pytest

from harness import Api, Broker, Gateway, wait_until
from loader import Loader

SECONDS = float(os.environ.get("HEADCOUNT_LOAD_SECONDS", "4"))
EVENTS_A_SECOND = 5000
CLIENTS = 100
PAUSE = 0.1  # of a client, between an answer and its next question
SPACES, DPUS = 20, 100
TICK = 0.02


@pytest.fixture
def system(tmp_path):
    with Broker(tmp_path) as broker, Gateway(broker, tmp_path, {"log": {"level": "info"}}) as gateway:
        with Api(gateway, tmp_path, {"api": {"connections_per_address": 2 * CLIENTS}}) as api:
            api.wait_connected()
            for n in range(SPACES):
                api.tell("POST", "/spaces", {"id": f"S{n}", "capacity": 50})
            for n in range(DPUS):
                api.tell("POST", "/dpus", {"id": f"D{n}"})
                api.tell("POST", "/doorways", {"id": f"X{n}", "space": f"S{n % SPACES}"})
                hung = {"dpu": f"D{n}", "doorway": f"X{n}", "started_at": "2018-01-01T00:00:00Z"}
                api.tell("POST", "/installations", hung)
            yield api


# The devices


def send_events(api, name):
    """Sends at the rate for the time, a message an event; how many a second were sent and stored."""
    total = int(SECONDS * EVENTS_A_SECOND)
    before = stored(api)
    dice = random.Random(name)
    begin = time.monotonic()
    with Loader(api.gateway.broker.port, name, window=20_000) as loader:
        sent = 0
        while sent < total:
            due = min(int((time.monotonic() - begin) * EVENTS_A_SECOND), total)
            for _ in range(due - sent):
                event = {"dpu_event_time": int(time.time() * 1000), "count": dice.choice((1, -1)), "seq": sent}
                loader.send(f"dpu/D{dice.randrange(DPUS)}/events", json.dumps(event).encode(), sent)
                sent += 1
            loader.exchange(wait=False)
            time.sleep(TICK)
        loader.flush()
    wait_until(lambda: stored(api) >= before + total, 120, "all is stored")
    assert stored(api) == before + total
    return total / (time.monotonic() - begin)


def stored(api):
    return api.gateway.value("SELECT count(*) FROM installation_count")


# The clients


class Client:
    """A connection that is kept alive; asks, takes the answer, waits a little, asks again."""

    def __init__(self, port, number):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.dice = random.Random(number)
        self.received = b""
        self.asked = None  # when; None: it pauses
        self.due = time.monotonic() + PAUSE * self.dice.random()

    def target(self):
        space = f"/spaces/S{self.dice.randrange(SPACES)}"
        today = time.strftime("%Y-%m-%d", time.gmtime())
        return self.dice.choice(
            [space] * 6
            + [f"{space}?time={today}+00:00"] * 2
            + [f"{space}/counts?start={today}&interval=1h", f"{space}/events?limit=20", "/spaces?limit=20"]
        )

    def ask(self):
        self.asked = time.monotonic()
        self.socket.sendall(f"GET {self.target()} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

    def take(self):
        """The status and time of an answer that is complete; else None."""
        chunk = self.socket.recv(262_144)
        if not chunk:
            raise ConnectionError("the server has ended a connection")
        self.received += chunk
        head, end, body = self.received.partition(b"\r\n\r\n")
        if not end:
            return None
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        if len(body) < int(fields[b"content-length"]):
            return None
        self.received = b""
        took = time.monotonic() - self.asked
        self.asked = None
        self.due = time.monotonic() + PAUSE
        return int(head.split(b" ")[1]), took


def ask_on(port, stop, results):
    """Runs all clients until told to stop; puts (statuses, longest time of an answer in seconds)."""
    statuses, longest = {}, 0.0
    try:
        clients = [Client(port, n) for n in range(CLIENTS)]
        with selectors.DefaultSelector() as selector:
            for client in clients:
                selector.register(client.socket, selectors.EVENT_READ, client)
            while not stop.is_set():
                for client in clients:
                    if client.asked is None and client.due <= time.monotonic():
                        client.ask()
                for key, _ in selector.select(0.005):
                    answer = key.data.take()
                    if answer:
                        statuses[answer[0]] = statuses.get(answer[0], 0) + 1
                        longest = max(longest, answer[1])
        for client in clients:
            client.socket.close()
    except Exception as error:
        statuses[repr(error)] = 1
    results.put((statuses, longest))


def send_while_clients_ask(api, name):
    context = multiprocessing.get_context("spawn")
    stop, results = context.Event(), context.Queue()
    asking = context.Process(target=ask_on, args=(api.port, stop, results))
    asking.start()
    try:
        rate = send_events(api, name)
    finally:
        stop.set()
        statuses, longest = results.get(timeout=60)
        asking.join()
    return rate, statuses, longest


def test_the_gateway_does_not_slow_down_for_who_asks(system, capsys):
    alone = send_events(system, "alone")
    together, statuses, longest = send_while_clients_ask(system, "together")
    with capsys.disabled():
        print(
            f"\nevents stored a second: {alone:.0f} alone, {together:.0f} with {CLIENTS} clients"
            f" ({together / alone:.2f}); answers {statuses}, the slowest took {longest * 1000:.0f} ms"
        )
    assert set(statuses) == {200}
    assert statuses[200] > CLIENTS * SECONDS, "they did ask"
    assert longest < 10
    # With fewer cores, broker, gateway, api, devices and clients share what there is.
    if os.cpu_count() >= 6 and os.getloadavg()[0] < os.cpu_count():
        assert together > 0.9 * alone
