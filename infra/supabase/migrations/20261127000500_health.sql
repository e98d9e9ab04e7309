-- What listeners and workers say of themselves, and what health reads of the tables. Nothing here returns a payload or a
-- recipient. The contract is docs/database_functions.md.

create table if not exists notify.component_heartbeat (
    component_id text primary key,
    component text not null check (component in ('listener', 'worker')),
    reported_at timestamptz not null default now(),
    report jsonb not null
);
comment on table notify.component_heartbeat is
    'The latest report of each running process; one that has ended in good order takes its own away.';

alter table notify.component_heartbeat enable row level security;
revoke all on table notify.component_heartbeat from public, anon, authenticated;
grant select, insert, update, delete on table notify.component_heartbeat to service_role;

create or replace function notify.publish_heartbeat(p_component_id text, p_component text, p_report jsonb)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_reported_at constant timestamptz := clock_timestamp();
begin
    insert into notify.component_heartbeat (component_id, component, reported_at, report)
    values (p_component_id, p_component, v_reported_at, p_report)
    on conflict (component_id) do update
    set component = excluded.component, reported_at = excluded.reported_at, report = excluded.report;
    -- Processes that were killed leave theirs behind. Another may be clearing away the same ones: let it.
    delete from notify.component_heartbeat h
    where h.component_id in (
        select stale.component_id
        from notify.component_heartbeat stale
        where stale.reported_at < v_reported_at - interval '1 day'
        for update skip locked
    );
    return jsonb_build_object('reported_at', v_reported_at);
end
$$;

create or replace function notify.withdraw_heartbeat(p_component_id text)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
    with withdrawn as (
        delete from notify.component_heartbeat h where h.component_id = p_component_id returning 1
    )
    select jsonb_build_object('withdrawn', exists (select from withdrawn))
$$;

create or replace function notify.heartbeats(p_max_age_seconds double precision)
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
    select coalesce(jsonb_agg(h.report || jsonb_build_object('reported_at', h.reported_at) order by h.component_id), '[]')
    from notify.component_heartbeat h
    where h.reported_at >= now() - make_interval(secs => p_max_age_seconds)
$$;

create or replace function notify.health_observation(
    p_enterprise_ids text[], p_recent_seconds double precision, p_failures int
)
returns jsonb
language plpgsql
stable
security invoker
set search_path = ''
set enable_seqscan = off
set jit = off
as $$
declare
    v_most constant int := 1000;
    v_observation jsonb;
