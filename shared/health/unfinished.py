"""How many rows are due and have not ended: what trouble holds up."""

from dataclasses import dataclass
from datetime import datetime

from shared.health.known import database_is_known
from shared.health.observations import Observations
from shared.health.thresholds import Thresholds
from shared.health.wording import counted

COUNTED_UP_TO = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """Rows `waiting` in nobody's hands and `in_hands` of a worker; of how many enterprises; and the oldest's age.

    `at_least`: one of the enterprises has more of a kind than are counted.
    """

    waiting: int
    in_hands: int
    enterprises: int
    oldest_age_seconds: float
    at_least: bool

    @property
    def rows(self) -> int:
        """All of them."""
        return self.waiting + self.in_hands

    def sentence(self) -> str:
        """For people; empty where there are none."""
        if not self.rows:
            return ""
        count = f"{'at least ' if self.at_least else ''}{counted(self.rows, 'row')}"
        verb = "waits" if self.rows == 1 else "wait"
        return (
            f"{count} of {counted(self.enterprises, 'enterprise')} {verb}, the oldest for"
            f" {self.oldest_age_seconds:.0f} s; nothing is lost."
        )


UNKNOWN = "How many rows wait nobody knows while the database does not answer; nothing is lost."


def count_unfinished(observations: Observations, now: datetime, limits: Thresholds) -> Unfinished | None:
    """None where nobody knows, because the database does not answer."""
    database = observations.database
    if database.error or not database_is_known(database, now, limits):
        return None
    kinds = [
        (enterprise_id, rows)
        for kind in (database.due, database.in_hands)
        for enterprise_id, rows in kind.items()
        if rows.rows
    ]
    return Unfinished(
        waiting=sum(rows.rows for rows in database.due.values()),
        in_hands=sum(rows.rows for rows in database.in_hands.values()),
        enterprises=len({enterprise_id for enterprise_id, _ in kinds}),
        oldest_age_seconds=max((rows.oldest_age_seconds for _, rows in kinds), default=0.0),
        at_least=any(rows.rows >= COUNTED_UP_TO for _, rows in kinds),
    )
