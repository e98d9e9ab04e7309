"""`python -m stack up`: everything answers, and nothing is left behind, whatever ends it."""

import asyncio
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import httpx
import psutil
import pytest
from temporalio.client import Client
from websockets.asyncio.client import connect

from stack.__main__ import environment_lines, json_object
from stack.local import LocalStack
from stack.processes import bound_command
from tests.integration.process_ends import assert_gone

PYTHON = Path(sys.executable).resolve().name
COMMAND = [sys.executable, "-m", "stack", "up"]


@contextmanager
def up(temporary: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """The command, with its temporary directories in `temporary`."""
    with subprocess.Popen(
        bound_command([*COMMAND, *options], signal.SIGTERM),
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


def next_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def service_headers(environment: Mapping[str, str]) -> dict[str, str]:
    key = environment["SUPABASE_SERVICE_ROLE_KEY"]
    return {"apikey": key, "Authorization": f"Bearer {key}", "Accept-Profile": "notify"}


async def test_the_database_answers_and_is_migrated(local_stack: Mapping[str, str]) -> None:
    connection = await asyncpg.connect(local_stack["XNOVU_STACK_POSTGRES_URL"])

    relation = await connection.fetchval("select to_regclass('notify.ent_notification')::text")

    await connection.close()
    assert relation == "notify.ent_notification"


async def test_rest_answers_the_service_key_and_refuses_the_public_one(local_stack: Mapping[str, str]) -> None:
    url = f"{local_stack['SUPABASE_URL']}/rest/v1/ent_notification?select=id&limit=1"
    headers = service_headers(local_stack)
    public_key = local_stack["SUPABASE_ANON_KEY"]

    async with httpx.AsyncClient() as http:
        served = await http.get(url, headers=headers)
        refused = await http.get(
            url, headers={**headers, "apikey": public_key, "Authorization": f"Bearer {public_key}"}
        )

    assert (served.status_code, refused.status_code) == (200, 401)


async def test_realtime_subscribes_and_rings(local_stack: Mapping[str, str]) -> None:
    address = local_stack["SUPABASE_URL"].replace("http://", "ws://") + "/realtime/v1/websocket"
    wanted = {"event": "INSERT", "schema": "notify", "table": "ent_notification", "filter": "name=eq.rings"}
    payload = {"config": {"postgres_changes": [wanted]}}
    join = {"topic": "realtime:stack", "event": "phx_join", "ref": "1", "join_ref": "1", "payload": payload}

    database = await asyncpg.connect(local_stack["XNOVU_STACK_POSTGRES_URL"])
    # Ours rings by a doorbell of its own; a project may publish its tables for itself.
    await database.execute("alter publication supabase_realtime add table notify.ent_notification")
    url = f"{address}?apikey={local_stack['SUPABASE_SERVICE_ROLE_KEY']}&vsn=1.0.0"
    async with asyncio.timeout(60), connect(url) as socket:
        await socket.send(json.dumps(join))
        frames = [json.loads(await socket.recv()) for _ in ("phx_reply", "system")]
        await database.execute(
            "insert into notify.ent_notification (name, payload, recipients) values ('rings', '{}', '{ada}')"
        )
        frames.append(json.loads(await socket.recv()))
    await database.execute("alter publication supabase_realtime drop table notify.ent_notification")
    await database.close()

    assert [frame["event"] for frame in frames] == ["phx_reply", "system", "postgres_changes"]
    assert frames[1]["payload"]["message"] == "Subscribed to PostgreSQL"


async def test_temporal_answers(local_stack: Mapping[str, str]) -> None:
    client = await Client.connect(local_stack["TEMPORAL_ADDRESS"], namespace=local_stack["TEMPORAL_NAMESPACE"])

    assert (await client.count_workflows("WorkflowType = 'Nobody'")).count == 0


async def test_the_novu_sink_knows_its_key(local_stack: Mapping[str, str]) -> None:
    url = f"{local_stack['NOVU_API_URL']}/v1/events/trigger"
    event = {"name": "welcome", "to": ["ada"], "payload": {}}

    async with httpx.AsyncClient() as http:
        refused = await http.post(url, json=event, headers={"Authorization": "ApiKey wrong"})
        accepted = await http.post(
            url, json=event, headers={"Authorization": f"ApiKey {local_stack['NOVU_SECRET_KEY']}"}
        )

    assert (refused.status_code, accepted.status_code) == (401, 201)


@pytest.mark.parametrize("name", ["XNOVU_STACK_TEMPORAL_UI_URL", "XNOVU_STACK_INBOX_URL"])
async def test_a_page_is_there_to_look_at(local_stack: Mapping[str, str], name: str) -> None:
    async with httpx.AsyncClient() as http:
        response = await http.get(local_stack[name])

    assert response.status_code == 200
    assert "text/html" in response.headers["content-type"]


def test_lines_and_json_say_the_same() -> None:
    environment = {"URL": "http://127.0.0.1:1/?a=b&c", "QUOTED": "it's $HOME", "EMPTY": ""}

    lines = environment_lines(environment).splitlines()

    assert json.loads(json_object(environment)) == environment
    assert dict(shlex.split(line)[0].split("=", 1) for line in lines) == environment


def test_a_stop_ends_every_process_and_removes_the_state(tmp_path: Path, local_stack: Mapping[str, str]) -> None:
    with up(tmp_path) as process:
        lines = [next_line(process) for _ in local_stack]
        family = psutil.Process(process.pid).children(recursive=True)
        assert list(tmp_path.iterdir()) != []

        process.terminate()
        rest, errors = process.communicate()

    assert (process.returncode, rest, errors) == (0, "", "")
    assert [line.partition("=")[0] for line in lines] == list(local_stack)
    assert_gone(family)
    assert list(tmp_path.iterdir()) == []


async def test_a_killed_stack_leaves_no_process_not_even_one_that_is_busy(tmp_path: Path) -> None:
    with up(tmp_path, "--json") as process:
        environment = json.loads(next_line(process))
        database = await asyncpg.connect(environment["XNOVU_STACK_POSTGRES_URL"])
        busy = psutil.Process(await database.fetchval("select pg_backend_pid()"))
        observer = await asyncpg.connect(environment["XNOVU_STACK_POSTGRES_URL"])
        query = asyncio.create_task(database.execute("do $$ begin loop null; end loop; end $$"))
        while await observer.fetchval("select state from pg_stat_activity where pid = $1", busy.pid) != "active":
            assert not query.done()
        family = psutil.Process(process.pid).children(recursive=True)
        assert {"temporal", "postgres", PYTHON} <= {Path(member.exe()).name for member in family}
        assert busy in family

        process.kill()
        process.wait()

    with pytest.raises(asyncpg.PostgresConnectionError):
        await query
    observer.terminate()
    assert_gone(family)


def test_a_stop_while_starting_leaves_nothing(tmp_path: Path) -> None:
    with up(tmp_path) as process:
        myself = psutil.Process(process.pid)
        while not (family := myself.children(recursive=True)):
            assert process.poll() is None

        process.terminate()
        lines, errors = process.communicate()

    assert (process.returncode, lines, errors) == (0, "", "")
    assert_gone(family)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_start_names_the_part_and_leaves_nothing(tmp_path: Path) -> None:
    migrations, temporary = tmp_path / "migrations", tmp_path / "temporary"
    migrations.mkdir()
    temporary.mkdir()
    (migrations / "20260101000000_broken.sql").write_text("select kitchen from nowhere")

    with up(temporary, "--migrations", str(migrations)) as process:
        lines, errors = process.communicate()

    assert (process.returncode, lines) == (1, "")
    assert errors.startswith("postgres: migration 20260101000000_broken.sql, line 1:")
    assert "Traceback" not in errors
    assert list(temporary.iterdir()) == []


async def test_a_named_state_directory_is_kept_with_its_rows(tmp_path: Path) -> None:
    for start in ("first", "second"):
        async with LocalStack(tmp_path) as stack:
            connection = await asyncpg.connect(stack.environment["XNOVU_STACK_POSTGRES_URL"])
            await connection.execute("create table if not exists starts (name text)")
            await connection.execute("insert into starts values ($1)", start)
            starts = await connection.fetch("select name from starts")
            await connection.close()

    assert [row["name"] for row in starts] == ["first", "second"]
    assert stack.process_ids == {}


async def test_each_part_can_be_killed_and_started_again() -> None:
    async with LocalStack() as stack:
        before = dict(stack.process_ids)

        for part in (stack.novu_sink, stack.temporal, stack.edge, stack.postgres):
            await part.kill()
            await part.start()

        after = dict(stack.process_ids)
        async with httpx.AsyncClient() as http:
            inbox = await http.get(stack.environment["XNOVU_STACK_INBOX_URL"])
    assert sorted(before) == sorted(after) == ["edge", "novu_sink", "postgres", "temporal"]
    assert all(before[name] != after[name] for name in before)
    assert inbox.status_code == 200
