"""One firing of a rule, with a note where a change of clocks touches it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Firing:
    """`instant` in UTC and the same instant as `local` time, both aware. `note` is None on ordinary days."""

    instant: datetime
    local: datetime
    note: str | None = None

    @classmethod
    def at(cls, instant: datetime, zone: ZoneInfo) -> "Firing":
        """The firing at an instant whose wall time matched; noted if that wall time happens twice."""
        local = instant.astimezone(zone)
        return cls(instant.astimezone(UTC), local, _fold_note(local))

    @classmethod
    def after_gap(cls, instant: datetime, zone: ZoneInfo, nominal: datetime) -> "Firing":
        """The firing at the end of a gap that swallowed `nominal`, a naive wall time."""
        local = instant.astimezone(zone)
        clock = nominal.time().isoformat("seconds" if nominal.second else "minutes")
        reading = clock if nominal.date() == local.date() else f"{nominal.date()} {clock}"
        return cls(instant.astimezone(UTC), local, f"spring gap: nominal {reading} does not exist")


def _fold_note(local: datetime) -> str | None:
    if local.fold:
        return "autumn fold: second of two"
    if local.replace(fold=1).utcoffset() != local.utcoffset():
        return "autumn fold: first of two"
    return None