begin
    if p_recent_seconds is null or p_recent_seconds <= 0 or p_failures is null or p_failures < 0 then
        raise exception 'recent is a positive number of seconds, failures a count'
            using errcode = 'invalid_parameter_value';
    end if;

    -- Due rows are found as due_notifications finds them, and dated as unaccounted dates them; a thousand of each kind
    -- are enough to know how late an enterprise is: the lowest ids are, all but always, the oldest.
    select jsonb_build_object(
        'due', coalesce(
            (
                select jsonb_agg(
                    jsonb_build_object(
                        'enterprise_id', enterprise.id,
                        'rows', free.rows,
                        'oldest_age_seconds', greatest(0, coalesce(extract(epoch from now() - free.since), 0))
                    )
                    order by enterprise.id
                )
                from (select distinct e.id from unnest(p_enterprise_ids) as e (id)) as enterprise
                cross join lateral (
                    select least(count(*), v_most) as rows, min(due.since) as since
                    from (
                        (
                            select greatest(n.created_at, n.updated_at) as since
                            from notify.ent_notification n
                            where n.enterprise_id::text = enterprise.id
                                and n.notification_status = 'PENDING' and n.publish_status = 'PUBLISH' and not n.deactivated
                                and n.scheduled_for is null
                            order by n.id + 0
                            limit v_most
                        )
                        union all
                        (
                            select greatest(n.created_at, n.updated_at, n.scheduled_for)
                            from notify.ent_notification n
                            where n.enterprise_id::text = enterprise.id
                                and n.notification_status = 'PENDING' and n.publish_status = 'PUBLISH' and not n.deactivated
                                and n.scheduled_for is not null and n.scheduled_for <= now()
                            order by n.scheduled_for
                            limit v_most
                        )
                        union all
                        (
                            select greatest(n.created_at, n.updated_at, n.scheduled_for, n.lease_expires_at)
                            from notify.ent_notification n
                            where n.enterprise_id::text = enterprise.id
                                and n.notification_status = 'PROCESSING' and n.publish_status = 'PUBLISH' and not n.deactivated
                                and coalesce(n.lease_expires_at, '-infinity'::timestamptz) <= now()
                                and (n.scheduled_for is null or n.scheduled_for <= now())
                            order by coalesce(n.lease_expires_at, '-infinity'::timestamptz)
                            limit v_most
                        )
                    ) as due
                ) as free
            ),
            '[]'
        ),
        'passes', coalesce(
            (
                select jsonb_agg(
                    jsonb_build_object(
                        'enterprise_id', p.enterprise_id,
                        'scheduler', p.scheduler,
                        'last_pass_at', p.last_pass_at,
                        'overdue_seconds', greatest(0, coalesce(extract(epoch from now() - p.next_due_at), 0))
                    )
                    order by p.enterprise_id, p.scheduler
                )
                from notify.scheduler_pass p
                where p.enterprise_id = any (p_enterprise_ids)
            ),
            '[]'
        ),
        -- The predicate is written as ended_notifications writes it, for the index that serves both.
        'recent', (
            select jsonb_build_object(
                'seconds', p_recent_seconds,
                'sent', count(*) filter (where n.notification_status = 'SENT'),
                'failed', count(*) filter (where n.notification_status = 'FAILED'),
                'latency_p50_seconds', percentile_cont(0.5) within group (order by taken.seconds),
                'latency_p95_seconds', percentile_cont(0.95) within group (order by taken.seconds)
            )
            from notify.ent_notification n
            -- Only of rows sent at the first attempt: one that was published later, or sent again, was not due since
            -- its creation, and percentiles leave nulls out.
            cross join lateral (
                select case
                    when n.notification_status = 'SENT' and n.attempts = 1
                        then greatest(0, extract(epoch from n.updated_at - greatest(n.created_at, n.scheduled_for)))
                end as seconds
            ) as taken
            where coalesce(n.notification_status in ('SENT', 'FAILED', 'RETRACTED'), false)
                and n.updated_at >= now() - make_interval(secs => p_recent_seconds)
                and n.enterprise_id::text = any (p_enterprise_ids)
        ),
        'failures', coalesce(
            (
                select jsonb_agg(
                    jsonb_build_object(
                        'notification_id', latest.id,
                        'enterprise_id', latest.enterprise_id,
                        'code', coalesce(latest.code, 'unknown'),
                        'failed_at', latest.failed_at
                    )
                    order by latest.failed_at desc, latest.id desc
                )
                from (
                    select failed.*
                    from (select distinct e.id from unnest(p_enterprise_ids) as e (id)) as enterprise
                    cross join lateral (
                        select
                            n.id, n.enterprise_id::text as enterprise_id, n.updated_at as failed_at,
                            n.error_details ->> 'code' as code
                        from notify.ent_notification n
                        where n.enterprise_id::text = enterprise.id and n.notification_status = 'FAILED'
                        order by n.updated_at desc
                        limit p_failures
                    ) as failed
                    order by failed.failed_at desc, failed.id desc
                    limit p_failures
                ) as latest
            ),
            '[]'
        )
    )
    into v_observation;

    return v_observation;
end
$$;

-- One round trip for one look: what the asking process says of itself, what all others said, and what the tables say of
-- the enterprises that any listener among them serves.
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
        || jsonb_build_object('heartbeats', v_heartbeats);
end
$$;

-- The new functions belong to the service key alone, as the others do.
do $$
declare
    function regprocedure;
begin
    for function in
        select p.oid from pg_catalog.pg_proc p
        where p.pronamespace = 'notify'::regnamespace
            and p.proname in ('publish_heartbeat', 'withdraw_heartbeat', 'heartbeats', 'health_observation', 'look_at_health')
    loop
        execute format('revoke all on function %s from public, anon, authenticated', function);
        execute format('grant execute on function %s to service_role', function);
    end loop;
end
$$;
