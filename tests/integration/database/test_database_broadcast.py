"""Rings by realtime.send, in a database that Realtime has connected to: what is sent, and what harms nobody."""

import asyncio
from typing import Any

import pytest

from stack.edge.realtime.tenant import drop_todays_partition, prepare_tenant
from stack.postgres import SUPERUSER
from tests.integration.database.project import OURS, Project, call, insert_notification, insert_notifications

fresh = pytest.mark.parametrize("separate_project", ["fresh"], indirect=True)


async def _listen(project: Project, *ways: str) -> None:
    async with project.connect(SUPERUSER) as administrator:
        await prepare_tenant(administrator)
    async with project.connect() as connection:
        for way in ways:
            await call(connection, "sing", p_listener_id="listener", p_way=way)


async def _flaws(project: Project) -> list[str]:
    async with project.connect() as connection:
        answer: dict[str, Any] = await call(connection, "look_out_for", p_enterprise_ids=[], p_way="broadcast")
        return [flaw["what"] for flaw in answer["flaws"]]


@fresh
async def test_rings_and_beats_are_private_messages_and_a_listener_by_broadcast_rings_no_doorbell(
    separate_project: Project,
) -> None:
    await _listen(separate_project, "broadcast")
    async with separate_project.connect() as connection:
        row = await insert_notification(connection)
    async with separate_project.connect(SUPERUSER) as administrator:
        messages = await administrator.fetch(
            "select topic, event, payload, private from realtime.messages order by event"
        )
        assert await administrator.fetchval("select count(*) from notify.doorbell") == 0

    beat, ring = messages
    assert (beat["topic"], beat["payload"]["beat"], beat["private"]) == ("xnovu:beat:listener", 1, True)
    assert (ring["event"], ring["private"]) == ("ring", True)
    assert ring["topic"].startswith("xnovu:ring:")
    assert ring["payload"]["of"] == [{"enterprise_id": OURS, "due": [[3, [row]]]}]


@fresh
async def test_nobody_but_the_service_key_reads_what_is_rung(separate_project: Project) -> None:
    await _listen(separate_project, "broadcast")
    for role in ("anon", "authenticated"):
        async with separate_project.connect(role) as stranger:
            assert await stranger.fetch("select * from realtime.messages") == []
            await stranger.execute("select realtime.send('{}', 'ring', 'xnovu:ring:1', true)")  # a warning, no message
    async with separate_project.connect() as connection:
        assert len(await connection.fetch("select * from realtime.messages")) == 1, "the beat alone"


@fresh
async def test_a_writer_is_harmed_by_nothing_that_happens_to_broadcast_and_the_other_way_is_rung(
    separate_project: Project,
) -> None:
    """The lock is held until it has written: it would have it wait for ever."""
    await _listen(separate_project, "broadcast", "postgres_changes")
    async with (
        separate_project.connect() as writer,
        separate_project.connect(SUPERUSER) as other,
        asyncio.timeout(120),
    ):
        await insert_notification(writer)
        await writer.execute("set statement_timeout = '20s'")
        await other.execute("begin; lock table realtime.messages in access exclusive mode")
        await insert_notifications(writer, 3)
        await other.execute("rollback")
        await drop_todays_partition(other)
        await insert_notifications(writer, 3)
        await prepare_tenant(other)
        await other.execute("alter function realtime.send rename to sent")
        await insert_notifications(writer, 3)
        await other.execute("alter function realtime.sent rename to send")
        await other.execute("revoke usage on schema realtime from postgres")
        await insert_notifications(writer, 3)

        assert await writer.fetchval("select count(*) from notify.ent_notification") == 13
        assert await writer.fetchval("select count(*) from notify.doorbell where shard is not null") == 13


@fresh
async def test_what_keeps_broadcasts_from_being_sent_is_named(separate_project: Project) -> None:
    assert await _flaws(separate_project) == [
        "there is no function realtime.send: this Realtime sends no broadcasts from the database"
    ]
    await _listen(separate_project)
    assert await _flaws(separate_project) == []
    async with separate_project.connect(SUPERUSER) as administrator:
        await drop_todays_partition(administrator)
        assert await _flaws(separate_project) == ["realtime.messages has no partition for today: what is sent is lost"]
        await prepare_tenant(administrator)
        await administrator.execute("alter role postgres nobypassrls")
        try:
            [flaw] = await _flaws(separate_project)
            assert flaw == "row-level security keeps postgres, who owns the triggers, from sending"
        finally:
            await administrator.execute("alter role postgres bypassrls")
