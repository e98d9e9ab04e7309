"""A file of JSON lines that survives the process being killed, whenever that happens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class RecordFile:
    """Every entry is handed to the operating system before `append` returns."""

    def __init__(self, path: Path) -> None:
        """Open or create the file.

        Raises:
            OSError: it cannot be written.
        """
        self._file = path.open("ab+", buffering=0)

    def append(self, entry: dict[str, Any]) -> None:
        self._file.write(json.dumps(entry, separators=(",", ":")).encode() + b"\n")

    def read(self) -> Iterator[dict[str, Any]]:
        """The entries so far. A last line that a kill has cut short is removed: its request got no answer."""
        self._file.seek(0)
        content = self._file.read()
        whole = content.rfind(b"\n") + 1
        self._file.truncate(whole)
        for line in content[:whole].splitlines():
            yield json.loads(line)

    def clear(self) -> None:
        self._file.truncate(0)

    def close(self) -> None:
        self._file.close()
