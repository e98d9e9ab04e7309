"""The fields of an expression and the language they accept: what every cron reads alike, and nothing else."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NoReturn

from shared.cron.refusals import CronRefusalCode, CronRefused

_ITEM: Final = re.compile(
    r"(?P<star>\*)(/(?P<star_step>\d+))?"
    r"|(?P<low>\d+|[a-z]+)(-(?P<high>\d+|[a-z]+))?(/(?P<step>\d+))?",
    re.ASCII,
)
_NTH_WEEKDAY: Final = re.compile(r"(?P<day>\d+|[a-z]+)#(?P<nth>\d+)", re.ASCII)
_RANDOM_OR_HASHED: Final = re.compile(r"[rh](\(.*\))?(/\d+)?", re.ASCII)
_NEAREST_WEEKDAY: Final = re.compile(r"l?w|\d+w|w\d+", re.ASCII)
_LAST: Final = re.compile(r"l(-?\d+)?|\d+l|[a-z]{3}l", re.ASCII)
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


@dataclass(frozen=True)
class FieldKind:
    """One place in an expression: its name, the values it takes, and names for them."""

    name: str
    minimum: int
    maximum: int
    names: Mapping[str, int] = field(default_factory=dict)

    def check(self, text: str) -> None:
        """Pass if croniter, cronsim and Debian's cron all read this lower-case field alike; raises CronRefused."""
        if self is DAY_OF_MONTH and text == "l":
            return
        if self is DAY_OF_WEEK and (match := _NTH_WEEKDAY.fullmatch(text)):
            self._value(match["day"])
            if not 1 <= int(match["nth"]) <= 5:
                self._refuse(
                    CronRefusalCode.OUT_OF_RANGE, f"`{text}`: a month has a first to a fifth weekday, #1 to #5"
                )
            return
        for position, item in enumerate(text.split(",")):
            self._check_item(item, position, is_alone="," not in text)

    def _check_item(self, item: str, position: int, *, is_alone: bool) -> None:
        self._refuse_extensions(item)
        match = _ITEM.fullmatch(item)
        if match is None:
            self._refuse(CronRefusalCode.SYNTAX, f"`{item}` cannot be read" if item else "a list has an empty place")
        if match["star"]:
            if not is_alone and not match["star_step"]:
                self._refuse(CronRefusalCode.AMBIGUOUS, "`*` in a list already means everything; write `*` alone")
            if position > 0:
                self._refuse(CronRefusalCode.AMBIGUOUS, f"put `{item}` first: cron looks for `*` only there")
            self._check_step(match["star_step"], self.minimum, self._last, item)
        elif match["high"] is None:
            low = self._value(match["low"])
            if match["step"]:
                reaches_more = 0 < int(match["step"]) <= self.maximum - low
                instead = f"{match['low']}-{self.maximum}/{match['step']}" if reaches_more else match["low"]
                self._refuse(
                    CronRefusalCode.AMBIGUOUS, f"`{item}`: crons disagree on a step after one value; write `{instead}`"
                )
        else:
            self._check_range(match["low"], match["high"], match["step"], item)

    def _check_range(self, low_text: str, high_text: str, step: str | None, item: str) -> None:
        low, high = self._value(low_text), self._value(high_text)
        if low == high:
            self._refuse(
                CronRefusalCode.AMBIGUOUS, f"`{item}`: one value to some crons, all to others; write `{low_text}`"
            )
        if low > high:
            upper = low_text if low >= self._last else f"{low_text}-{self._last}"
            lower = high_text if high == self.minimum else f"{self.minimum}-{high_text}"
            instead = "two ranges" if step else f"`{upper},{lower}`"
            self._refuse(CronRefusalCode.AMBIGUOUS, f"`{item}` runs backwards; write {instead}")
        self._check_step(step, low, high, item)

    @property
    def _last(self) -> int:
        """The greatest value, Sunday counted once."""
        return 6 if self is DAY_OF_WEEK else self.maximum

    def _value(self, text: str) -> int:
        if not text.isdecimal():
            if text not in self.names:
                expected = f"three letters, {', '.join(self.names).upper()}" if self.names else "numbers only"
                self._refuse(CronRefusalCode.SYNTAX, f"`{text}` is not known here ({expected})")
            return self.names[text]
        value = int(text)
        if not self.minimum <= value <= self.maximum:
            self._refuse(CronRefusalCode.OUT_OF_RANGE, f"`{text}` is not between {self.minimum} and {self.maximum}")
        return value

    def _check_step(self, step: str | None, low: int, high: int, item: str) -> None:
        """A step must reach a second value: `*/90` minutes would quietly mean once an hour."""
        if step is not None and not 1 <= int(step) <= high - low:
            self._refuse(CronRefusalCode.OUT_OF_RANGE, f"`{item}`: the step must be between 1 and {high - low}")

    def _refuse_extensions(self, item: str) -> None:
        """Name what some crons add to the language, before it is called unreadable."""
        if item == "?":
            self._refuse(
                CronRefusalCode.UNSUPPORTED,
                "`?` is Quartz's; write `*`, and days of the week by name: Quartz counts Sunday as 1, cron as 0",
            )
        if _RANDOM_OR_HASHED.fullmatch(item):
            self._refuse(CronRefusalCode.UNSUPPORTED, f"`{item}`: random and hashed values move; write a number")
        if _NEAREST_WEEKDAY.fullmatch(item):
            self._refuse(CronRefusalCode.UNSUPPORTED, f"`{item}`: the nearest weekday is not standard cron")
        if _LAST.fullmatch(item):
            self._refuse(CronRefusalCode.UNSUPPORTED, "`L` is accepted only alone, as the day of month")
        if "#" in item:
            self._refuse(CronRefusalCode.UNSUPPORTED, "`#` is accepted only in a day of week that stands alone: `5#2`")

    def _refuse(self, code: CronRefusalCode, reason: str) -> NoReturn:
        raise CronRefused(code, f"{self.name}: {reason}.")


SECOND: Final = FieldKind("second", 0, 59)
MINUTE: Final = FieldKind("minute", 0, 59)
HOUR: Final = FieldKind("hour", 0, 23)
DAY_OF_MONTH: Final = FieldKind("day of month", 1, 31)
MONTH: Final = FieldKind("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)})
DAY_OF_WEEK: Final = FieldKind("day of week", 0, 7, {name: number for number, name in enumerate(_WEEKDAYS)})

FIELD_KINDS: Final = (SECOND, MINUTE, HOUR, DAY_OF_MONTH, MONTH, DAY_OF_WEEK)
