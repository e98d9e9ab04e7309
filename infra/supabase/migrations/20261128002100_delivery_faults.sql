-- Deliveries that keep failing: what a worker could neither send nor refuse, and tries again. Ids, codes and counts only.
-- The contract is docs/database_functions.md.

create table if not exists notify.delivery_fault (
    notification_id bigint primary key,
    enterprise_id text not null,
    claim_owner text not null,
    code text not null,
    faults int not null,
    since timestamptz not null,
    last_at timestamptz not null
);
comment on table notify.delivery_fault is
    'Rows whose delivery met a fault and is tried again: of their latest claim, the latest code and how often in a row.';
create index if not exists delivery_fault_enterprise on notify.delivery_fault (enterprise_id, since);

alter table notify.delivery_fault enable row level security;
revoke all on table notify.delivery_fault from public, anon, authenticated;
grant select, insert, update, delete on table notify.delivery_fault to service_role;

-- Rows that are claimed again and again without any word of a fault: their worker dies of them.
create index if not exists ent_notification_often_claimed
    on notify.ent_notification ((enterprise_id::text))
    where notification_status = 'PROCESSING' and attempts > 3;

create or replace function notify.note_delivery_faults(
    p_enterprise_id text, p_claim_owner text, p_notification_ids bigint[], p_code text
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_now constant timestamptz := clock_timestamp();
    v_faults jsonb;
begin
    if p_claim_owner is null or p_claim_owner = '' or p_code is null or p_code = '' then
        raise exception 'a fault needs an owner and a code' using errcode = 'invalid_parameter_value';
    end if;

    with held as (
        select n.id
        from notify.ent_notification n
        where n.id = any (p_notification_ids)
            and n.enterprise_id::text = p_enterprise_id
            and n.claim_owner = p_claim_owner
            and n.notification_status = 'PROCESSING'
        order by n.id
    ),
    noted as (
        insert into notify.delivery_fault as f (notification_id, enterprise_id, claim_owner, code, faults, since, last_at)
        select held.id, p_enterprise_id, p_claim_owner, p_code, 1, v_now, v_now
        from held
        on conflict (notification_id) do update
        set enterprise_id = excluded.enterprise_id,
            claim_owner = excluded.claim_owner,
            code = excluded.code,
            faults = case
                when f.claim_owner = excluded.claim_owner and f.code = excluded.code then f.faults + 1 else 1
            end,
            since = case when f.claim_owner = excluded.claim_owner then f.since else v_now end,
            last_at = v_now
        returning f.notification_id, f.faults
    )
    select coalesce(jsonb_object_agg(noted.notification_id::text, noted.faults), '{}') into v_faults from noted;

    return jsonb_build_object('faults', v_faults);
end
$$;

create or replace function notify.retried_deliveries(p_enterprise_ids text[])
returns jsonb
language plpgsql
security invoker
set search_path = ''
set enable_seqscan = off
set jit = off
as $$
declare
    v_most constant int := 1000;
    v_retried jsonb;
begin
    -- What is settled by now is no longer of interest. Another may be clearing away the same: let it.
    delete from notify.delivery_fault f
    where f.notification_id in (
        select stale.notification_id
        from notify.delivery_fault stale
        left join notify.ent_notification n
            on n.id = stale.notification_id
            and n.notification_status = 'PROCESSING'
            and n.claim_owner = stale.claim_owner
        where n.id is null
        order by stale.notification_id
        limit v_most
        for update of stale skip locked
    );

    select coalesce(
        jsonb_agg(
            jsonb_build_object(
                'enterprise_id', enterprise.id,
                'code', retried.code,
                'rows', retried.rows,
                'oldest_age_seconds', greatest(0, extract(epoch from now() - retried.since))
            )
            order by enterprise.id, retried.code
        ),
        '[]'
    )
    into v_retried
    from (select distinct e.id from unnest(p_enterprise_ids) as e (id)) as enterprise
    cross join lateral (
        select each.code, count(*) as rows, min(each.since) as since
        from (
            (
                select f.code, f.since
                from notify.delivery_fault f
                join notify.ent_notification n on n.id = f.notification_id
                where f.enterprise_id = enterprise.id
                    and n.notification_status = 'PROCESSING' and n.claim_owner = f.claim_owner
                order by f.since
                limit v_most
            )
            union all
            (
                -- A claim that has just been made may well be the last one that is needed.
                select 'worker_lost', n.processed_at
                from notify.ent_notification n
                where n.enterprise_id::text = enterprise.id
                    and n.notification_status = 'PROCESSING' and n.attempts > 3
                    and n.processed_at < now() - interval '5 seconds' and isfinite(n.processed_at)
                    and not exists (select from notify.delivery_fault f where f.notification_id = n.id)
                limit v_most
            )
        ) as each
        group by each.code
    ) as retried;

    return v_retried;
end
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
        || jsonb_build_object('heartbeats', v_heartbeats, 'retried', notify.retried_deliveries(v_enterprise_ids));
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
            and p.proname in ('note_delivery_faults', 'retried_deliveries', 'look_at_health')
    loop
        execute format('revoke all on function %s from public, anon, authenticated', function);
        execute format('grant execute on function %s to service_role', function);
    end loop;
end
$$;
