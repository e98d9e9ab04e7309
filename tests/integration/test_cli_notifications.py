"""`xnovu send`, `trace`, `replay`, `tail`, on a real database and a real Temporal; nobody delivers here."""

import asyncio
import json
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

HARMLESS = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}


@dataclass(frozen=True)
class Answer:
    """What a command said, and its exit code."""

    code: int | None
    output: str
    errors: str

    @property
    def object(self) -> Any:
        return json.loads(self.output)


@dataclass(frozen=True)
class Bench:
    """An enterprise of the test's own with a workflow, and the command line."""

    connection: "asyncpg.Connection[asyncpg.Record]"
    environment: Mapping[str, str]
    enterprise_id: str
    workflow_key: str

    async def xnovu(self, *arguments: str) -> Answer:
        process = await self.start(*arguments)
        output, errors = await process.communicate()
        return Answer(process.returncode, output.decode(), errors.decode())

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli", *arguments),
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def send(self, *options: str) -> Answer:
        return await self.xnovu("send", "--enterprise", self.enterprise_id, "--workflow", self.workflow_key, *options)

    async def insert_failed(self, code: str) -> int:
        notification_id: int = await self.connection.fetchval(
            "insert into notify.ent_notification"
            " (name, enterprise_id, publish_status, notification_status, payload, recipients, error_details)"
            " values ($1, $2, 'PUBLISH', 'FAILED', '{}', '{someone}', $3) returning id",
            secrets.token_hex(8),
            self.enterprise_id,
            json.dumps({"code": code, "message": "why"}),
        )
        return notification_id

    async def settle(self, notification_id: int, status: str, transaction_id: str | None = None) -> None:
        await self.connection.execute(
            "update notify.ent_notification"
            " set notification_status = $2, transaction_id = $3, updated_at = now() where id = $1",
            notification_id,
            status,
            transaction_id,
        )

    async def row(self, notification_id: int) -> asyncpg.Record:
        row = await self.connection.fetchrow("select * from notify.ent_notification where id = $1", notification_id)
        assert row is not None
        return row


@pytest.fixture
async def bench(local_stack: Mapping[str, str]) -> AsyncIterator[Bench]:
    name = f"cli-{secrets.token_hex(4)}"
    connection = await asyncpg.connect(local_stack["XNOVU_STACK_POSTGRES_URL"])
    try:
        await connection.execute(
            "insert into notify.ent_notification_workflow"
            " (name, enterprise_id, publish_status, workflow_type, workflow_key)"
            " values ($1, $1, 'PUBLISH', 'STATIC', $1)",
            name,
        )
        yield Bench(connection, {**HARMLESS, **local_stack, "TEMPORAL_TASK_QUEUE": name}, name, name)
    finally:
        await connection.close()


async def test_a_sent_row_holds_what_the_options_said(bench: Bench) -> None:
    answer = await bench.send(
        *("--to", "ada", "--to", "bob", "--payload", '{"name": "Ada"}', "--overrides", '{"email": {}}'),
        *("--at", "2030-01-01T09:00:00+01:00", "--json"),
    )

    assert answer.code == 0, answer.errors
    row = await bench.row(answer.object["notification_id"])
    assert (row["recipients"], json.loads(row["payload"])) == (["ada", "bob"], {"name": "Ada"})
    assert json.loads(row["overrides"]) == {"email": {}}
    assert row["scheduled_for"].isoformat() == "2030-01-01T08:00:00+00:00"
    assert (row["publish_status"], row["notification_status"]) == ("PUBLISH", "PENDING")


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--to", "ada", "--payload", "[1]"), 2, "--payload is no JSON object"),
        (("--to", "ada", "--payload", '{"a": NaN}'), 2, "NaN is no JSON number"),
        (("--to", "ada", "--at", "tomorrow"), 2, "'tomorrow' is no instant"),
        (("--to", "ada", "--workflow", "nobodys"), 1, "workflow_not_found"),
        ((), 2, "--to"),
    ],
)
async def test_what_cannot_be_sent_is_refused_with_its_reason_and_makes_no_row(
    bench: Bench, options: tuple[str, ...], code: int, said: str
) -> None:
    answer = await bench.send(*options)

    assert (answer.code, answer.output) == (code, "")
    assert said in answer.errors
    assert "Traceback" not in answer.errors
    count = "select count(*) from notify.ent_notification where enterprise_id = $1"
    assert await bench.connection.fetchval(count, bench.enterprise_id) == 0


