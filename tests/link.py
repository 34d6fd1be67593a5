"""A link between this machine and a network namespace of its own, bad on request: packets get lost or come late, or none goes
through. It is made of two TUN devices with us between them, so it needs root and no module for bad networks in the kernel.

    with Link(dice) as link:
        gateway.wrapper = link.inside           # in the namespace, where link.near is this machine
        link.loss, link.delay = 0.1, (0.01, 0.1)
        link.cut = True
            link.reset()                            # ends all TCP connections through it
"""

import contextlib
import fcntl
import heapq
import os
import select
import struct
import subprocess
import threading
import time

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
PACKET = 65536


def open_tun(name):
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return descriptor


class Link:
    def __init__(self, dice):
        number = os.getpid()
        self.name = f"hcf{number}"
        self.devices = (f"hcn{number}", f"hcf{number}")
        network = f"10.{200 + number % 50}.{number // 50 % 256}"
        self.near, self.far = f"{network}.1", f"{network}.2"
        self.inside = ["ip", "netns", "exec", self.name]
        self.dice = dice
        self.mend()
        self.ended = False
        self.late = []  # heap of (due, number, descriptor, packet)
        self.packets = 0
        self.thread = threading.Thread(target=self.carry, daemon=True)

    def mend(self):
        self.cut = False
        self.loss = 0.0
        self.delay = (0.0, 0.0)

    def ip(self, *arguments):
        subprocess.run(["ip", *arguments], check=True)

    def __enter__(self):
        near, far = self.devices
        with contextlib.ExitStack() as stack:
            self.ends = [open_tun(near), open_tun(far)]
            for descriptor in self.ends:
                stack.callback(os.close, descriptor)
            self.ip("netns", "add", self.name)
            stack.callback(self.ip, "netns", "del", self.name)
            self.ip("link", "set", far, "netns", self.name)
            self.ip("addr", "add", f"{self.near}/30", "dev", near)
            self.ip("link", "set", near, "up")
            self.ip("-n", self.name, "addr", "add", f"{self.far}/30", "dev", far)
            self.ip("-n", self.name, "link", "set", far, "up")
            self.thread.start()
            stack.callback(self.end)
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def end(self):
        self.ended = True
        self.thread.join(10)

    def carry(self):
        near, far = self.ends
        while not self.ended:
            wait = max(0.0, min(0.1, self.late[0][0] - time.monotonic())) if self.late else 0.1
            for descriptor in select.select(self.ends, [], [], wait)[0]:
                self.take(os.read(descriptor, PACKET), far if descriptor == near else near)
            while self.late and self.late[0][0] <= time.monotonic():
                with contextlib.suppress(OSError):
                    os.write(*heapq.heappop(self.late)[2:])

    def take(self, packet, to):
        if self.cut or self.dice.random() < self.loss:
            return
        self.packets += 1
        due = time.monotonic() + self.dice.uniform(*self.delay)
        heapq.heappush(self.late, (due, self.packets, to, packet))

    def reset(self, inside=True):
        """Ends all TCP connections at one end; the other end is told, if nothing is cut. False if there are none."""
        here, there = (self.inside, self.near) if inside else ([], self.far)
        killed = subprocess.run(
            [*here, "ss", "--kill", "--no-header", "state", "established", "dst", there],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        return there in killed
