import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from typing import Any

import psutil
import pytest

from shared.notification.models import Channel, NovuWorkflow, Template, WorkflowType
from shared.notification.outcomes import Refusal, RefusalCode
from tests.integration.memory import peak_memory_bytes
from tests.integration.process_ends import assert_gone
from tests.unit.rendering.hostile_templates import ATTACKS, Attack
from worker.render_pool import quarantine
from worker.render_pool.child_process import RenderPoolUnavailable
from worker.render_pool.pool import RenderPool
from worker.rendering.renderer import RenderedContent
from worker.rendering.request import RenderDelayed, RenderRequest, RenderResult

BUSY = "{% for i in (1..8000) %}{% assign x = i | times: i | append: 'x' | size %}{% endfor %}"
"""Within the renderer's own limits, but some tenths of a second for each channel."""


@pytest.fixture
async def pool() -> AsyncIterator[RenderPool]:
    pool = RenderPool()
    await pool.start()
    yield pool
    await pool.close()


@pytest.fixture
async def strict_pool() -> AsyncIterator[RenderPool]:
    """So short a deadline that BUSY misses it."""
    pool = RenderPool(deadline_seconds=0.1)
    await pool.start()
    yield pool
    await pool.close()


def templates_of(bodies: Mapping[str, str], channel: Channel = Channel.PUSH) -> dict[str, Template]:
    return {key: Template(place, key, channel, None, body) for place, (key, body) in enumerate(bodies.items(), 1)}


def a_request(
    key: str,
    templates: Mapping[str, Template],
    payload: Mapping[str, Any] | None = None,
    channel: Channel = Channel.PUSH,
    enterprise_id: str = "acme",
) -> RenderRequest:
    workflow = NovuWorkflow("w", WorkflowType.DYNAMIC, template_references={channel: key})
    return RenderRequest(enterprise_id, workflow, (channel,), templates, payload or {})


def a_busy_request(enterprise_id: str = "acme", payload: Mapping[str, Any] | None = None) -> RenderRequest:
    """Every channel of a notification, BUSY each, unless the payload says `idle`: a second or more."""
    templates = {
        channel.lower(): Template(row_id, channel.lower(), channel, None, f"{{% if idle == nil %}}{BUSY}{{% endif %}}x")
        for row_id, channel in enumerate(Channel, 1)
    }
    references = {channel: channel.lower() for channel in Channel}
    workflow = NovuWorkflow("busy", WorkflowType.DYNAMIC, template_references=references)
    return RenderRequest(enterprise_id, workflow, tuple(Channel), templates, payload or {})


def body_of(result: RenderResult) -> str:
    assert isinstance(result, dict), result
    content = next(iter(result.values()))
    return content.body


async def bodies(
    pool: RenderPool, templates: Mapping[str, Template], count: int, enterprise_id: str = "acme"
) -> list[str]:
    requests = [a_request("hello", templates, {"n": number}, enterprise_id=enterprise_id) for number in range(count)]
    return [body_of(result) for result in await pool.render(requests)]


async def test_results_come_in_the_order_of_the_requests(pool: RenderPool) -> None:
    templates = templates_of({"hello": "hello {{ n }}", "broken": "{{ missing }}"})

    results = await pool.render(
        [
            a_request("hello", templates, {"n": 1}),
            a_request("broken", templates),
            a_request("hello", templates, {"n": 2}),
        ]
    )

    assert [body_of(results[0]), body_of(results[2])] == ["hello 1", "hello 2"]
    assert isinstance(results[1], Refusal)
    assert results[1].code == RefusalCode.TEMPLATE_UNDEFINED_VARIABLE
    assert results[1].details == {"template": "broken", "line": 1, "variable": "missing"}


async def test_every_channel_of_a_request_is_rendered(pool: RenderPool) -> None:
    templates = {
        "mail": Template(1, "mail", Channel.EMAIL, "Hi {{ name }}", "<p>{{ name }}</p>"),
        "sms": Template(2, "sms", Channel.SMS, None, "Hi {{ name }}"),
    }
    workflow = NovuWorkflow("w", WorkflowType.DYNAMIC, template_references={Channel.EMAIL: "1", Channel.SMS: "sms"})

    (result,) = await pool.render(
        [RenderRequest("acme", workflow, (Channel.EMAIL, Channel.SMS), templates, {"name": "Ann & Bo"})]
    )

    assert result == {
        Channel.EMAIL: RenderedContent("Hi Ann & Bo", "<p>Ann &amp; Bo</p>"),
        Channel.SMS: RenderedContent(None, "Hi Ann & Bo", 1),
    }


