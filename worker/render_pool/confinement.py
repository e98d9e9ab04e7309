"""What a child gives up before it sees its first template, should one ever find a way to run code in it.

It has the parent's user id, so this is what keeps it from the parent's memory and environment, from files, from the
network. Best effort: what a kernel lacks is left out, and the child says what holds.
"""

import sys
import sysconfig
import zoneinfo
from enum import StrEnum
from pathlib import Path

import shared
import worker
from worker.render_pool.landlock import allow_reading_only
from worker.render_pool.seccomp import refuse_processes_and_network


class Confinement(StrEnum):
    """FILES: reads its own code and libraries only, writes nothing. CALLS: no socket, no process, none of others."""

    FILES = "files"
    CALLS = "calls"


def confine() -> frozenset[Confinement]:
    """Give up all that rendering does not need; returns what holds from now on."""
    if sys.platform != "linux":
        return frozenset()
    held = set()
    # A filter needs what this sets: no new privileges, which Landlock needs too.
    if refuse_processes_and_network():
        held.add(Confinement.CALLS)
        if allow_reading_only(_needed()):
            held.add(Confinement.FILES)
    return frozenset(held)


def _needed() -> set[str]:
    """Where modules that are not loaded yet, their libraries, and time zones are."""
    python = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    ours = {str(Path(path).absolute()) for package in (shared, worker) for path in package.__path__}
    return {*python, *ours, *zoneinfo.TZPATH, "/lib", "/lib64", "/usr/lib", "/usr/local/lib"}
