"""The daemon's log as `xnovu daemon logs` prints it: as it is, or a line for people for each of its objects."""

import json
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

from shared.json_logs import TerminalFormatter

LOOK_EVERY_SECONDS = 0.2

LONGEST_LOOK_BACK_BYTES = 16 * 1024 * 1024
"""The last lines are looked for in so much of the file's end."""

_PIECE_BYTES = 64 * 1024


def last_lines(descriptor: int, count: int) -> tuple[list[bytes], int]:
    """The file's last `count` whole lines, and where what follows them begins."""
    end = os.fstat(descriptor).st_size
    begin, content = end, b""
    while begin > 0 and content.count(b"\n") <= count and end - begin < LONGEST_LOOK_BACK_BYTES:
        begin = max(0, begin - _PIECE_BYTES)
        content = os.pread(descriptor, end - begin, begin)
    whole, newline, _ = content.rpartition(b"\n")
    lines = whole.split(b"\n") if newline else []
    if begin > 0:
        lines = lines[1:]  # it may begin within a line
    return (lines[-count:] if count else []), begin + len(whole) + len(newline)


def follow(
    descriptor: int, place: int, goes_on: Callable[[], bool], *, sleep: Callable[[float], None] = time.sleep
) -> Iterator[bytes]:
    """Whole lines from `place` on, as they come, until `goes_on` says that nobody writes any more and all is read.

    A file that is shorter than it was has been begun anew, and is read from its beginning.
    """
    rest = b""
    while True:
        alive = goes_on()  # before the last look, so that nothing written since is missed
        if os.fstat(descriptor).st_size < place:
            place, rest = 0, b""
        while piece := os.pread(descriptor, _PIECE_BYTES, place):
            place += len(piece)
            *lines, rest = (rest + piece).split(b"\n")
            yield from lines
        if not alive:
            if rest:
                yield rest
            return
        sleep(LOOK_EVERY_SECONDS)


class LineForPeople:
    """As the daemon itself writes on a terminal."""

    def __init__(self) -> None:
        self._formatter = TerminalFormatter(colours=False)

    def read(self, line: bytes) -> tuple[str, str]:
        """The text and its level. What is no object of ours (an interpreter's last words, say) stays as it is."""
        text = line.decode(errors="replace")
        try:
            fields: Any = json.loads(text)
        except (ValueError, RecursionError):
            return text, ""
        if not isinstance(fields, dict) or not {"timestamp", "level", "event"} <= fields.keys():
            return text, ""
        level = str(fields["level"])
        return self._formatter.serialize_log_record(fields), level