async def test_a_pool_starts_by_itself_at_the_first_call() -> None:
    pool = RenderPool()

    assert await bodies(pool, templates_of({"hello": "{{ n }}"}), 2) == ["0", "1"]

    await pool.close()


async def test_no_requests_have_no_results(pool: RenderPool) -> None:
    assert await pool.render([]) == []


async def test_requests_with_different_templates_may_share_a_call(pool: RenderPool) -> None:
    first, second = templates_of({"hello": "one"}), templates_of({"hello": "two"})

    results = await pool.render([a_request("hello", first), a_request("hello", second)])

    assert [body_of(result) for result in results] == ["one", "two"]


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
async def test_an_attack_is_refused_in_a_second_and_256_mb_while_others_flow(pool: RenderPool, attack: Attack) -> None:
    hostile = templates_of({"attack": attack.body, **attack.included}, Channel.EMAIL)
    honest = templates_of({"hello": "hello {{ n }}"})
    child = psutil.Process(pool.process_ids[0])
    before = child.cpu_times()

    attacked = asyncio.create_task(pool.render([a_request("attack", hostile, attack.payload, Channel.EMAIL)]))
    others = await bodies(pool, honest, 50, "other")
    (result,) = await attacked

    assert isinstance(result, Refusal)
    # In processor time: this machine may be doing other things as well.
    after = child.cpu_times()
    assert after.user + after.system - before.user - before.system < 1.0
    assert peak_memory_bytes(pool.process_ids[0]) < 256 * 2**20
    assert others == [f"hello {number}" for number in range(50)]


async def test_an_item_out_of_time_is_refused_and_the_others_are_rendered_once(strict_pool: RenderPool) -> None:
    templates = templates_of({"hello": "hello {{ n }}"})
    (before,) = strict_pool.process_ids
    requests = [a_request("hello", templates, {"n": number}) for number in range(20)]
    requests.insert(10, a_busy_request())

    results = await strict_pool.render(requests)

    refused = results.pop(10)
    assert refused == Refusal(
        RefusalCode.TEMPLATE_LIMIT_EXCEEDED,
        "Rendering in_app, email, sms, chat, push takes more than 0.1 s",
        {"templates": ["in_app", "email", "sms", "chat", "push"], "limit": "time"},
    )
    assert [body_of(result) for result in results] == [f"hello {number}" for number in range(20)]
    assert strict_pool.process_ids != (before,)
    assert not psutil.pid_exists(before)


async def test_an_item_out_of_memory_is_refused_and_the_others_are_rendered() -> None:
    pool = RenderPool(memory_bytes=80 * 2**20)
    templates = templates_of({"hello": "hello {{ n }}", "greedy": "{{ a }}"})
    requests = [a_request("hello", templates, {"n": number}) for number in range(5)]
    requests.insert(2, a_request("greedy", templates, {"a": [[n] for n in range(700_000)]}))

    results = await pool.render(requests)
    await pool.close()

    refused = results.pop(2)
    assert isinstance(refused, Refusal)
    assert refused.details == {"templates": ["greedy"], "limit": "memory"}
    assert [body_of(result) for result in results] == [f"hello {number}" for number in range(5)]


async def test_a_child_killed_from_outside_costs_nothing(pool: RenderPool) -> None:
    templates = templates_of({"hello": "hello {{ n }}"})

    rendering = asyncio.create_task(bodies(pool, templates, 400))
    for _ in range(3):
        await asyncio.sleep(0)
        os.kill(pool.process_ids[0], signal.SIGKILL)
        await bodies(pool, templates, 1)

    assert await rendering == [f"hello {number}" for number in range(400)]


async def test_a_starved_child_is_not_blamed_on_its_template(strict_pool: RenderPool) -> None:
    templates = templates_of({"hello": "hello {{ n }}"})
    (child,) = strict_pool.process_ids
    os.kill(child, signal.SIGSTOP)

    rendering = asyncio.create_task(bodies(strict_pool, templates, 3))
    await asyncio.sleep(0.4)  # four deadlines by the wall clock, none by the processor's
    os.kill(child, signal.SIGCONT)

    assert await rendering == ["hello 0", "hello 1", "hello 2"]
    assert strict_pool.process_ids == (child,)


