"""Where figures come from: stamp() goes into what a run keeps."""

import datetime
import os
import subprocess
from pathlib import Path

from harness import SOURCE_DIR


def value_of(path, key, separator):
    for line in Path(path).read_text().splitlines():
        name, _, value = line.partition(separator)
        if name.strip() == key:
            return value.strip().strip('"')
    return "?"


def machine():
    """The like of: 2 CPUs, AMD EPYC, Debian GNU/Linux 12 (bookworm)."""
    model = value_of("/proc/cpuinfo", "model name", ":")
    return f"{os.cpu_count()} CPUs, {model}, {value_of('/etc/os-release', 'PRETTY_NAME', '=')}"


TRIED = ("core", "gateway", "api", "ctl", "db_schema.sql", "mosquitto.conf")


def git(*arguments):
    asked = ["git", "-C", str(SOURCE_DIR), *arguments, "--", *TRIED]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()


def commit():
    """The last one that changed what is tried; with a + if it was changed since. "" where there is no git."""
    return git("log", "-1", "--format=%h") + ("+" if git("status", "--short") else "")


def stamp():
    return {"date": datetime.date.today().isoformat(), "commit": commit(), "machine": machine()}
