"""What each of Novu's plans allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Category = Literal["trigger", "configuration", "global"]

UNLIMITED = "unlimited"


@dataclass(frozen=True, slots=True)
class Plan:
    """Requests per second by category, and what else is counted. `workflows` None: as many as one likes."""

    requests_per_second: dict[Category, int]
    retention_hours: float
    workflows: int | None
    longest_delay_days: int
    branding: bool = False


PLANS = {
    "free": Plan({"trigger": 60, "configuration": 20, "global": 30}, 24, 20, 1, branding=True),
    "pro": Plan({"trigger": 240, "configuration": 80, "global": 120}, 7 * 24, 20, 7),
    "team": Plan({"trigger": 600, "configuration": 200, "global": 300}, 90 * 24, 100, 30),
    "enterprise": Plan({"trigger": 6000, "configuration": 2000, "global": 3000}, 90 * 24, None, 30),
    UNLIMITED: Plan({}, 10 * 365 * 24, None, 30),
}
