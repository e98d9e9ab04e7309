"""A thousand retractions race a thousand deliveries: every row says truly what became of it."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest

from stack.sample_data import SampleEnterprise, sample_payload
from tests.e2e import rows
from tests.e2e.arrivals import Arrival, arrivals
from tests.e2e.system import System, eventually

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.asyncio(loop_scope="session"),
]

PORTIONS = 20
ROWS_PER_PORTION = 50
ROWS_PER_RETRACTION = 5
PORTION_EVERY_SECONDS = 0.1
NOVU_TAKES_MS = 500
LONGEST_DELAY_SECONDS = 2.5
"""Deliveries take one or two seconds then: retractions come before, during and after. On a busy machine they may all
come before, or all after: see WATCHED.
"""

WATCHED_ROWS = 5
LONG_IN_FLIGHT_MS = 4000

Record = Callable[[str, object], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a row says became of it."""

    status: str
    transaction_id: str | None
    cancellation: dict[str, Any] | None
    in_flight: bool


WATCHED: Mapping[str, Callable[[Outcome], bool]] = {
    "while in flight": lambda outcome: outcome.in_flight or outcome.status == "SENT",
    "once sent": lambda outcome: outcome.status == "SENT",
}
"""Rows that are retracted as soon as this holds for one of them, however busy the machine is. A delivery that is to be
caught in flight is so for LONG_IN_FLIGHT_MS; if that were missed, the count would tell.
"""


