"""What the listener asks of Temporal."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from shared.notification.priority import NORMAL
from shared.temporal.messages import Portion
from shared.temporal.orchestration import OrchestrationRun
from shared.temporal.starters import NotificationProcessingStarter, NotificationRetractionStarter


class Work(StrEnum):
    """What is to be done with a row, by a workflow that takes a batch of them."""

    PROCESSING = "processing"
    RETRACTION = "retraction"


class StartWork(Protocol):
    """Starts work on enterprises' rows; False if that very work runs already. Raises RPCError."""

    def __call__(self, portions: Sequence[Portion], *, priority: int = NORMAL) -> Awaitable[bool]: ...


class UntilDone(Protocol):
    """Returns when the work on one enterprise's rows has ended, however, or nobody can tell."""

    def __call__(self, portion: Portion) -> Awaitable[None]: ...


def by_portions(starter: NotificationProcessingStarter | NotificationRetractionStarter) -> StartWork:
    """Of one portion where the type of workflow is one enterprise's."""

    def start(portions: Sequence[Portion], *, priority: int = NORMAL) -> Awaitable[bool]:
        first, *others = portions
        return starter.start(first.enterprise_id, first.notification_ids, priority=priority, others=others)

    return start


@dataclass(frozen=True, slots=True)
class Workflows:
    """Every call but `until_done` raises RPCError while Temporal is away, and may be repeated.

    `rules_changed` and `row_due_at` wake an enterprise's schedulers, starting one that does not run; False if it was
    left asleep because the orchestration is stopped. `join_orchestration` starts what is not running, too.
    """

    start: Mapping[Work, StartWork]
    until_done: UntilDone
    rules_changed: Callable[[str], Awaitable[bool]]
    row_due_at: Callable[[str, datetime], Awaitable[bool]]
    join_orchestration: Callable[[Collection[str]], Awaitable[None]]
    observe_orchestration: Callable[[], Awaitable[OrchestrationRun]]
