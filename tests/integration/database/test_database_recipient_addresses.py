"""What a claim brings along of its recipients: from the table, or from a view in its place; of its enterprise alone."""

import json
import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from tests.integration.database.project import OURS, THEIRS, Connection, Project, call, insert_notification

DOCUMENT = Path(__file__).parents[3] / "docs" / "database.md"


async def test_the_same_subscriber_id_has_each_enterprises_own_address(connection: Connection) -> None:
    subscriber = str(uuid4())
    await _insert_recipient(connection, subscriber, email="ours@example.com", enterprise_id=OURS)
    await _insert_recipient(connection, subscriber, email="theirs@example.com", enterprise_id=THEIRS)

    ours = await _claim(connection, await insert_notification(connection, recipients=[subscriber]))
    theirs = await _claim(
        connection, await insert_notification(connection, recipients=[subscriber], enterprise_id=THEIRS), THEIRS
    )

    assert _known(ours)[subscriber]["email"] == "ours@example.com"
    assert _known(theirs)[subscriber]["email"] == "theirs@example.com"


async def test_another_enterprises_recipient_does_not_come_along(connection: Connection) -> None:
    stranger, own = str(uuid4()), str(uuid4())
    await _insert_recipient(connection, own, email="own@example.com")
    await _insert_recipient(connection, stranger, email="stranger@example.com", enterprise_id=THEIRS)

    answer = await _claim(connection, await insert_notification(connection, recipients=[stranger, own]))

    assert set(_known(answer)) == {own}


async def test_a_project_without_addresses_claims_as_before(connection: Connection) -> None:
    answer = await _claim(connection, await insert_notification(connection))

    assert answer["recipients"] == {"known": {}}
    assert len(answer["notifications"]) == 1


async def test_of_more_recipients_than_fit_the_caller_asks_by_pages(connection: Connection) -> None:
    many = [str(uuid4()) for _ in range(501)]
    await _insert_recipient(connection, many[500], email="last@example.com")

    answer = await _claim(connection, await insert_notification(connection, recipients=many))
    page = await call(connection, "recipients_of", p_enterprise_id=OURS, p_subscriber_ids=many[400:])

    assert answer["recipients"] is None
    assert json.loads(page["known"][many[500]])["email"] == "last@example.com"


async def test_a_recipient_that_is_too_large_is_told_of_and_does_not_come_along(connection: Connection) -> None:
    huge, small = str(uuid4()), str(uuid4())
    await _insert_recipient(connection, huge, data={"letters": "x" * 9000})
    await _insert_recipient(connection, small, email="small@example.com")

    answer = await _claim(connection, await insert_notification(connection, recipients=[huge, small]))

    assert answer["recipients"]["known"][huge] is None
    assert _known(answer)[small]["email"] == "small@example.com"


async def test_credentials_come_along_until_they_are_noted_as_kept_and_again_once_they_change(
    connection: Connection,
) -> None:
    subscriber = str(uuid4())
    credentials = [{"providerId": "fcm", "channel": "PUSH", "deviceTokens": ["a"]}]
    await _insert_recipient(connection, subscriber, credentials=credentials)

    async def look() -> dict[str, Any]:
        answer = await call(connection, "recipients_of", p_enterprise_id=OURS, p_subscriber_ids=[subscriber])
        found: dict[str, Any] = json.loads(answer["known"][subscriber])
        return found

    first = await look()
    kept = {"subscriber_id": subscriber, "credentials_hash": first["credentials_hash"], "refusal": None}
    await call(connection, "note_kept_credentials", p_enterprise_id=OURS, p_kept=[kept])
    second = await look()
    await connection.execute(
        "update notify.recipient set credentials = $1", [{**credentials[0], "deviceTokens": ["a", "b"]}]
    )
    third = await look()

    assert first["credentials"] == credentials
    assert "credentials" not in second
    assert third["credentials"][0]["deviceTokens"] == ["a", "b"]


async def test_what_another_enterprise_has_kept_is_not_taken_for_ours(connection: Connection) -> None:
    subscriber = str(uuid4())
    await _insert_recipient(connection, subscriber, credentials=[{"providerId": "fcm", "deviceTokens": ["a"]}])
    ours = await call(connection, "recipients_of", p_enterprise_id=OURS, p_subscriber_ids=[subscriber])
    hashed = json.loads(ours["known"][subscriber])["credentials_hash"]
    kept = {"subscriber_id": subscriber, "credentials_hash": hashed}
    await call(connection, "note_kept_credentials", p_enterprise_id=THEIRS, p_kept=[kept])

    answer = await call(connection, "recipients_of", p_enterprise_id=OURS, p_subscriber_ids=[subscriber])

    assert "credentials" in json.loads(answer["known"][subscriber])


