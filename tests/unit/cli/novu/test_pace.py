"""Requests keep apart while Novu says that few are left."""

import asyncio

import pytest

from cli.novu.pace import Pace


def left(remaining: int, policy: str = "100;w=5;burst=110") -> dict[str, str]:
    return {"RateLimit-Limit": "100", "RateLimit-Remaining": str(remaining), "RateLimit-Policy": policy}


async def turns(pace: Pace, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long three requests wait that come at once."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(max(seconds, 0.0))

    monkeypatch.setattr(asyncio, "sleep", sleep)
    for _ in range(3):
        await pace.keep()
    monkeypatch.undo()
    return waited


async def test_nothing_waits_without_a_limit_or_while_much_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    pace = Pace()
    assert await turns(pace, monkeypatch) == [0, 0, 0]
    pace.heed({"RateLimit-Limit": "many"})
    pace.heed(left(80))
    assert await turns(pace, monkeypatch) == [0, 0, 0]


async def test_few_left_means_nine_tenths_of_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    pace = Pace()
    pace.heed(left(30))

    first, second, third = await turns(pace, monkeypatch)

    assert first == 0
    assert second == pytest.approx(1 / 18, abs=0.02)
    assert third == pytest.approx(2 / 18, abs=0.02)
    pace.heed(left(31))
    assert (await turns(pace, monkeypatch))[1:] == pytest.approx([third, third], abs=0.08)


async def test_the_window_is_the_policys(monkeypatch: pytest.MonkeyPatch) -> None:
    pace = Pace()
    pace.heed(left(0, "100;w=1"))

    assert (await turns(pace, monkeypatch))[1] == pytest.approx(1 / 90, abs=0.008)
