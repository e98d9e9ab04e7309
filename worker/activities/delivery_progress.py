"""What one attempt of a delivery tells the next in its heartbeats, whichever releases the two are of."""

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from temporalio import activity

from shared.temporal.messages import NotificationProcessingResult
from worker.activities.putting_off import Held


@dataclass(slots=True)
class Progress:
    """What the attempts of an activity have settled. `put_offs` of them are none against the delivery: Novu took
    nothing of anybody then. `left` are the enterprises to which the latest fault has left something to do; None: all.
    `held` are rows that wait for their turn.
    """

    result: NotificationProcessingResult = field(default_factory=NotificationProcessingResult)
    put_offs: int = 0
    left: list[str] | None = None
    held: Held = field(default_factory=dict)

    def is_left(self, enterprise_id: str) -> bool:
        """Whether this attempt has something to do for the enterprise."""
        return self.left is None or enterprise_id in self.left

    def add(self, now: NotificationProcessingResult) -> None:
        """So much more is settled."""
        self.result = replace(
            self.result,
            sent=self.result.sent + now.sent,
            failed={**self.result.failed, **now.failed},
            in_doubt=self.result.in_doubt + now.in_doubt,
        )

    def details(self) -> tuple[dict[str, Any], int, list[str] | None, Held]:
        """For the heartbeat, by which the next attempt knows.

        That may be one of an earlier release, after a roll-back: it is told of nothing that there has not been, as a
        member that it does not know fails it, again and again.
        """
        said = {name: value for name, value in asdict(self.result).items() if value}
        return said, self.put_offs, self.left, self.held


def progress_of_earlier_attempts() -> Progress:
    """As they left it in their last heartbeat. Those of an earlier version said less, those of a later one more."""
    said, *more = activity.info().heartbeat_details or [{}]
    known = {each.name for each in fields(NotificationProcessingResult)} & said.keys()
    result = NotificationProcessingResult(**{name: said[name] for name in known})
    return Progress(result, *more[: len(fields(Progress)) - 1])
