"""Setting telemetry up and ending it, each time in a process of its own: OpenTelemetry allows one set-up for each."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tests.otlp.receiver import receiving

pytestmark = pytest.mark.real_time

METADATA = {
    "project/project-id": "notifications",
    "instance/region": "projects/123/regions/europe-west1",
    "instance/id": "instance-7",
    "universe/universe-domain": "googleapis.com",
}


async def run(code: str, environment: Mapping[str, str]) -> list[str]:
    """What the program says; a warning fails it."""
    paths = os.pathsep.join(path for path in sys.path if path)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-W",
        "error",
        "-c",
        f"from shared import json_logs, telemetry\njson_logs.configure('info')\n{code}",
        env={"PATH": os.environ["PATH"], "PYTHONPATH": paths, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return out.decode().splitlines()


async def test_where_nothing_is_asked_for_nothing_is_loaded() -> None:
    [loaded, text] = await run(
        "import sys\n"
        "telemetry.start('xnovu-worker')\n"
        "with telemetry.span('unseen'): pass\n"
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'google.auth', 'prometheus'))])\n"
        "telemetry.stop()\n"
        "print(telemetry.prometheus_text())",
        {},
    )

    assert (loaded, text) == ("[]", "b''")


async def test_spans_and_metrics_arrive_with_who_sent_them_by_the_end_of_the_process() -> None:
    async with receiving() as receiver:
        await run(
            "telemetry.start('xnovu-worker')\n"
            "telemetry.start('xnovu-worker')\n"
            "with telemetry.span('seen'): pass\n"
            "telemetry.stop()",
            {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=test"},
        )

    assert [received.span.name for received in receiver.spans()] == ["seen"]
    assert {"process.memory.usage", "process.cpu.time"} <= {metric.name for metric in receiver.metrics()}
    [resource] = receiver.resources()
    assert resource["service.name"] == "xnovu-worker"
    assert resource["service.namespace"] == "xnovu"
    assert resource["deployment.environment"] == "test"
    assert resource["service.instance.id"]


async def test_prometheus_reads_what_nobody_sends() -> None:
    text = await run(
        "telemetry.start('xnovu-daemon', prometheus=True)\nprint(telemetry.prometheus_text().decode())", {}
    )

    [own] = [line for line in text if line.startswith("process_memory_usage_bytes") and '"own"' in line]
    assert float(own.rpartition(" ")[2]) > 2**20


async def test_where_only_metrics_are_read_a_trace_still_carries_what_travels_along_it() -> None:
    *_, said = await run(
        "telemetry.start('xnovu-daemon', prometheus=True)\n"
        "from opentelemetry import trace\n"
        "with telemetry.span('unseen') as current:\n"
        "    context = current.get_span_context()\n"
        "    print(context.is_valid, context.trace_flags.sampled, current.is_recording())\n"
        "telemetry.stop()",
        {},
    )

    assert said == "True False False"


async def test_what_is_held_can_be_sent_while_the_process_goes_on() -> None:
    async with receiving() as receiver:
        await run(
            "import os\n"
            "telemetry.start('xnovu-autoscale')\n"
            "with telemetry.span('sent early'): pass\n"
            "telemetry.flush()\n"
            "os._exit(0)",
            {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_BSP_SCHEDULE_DELAY": "3600000"},
        )

        assert "sent early" in [received.span.name for received in receiver.spans()]
        assert "process.memory.usage" in {metric.name for metric in receiver.metrics()}


@pytest.mark.parametrize(("ending", "at_least_seconds"), [("flush(0.5)", 0.5), ("stop()", 1.0)])
async def test_a_receiver_that_never_answers_holds_nobody_up(ending: str, at_least_seconds: float) -> None:
    """It would for an hour: that this ends at all, while what is held is still being sent, is the bound."""
    with deaf_server() as address:
        _, seconds, *sending = await run(
            "import os, threading, time\n"
            "telemetry.start('xnovu-autoscale')\n"
            "with telemetry.span('unsent'): pass\n"
            "began = time.monotonic()\n"
            f"telemetry.{ending}\n"
            "print(time.monotonic() - began)\n"
            "for thread in threading.enumerate(): print(thread.name)\n"
            "os.sys.stdout.flush()\n"
            "os._exit(0)",
            {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{address}", "OTEL_EXPORTER_OTLP_TIMEOUT": "3600"},
        )

    assert float(seconds) >= at_least_seconds
    assert [name for name in sending if "flush" in name or "shutdown" in name]


async def test_on_cloud_run_telemetry_goes_to_google_with_the_credentials_of_the_machine() -> None:
    async with receiving() as receiver, metadata_server() as host:
        lines = await run(
            "from shared.telemetry import google_cloud\n"
            f"google_cloud.OTLP_ENDPOINT = '{receiver.url}'\n"
            "telemetry.start('xnovu-listener')\n"
            "with telemetry.span('seen'): pass\n"
            "telemetry.stop()",
            {"CLOUD_RUN_WORKER_POOL": "listener", "GCE_METADATA_HOST": host, "GCE_METADATA_IP": host},
        )

    assert [received.span.name for received in receiver.spans()] == ["seen"], lines
    assert {headers["authorization"] for headers in receiver.headers} == {"Bearer a-token"}
    [resource] = receiver.resources()
    assert resource["gcp.project_id"] == "notifications"
    assert resource["cloud.region"] == "europe-west1"
    assert resource["service.instance.id"] == "instance-7"


async def test_without_googles_credentials_the_process_goes_on_and_says_so() -> None:
    lines = await run(
        "telemetry.start('xnovu-listener')\nwith telemetry.span('unsent'): pass\ntelemetry.stop()",
        {
            "CLOUD_RUN_WORKER_POOL": "listener",
            "GCE_METADATA_HOST": "127.0.0.1:1",
            "GOOGLE_CLOUD_PROJECT": "notifications",
            "NO_GCE_CHECK": "true",
            "GOOGLE_APPLICATION_CREDENTIALS": "/nowhere.json",
        },
    )

    assert any('"telemetry_unavailable"' in line for line in lines)


@contextmanager
def deaf_server() -> Iterator[str]:
    """Takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


@asynccontextmanager
async def metadata_server() -> AsyncIterator[str]:
    """What Google Cloud's machines ask who they are."""

    async def answer(request: Request) -> Response:
        assert request.headers["metadata-flavor"] == "Google"
        path = request.path_params["path"]
        headers = {"Metadata-Flavor": "Google"}
        if path.endswith("/token"):
            token = {"access_token": "a-token", "expires_in": 3600, "token_type": "Bearer"}
            return JSONResponse(token, headers=headers)
        if path.startswith("instance/service-accounts/"):
            return JSONResponse({"email": "listener@notifications", "scopes": [], "aliases": []}, headers=headers)
        return PlainTextResponse(METADATA.get(path, ""), 200 if path in METADATA else 404, headers=headers)

    async def greet(request: Request) -> Response:
        return Response(headers={"Metadata-Flavor": "Google"})

    listening = socket.create_server(("127.0.0.1", 0))
    app = Starlette(routes=[Route("/computeMetadata/v1/{path:path}", answer), Route("/", greet)])
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    serving = asyncio.create_task(server.serve([listening]))
    try:
        yield f"127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving
        listening.close()
