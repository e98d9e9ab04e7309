-- A report every night at two, Berlin time, through every change of clocks. `xnovu rule next ID` says when it fires next.

with template as (
    insert into notify.ent_notification_template
        (name, enterprise_id, publish_status, template_key, channel_type, subject_template, body_template)
    values (
        'Report, mail', 'dev', 'PUBLISH', 'dev-report-email', 'EMAIL',
        'Nightly report', '<p>{{ title }} is ready: <a href="{{ url }}">read it</a>.</p>'
    )
    returning id
),
workflow as (
    insert into notify.ent_notification_workflow
        (name, enterprise_id, publish_status, workflow_key, workflow_type, default_channels, template_overrides)
    select 'Report', 'dev', 'PUBLISH', 'dev-report', 'DYNAMIC', '{EMAIL}', jsonb_build_object('emailTemplateId', id)
    from template
    returning id
)
insert into notify.ent_notification_rule
    (name, enterprise_id, publish_status, notification_workflow_id, trigger_type, trigger_config, rule_payload)
select
    'Nightly report', 'dev', 'PUBLISH', id, 'CRON',
    '{"cron": "0 2 * * *", "timezone": "Europe/Berlin"}',
    '{"recipients": ["ada"], "payload": {"title": "Yesterday", "url": "https://shop.example.org/reports/yesterday"}}'
from workflow
returning id;
