"""Time zones by IANA name, from the pinned `tzdata` package: the same on every machine, whatever its system has."""

import difflib
import re
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final
from zoneinfo import ZoneInfo

from shared.cron.refusals import CronRefusalCode, CronRefused

LONGEST_NAME: Final = 64
"""Characters; those of IANA are shorter."""

_PLACEHOLDER: Final = "Factory"
"""In the list, but the name of no place: what a machine has before somebody sets its zone."""

_OFFSET: Final = re.compile(r"(?:gmt|utc)_*(?P<sign>[+-])_*(?P<hours>\d{1,2})(?::?00)?", re.ASCII)


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """Every accepted name."""
    return frozenset(files("tzdata").joinpath("zones").read_text("utf-8").split()) - {_PLACEHOLDER}


def load_zone(name: object) -> ZoneInfo:
    """The zone of that exact name, always the same object; raises CronRefused if there is none."""
    if not isinstance(name, str) or name not in zone_names():
        raise CronRefused(CronRefusalCode.UNKNOWN_ZONE, f"There is no time zone {_quoted(name)}.{_suggestion(name)}")
    return _read(name)


@cache
def _read(name: str) -> ZoneInfo:
    with files("tzdata.zoneinfo").joinpath(*name.split("/")).open("rb") as data:
        return ZoneInfo.from_file(data, key=name)


def _quoted(name: object) -> str:
    return f"`{name[:LONGEST_NAME]}`" if isinstance(name, str) else f"of type {type(name).__name__}"


def _suggestion(name: object) -> str:
    """A name that surely is meant, or none: a wrong one would be followed."""
    wanted = _folded(name[:LONGEST_NAME]) if isinstance(name, str) else ""
    if offset := _OFFSET.fullmatch(wanted):
        fixed = f"Etc/GMT{'-' if offset['sign'] == '+' else '+'}{int(offset['hours'])}"
        if fixed in zone_names():
            return f" A fixed offset is `{fixed}`: there the sign is turned round."
    meant = _meant(wanted)
    return f" Did you mean `{meant}`?" if meant else " Names are IANA's, such as `Europe/Berlin`."


def _meant(wanted: str) -> str | None:
    """The name but for letters' case and spaces; else the only one of that city; else a misspelling in that area."""
    by_folded = {_folded(known): known for known in zone_names()}
    if wanted in by_folded:
        return by_folded[wanted]
    area, _, city = wanted.rpartition("/")
    of_city = [known for folded, known in by_folded.items() if folded.rpartition("/")[2] == city]
    if len(of_city) == 1 and city.replace("_", "").isalpha():
        return of_city[0]
    cities = {
        folded.rpartition("/")[2]: known for folded, known in by_folded.items() if folded.rpartition("/")[0] == area
    }
    near = difflib.get_close_matches(city, cities, n=1, cutoff=0.82) if area and city.replace("_", "").isalpha() else []
    return cities[near[0]] if near else None


def _folded(name: str) -> str:
    return name.strip().replace(" ", "_").casefold()
