"""The most memory a process has had resident, since its start or since a moment."""

from pathlib import Path


def forget_peak(process_id: int) -> None:
    """Have the peak begin anew with what it has now (Linux: `clear_refs`, of a process of our own)."""
    Path(f"/proc/{process_id}/clear_refs").write_text("5", encoding="ascii")


def peak_memory_bytes(process_id: int) -> int:
    """Since it began its program, or since `forget_peak` (Linux: `VmHWM`; `ru_maxrss` begins with its parent's)."""
    status = Path(f"/proc/{process_id}/status").read_text(encoding="ascii")
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024
