"""Nothing personal stays behind on the road: not in Temporal, not in a log, not in a row's error, not on a terminal."""

import asyncio
import os
import sys
from collections.abc import Sequence

import pytest
from temporalio.client import Client

from tests.e2e import rows
from tests.e2e.logs import read_log
from tests.e2e.system import System

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.asyncio(loop_scope="session"),
]

PERSONAL = "zanzibar"
"""In every recipient, payload value and rendered text below, and nowhere else."""

SUBSCRIBER = f"{PERSONAL}-alone"
ALONE = {"recipients": [SUBSCRIBER], "payload": {"name": f"{PERSONAL} alone"}}


async def test_no_personal_data_stays_behind(system: System) -> None:
    refused, printed = await _send_what_the_database_refuses(system)
    ids = [*await _send_in_every_way(system), *await _send_through_faults(system), *refused]

    found = await rows.settled(system, ids)
    histories = await _histories(system, ids)

    assert {row.status for row in found.values()} == {"SENT", "FAILED"}
    assert any(PERSONAL in str(call["payload"].get("rendered")) for call in await system.sink_calls())
    errors = "".join(str(row.error) for row in found.values())
    assert "Novu refused the event" in errors
    assert PERSONAL not in errors.casefold()
    assert found[refused[0]].status == "FAILED"
    assert "outcome_refused" in printed
    assert PERSONAL not in printed
    assert any(b"notification_ids" in history for history in histories)
    assert any(b"outcome_refused" in history for history in histories)
    assert all(PERSONAL.encode() not in history.lower() for history in histories)
    for process in (system.listener, system.worker):
        assert read_log(process.log_file) != []
        assert PERSONAL not in process.log_file.read_text().casefold()
    beats = await rows.execute(system, "select string_agg(report::text, '') from notify.component_heartbeat")
    assert "listener" in beats
    assert PERSONAL not in beats.casefold()
    # Beyond histories: what Temporal keeps of heartbeats, memos and failed attempts, on disk as it writes it.
    kept = b"".join(file.read_bytes() for file in system.stack.temporal.directory.glob("*.sqlite*"))
    assert b"notification-processing/acme" in kept
    assert PERSONAL.encode() not in kept


async def _send_in_every_way(system: System) -> list[int]:
    """Alone and in a batch, static and rendered, sent and refused for every reason that sees the data."""
    acme = system.enterprises[0]
    greeting = await rows.insert_template(
        system,
        "acme",
        "acme-personal",
        f"<p>{PERSONAL} greetings, {{{{ name }}}}</p>",
        subject=f"{PERSONAL} {{{{ name }}}}",
    )
    rendered = await rows.insert_email_workflow(system, "acme", "acme-personal", greeting)
    await _let_novu_refuse(system, "acme-refused")
    refused = await rows.insert_email_workflow(system, "acme", "acme-refused", greeting)
    email = {**ALONE, "channels": ["EMAIL"]}
    alone = await rows.insert(system, "acme", {**email, "notification_workflow_id": rendered})
    await rows.settled(system, alone)
    batch = await rows.insert(
        system,
        "acme",
        *(
            {
                "notification_workflow_id": rendered if number % 2 else acme.static,
                "channels": ["EMAIL"],
                "recipients": [f"{PERSONAL}-{number}-{recipient}" for recipient in range(number + 1)],
                "payload": {"name": f"{PERSONAL} {number}"},
            }
            for number in range(50)
        ),
        {**email, "notification_workflow_id": refused},
        {**email, "notification_workflow_id": acme.broken_template},
        {**email, "notification_workflow_id": acme.undefined_variable},
        {**email, "notification_workflow_id": acme.static, "recipients": [f"{PERSONAL}-1", " "]},
        {**email, "notification_workflow_id": acme.static, "payload": [PERSONAL]},
        {**email, "notification_workflow_id": acme.static, "overrides": [PERSONAL]},
        {**email, "notification_workflow_id": acme.static, "payload": {PERSONAL: PERSONAL * 100_000}},
    )
    return [*alone, *batch]


async def _send_through_faults(system: System) -> list[int]:
    """A row that Novu fails twice before it takes it, so that attempts fail and are kept by Temporal."""
    initech = system.enterprises[2]
    await system.sink_faults({"kind": "server_error", "status": 500, "requests": 2, "workflow": "initech-welcome"})
    return await rows.insert(system, "initech", {**ALONE, "notification_workflow_id": initech.static})


async def _let_novu_refuse(system: System, workflow_key: str) -> None:
    """Novu answers 201 for this workflow, with an error that quotes the person, as they are and in disguise."""
    complaints = [
        f"subscriber {SUBSCRIBER} is unknown",
        f"{SUBSCRIBER.upper()} must be an email",
        f"payload.{PERSONAL} should not be empty",
        f"mailto:{SUBSCRIBER}%40example.org cannot be reached",
    ]
    await system.sink_faults({"kind": "event_status", "workflow": workflow_key, "error": complaints})


async def _send_what_the_database_refuses(system: System) -> tuple[list[int], str]:
    """A row that a constraint does not let be SENT, and what a person is told of it: PostgreSQL's message quotes the
    whole row.
    """
    table = "alter table notify.ent_notification"
    await rows.execute(
        system,
        f"{table} add constraint kept_from_sent check (name <> 'kept' or notification_status <> 'SENT') not valid",
    )
    globex = system.enterprises[1]
    ids = await rows.insert(system, "globex", {**ALONE, "name": "kept", "notification_workflow_id": globex.static})

    [row] = (await rows.settled(system, ids)).values()
    assert (row.error["code"], row.error["sqlstate"]) == ("outcome_refused", "23514")
    printed = await _trace(system, ids[0])
    await rows.execute(system, f"{table} drop constraint kept_from_sent")
    return ids, printed


async def _trace(system: System, notification_id: int) -> str:
    """All that `xnovu trace` prints."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", "trace", str(notification_id)),
        env={**os.environ, **system.environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return output.decode()


async def _histories(system: System, ids: Sequence[int]) -> list[bytes]:
    """Every workflow of the system as Temporal sends it, memos and search attributes too; those of `ids` ended."""
    temporal = await Client.connect(system.stack.temporal.address)
    for owner in await rows.owners(system, ids):
        await temporal.get_workflow_handle(owner).result()
    found = []
    async for execution in temporal.list_workflows():
        history = await temporal.get_workflow_handle(execution.id, run_id=execution.run_id).fetch_history()
        events = (event.SerializeToString() for event in history.events)
        found.append(b"".join([execution.raw_info.SerializeToString(), *events]))
    return found
