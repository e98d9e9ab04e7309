"""What a process has logged: JSON, one object a line, and nothing else."""

import json
from pathlib import Path
from typing import Any


def read_log(file: Path) -> list[dict[str, Any]]:
    """The lines written so far; fails on one that is no JSON object, such as part of a traceback."""
    complete, _, _ = file.read_text().rpartition("\n")
    entries = [json.loads(line) for line in complete.splitlines()]
    assert all(isinstance(entry, dict) for entry in entries)
    return entries


def events(file: Path, name: str) -> list[dict[str, Any]]:
    """The lines of one event."""
    return [entry for entry in read_log(file) if entry["event"] == name]
