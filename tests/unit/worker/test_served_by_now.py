"""What a worker asks of the database before it begins an activity, and who waits for the answer."""

import asyncio
from collections.abc import Collection

import pytest

from shared.ports import ServedEnterprises as Served
from shared.ports import ToldEnterprises
from worker import served_enterprises
from worker.served_enterprises import ServedEnterprises


class SlowDatabase:
    """Answers its first question at once, and each later one when it `may_answer`."""

    def __init__(self) -> None:
        self.unserved_now = frozenset({"rests"})
        self.is_known = False
        self.asked_again = asyncio.Event()
        self.may_answer = asyncio.Event()

    async def served(self, listed: Collection[str] | None, seen: str | None) -> Served | None:
        raise NotImplementedError

    async def told(self) -> ToldEnterprises:
        if self.is_known:
            self.asked_again.set()
            await self.may_answer.wait()
        self.is_known = True
        return ToldEnterprises(self.unserved_now)


async def test_those_who_are_served_do_not_wait_for_a_question_about_somebody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(served_enterprises, "BREATH_SECONDS", -1.0)  # ask at once
    database = SlowDatabase()
    served = ServedEnterprises([], database)
    running = asyncio.create_task(served.run())
    await served.wait_until_known()
    asking = asyncio.create_task(served.serves_by_now("rests"))

    async with asyncio.timeout(5):
        await database.asked_again.wait()
        assert await served.serves_by_now("acme")

    database.unserved_now = frozenset()
    database.may_answer.set()
    assert await asking, "served again"
    running.cancel()
    await asyncio.wait([running])


async def test_nobody_is_refused_by_an_answer_of_before_he_came_and_one_question_is_for_all_who_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(served_enterprises, "BREATH_SECONDS", 0.05)
    database = SlowDatabase()
    database.may_answer.set()
    questions = 0
    told = database.told

    async def counted() -> ToldEnterprises:
        nonlocal questions
        questions += 1
        return await told()

    monkeypatch.setattr(database, "told", counted)
    served = ServedEnterprises([], database)
    running = asyncio.create_task(served.run())
    await served.wait_until_known()
    before = questions
    database.unserved_now = frozenset()  # it is served again, a moment after the worker has asked

    async with asyncio.timeout(5):
        answers = await asyncio.gather(*(served.serves_by_now("rests") for _ in range(50)))

    assert all(answers)
    assert questions == before + 1
    running.cancel()
    await asyncio.wait([running])
