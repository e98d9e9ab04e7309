-- A look at the health of a deployment that serves everybody, which costs what there is to tell, not what enterprises there
-- are. The contract is docs/database_functions.md; the reasons, docs/decisions/0083.

-- The latest that failed, whoever's they are.
create index if not exists ent_notification_latest_failed
    on notify.ent_notification (updated_at)
    where notification_status = 'FAILED';

-- Who has rows that are due or in somebody's hands, or that something is noted of: by as many probes of an index as there
-- are such enterprises.
create or replace function notify.busy_enterprises()
returns setof text
language sql
stable
security invoker
set search_path = ''
set enable_seqscan = off
set jit = off
as $$
    with recursive
    unscheduled (id) as (
        select min(n.enterprise_id::text)
        from notify.ent_notification n
        where n.notification_status = 'PENDING' and n.publish_status = 'PUBLISH' and not n.deactivated
            and n.scheduled_for is null
        union all
        select (
            select n.enterprise_id::text
            from notify.ent_notification n
            where n.enterprise_id::text > e.id
                and n.notification_status = 'PENDING' and n.publish_status = 'PUBLISH' and not n.deactivated
                and n.scheduled_for is null
            order by n.enterprise_id::text
            limit 1
        )
        from unscheduled e
        where e.id is not null
    ),
    claimed (id) as (
        select min(n.enterprise_id::text)
        from notify.ent_notification n
        where n.notification_status = 'PROCESSING' and n.publish_status = 'PUBLISH' and not n.deactivated
        union all
        select (
            select n.enterprise_id::text
            from notify.ent_notification n
            where n.enterprise_id::text > e.id
                and n.notification_status = 'PROCESSING' and n.publish_status = 'PUBLISH' and not n.deactivated
            order by n.enterprise_id::text
            limit 1
        )
        from claimed e
        where e.id is not null
    )
    select u.id from unscheduled u where u.id is not null
    union select c.id from claimed c where c.id is not null
    union
    select f.enterprise_id from notify.first_scheduled() as f
    where f.scheduled_for <= now() or f.scheduled_for >= '9999-12-01 00:00:00+00'
    union select d.enterprise_id from notify.delivery_fault d
    union select r.enterprise_id from notify.refused_update r
    -- Claimed again and again, or in doubt: also of a row that is deactivated by now.
    union select n.enterprise_id::text from notify.ent_notification n where n.notification_status = 'PROCESSING' and n.attempts > 3
    union
    select n.enterprise_id::text
    from notify.ent_notification n
    where n.notification_status = 'PROCESSING' and n.in_doubt_since is not null
$$;

-- As health_observation, of so many enterprises that it is not said of each that there is nothing to say. Overdue passes
-- are those of enterprises that are served.
create or replace function notify.health_of_many(p_served text[], p_recent_seconds double precision, p_failures int)
returns jsonb
language plpgsql
security invoker
set search_path = ''
set jit = off
as $$
declare
    c_most constant int := 1000;
    v_busy text[];
    -- Below, ids are compared as `id || ''`: an index by enterprise would be asked thousands of times for what one by time
    -- answers at once.
