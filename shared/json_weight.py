"""What a JSON text would weigh in memory, reckoned while it arrives: 16 MB of brackets are 750 MB of lists.

Pure. Nothing is parsed: brackets, commas and strings are counted, and the widest character is looked for, because
Python keeps a string at the width of its widest one.
"""

import re

VALUE_BYTES = 100
"""Of memory for each bracket, comma and string of the text; measured at 85 for the most costly, lists in lists."""

FREE_BYTES = 512 * 1024
"""Of text that cannot weigh much whatever it holds, and is not looked at: nearly every answer ends before."""

_TOKEN = re.compile(rb'[\[{,]|"(?:[^"\\]++|\\.)*+("?)', re.DOTALL)
_REST_OF_STRING = re.compile(rb'(?:[^"\\]++|\\.)*+("?)', re.DOTALL)
_TWO_WIDE = re.compile(rb"[\xc4-\xff]|\\u(?!00)")
_FOUR_WIDE = re.compile(rb"[\xf0-\xff]|\\u[dD][89abAB]")


class JsonWeight:
    """Of one text, given piece by piece; `most_bytes` is what it may weigh, the text itself included."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._size_bytes = 0
        self._values = 0
        self._width = 1
        self._waiting: list[bytes] = []
        self._in_string = False
        self._carried = b""

    def is_too_much(self, piece: bytes) -> bool:
        """Whether the text weighs too much, now that this piece of it has come."""
        self._size_bytes += len(piece)
        self._waiting.append(piece)
        if self._size_bytes <= FREE_BYTES:
            return False
        for waiting in self._waiting:
            self._look_at(waiting)
            if self._bytes() > self._most_bytes:
                return True
        self._waiting.clear()
        return False

    def _bytes(self) -> int:
        return self._size_bytes * (1 + self._width) + self._values * VALUE_BYTES

    def _look_at(self, piece: bytes) -> None:
        text = self._carried + piece
        self._carried = b""
        self._width = max(self._width, _width(text))
        at = 0
        if self._in_string:
            rest = _REST_OF_STRING.match(text)
            assert rest is not None, "it matches nothing at all, too"
            at = self._note_end(rest, text)
        most_values = self._most_bytes // VALUE_BYTES
        for token in _TOKEN.finditer(text, at):
            self._values += 1
            if text[token.start()] == ord('"'):
                self._note_end(token, text)
            if self._values > most_values:
                return

    def _note_end(self, string: re.Match[bytes], text: bytes) -> int:
        """Where the string ended; where it did not, what of it is to be read with the next piece: a lone backslash."""
        self._in_string = not string.group(1)
        if self._in_string:
            self._carried = text[string.end() :]
            return len(text)
        return string.end()


def _width(text: bytes) -> int:
    if text.isascii() and b"\\u" not in text:
        return 1
    if _FOUR_WIDE.search(text):
        return 4
    return 2 if _TWO_WIDE.search(text) else 1
