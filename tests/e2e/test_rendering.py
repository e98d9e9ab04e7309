"""What people read is rendered, in every channel; what cannot be rendered is never sent."""

import re

import pytest

from stack.sample_data import CHANNELS, sample_payload
from tests.e2e import rows
from tests.e2e.system import System

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.asyncio(loop_scope="session"),
]


async def test_every_channel_is_rendered(system: System) -> None:
    acme = system.enterprises[0]
    [order] = await rows.insert(
        system,
        acme.enterprise_id,
        {"notification_workflow_id": acme.dynamic, "channels": list(CHANNELS), "payload": sample_payload(7)},
    )

    await rows.settled(system, [order])

    [call] = await rows.calls_for(system, order)
    items = "".join(f"<tr><td>Thing {item}</td><td>{item + 1}</td></tr>" for item in range(3))
    assert call["payload"] == {
        **sample_payload(7),
        "rendered": {
            "EMAIL": {
                "subject": "Order A-00007 is on its way",
                "body": "<h1>Hello Ada &amp; 7</h1>\n<p>Your order <strong>A-00007</strong> has left us.</p>\n"
                f"<table><tbody>{items}</tbody></table>\n<p>Sent by Example Ltd</p>",
            },
            "IN_APP": {"body": "<p>Order <strong>A-00007</strong> is on its way, Ada &amp; 7.</p>"},
            "SMS": {"body": "Hello Ada & 7, order A-00007 is on its way."},
            "PUSH": {"subject": "On its way", "body": "Order A-00007 has left us."},
            "CHAT": {"body": "Order *A-00007* is on its way to Ada & 7."},
        },
    }
    people = (await system.sink_truth(transaction_id_prefix=call["transaction_id"]))["people"]
    sent = [one["channel"] for one in people if one["event"] == call["transaction_id"] and one.get("sent") == 1]
    assert sent == ["email", "in_app", "sms", "push", "chat"]


async def test_a_row_for_one_channel_brings_one_message_there_and_nothing_else(system: System) -> None:
    acme = system.enterprises[0]
    # Other tests' rows have made the sink make workflows of its own under these keys.
    await system.says("novu", "apply", "--yes", "--enterprise", "acme", "--adopt", "acme-order")
    key = {"Authorization": f"ApiKey {system.environment['NOVU_SECRET_KEY']}"}
    workflow = (await system.sink.get("/v2/workflows/acme-order", headers=key)).json()["data"]
    assert "xnovu" in workflow["tags"]
    assert [step["type"] for step in workflow["steps"]] == [channel.lower() for channel in CHANNELS]
    orders = await rows.insert(
        system,
        acme.enterprise_id,
        *(
            {"notification_workflow_id": acme.dynamic, "channels": [channel], "payload": sample_payload(7)}
            for channel in CHANNELS
        ),
    )

    await rows.settled(system, orders)

    for channel, order in zip(CHANNELS, orders, strict=True):
        [call] = await rows.calls_for(system, order)
        people = (await system.sink_truth(transaction_id_prefix=call["transaction_id"]))["people"]
        ours = [one for one in people if one["event"] == call["transaction_id"]]
        assert [(one["channel"], one["sent"]) for one in ours if one.get("sent")] == [(channel.lower(), 1)]
        assert {key for one in ours for key, value in one.items() if isinstance(value, int) and value} <= {
            "sent",
            "skipped",
        }


async def test_a_value_is_text_in_every_channel(system: System) -> None:
    acme = system.enterprises[0]
    name = "Ann <ann@x.example>, a<b and c>d, ?o=1&region=eu"
    [order] = await rows.insert(
        system,
        acme.enterprise_id,
        {
            "notification_workflow_id": acme.dynamic,
            "channels": list(CHANNELS),
            "payload": {**sample_payload(7), "name": name},
        },
    )

    await rows.settled(system, [order])

    [call] = await rows.calls_for(system, order)
    rendered = call["payload"]["rendered"]
    escaped = name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert rendered["SMS"]["body"] == f"Hello {name}, order A-00007 is on its way."
    assert rendered["CHAT"]["body"] == f"Order *A-00007* is on its way to {name.replace('a<b', 'a< b')}."
    assert rendered["EMAIL"]["body"].startswith(f"<h1>Hello {escaped}</h1>")
    assert rendered["IN_APP"]["body"] == f"<p>Order <strong>A-00007</strong> is on its way, {escaped}.</p>"


