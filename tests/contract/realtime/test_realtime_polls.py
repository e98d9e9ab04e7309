"""The pace of the real server's polls: about a hundred changes a call, a price for each, a pause where none matched."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from stack.edge.realtime.pgoutput import take_transactions
from stack.edge.realtime.settings import RealtimeSettings, SettingRefused
from stack.postgres import Postgres
from tests.contract.realtime.conftest import QUICK, Database
from tests.contract.realtime.edge_server import eventually, serve_edge
from tests.contract.realtime.phoenix_client import change_request, connected

_BEGIN, _INSERT, _COMMIT = b"B", b"I", b"C"
_ONE_ROW = [_BEGIN, _INSERT, _COMMIT]


@pytest.mark.parametrize(
    ("messages", "most_changes", "taken"),
    [
        (_ONE_ROW * 5, 2, 6),
        (_ONE_ROW * 5, 100, 15),
        ([_BEGIN, *[_INSERT] * 1000, _COMMIT, *_ONE_ROW], 100, 1002),
        ([*_ONE_ROW, _BEGIN, *[_INSERT] * 1000, _COMMIT, *_ONE_ROW], 100, 1005),
        ([], 100, 0),
    ],
    ids=["two", "all", "one large transaction", "a small one before it", "none"],
)
def test_a_poll_takes_whole_transactions_until_it_has_enough(
    messages: list[bytes], most_changes: int, taken: int
) -> None:
    assert take_transactions(messages, most_changes) == taken


def test_the_real_server_s_pace_is_one_setting_which_others_may_change() -> None:
    settings = RealtimeSettings.from_environment({"EDGE_REALISTIC": "1", "EDGE_CHANGE_WORK_MS": "2"})

    assert (settings.poll_max_changes, settings.change_work_ms, settings.poll_interval_ms) == (100, 2, 150)
    assert RealtimeSettings.from_environment({"EDGE_REALISTIC": "0"}) == RealtimeSettings()
    with pytest.raises(SettingRefused, match="EDGE_REALISTIC must be 0 or 1"):
        RealtimeSettings.from_environment({"EDGE_REALISTIC": "yes"})


async def test_changes_for_nobody_hold_up_those_for_somebody_a_hundred_at_a_time(
    postgres: Postgres, database: Database
) -> None:
    settings = replace(QUICK, poll_max_changes=100, poll_interval_ms=50)
    async with serve_edge(postgres.url, settings) as edge, connected(edge) as client:
        await client.subscribe(change_request("INSERT", filter="state=eq.wanted"))
        polls = (await edge.state())["counts"]["polls"]
        started = time.monotonic()
        for _ in range(10):
            await database.execute("insert into notify (state) select 'for nobody' from generate_series(1, 100)")

        await database.execute("insert into notify (state) values ('wanted')")

        assert (await client.receive_change())["record"]["state"] == "wanted"
        assert (await edge.state())["counts"]["polls"] - polls >= 11
        assert time.monotonic() - started >= 0.3, "a pause follows each poll whose changes are for nobody"


async def test_a_transaction_is_never_split_and_comes_in_order(postgres: Postgres, database: Database) -> None:
    settings = replace(QUICK, poll_max_changes=100)
    async with serve_edge(postgres.url, settings) as edge, connected(edge) as client:
        await client.subscribe(change_request("INSERT"))
        for number in range(3):
            await database.execute(
                "insert into notify (state) select $1 || '-' || n from generate_series(1, 150) as n", str(number)
            )

        states = [(await client.receive_change())["record"]["state"] for _ in range(450)]

        assert states == [f"{number}-{n}" for number in range(3) for n in range(1, 151)]


async def test_more_work_than_a_query_may_take_costs_the_poll_and_the_slot_and_nothing_tells(
    postgres: Postgres, database: Database
) -> None:
    settings = replace(QUICK, poll_max_changes=100, change_work_ms=5, query_timeout_seconds=1)
    async with serve_edge(postgres.url, settings) as edge, connected(edge) as client:
        await client.subscribe(change_request("INSERT"))
        slots = (await edge.state())["counts"]["slots_created"]

        await database.execute("insert into notify (state) select 'lost' from generate_series(1, 300)")

        async def slot_is_new() -> bool:
            return bool((await edge.state())["counts"]["slots_created"] > slots)

        await eventually(slot_is_new)
        await asyncio.sleep(0.1)
        await database.execute("insert into notify (state) values ('seen')")
        assert (await client.receive_change())["record"]["state"] == "seen"
