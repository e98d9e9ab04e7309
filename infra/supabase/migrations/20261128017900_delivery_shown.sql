-- What operators and health are told of deliveries. The contract is docs/database_functions.md.

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
        'transaction_base', left(n.transaction_base, 1000),
        'in_doubt_since', notify.readable_instant(n.in_doubt_since),
        'doubtful_repeats', n.doubtful_repeats,
        'recipient_count', (select count(distinct r.id) from unnest(n.recipients::text[]) as r (id)),
        'error_details', case
            when notify.unreadable_json(n.error_details, 64 * 1024) is null then n.error_details
            else jsonb_build_object(
                'code', left(n.error_details ->> 'code', 100),
                'message', 'error_details ' || notify.unreadable_json(n.error_details, 64 * 1024)
            )
        end,
        'delivery', case when notify.unreadable_json(n.delivery, 64 * 1024) is null then n.delivery end,
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
                    'delivery', left(e.delivery ->> 'state', 20),
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

-- What became of notifications since an instant, in the order in which it did.
create or replace function notify.settled_deliveries(
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
        'settled', coalesce(
            jsonb_agg(
                jsonb_build_object(
                    'id', s.notification_id,
                    'enterprise_id', s.enterprise_id,
                    'state', s.state,
                    'cause', left(n.delivery ->> 'cause', 40),
                    'at', s.state_at
                )
                order by s.state_at, s.notification_id
            ) filter (where s.place <= p_limit),
            '[]'
        )
    )
    from (
        select a.*, row_number() over (order by a.state_at, a.notification_id) as place
        from notify.delivery_account a
        where a.state <> 'accepted'
            and (a.state_at, a.notification_id) > (coalesce(p_since, now()), coalesce(p_after_id, 0))
            and (p_enterprise_id is null or a.enterprise_id = p_enterprise_id)
        order by a.state_at, a.notification_id
        limit p_limit + 1
    ) as s
    join notify.ent_notification n on n.id = s.notification_id
$$;

create or replace function notify.delivery_states(p_enterprise_ids text[])
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
    with latest as (
        select a.state
        from notify.delivery_account a
        where a.enterprise_id = any (p_enterprise_ids)
        order by a.opened_at desc
        limit 2000
    )
    select jsonb_build_object(
        'rows', (select count(*) from latest),
        'states', coalesce(
            (
                select jsonb_object_agg(counted.state, counted.rows)
                from (select latest.state, count(*) as rows from latest group by latest.state) as counted
            ),
            '{}'
        ),
        'unheard_seconds', (
            select coalesce(extract(epoch from now() - min(a.opened_at)), 0)
            from notify.delivery_account a
            where a.heard_at is null and a.enterprise_id = any (p_enterprise_ids)
        )
    )
$$;

create or replace function notify.look_at_health(
    p_reports jsonb, p_max_age_seconds double precision, p_recent_seconds double precision, p_failures int
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_report jsonb;
    v_heartbeats jsonb;
    v_enterprise_ids text[];
begin
    for v_report in select r from jsonb_array_elements(p_reports) as r loop
        perform notify.publish_heartbeat(
            v_report ->> 'component_id', v_report ->> 'component', v_report -> 'report'
        );
    end loop;
    v_heartbeats := notify.heartbeats(p_max_age_seconds);
    select coalesce(array_agg(distinct enterprise.id), '{}')
    into v_enterprise_ids
    from jsonb_array_elements(v_heartbeats) as h
    cross join lateral jsonb_object_keys(
        case when jsonb_typeof(h -> 'listener' -> 'enterprises') = 'object' then h -> 'listener' -> 'enterprises' else '{}' end
    ) as enterprise (id);
    return notify.health_observation(v_enterprise_ids, p_recent_seconds, p_failures)
        || jsonb_build_object('heartbeats', v_heartbeats, 'retried', notify.retried_deliveries(v_enterprise_ids),
            'delivery', notify.delivery_states(v_enterprise_ids));
end
$$;


do $$
declare
    function regprocedure;
begin
    for function in
        select p.oid from pg_catalog.pg_proc p
        where p.pronamespace = 'notify'::regnamespace and p.proname in ('settled_deliveries', 'delivery_states')
    loop
        execute format('revoke all on function %s from public, anon, authenticated', function);
        execute format('grant execute on function %s to service_role', function);
    end loop;
end
$$;