async def test_a_static_workflow_gets_the_payload_as_it_is(system: System) -> None:
    acme = system.enterprises[0]
    payload = {"text": "{{ not ours to read }} <b>&", "number": 12345678901234567890, "none": None}
    [static] = await rows.insert(
        system, acme.enterprise_id, {"notification_workflow_id": acme.static, "payload": payload}
    )

    await rows.settled(system, [static])

    [call] = await rows.calls_for(system, static)
    assert call["payload"] == payload


@pytest.mark.parametrize(
    ("name", "body", "expected"),
    [
        pytest.param(name, body, expected, id=name)
        for name, body, expected in (
            (
                "unclosed",
                "<h1>Hello</h1>\n{% if name %}\n<p>never closed</p>",
                {"code": "template_invalid", "line": 3},
            ),
            (
                "no-filter",
                "<h1>Hello</h1>\n\n<p>{{ name | shout }}</p>",
                {"code": "template_invalid", "line": 3, "filter": "shout"},
            ),
            (
                "undefined",
                "<h1>Hello {{ name }}</h1>\n<p>{{ nobody }}</p>",
                {"code": "template_undefined_variable", "line": 2, "variable": "nobody"},
            ),
            (
                "undefined-member",
                "<h1>Hello {{ name }}</h1>\n\n\n<p>{{ order.total.currency }}</p>",
                {"code": "template_undefined_variable", "line": 4, "variable": "order.total.currency"},
            ),
            (
                "endless",
                "{% for a in (1..99999) %}{% for b in (1..99999) %}{{ name }}{% endfor %}{% endfor %}",
                {"code": "template_limit_exceeded"},
            ),
        )
    ],
)
async def test_a_template_that_cannot_be_rendered_fails_its_row_by_name(
    system: System, name: str, body: str, expected: dict[str, object]
) -> None:
    acme = system.enterprises[0]
    key = f"acme-email-{name}"
    template_id = await rows.insert_template(system, acme.enterprise_id, key, body)
    workflow_id = await rows.insert_email_workflow(system, acme.enterprise_id, f"acme-sends-{name}", template_id)
    email = {"channels": ["EMAIL"], "payload": {"name": "Ada", "order": {"number": "A-1"}}}

    bad, good = await rows.insert(
        system,
        acme.enterprise_id,
        {**email, "notification_workflow_id": workflow_id},
        {**email, "notification_workflow_id": acme.static},
    )
    found = await rows.settled(system, [bad, good])

    assert found[bad].status == "FAILED"
    assert found[bad].error.items() >= {"template": key, **expected}.items()
    assert key in found[bad].error["message"]
    assert not any(marker in str(found[bad].error) for marker in ("{{", "{%", "<p>"))
    assert found[good].status == "SENT"
    assert await rows.calls_for(system, bad) == []


async def test_no_template_text_has_ever_reached_novu(system: System) -> None:
    acme = system.enterprises[0]
    [sent, *failed] = await rows.insert(
        system,
        acme.enterprise_id,
        *(
            {"notification_workflow_id": workflow_id, "channels": ["EMAIL"], "payload": sample_payload(8)}
            for workflow_id in (acme.dynamic, acme.broken_template, acme.undefined_variable)
        ),
    )

    found = await rows.settled(system, [sent, *failed])

    sources = await rows.execute(
        system,
        "select string_agg(concat_ws(' ', subject_template, body_template), ' ') from notify.ent_notification_template",
    )
    received = _without_escapes((system.stack.state_directory / "novu_sink.record").read_text())
    assert [row.status for row in found.values()] == ["SENT", "FAILED", "FAILED"]
    assert str(found[sent].transaction_id) in received
    for markup in set(re.findall(r"\{[{%].*?[%}]\}", sources)):
        assert _without_escapes(markup) not in received


def _without_escapes(text: str) -> str:
    """JSON's escapes undone as far as quotes go, however often they were written."""
    return text.replace("\\", "")