async def test_a_frozen_child_is_replaced_and_nothing_is_lost(strict_pool: RenderPool) -> None:
    (child,) = strict_pool.process_ids
    os.kill(child, signal.SIGSTOP)

    assert await bodies(strict_pool, templates_of({"hello": "hello {{ n }}"}), 3) == ["hello 0", "hello 1", "hello 2"]

    assert not psutil.pid_exists(child)


async def test_what_is_like_that_which_was_killed_twice_is_delayed_and_has_its_own_try_later() -> None:
    now = [0.0]
    pool = RenderPool(deadline_seconds=0.1, quarantine=quarantine.Quarantine(lambda: now[0]))
    try:
        results = await pool.render([a_busy_request()] * 50)
        now[0] += quarantine.PAUSE_SECONDS
        tried, *others = await pool.render([a_busy_request()] * 3)
    finally:
        await pool.close()

    assert [result.details["limit"] for result in results[:2] if isinstance(result, Refusal)] == ["time", "time"]
    assert results[2:] == [RenderDelayed(quarantine.PAUSE_SECONDS)] * 48
    assert isinstance(tried, Refusal)
    assert tried.details["limit"] == "time"
    assert others == [RenderDelayed(quarantine.PAUSE_SECONDS)] * 2


async def test_one_that_renders_after_all_sets_its_like_free(
    strict_pool: RenderPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "PAUSE_SECONDS", 0.0)
    await strict_pool.render([a_busy_request(payload={"lazy": True})] * 2)

    results = await strict_pool.render([a_busy_request(payload={"idle": True})] * 20)

    assert [body_of(result) for result in results] == ["x"] * 20


@pytest.mark.parametrize(
    ("enterprise_id", "payload"),
    [("other", {}), ("acme", {"idle": "y" * 1_000})],
    ids=["another enterprise's", "one of another size"],
)
async def test_a_row_of_the_same_template_is_not_delayed_by_anothers_payload(
    strict_pool: RenderPool, enterprise_id: str, payload: Mapping[str, Any]
) -> None:
    await strict_pool.render([a_busy_request()] * 2)

    (result,) = await strict_pool.render([a_busy_request(enterprise_id, {"idle": True, **payload})])

    assert body_of(result) == "x"


async def test_two_rows_of_no_break_spaces_leave_the_template_to_everybody(pool: RenderPool) -> None:
    templates = templates_of({"hello": "<p>Dear {{ name }}"}, Channel.EMAIL)
    hostile = a_request("hello", templates, {"name": "\u00a0" * 199_000}, Channel.EMAIL)

    attacked = await pool.render([hostile] * 2)
    good = await pool.render([a_request("hello", templates, {"name": "Ada"}, Channel.EMAIL)] * 50)

    assert [result.details["limit"] for result in attacked if isinstance(result, Refusal)] == ["html_escapes"] * 2
    assert [body_of(result) for result in good] == ["<p>Dear Ada</p>"] * 50


async def test_the_calls_of_an_enterprise_take_turns(pool: RenderPool) -> None:
    finished: list[str] = []

    async def flood() -> None:
        await pool.render([a_request("slow", slow)] * 30)
        finished.append("flood")

    async def trickle() -> None:
        await bodies(pool, templates_of({"hello": "{{ n }}"}), 5)
        finished.append("trickle")

    slow = templates_of({"slow": BUSY.replace("8000", "1000")})
    await asyncio.gather(flood(), trickle())

    assert finished == ["trickle", "flood"]


async def test_one_enterprises_costly_rows_do_not_hold_up_anothers(pool: RenderPool) -> None:
    child = psutil.Process(pool.process_ids[0])
    texts = {f"t{number}": "{{ v | upcase | size }}" * 36 for number in range(12)}
    hostile = templates_of({**texts, "lexer": ("{% else" + " " * 4_900 + "%}") * 38}, Channel.EMAIL)
    flood = asyncio.create_task(
        pool.render(
            [a_request(f"t{number % 12}", hostile, {"v": "x" * 150_000}, Channel.EMAIL) for number in range(30)]
            + [a_request("lexer", hostile, {}, Channel.EMAIL)] * 12
        )
    )
    await asyncio.sleep(0.05)
    longest = 0.0
    for _ in range(5):
        before = child.cpu_times()
        assert await bodies(pool, templates_of({"hello": "{{ n }}"}), 20, "other") == [str(n) for n in range(20)]
        # In processor time: this machine may be doing other things as well.
        after = child.cpu_times()
        longest = max(longest, after.user + after.system - before.user - before.system)

    assert longest < 1.0
    assert pool.process_ids == (child.pid,)
    flood.cancel()


