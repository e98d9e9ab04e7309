"""Temporal actions and history events, counted from real histories.

An action is what Temporal Cloud bills: here a workflow start, each activity attempt, timer, marker, signal and update
(source: Temporal Cloud's documentation, "Actions").
"""

from dataclasses import dataclass

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

_ONE_ACTION = frozenset(
    {
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
        EventType.EVENT_TYPE_TIMER_STARTED,
        EventType.EVENT_TYPE_MARKER_RECORDED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED,
    }
)


@dataclass(frozen=True)
class Cost:
    """Of one workflow."""

    actions: int
    events: int


async def of_workflow(client: Client, workflow_id: str) -> Cost:
    """Count one workflow's history."""
    history = await client.get_workflow_handle(workflow_id).fetch_history()
    return Cost(sum(map(actions_of, history.events)), len(history.events))


def actions_of(event: HistoryEvent) -> int:
    """The actions that an event of a history stands for.

    A marker is a local activity here: Temporal Cloud bills all of one workflow task as one, so this is rather too many.
    """
    if event.HasField("activity_task_started_event_attributes"):
        return event.activity_task_started_event_attributes.attempt
    return int(event.event_type in _ONE_ACTION)
