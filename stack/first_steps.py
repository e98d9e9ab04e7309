"""What somebody new needs to send a first notification: a person with addresses, and a workflow with two texts."""

from __future__ import annotations

import asyncpg

from stack.sample_data import seed_enterprise

PERSON = "ada"

_HELLO = """
with template as (
    insert into notify.ent_notification_template
        (name, enterprise_id, publish_status, template_key, channel_type, subject_template, body_template)
    values
        ('Hello, mail', $1, 'PUBLISH', $1 || '-hello-email', 'EMAIL', 'Hello {{ name }}',
         '<p>Hello {{ name }}, this is your first notification.</p>'),
        ('Hello, in-app', $1, 'PUBLISH', $1 || '-hello-in-app', 'IN_APP', null, 'Hello {{ name }}')
    returning id, channel_type
)
insert into notify.ent_notification_workflow
    (name, enterprise_id, publish_status, workflow_key, workflow_type, default_channels, template_overrides)
select 'Hello', $1, 'PUBLISH', $1 || '-hello', 'DYNAMIC', '{EMAIL,IN_APP}', jsonb_build_object(
           'emailTemplateId', max(id) filter (where channel_type::text = 'EMAIL'),
           'inAppTemplateId', max(id) filter (where channel_type::text = 'IN_APP'))
  from template
"""

_PERSON = """
insert into notify.recipient (enterprise_id, subscriber_id, email, phone, first_name)
values ($1, $2, $2 || '@example.org', '+12025550101', 'Ada')
on conflict do nothing
"""


def hello_of(enterprise_id: str) -> str:
    """The key of the enterprise's first workflow."""
    return f"{enterprise_id}-hello"


async def seed_first_steps(database_url: str, enterprise_id: str) -> None:
    """The person, that workflow and the samples, once for each enterprise: what its owner made of them since stays."""
    connection = await asyncpg.connect(database_url)
    try:
        async with connection.transaction():
            found = "select exists (select from notify.ent_notification_workflow where workflow_key = $1)"
            if await connection.fetchval(found, hello_of(enterprise_id)):
                return
            await connection.execute(_HELLO, enterprise_id)
            await connection.execute(_PERSON, enterprise_id, PERSON)
            if not await connection.fetchval(found, f"{enterprise_id}-welcome"):  # the demo's have the samples
                await seed_enterprise(connection, enterprise_id)
    finally:
        await connection.close()
