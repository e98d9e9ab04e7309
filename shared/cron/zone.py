"""Time zones by IANA name, from the pinned `tzdata` package: the same on every machine, whatever its system has."""

import difflib
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final
from zoneinfo import ZoneInfo

from shared.cron.refusals import CronRefusalCode, CronRefused

_PLACEHOLDER: Final = "Factory"
"""In the list, but the name of no place: what a machine has before somebody sets its zone."""


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
    return f"`{name[:64]}`" if isinstance(name, str) else f"of type {type(name).__name__}"


def _suggestion(name: object) -> str:
    """The nearest name, if one is near: people write `europe/berlin` and `America/New York`."""
    by_folded = {known.casefold(): known for known in zone_names()}
    wanted = name[:64].strip().replace(" ", "_").casefold() if isinstance(name, str) else ""
    nearest = difflib.get_close_matches(wanted, by_folded, n=1, cutoff=0.8)
    return f" Did you mean `{by_folded[nearest[0]]}`?" if nearest else " Names are IANA's, such as `Europe/Berlin`."
