from collections.abc import Iterator, Mapping

import pytest

from shared.notification.models import NovuWorkflow, WorkflowType
from worker.render_pool import turns as module
from worker.render_pool.calls import Item, RenderCall
from worker.render_pool.turns import Turns
from worker.rendering.request import RenderRequest

WORKFLOW = NovuWorkflow("w", WorkflowType.DYNAMIC, template_references={})


def a_call(enterprise_id: str, items: int) -> RenderCall:
    call = RenderCall(1, enterprise_id, {})
    for _ in range(items):
        call.add(RenderRequest(enterprise_id, WORKFLOW, (), {}, {}))
    return call


def taken(turns: Turns, cost_seconds: Mapping[str, float]) -> Iterator[str]:
    """Whose items come, in order, when each is charged what it costs."""
    while (item := turns.take()) is not None:
        turns.charge(item.call.enterprise_id, cost_seconds[item.call.enterprise_id])
        yield item.call.enterprise_id


async def test_turns_go_by_what_items_cost_not_by_how_many_there_are() -> None:
    turns = Turns()
    turns.add(a_call("dear", 30))
    turns.add(a_call("cheap", 12))

    order = "".join(enterprise_id[0] for enterprise_id in taken(turns, {"dear": 1.0, "cheap": 0.25}))

    assert order.startswith("dccccdccccdcccc")
    assert order.endswith("d" * 27)


async def test_who_has_a_few_cheap_items_has_them_in_one_turn_and_who_has_many_waits_for_the_next() -> None:
    turns = Turns()
    turns.add(a_call("many", 10))
    turns.add(a_call("few", 3))
    turns.add(a_call("other", 2))

    order = "".join(enterprise_id[0] for enterprise_id in taken(turns, dict.fromkeys(("many", "few", "other"), 0.0003)))

    assert order == "mmmm" + "fff" + "oo" + "mmmmmm"


async def test_who_comes_late_is_next_and_has_saved_nothing_up() -> None:
    turns = Turns()
    turns.add(a_call("first", 40))
    order = taken(turns, {"first": 1.0, "late": 1.0})
    for _ in range(20):
        next(order)

    turns.add(a_call("late", 20))

    assert [next(order) for _ in range(6)] == ["late", "first"] * 3


async def test_the_calls_of_an_enterprise_take_turns_and_those_nobody_waits_for_are_dropped() -> None:
    turns = Turns()
    long, short, over = a_call("acme", 4), a_call("acme", 1), a_call("acme", 3)
    for call in (over, long, short):
        turns.add(call)
    over.done.cancel()

    order = []
    while (item := turns.take()) is not None:
        order.append(item.call)

    assert order == [long, short, long, long, long]


async def test_what_is_put_back_comes_first_in_its_order() -> None:
    turns = Turns()
    turns.add(a_call("acme", 4))
    given: list[Item] = [item for _ in range(2) if (item := turns.take())]

    turns.put_back(given)

    again = [turns.take() for _ in range(4)]
    assert again[:2] == given
    assert len(set(map(id, again))) == 4


async def test_only_the_idle_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REMEMBERED", 3)
    turns = Turns()
    turns.add(a_call("waits", 2))
    turns.charge("waits", 1.0)
    turns.charge("idle", 1.0)
    turns.charge("idle too", 1.0)

    turns.add(a_call("new", 1))

    assert [turns.is_costly(it) for it in ("waits", "idle", "idle too")] == [True, False, False]
    assert sorted(taken(turns, {"waits": 1.0, "new": 1.0})) == ["new", "waits", "waits"]
