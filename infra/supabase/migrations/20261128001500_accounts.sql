-- What operators, callers and retractions are told of rows, whatever these hold: instants that every reader knows, texts
-- and JSON up to a length. The contract is docs/database_functions.md.

create or replace function notify.trace_notification(p_notification_id bigint)
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
    select jsonb_build_object(
        'now', now(),
        'id', n.id,
        'enterprise_id', n.enterprise_id::text,
        'status', n.notification_status,
        'publish_status', n.publish_status,
        'deactivated', n.deactivated,
        'created_at', notify.readable_instant(n.created_at),
        'updated_at', notify.readable_instant(n.updated_at),
        'processed_at', notify.readable_instant(n.processed_at),
        'scheduled_for', notify.readable_instant(n.scheduled_for),
        'deliver_before', notify.readable_instant(n.deliver_before),
        'retracted_at', notify.readable_instant(n.retracted_at),
        'lease_expires_at', notify.readable_instant(n.lease_expires_at),
        'claim_owner', left(n.claim_owner, 1000),
        'attempts', n.attempts,
        'chunks_sent', n.chunks_sent,
        'transaction_id', left(n.transaction_id, 1000),
        'recipient_count', (select count(distinct r.id) from unnest(n.recipients::text[]) as r (id)),
        'error_details', case
            when notify.unreadable_json(n.error_details, 64 * 1024) is null then n.error_details
            else jsonb_build_object(
                'code', left(n.error_details ->> 'code', 100),
                'message', 'error_details ' || notify.unreadable_json(n.error_details, 64 * 1024)
            )
        end,
        'cancellation', case when notify.unreadable_json(n.cancellation, 64 * 1024) is null then n.cancellation end,
        'rule_id', n.notification_rule_id,
        'workflow', (
            select jsonb_build_object(
                'key', left(w.workflow_key, 1000),
                'active', w.publish_status = 'PUBLISH' and not w.deactivated,
                'same_enterprise', coalesce(w.enterprise_id::text = n.enterprise_id::text, false)
            )
            from notify.ent_notification_workflow w
            where w.id = n.notification_workflow_id
        )
    )
    from notify.ent_notification n
    where n.id = p_notification_id
$$;

create or replace function notify.ended_notifications(
    p_since timestamptz, p_after_id bigint, p_enterprise_id text, p_limit int
)
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
    select jsonb_build_object(
        'now', now(),
        'has_more', count(*) > p_limit,
        'ended', coalesce(
            jsonb_agg(
                jsonb_build_object(
                    'id', e.id,
                    'enterprise_id', e.enterprise_id::text,
                    'status', e.notification_status,
                    'code', left(e.error_details ->> 'code', 100),
                    'attempts', e.attempts,
                    'transaction_id', left(e.transaction_id, 1000),
                    'at', notify.readable_instant(e.updated_at)
                )
                order by e.updated_at, e.id
            ) filter (where e.place <= p_limit),
            '[]'
        )
    )
    from (
        select n.*, row_number() over (order by n.updated_at, n.id) as place
        from notify.ent_notification n
        where coalesce(n.notification_status in ('SENT', 'FAILED', 'RETRACTED'), false)
            and (n.updated_at, n.id) > (coalesce(p_since, now()), coalesce(p_after_id, 0))
            -- What claims to end later would be the end of every page.
            and n.updated_at <= now() + interval '1 day'
            and (p_enterprise_id is null or n.enterprise_id::text = p_enterprise_id)
        order by n.updated_at, n.id
        limit p_limit + 1
    ) as e
$$;

