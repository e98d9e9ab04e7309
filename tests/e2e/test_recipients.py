"""What the project knows of a person is what Novu has when the message goes out, and is written nowhere else."""

import json
from uuid import uuid4

import pytest

from stack.sample_data import sample_payload
from tests.e2e import rows
from tests.e2e.system import System

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(240),
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
