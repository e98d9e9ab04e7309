"""Listeners share shards: what is given up is heard by somebody, whoever asks at the same time."""

import asyncio
from collections.abc import Collection
from typing import Any

import pytest

from stack.postgres import SUPERUSER
from tests.integration.database.project import Connection, Project, call

fresh = pytest.mark.parametrize("separate_project", ["fresh"], indirect=True)
ALIVE_SECONDS = 12.0


async def _share(
    connection: Connection, listener: str, hears: Collection[int], gives: Collection[int] = (), deployment: str = "ours"
) -> Any:
    return await call(
        connection,
        "share_shards",
        p_listener_id=listener,
        p_deployment=deployment,
        p_hears=sorted(hears),
        p_gives=sorted(gives),
        p_alive_seconds=ALIVE_SECONDS,
    )


@fresh
async def test_a_shard_is_given_up_only_to_one_of_the_same_deployment_that_hears_it(separate_project: Project) -> None:
    async with separate_project.connect() as connection:
        await _share(connection, "a", {1, 2, 3})
        await _share(connection, "b", set())
        await _share(connection, "stranger", {1, 2, 3}, deployment="theirs")
        assert (await _share(connection, "a", {1, 2, 3}, {2, 3}))["given"] == []

        await _share(connection, "b", {2})
        answer = await _share(connection, "a", {1, 2, 3}, {2, 3})

        assert answer == {"given": [2], "listeners": {"a": [1, 3], "b": [2]}}


@fresh
async def test_two_that_give_each_other_the_same_at_once_do_not_both_lose_it(separate_project: Project) -> None:
    async with separate_project.connect() as first, separate_project.connect() as second:
        for _ in range(2):
            for connection, listener in ((first, "a"), (second, "b")):
                await _share(connection, listener, {1})
        for _ in range(50):
            answers = await asyncio.gather(_share(first, "a", {1}, {1}), _share(second, "b", {1}, {1}))

            assert sorted(answer["given"] for answer in answers) == [[], [1]]


@fresh
async def test_what_one_said_who_may_have_died_since_is_worth_nothing_to_one_who_came_later(
    separate_project: Project,
) -> None:
    async with separate_project.connect() as connection:
        await _share(connection, "dead", {1})
        await _share(connection, "a", {1})
        assert (await _share(connection, "a", {1}, {1}))["given"] == []

        await _share(connection, "dead", {1})

        assert (await _share(connection, "a", {1}, {1}))["given"] == [1]


@fresh
async def test_who_is_not_seen_any_more_or_has_left_is_gone(separate_project: Project) -> None:
    async with separate_project.connect() as connection:
        for listener in ("a", "silent", "left"):
            await _share(connection, listener, {1})
        await connection.execute(
            "update notify.listener_share set seen_at = seen_at - interval '13 seconds' where listener_id = 'silent'"
        )

        assert await call(connection, "leave_shards", p_listener_id="left") == {"left": True}
        assert await call(connection, "leave_shards", p_listener_id="left") == {"left": False}
        assert (await _share(connection, "a", {1}))["listeners"] == {"a": [1]}


@fresh
async def test_nobody_else_may_say_anything_of_shares(separate_project: Project) -> None:
    async with separate_project.connect(SUPERUSER) as administrator:
        for role in ("anon", "authenticated"):
            for function in ("share_shards(text, text, int[], int[], double precision)", "leave_shards(text)"):
                may: bool = await administrator.fetchval(
                    "select has_function_privilege($1, $2, 'execute')", role, f"notify.{function}"
                )
                assert not may
