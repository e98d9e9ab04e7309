"""Peak resident memory of a process and its children."""

from pathlib import Path

import psutil


def peak_megabytes(process_id: int) -> float:
    """The sum of what the process and each of its children had resident at most, by the kernel's own account.

    Nothing is sampled, so nothing is missed and nothing slows the load. Linux only (`VmHWM` in /proc/PID/status).
    """
    process = psutil.Process(process_id)
    family = (process, *process.children(recursive=True))
    return sum(_peak_kilobytes(member.pid) for member in family) / 1024


def _peak_kilobytes(process_id: int) -> int:
    status = Path(f"/proc/{process_id}/status").read_text(encoding="ascii")
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1])
