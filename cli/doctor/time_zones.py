"""The zones that cron rules name."""

from datetime import datetime, timedelta

from cli.doctor.problem import Problem
from shared.cron import CronRefused, load_zone

_HINT = "reinstall the package tzdata; XNovu does not use the system's zones."


async def check_time_zones() -> list[Problem]:
    """The pinned data can be read, and knows a change of clocks."""
    try:
        berlin = load_zone("Europe/Berlin")
    except (CronRefused, OSError, ValueError) as error:
        return [Problem(f"time-zone data cannot be read: {type(error).__name__}: {error}", _HINT, "timezones")]
    offsets = {datetime(2026, month, 15, 12, tzinfo=berlin).utcoffset() for month in (1, 7)}
    if offsets != {timedelta(hours=1), timedelta(hours=2)}:
        return [Problem("time-zone data does not know when Berlin changes its clocks", _HINT, "timezones")]
    return []
