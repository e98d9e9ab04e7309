-- What health compares: who should be heard and worked for, and who is; rows in somebody's hands, rules with errors, and
-- listeners and workers that ended without a word. The contract is docs/database_functions.md.

create index if not exists ent_notification_rule_error
    on notify.ent_notification_rule ((enterprise_id::text), id)
    where schedule_error is not null and publish_status = 'PUBLISH' and not deactivated;

-- Whoever ends in good order takes its heartbeat away: one that is old and still there is of somebody who was killed, is
-- frozen, or does not reach the database.
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
                )
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

-- Rows that somebody holds, by enterprise, of each counted up to a thousand; since their latest claim, or the first fault.
create or replace function notify.rows_in_hands(p_enterprise_ids text[])
returns jsonb
language sql
stable
security invoker
set search_path = ''
set enable_seqscan = off
set jit = off
as $$
    select coalesce(
        jsonb_agg(
            jsonb_build_object(
                'enterprise_id', enterprise.id, 'rows', held.rows,
                'oldest_age_seconds', greatest(0, coalesce(extract(epoch from now() - held.since), 0))
            )
            order by enterprise.id
        ),
        '[]'
    )
    from (select distinct e.id from unnest(p_enterprise_ids) as e (id)) as enterprise
    cross join lateral (
        select count(*) as rows, min(each.since) as since
        from (
            select
                case when dated.instant between '1970-01-01 00:00:00+00' and now() + interval '1 day' then dated.instant end as since
            from notify.ent_notification n
            left join notify.delivery_fault f on f.notification_id = n.id and f.claim_owner = n.claim_owner
            cross join lateral (select coalesce(f.since, n.in_doubt_since, n.processed_at) as instant) as dated
            where n.enterprise_id::text = enterprise.id
                and n.notification_status = 'PROCESSING' and n.publish_status = 'PUBLISH' and not n.deactivated
                and coalesce(n.lease_expires_at, '-infinity'::timestamptz) > now()
                and coalesce(n.lease_expires_at, '-infinity'::timestamptz) <= now() + interval '2 days'
            limit 1000
        ) as each
    ) as held
    where held.rows > 0
$$;

-- Rules that cannot fire, and why one of them cannot.
create or replace function notify.rules_in_error(p_enterprise_ids text[])
returns jsonb
language sql
stable
security invoker
set search_path = ''
set enable_seqscan = off
set jit = off
as $$
    select coalesce(
        jsonb_agg(
            jsonb_build_object(
                'enterprise_id', enterprise.id, 'rules', wrong.rules, 'rule_id', wrong.rule_id, 'error', wrong.error
            )
            order by enterprise.id
        ),
        '[]'
    )
    from (select distinct e.id from unnest(p_enterprise_ids) as e (id)) as enterprise
    cross join lateral (
        select
            count(*) as rules, min(each.id) as rule_id,
            (array_agg(left(each.schedule_error, 200) order by each.id))[1] as error
        from (
            select r.id, r.schedule_error
            from notify.ent_notification_rule r
            where r.enterprise_id::text = enterprise.id
                and r.schedule_error is not null and r.publish_status = 'PUBLISH' and not r.deactivated
            order by r.id
            limit 1000
        ) as each
    ) as wrong
    where wrong.rules > 0
$$;

-- With one parameter more: whoever calls without it is answered as before.
drop function if exists notify.look_at_health(jsonb, double precision, double precision, int);

create or replace function notify.look_at_health(
    p_reports jsonb, p_max_age_seconds double precision, p_recent_seconds double precision, p_failures int,
    p_enterprise_ids text[] default '{}'
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_report jsonb;
    v_heartbeats jsonb;
    v_lost jsonb;
    v_paused text[];
    v_enterprise_ids text[];
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
    into v_enterprise_ids
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
    return notify.health_observation(v_enterprise_ids, p_recent_seconds, p_failures)
        || jsonb_build_object(
            'heartbeats', v_heartbeats,
            'lost', v_lost,
            'paused', v_paused,
            'retried', notify.retried_deliveries(v_enterprise_ids),
            'delivery', notify.delivery_states(v_enterprise_ids),
            'in_hands', notify.rows_in_hands(v_enterprise_ids),
            'rule_errors', notify.rules_in_error(v_enterprise_ids),
            'latest_faults', (
                select coalesce(jsonb_object_agg(latest.code, notify.readable_instant(latest.last_at)), '{}')
                from (
                    select f.code, max(f.last_at) as last_at
                    from notify.delivery_fault f
                    where f.enterprise_id = any (v_enterprise_ids)
                    group by f.code
                ) as latest
            )
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
            and p.proname in ('lost_components', 'rows_in_hands', 'rules_in_error', 'look_at_health')
    loop
        execute format('revoke all on function %s from public, anon, authenticated', function);
        execute format('grant execute on function %s to service_role', function);
    end loop;
end
$$;
