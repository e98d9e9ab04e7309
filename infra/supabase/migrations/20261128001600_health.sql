-- Health, the schedulers' passes and the scaler's memory, whatever the rows they are read from hold.
-- The contract is docs/database_functions.md.

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
        and h.reported_at <= now() + interval '1 day'
        and jsonb_typeof(h.report) = 'object'
        and notify.unreadable_json(h.report, 4 * 1024 * 1024) is null
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
                    select least(count(*), v_most) as rows, min(dated.since) as since
                    from (
                        (
                            select n.created_at, n.updated_at, null::timestamptz as scheduled_for, null::timestamptz as lease_expires_at
                            from notify.ent_notification n
                            where n.enterprise_id::text = enterprise.id
                                and n.notification_status = 'PENDING' and n.publish_status = 'PUBLISH' and not n.deactivated
                                and n.scheduled_for is null
                            order by n.id + 0
                            limit v_most
                        )
                        union all
                        (
                            select n.created_at, n.updated_at, n.scheduled_for, null
                            from notify.ent_notification n
                            where n.enterprise_id::text = enterprise.id
                                and n.notification_status = 'PENDING' and n.publish_status = 'PUBLISH' and not n.deactivated
                                and n.scheduled_for is not null and n.scheduled_for <= now()
                            order by n.scheduled_for
                            limit v_most
                        )
                        union all
                        (
                            select n.created_at, n.updated_at, null, null
                            from notify.ent_notification n
                            where n.enterprise_id::text = enterprise.id
                                and n.notification_status = 'PENDING' and n.publish_status = 'PUBLISH' and not n.deactivated
                                and n.scheduled_for is not null and n.scheduled_for >= '9999-12-01 00:00:00+00'
                            order by n.scheduled_for
                            limit v_most
                        )
                        union all
                        (
                            select n.created_at, n.updated_at, n.scheduled_for, n.lease_expires_at
                            from notify.ent_notification n
                            where n.enterprise_id::text = enterprise.id
                                and n.notification_status = 'PROCESSING' and n.publish_status = 'PUBLISH' and not n.deactivated
                                and coalesce(n.lease_expires_at, '-infinity'::timestamptz) <= now()
                                and (n.scheduled_for is null or n.scheduled_for <= now() or n.scheduled_for >= '9999-12-01 00:00:00+00')
                            order by coalesce(n.lease_expires_at, '-infinity'::timestamptz)
                            limit v_most
                        )
                        union all
                        (
                            select n.created_at, n.updated_at, n.scheduled_for, n.lease_expires_at
                            from notify.ent_notification n
                            where n.enterprise_id::text = enterprise.id
                                and n.notification_status = 'PROCESSING' and n.publish_status = 'PUBLISH' and not n.deactivated
                                and coalesce(n.lease_expires_at, '-infinity'::timestamptz) > now() + interval '2 days'
                                and (n.scheduled_for is null or n.scheduled_for <= now() or n.scheduled_for >= '9999-12-01 00:00:00+00')
                            order by coalesce(n.lease_expires_at, '-infinity'::timestamptz)
                            limit v_most
                        )
                    ) as due
                    cross join lateral (
                        -- Only what can be true: of a row that bears no such instant nobody knows since when, and it counts as old.
                        select coalesce(max(written.instant), '1970-01-01 00:00:00+00') as since
                        from unnest(
                            array[due.created_at, due.updated_at, due.scheduled_for, due.lease_expires_at]
                        ) as written (instant)
                        where written.instant between '1970-01-01 00:00:00+00' and now() + interval '1 day'
                    ) as dated
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
                        'last_pass_at', notify.readable_instant(p.last_pass_at),
                        'overdue_seconds',
                        greatest(0, coalesce(extract(epoch from now() - notify.readable_instant(p.next_due_at)), 0))
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
                        and greatest(n.created_at, n.scheduled_for)
                            between '1970-01-01 00:00:00+00' and now() + interval '1 day'
                        then greatest(0, extract(epoch from n.updated_at - greatest(n.created_at, n.scheduled_for)))
                end as seconds
            ) as taken
            where coalesce(n.notification_status in ('SENT', 'FAILED', 'RETRACTED'), false)
                and n.updated_at >= now() - make_interval(secs => p_recent_seconds)
                -- What claims to end later has ended at no time that counts as recent, nor as the latest.
                and n.updated_at <= now() + interval '1 day'
                and n.enterprise_id::text = any (p_enterprise_ids)
        ),
        'failures', coalesce(
            (
                select jsonb_agg(
                    jsonb_build_object(
                        'notification_id', latest.id,
                        'enterprise_id', latest.enterprise_id,
                        'code', coalesce(latest.code, 'unknown'),
                        'failed_at', notify.readable_instant(latest.failed_at)
                    )
                    order by latest.failed_at desc, latest.id desc
                )
                from (
                    select failed.*
                    from (select distinct e.id from unnest(p_enterprise_ids) as e (id)) as enterprise
                    cross join lateral (
                        select
                            n.id, n.enterprise_id::text as enterprise_id, n.updated_at as failed_at,
                            left(n.error_details ->> 'code', 100) as code
                        from notify.ent_notification n
                        where n.enterprise_id::text = enterprise.id and n.notification_status = 'FAILED'
                            and n.updated_at <= now() + interval '1 day'
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

create or replace function notify.scheduler_passes(p_enterprise_ids text[])
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
    select coalesce(
        jsonb_agg(
            jsonb_build_object(
                'enterprise_id', p.enterprise_id,
                'scheduler', p.scheduler,
                'last_pass_at', notify.readable_instant(p.last_pass_at),
                'next_due_at', notify.readable_instant(p.next_due_at)
            )
            order by p.enterprise_id, p.scheduler
        ),
        '[]'
    )
    from notify.scheduler_pass p
    where p.enterprise_id = any (p_enterprise_ids)
$$;

create or replace function notify.begin_scaler_tick(p_pool text, p_hold_seconds double precision)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_begun jsonb;
begin
    if coalesce(p_pool, '') = '' or p_hold_seconds is null or p_hold_seconds <= 0 then
        raise exception 'a pool, and a positive number of seconds' using errcode = 'invalid_parameter_value';
    end if;
    insert into notify.scaler (pool) values (p_pool) on conflict (pool) do nothing;
    -- Of two at once the second waits for the first's row, and then sees it held.
    update notify.scaler s
    set version = s.version + 1,
        held_until = clock_timestamp() + make_interval(secs => p_hold_seconds),
        updated_at = clock_timestamp()
    where s.pool = p_pool
        -- No tick holds so long: whoever wrote this holds nothing.
        and (s.held_until <= clock_timestamp() or s.held_until > clock_timestamp() + interval '1 day')
    returning jsonb_build_object(
        'begun', true,
        'version', s.version,
        'memory', case when notify.unreadable_json(s.memory, 1024 * 1024) is null then s.memory end,
        'now', clock_timestamp()
    )
    into v_begun;
    return coalesce(v_begun, jsonb_build_object('begun', false));
end
$$;