async def test_no_row_is_retracted_and_sent_without_saying_so(timed_system: System, record_property: Record) -> None:
    enterprise = timed_system.enterprises[3]
    chance = Random(20261126)

    watched_workflows = await _watched_workflows(timed_system, enterprise)
    await _slow_down_novu(timed_system, enterprise)

    ids: list[int] = []
    racing: list[asyncio.Task[int]] = []
    async with asyncio.TaskGroup() as retractions:
        for moment, workflow_id in watched_workflows.items():
            watched = await _insert(timed_system, enterprise, workflow_id)
            ids += watched
            racing.append(retractions.create_task(_retract_when(WATCHED[moment], timed_system, enterprise, watched)))
        for _ in range(PORTIONS):
            portion = await _insert(timed_system, enterprise)
            ids += portion
            for first in range(0, len(portion), ROWS_PER_RETRACTION):
                retract = _retract_by_function if (first // ROWS_PER_RETRACTION) % 2 else _retract_by_update
                delay_seconds = chance.uniform(0, LONGEST_DELAY_SECONDS)
                some = portion[first : first + ROWS_PER_RETRACTION]
                racing.append(retractions.create_task(retract(timed_system, enterprise, some, delay_seconds)))
            await asyncio.sleep(PORTION_EVERY_SECONDS)

    outcomes = await _final_outcomes(timed_system, ids)
    arrived = await arrivals(timed_system, enterprise.enterprise_id)

    stories = Counter(_story(outcome, arrived.get(each, [])) for each, outcome in outcomes.items())
    in_flight = sum(task.result() for task in racing)
    told = ", ".join(f"{count} {story}" for story, count in stories.items())
    record_property("1,000 retractions racing 1,000 deliveries", f"{told}; {in_flight} caught in flight")
    assert stories.total() == PORTIONS * ROWS_PER_PORTION + len(WATCHED) * WATCHED_ROWS
    assert stories.keys() <= {"never sent", "sent, and says so", "unknown, and says so"}, stories
    assert stories["sent, and says so"] > 0
    assert in_flight > 0, "some were retracted between claim and report"


def _story(outcome: Outcome, arrived: Sequence[Arrival]) -> str:
    """What row and Novu say together; untrue, unless the row tells what became of it.

    Novu holds nothing of these back, so it has nothing to cancel. Of a claim that lapsed nobody knows: a busy machine
    may keep a worker from what it needs, and a row that is retracted meanwhile is not claimed again.
    """
    match outcome, arrived:
        case Outcome("RETRACTED", None, None), []:
            return "never sent"
        case Outcome("RETRACTED", str(), {"may_be_sent_yet": True, "settled": True}), [Arrival(cancelled=False)]:
            return "sent, and says so"
        case Outcome("RETRACTED", str(), {"may_be_sent_yet": True, "settled": False}), [] | [Arrival(cancelled=False)]:
            return "unknown, and says so"
        case _:
            return f"untrue: {outcome}, {arrived}"


async def _slow_down_novu(system: System, enterprise: SampleEnterprise) -> None:
    """For this enterprise's deliveries; cancelling is as fast as ever."""
    slow = {"kind": "latency", "milliseconds": NOVU_TAKES_MS, "requests": None}
    await system.sink_faults(
        *[{**slow, "workflow": f"{enterprise.enterprise_id}-{name}"} for name in ("welcome", "order")]
    )


async def _watched_workflows(system: System, enterprise: SampleEnterprise) -> dict[str, int]:
    """A workflow for each moment in WATCHED; Novu takes its time with that of rows that are caught in flight."""
    template = await rows.insert_template(system, enterprise.enterprise_id, "retracted", "Hello")
    keys = {moment: f"retracted-{moment.replace(' ', '-')}" for moment in WATCHED}
    slow = {"kind": "latency", "milliseconds": LONG_IN_FLIGHT_MS, "requests": None}
    await system.sink_faults({**slow, "workflow": keys["while in flight"]})
    return {
        moment: await rows.insert_email_workflow(system, enterprise.enterprise_id, key, template)
        for moment, key in keys.items()
    }


async def _insert(system: System, enterprise: SampleEnterprise, watched: int | None = None) -> list[int]:
    """A portion of the race, or the rows of a workflow that is watched."""
    return await rows.insert(
        system,
        enterprise.enterprise_id,
        *[
            {
                "notification_workflow_id": watched or (enterprise.dynamic if number % 2 else enterprise.static),
                "payload": sample_payload(number),
                "channels": ["EMAIL"],
            }
            for number in range(WATCHED_ROWS if watched else ROWS_PER_PORTION)
        ],
    )


async def _retract_when(
    this: Callable[[Outcome], bool], system: System, enterprise: SampleEnterprise, ids: Sequence[int]
) -> int:
    """As soon as it holds for one of the rows; how many were being sent."""

    async def holds_for_one() -> bool:
        return any(map(this, (await _outcomes(system, ids)).values()))

    await eventually(holds_for_one, what="one of the rows has come so far that it is retracted")
    return await _retract_by_function(system, enterprise, ids, delay_seconds=0)


async def _retract_by_update(
    system: System, enterprise: SampleEnterprise, ids: Sequence[int], delay_seconds: float
) -> int:
    """As an application does that looks at nothing; how many of the rows were being sent."""
    await asyncio.sleep(delay_seconds)
    in_flight: int = await rows.execute(
        system,
        """
        with retracted as (
            update notify.ent_notification set notification_status = 'RETRACTED', retracted_at = now()
             where id = any($1) and enterprise_id = $2
            returning lease_expires_at
        )
        select count(lease_expires_at) from retracted
        """,
        ids,
        enterprise.enterprise_id,
    )
    return in_flight


async def _retract_by_function(
    system: System, enterprise: SampleEnterprise, ids: Sequence[int], delay_seconds: float
) -> int:
    """How many of the rows were being sent, as the function says."""
    await asyncio.sleep(delay_seconds)
    in_flight: int = await rows.execute(
        system,
        "select jsonb_array_length(notify.retract_notifications($1, $2, 'changed our mind') -> 'in_flight')",
        enterprise.enterprise_id,
        ids,
    )
    return in_flight


async def _final_outcomes(system: System, ids: Sequence[int]) -> dict[int, Outcome]:
    """The rows, once Novu has answered about all that it took, or may have."""

    async def are_final() -> bool:
        return not await _not_final(system, ids)

    try:
        await eventually(are_final, what="every row is retracted, and Novu asked if it was sent")
    except AssertionError as late:
        raise AssertionError(f"{late}; not yet: {await _not_final(system, ids)}") from None
    return await _outcomes(system, ids)


async def _not_final(system: System, ids: Sequence[int]) -> dict[int, Outcome]:
    def is_final(outcome: Outcome) -> bool:
        is_open = outcome.in_flight or outcome.transaction_id is not None
        return outcome.status == "RETRACTED" and (outcome.cancellation is not None or not is_open)

    return {key: outcome for key, outcome in (await _outcomes(system, ids)).items() if not is_final(outcome)}


async def _outcomes(system: System, ids: Sequence[int]) -> dict[int, Outcome]:
    connection = await system.connect()
    try:
        found = await connection.fetch(
            """
            select id, notification_status::text as status, transaction_id, cancellation,
                   lease_expires_at is not null as in_flight
              from notify.ent_notification where id = any($1)
            """,
            ids,
        )
    finally:
        await connection.close()
    return {
        row["id"]: Outcome(
            row["status"],
            row["transaction_id"],
            json.loads(row["cancellation"]) if row["cancellation"] else None,
            row["in_flight"],
        )
        for row in found
    }