create or replace function notify.replay_notifications(
    p_enterprise_id text, p_since timestamptz, p_code text, p_limit int, p_dry_run boolean default true
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_ids bigint[];
    v_result jsonb;
begin
    if p_enterprise_id is null or p_limit is null or p_limit not between 1 and 1000 then
        raise exception 'a replay needs an enterprise and a limit of 1 to 1000'
            using errcode = 'invalid_parameter_value';
    end if;

    -- Only what would be sent: as PENDING, a withdrawn row would wait for ever, and one past its time fail again.
    select coalesce(array_agg(chosen.id), '{}') into v_ids
    from (
        select n.id
        from notify.ent_notification n
        where n.notification_status = 'FAILED' and n.enterprise_id::text = p_enterprise_id
            and (p_since is null or n.updated_at >= p_since)
            and (p_code is null or n.error_details ->> 'code' = p_code)
            and n.publish_status = 'PUBLISH' and not n.deactivated
            and (n.deliver_before is null or n.deliver_before > now())
        order by n.updated_at, n.id
        limit p_limit
        for update skip locked
    ) as chosen;

    select coalesce(jsonb_agg(to_jsonb(by_code) order by by_code.code), '[]')
    into v_result
    from (
        select coalesce(left(n.error_details ->> 'code', 100), 'unknown') as code,
            count(*) as failed,
            count(*) filter (where n.id = any (v_ids)) as chosen,
            -- Of these Novu may have taken something: it leaves out what it recognises by the transaction id.
            count(*) filter (
                where n.id = any (v_ids) and (n.transaction_id is not null or n.chunks_sent > 0)
            ) as may_have_reached_novu,
            count(*) filter (where n.publish_status <> 'PUBLISH' or n.deactivated) as inactive,
            count(*) filter (
                where n.publish_status = 'PUBLISH' and not n.deactivated and n.deliver_before <= now()
            ) as past_deliver_before
        from notify.ent_notification n
        where n.notification_status = 'FAILED' and n.enterprise_id::text = p_enterprise_id
            and (p_since is null or n.updated_at >= p_since)
            and (p_code is null or n.error_details ->> 'code' = p_code)
        group by 1
    ) as by_code;

    if not p_dry_run then
        -- Transaction id and count of accepted chunks stay: by them Novu and the worker leave out who was served.
        update notify.ent_notification n
        set notification_status = 'PENDING', claim_owner = null, lease_expires_at = null, processed_at = null,
            updated_at = now()
        where n.id = any (v_ids) and n.notification_status = 'FAILED';
    end if;

    return jsonb_build_object('dry_run', p_dry_run, 'codes', v_result, 'notification_ids', to_jsonb(v_ids));
end
$$;

create or replace function notify.trace_rule(p_rule_id bigint)
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
    select jsonb_build_object(
        'rule', jsonb_build_object(
            'enterprise_id', r.enterprise_id::text,
            'trigger_type', left(r.trigger_type, 100),
            'trigger_config', case when unreadable.reason is null then r.trigger_config end,
            'unreadable', 'trigger_config ' || unreadable.reason,
            'schedule_error', left(r.schedule_error, 1000),
            'notification_workflow_id', r.notification_workflow_id,
            'publish_status', r.publish_status,
            'deactivated', r.deactivated
        ),
        'workflow', (
            select jsonb_build_object(
                'enterprise_id', w.enterprise_id::text, 'publish_status', w.publish_status, 'deactivated', w.deactivated
            )
            from notify.ent_notification_workflow w
            where w.id = r.notification_workflow_id
        )
    )
    from notify.ent_notification_rule r
    cross join lateral (select notify.unreadable_json(r.trigger_config, 64 * 1024) as reason) as unreadable
    where r.id = p_rule_id
$$;

create or replace function notify.notifications_to_trigger(p_enterprise_ids text[], p_notification_ids bigint[])
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
    select coalesce(
        jsonb_agg(
            jsonb_build_object(
                'id', n.id,
                'enterprise_id', n.enterprise_id::text,
                'status', n.notification_status,
                'active', n.publish_status = 'PUBLISH' and not n.deactivated,
                'scheduled_for', notify.readable_instant(n.scheduled_for),
                -- One that can never fall due: its claim ends it, and says why.
                'due', n.scheduled_for is null or n.scheduled_for <= now() or n.scheduled_for >= '9999-12-01 00:00:00+00'
            )
            order by n.id
        ),
        '[]'
    )
    from notify.ent_notification n
    where n.id = any (p_notification_ids) and n.enterprise_id::text = any (p_enterprise_ids)
$$;

create or replace function notify.retractions_to_cancel(p_enterprise_id text, p_notification_ids bigint[])
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
    select coalesce(
        jsonb_agg(
            jsonb_build_object(
                'id', n.id,
                -- One that no notification of ours and none of Novu's can bear.
                'transaction_id', case when length(n.transaction_id) <= 255 then n.transaction_id end,
                'recipient_count', (select count(distinct r.id) from unnest(n.recipients::text[]) as r (id)),
                'settled', n.lease_expires_at is null
            )
            order by n.id
        ),
        '[]'
    )
    from (
        select asked.*
        from notify.ent_notification asked
        where asked.id = any (p_notification_ids) and asked.enterprise_id::text = p_enterprise_id
        -- By primary key: after a mass retraction the index of all that wait would be the long way round.
        offset 0
    ) as n
    where n.notification_status = 'RETRACTED' and n.cancellation is null
        and (n.transaction_id is not null or n.chunks_sent > 0 or n.lease_expires_at is not null)
        and (
            n.lease_expires_at is null or n.lease_expires_at <= now() or n.lease_expires_at > now() + interval '2 days'
        )
$$;

create or replace function notify.record_cancellations(p_enterprise_id text, p_cancellations jsonb)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_recorded jsonb;
begin
    if exists (
        select
        from jsonb_to_recordset(p_cancellations) as c (id bigint, transaction_id text, cancellation jsonb)
        where c.id is null or c.transaction_id is null or jsonb_typeof(c.cancellation) is distinct from 'object'
    ) then
        raise exception 'a cancellation has an id, a transaction_id and an object cancellation'
            using errcode = 'invalid_parameter_value';
    end if;

    with asked as (
        select c.id, c.transaction_id, c.cancellation
        from jsonb_to_recordset(p_cancellations) as c (id bigint, transaction_id text, cancellation jsonb)
    ),
    found as (
        select n.id, n.notification_status, n.cancellation, n.transaction_id, n.chunks_sent, n.lease_expires_at
        from notify.ent_notification n
        where n.id in (select asked.id from asked) and n.enterprise_id::text = p_enterprise_id
        order by n.id
        for update
    )
    update notify.ent_notification n
    set cancellation = jsonb_build_object('at', now()) || asked.cancellation,
        -- Of a claim that lapsed nobody knows whether Novu took it: from here on the row says that it may have.
        transaction_id = coalesce(found.transaction_id, asked.transaction_id),
        updated_at = now()
    from found
    join asked on asked.id = found.id
    where n.id = found.id
        and found.notification_status = 'RETRACTED' and found.cancellation is null
        and (found.transaction_id is not null or found.chunks_sent > 0 or found.lease_expires_at is not null)
        and (
            found.lease_expires_at is null or found.lease_expires_at <= now()
            or found.lease_expires_at > now() + interval '2 days'
        )
        -- Settled since Novu was asked: Novu may have taken it after its answer, and is asked again.
        and not (found.lease_expires_at is null and asked.cancellation @> '{"settled": false}');

    select coalesce(jsonb_agg(distinct n.id order by n.id), '[]')
    into v_recorded
    from jsonb_to_recordset(p_cancellations) as c (id bigint)
    join notify.ent_notification n on n.id = c.id
    where n.enterprise_id::text = p_enterprise_id
        and n.notification_status = 'RETRACTED' and n.cancellation is not null;

    return jsonb_build_object('recorded', v_recorded);
end
$$;
