import pytest

from shared.notification.models import Channel
from shared.notification.outcomes import RefusalCode
from tests.unit.rendering.builders import refusal, render
from tests.unit.rendering.hostile_templates import ATTACKS, HARMLESS, Attack

SHOWN = 40
"""Characters in a row that no refusal may share with a template."""


@pytest.mark.parametrize("channel", [Channel.EMAIL, Channel.SMS])
@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_a_hostile_template_is_refused_without_being_quoted(attack: Attack, channel: Channel) -> None:
    refused = refusal(attack.body, attack.payload, channel=channel, included=attack.included)

    assert refused.code in {
        RefusalCode.TEMPLATE_LIMIT_EXCEEDED,
        RefusalCode.TEMPLATE_INVALID,
        RefusalCode.TEMPLATE_INCLUDE_CYCLE,
        RefusalCode.TEMPLATE_UNDEFINED_VARIABLE,
    }
    assert len(str(refused)) < 1_000
    assert attack.body[:SHOWN] not in str(refused)


@pytest.mark.parametrize("attack", HARMLESS.values(), ids=HARMLESS.keys())
def test_what_only_looks_hostile_renders(attack: Attack) -> None:
    assert render(attack.body, attack.payload).body


def test_limits_leave_room_for_an_honest_long_email() -> None:
    rows = [{"name": f"item {n}", "price": n, "url": f"https://shop.example/{n}"} for n in range(400)]
    template = (
        "<table>{% for row in rows %}<tr><td>{{ forloop.index }}</td><td>{{ row.name | upcase | truncate: 20 }}</td>"
        "<td style='color:red'>{{ row.price | times: 1.19 | round: 2 }}</td><td><a href='{{ row.url }}'>see</a></td>"
        "{% if row.price > 100 %}<td>dear</td>{% else %}<td>cheap</td>{% endif %}</tr>{% endfor %}</table>"
    )

    assert render(template, {"rows": rows}).body.count("<tr>") == 400
