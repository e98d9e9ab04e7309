-- Of the latest failures, which template refused: so that those of one cause can be told together (docs/health.md).

create or replace function notify.failures_with_template(p_failures jsonb)
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
    select coalesce(
        jsonb_agg(
            failure.told || case when jsonb_typeof(n.error_details -> 'template') = 'string'
                then jsonb_build_object('template', left(n.error_details ->> 'template', 100))
                else '{}' end
            order by failure.place
        ),
        '[]'
    )
    from jsonb_array_elements(p_failures) with ordinality as failure (told, place)
    left join notify.ent_notification n
        on n.id = (failure.told ->> 'notification_id')::bigint and n.notification_status = 'FAILED'
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
            'failures', notify.failures_with_template(v_observation -> 'failures'),
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
            and p.proname in ('failures_with_template', 'look_at_deployment')
    loop
        execute format('revoke all on function %s from public, anon, authenticated', function);
        execute format('grant execute on function %s to service_role', function);
    end loop;
end
$$;
