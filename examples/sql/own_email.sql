-- An email of one's own: a template, and a workflow that uses it; send.sql has a row.
-- In Supabase's SQL editor, or with psql.

with template as (
    insert into notify.ent_notification_template
        (name, enterprise_id, publish_status, template_key, channel_type, subject_template, body_template)
    values (
        'Receipt, mail', 'dev', 'PUBLISH', 'dev-receipt-email', 'EMAIL',
        'Receipt {{ number }}', '<p>Thank you, {{ name }}. Here is receipt <b>{{ number }}</b>.</p>'
    )
    returning id
)
insert into notify.ent_notification_workflow
    (name, enterprise_id, publish_status, workflow_key, workflow_type, default_channels, template_overrides)
select 'Receipt', 'dev', 'PUBLISH', 'dev-receipt', 'DYNAMIC', '{EMAIL}', jsonb_build_object('emailTemplateId', id)
from template;
