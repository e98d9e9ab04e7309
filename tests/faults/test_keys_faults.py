"""Every await of what takes up new keys meets a foreign exception in turn: they are taken up all the same."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.protobuf.message import Message
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.service import ConnectConfig, ServiceClient

from shared.key_watch import watching
from shared.keys import Key, novu_auth
from shared.supervision import Supervisor
from shared.temporal.access import TemporalAccess
from shared.temporal.replaceable import replaceable
from tests.faults.await_points import await_points
from tests.faults.scenes import fail_each_once

POINTS = [
    *await_points("shared.keys", "shared.temporal.access", "shared.temporal.replaceable"),
    *(point for point in await_points("shared.temporal.client") if point.function == "connect_anew"),
]
LOOK_SECONDS = 0.001

Scene = Callable[[Path, Supervisor], Coroutine[Any, Any, None]]


class Connection(ServiceClient):
    """Answers each call with nothing in particular."""

    def __init__(self) -> None:
        super().__init__(ConnectConfig("temporal.example:7233"))
        self.calls = 0

    @property
    def worker_service_client(self) -> Any:
        raise NotImplementedError

    def update_rpc_metadata(self, metadata: object) -> None:
        raise NotImplementedError

    def update_api_key(self, api_key: str | None) -> None:
        raise NotImplementedError

    async def _rpc_call(self, rpc: str, req: Message, resp_type: type[Any], **_: object) -> Any:
        self.calls += 1
        return resp_type()


async def a_key_is_replaced(directory: Path, parts: Supervisor) -> None:
    """In its file first, and the former one ends; by requests that go on."""
    file = directory / "key"
    _put(file, "old")
    key = Key("NOVU_SECRET_KEY", "old", file)
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers["authorization"])
        return httpx.Response(200 if asked[-1] == f"ApiKey {file.read_text()}" else 401)

    async with httpx.AsyncClient(auth=novu_auth(key), transport=httpx.MockTransport(answer)) as client:

        async def request() -> None:
            assert (await client.get("http://novu.example/")).status_code == 200

        _put(file, "of-the-refusal")
        await parts.keep("requests", request)
        with watching(parts, [key], LOOK_SECONDS):
            _put(file, "of-the-look")
            await _until(lambda: key.current == "of-the-look")
            await parts.keep("requests", request)

    assert asked[-1] == "ApiKey of-the-look"


async def a_connection_is_replaced(_: Path, parts: Supervisor) -> None:
    """By one that is made with what is there now; calls go on."""
    wanted: dict[str, Any] = {"api_key": "old"}
    client, told = replaceable(Client(Connection())), asyncio.Event()

    async def call() -> None:
        await client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(), retry=False, timeout=timedelta(seconds=1)
        )

    access = TemporalAccess(client, wanted, load=lambda: dict(wanted), on_replaced=told.set)
    await parts.keep("calls", call)
    with watching(parts, [access], LOOK_SECONDS):
        wanted["api_key"] = "new"
        await asyncio.wait_for(told.wait(), 5)
        await parts.keep("calls", call)


def test_an_await_that_fails_loses_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def connect(*_: object, **__: object) -> Client:
        return Client(Connection())

    monkeypatch.setattr(Client, "connect", connect)

    def play(scene: Scene) -> list[tuple[int, str]]:
        parts = Supervisor(first_backoff_seconds=LOOK_SECONDS)
        asyncio.run(scene(tmp_path, parts))
        return [(part.faults, part.last_fault) for part in parts.failing()]

    fail_each_once(POINTS, [a_key_is_replaced, a_connection_is_replaced], play)


def _put(file: Path, text: str) -> None:
    being_written = file.with_suffix(".new")
    being_written.write_text(text)
    being_written.replace(file)


async def _until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not is_so():  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(LOOK_SECONDS)
