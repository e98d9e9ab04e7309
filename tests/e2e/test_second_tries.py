"""Second tries on the whole system: whoever a provider's fault has kept a message from gets it, and nobody gets two.

`XNOVU_SECOND_TRIES_ROWS` makes it as large as one likes.
"""

import json
import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from stack.sample_data import SampleEnterprise, sample_payload
from tests.e2e import rows
from tests.e2e.system import System, eventually, running_system

ROWS = int(os.environ.get("XNOVU_SECOND_TRIES_ROWS", "40"))
FAULTS = 0.05 if ROWS > 1000 else 0.3

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600 + ROWS / 5)]

_DUE_NOW = """
update notify.delivery_account a
set try_at = case when a.try_at is not null then now() end,
    next_look_at = case when a.next_look_at is not null then now() end
where a.notification_id in (
    select w.notification_id
    from notify.delivery_account w
    where w.try_at > now() or w.next_look_at > now()
    for update skip locked
)
"""

Message = tuple[int, str, str]
"""Row, person and channel."""


async def test_whom_a_fault_kept_it_from_gets_it_and_nobody_gets_it_twice(tmp_path: Path) -> None:
    mode = {"NOVU_DELIVERY": "activity", "NOVU_ACTIVITY_REQUESTS_PER_SECOND": "500"}
    async with running_system(tmp_path, ("acme",), **mode) as system:
        acme = system.enterprises[0]
        await system.says("novu", "apply", "--yes", "--enterprise", "acme", "--adopt", "acme-order")
        await rows.execute(
            system,
            "update notify.ent_notification_workflow set second_tries = 10, second_try_after_seconds = 10"
            " where id = any ($1)",
            [acme.dynamic, acme.static],
        )
        # Of a few rows some fail twice at least, and none so often that the suite waits for it.
        times = None if ROWS > 1000 else int(ROWS * 0.7)
        await system.sink_settings(
            provider_faults=[{"share": FAULTS, "times": times, "raw": "550 5.1.1 <ada@example.org>: no"}]
        )
        kinds = _kinds(acme)
        sent = [kinds[number % len(kinds)] | {"payload": sample_payload(number)} for number in range(ROWS)]
        ids = await rows.insert(system, "acme", *sent)
        await rows.settled(system, ids, within=120 + ROWS / 20)

        async def is_over() -> bool:
            if ROWS < 1000:  # the waits between tries are the database's own tests' business
                await rows.execute(system, _DUE_NOW)
            open_accounts: int = await rows.execute(
                system, "select count(*) from notify.delivery_account where not complete or try_at is not null"
            )
            return open_accounts == 0

        await eventually(is_over, within=150 + ROWS / 10, what="there is nothing left to try")
        got, failed = await _truth(system, ids)
        deliveries = await _deliveries(system, ids)
        static = {key for key, row in zip(ids, sent, strict=True) if row["notification_workflow_id"] == acme.static}
        one = next(key for key, delivery in deliveries.items() if "attempts" in delivery)
        traced = await system.says("trace", str(one))

    assert set(got.values()) == {1}
    # Of a STATIC workflow a person who has it in another channel is not sent it again: every step would run.
    reached = {(key, person) for key, person, _ in got}
    left = {message for message in failed if message not in got}
    assert left == {it for it in left if it[0] in static and (it[0], it[1]) in reached}
    tried_again = {message for message in failed if message in got}
    assert len(tried_again) > ROWS * FAULTS / 4
    for key, delivery in deliveries.items():
        mine = Counter(channel for row, _, channel in got if row == key)
        lost = Counter(channel for row, _, channel in left if row == key)
        counts = {channel: (it["sent"], it["failed"]) for channel, it in delivery["channels"].items()}
        assert counts == {channel: (mine[channel], lost[channel]) for channel in mine | lost}, key
        assert delivery["state"] == ("partly" if lost else "delivered")
        assert all(attempt["by"] == "workflow" for attempt in delivery.get("attempts", []))
    assert "second try 1 at" in traced


def _kinds(enterprise: SampleEnterprise) -> list[dict[str, Any]]:
    return [
        {"notification_workflow_id": enterprise.dynamic, "channels": ["EMAIL"]},
        {
            "notification_workflow_id": enterprise.dynamic,
            "channels": ["EMAIL", "SMS", "PUSH"],
            "recipients": ["ada", "bob", "cyd"],
        },
        {"notification_workflow_id": enterprise.static, "channels": [], "recipients": ["ada", "bob"]},
        {"notification_workflow_id": enterprise.dynamic, "channels": ["CHAT", "IN_APP"], "recipients": ["dan"]},
    ]


async def _truth(system: System, ids: Sequence[int]) -> tuple[Mapping[Message, int], set[Message]]:
    """How often each message was sent, and which failed at least once, in all tries together: the sink's count."""
    bases = {row.transaction_id: key for key, row in (await rows.read(system, ids)).items()}
    got: defaultdict[Message, int] = defaultdict(int)
    failed: set[Message] = set()
    for person in (await system.sink_truth())["people"]:
        base = ".".join(person["event"].split(".")[:2])
        message = (bases[base], person["subscriber"], person["channel"].upper())
        if person.get("sent"):
            got[message] += person["sent"]
        if person.get("error") or person.get("failed") or person.get("warning"):
            failed.add(message)
    return got, failed


async def _deliveries(system: System, ids: Sequence[int]) -> dict[int, Any]:
    found: str = await rows.execute(
        system, "select jsonb_object_agg(id, delivery)::text from notify.ent_notification where id = any ($1)", ids
    )
    return {int(key): delivery for key, delivery in json.loads(found).items()}
