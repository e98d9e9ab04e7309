-- Claiming: take rows, keep them, hand them back. The contract is docs/database_functions.md.

create or replace function notify.claim_notifications(
    p_enterprise_id text, p_notification_ids bigint[], p_claim_owner text, p_lease_seconds int
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    -- Bounds what one answer weighs, whoever wrote the rows: 100 rows of 2 MB would sink a worker.
    c_batch_bytes constant bigint := 8 * 1024 * 1024;
    -- Both spellings of an include, `xnovu_render "key"` and `xnovu_render('key'`. Finding one too many (in a comment,
    -- say) is harmless, missing one is not: hence no attempt to parse Liquid.
    c_include constant text := $re$xnovu_render\s*\(?\s*(?:"([^"]+)"|'([^']+)')$re$;
    v_notifications jsonb;
    v_deferred jsonb;
    v_workflow_ids bigint[];
    v_workflows jsonb;
    v_references text[];
    v_templates jsonb;
begin
    if p_claim_owner is null or p_claim_owner = '' or p_lease_seconds is null or p_lease_seconds <= 0 then
        raise exception 'a claim needs an owner and a positive lease' using errcode = 'invalid_parameter_value';
    end if;

    with free as (
        select n.id,
            octet_length(n.payload::text)
                + coalesce(octet_length(n.overrides::text), 0)
                + octet_length(n.recipients::text) as bytes
        from notify.ent_notification n
        where n.id = any (p_notification_ids)
            and n.enterprise_id::text = p_enterprise_id
            and (
                (n.notification_status = 'PROCESSING' and n.claim_owner = p_claim_owner)
                or (
                    n.publish_status = 'PUBLISH' and not n.deactivated
                    and (n.scheduled_for is null or n.scheduled_for <= now())
                    and (
                        n.notification_status = 'PENDING'
                        or (
                            n.notification_status = 'PROCESSING'
                            and (n.lease_expires_at is null or n.lease_expires_at <= now())
                        )
                    )
                )
            )
        order by n.id
        for update skip locked
    ),
    weighed as (
        -- The first row is always taken, however heavy: refusing it is the worker's decision.
        select free.id,
            row_number() over in_order = 1 or sum(free.bytes) over in_order <= c_batch_bytes as fits
        from free
        window in_order as (order by free.id)
    ),
    claimed as (
        update notify.ent_notification n
        set notification_status = 'PROCESSING',
            claim_owner = p_claim_owner,
            lease_expires_at = now() + make_interval(secs => p_lease_seconds),
            attempts = n.attempts + 1,
            processed_at = now(),
            updated_at = now()
        from weighed
        where n.id = weighed.id and weighed.fits
        returning n.id, n.payload, n.recipients::text[] as recipients, n.channels, n.overrides, n.attempts, n.chunks_sent,
            n.deliver_before, n.notification_workflow_id
    )
    select
        coalesce(
            jsonb_agg(
                jsonb_build_object(
                    'id', c.id,
                    'payload', c.payload,
                    'recipients', c.recipients,
                    'channels', c.channels,
                    'overrides', c.overrides,
                    'attempts', c.attempts,
                    'chunks_sent', c.chunks_sent,
                    'deliver_before', c.deliver_before,
                    'expired', coalesce(c.deliver_before <= now(), false),
                    'notification_workflow_id', c.notification_workflow_id
                )
                order by c.id
            ),
            '[]'
        ),
        array_agg(distinct c.notification_workflow_id),
        (select coalesce(jsonb_agg(w.id order by w.id), '[]') from weighed w where not w.fits)
    into v_notifications, v_workflow_ids, v_deferred
    from claimed c;

    select
        coalesce(
            jsonb_object_agg(
                w.id,
                jsonb_build_object(
                    'workflow_key', w.workflow_key,
                    'workflow_type', w.workflow_type,
                    'default_channels', w.default_channels,
                    'template_overrides', w.template_overrides
                )
            ),
            '{}'
        )
    into v_workflows
    from notify.ent_notification_workflow w
    where w.id = any (v_workflow_ids)
        and w.enterprise_id::text = p_enterprise_id
        and w.publish_status = 'PUBLISH' and not w.deactivated;

    select array_agg(distinct w.value -> 'template_overrides' ->> slot)
    into v_references
    from jsonb_each(v_workflows) as w
    cross join unnest(
        array['emailTemplateId', 'inAppTemplateId', 'smsTemplateId', 'pushTemplateId', 'chatTemplateId']
    ) as slot;

    with recursive reachable (id) as (
        select t.id
        from notify.ent_notification_template t
        where t.enterprise_id::text = p_enterprise_id
            and t.publish_status = 'PUBLISH' and not t.deactivated
            and (
                t.template_key = any (v_references)
                or t.id in (select r::bigint from unnest(v_references) as r where r ~ '^[0-9]{1,18}$')
            )
        -- Not `union all`: a template already reached is not followed again, which is what ends a cycle.
        union
        select included.id
        from reachable
        join notify.ent_notification_template t on t.id = reachable.id
        cross join lateral regexp_matches(concat_ws(E'\n', t.subject_template, t.body_template), c_include, 'g') as include (key)
        join notify.ent_notification_template included
            on included.template_key = coalesce(include.key [1], include.key [2])
            and included.enterprise_id::text = p_enterprise_id
            and included.publish_status = 'PUBLISH' and not included.deactivated
    )
    select
        coalesce(
            jsonb_agg(
                jsonb_build_object(
                    'id', t.id,
                    'template_key', coalesce(t.template_key, t.id::text),
                    'channel_type', t.channel_type,
                    'subject_template', t.subject_template,
                    'body_template', t.body_template
                )
                order by t.id
            ),
            '[]'
        )
    into v_templates
    from reachable
    join notify.ent_notification_template t on t.id = reachable.id;

    return jsonb_build_object(
        'notifications', v_notifications,
        'deferred', v_deferred,
        'workflows', v_workflows,
        'templates', v_templates
    );
end
$$;

create or replace function notify.renew_claims(
    p_enterprise_id text, p_claim_owner text, p_chunks_sent jsonb, p_lease_seconds int
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_held jsonb;
begin
    if p_lease_seconds is null or p_lease_seconds <= 0 then
        raise exception 'a claim needs a positive lease' using errcode = 'invalid_parameter_value';
    end if;

    with held as (
        select n.id, progress.value::int as chunks_sent
        from jsonb_each_text(p_chunks_sent) as progress
        join notify.ent_notification n on n.id = progress.key::bigint
        where n.enterprise_id::text = p_enterprise_id
            and n.claim_owner = p_claim_owner
            and n.notification_status = 'PROCESSING'
        order by n.id
        for update of n
    ),
    renewed as (
        update notify.ent_notification n
        set lease_expires_at = now() + make_interval(secs => p_lease_seconds),
            chunks_sent = greatest(n.chunks_sent, held.chunks_sent),
            updated_at = now()
        from held
        where n.id = held.id
        returning n.id
    )
    select coalesce(jsonb_agg(r.id order by r.id), '[]') into v_held from renewed r;

    return jsonb_build_object('held', v_held);
end
$$;

create or replace function notify.release_claims(
    p_enterprise_id text, p_claim_owner text, p_notification_ids bigint[]
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_released jsonb;
begin
    with held as (
        select n.id
        from notify.ent_notification n
        where n.id = any (p_notification_ids)
            and n.enterprise_id::text = p_enterprise_id
            and n.claim_owner = p_claim_owner
            and n.notification_status = 'PROCESSING'
        order by n.id
        for update
    ),
    released as (
        update notify.ent_notification n
        set notification_status = 'PENDING',
            claim_owner = null,
            lease_expires_at = null,
            processed_at = null,
            updated_at = now()
        from held
        where n.id = held.id
        returning n.id
    )
    select coalesce(jsonb_agg(r.id order by r.id), '[]') into v_released from released r;

    return jsonb_build_object('released', v_released);
end
$$;
