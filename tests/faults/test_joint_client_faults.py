"""Every await of the connection that two parts share meets a foreign exception in turn: both connect again, jointly."""

import asyncio
from typing import Any

import pytest

from shared.supervision import Supervisor
from shared.temporal import joint_client
from shared.temporal.joint_client import JointClient
from tests.faults.await_points import await_points
from tests.faults.injector import raising_once_at
from tests.unit.temporal.test_joint_client import Connections

POINTS = await_points("shared.temporal.joint_client")


async def test_an_await_of_the_joint_connection_that_fails_has_the_part_connect_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for point in POINTS:
        connections = Connections()
        monkeypatch.setattr(joint_client, "connect_unless_stopped", connections.connect)
        joint, parts = JointClient(), Supervisor(first_backoff_seconds=0.001)
        have: dict[str, Any] = {}

        async def connect(part: str, joint: JointClient = joint, have: dict[str, Any] = have) -> None:
            have[part] = await joint.connect_for(part)(asyncio.Event(), "address", "namespace", {})

        with raising_once_at(point) as injection:
            for part in ("listener", "worker"):
                await parts.keep(part, lambda part=part: connect(part))  # type: ignore[misc]

        assert injection.has_fired
        assert set(have) == {"listener", "worker"}
        assert have["listener"] is have["worker"] is connections.made[-1]
