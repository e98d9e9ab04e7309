"""Timeouts and retries of every activity, by name."""

from datetime import timedelta
from typing import TypedDict

from temporalio.common import RetryPolicy


class ActivityOptions(TypedDict):
    """The keyword arguments of `workflow.execute_activity` that say how long and how often."""

    schedule_to_close_timeout: timedelta
    start_to_close_timeout: timedelta
    heartbeat_timeout: timedelta
    retry_policy: RetryPolicy


DELIVERY = ActivityOptions(
    # A day of Novu being away is waited out; after that a person must decide (docs/error_codes.md).
    schedule_to_close_timeout=timedelta(hours=24),
    # 100,000 recipients are ten bulk calls; the heartbeat, not this, notices a dead worker.
    start_to_close_timeout=timedelta(minutes=10),
    heartbeat_timeout=timedelta(seconds=15),
    retry_policy=RetryPolicy(
        initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_interval=timedelta(seconds=60)
    ),
)


def default_pause(attempt: int) -> timedelta:
    """After this attempt of a delivery, counted from 1, where it asks for no other."""
    policy = DELIVERY["retry_policy"]
    assert policy.maximum_interval is not None
    grown = policy.initial_interval * policy.backoff_coefficient ** min(attempt - 1, 60)
    return min(grown, policy.maximum_interval)


GIVING_UP = ActivityOptions(
    schedule_to_close_timeout=timedelta(hours=24),
    start_to_close_timeout=timedelta(seconds=30),
    heartbeat_timeout=timedelta(seconds=30),
    retry_policy=RetryPolicy(
        initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_interval=timedelta(seconds=60)
    ),
)


class LocalActivityOptions(TypedDict):
    """The keyword arguments of `workflow.execute_local_activity`."""

    start_to_close_timeout: timedelta
    retry_policy: RetryPolicy


SCHEDULER_PASS = LocalActivityOptions(
    # Starting a burst of 10,000 rows takes seconds, everything else milliseconds.
    start_to_close_timeout=timedelta(seconds=60),
    # Few: what is longer away is waited for by the workflow's own timer, which costs fewer events (waking.py).
    retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=500), backoff_coefficient=2.0, maximum_attempts=3),
)
