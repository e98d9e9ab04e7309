"""What is there at the end: rows as PostgreSQL has them, arrivals as Novu had them, firings of rules."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.chaos.ledger import Arrival, Row
from tests.e2e import rules
from tests.e2e.system import System, eventually

EVERY_FOUR_SECONDS = {"cron": "*/4 * * * * *", "catch_up": "all"}
"""After an outage the latest hundred are caught up with (docs/scheduling.md): no run is so long."""

PERIOD = timedelta(seconds=4)
FIRST_FIRING_SECONDS = 20.0

_OF_THE_RUN = """
(n.name like $1 || ' %' or n.name like 'rule % at %' and split_part(n.name, ' ', 2)::bigint = any($2))
"""
_OPEN = f"""
select n.id from notify.ent_notification n
 where {_OF_THE_RUN} and (
       n.notification_status in ('PENDING', 'PROCESSING') and n.publish_status = 'PUBLISH' and not n.deactivated
    or n.notification_status = 'RETRACTED' and n.cancellation is null
       and (n.transaction_id is not null or n.lease_expires_at is not null))
"""
_ROWS = f"""
select n.*, n.notification_status::text as status, w.workflow_key, w.name = 'broken' as refuses,
       {_OF_THE_RUN} as of_the_run
  from notify.ent_notification n join notify.ent_notification_workflow w on w.id = n.notification_workflow_id
"""


class Run:
    """What belongs to one run: rows named after it, and its rules'."""

    def __init__(self, system: System, name: str) -> None:
        self._system = system
        self.name = name
        self._rules: list[int] = []
        self._rules_since = datetime.now(UTC)

    async def begin_rules(self, count: int) -> None:
        """Each of the first `count` enterprises gets a rule that fires every four seconds; returns when they do."""
        for enterprise in self._system.enterprises[:count]:
            self._rules += await rules.insert(
                self._system, enterprise, EVERY_FOUR_SECONDS, name=f"{self.name} {enterprise.enterprise_id}"
            )
        for rule_id in self._rules:
            await _ignoring_late(
                rules.fired_through(self._system, rule_id, self._rules_since, within=FIRST_FIRING_SECONDS)
            )
        self._rules_since = datetime.now(UTC)

    async def end_rules(self, *, within_seconds: float) -> tuple[list[str], list[str]]:
        """Wait until each has fired up to now, and end it. Returns instants without a row, and those with several."""
        until = datetime.now(UTC)
        deadline = time.monotonic() + within_seconds
        for rule_id in self._rules:
            left = max(1.0, deadline - time.monotonic())
            await _ignoring_late(rules.fired_through(self._system, rule_id, until - PERIOD, within=left))
        if self._rules:
            await rules.pause(self._system, *self._rules)
        # The first instants may be from before the rule was read: they need not fire.
        due = rules.multiples(PERIOD, self._rules_since + timedelta(seconds=10), until - PERIOD)
        missing: list[str] = []
        repeated: list[str] = []
        for rule_id, firings in (await rules.fired(self._system, self._rules)).items():
            instants = [firing.instant for firing in firings]
            missing += [f"rule {rule_id} at {instant}" for instant in due if instant not in instants]
            repeated += [f"rule {rule_id} at {instant}" for instant in set(instants) if instants.count(instant) > 1]
        return missing, repeated

    async def open_rows(self) -> list[int]:
        """Those that are not settled yet."""
        return [row["id"] for row in await self._fetch(_OPEN)]

    async def rows(self) -> tuple[list[Row], set[str]]:
        """The run's, and the delivery keys of all others."""
        records = await self._fetch(_ROWS)
        others = {str(record["delivery_key"]) for record in records if not record["of_the_run"]}
        return [_row(record) for record in records if record["of_the_run"]], others

    async def arrivals(self, others: Collection[str]) -> list[Arrival]:
        """What Novu took and had not seen before, once its queue is empty; without what is of other runs."""
        await eventually(self._novu_is_done, within=120, what="Novu's queue is empty")
        calls = await self._system.sink_calls()
        taken = [call for call in calls if call["status"] == "processed" and not call["duplicate"]]
        return [
            arrival
            for arrival in map(_arrival, [call for call in taken if not call["cancelled"]])
            if (arrival.token or self.name).split("-")[0] == self.name
            and not set(arrival.transaction_id.split(".")) & set(others)
        ]

    async def _novu_is_done(self) -> bool:
        return not (await self._system.sink.get("/_sink/summary")).json()["waiting"]

    async def _fetch(self, statement: str) -> Sequence[Mapping[str, Any]]:
        connection = await self._system.connect()
        try:
            records = await connection.fetch(statement, self.name, self._rules)
            return [dict(record) for record in records]
        finally:
            await connection.close()


async def _ignoring_late(waiting: Any) -> None:
    try:
        await waiting
    except AssertionError:
        return  # what has not fired is found missing


def _row(record: Mapping[str, Any]) -> Row:
    def decoded(column: str) -> dict[str, Any]:
        return json.loads(record[column]) if record[column] else {}

    return Row(
        id=record["id"],
        enterprise_id=record["enterprise_id"],
        workflow_key=record["workflow_key"],
        recipients=record["recipients"],
        status=record["status"],
        is_active=record["publish_status"] == "PUBLISH" and not record["deactivated"],
        refuses=record["refuses"],
        token=decoded("payload").get("chaos"),
        delivery_key=record["delivery_key"],
        transaction_id=record["transaction_id"],
        scheduled_for=record["scheduled_for"],
        deliver_before=record["deliver_before"],
        retracted_at=record["retracted_at"],
        cancellation=decoded("cancellation") or None,
        code=decoded("error_details").get("code"),
        doubtful_repeats=record["doubtful_repeats"],
    )


def _arrival(call: Mapping[str, Any]) -> Arrival:
    people = [to if isinstance(to, str) else str(to.get("subscriberId")) for to in call["recipients"]]
    payload = call["payload"] if isinstance(call["payload"], dict) else {}
    return Arrival(
        at=call["received_at_ns"] / 1e9,
        workflow=call["workflow"],
        recipients=people,
        transaction_id=call["transaction_id"],
        token=payload.get("chaos"),
    )
