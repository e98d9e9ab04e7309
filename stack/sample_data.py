"""Workflows, templates and rows to play with: what the demo, the benchmarks and the whole-system tests send.

Plain SQL on the stack's database, as an application of a user's would do it.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

CHANNELS = ("EMAIL", "IN_APP", "SMS", "PUSH", "CHAT")

_REFERENCE = {
    "EMAIL": "emailTemplateId",
    "IN_APP": "inAppTemplateId",
    "SMS": "smsTemplateId",
    "PUSH": "pushTemplateId",
    "CHAT": "chatTemplateId",
}

_TEMPLATES = {
    "EMAIL": (
        "Order {{ order.number }} is on its way",
        """<h1>Hello {{ name }}</h1>
<p>Your order <strong>{{ order.number }}</strong> has left us.</p>
<table>{% for item in order.items %}<tr><td>{{ item.title }}</td><td>{{ item.quantity }}</td></tr>{% endfor %}</table>
{% xnovu_render "FOOTER", company: "Example Ltd" %}""",
    ),
    "IN_APP": (None, "<p>Order <strong>{{ order.number }}</strong> is on its way, {{ name }}.</p>"),
    "SMS": (None, "Hello {{ name }}, order {{ order.number }} is on its way."),
    "PUSH": ("On its way", "Order {{ order.number }} has left us."),
    "CHAT": (None, "Order *{{ order.number }}* is on its way to {{ name }}."),
}


@dataclass(frozen=True)
class SampleEnterprise:
    """One enterprise's workflow ids, by what a notification that uses them shows."""

    enterprise_id: str
    static: int
    dynamic: int
    broken_template: int
    undefined_variable: int


def sample_payload(number: int) -> dict[str, Any]:
    """What the sample templates need, different for each number."""
    return {
        "name": f"Ada & {number}",
        "order": {
            "number": f"A-{number:05}",
            "items": [{"title": f"Thing {item}", "quantity": item + 1} for item in range(3)],
        },
    }


async def seed_enterprise(connection: asyncpg.Connection, enterprise_id: str) -> SampleEnterprise:
    """Create the enterprise's templates and workflows."""
    references: dict[str, Any] = {}
    await _template(connection, enterprise_id, "footer", "EMAIL", None, "<p>Sent by {{ company }}</p>")
    for channel, (subject, body) in _TEMPLATES.items():
        body = body.replace("FOOTER", _key(enterprise_id, "footer"))
        template_id = await _template(connection, enterprise_id, f"order-{channel.lower()}", channel, subject, body)
        references[_REFERENCE[channel]] = template_id
    broken = await _template(connection, enterprise_id, "broken", "EMAIL", "Hello", "<p>{% if name %}never closed</p>")
    undefined = await _template(connection, enterprise_id, "undefined", "EMAIL", "Hello", "<p>{{ nobody.name }}</p>")
    return SampleEnterprise(
        enterprise_id=enterprise_id,
        static=await _workflow(connection, enterprise_id, "welcome", "STATIC", {}),
        dynamic=await _workflow(connection, enterprise_id, "order", "DYNAMIC", references),
        broken_template=await _workflow(connection, enterprise_id, "broken", "DYNAMIC", {"emailTemplateId": broken}),
        undefined_variable=await _workflow(
            connection, enterprise_id, "undefined", "DYNAMIC", {"emailTemplateId": undefined}
        ),
    )


async def insert_notifications(
    connection: asyncpg.Connection, enterprise_id: str | None, rows: Sequence[Mapping[str, Any]]
) -> list[int]:
    """Insert published rows in one statement; returns their ids, in order.

    Each mapping holds columns of ent_notification; `notification_workflow_id` is needed, the rest has defaults.
    """
    defaults: dict[str, Any] = {
        "enterprise_id": enterprise_id,
        "publish_status": "PUBLISH",
        "recipients": ["ada"],
        "channels": ["IN_APP"],
        "payload": {},
    }
    records = [{"name": f"sample-{uuid.uuid4()}", **defaults, **row} for row in rows]
    inserted = await connection.fetch(
        """
        insert into notify.ent_notification
               (name, enterprise_id, publish_status, recipients, channels, payload, overrides,
                notification_workflow_id, scheduled_for, deliver_before)
        select name, enterprise_id, publish_status, recipients, channels, payload, overrides,
               notification_workflow_id, scheduled_for, deliver_before
          from jsonb_populate_recordset(null::notify.ent_notification, $1::jsonb)
        returning id
        """,
        json.dumps(records),
    )
    return [row["id"] for row in inserted]


async def insert_rules(
    connection: asyncpg.Connection, enterprise_id: str, rules: Sequence[Mapping[str, Any]]
) -> list[int]:
    """Insert published CRON rules in one statement; returns their ids, in order.

    Each mapping holds columns of ent_notification_rule; `notification_workflow_id` and `trigger_config` are needed, the
    rest has defaults.
    """
    defaults: dict[str, Any] = {
        "enterprise_id": enterprise_id,
        "publish_status": "PUBLISH",
        "trigger_type": "CRON",
        "rule_payload": {"recipients": ["ada"], "payload": sample_payload(0)},
    }
    records = [{"name": f"sample-{uuid.uuid4()}", **defaults, **rule} for rule in rules]
    inserted = await connection.fetch(
        """
        insert into notify.ent_notification_rule
               (name, enterprise_id, publish_status, notification_workflow_id, trigger_type, trigger_config,
                rule_payload)
        select name, enterprise_id, publish_status, notification_workflow_id, trigger_type, trigger_config,
               rule_payload
          from jsonb_populate_recordset(null::notify.ent_notification_rule, $1::jsonb)
        returning id
        """,
        json.dumps(records),
    )
    return [row["id"] for row in inserted]


def _key(enterprise_id: str, name: str) -> str:
    """Template and workflow keys are unique over all enterprises."""
    return f"{enterprise_id}-{name}"


async def _template(
    connection: asyncpg.Connection, enterprise_id: str, name: str, channel: str, subject: str | None, body: str
) -> int:
    template_id: int = await connection.fetchval(
        """
        insert into notify.ent_notification_template
               (name, enterprise_id, publish_status, template_key, channel_type, subject_template, body_template)
        select name, enterprise_id, publish_status, template_key, channel_type, subject_template, body_template
          from jsonb_populate_record(null::notify.ent_notification_template, $1::jsonb)
        returning id
        """,
        json.dumps(
            {
                "name": name,
                "enterprise_id": enterprise_id,
                "publish_status": "PUBLISH",
                "template_key": _key(enterprise_id, name),
                "channel_type": channel,
                "subject_template": subject,
                "body_template": body,
            }
        ),
    )
    return template_id


async def _workflow(
    connection: asyncpg.Connection, enterprise_id: str, name: str, workflow_type: str, references: Mapping[str, Any]
) -> int:
    workflow_id: int = await connection.fetchval(
        """
        insert into notify.ent_notification_workflow
               (name, enterprise_id, publish_status, workflow_key, workflow_type, template_overrides)
        select name, enterprise_id, publish_status, workflow_key, workflow_type, template_overrides
          from jsonb_populate_record(null::notify.ent_notification_workflow, $1::jsonb)
        returning id
        """,
        json.dumps(
            {
                "name": name,
                "enterprise_id": enterprise_id,
                "publish_status": "PUBLISH",
                "workflow_key": _key(enterprise_id, name),
                "workflow_type": workflow_type,
                "template_overrides": references,
            }
        ),
    )
    return workflow_id
