-- Enterprises that a deployment serves come and go without a restart: who is known, and who is not to be served. The
-- contract is docs/database_functions.md; the reasons, docs/decisions/0077.

create table if not exists notify.enterprise (
    enterprise_id text primary key,
    served boolean not null default true,
    known_since timestamptz not null default now(),
    changed_at timestamptz not null default now()
);
comment on table notify.enterprise is
    'Enterprises that were ever known. Of those that are not served nothing is sent, and their schedulers rest.';

alter table notify.enterprise enable row level security;
revoke all on table notify.enterprise from public, anon, authenticated;
grant select, insert, update, delete on table notify.enterprise to service_role;

create index if not exists enterprise_unserved on notify.enterprise (enterprise_id) where not served;

-- As listeners reckon it (shared/shards.py), and as the doorbell's triggers do.
create or replace function notify.shard_of(p_enterprise_id text)
returns int
language sql
immutable
set search_path = ''
as $$
    select get_byte(sha256(convert_to(p_enterprise_id, 'UTF8')), 0) % 16
$$;

-- Whoever is told apart by an index of rows that mean work is found by as many probes as there are such enterprises,
-- however many rows they have.
create or replace function notify.enterprises_with_work()
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
    scheduled (id) as (
        select min(n.enterprise_id::text)
        from notify.ent_notification n
        where n.notification_status = 'PENDING' and n.publish_status = 'PUBLISH' and not n.deactivated
            and n.scheduled_for is not null
        union all
        select (
            select n.enterprise_id::text
            from notify.ent_notification n
            where n.enterprise_id::text > e.id
                and n.notification_status = 'PENDING' and n.publish_status = 'PUBLISH' and not n.deactivated
                and n.scheduled_for is not null
            order by n.enterprise_id::text
            limit 1
        )
        from scheduled e
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
    union select s.id from scheduled s where s.id is not null
    union select c.id from claimed c where c.id is not null
$$;

-- Who is served: of those listed, or without a list of all, new ones noted. `p_seen` is the digest of an earlier answer: of
-- the same nothing is said.
create or replace function notify.served_enterprises(p_listed text[], p_seen text)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_ids text[];
    v_digest text;
begin
    if p_listed is null then
        insert into notify.enterprise (enterprise_id)
        select found.id
        from (
            select w.id from notify.enterprises_with_work() as w (id)
            union select w.enterprise_id::text from notify.ent_notification_workflow w
            union select t.enterprise_id::text from notify.ent_notification_template t
            union select r.enterprise_id::text from notify.ent_notification_rule r
            -- Not recipients: theirs may be a view of the project's own.
        ) as found (id)
        where found.id ~ '^[A-Za-z0-9_.-]{1,64}$'
            and not exists (select from notify.enterprise e where e.enterprise_id = found.id)
        order by found.id
        on conflict (enterprise_id) do nothing;
    end if;

    select coalesce(array_agg(known.id order by known.id), '{}')
    into v_ids
    from (
        select e.enterprise_id as id
        from notify.enterprise e
        where p_listed is null and e.served and e.enterprise_id ~ '^[A-Za-z0-9_.-]{1,64}$'
        union
        select listed.id
        from unnest(p_listed) as listed (id)
        where not exists (
            select from notify.enterprise e where e.enterprise_id = listed.id and not e.served
        )
    ) as known;
    v_digest := md5(array_to_string(v_ids, ','));
    return jsonb_build_object(
        'digest', v_digest,
        'served', case when v_digest is distinct from p_seen then to_jsonb(v_ids) end
    );
end
$$;

create or replace function notify.unserved_enterprises()
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
    select coalesce(jsonb_agg(e.enterprise_id order by e.enterprise_id), '[]')
    from notify.enterprise e
    where not e.served
$$;

-- Whoever becomes known, or is to be served or not any more: listeners are told, and look.
create or replace function notify.ring_for_enterprises()
returns trigger
language plpgsql
security definer
set search_path = ''
set lock_timeout = '30ms'
set client_min_messages = 'error'
as $$
declare
    c_enterprises constant int := 1000;
    v_rings jsonb;
begin
    select
        jsonb_object_agg(
            s.shard,
            jsonb_build_object(
                'op', case tg_op when 'INSERT' then 'INSERT' else 'UPDATE' end,
                'at', clock_timestamp(),
                'of', to_jsonb(s.entries [1:c_enterprises]),
                'more', cardinality(s.entries) > c_enterprises
            )
        )
    into v_rings
    from (
        select
            notify.shard_of(c.enterprise_id) as shard,
            array_agg(jsonb_build_object('enterprise_id', c.enterprise_id, 'served', c.served)) as entries
        from changed c
        where length(c.enterprise_id) <= 64
        group by 1
    ) as s;
    if v_rings is not null then
        perform notify.ring(v_rings);
    end if;
    return null;
exception
    when query_canceled or others then
        raise warning 'a ring for enterprises is lost, a look will tell of them: % (%)', sqlerrm, sqlstate;
        return null;
end
$$;

create or replace trigger ring_for_inserted
    after insert on notify.enterprise
    referencing new table as changed
    for each statement execute function notify.ring_for_enterprises();
create or replace trigger ring_for_updated
    after update on notify.enterprise
    referencing new table as changed
    for each statement execute function notify.ring_for_enterprises();
create or replace trigger ring_for_deleted
    after delete on notify.enterprise
    referencing old table as changed
    for each statement execute function notify.ring_for_enterprises();

-- For operators. Safe to repeat; whoever was not known is from now on.
create or replace function notify.serve_enterprise(p_enterprise_id text, p_served boolean)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_served boolean;
begin
    if p_served is null or p_enterprise_id is null or p_enterprise_id !~ '^[A-Za-z0-9_.-]{1,64}$' then
        raise exception 'an enterprise''s id, 1-64 of letters, digits, ''_'', ''-'', ''.'', and whether it is served'
            using errcode = 'invalid_parameter_value';
    end if;
    select e.served into v_served from notify.enterprise e where e.enterprise_id = p_enterprise_id for update;
    if v_served is distinct from p_served then
        insert into notify.enterprise as e (enterprise_id, served)
        values (p_enterprise_id, p_served)
        on conflict (enterprise_id) do update set served = excluded.served, changed_at = now();
    end if;
    return jsonb_build_object('enterprise_id', p_enterprise_id, 'served', p_served, 'was', v_served);
end
$$;

do $$
declare
    function regprocedure;
begin
    -- Whoever has only rows that mean no work any more is known from now on; later ones are found by their work.
    insert into notify.enterprise (enterprise_id)
    select distinct n.enterprise_id::text
    from notify.ent_notification n
    where n.enterprise_id::text ~ '^[A-Za-z0-9_.-]{1,64}$'
    on conflict (enterprise_id) do nothing;

    for function in
        select p.oid from pg_catalog.pg_proc p
        where p.pronamespace = 'notify'::regnamespace
            and p.proname in (
                'shard_of', 'enterprises_with_work', 'served_enterprises', 'unserved_enterprises',
                'ring_for_enterprises', 'serve_enterprise'
            )
    loop
        execute format('revoke all on function %s from public, anon, authenticated', function);
        execute format('grant execute on function %s to service_role', function);
    end loop;
end
$$;