@pytest.mark.parametrize(("status", "code"), [("SENT", 0), ("FAILED", 1)])
async def test_waiting_ends_with_the_row(bench: Bench, status: str, code: int) -> None:
    waiting = asyncio.create_task(bench.send("--to", "ada", "--wait", "--timeout", "30", "--json"))
    notification_id = await _first_row(bench)

    await bench.settle(notification_id, status)

    answer = await waiting
    assert (answer.code, answer.object["status"]) == (code, status)


async def test_waiting_ends_with_the_timeout(bench: Bench) -> None:
    answer = await bench.send("--to", "ada", "--wait", "--timeout", "0.5")

    assert answer.code == 1
    assert "PENDING" in answer.output
    assert "Hint: xnovu trace" in answer.errors


async def test_a_trace_says_that_nobody_serves_the_row_and_names_no_recipient(bench: Bench) -> None:
    sent = await bench.send("--to", "planted-recipient", "--payload", '{"planted": "secret"}', "--json")

    answer = await bench.xnovu("trace", str(sent.object["notification_id"]), "--json")
    for_people = await bench.xnovu("trace", str(sent.object["notification_id"]))

    assert answer.code == 0, answer.errors
    assert answer.object["row"]["enterprise_id"] == bench.enterprise_id
    assert answer.object["standing"]["state"] == "not_taken_up"
    assert "not_taken_up" in for_people.output
    assert "planted" not in answer.output + answer.errors + for_people.output


@pytest.mark.parametrize(
    ("chunks_sent", "says"),
    [
        (0, "recipients: 250, "),
        (1, "recipients: 250 (100 of them are with Novu), "),
        (3, "(250 of them are with Novu)"),
    ],
)
async def test_a_trace_of_a_row_for_many_people_says_how_far_it_is(bench: Bench, chunks_sent: int, says: str) -> None:
    notification_id = await bench.insert_failed("delivery_timed_out")
    await bench.connection.execute(
        "update notify.ent_notification set chunks_sent = $2,"
        " recipients = (select array_agg('person-' || n) from generate_series(1, 250) as n) where id = $1",
        *(notification_id, chunks_sent),
    )

    answer = await bench.xnovu("trace", str(notification_id))

    assert says in answer.output


async def test_a_trace_without_temporal_still_tells_the_row(bench: Bench) -> None:
    notification_id = await bench.insert_failed("expired")
    elsewhere = Bench(
        bench.connection, {**bench.environment, "TEMPORAL_ADDRESS": "127.0.0.1:1"}, bench.enterprise_id, ""
    )

    answer = await elsewhere.xnovu("trace", str(notification_id), "--json")

    assert answer.code == 0, answer.errors
    assert "Temporal at 127.0.0.1:1" in answer.object["workflow_unknown"]
    assert answer.object["standing"]["explanation"] == "expired: why"


async def test_a_trace_of_no_row_is_told_from_a_trace_without_a_database(bench: Bench) -> None:
    missing = await bench.xnovu("trace", str(2**62))
    elsewhere = {**bench.environment, "NEXT_PUBLIC_SUPABASE_URL": "http://127.0.0.1:1"}
    unreachable = await Bench(bench.connection, elsewhere, "", "").xnovu("trace", "1")

    assert (missing.code, missing.output) == (1, "")
    assert "There is no notification" in missing.errors
    assert (unreachable.code, unreachable.output) == (2, "")
    assert "The database did not answer" in unreachable.errors
    assert "Traceback" not in unreachable.errors


async def test_a_replay_changes_nothing_until_it_is_told_to(bench: Bench) -> None:
    ids = [await bench.insert_failed(code) for code in ("novu_refused", "expired")]
    command = ("replay", "--enterprise", bench.enterprise_id, "--code", "novu_refused", "--json")

    dry = await bench.xnovu(*command)
    after_dry = [(await bench.row(key))["notification_status"] for key in ids]
    wet = await bench.xnovu(*command, "--yes")
    after_wet = [(await bench.row(key))["notification_status"] for key in ids]

    assert (dry.code, dry.object["dry_run"], dry.object["notification_ids"]) == (0, True, ids[:1])
    assert after_dry == ["FAILED", "FAILED"]
    assert (wet.code, wet.object["dry_run"], wet.object["notification_ids"]) == (0, False, ids[:1])
    assert after_wet == ["PENDING", "FAILED"]


