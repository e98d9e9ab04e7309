-- How long what has ended is kept, by enterprise, and taking away what is older. The contract is docs/database_functions.md;
-- the reasons, docs/decisions/0097.

alter table notify.enterprise
    add column if not exists keep_days int constraint enterprise_keep_days check (keep_days between 1 and 36500);
comment on column notify.enterprise.keep_days is
    'For so many days a notification is kept after it has ended; then `xnovu prune` may delete it. Null: for good.';

-- For operators; null: for good. Whoever was not known is from now on.
create or replace function notify.keep_notifications(p_enterprise_id text, p_days int)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_was int;
begin
    if p_enterprise_id is null or p_enterprise_id !~ '^[A-Za-z0-9_.-]{1,64}$' or p_days not between 1 and 36500 then
        raise exception 'an enterprise''s notifications are kept for 1 to 36500 days, or (null) for good'
            using errcode = 'invalid_parameter_value';
    end if;
    select e.keep_days into v_was from notify.enterprise e where e.enterprise_id = p_enterprise_id for update;
    insert into notify.enterprise as e (enterprise_id, keep_days) values (p_enterprise_id, p_days)
    on conflict (enterprise_id) do update
    set keep_days = excluded.keep_days, changed_at = now()
    where e.keep_days is distinct from excluded.keep_days;
    return jsonb_build_object('enterprise_id', p_enterprise_id, 'was', v_was, 'keep_days', p_days);
end
$$;

-- A portion of what has ended, the oldest first, whosever it is: a transaction of its own, which waits for nobody.
create or replace function notify.prune_notifications(
    p_enterprise_ids text[], p_after_at timestamptz, p_after_id bigint, p_limit int, p_dry_run boolean default true
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_least int;
    v_examined bigint[];
    v_through_at timestamptz;
    v_doomed bigint[];
    v_id bigint;
    v_gone bigint[] := '{}';
    v_refused jsonb := '{}';
    v_pruned jsonb;
begin
    if p_limit is null or p_limit not between 1 and 10000 then
        raise exception 'a portion has 1 to 10000 rows' using errcode = 'invalid_parameter_value';
    end if;
    select min(e.keep_days) into v_least
    from notify.enterprise e
    where e.keep_days is not null and (p_enterprise_ids is null or e.enterprise_id = any (p_enterprise_ids));

    select coalesce(array_agg(page.id order by page.updated_at, page.id), '{}'), max(page.updated_at)
    into v_examined, v_through_at
    from (
        select n.id, n.updated_at
        from notify.ent_notification n
        where coalesce(n.notification_status in ('SENT', 'FAILED', 'RETRACTED'), false)
            -- Before that an instant says nothing of the row's age.
            and n.updated_at >= '1970-01-01 00:00:00+00' and n.updated_at < now() - make_interval(days => v_least)
            and (p_after_at is null or (n.updated_at, n.id) > (p_after_at, p_after_id))
        order by n.updated_at, n.id
        limit p_limit
    ) as page;

    select coalesce(array_agg(locked.id), '{}') into v_doomed
    from (
        select n.id
        from notify.ent_notification n
        join notify.enterprise e on e.enterprise_id = n.enterprise_id::text
        where n.id = any (v_examined)
            and (p_enterprise_ids is null or e.enterprise_id = any (p_enterprise_ids))
            and n.notification_status in ('SENT', 'FAILED', 'RETRACTED')
            and greatest(n.updated_at, n.created_at) < now() - make_interval(days => e.keep_days)
            -- A worker is to report yet, or Novu to be asked.
            and n.lease_expires_at is null
            and (
                n.notification_status <> 'RETRACTED' or n.cancellation is not null
                or (n.transaction_id is null and n.chunks_sent = 0)
            )
            and not exists (
                select from notify.delivery_account a where a.notification_id = n.id and a.try_at is not null
            )
            and not exists (select from notify.refused_update r where r.notification_id = n.id)
        order by n.id
        for update of n skip locked
    ) as locked;

    select coalesce(jsonb_object_agg(each.enterprise_id, each.rows), '{}') into v_pruned
    from (
        select n.enterprise_id::text as enterprise_id, count(*) as rows
        from notify.ent_notification n where n.id = any (v_doomed) group by 1
    ) as each;
    if not p_dry_run and v_doomed <> '{}' then
        set constraints all immediate;
        delete from notify.delivery_fault f where f.notification_id = any (v_doomed);
        begin
            with deleted as (delete from notify.ent_notification n where n.id = any (v_doomed) returning n.id)
            select coalesce(array_agg(deleted.id), '{}') into v_gone from deleted;
        exception
            when others or assert_failure then
                if notify.fault_passes(sqlstate) then
                    raise;
                end if;
                v_gone := '{}';
                foreach v_id in array v_doomed loop
                    begin
                        delete from notify.ent_notification n where n.id = v_id;
                        v_gone := v_gone || v_id;
                    exception
                        when others or assert_failure then
                            if notify.fault_passes(sqlstate) then
                                raise;
                            end if;
                            v_refused := v_refused || jsonb_build_object(v_id, sqlstate);
                    end;
                end loop;
                -- Whose these are is told by those that are left.
                select coalesce(jsonb_object_agg(counted.enterprise_id, counted.rows), '{}') into v_pruned
                from (
                    select p.key as enterprise_id, p.value::bigint - (
                            select count(*) from notify.ent_notification n
                            where n.id = any (v_doomed) and n.enterprise_id::text = p.key
                        ) as rows
                    from jsonb_each_text(v_pruned) as p
                ) as counted;
        end;
    end if;

    return jsonb_build_object(
        'through_at', v_through_at, 'through_id', v_examined [cardinality(v_examined)],
        'has_more', cardinality(v_examined) = p_limit, 'pruned', v_pruned, 'refused', v_refused
    );
end
$$;

-- Who keeps for how long; who keeps for good is left out.
create or replace function notify.keep_rules(p_enterprise_ids text[])
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
    select coalesce(jsonb_object_agg(e.enterprise_id, e.keep_days), '{}')
    from notify.enterprise e
    where e.keep_days is not null and (p_enterprise_ids is null or e.enterprise_id = any (p_enterprise_ids))
$$;

do $$
declare
    function regprocedure;
begin
    for function in
        select p.oid from pg_catalog.pg_proc p
        where p.pronamespace = 'notify'::regnamespace
            and p.proname in ('keep_notifications', 'prune_notifications', 'keep_rules')
    loop
        execute format('revoke all on function %s from public, anon, authenticated', function);
        execute format('grant execute on function %s to service_role', function);
    end loop;
end
$$;
