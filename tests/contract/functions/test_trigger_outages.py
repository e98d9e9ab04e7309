"""What callers are told while Temporal or Supabase is away, and what has become of their notification."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

import pytest

from functions import endpoint
from stack.processes import free_port
from tests.contract.functions.bench import TENANT, Bench, open_function
from tests.contract.functions.test_trigger_refusals import assert_problem


@pytest.fixture
def nobody() -> str:
    """An address where nobody listens."""
    return f"127.0.0.1:{free_port()}"


class Relay:
    """Passes connections on to a server, until it is cut."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        assert self._server is not None
        host, port = self._server.sockets[0].getsockname()
        return f"{host}:{port}"

    @classmethod
    @asynccontextmanager
    async def to(cls, target: str) -> AsyncIterator["Relay"]:
        relay = cls(target)
        relay._server = await asyncio.start_server(relay._serve, "127.0.0.1", 0)
        try:
            yield relay
        finally:
            await relay.cut()

    async def cut(self) -> None:
        """End all connections and take no more."""
        assert self._server is not None
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        host, port = self._target.split(":")
        to_server, from_us = await asyncio.open_connection(host, int(port))
        try:
            await asyncio.gather(_pump(reader, from_us), _pump(to_server, writer))
        except asyncio.CancelledError:
            return
        finally:
            for end in (writer, from_us):
                end.close()
            for end in (writer, from_us):
                with suppress(ConnectionError):
                    await end.wait_closed()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


async def test_when_temporal_cannot_be_reached_nothing_is_done(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, nobody: str
) -> None:
    before = await bench.count()

    async with open_function("trigger", {**bench.environment, "TEMPORAL_ADDRESS": nobody}, monkeypatch) as trigger:
        sent = await trigger.post("/trigger", json=bench.new(), headers=TENANT)
        asked = await trigger.get(
            "/trigger", params={"workflowId": f"notification-processing/{bench.ours.enterprise_id}/1"}, headers=TENANT
        )

    for answer in (sent, asked):
        assert assert_problem(answer, 503, "dependency_unavailable")["dependency"] == "temporal"
        assert answer.headers["retry-after"] == "5"
    assert await bench.count() == before


async def test_a_row_made_while_temporal_goes_away_is_accepted_and_made_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = {**TENANT, "Idempotency-Key": "away"}
    async with Relay.to(bench.environment["TEMPORAL_ADDRESS"]) as relay:
        environment = {**bench.environment, "TEMPORAL_ADDRESS": relay.address}
        async with open_function("trigger", environment, monkeypatch) as trigger:
            await trigger.post("/trigger", json=bench.new(), headers=TENANT)
            await relay.cut()
            accepted = await trigger.post("/trigger", json=bench.new(), headers=headers)
    repeated = await bench.trigger.post("/trigger", json=bench.new(), headers=headers)

    assert accepted.status_code == 202
    (row_id,) = accepted.json()["notificationIds"]
    assert accepted.json() == {"success": True, "workflowId": None, "runId": None, "notificationIds": [row_id]}
    assert (await bench.row(row_id))["notification_status"] == "PENDING"
    assert repeated.status_code == 200
    assert repeated.json()["notificationIds"] == [row_id]


async def test_when_the_database_does_not_answer_the_caller_is_told(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, nobody: str
) -> None:
    environment = {**bench.environment, "NEXT_PUBLIC_SUPABASE_URL": f"http://{nobody}"}

    async with open_function("trigger", environment, monkeypatch) as trigger:
        answers = [
            await trigger.post("/trigger", json=body, headers=TENANT) for body in (bench.new(), {"notificationId": 1})
        ]

    for answer in answers:
        assert assert_problem(answer, 503, "dependency_unavailable")["dependency"] == "supabase"


async def test_when_nothing_comes_back_in_time_the_caller_is_told_that_nobody_knows(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, audit_log: list[Mapping[str, object]]
) -> None:
    held: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_server(lambda reader, writer: held.append(writer), "127.0.0.1", 0)
    host, port = silent.sockets[0].getsockname()
    environment = {**bench.environment, "NEXT_PUBLIC_SUPABASE_URL": f"http://{host}:{port}"}
    monkeypatch.setattr(endpoint, "DEADLINE_SECONDS", 0.5)

    async with silent, open_function("trigger", environment, monkeypatch) as trigger:
        answer = await trigger.post("/trigger", json=bench.new(), headers=TENANT)
    for writer in held:
        writer.close()
        await writer.wait_closed()

    assert_problem(answer, 503, "deadline_exceeded")
    assert (audit_log[-1]["outcome"], audit_log[-1]["caller"]) == ("not_answered", "tenant")
