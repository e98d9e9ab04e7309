-- preview_templates as it was, with the workflow's payload schema. The contract is docs/database_functions.md.

create or replace function notify.preview_templates(p_enterprise_id text, p_workflow_key text)
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
    with recursive found as (
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
    -- From here on as in claim_batch, which says why.
    wanted as (
        select slot.value as reference from found cross join lateral jsonb_each_text(found.templates) as slot
    ),
    reachable (id) as (
        select t.id
        from notify.ent_notification_template t
        where t.enterprise_id::text = p_enterprise_id
            and t.publish_status = 'PUBLISH' and not t.deactivated
            and (
                t.template_key in (select reference from wanted)
                or t.id in (select reference::bigint from wanted where reference ~ '^[0-9]{1,18}$')
            )
        union
        select included.id
        from (
            select distinct coalesce(include.key [1], include.key [2]) as key
            from reachable
            join notify.ent_notification_template t on t.id = reachable.id
            cross join lateral unnest(
                string_to_array(
                    concat_ws(E'\n', left(t.subject_template, 200001), left(t.body_template, 200001)), 'xnovu_render'
                )
            ) with ordinality as piece (text, number)
            cross join lateral regexp_match(piece.text, $re$^\s*\(?\s*(?:"([^"]+)"|'([^']+)')$re$) as include (key)
            where piece.number > 1
            offset 0
        ) as named
        join notify.ent_notification_template included
            on included.template_key = named.key
            and included.enterprise_id::text = p_enterprise_id
            and included.publish_status = 'PUBLISH' and not included.deactivated
    ),
    cut as (
        select t.id,
            coalesce(t.template_key, t.id::text) as template_key,
            t.channel_type,
            left(t.subject_template, 200001) as subject_template,
            left(t.body_template, 200001) as body_template,
            sum(octet_length(left(t.body_template, 200001)) + 200001) over (order by t.id) as bytes
        from reachable
        join notify.ent_notification_template t on t.id = reachable.id
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
        'templates', (
            select coalesce(
                jsonb_agg(
                    jsonb_build_object(
                        'id', cut.id,
                        'template_key', cut.template_key,
                        'channel_type', cut.channel_type,
                        'subject_template', cut.subject_template,
                        'body_template', cut.body_template
                    )
                    order by cut.id
                ),
                '[]'
            )
            from cut
            where cut.bytes <= 16 * 1024 * 1024
        )
    )
$$;

revoke all on function notify.preview_templates(text, text) from public, anon, authenticated;
grant execute on function notify.preview_templates(text, text) to service_role;
