"""What rows say of their delivery is what really became of them: by webhooks that come twice, late or not at all, and
by the reader of Novu's activity alone.

`XNOVU_DELIVERY_ROWS` makes it as large as one likes.
"""

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from stack.sample_data import SampleEnterprise, sample_payload
from tests.e2e import rows
from tests.e2e.system import System, eventually, running_system
from tests.e2e.webhook import running_webhook

ROWS = int(os.environ.get("XNOVU_DELIVERY_ROWS", "80"))
"""Of each way to be told."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600 + ROWS / 2)]

SETTLED_WITHIN_SECONDS = 120.0
OUTCOMES = {"sent": "sent", "warning": "failed", "error": "failed", "failed": "failed", "skipped": "skipped"}


async def test_rows_say_what_became_of_them(tmp_path: Path) -> None:
    mode = {"NOVU_DELIVERY": "webhook", "NOVU_ACTIVITY_REQUESTS_PER_SECOND": "200"}
    async with (
        running_system(tmp_path, ("acme",), **mode) as system,
        running_webhook(system.environment, tmp_path) as webhook,
    ):
        await system.sink_settings(
            provider_faults=[{"share": 0.05, "raw": "550 5.1.1 <ada@example.org>: no such user"}]
        )
        unreliable = {"duplicate_share": 0.3, "reorder_share": 0.3, "lose_share": 0.1}
        await system.sink_settings(webhooks={**webhook.at_novu, **unreliable})
        told = await _send(system, system.enterprises[0])
        await system.sink_truth()
        await eventually(lambda: _are_told(system), within=120 + ROWS / 6, what="Novu has told all it will tell")
        complete = await _count(system, told, "complete and next_look_at is null")

        await system.sink_settings(webhooks={"url": None})
        read = await _send(system, system.enterprises[0])
        unheard = await _count(system, read, "heard_at is null")
        # A reader waits until webhooks have had their time.
        await rows.execute(system, "update notify.delivery_account set next_look_at = now() where not complete")
        await eventually(lambda: _are_complete(system), within=SETTLED_WITHIN_SECONDS, what="all is known")

        truth = await _truth(system, [*told, *read])
        found = await _deliveries(system, [*told, *read])

    assert found == truth
    states = Counter(delivery["state"] for delivery in found.values())
    assert states["delivered"] > states["partly"] + states["undelivered"] > 0
    # Each way has told what the test is about, and no more than it was to tell.
    assert complete > ROWS / 4
    assert unheard == len(read)


async def _send(system: System, enterprise: SampleEnterprise) -> list[int]:
    """Rows of every kind, sent: for one person or several, in one channel or several, and one in two chunks."""
    kinds: list[dict[str, Any]] = [
        {"notification_workflow_id": enterprise.dynamic, "channels": ["EMAIL"]},
        {
            "notification_workflow_id": enterprise.dynamic,
            "channels": ["EMAIL", "SMS", "PUSH"],
            "recipients": ["ada", "bob", "cyd"],
        },
        {"notification_workflow_id": enterprise.static, "recipients": ["ada", "bob"]},
        {"notification_workflow_id": enterprise.dynamic, "channels": ["CHAT", "IN_APP"], "recipients": ["dan"]},
    ]
    many = {
        "notification_workflow_id": enterprise.dynamic,
        "channels": ["SMS"],
        "recipients": [f"person-{number}" for number in range(120)],
    }
    sent = [kinds[number % len(kinds)] | {"payload": sample_payload(number)} for number in range(ROWS)]
    ids = await rows.insert(system, enterprise.enterprise_id, *sent, many | {"payload": sample_payload(0)})
    found = await rows.settled(system, ids, within=120 + ROWS / 20)
    assert {row.status for row in found.values()} == {"SENT"}
    return ids


async def _are_told(system: System) -> bool:
    events = (await system.sink.get("/_sink/webhooks")).json()["events"]
    return all(event["state"] in ("delivered", "lost") for event in events)


async def _count(system: System, ids: Sequence[int], condition: str) -> int:
    count: int = await rows.execute(
        system, f"select count(*) from notify.delivery_account where notification_id = any ($1) and {condition}", ids
    )
    return count


async def _are_complete(system: System) -> bool:
    open_accounts: int = await rows.execute(
        system, "select count(*) from notify.delivery_account where not complete or next_look_at is not null"
    )
    return open_accounts == 0


async def _deliveries(system: System, ids: Sequence[int]) -> dict[int, Any]:
    found: str = await rows.execute(
        system, "select jsonb_object_agg(id, delivery)::text from notify.ent_notification where id = any ($1)", ids
    )
    return {int(key): delivery for key, delivery in json.loads(found).items()}


async def _truth(system: System, ids: Sequence[int]) -> dict[int, Any]:
    """What the column is to say, by the sink's own count of people and channels."""
    people: dict[int, dict[str, list[str]]] = {key: {} for key in ids}
    of_transaction = {row.transaction_id: key for key, row in (await rows.read(system, ids)).items()}
    asked_for = await _channels(system, ids)
    for person in (await system.sink_truth())["people"]:
        event = person["event"]
        key = of_transaction[event] if event in of_transaction else of_transaction[event.rpartition(".")[0]]
        ends = {outcome for end, outcome in OUTCOMES.items() if person.get(end)}
        outcome = next(it for it in ("sent", "failed", "skipped") if it in ends)
        channel = person["channel"].upper()
        if outcome != "skipped" or channel in asked_for[key]:
            people[key].setdefault(channel, []).append(outcome)
    return {key: _account(channels) for key, channels in people.items()}


def _account(channels: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    counts = {channel: Counter(outcomes) for channel, outcomes in channels.items()}
    sent, failed = (sum(count[name] for count in counts.values()) for name in ("sent", "failed"))
    return {
        "state": "undelivered" if not sent else "partly" if failed else "delivered",
        "channels": {
            channel: {name: count[name] for name in ("sent", "failed", "skipped", "seen", "read")}
            for channel, count in counts.items()
        },
        **({"cause": "provider_error"} if failed else {}),
    }


async def _channels(system: System, ids: Sequence[int]) -> dict[int, list[str]]:
    """Those that each row asks for."""
    found: str = await rows.execute(
        system, "select jsonb_object_agg(id, channels)::text from notify.ent_notification where id = any ($1)", ids
    )
    return {int(key): channels for key, channels in json.loads(found).items()}