async def test_a_tail_shows_each_ending_once_and_ends_with_ctrl_c(bench: Bench) -> None:
    ids = [await bench.insert_failed("expired") for _ in range(2)]
    async with _tail(bench, "--since", "2020-01-01T00:00:00Z") as tail:
        first = [await _line(tail) for _ in ids]

        await bench.settle(ids[0], "SENT", "xnovu.1")
        second = await _line(tail)

        tail.send_signal(signal.SIGINT)
        rest, errors = await asyncio.wait_for(tail.communicate(), 60)

    assert [(it["id"], it["status"], it["code"]) for it in first] == [(key, "FAILED", "expired") for key in ids]
    assert (second["id"], second["status"], second["transaction_id"]) == (ids[0], "SENT", "xnovu.1")
    assert (tail.returncode, rest, errors) == (0, b"", b"")


async def test_what_became_of_a_row_is_in_its_trace_and_a_line_of_the_tail(bench: Bench) -> None:
    row = await bench.insert_failed("expired")
    transaction_id = f"xnovu.{bench.enterprise_id}.{row}"
    await bench.settle(row, "SENT", transaction_id)
    await bench.connection.execute(
        "update notify.ent_notification set claim_owner = 'somebody', delivery = $2 where id = $1",
        row,
        json.dumps({"state": "accepted"}),
    )
    await bench.connection.execute("select notify.open_delivery_accounts(array[$1::bigint], 60)", row)
    fact = {"transaction_id": transaction_id, "subscriber_id": "someone", "channel": "SMS", "outcome": "failed"}
    fact |= {"cause": "provider_error", "at": "2026-11-28T10:00:00Z"}
    async with _tail(bench, "--since", "2020-01-01T00:00:00Z") as tail:
        ended = await _line(tail)

        await bench.connection.execute("select notify.record_delivery($1)", json.dumps([fact]))
        await bench.connection.execute(
            "select notify.record_delivery('[]', $1)", json.dumps([{"id": row, "through": True}])
        )
        settled = await _line(tail)
    traced = await bench.xnovu("trace", str(row))
    told = await bench.xnovu("trace", str(row), "--json")

    assert (ended["id"], ended["status"], ended["delivery"]) == (row, "SENT", "accepted")
    assert (settled["id"], settled["state"], settled["cause"]) == (row, "undelivered", "provider_error")
    assert "delivery: undelivered (nobody has it; first cause: provider_error)" in traced.output
    assert "  SMS: 0 sent, 1 failed, 0 skipped, 0 seen, 0 read" in traced.output
    assert told.object["novu"]["delivery"]["state"] == "undelivered"
    assert told.object["standing"]["needs_attention"]


async def test_what_did_not_arrive_is_tried_again_by_hand_once_it_is_told_to(bench: Bench) -> None:
    row = await bench.insert_failed("expired")
    key = await bench.connection.fetchval("select delivery_key from notify.ent_notification where id = $1", row)
    await bench.settle(row, "SENT", f"xnovu.{key}")
    await bench.connection.execute("update notify.ent_notification set claim_owner = 'somebody' where id = $1", row)
    await bench.connection.execute("select notify.open_delivery_accounts(array[$1::bigint], 60)", row)
    to = (await bench.row(row))["recipients"][0]
    fact = {"transaction_id": f"xnovu.{key}", "subscriber_id": str(to), "channel": "SMS", "outcome": "failed"}
    fact |= {"cause": "provider_error", "at": "2026-11-28T10:00:00Z"}
    await bench.connection.execute(
        "select notify.record_delivery($1, $2)", json.dumps([fact]), json.dumps([{"id": row, "through": True}])
    )
    command = ("replay", "--enterprise", bench.enterprise_id, "--undelivered")

    dry = await bench.xnovu(*command)
    other_cause = await bench.xnovu(*command, "--cause", "no_address")
    after_dry = (await bench.row(row))["notification_status"]
    wet = await bench.xnovu(*command, "--yes", "--json")
    traced = await bench.xnovu("trace", str(row))

    assert "With --yes, 1 would be sent again to whom they failed for alone." in dry.output
    assert other_cause.output == "Nothing is known to have failed at Novu.\n"
    assert after_dry == "SENT"
    assert wet.object["notification_ids"] == [row]
    assert (await bench.row(row))["notification_status"] == "PENDING"
    assert "by hand: 1 in SMS; 0 sent, 0 failed" in traced.output


