"""What faults happen to: a broker, a gateway, the HTTP side, devices that publish all the time, and a watch.

    with System(folder, dice) as system:
        system.kill(system.gateway)
        system.revive()
        system.wait_for_progress()
        system.check()                  # raises invariants.Broken
"""

import contextlib
import signal
import sqlite3
import time

from devices import CELLAR, SPARE, Devices, build, create
from harness import Api, Broker, Gateway, Publisher, Subscriber, wait_until
from invariants import Watch, check
from trouble import Trouble

RECOVERY_SECONDS = 60


class System:
    """Broker, gateway, HTTP side, devices and watch, in a folder. As a context they run."""

    confirm = False
    with_api = True
    settings = {}
    keeps_record = False
    rate = 250

    def __init__(self, folder, dice):
        self.folder = folder
        self.dice = dice
        self.kills = 0
        self.recoveries = []
        self.broken = True  # until it has come to an end
        self.make()

    def make(self):
        self.broker = self.make_broker()
        settings = {"gateway": {"confirm_stored": self.confirm}, "log": {"level": "info"}, **self.settings}
        self.gateway = self.make_gateway(settings)
        self.trouble = Trouble(self.folder / "trouble", self.keeps_record)
        self.gateway.environment = self.trouble.environment()
        self.api = Api(self.gateway, self.folder) if self.with_api else None
        self.api_trouble = Trouble(self.folder / "api-trouble")
        if self.with_api:
            self.api.environment = self.api_trouble.environment()
        self.devices = Devices(self.broker, self.dice, self.rate, self.confirm)
        self.watch = Watch(self.broker, self.api)

    def make_broker(self):
        return Broker(self.folder)

    def make_gateway(self, settings):
        return Gateway(self.broker, self.folder, settings)

    @property
    def daemons(self):
        return [daemon for daemon in (self.broker, self.gateway, self.api) if daemon is not None]

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            stack.callback(self.end)
            self.broker.start()
            self.gateway.start()
            if self.api is not None:
                self.api.start()
            build(self.gateway)
            self.broker.save()  # it knows the gateway's session from now on, as it does ten seconds later anyway
            stack.enter_context(self.watch)
            stack.enter_context(self.devices)
            self.stack = stack.pop_all()
        return self

    def __exit__(self, kind, *_):
        self.broken = kind is not None
        self.stack.close()

    def end(self):
        """In good order where all went well: what a sanitizer has to say counts."""
        for daemon in reversed(self.daemons):
            (daemon.kill_quietly if self.broken else daemon.stop)()

    # What faults are made of

    def command(self, **command):
        with Publisher(self.broker) as operator:
            operator.publish("registry/commands", command)

    def rename_dpu(self):
        """A registry command that changes no count."""
        self.command(action="update", object="dpu", id=SPARE, values={"name": f"{self.dice.random()}"})

    def count_cellar(self):
        """Changes a count that nothing else does."""
        people = self.dice.randrange(1_000_000)
        self.command(**create("reset", space=CELLAR, count=people))
        wait_until(
            lambda: self.gateway.value("SELECT count(*) FROM occupancy_now WHERE count = ?", [people]),
            RECOVERY_SECONDS,
            "the cellar is counted",
        )

    def wait(self, least, most):
        time.sleep(self.dice.uniform(least, most))

    def kill(self, *daemons):
        for daemon in daemons:
            daemon.signal(signal.SIGKILL)
        for daemon in daemons:
            daemon.kill()
            self.kills += 1

    def revive(self):
        """Starts what has died, in any order, and notes what a sanitizer said."""
        dead = [daemon for daemon in self.daemons if not daemon.running]
        self.dice.shuffle(dead)
        for daemon in dead:
            if daemon.process is not None:
                daemon.kill()
            daemon.spawn()

    def progress(self):
        """The last revision on disk; None while the database can't be read."""
        with contextlib.suppress(sqlite3.OperationalError):
            return self.gateway.value("SELECT revision FROM meta")
        return None

    def wait_for_progress(self):
        """Waits until something was stored that came after now."""
        begun = time.monotonic()
        before = wait_until(self.progress, RECOVERY_SECONDS, "the database can be read")
        self.gateway.wait_for(lambda: (self.progress() or 0) > before, RECOVERY_SECONDS, "the gateway stores again")
        self.recoveries.append(time.monotonic() - begun)

    def wait_until_caught_up(self):
        """Waits until what devices have said before now is on disk."""
        said = self.devices.number - 1
        newest = "SELECT coalesce(max(seq), 0) FROM installation_count"
        wait_until(lambda: self.gateway.value(newest) >= said, RECOVERY_SECONDS, "the gateway has caught up")

    def arm(self, point, countdown, **options):
        self.trouble.arm(point, countdown, seed=self.dice.randrange(2**31), **options)

    def wait_until_fired(self):
        wait_until(self.trouble.fired, 30, "the fault has happened")

    def halt(self, daemon, least, most):
        daemon.signal(signal.SIGSTOP)
        self.wait(least, most)
        daemon.signal(signal.SIGCONT)

    @contextlib.contextmanager
    def said_in_health(self, word):
        """Within the block something happens that the log and the health message of a new gateway then name."""
        self.kill(self.gateway)
        self.gateway.spawn()
        self.gateway.wait_ready()
        said = self.gateway.log().count(word)
        with Subscriber(self.broker, f"gateway/{self.gateway.client_id}/health") as health:
            yield
            self.gateway.wait_for(
                lambda: any(word in text for text in health.live()), 60, f"the health message says {word!r}"
            )
        assert self.gateway.log().count(word) > said

    def wait_until_dead(self):
        wait_until(lambda: not self.gateway.running, 10, "the gateway is dead")
        code = self.gateway.wait()
        assert code == -signal.SIGKILL, f"the gateway ended with {code}\n{self.gateway.log()}"
        self.kills += 1

    def check(self):
        self.devices.pause()
        finding = check(self.gateway, self.api, self.devices, self.watch, self.dice)
        self.kill(self.gateway)  # at rest; and the next one has no memory of how often a connection failed
        self.gateway.spawn()
        self.gateway.wait_ready()
        self.devices.resume()
        return finding