async def test_a_cancelled_call_leaves_the_pool_to_others(pool: RenderPool) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(pool.render([a_request("slow", templates_of({"slow": BUSY}))] * 100), timeout=0.1)

    assert await bodies(pool, templates_of({"hello": "{{ n }}"}), 2) == ["0", "1"]


async def test_a_payload_nested_beyond_reason_is_refused_alone(pool: RenderPool) -> None:
    nested: list[Any] = []
    for _ in range(5_000):
        nested = [nested]
    templates = templates_of({"hello": "hello {{ n }}"})

    results = await pool.render([a_request("hello", templates, {"n": nested}), a_request("hello", templates, {"n": 1})])

    assert isinstance(results[0], Refusal)
    assert results[0].code == RefusalCode.PAYLOAD_INVALID
    assert body_of(results[1]) == "hello 1"


async def test_a_two_megabyte_payload_is_rendered(pool: RenderPool) -> None:
    templates = templates_of({"hello": "hello {{ name }}"})

    (result,) = await pool.render([a_request("hello", templates, {"name": "Ann", "rest": "x" * 2_000_000})])

    assert body_of(result) == "hello Ann"


async def test_a_child_is_small_and_has_none_of_our_secrets(pool: RenderPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVU_SECRET_KEY", "secret")
    other = RenderPool()
    await other.start()
    child = psutil.Process(other.process_ids[0])

    assert child.memory_info().rss < 45 * 2**20
    assert "NOVU_SECRET_KEY" not in child.environ()

    await other.close()


async def test_closing_ends_the_children_and_calls_still_waiting(pool: RenderPool) -> None:
    children = pool.process_ids

    async def wait() -> None:
        with pytest.raises(RenderPoolUnavailable, match="closed"):
            await pool.render([a_request("slow", templates_of({"slow": BUSY}))] * 50)

    async def close() -> None:
        await asyncio.sleep(0)
        await pool.close()

    await asyncio.gather(wait(), close())

    assert not any(psutil.pid_exists(child) for child in children)


async def test_a_child_dies_with_its_parent() -> None:
    script = (
        "import asyncio\n"
        "from worker.render_pool.pool import RenderPool\n"
        "async def main():\n"
        "    pool = RenderPool()\n"
        "    await pool.start()\n"
        "    print(pool.process_ids[0], flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    child = psutil.Process(int(await parent.stdout.readline()))

    parent.kill()
    await parent.wait()

    await asyncio.to_thread(assert_gone, [child])


async def test_a_child_that_cannot_start_is_a_passing_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = RenderPool()
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")

    with pytest.raises(RenderPoolUnavailable):
        await bodies(pool, templates_of({"hello": "{{ n }}"}), 1)
    monkeypatch.undo()

    assert await bodies(pool, templates_of({"hello": "{{ n }}"}), 1) == ["0"]
    await pool.close()


async def test_a_schema_is_kept_to_whatever_the_workflows_type(pool: RenderPool) -> None:
    schema = '{"required": ["name"]}'
    static = NovuWorkflow("w", WorkflowType.STATIC, payload_schema=schema)

    refused, passed = await pool.render([RenderRequest("acme", static, (), {}, it) for it in ({}, {"name": "Ada"})])

    assert isinstance(refused, Refusal)
    assert refused.details == {"workflow": "w", "violations": ["payload: required name"]}
    assert passed == {}


async def test_a_schema_without_end_is_cut_short_and_named(strict_pool: RenderPool) -> None:
    twice: dict[str, Any] = {"d0": {"type": "string"}}
    for level in range(1, 21):
        twice[f"d{level}"] = {"allOf": [{"$ref": f"#/$defs/d{level - 1}"}] * 2}
    schema = json.dumps({"$defs": twice, "properties": {"a": {"$ref": "#/$defs/d20"}}})
    workflow = NovuWorkflow("w", WorkflowType.STATIC, payload_schema=schema)

    (refused,) = await strict_pool.render([RenderRequest("acme", workflow, (), {}, {"a": 5})])

    assert isinstance(refused, Refusal)
    assert refused.code is RefusalCode.TEMPLATE_LIMIT_EXCEEDED
    assert refused.details == {"templates": ["payload_schema of w"], "limit": "time"}
