"""A sink that is killed goes on where it was: what it took is delivered, and nothing is delivered again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract.novu.events import event_body
from tests.contract.novu.made import ADA, make, messages, step
from tests.contract.novu.sink_process import SECRET_KEY, SinkProcess


@contextmanager
def _sink(record: Path, **settings: Any) -> Iterator[SinkProcess]:
    with SinkProcess.started("--record", str(record), "--settings", json.dumps(settings)) as sink:
        yield sink
        sink.process.kill()
        sink.process.wait(10)


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return tmp_path / "novu.record"


def _api(sink: SinkProcess) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=sink.url, headers={"Authorization": f"ApiKey {SECRET_KEY}"})


async def test_everything_that_novu_keeps_is_there_again(record: Path) -> None:
    refused = {"provider_faults": [{"channel": "sms"}]}
    with _sink(record, **refused) as sink:
        async with _api(sink) as api:
            await make(api, step("sms", body="{{ payload.n }}"), step("in_app", body="a"))
            await make(api, workflow_id="deleted")
            await api.delete("/v2/workflows/deleted")
            await api.post("/v2/subscribers", json=ADA)
            await api.post("/v1/events/trigger", json=event_body(name="made"))
            before = sink.truth()["people"]
            workflow = (await api.get("/v2/workflows/made")).json()
            environments = [sink.environment(name)["id"] for name in ("Development", "Production")]

    with _sink(record) as sink:
        async with _api(sink) as api:
            after = sink.truth()["people"]
            await api.post("/v1/events/trigger", json=event_body(name="made"))

            assert (await api.get("/v2/workflows/made")).json() == workflow
            assert (await api.get("/v2/workflows/deleted")).status_code == 404
            assert (await api.get("/v2/subscribers/ada")).json()["data"]["phone"] == ADA["phone"]
            assert [sink.environment(name)["id"] for name in ("Development", "Production")] == environments
            assert after == before == sink.truth()["people"]
            assert len(sink.truth()["dropped"]) == 1
            assert {one["channel"]: one["status"] for one in await messages(api)} == {"sms": "error", "in_app": "sent"}


async def test_what_was_queued_is_delivered_by_the_next_one(record: Path) -> None:
    with _sink(record, worker={"delay_seconds": [3600, 3600]}) as sink:
        sink.make_workflows("welcome")
        async with _api(sink) as api:
            await api.post("/v1/events/trigger", json=event_body("waits-an-hour"))
            sink.settings(worker={"delay_seconds": [0.5, 0.5]})
            await api.post("/v1/events/trigger", json=event_body("waits-a-moment"))

    with _sink(record) as sink:
        while not sink.client.get("/_sink/truth").json()["sent"]:
            pass

        assert [one["event"] for one in sink.client.get("/_sink/truth").json()["people"] if one.get("sent")] == [
            "waits-a-moment"
        ]
        assert sink.summary()["waiting"] == 1


async def test_a_reset_is_remembered_too(record: Path) -> None:
    with _sink(record) as sink:
        sink.make_workflows("welcome")
        identity = sink.environment("Development")
        sink.reset()

    with _sink(record) as sink:
        async with _api(sink) as api:
            assert (await api.get("/v2/workflows/welcome")).status_code == 404
        assert sink.environment("Development") == identity


def test_a_file_that_is_no_record_is_refused(record: Path) -> None:
    record.write_text("not a record\n")

    with pytest.raises(httpx.TransportError), SinkProcess.started("--record", str(record)):
        pass


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(httpx.TransportError), SinkProcess.started("--settings", '{"generation": "2023"}'):
        pass
