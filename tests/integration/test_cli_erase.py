"""`xnovu erase`, on a real database and the sink: what goes, what is told, and what a program can rely on."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from typer.testing import CliRunner, Result

from cli.__main__ import app


class Stage:
    """One person of one enterprise, on both sides."""

    def __init__(self, stack: Mapping[str, str]) -> None:
        self.stack = stack
        self.enterprise = f"erase-{uuid4().hex[:8]}"
        self.person = f"ada-{uuid4().hex}"
        self.novu = httpx.Client(
            base_url=stack["NOVU_API_URL"], headers={"Authorization": f"ApiKey {stack['NOVU_SECRET_KEY']}"}
        )

    def sql(self, statement: str, *arguments: Any) -> Any:
        async def execute() -> Any:
            connection = await asyncpg.connect(self.stack["XNOVU_STACK_POSTGRES_URL"])
            try:
                return await connection.fetchval(statement, *arguments)
            finally:
                await connection.close()

        return asyncio.run(execute())

    def row(self, recipients: list[str], payload: Any = None, **columns: str) -> int:
        names = "".join(f", {name}" for name in columns)
        values = "".join(f", {value}" for value in columns.values())
        found: int = self.sql(
            f"insert into notify.ent_notification (name, enterprise_id, publish_status, recipients, payload{names})"
            f" values ($1, $2, 'PUBLISH', $3, $4{values}) returning id",
            uuid4().hex,
            self.enterprise,
            recipients,
            json.dumps(payload or {}),
        )
        return found

    def address(self, enterprise: str, email: str) -> None:
        self.sql(
            "insert into notify.recipient (enterprise_id, subscriber_id, email) values ($1, $2, $3)",
            enterprise,
            self.person,
            email,
        )

    def message(self, to: str, email: str) -> None:
        """Novu has sent one, and shows it."""
        payload = {"rendered": {"EMAIL": {"subject": "hello", "body": "hello"}}}
        body = {"name": "erase", "to": {"subscriberId": to, "email": email}, "payload": payload}
        self.novu.post("/v1/events/trigger", json=body).raise_for_status()
        self.novu.get("/_sink/truth").raise_for_status()  # answers when Novu's worker has nothing left to do

    def messages_of(self, person: str) -> int:
        listed = self.novu.get("/v1/messages", params={"limit": 100}).json()["data"]
        return sum(message["subscriber"]["subscriberId"] == person for message in listed)

    def erase(self, *options: str) -> Result:
        names = ("NEXT_PUBLIC_SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY", "NOVU_API_URL", "NOVU_SECRET_KEY")
        return CliRunner().invoke(
            app,
            ["erase", "--recipient", self.person, "--enterprise", self.enterprise, *options],
            env={"TEMPORAL_ADDRESS": None, **{name: self.stack[name] for name in names}},
        )


@pytest.fixture
def stage(local_stack: Mapping[str, str]) -> Iterator[Stage]:
    stage = Stage(local_stack)
    yield stage
    stage.novu.close()


def places(result: Result) -> dict[str, tuple[int, int, int | None]]:
    told = json.loads(result.stdout)
    return {it["place"]: (it["found"], it["removed"], it["left"]) for it in told["places"]}


@pytest.mark.parametrize("generation", ["current", "2024"])
def test_a_person_is_gone_from_every_place_and_others_are_not(stage: Stage, generation: str) -> None:
    email, other = f"{stage.person}@example.org", f"eve-{uuid4().hex}"
    stage.novu.patch("/_sink/settings", json={"generation": generation}).raise_for_status()
    alone = stage.row([stage.person])
    many = stage.row([other, stage.person], {"asked_by": email})
    stage.address(stage.enterprise, email)
    for each in (stage.person, other):
        stage.message(each, f"{each}@example.org")

    tried = stage.erase("--dry-run", "--json")
    done = stage.erase("--yes", "--json")
    again = stage.erase("--yes", "--json")
    stage.novu.delete("/_sink/settings").raise_for_status()

    assert (tried.exit_code, done.exit_code, again.exit_code) == (0, 0, 0), done.output
    found = places(tried)
    assert found["notifications.recipients"][0] == 2
    assert (found["recipient"][0], found["novu.subscriber"][0]) == (1, 1)
    receipt = places(done)
    assert receipt == {name: (count, count, 0) for name, (count, _, _) in found.items()}
    assert json.loads(done.stdout)["erased"] is True
    assert json.loads(done.stdout)["retracted"] == [alone]
    assert all(counts == (0, 0, 0) for counts in places(again).values())
    assert stage.sql("select notification_status::text from notify.ent_notification where id = $1", many) == "PENDING"
    assert json.loads(stage.sql("select payload from notify.ent_notification where id = $1", many)) == {
        "asked_by": "[erased]"
    }
    assert stage.messages_of(stage.person) == 0
    assert stage.messages_of(other) > 0
    assert stage.novu.get(f"/v2/subscribers/{other}").status_code == 200


def test_what_a_worker_holds_for_too_long_is_told_and_the_exit_code_says_so(stage: Stage) -> None:
    held = stage.row(
        [stage.person, "eve"],
        notification_status="'PROCESSING'",
        claim_owner="'worker'",
        lease_expires_at="now() + interval '1 hour'",
    )

    waiting = stage.erase("--yes", "--json", "--wait", "0")
    stage.sql("update notify.ent_notification set lease_expires_at = now() where id = $1", held)
    after = stage.erase("--yes", "--json", "--wait", "0")

    assert waiting.exit_code == 1
    assert places(waiting)["notifications.recipients"] == (1, 0, 1)
    assert "being sent" in waiting.stdout
    assert after.exit_code == 0
    assert places(after)["notifications.recipients"] == (1, 1, 0)


def test_what_novu_has_not_taken_up_would_make_the_subscriber_anew(stage: Stage) -> None:
    key = uuid4().hex
    stage.row(
        [stage.person],
        notification_status="'SENT'",
        processed_at="now()",
        delivery_key=f"'{key}'",
        transaction_base=f"'xnovu.{key}'",
        transaction_id=f"'xnovu.{key}'",
    )

    waiting = stage.erase("--yes", "--json", "--wait", "0")

    assert waiting.exit_code == 1
    assert places(waiting)["novu.queue"] == (1, 0, 1)
    assert stage.erase("--yes", "--wait", "0").exit_code == 0


def test_who_is_another_enterprise_s_subscriber_too_stays_at_novu_unless_that_is_said(stage: Stage) -> None:
    stage.address("others", "ada@example.org")
    stage.novu.post("/v2/subscribers", json={"subscriberId": stage.person}).raise_for_status()

    kept = stage.erase("--yes", "--json")
    deleted = stage.erase("--yes", "--json", "--shared")

    assert kept.exit_code == 1
    assert json.loads(kept.stdout)["shared_with"] == ["others"]
    assert places(kept)["novu.subscriber"] == (1, 0, 1)
    assert deleted.exit_code == 0
    assert stage.novu.get(f"/v2/subscribers/{stage.person}").status_code == 404


def test_a_novu_that_fails_is_told_and_repeating_ends_it(stage: Stage) -> None:
    stage.row([stage.person])
    stage.message(stage.person, "ada@example.org")
    fault = {"kind": "server_error", "path": "/v1/messages/", "requests": None}
    stage.novu.post("/_sink/faults", json=[fault]).raise_for_status()

    failed = stage.erase("--yes", "--json")
    stage.novu.delete("/_sink/faults")
    again = stage.erase("--yes", "--json")

    assert failed.exit_code == 1
    assert places(failed)["novu.subscriber"][2] is None
    assert again.exit_code == 0
    assert places(again)["novu.subscriber"] == (1, 1, 0)


def test_nobody_is_erased_unasked(stage: Stage) -> None:
    row_id = stage.row([stage.person])

    answer = stage.erase()

    assert answer.exit_code == 1
    assert "--yes" in answer.output
    assert stage.sql("select recipients from notify.ent_notification where id = $1", row_id) == [stage.person]


def test_an_enterprise_that_is_none_is_said(stage: Stage) -> None:
    stage.enterprise = "no such/one"

    assert stage.erase("--yes").exit_code == 2
