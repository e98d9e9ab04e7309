"""Listener and worker of one process share a connection, and what begins anew gets a new one."""

import asyncio
from typing import Any

import pytest

from shared.temporal import joint_client
from shared.temporal.joint_client import JointClient


class Connections:
    """Those that were made."""

    def __init__(self) -> None:
        self.made: list[object] = []

    async def connect(self, *_: Any) -> object:
        await asyncio.sleep(0)
        self.made.append(object())
        return self.made[-1]


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    them = Connections()
    monkeypatch.setattr(joint_client, "connect_unless_stopped", them.connect)
    return them.made


async def _connect(joint: JointClient, part: str) -> object:
    return await joint.connect_for(part)(asyncio.Event(), "address", "namespace", {})


async def test_two_parts_that_begin_together_have_one_connection(connections: list[object]) -> None:
    joint = JointClient()

    listener, worker = await asyncio.gather(_connect(joint, "listener"), _connect(joint, "worker"))

    assert listener is worker
    assert len(connections) == 1


async def test_a_part_that_begins_anew_has_a_new_one_which_the_other_gets_when_it_does(
    connections: list[object],
) -> None:
    joint = JointClient()
    await _connect(joint, "listener")
    former = await _connect(joint, "worker")

    worker = await _connect(joint, "worker")

    assert worker is not former
    assert await _connect(joint, "listener") is worker
    assert len(connections) == 2
