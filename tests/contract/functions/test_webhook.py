"""The webhook function on a real database: what is signed is taken, in any order; nothing else gets near it."""

import base64
import hashlib
import hmac
import json
import logging
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from functions.json_body import MAX_BODY_BYTES
from functions.webhook_settings import WebhookSettings
from shared.settings import SettingsError
from stack.sample_data import SampleEnterprise, insert_notifications, seed_enterprise
from tests.contract.functions.bench import Connection, open_function

SECRET = b"a secret of twenty-four b"
SECRETS = f"whsec_{base64.b64encode(b'the one before, still good').decode()},whsec_{base64.b64encode(SECRET).decode()}"
PERSON = "person-0815@example.org"


@pytest.fixture
async def connection(local_stack: Mapping[str, str]) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(local_stack["XNOVU_STACK_POSTGRES_URL"])
    try:
        yield connection
    finally:
        await connection.close()


@pytest.fixture
async def webhook(local_stack: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """The function knows the database and its secrets, and neither Temporal, Novu nor a caller."""
    for name in ("TEMPORAL_ADDRESS", "NOVU_SECRET_KEY", "FUNCTIONS_API_KEYS", "DAEMON_ENTERPRISE_IDS"):
        monkeypatch.delenv(name, raising=False)
    environment = {
        **{name: local_stack[name] for name in ("NEXT_PUBLIC_SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY")},
        "NOVU_WEBHOOK_SECRETS": SECRETS,
        "FUNCTION_TARGET": "webhook",
    }
    async with open_function("webhook", environment, monkeypatch) as client:
        yield client


@pytest.fixture
async def ours(connection: Connection) -> SampleEnterprise:
    return await seed_enterprise(connection, f"ours-{uuid4().hex[:12]}")


async def sent_row(connection: Connection, enterprise: SampleEnterprise) -> int:
    """A row that a worker has sent, and of which account is kept."""
    (key,) = await insert_notifications(
        connection,
        enterprise.enterprise_id,
        [{"notification_workflow_id": enterprise.dynamic, "recipients": [PERSON], "channels": ["EMAIL"]}],
    )
    await connection.fetchval(
        "select notify.claim_batch($1, array[$2::bigint], 'owner', 60)", enterprise.enterprise_id, key
    )
    outcome = {
        "id": key,
        "status": "SENT",
        "transaction_id": f"xnovu.{enterprise.enterprise_id}.{key}",
    }
    await connection.fetchval(
        "select notify.record_followed_outcomes($1, 'owner', $2::jsonb, 45)",
        enterprise.enterprise_id,
        json.dumps([outcome]),
    )
    return key


async def delivery(connection: Connection, key: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        await connection.fetchval("select delivery from notify.ent_notification where id = $1", key)
    )
    return found


def event(enterprise_id: str, key: int, kind: str = "sent", **members: Any) -> dict[str, Any]:
    message = {
        "_id": uuid4().hex[:24],
        "transactionId": f"xnovu.{enterprise_id}.{key}",
        "subscriberId": PERSON,
        "channel": "email",
        "status": "error" if kind == "failed" else "sent",
        "email": PERSON,
        "createdAt": "2026-11-28T10:00:00.000Z",
        **members,
    }
    return {
        "id": f"evt_{uuid4().hex[:24]}",
        "type": f"message.{kind}",
        "object": "message",
        "data": {"object": message},
    }


def signed(body: bytes, *, secret: bytes = SECRET, at: int | None = None) -> dict[str, str]:
    at = int(time.time()) if at is None else at
    digest = hmac.digest(secret, b".".join([b"evt_1", str(at).encode(), body]), hashlib.sha256)
    return {
        "Content-Type": "application/json",
        "webhook-id": "evt_1",
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


async def tell(webhook: httpx.AsyncClient, told: Any) -> httpx.Response:
    body = told if isinstance(told, bytes) else json.dumps(told).encode()
    return await webhook.post("/", content=body, headers=signed(body))


async def test_an_event_is_on_its_row(
    webhook: httpx.AsyncClient, connection: Connection, ours: SampleEnterprise
) -> None:
    key = await sent_row(connection, ours)

    answer = await tell(webhook, event(ours.enterprise_id, key))

    assert (answer.status_code, answer.json()) == (200, {"result": "recorded"})
    counts = {"sent": 1, "failed": 0, "skipped": 0, "seen": 0, "read": 0}
    assert await delivery(connection, key) == {"state": "delivered", "channels": {"EMAIL": counts}}


async def test_repeated_and_disordered_events_say_the_same(
    webhook: httpx.AsyncClient, connection: Connection, ours: SampleEnterprise
) -> None:
    key = await sent_row(connection, ours)
    read, sent = (event(ours.enterprise_id, key, kind) for kind in ("read", "sent"))

    answers = [await tell(webhook, it) for it in (read, sent, read, sent)]

    assert {answer.json()["result"] for answer in answers} == {"recorded"}
    counts = {"sent": 1, "failed": 0, "skipped": 0, "seen": 1, "read": 1}
    assert await delivery(connection, key) == {"state": "delivered", "channels": {"EMAIL": counts}}


async def test_a_failure_is_told_by_our_word_for_it(
    webhook: httpx.AsyncClient, connection: Connection, ours: SampleEnterprise, caplog: pytest.LogCaptureFixture
) -> None:
    key = await sent_row(connection, ours)

    with caplog.at_level(logging.DEBUG):
        await tell(
            webhook,
            event(
                ours.enterprise_id, key, "failed", errorId="mail_unexpected_error", errorText=f"550 <{PERSON}> unknown"
            ),
        )

    told = await delivery(connection, key)
    assert (told["state"], told["cause"]) == ("undelivered", "provider_error")
    stored = await connection.fetch("select f::text from notify.delivery_fact f where notification_id = $1", key)
    assert PERSON not in f"{told}{stored}"
    assert not [record for record in caplog.records if record.name != "httpx" and PERSON in record.getMessage()]


@pytest.mark.parametrize(
    "headers",
    [{}, signed(b"{}"), {"webhook-signature": "v1,AAAA"}],
    ids=["none", "another body's", "half of them"],
)
async def test_what_is_not_signed_changes_nothing(
    webhook: httpx.AsyncClient, connection: Connection, ours: SampleEnterprise, headers: dict[str, str]
) -> None:
    key = await sent_row(connection, ours)

    answer = await webhook.post("/", json=event(ours.enterprise_id, key), headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_signature")
    assert await delivery(connection, key) == {"state": "accepted"}


async def test_an_old_signature_is_a_repetition_by_somebody_else(
    webhook: httpx.AsyncClient, connection: Connection, ours: SampleEnterprise
) -> None:
    key = await sent_row(connection, ours)
    body = json.dumps(event(ours.enterprise_id, key)).encode()

    answer = await webhook.post("/", content=body, headers=signed(body, at=int(time.time()) - 400))

    assert answer.status_code == 401
    assert await delivery(connection, key) == {"state": "accepted"}


@pytest.mark.parametrize(
    "told",
    [
        b"no JSON",
        b"[" * 10_000,
        b'{"a": NaN}',
        b"[]",
        b'{"type": "workflow.created"}',
        b'{"type": "preference.updated"}',
    ],
)
async def test_what_says_nothing_of_a_message_is_answered_so_that_novu_does_not_repeat_it(
    webhook: httpx.AsyncClient, told: bytes
) -> None:
    answer = await tell(webhook, told)

    assert (answer.status_code, answer.json()) == (200, {"result": "ignored"})


async def test_messages_of_others_who_use_the_environment_are_left(
    webhook: httpx.AsyncClient, connection: Connection, ours: SampleEnterprise
) -> None:
    key = await sent_row(connection, ours)
    others = [
        event(ours.enterprise_id, key, transactionId=it) for it in ("txn_1", f"xnovu.theirs.{key}", "xnovu.1.2.3")
    ]

    answers = [await tell(webhook, it) for it in others]

    assert [answer.json() for answer in answers] == [{"result": "unknown"}] * 3
    assert await delivery(connection, key) == {"state": "accepted"}


async def test_a_body_beyond_all_measure_is_refused_before_it_is_read(webhook: httpx.AsyncClient) -> None:
    answer = await tell(webhook, b" " * (MAX_BODY_BYTES + 1))

    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_only_post_is_answered(webhook: httpx.AsyncClient) -> None:
    assert (await webhook.get("/")).status_code == 405


async def test_while_the_database_is_away_novu_is_to_come_again(
    local_stack: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {
        "NEXT_PUBLIC_SUPABASE_URL": "http://127.0.0.1:9",
        "SUPABASE_SERVICE_ROLE_KEY": local_stack["SUPABASE_SERVICE_ROLE_KEY"],
        "NOVU_WEBHOOK_SECRETS": SECRETS,
        "FUNCTION_TARGET": "webhook",
    }
    async with open_function("webhook", environment, monkeypatch) as client:
        answer = await tell(client, event("acme", 1))

    assert (answer.status_code, answer.json()["dependency"]) == (503, "supabase")


@pytest.mark.parametrize(
    "secrets", ["", "tombola", "whsec_tombola", "whsec_tombola!!!!!!!!!!!!!!!!!!!!", SECRETS + ",tombola"]
)
def test_a_wrong_secret_is_named_and_not_quoted(monkeypatch: pytest.MonkeyPatch, secrets: str) -> None:
    monkeypatch.setenv("SUPABASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", "key")
    monkeypatch.setenv("NOVU_WEBHOOK_SECRETS", secrets)

    with pytest.raises(SettingsError, match="NOVU_WEBHOOK_SECRETS") as caught:
        WebhookSettings.load()

    assert "tombola" not in str(caught.value)


def test_settings_do_not_show_their_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPABASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", "key")
    monkeypatch.setenv("NOVU_WEBHOOK_SECRETS", SECRETS)

    settings = WebhookSettings.load()

    assert settings.novu_webhook_secrets[1] == SECRET
    assert "secret of" not in repr(settings) + str(settings)
