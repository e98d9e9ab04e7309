"""When a cron rule fires: pure, given an expression, an IANA zone and an instant (docs/cron.md)."""

from shared.cron.expression import LONGEST_TEXT, CronExpression
from shared.cron.firing import Firing
from shared.cron.refusals import CronRefusalCode, CronRefused
from shared.cron.schedule import CronSchedule
from shared.cron.zone import LONGEST_NAME, load_zone

__all__ = [
    "LONGEST_NAME",
    "LONGEST_TEXT",
    "CronExpression",
    "CronRefusalCode",
    "CronRefused",
    "CronSchedule",
    "Firing",
    "load_zone",
]
