-- preview_templates as it was, with the templates that a claim would load, found by the same function. The contract is docs/database_functions.md.

create or replace function notify.preview_templates(p_enterprise_id text, p_workflow_key text)
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
    with found as (
        select w.publish_status = 'PUBLISH' and not w.deactivated as active,
            w.workflow_type,
            case
                when cardinality(w.default_channels) > 100 then jsonb '"too many"'
                else to_jsonb(w.default_channels)
            end as default_channels,
            (
                select coalesce(jsonb_object_agg(slot.name, left(slot.reference, 501)), '{}')
                from (
                    select wanted.name, w.template_overrides ->> wanted.name as reference
                    from unnest(
                        array['emailTemplateId', 'inAppTemplateId', 'smsTemplateId', 'pushTemplateId', 'chatTemplateId']
                    ) as wanted (name)
                ) as slot
                where slot.reference is not null
            ) as templates,
            case
                when w.payload_schema is null then '{}'
                when pg_column_size(w.payload_schema) > 64 * 1024 or notify.json_bytes(w.payload_schema) > 64 * 1024
                then jsonb_build_object('payload_schema', 'too large')
                else jsonb_build_object('payload_schema', jsonb_build_object('text', w.payload_schema::text))
            end as schema
        from notify.ent_notification_workflow w
        where w.enterprise_id::text = p_enterprise_id and w.workflow_key = p_workflow_key
        order by active desc, w.id
        limit 1
    ),
    reached as (
        select t.templates
        from notify.reachable_templates(
            p_enterprise_id,
            (select array_agg(slot.value) from found cross join lateral jsonb_each_text(found.templates) as slot),
            16 * 1024 * 1024
        ) as t
    )
    select jsonb_build_object(
        'workflow', (
            select jsonb_build_object(
                'workflow_key', p_workflow_key,
                'workflow_type', found.workflow_type,
                'default_channels', found.default_channels,
                'templates', found.templates
            ) || found.schema
            from found
        ),
        'active', (select found.active from found),
        'workflow_keys', (
            select coalesce(jsonb_agg(known.workflow_key order by known.workflow_key), '[]')
            from (
                select w.workflow_key
                from notify.ent_notification_workflow w
                where w.enterprise_id::text = p_enterprise_id
                    and w.publish_status = 'PUBLISH' and not w.deactivated
                    and length(w.workflow_key) <= 500
                order by w.workflow_key
                limit 50
            ) as known
            where not exists (select from found)
        ),
        'templates', (select reached.templates from reached)
    )
$$;

revoke all on function notify.preview_templates(text, text) from public, anon, authenticated;
grant execute on function notify.preview_templates(text, text) to service_role;