begin
    select coalesce(array_agg(b.id), '{}') into v_busy
    from notify.busy_enterprises() as b (id)
    where b.id = any (p_served);

    return notify.health_observation(v_busy, p_recent_seconds, 0)
        || jsonb_build_object(
            'passes', coalesce(
                (
                    select jsonb_agg(
                        jsonb_build_object(
                            'enterprise_id', overdue.enterprise_id,
                            'scheduler', overdue.scheduler,
                            'last_pass_at', notify.readable_instant(overdue.last_pass_at),
                            'overdue_seconds',
                            greatest(0, coalesce(extract(epoch from now() - notify.readable_instant(overdue.next_due_at)), 0))
                        )
                        order by overdue.enterprise_id, overdue.scheduler
                    )
                    from (
                        select p.*
                        from notify.scheduler_pass p
                        where p.scheduler in ('cron', 'scheduled') and p.next_due_at <= now()
                            and p.enterprise_id || '' = any (p_served)
                        order by p.next_due_at
                        limit c_most
                    ) as overdue
                ),
                '[]'
            ),
            'recent', (
                select jsonb_build_object(
                    'seconds', p_recent_seconds,
                    'sent', count(*) filter (where n.notification_status = 'SENT'),
                    'failed', count(*) filter (where n.notification_status = 'FAILED'),
                    'latency_p50_seconds', percentile_cont(0.5) within group (order by taken.seconds),
                    'latency_p95_seconds', percentile_cont(0.95) within group (order by taken.seconds)
                )
                from notify.ent_notification n
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
                    and n.updated_at <= now() + interval '1 day'
                    and n.enterprise_id::text || '' = any (p_served)
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
                        select
                            n.id, n.enterprise_id::text as enterprise_id, n.updated_at as failed_at,
                            left(n.error_details ->> 'code', 100) as code
                        from notify.ent_notification n
                        where n.notification_status = 'FAILED' and n.updated_at <= now() + interval '1 day'
                            and n.enterprise_id::text || '' = any (p_served)
                        order by n.updated_at desc
                        limit p_failures
                    ) as latest
                ),
                '[]'
            ),
            'retried', notify.retried_deliveries(v_busy),
            'in_hands', notify.rows_in_hands(v_busy),
            'rule_errors', notify.rules_in_error(
                array(
                    select distinct r.enterprise_id::text
                    from notify.ent_notification_rule r
                    where r.schedule_error is not null and r.publish_status = 'PUBLISH' and not r.deactivated
                        and r.enterprise_id::text || '' = any (p_served)
                )
            )
        );
end
$$;

create or replace function notify.lost_components(p_max_age_seconds double precision)
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
    select coalesce(
        jsonb_agg(
            jsonb_build_object(
                'component_id', lost.component_id,
                'component', lost.component,
                'host', left(coalesce(lost.report -> 'process' ->> 'host', ''), 100),
                'pid', case when lost.report -> 'process' ->> 'pid' ~ '^[0-9]{1,9}$' then (lost.report -> 'process' ->> 'pid')::int end,
                'reported_at', lost.reported_at,
                'silent_seconds', greatest(0, extract(epoch from now() - lost.reported_at)),
                'enterprise_ids', (
                    select coalesce(jsonb_agg(heard.id order by heard.id), '[]')
                    from jsonb_object_keys(
                        case when jsonb_typeof(lost.report -> 'listener' -> 'enterprises') = 'object'
                            then lost.report -> 'listener' -> 'enterprises' else '{}' end
                    ) as heard (id)
                    where heard.id ~ '^[A-Za-z0-9_.-]{1,64}$'
                ),
                -- Of a listener of everybody, which names few.
                'shards', case
                    when lost.report -> 'listener' -> 'serves_everybody' = 'true'
                        and jsonb_typeof(lost.report -> 'listener' -> 'shards') = 'array'
                        then (
                            select coalesce(jsonb_agg(heard.shard order by heard.shard), '[]')
                            from (
                                select each::int as shard
                                from jsonb_array_elements_text(lost.report -> 'listener' -> 'shards') as each
                                where each ~ '^[0-9]{1,2}$'
                            ) as heard
                        )
                    else '[]'
                end
            )
            order by lost.reported_at desc, lost.component_id
        ),
        '[]'
    )
    from (
        select h.*
        from notify.component_heartbeat h
        where h.reported_at < now() - make_interval(secs => p_max_age_seconds)
            and h.reported_at >= now() - interval '1 day'
            and jsonb_typeof(h.report) = 'object'
            and notify.unreadable_json(h.report, 4 * 1024 * 1024) is null
        order by h.reported_at desc
        limit 20
    ) as lost
$$;

