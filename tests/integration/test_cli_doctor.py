"""`xnovu doctor`: silent where all is well, and a line for each thing that is not."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from cli.doctor.command import CHECKS
from cli.doctor.realtime import check_realtime
from stack.local import LocalStack

HARMLESS = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}

NOWHERE = "127.0.0.1:1"


async def doctor(environment: Mapping[str, str], *arguments: str) -> tuple[int | None, str]:
    """The exit code, and all that was said."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", "doctor", *arguments),
        env=HARMLESS | dict(environment),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode, output.decode()


async def findings(environment: Mapping[str, str]) -> dict[str, Any]:
    code, output = await doctor(environment, "--json")
    answer: dict[str, Any] = json.loads(output)
    assert code == (1 if answer["problems"] else 0)
    return answer


@pytest.fixture
def environment(local_stack: Mapping[str, str]) -> dict[str, str]:
    return {**local_stack, "DAEMON_ENTERPRISE_IDS": "acme"}


async def test_it_is_silent_when_all_is_well(environment: Mapping[str, str]) -> None:
    assert await doctor(environment) == (0, "")


@pytest.mark.parametrize("check", [check.name for check in CHECKS])
async def test_each_check_is_a_command_of_its_own_and_silent_too(environment: Mapping[str, str], check: str) -> None:
    assert await doctor(environment, check) == (0, "")


@pytest.mark.parametrize(
    ("change", "check", "said"),
    [
        ({"TEMPORAL_ADDRESS": NOWHERE}, "network", f"{NOWHERE} cannot be reached"),
        ({"TEMPORAL_ADDRESS": "nowhere.invalid:7233"}, "network", "nowhere.invalid does not resolve"),
        ({"NEXT_PUBLIC_SUPABASE_URL": f"http://{NOWHERE}"}, "network", f"{NOWHERE} cannot be reached"),
        ({"TEMPORAL_TLS": "true"}, "network", "does not speak TLS"),
        ({"TEMPORAL_NAMESPACE": "nowhere"}, "temporal", "nowhere is not found"),
        ({"SUPABASE_SERVICE_ROLE_KEY": "sb_secret_wrong"}, "supabase", "self_check"),
        ({"NOVU_SECRET_KEY": "a-wrong-key"}, "novu", "HTTP 401"),
        ({"DAEMON_HEALTH_PORT": "none"}, "settings", "DAEMON_HEALTH_PORT"),
    ],
)
async def test_one_thing_wrong_is_one_line_with_a_hint(
    environment: Mapping[str, str], change: Mapping[str, str], check: str, said: str
) -> None:
    wrong = {**environment, **change}

    code, output = await doctor(wrong)

    [line] = [line for line in output.splitlines() if not line.startswith("Not tried")]
    assert code == 1
    assert line.startswith(f"{check}: ")
    assert said in line
    assert " Hint: " in line
    assert not any(wrong[name] in output for name in ("SUPABASE_SERVICE_ROLE_KEY", "NOVU_SECRET_KEY"))


async def test_the_anonymous_key_is_recognised_as_not_the_service_role_s(environment: Mapping[str, str]) -> None:
    wrong = {**environment, "SUPABASE_SERVICE_ROLE_KEY": environment["SUPABASE_ANON_KEY"]}

    answer = await findings(wrong)

    [problem] = answer["problems"]
    assert (problem["check"], answer["skipped"]) == ("supabase", ["publication", "clock", "realtime", "workflows"])
    assert "not the service role's" in problem["hint"]


async def test_without_settings_each_is_named_once_and_the_rest_is_left_out() -> None:
    answer = await findings({})

    assert {problem["check"] for problem in answer["problems"]} == {"settings"}
    named = [problem["message"].partition(":")[0] for problem in answer["problems"]]
    assert sorted(named) == [
        "DAEMON_ENTERPRISE_IDS",
        "NEXT_PUBLIC_SUPABASE_URL",
        "NOVU_SECRET_KEY",
        "SUPABASE_SERVICE_ROLE_KEY",
        "TEMPORAL_ADDRESS",
    ]
    assert answer["skipped"] == ["temporal", "supabase", "publication", "clock", "realtime", "novu", "workflows"]


