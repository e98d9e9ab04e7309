"""What listener and worker use of the machine, their children included."""

import psutil

from stack.processes import ChildProcess
from tests.benchmarks.system import System


def cpu_seconds(system: System) -> float:
    """Processor time used so far, by both together."""
    total = 0.0
    for process in (system.listener, system.worker):
        family = psutil.Process(pid(process))
        for member in (family, *family.children(recursive=True)):
            times = member.cpu_times()
            total += times.user + times.system
    return total


def log_bytes(system: System) -> int:
    """Written so far, by both together."""
    return sum(process.log_file.stat().st_size for process in (system.listener, system.worker))


def pid(process: ChildProcess) -> int:
    """Raises RuntimeError if the process does not run."""
    if process.pid is None:
        raise RuntimeError(f"the {process.name} is not running; its log is {process.log_file}")
    return process.pid