-- As look_at_health, for readers that know of listeners of everybody: those say which shards they hear, and not whom. `p_seen`
-- is the digest of an earlier answer: of the same nothing is said.
create or replace function notify.look_at_deployment(
    p_reports jsonb,
    p_max_age_seconds double precision,
    p_recent_seconds double precision,
    p_failures int,
    p_enterprise_ids text[],
    p_seen text
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    c_few constant int := 100;
    v_report jsonb;
    v_heartbeats jsonb;
    v_lost jsonb;
    v_paused text[];
    v_known text[];
    v_served text[];
    v_digest text;
    v_observation jsonb;
begin
    for v_report in select r from jsonb_array_elements(p_reports) as r loop
        perform notify.publish_heartbeat(
            v_report ->> 'component_id', v_report ->> 'component', v_report -> 'report'
        );
    end loop;
    v_heartbeats := notify.heartbeats(p_max_age_seconds);
    v_lost := notify.lost_components(p_max_age_seconds);
    select coalesce(array_agg(e.enterprise_id), '{}') into v_paused from notify.enterprise e where not e.served;
    -- Who is paused is heard by nobody, and should not be.
    select coalesce(array_agg(distinct known.id), '{}')
    into v_known
    from (
        select enterprise.id
        from jsonb_array_elements(v_heartbeats) as h
        cross join lateral jsonb_object_keys(
            case when jsonb_typeof(h -> 'listener' -> 'enterprises') = 'object' then h -> 'listener' -> 'enterprises' else '{}' end
        ) as enterprise (id)
        union
        select expected.id
        from (
            select jsonb_array_elements_text(l -> 'enterprise_ids') as id from jsonb_array_elements(v_lost) as l
            union
            select listed.id from unnest(p_enterprise_ids) as listed (id)
        ) as expected
        where expected.id <> all (v_paused)
    ) as known;
    if exists (
        select from jsonb_array_elements(v_heartbeats) as h where h -> 'listener' -> 'serves_everybody' = 'true'
    ) then
        select coalesce(array_agg(e.enterprise_id order by e.enterprise_id collate "C"), '{}')
        into v_served
        from notify.enterprise e
        where e.served and e.enterprise_id ~ '^[A-Za-z0-9_.-]{1,64}$';
        v_digest := md5(array_to_string(v_served, ','));
        v_known := v_served || array(
            select named.id
            from unnest(v_known) as named (id)
            where not exists (select from notify.enterprise e where e.enterprise_id = named.id and e.served)
        );
    end if;

    if v_served is null or cardinality(v_known) <= c_few then
        v_observation := notify.health_observation(v_known, p_recent_seconds, p_failures)
            || jsonb_build_object(
                'retried', notify.retried_deliveries(v_known),
                'in_hands', notify.rows_in_hands(v_known),
                'rule_errors', notify.rules_in_error(v_known)
            );
    else
        v_observation := notify.health_of_many(v_known, p_recent_seconds, p_failures);
    end if;
    return v_observation
        || jsonb_build_object(
            'heartbeats', v_heartbeats,
            'lost', v_lost,
            'paused', v_paused,
            'delivery', notify.delivery_states(v_known),
            'latest_faults', (
                select coalesce(jsonb_object_agg(latest.code, notify.readable_instant(latest.last_at)), '{}')
                from (
                    select f.code, max(f.last_at) as last_at
                    from notify.delivery_fault f
                    where f.enterprise_id || '' = any (v_known)
                    group by f.code
                ) as latest
            ),
            'everybody', case
                when v_served is not null then jsonb_build_object(
                    'digest', v_digest,
                    'served', case when v_digest is distinct from p_seen then to_jsonb(v_served) end
                )
            end
        );
end
$$;

do $$
declare
    function regprocedure;
begin
    for function in
        select p.oid from pg_catalog.pg_proc p
        where p.pronamespace = 'notify'::regnamespace
            and p.proname in ('busy_enterprises', 'health_of_many', 'lost_components', 'look_at_deployment')
    loop
        execute format('revoke all on function %s from public, anon, authenticated', function);
        execute format('grant execute on function %s to service_role', function);
    end loop;
end
$$;
