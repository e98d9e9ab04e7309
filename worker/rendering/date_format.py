"""Dates by Ruby's `strftime`, whose patterns Liquid's `date` takes. The same on every machine and in every locale."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

_DIRECTIVE: Final = re.compile(r"%(?P<flags>[-0^#_]*)(?P<width>\d{1,3})?(?P<colons>:{0,2})(?P<name>[a-zA-Z%+])")
_WIDTH: Final = 100

_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)

_NUMBERS: Final[Mapping[str, tuple[Callable[[datetime], int], int, str]]] = {
    "C": (lambda at: at.year // 100, 2, "0"),
    "G": (lambda at: at.isocalendar().year, 4, "0"),
    "H": (lambda at: at.hour, 2, "0"),
    "I": (lambda at: at.hour % 12 or 12, 2, "0"),
    "M": (lambda at: at.minute, 2, "0"),
    "S": (lambda at: at.second, 2, "0"),
    "U": (lambda at: (at.timetuple().tm_yday + 6 - (at.weekday() + 1) % 7) // 7, 2, "0"),
    "V": (lambda at: at.isocalendar().week, 2, "0"),
    "W": (lambda at: (at.timetuple().tm_yday + 6 - at.weekday()) // 7, 2, "0"),
    "Y": (lambda at: at.year, 4, "0"),
    "d": (lambda at: at.day, 2, "0"),
    "e": (lambda at: at.day, 2, " "),
    "g": (lambda at: at.isocalendar().year % 100, 2, "0"),
    "j": (lambda at: at.timetuple().tm_yday, 3, "0"),
    "k": (lambda at: at.hour, 2, " "),
    "l": (lambda at: at.hour % 12 or 12, 2, " "),
    "m": (lambda at: at.month, 2, "0"),
    "s": (lambda at: (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1), 1, "0"),
    "u": (lambda at: at.isoweekday(), 1, "0"),
    "w": (lambda at: at.isoweekday() % 7, 1, "0"),
    "y": (lambda at: at.year % 100, 2, "0"),
}
"""What a number says, how wide it is, and what fills it up."""

_WORDS: Final[Mapping[str, Callable[[datetime], str]]] = {
    "A": lambda at: _DAYS[at.weekday()],
    "B": lambda at: _MONTHS[at.month - 1],
    "P": lambda at: "am" if at.hour < 12 else "pm",
    "Z": lambda at: "" if at.utcoffset() else "UTC",
    "a": lambda at: _DAYS[at.weekday()][:3],
    "b": lambda at: _MONTHS[at.month - 1][:3],
    "h": lambda at: _MONTHS[at.month - 1][:3],
    "n": lambda at: "\n",
    "p": lambda at: "AM" if at.hour < 12 else "PM",
    "t": lambda at: "\t",
    "%": lambda at: "%",
}
"""An offset has no zone's name, unless it is none."""

_COMPOUND: Final[Mapping[str, str]] = {
    "+": "%a %b %e %H:%M:%S %Z %Y",
    "D": "%m/%d/%y",
    "F": "%Y-%m-%d",
    "R": "%H:%M",
    "T": "%H:%M:%S",
    "X": "%H:%M:%S",
    "c": "%a %b %e %H:%M:%S %Y",
    "r": "%I:%M:%S %p",
    "v": "%e-%^b-%Y",
    "x": "%m/%d/%y",
}


def format_moment(moment: datetime, pattern: str) -> str:
    """`moment`, which is aware, by the pattern: flags `- 0 ^ # _`, a width, a directive. Others stay as written."""
    return _DIRECTIVE.sub(lambda found: _written(moment, found), pattern)


def _written(moment: datetime, found: re.Match[str]) -> str:
    name, flags, colons = found["name"], found["flags"], len(found["colons"])
    width = min(int(found["width"] or 0), _WIDTH)
    if name == "z":
        return _offset(moment, colons).rjust(width)
    if colons:
        return found.group()
    if name in ("L", "N"):
        return _fraction(moment, width or (3 if name == "L" else 9))
    if name in _NUMBERS:
        read, usual_width, fill = _NUMBERS[name]
        return _filled(str(read(moment)), flags, width or usual_width, fill)
    if name in _COMPOUND:
        text = format_moment(moment, _COMPOUND[name])
    elif name in _WORDS:
        text = _WORDS[name](moment)
    else:
        return found.group()
    if "#" in flags:
        text = text.swapcase() if name in "pP" else text.upper()
    return _filled(text.upper() if "^" in flags else text, flags, width, " ")


def _filled(text: str, flags: str, width: int, fill: str) -> str:
    if "-" in flags:
        return text
    fill = "0" if "0" in flags else " " if "_" in flags else fill
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
    return sign + digits.rjust(width - len(sign), fill)


def _fraction(moment: datetime, digits: int) -> str:
    return f"{moment.microsecond:06}".ljust(digits, "0")[:digits]


def _offset(moment: datetime, colons: int) -> str:
    seconds = round((moment.utcoffset() or timedelta()).total_seconds())
    hours, rest = divmod(abs(seconds), 3_600)
    parts = [f"{hours:02}", f"{rest // 60:02}", f"{rest % 60:02}"]
    return ("-" if seconds < 0 else "+") + ("" if not colons else ":").join(parts[: 3 if colons == 2 else 2])
