"""`make bench-every-enterprise`: five thousand enterprises by DAEMON_ENTERPRISE_IDS=*.

What they cost while nothing happens, how soon a newcomer is served, and a thousand rules at the same minute.
"""

import asyncio
import json
import os
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil

from tests.benchmarks.memory import peak_megabytes
from tests.benchmarks.processes import cpu_seconds, pid
from tests.benchmarks.system import System, running_system
from tests.benchmarks.table import Line, show
from tests.benchmarks.temporal_cost import actions_of
from tests.benchmarks.waiting import wait_until

OUTPUT = Path("build/bench_every_enterprise.json")
ENTERPRISES = int(os.environ.get("XNOVU_BENCH_ENTERPRISES", "5000"))
AT_ONCE = min(1000, ENTERPRISES)
WINDOW_SECONDS = 60.0
NEWCOMERS = 10

_SEED = """
with workflow as (
    insert into notify.ent_notification_workflow (name, enterprise_id, publish_status, workflow_type, workflow_key)
    select 'hello', 'enterprise-' || n, 'PUBLISH', 'STATIC', 'hello-' || n from generate_series(1, $1) as n
    returning id, enterprise_id
)
insert into notify.ent_notification_rule
    (name, enterprise_id, publish_status, notification_workflow_id, trigger_type, trigger_config, rule_payload)
select 'some day', w.enterprise_id, 'PUBLISH', w.id, 'CRON', '{"cron": "0 0 29 2 *"}',
    '{"recipients": ["somebody"], "payload": {}}'
from workflow w
"""
_FIRED = "select count(*) from notify.ent_notification where name like 'rule %'"


async def measure(system: System, began: float) -> dict[str, float]:
    """Every figure, by its name in the JSON."""
    await wait_until(lambda: _is_everybody_heard(system), poll_seconds=0.2, within_seconds=300)
    heard_after = time.monotonic() - began
    await wait_until(lambda: _has_every_rule_been_read(system), poll_seconds=0.5, within_seconds=300)
    read_after = time.monotonic() - began
    await asyncio.sleep(20)
    idle = await _idle(system)
    newcomers = [await _newcomer(system, number) for number in range(NEWCOMERS)]
    return {
        "enterprises": ENTERPRISES,
        "heard_after_s": round(heard_after, 1),
        "every_rule_read_after_s": round(read_after, 1),
        **idle,
        "newcomer_first_row_s": round(max(newcomers), 2),
        **await _same_minute(system),
        "rss_mb_listener": round(peak_megabytes(pid(system.listener)), 1),
        "rss_mb_worker": round(peak_megabytes(pid(system.worker)), 1),
    }


async def _is_everybody_heard(system: System) -> bool:
    text = system.listener.log_file.read_text()
    return f'"enterprises": {ENTERPRISES}' in text and "subscription_subscribed" in text


async def _has_every_rule_been_read(system: System) -> bool:
    passes: int = await system.database.fetchval(
        "select count(*) from notify.scheduler_pass where scheduler = 'cron' and enterprise_id like 'enterprise-%'"
    )
    return passes >= ENTERPRISES


async def _idle(system: System) -> dict[str, float]:
    requests, cpu, since = await _requests(system), cpu_seconds(system), datetime.now(UTC)
    listener = psutil.Process(pid(system.listener))
    of_listener = sum(listener.cpu_times()[:2])
    await asyncio.sleep(WINDOW_SECONDS)
    used, until = cpu_seconds(system) - cpu, datetime.now(UTC)
    of_listener = sum(listener.cpu_times()[:2]) - of_listener
    made = await _requests(system) - requests
    actions = 0
    async for workflow in system.temporal.list_workflows():
        handle = system.temporal.get_workflow_handle(workflow.id, run_id=workflow.run_id)
        async for event in handle.fetch_history_events():
            if since <= event.event_time.ToDatetime(UTC) < until:
                actions += actions_of(event)
    return {
        "idle_cpu_percent": round(100 * used / WINDOW_SECONDS, 2),
        "idle_listener_cpu_percent": round(100 * of_listener / WINDOW_SECONDS, 2),
        "idle_statements_per_s": round(made.total() / WINDOW_SECONDS, 2),
        "idle_temporal_actions_per_minute": round(actions * 60 / WINDOW_SECONDS, 1),
    }


