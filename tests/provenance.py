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


def commit():
    """Of the sources; with a + if they were changed since. "" where there is no git."""
    asked = ["git", "-C", str(SOURCE_DIR), "describe", "--always", "--exclude=*", "--dirty=+"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()


def stamp():
    return {"date": datetime.date.today().isoformat(), "commit": commit(), "machine": machine()}