async def test_a_row_is_replayed_by_its_id_alone_and_says_why_if_not(bench: Bench) -> None:
    failed, other = await bench.insert_failed("novu_refused"), await bench.insert_failed("novu_refused")

    dry = await bench.xnovu("replay", "--id", str(failed))
    wet = await bench.xnovu("replay", "--id", str(failed), "--yes", "--json")
    again = await bench.xnovu("replay", "--id", str(failed), "--yes")
    mixed = await bench.xnovu("replay", "--id", str(failed), "--code", "expired")
    neither = await bench.xnovu("replay", "--json")

    assert f"{failed} of {bench.enterprise_id} would be PENDING again (it was novu_refused)." in dry.output
    assert (wet.code, wet.object["notification_ids"]) == (0, [failed])
    assert (again.code, again.output) == (
        1,
        f"{failed} of {bench.enterprise_id} is PENDING, and only FAILED ones are replayed.\n",
    )
    assert (mixed.code, neither.code) == (2, 2)
    assert "--id ROW" in neither.object["error"]["hint"]
    assert (
        await bench.connection.fetchval(
            "select notification_status::text from notify.ent_notification where id = $1", other
        )
        == "FAILED"
    )


@pytest.mark.parametrize(
    "wrong",
    [("--undelivered", "--code", "expired"), ("--cause", "content"), ("--undelivered", "--cause", "preference")],
)
async def test_a_replay_of_nonsense_is_wrong_usage(bench: Bench, wrong: tuple[str, ...]) -> None:
    answer = await bench.xnovu("replay", "--enterprise", bench.enterprise_id, *wrong)

    assert (answer.code, answer.output) == (2, "")
    assert "Hint:" in answer.errors


async def _first_row(bench: Bench) -> int:
    async with asyncio.timeout(60):
        while True:
            found: int | None = await bench.connection.fetchval(
                "select min(id) from notify.ent_notification where enterprise_id = $1", bench.enterprise_id
            )
            if found is not None:
                return found
            await asyncio.sleep(0.05)


@asynccontextmanager
async def _tail(bench: Bench, *options: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await bench.start("tail", "--enterprise", bench.enterprise_id, "--json", *options)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _line(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None
    async with asyncio.timeout(60):
        line: dict[str, Any] = json.loads(await process.stdout.readline())
        return line


@pytest.mark.parametrize("status", ["PENDING", "PROCESSING", "FAILED"])
async def test_a_row_of_impossible_instants_and_endless_texts_is_traced_and_replayed(bench: Bench, status: str) -> None:
    notification_id = await bench.insert_failed("expired")
    await bench.connection.execute(
        "update notify.ent_notification set notification_status = $2, created_at = '0044-03-15 00:00Z BC',"
        " updated_at = 'infinity', processed_at = '-infinity', retracted_at = '-infinity',"
        " scheduled_for = '20000-01-01Z',"
        " deliver_before = 'infinity', lease_expires_at = 'infinity', claim_owner = repeat('x', 5000),"
        " error_details = jsonb_build_object('code', repeat('7', 5000)::jsonb, 'message', '[]'::jsonb),"
        " cancellation = (repeat('[', 1500) || repeat(']', 1500))::jsonb, transaction_id = repeat('t', 5000),"
        " attempts = 2147483647 where id = $1",
        notification_id,
        status,
    )

    traced = await bench.xnovu("trace", str(notification_id))
    told = await bench.xnovu("trace", str(notification_id), "--json")

    assert traced.errors == told.errors == ""
    assert "9999-12-01" in traced.output
    assert told.object["row"]["id"] == notification_id
    if status == "FAILED":
        replayed = await bench.xnovu("replay", "--enterprise", bench.enterprise_id, "--json", "--yes")
        assert (replayed.code, replayed.object["notification_ids"]) == (0, [notification_id])