async def test_damage_to_the_database_and_a_deaf_realtime_are_found() -> None:
    async with LocalStack() as stack:
        environment = {**stack.environment, "DAEMON_ENTERPRISE_IDS": "acme"}
        connection = await asyncpg.connect(environment["XNOVU_STACK_POSTGRES_URL"])
        try:
            await connection.execute("grant select on notify.ent_notification to anon")
            _, exposed = await doctor(environment, "supabase")
            await connection.execute("revoke select on notify.ent_notification from anon")
            await connection.execute("drop function notify.unaccounted")
            older = await findings(environment)
            await connection.execute("alter publication supabase_realtime drop table notify.doorbell")
            _, unpublished = await doctor(environment, "publication")
            code, unheard = await doctor(environment, "realtime")
        finally:
            await connection.close()

    assert exposed.startswith("supabase: anon or authenticated may use table ent_notification. Hint: ")
    assert [problem["message"] for problem in older["problems"]] == ["the schema lacks unaccounted"]
    assert "notify.doorbell is not in publication" in unpublished
    assert code == 1
    assert unheard.startswith("realtime: Realtime does not confirm the listener's subscription")


@pytest.mark.parametrize(("ahead", "said"), [("1 minute", "60.0 s behind"), ("-1 minute", "60.0 s ahead of")])
async def test_clocks_that_disagree_are_found(ahead: str, said: str) -> None:
    async with LocalStack() as stack:
        environment = {**stack.environment, "DAEMON_ENTERPRISE_IDS": "acme"}
        connection = await asyncpg.connect(environment["XNOVU_STACK_POSTGRES_URL"])
        try:
            await connection.execute("alter function notify.self_check rename to self_check_by_the_true_clock")
            await connection.execute(
                "create function notify.self_check() returns jsonb language sql security definer as $$"
                " select jsonb_set(notify.self_check_by_the_true_clock(), '{now}',"
                f" to_jsonb(clock_timestamp() + interval '{ahead}')) $$"
            )
            await connection.execute("notify pgrst, 'reload schema'")
            code, output = await doctor(environment, "clock")
        finally:
            await connection.close()

    assert code == 1
    assert f"clock: this machine's clock is {said} the database's" in output


async def test_time_zone_data_that_cannot_be_read_are_found(tmp_path: Path) -> None:
    (tmp_path / "tzdata").mkdir()
    (tmp_path / "tzdata" / "__init__.py").touch()  # in front of the real package, and empty

    code, output = await doctor({"PYTHONPATH": str(tmp_path)}, "timezones")

    assert code == 1
    assert output.startswith("timezones: time-zone data cannot be read: FileNotFoundError")
    assert "Traceback" not in output


async def test_a_probe_that_does_not_come_back_is_found() -> None:
    async with LocalStack() as stack, httpx.AsyncClient(base_url=stack.edge.url) as edge:
        (await edge.post("/_faults/lose_events", json={"seconds": 60})).raise_for_status()

        code, output = await doctor({**stack.environment, "DAEMON_ENTERPRISE_IDS": "acme"}, "realtime")

    assert (code, "subscribed by broadcast, but a beat" in output) == (1, True)


async def test_what_is_wrong_with_the_project_s_realtime_is_named_with_what_to_do(
    local_stack: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**local_stack, "DAEMON_ENTERPRISE_IDS": "acme,globex,initech"}.items():
        monkeypatch.setenv(name, value)
    found = {}
    async with httpx.AsyncClient(base_url=local_stack["XNOVU_STACK_EDGE_URL"]) as edge:
        for name, fault, order in (
            ("suspended", "tenant", {"becomes": "suspended"}),
            ("deleted", "tenant", {"becomes": "deleted"}),
            ("changed", "tenant", {"becomes": "changed"}),
            ("crowded", "refuse_handshakes", {"status": 429, "body": '{"error":"Too many connected users"}'}),
            ("poller gone", "poller_gives_up", {}),
        ):
            (await edge.post(f"/_faults/{fault}", json=order)).raise_for_status()
            found[name] = await check_realtime()
            (await edge.delete("/_faults")).raise_for_status()
    assert await check_realtime() == []

    for name, said in {
        "suspended": "Realtime is switched off for this project",
        "deleted": "check NEXT_PUBLIC_SUPABASE_URL",
        "changed": "SUPABASE_SERVICE_ROLE_KEY is of another project",
        "crowded": "a limit of the project's Realtime is reached",
        "poller gone": "a transaction that stays open",
    }.items():
        [problem] = found[name]
        assert said in f"{problem.message} {problem.hint}", name
