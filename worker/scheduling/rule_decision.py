"""Which of a rule's instants fire now, and when it is due next."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from enum import StrEnum
from functools import lru_cache
from typing import Any

from shared.cron import LONGEST_NAME, LONGEST_TEXT, CronExpression, CronRefused, CronSchedule, Firing, load_zone

OUTAGE_AFTER = timedelta(seconds=30)
"""A rule whose oldest undecided instant is older than this was missed by an outage: its catch-up policy decides.
Anything less is a late start, and every instant fires."""

DEFAULT_TIME_ZONE = "UTC"
"""Of rules that name none, and whose enterprise has none of its own."""

MOST_CAUGHT_UP = 100
"""Instants of one rule that policy `all` makes up for, the most recent ones."""

MOST_FIRED_LATE = int(OUTAGE_AFTER.total_seconds()) + 1
"""A rule cannot fire more often than once a second."""

_QUOTED = 40
"""Characters of a member's name that is not known."""

_MEMBERS = ("cron", "timezone", "enabled", "catch_up")

_MEANT = {
    **dict.fromkeys(("tz", "zone", "timezonename", "timezoneid", "cronzone", "crontz"), "timezone"),
    **dict.fromkeys(("expression", "cronexpression", "schedule", "crontab"), "cron"),
    **dict.fromkeys(("active", "disabled", "paused"), "enabled"),
    **dict.fromkeys(("catchup", "misfire"), "catch_up"),
}
"""What other schedulers call the same, in small letters alone."""


def zone_of(trigger_config: Mapping[str, Any], time_zone: str | None) -> str:
    """The name of the zone in which a rule fires whose config was decided upon; `time_zone` is its enterprise's."""
    named = trigger_config.get("timezone")
    return str(named) if named is not None else time_zone or DEFAULT_TIME_ZONE


class ConfigRefused(Exception):
    """`trigger_config` is not what a CRON rule needs; the message says what is wrong and what would be right."""


class CatchUp(StrEnum):
    """What becomes of the instants that an outage missed."""

    LAST = "last"
    ALL = "all"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class RuleDecision:
    """Instants to fire now, in order; the next one due, None for never; why the rule cannot fire, None if it can."""

    instants: tuple[datetime, ...] = ()
    next_due_at: datetime | None = None
    error: str | None = None


def decide(
    trigger_config: object, fired_through: datetime, now: datetime, time_zone: str = DEFAULT_TIME_ZONE
) -> RuleDecision:
    """Decide on every instant after `fired_through` up to `now`, in the rule's own zone or else in `time_zone`. Never
    raises for what `trigger_config` holds.
    """
    try:
        config = _Config.read(trigger_config, time_zone)
        if not config.enabled:
            return RuleDecision()
    except ConfigRefused as refused:
        return RuleDecision(error=str(refused))
    # Cut, each is as much too long as it was, and what is remembered of anybody's rules is not large.
    schedule = _schedule(config.cron[: LONGEST_TEXT + 1], config.timezone[: LONGEST_NAME + 1])
    if isinstance(schedule, str):
        return RuleDecision(error=schedule)
    oldest = schedule.first_after(fired_through)
    if oldest is None or oldest.instant > now:
        return RuleDecision(next_due_at=_instant(oldest))
    due = _due(schedule, config.catch_up, oldest.instant, fired_through, now)
    return RuleDecision(due, _instant(schedule.first_after(now)))


@dataclass(frozen=True, slots=True)
class _Config:
    cron: str
    timezone: str
    enabled: bool
    catch_up: CatchUp

    @classmethod
    def read(cls, trigger_config: object, time_zone: str) -> "_Config":
        if not isinstance(trigger_config, Mapping):
            raise ConfigRefused('trigger_config must be an object, such as {"cron": "0 9 * * MON", "timezone": "UTC"}')
        _require_known(trigger_config)
        enabled = trigger_config.get("enabled", True)
        if not isinstance(enabled, bool):
            raise ConfigRefused("trigger_config.enabled must be true or false")
        return cls(
            cron=_text(trigger_config, "cron", None),
            timezone=_text(trigger_config, "timezone", time_zone),
            enabled=enabled,
            catch_up=_catch_up(trigger_config.get("catch_up")),
        )


def _require_known(config: Mapping[str, Any]) -> None:
    """A member that nobody reads would change nothing in silence: `tz` would leave the rule in UTC."""
    for name in config:
        if name not in _MEMBERS:
            plain = re.sub(r"[^a-z]", "", name[:_QUOTED].lower())
            near = _MEANT.get(plain) or next(iter(get_close_matches(plain, _MEMBERS, n=1, cutoff=0.75)), None)
            meant = f"; did you mean {near}?" if near else "."
            raise ConfigRefused(
                f"trigger_config has no member {name[:_QUOTED]!a}{meant} Its members are {', '.join(_MEMBERS)}."
            )


def _text(config: Mapping[str, Any], name: str, default: str | None) -> str:
    value = config.get(name)
    value = default if value is None else value
    if not isinstance(value, str) or not value.strip():
        raise ConfigRefused(f"trigger_config.{name} must be a text")
    return value


def _catch_up(value: object) -> CatchUp:
    if value is None:
        return CatchUp.LAST
    if value not in tuple(CatchUp):
        raise ConfigRefused('trigger_config.catch_up must be "last", "all" or "none"')
    return CatchUp(str(value))


@lru_cache(maxsize=10_000)
def _schedule(cron: str, timezone: str) -> CronSchedule | str:
    """The schedule, or why there is none: that is remembered too, as each pass looks at all rules of its enterprise."""
    try:
        return CronSchedule(CronExpression.parse(cron), load_zone(timezone))
    except CronRefused as refused:
        return str(refused)


def _instant(firing: Firing | None) -> datetime | None:
    return None if firing is None else firing.instant


def _due(
    schedule: CronSchedule, catch_up: CatchUp, oldest: datetime, fired_through: datetime, now: datetime
) -> tuple[datetime, ...]:
    if now - oldest <= OUTAGE_AFTER:
        return _latest(schedule, fired_through, now, MOST_FIRED_LATE)
    match catch_up:
        case CatchUp.NONE:
            return ()
        case CatchUp.LAST:
            return _latest(schedule, fired_through, now, 1)
        case CatchUp.ALL:
            return _latest(schedule, fired_through, now, MOST_CAUGHT_UP)


def _latest(schedule: CronSchedule, after: datetime, until: datetime, count: int) -> tuple[datetime, ...]:
    return tuple(firing.instant for firing in schedule.latest_between(after, until, count))
