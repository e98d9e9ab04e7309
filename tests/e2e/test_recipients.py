"""What the project knows of a person is what Novu has when the message goes out, and is written nowhere else."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from stack.sample_data import sample_payload
from tests.e2e import rows
from tests.e2e.system import System

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.asyncio(loop_scope="session"),
]


async def test_an_address_and_push_credentials_reach_novu_with_the_notification(system: System) -> None:
    acme, other = system.enterprises[:2]
    ada = f"ada-{uuid4().hex}"
    tokens = json.dumps([{"providerId": "fcm", "channel": "PUSH", "deviceTokens": ["token-of-ada"]}])
    connection = await system.connect()
    try:
        await connection.execute(
            "insert into notify.recipient (enterprise_id, subscriber_id, email, first_name, credentials)"
            " values ($1, $3, 'ada@example.org', 'Ada', $4), ($2, $3, 'stranger@example.org', 'Eve', null)",
            *(acme.enterprise_id, other.enterprise_id, ada, tokens),
        )
    finally:
        await connection.close()
    [order] = await rows.insert(
        system,
        acme.enterprise_id,
        {
            "notification_workflow_id": acme.dynamic,
            "channels": ["EMAIL", "PUSH"],
            "recipients": [ada],
            "payload": sample_payload(7),
        },
    )

    await rows.settled(system, [order])
    shown = json.loads(await system.says("recipient", "show", ada, "--enterprise", acme.enterprise_id, "--json"))

    assert shown["novu"]["email"] == "ada@example.org"
    assert shown["novu"]["firstName"] == "Ada"
    assert shown["differences"] == []
    assert shown["credentials"] == {"at_novu": {"fcm": 1}, "to_be_given": False}


async def test_who_is_erased_while_rows_wait_and_are_sent_gets_no_more_and_others_do(system: System) -> None:
    acme = system.enterprises[0]
    ada, eve = f"ada-{uuid4().hex}", f"eve-{uuid4().hex}"
    to_both = {"notification_workflow_id": acme.static, "recipients": [ada, eve], "payload": {"n": 1}}
    [later] = await rows.insert(
        system, acme.enterprise_id, {**to_both, "scheduled_for": (datetime.now(UTC) + timedelta(days=1)).isoformat()}
    )
    being_sent = await rows.insert(system, acme.enterprise_id, *[to_both] * 20)

    erase = ("erase", "--recipient", ada, "--enterprise", acme.enterprise_id, "--yes", "--json")
    receipt = json.loads(await system.says(*erase))
    await rows.settled(system, being_sent)
    when_erased = await people(system)
    await rows.execute(system, "update notify.ent_notification set scheduled_for = now() where id = $1", later)
    sent = await rows.settled(system, [later])

    assert receipt["erased"] is True, receipt
    assert sent[later].status == "SENT"
    got = await people(system)
    assert got[ada] == when_erased[ada]
    assert got[eve] == len(being_sent) + 1
    assert "ada-" not in str(
        await rows.execute(
            system,
            "select array_agg(recipients::text) from notify.ent_notification where id = any($1)",
            [later, *being_sent],
        )
    )
    key = {"Authorization": f"ApiKey {system.environment['NOVU_SECRET_KEY']}"}
    assert (await system.sink.get(f"/v2/subscribers/{ada}", headers=key)).status_code == 404


async def people(system: System) -> Counter[str]:
    """From how many events each person was sent something."""
    truth = await system.sink_truth()
    return Counter(
        subscriber for _, subscriber in {(it["event"], it["subscriber"]) for it in truth["people"] if it.get("sent")}
    )