async def test_the_documents_view_on_auth_users_serves_in_the_tables_place(separate_project: Project) -> None:
    section = DOCUMENT.read_text().partition("## Recipients' addresses")[2].partition("\n## ")[0]
    [statements] = re.findall(r"```sql\n(.*?)```", section, re.DOTALL)
    ada, bob = uuid4(), uuid4()
    async with separate_project.connect("postgres") as owner:
        await owner.execute("create schema auth")
        await owner.execute(
            "create table auth.users (id uuid primary key, email text, phone text, raw_user_meta_data jsonb)"
        )
        await owner.execute(statements)
        await owner.execute("insert into auth.users values ($1, 'ada@example.com', null, $2)", ada, {"locale": "en_GB"})
        await owner.execute("insert into auth.users values ($1, 'bob@example.com', null, '{}')", bob)
        await owner.execute("insert into public.member (enterprise_id, user_id) values ($1, $2)", OURS, ada)
        await owner.execute("insert into public.member (enterprise_id, user_id) values ($1, $2)", THEIRS, bob)

    async with separate_project.connect() as connection:
        row = await insert_notification(connection, recipients=[str(ada), str(bob)])
        known = _known(await _claim(connection, row))
    async with separate_project.connect("anon") as public:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await public.fetch("select * from notify.recipient")

    assert set(known) == {str(ada)}
    assert known[str(ada)]["email"] == "ada@example.com"
    assert known[str(ada)]["locale"] == "en_GB"


@pytest.mark.parametrize("separate_project", ["fresh"], indirect=True)
@pytest.mark.parametrize(
    ("view", "fault"),
    [
        ("select 'x' as nothing_of_use", "42703"),
        (
            "select $${0}$$::text as enterprise_id, 'u' as subscriber_id, (1 / (random() * 0)::int)::text as email",
            "22012",
        ),
    ],
)
async def test_a_view_that_fails_costs_the_addresses_and_not_the_notification(
    separate_project: Project, view: str, fault: str
) -> None:
    async with separate_project.connect("postgres") as owner:
        await owner.execute("drop table notify.recipient")
        await owner.execute(f"create view notify.recipient as {view.format(OURS)}")
        await owner.execute("grant select on notify.recipient to service_role")

    async with separate_project.connect() as connection:
        answer = await _claim(connection, await insert_notification(connection, recipients=["u"]))

    assert answer["recipients"] == {"known": {}, "fault": fault}
    assert len(answer["notifications"]) == 1


@pytest.mark.parametrize("separate_project", ["fresh"], indirect=True)
async def test_a_view_that_fails_for_one_enterprise_costs_no_other_its_addresses(separate_project: Project) -> None:
    view = f"""
        select $${OURS}$$::text as enterprise_id, 'u' as subscriber_id, (1 / (random() * 0)::int)::text as email
        union all select $${THEIRS}$$, 'u', 'theirs@example.com'
    """
    async with separate_project.connect("postgres") as owner:
        await owner.execute("drop table notify.recipient")
        await owner.execute(f"create view notify.recipient as {view}")
        await owner.execute("grant select on notify.recipient to service_role")

    async with separate_project.connect() as connection:
        rows = [
            await insert_notification(connection, recipients=["u"], enterprise_id=enterprise_id)
            for enterprise_id in (OURS, THEIRS)
        ]
        calls = [
            {
                "function": "claim_batch",
                "arguments": {
                    "p_enterprise_id": enterprise_id,
                    "p_notification_ids": [row],
                    "p_claim_owner": "owner",
                    "p_lease_seconds": 60,
                    "p_keyed": False,
                    "p_uncalled": False,
                },
            }
            for enterprise_id, row in zip((OURS, THEIRS), rows, strict=True)
        ]
        ours, theirs = await call(connection, "call_each", p_calls=calls)

    assert ours["recipients"] == {"known": {}, "fault": "22012"}
    assert _known(theirs)["u"]["email"] == "theirs@example.com"
    assert [len(answer["notifications"]) for answer in (ours, theirs)] == [1, 1]


async def _insert_recipient(
    connection: Connection, subscriber: str, *, enterprise_id: str = OURS, **columns: Any
) -> None:
    row = {"enterprise_id": enterprise_id, "subscriber_id": subscriber, **columns}
    places = ", ".join(f"${position}" for position in range(1, len(row) + 1))
    await connection.execute(f"insert into notify.recipient ({', '.join(row)}) values ({places})", *row.values())


async def _claim(connection: Connection, notification_id: int, enterprise_id: str = OURS) -> dict[str, Any]:
    answer: dict[str, Any] = await call(
        connection,
        "claim_batch",
        p_enterprise_id=enterprise_id,
        p_notification_ids=[notification_id],
        p_claim_owner="owner",
        p_lease_seconds=60,
    )
    return answer


def _known(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    known = answer["recipients"]["known"]
    return {key: json.loads(text) for key, text in known.items() if text is not None}
