"""Every key and certificate is replaced under load, and the old one withdrawn: no process restarts, no row fails.

`make soak-rotation` does so for five minutes, at 50 rows a second.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator, Sized
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from stack.local import FORGIVING_NOVU, LocalStack
from stack.supabase_keys import api_key
from tests.e2e import rows
from tests.e2e.certificates import Authority, Issued
from tests.e2e.logs import events
from tests.e2e.system import PATIENCE_SECONDS, SHORT_TIMES, System, eventually
from tests.e2e.temporal_gate import TemporalGate, gate_before

SECONDS = float(os.environ.get("XNOVU_ROTATION_SECONDS", "10"))
ROWS_PER_SECOND = float(os.environ.get("XNOVU_ROTATION_ROWS_PER_SECOND", "10"))
ROWS = round(SECONDS * ROWS_PER_SECOND)
PORTION_EVERY_SECONDS = 0.5
SETTLED_WITHIN_SECONDS = 120.0 + SECONDS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(SECONDS * 2 + 600), pytest.mark.asyncio(loop_scope="module")]


@dataclass(frozen=True, slots=True)
class Deployment:
    """A system whose secrets are files, and who believes them."""

    system: System
    gate: TemporalGate
    authority: Authority
    directory: Path

    def put(self, name: str, secret: str) -> None:
        """Into its file, at one stroke, as a volume of secrets changes."""
        _put(self.directory, name, secret)

    def put_certificate(self, issued: Issued) -> None:
        """Both its files at one stroke."""
        _put_certificate(self.directory, issued)

    def read(self, name: str) -> str:
        return (self.directory / name).read_text()

    async def logged(self, event: str, times: int, *, by: tuple[str, ...] = ("listener", "worker")) -> None:
        """Until each of them has logged this event so many times."""

        async def is_so() -> bool:
            logs = {"listener": self.system.listener.log_file, "worker": self.system.worker.log_file}
            return all(len(events(logs[part], event)) >= times for part in by)

        await eventually(is_so, what=f"{event}, {times} times, by {by}")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def deployment(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Deployment]:
    directory = tmp_path_factory.mktemp("rotation")
    authority = Authority()
    async with (
        LocalStack(directory / "stack", novu_settings=FORGIVING_NOVU) as stack,
        gate_before(stack.environment["TEMPORAL_ADDRESS"], authority) as gate,
    ):
        kept = directory / "secrets"
        kept.mkdir()
        (kept / "ca.pem").write_bytes(authority.certificate)
        first = authority.issue("127.0.0.1")
        _put_certificate(kept, first)
        for name in ("SUPABASE_SERVICE_ROLE_KEY", "NOVU_SECRET_KEY"):
            _put(kept, name, stack.environment[name])
        _put(kept, "TEMPORAL_API_KEY", secrets.token_hex(16))
        gate.api_keys, gate.certificates = {(kept / "TEMPORAL_API_KEY").read_text()}, {first.certificate.strip()}
        system = System(stack, directory, _settings(kept, gate.port))
        try:
            await system.seed()
            await asyncio.gather(system.start_listener(), system.start_worker())
            await _is_delivering(system)  # with what it has: what comes at the start is no replacement
            yield Deployment(system, gate, authority, kept)
        finally:
            await system.stop()


async def test_every_secret_is_replaced_under_load_and_nothing_fails(deployment: Deployment) -> None:
    system, gate = deployment.system, deployment.gate
    process_ids = (system.listener.pid, system.worker.pid)

    ids: list[int] = []
    writing = asyncio.create_task(_write(system, ids))
    former = {}
    for number, rotate in enumerate((_rotate_supabase, _rotate_novu, _rotate_temporal_key, _rotate_certificate), 1):
        await _until_written(ids, ROWS * number / 5)
        former[rotate] = await rotate(deployment)
    await writing
    ids += await rows.insert(system, "acme", {"notification_workflow_id": system.enterprises[0].static})
    found = await rows.settled(system, ids, within=SETTLED_WITHIN_SECONDS)

    assert {row.status for row in found.values()} == {"SENT"}
    assert len(found) == ROWS + 1
    deliveries = await system.deliveries()
    assert {deliveries[row.transaction_id] for row in found.values() if row.transaction_id} == {1}
    assert (system.listener.pid, system.worker.pid) == process_ids
    # What was replaced opens no door any more.
    assert await _status_at_edge(system, former[_rotate_supabase]) == 401
    assert await _status_at_novu(system, former[_rotate_novu]) == 401
    assert former[_rotate_temporal_key] not in gate.api_keys
    for log_file in (system.listener.log_file, system.worker.log_file):
        assert events(log_file, "key_refused") == events(log_file, "temporal_access_refused") == []


async def test_a_wrong_new_key_is_told_of_and_the_old_one_goes_on(deployment: Deployment) -> None:
    system = deployment.system
    good = {name: deployment.read(name) for name in ("NOVU_SECRET_KEY", "TEMPORAL_API_KEY")}

    for name in good:
        deployment.put(name, "mistaken")
    await deployment.logged("temporal_access_refused", 1)
    ids = await rows.insert(system, "acme", *[{"notification_workflow_id": system.enterprises[0].static}] * 5)
    found = await rows.settled(system, ids)
    await deployment.logged("key_refused", 1, by=("worker",))
    await eventually(lambda: _is_told(system, "NOVU_SECRET_KEY", "access to Temporal"), what="both are failing parts")

    assert {row.status for row in found.values()} == {"SENT"}

    for name, secret in good.items():
        deployment.put(name, secret)
    ids = await rows.insert(system, "acme", *[{"notification_workflow_id": system.enterprises[0].static}] * 5)
    assert {row.status for row in (await rows.settled(system, ids)).values()} == {"SENT"}


async def _rotate_supabase(deployment: Deployment) -> str:
    """A second key beside the first, and the first is deleted once the second is used."""
    system = deployment.system
    old = deployment.read("SUPABASE_SERVICE_ROLE_KEY")
    new = api_key("service_role", system.environment["SUPABASE_JWT_SECRET"], int(time.time()))
    deployment.put("SUPABASE_SERVICE_ROLE_KEY", new)
    await deployment.logged("key_taken_up", 1)
    await system.edge_fault("revoke_key", key=old)
    return old


async def _rotate_novu(deployment: Deployment) -> str:
    """Novu replaces a key at one stroke: for a moment the worker has none that Novu believes."""
    old, new = deployment.read("NOVU_SECRET_KEY"), secrets.token_hex(16)
    await deployment.system.sink_settings(api_keys=[new])
    deployment.put("NOVU_SECRET_KEY", new)
    await deployment.logged("key_taken_up", 2, by=("worker",))
    return old


async def _rotate_temporal_key(deployment: Deployment) -> str:
    old, new = deployment.read("TEMPORAL_API_KEY"), secrets.token_hex(16)
    deployment.gate.api_keys.add(new)
    deployment.put("TEMPORAL_API_KEY", new)
    await deployment.logged("temporal_access_taken_up", 1)
    await _calls_under_way_end()
    deployment.gate.api_keys.discard(old)
    return old


async def _rotate_certificate(deployment: Deployment) -> str:
    gate = deployment.gate
    [old] = gate.certificates
    new = deployment.authority.issue("127.0.0.1")
    gate.certificates.add(new.certificate.strip())
    deployment.put_certificate(new)
    await deployment.logged("temporal_access_taken_up", 2)
    await _calls_under_way_end()
    gate.certificates.discard(old)
    return old.decode()


async def _calls_under_way_end() -> None:
    """A moment for those that were sent with the old one; polls were let in when they came."""
    await asyncio.sleep(0.5)


async def _write(system: System, ids: list[int]) -> None:
    """All rows at the rate, or as fast as the machine writes them; their ids as they come."""
    portion = max(1, round(ROWS_PER_SECOND * PORTION_EVERY_SECONDS))
    while len(ids) < ROWS:
        began = time.monotonic()
        ids += await system.insert(min(portion, ROWS - len(ids)))
        await asyncio.sleep(max(0.0, PORTION_EVERY_SECONDS - (time.monotonic() - began)))


async def _until_written(ids: Sized, rows_written: float) -> None:
    async def are_written() -> bool:
        return len(ids) >= rows_written

    await eventually(are_written, within=SECONDS + PATIENCE_SECONDS, what=f"{rows_written:.0f} rows are written")


async def _is_delivering(system: System) -> None:
    await rows.settled(system, await system.insert(3))


async def _status_at_edge(system: System, key: str) -> int:
    headers = {"apikey": key, "Authorization": f"Bearer {key}", "Accept-Profile": "notify"}
    return (await system.edge.get("/rest/v1/ent_notification?limit=1", headers=headers)).status_code


async def _status_at_novu(system: System, key: str) -> int:
    async with httpx.AsyncClient(base_url=system.environment["NOVU_API_URL"]) as client:
        return (await client.get("/v1/notifications", headers={"Authorization": f"ApiKey {key}"})).status_code


async def _is_told(system: System, *parts: str) -> bool:
    told = await rows.execute(system, "select string_agg(h::text, ' ') from notify.component_heartbeat h")
    return all(part in (told or "") for part in parts)


def _settings(kept: Path, port: int) -> dict[str, str]:
    files = {
        f"{name}_FILE": str(kept / name)
        for name in ("SUPABASE_SERVICE_ROLE_KEY", "NOVU_SECRET_KEY", "TEMPORAL_API_KEY")
    }
    return {
        **SHORT_TIMES,
        **files,
        "SUPABASE_SERVICE_ROLE_KEY": "",
        "NOVU_SECRET_KEY": "",
        "TEMPORAL_ADDRESS": f"127.0.0.1:{port}",
        "TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(kept / "ca.pem"),
        "TEMPORAL_TLS_CLIENT_CERT_PATH": str(kept / "client" / "certificate.pem"),
        "TEMPORAL_TLS_CLIENT_KEY_PATH": str(kept / "client" / "key.pem"),
        "SECRET_FILES_LOOK_SECONDS": "0.5",
    }


def _put(directory: Path, name: str, secret: str) -> None:
    being_written = directory / f"{name}.new"
    being_written.write_text(secret)
    being_written.replace(directory / name)


def _put_certificate(directory: Path, issued: Issued) -> None:
    """Behind a link, which is put in the place of the former."""
    behind = directory / f"client-{secrets.token_hex(4)}"
    behind.mkdir()
    (behind / "certificate.pem").write_bytes(issued.certificate)
    (behind / "key.pem").write_bytes(issued.key)
    link = directory / "client.new"
    link.symlink_to(behind, target_is_directory=True)
    link.replace(directory / "client")
