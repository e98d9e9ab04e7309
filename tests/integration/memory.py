"""The most memory a process has had resident."""

from pathlib import Path


def peak_memory_bytes(process_id: int) -> int:
    """Since it began its program (Linux: `VmHWM`; `ru_maxrss` would begin with what its parent had)."""
    status = Path(f"/proc/{process_id}/status").read_text(encoding="ascii")
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024