async def _requests(system: System) -> Counter[str]:
    response = await system.http.get(f"{system.stack.edge.url}/health")
    response.raise_for_status()
    return Counter(response.json()["rest_requests"])


async def _newcomer(system: System, number: int) -> float:
    """Seconds from the commit of an enterprise's first row until it is SENT."""
    row = await system.database.fetchval(
        """
        with workflow as (
            insert into notify.ent_notification_workflow
                (name, enterprise_id, publish_status, workflow_type, workflow_key)
            values ('hello', $1, 'PUBLISH', 'STATIC', $1) returning id, enterprise_id
        )
        insert into notify.ent_notification
            (name, enterprise_id, publish_status, notification_workflow_id, recipients, payload)
        select 'first', enterprise_id, 'PUBLISH', id, '{somebody}', '{}' from workflow returning id
        """,
        f"newcomer-{number}",
    )
    began = time.monotonic()

    async def is_sent() -> bool:
        status: str = await system.database.fetchval(
            "select notification_status::text from notify.ent_notification where id = $1", row
        )
        return status == "SENT"

    await wait_until(is_sent, poll_seconds=0.02, within_seconds=60)
    return time.monotonic() - began


async def _same_minute(system: System) -> dict[str, float]:
    """A rule of each of a thousand enterprises, all at the same minute."""
    at = (datetime.now(UTC) + timedelta(seconds=95)).replace(second=0, microsecond=0)
    await system.database.execute(
        """
        update notify.ent_notification_rule set trigger_config = $1::jsonb
        where enterprise_id in (select 'enterprise-' || n from generate_series(1, $2) as n)
        """,
        json.dumps({"cron": f"{at.minute} {at.hour} {at.day} {at.month} *"}),
        AT_ONCE,
    )

    async def are_sent() -> bool:
        sent: int = await system.database.fetchval(f"{_FIRED} and notification_status = 'SENT'")
        return sent >= AT_ONCE

    await wait_until(are_sent, poll_seconds=0.1, within_seconds=300)
    await asyncio.sleep(5)
    last = await system.database.fetchrow(
        """
        select max(created_at) as written, max(updated_at) as sent
        from notify.ent_notification where name like 'rule %'
        """
    )
    assert last is not None, "an aggregate has a row"
    return {
        "same_minute_last_written_s": round((last["written"] - at).total_seconds(), 2),
        "same_minute_last_sent_s": round((last["sent"] - at).total_seconds(), 2),
        "same_minute_rows": await system.database.fetchval(_FIRED),
        "same_minute_expected": AT_ONCE,
    }


def lines() -> list[Line]:
    """The table's lines, and what is asked of a figure."""
    return [
        Line("enterprises"),
        Line("heard_after_s", 60),
        Line("every_rule_read_after_s"),
        Line("idle_cpu_percent", 5),
        Line("idle_listener_cpu_percent"),
        Line("idle_statements_per_s", 1),
        Line("idle_temporal_actions_per_minute", 60),
        Line("newcomer_first_row_s", 5),
        Line("same_minute_last_written_s"),
        Line("same_minute_last_sent_s", 10),
        Line("same_minute_rows", AT_ONCE),
        Line("same_minute_expected"),
        Line("rss_mb_listener", 250),
        Line("rss_mb_worker"),
    ]


async def run() -> dict[str, float]:
    """On a system of its own."""
    with tempfile.TemporaryDirectory(prefix="xnovu-bench-") as directory:
        async with running_system(Path(directory), ["*"], seed=(_SEED, ENTERPRISES)) as system:
            return await measure(system, time.monotonic())


def main() -> None:
    """Measure, print, write."""
    figures = asyncio.run(run())
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps(figures, indent=2) + "\n")
    show(f"{ENTERPRISES} enterprises, DAEMON_ENTERPRISE_IDS=*", figures, lines())


if __name__ == "__main__":
    main()
