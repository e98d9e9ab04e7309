-- A doorbell of its own. A statement that makes work rings it: once for each shard of enterprises that it touched, with
-- the ids of a bounded number of rows. What we write for ourselves (claims, outcomes, heartbeats) rings nobody, and the
-- tables need not be published any more. The contract is docs/database.md; the reasons, docs/decisions/0070.

-- Rings, and the beats by which listeners prove that rings come through. Only ever inserted into and emptied as a whole:
-- Realtime sends no TRUNCATE, whereas each row deleted would be one more change for it to look at. For the same reason
-- row-level security is off: with it Realtime looks up every row before it sends it, and finds none in an emptied table.
-- There is nothing personal here, and no grant for the public keys.
create table if not exists notify.doorbell (
    id bigint generated always as identity primary key,
    shard smallint,
    listener_id text,
    ring jsonb not null
);
comment on table notify.doorbell is
    'Rings for listeners, by shard of enterprises, and their beats. Emptied now and then; nothing is to be read here.';

-- How each listener hears: rings are carried only the ways that somebody has listened to lately. Not the doorbell's
-- business: this table is not published.
create table if not exists notify.listener_beat (
    listener_id text not null,
    way text not null,
    beat bigint not null default 0,
    beaten_at timestamptz not null default now(),
    primary key (listener_id, way)
);

alter table notify.doorbell disable row level security; -- some projects switch it on for every new table
alter table notify.listener_beat enable row level security;
revoke all on table notify.doorbell, notify.listener_beat from public, anon, authenticated;
revoke all on sequence notify.doorbell_id_seq from public, anon, authenticated;
grant select, insert, update, delete on table notify.doorbell, notify.listener_beat to service_role;

-- `p_rings` has a ring for each shard. Called by triggers only, with their owner's rights.
create or replace function notify.ring(p_rings jsonb)
returns void
language plpgsql
security invoker
set search_path = ''
as $$
begin
    -- An hour, so that a listener may be restarted without a gap in what its successor hears.
    if exists (
        select
        from notify.listener_beat b
        where b.way = 'postgres_changes' and b.beaten_at > now() - interval '1 hour'
    ) then
        insert into notify.doorbell (shard, ring)
        select r.key::smallint, r.value from jsonb_each(p_rings) as r;
    end if;
end
$$;

-- Nothing that happens in here may harm the writer: no exception leaves it, and no lock is waited for longer than the
-- time below. A ring that is lost is found by a sweep.
create or replace function notify.ring_for_notifications()
returns trigger
language plpgsql
-- Whoever may write a notification may ring for it.
security definer
set search_path = ''
set lock_timeout = '40ms'
set client_min_messages = 'error'
as $$
declare
    -- Ids in the rings of one statement, and enterprises in one ring; what goes beyond is swept.
    c_ids constant int := 2000;
    c_enterprises constant int := 1000;
    v_now constant timestamptz := clock_timestamp();
    v_rings jsonb;
begin
    with work as (
        select
            c.enterprise_id::text as enterprise_id,
            c.id,
            c.scheduled_for,
            case
                when c.notification_status = 'RETRACTED' then 'retracted'
                -- What can never fall due is due at once, as for a sweep.
                when c.scheduled_for > v_now and c.scheduled_for < '9999-12-01 00:00:00+00' then 'scheduled'
                else 'due'
            end as kind,
            case when c.notification_status = 'RETRACTED' then 3 else coalesce(c.delivery_priority, 3) end as priority
        from changed c
        where c.enterprise_id is not null
            and case
                when c.notification_status = 'PENDING' then c.publish_status = 'PUBLISH' and not c.deactivated
                when c.notification_status = 'RETRACTED' then
                    tg_op = 'UPDATE' and c.transaction_id is not null and c.cancellation is null
                else false
            end
    ),
    grouped as (
        select
            w.enterprise_id, w.kind, w.priority,
            case when w.kind <> 'scheduled' then array_agg(w.id) end as ids,
            min(w.scheduled_for) filter (where w.kind = 'scheduled') as scheduled_for
        from work w
        -- No listener serves a longer one.
        where length(w.enterprise_id) <= 64
        group by w.enterprise_id, w.kind, w.priority
    ),
    bounded as (
        select g.*, greatest(1, c_ids / count(*) over ())::int as most from grouped g
    ),
    entries as (
        select
            b.enterprise_id,
            jsonb_strip_nulls(
                jsonb_build_object(
                    'enterprise_id', b.enterprise_id,
                    'due', jsonb_agg(jsonb_build_array(b.priority, b.ids [1:b.most]) order by b.priority)
                        filter (where b.kind = 'due'),
                    'scheduled_for', min(b.scheduled_for),
                    'retracted', jsonb_agg(to_jsonb(b.ids [1:b.most])) filter (where b.kind = 'retracted') -> 0,
                    'more', nullif(bool_or(coalesce(cardinality(b.ids) > b.most, false)), false)
                )
            ) as entry
        from bounded b
        group by b.enterprise_id
    ),
    sharded as (
        select
            get_byte(sha256(convert_to(e.enterprise_id, 'UTF8')), 0) % 16 as shard,
            count(*) as enterprises,
            array_agg(e.entry) as entries
        from entries e
        group by 1
    )
    select
        jsonb_object_agg(
            s.shard,
            jsonb_build_object(
                'op', tg_op,
                'at', v_now,
                'of', to_jsonb(s.entries [1:c_enterprises]),
                'more', s.enterprises > c_enterprises
            )
        )
    into v_rings
    from sharded s;

    if v_rings is not null then
        perform notify.ring(v_rings);
    end if;
    return null;
exception
    when query_canceled or others then
        raise warning 'a ring for notifications is lost, their rows will be swept: % (%)', sqlerrm, sqlstate;
        return null;
end
$$;

create or replace trigger ring_for_inserted
    after insert on notify.ent_notification
    referencing new table as changed
    for each statement execute function notify.ring_for_notifications();
create or replace trigger ring_for_updated
    after update on notify.ent_notification
    referencing new table as changed
    for each statement execute function notify.ring_for_notifications();

create or replace function notify.ring_for_rules()
returns trigger
language plpgsql
security definer
set search_path = ''
set lock_timeout = '40ms'
set client_min_messages = 'error'
as $$
declare
    c_enterprises constant int := 1000;
    v_enterprise_ids text[];
    v_rings jsonb;
begin
    if tg_op = 'INSERT' then
        select array_agg(distinct r.enterprise_id::text) into v_enterprise_ids from changed r;
    else
        -- What a scheduler is to know: not its own notes on a rule.
        select array_agg(distinct touched.enterprise_id)
        into v_enterprise_ids
        from former o
        join changed n on n.id = o.id
        cross join lateral (values (o.enterprise_id::text), (n.enterprise_id::text)) as touched (enterprise_id)
        where (n.schedule_changed_at, n.enterprise_id::text, n.rule_payload)
            is distinct from (o.schedule_changed_at, o.enterprise_id::text, o.rule_payload);
    end if;

    with sharded as (
        select
            get_byte(sha256(convert_to(e.id, 'UTF8')), 0) % 16 as shard,
            count(*) as enterprises,
            array_agg(jsonb_build_object('enterprise_id', e.id, 'rules', true)) as entries
        from unnest(v_enterprise_ids) as e (id)
        where length(e.id) <= 64
        group by 1
    )
    select
        jsonb_object_agg(
            s.shard,
            jsonb_build_object(
                'op', tg_op,
                'at', clock_timestamp(),
                'of', to_jsonb(s.entries [1:c_enterprises]),
                'more', s.enterprises > c_enterprises
            )
        )
    into v_rings
    from sharded s;

    if v_rings is not null then
        perform notify.ring(v_rings);
    end if;
    return null;
exception
    when query_canceled or others then
        raise warning 'a ring for rules is lost, a look will tell of them: % (%)', sqlerrm, sqlstate;
        return null;
end
$$;

create or replace trigger ring_for_inserted
    after insert on notify.ent_notification_rule
    referencing new table as changed
    for each statement execute function notify.ring_for_rules();
create or replace trigger ring_for_updated
    after update on notify.ent_notification_rule
    referencing old table as former new table as changed
    for each statement execute function notify.ring_for_rules();

-- As it was, but once for a statement: a thousand workflows that are paused together are one change of rules.
create or replace function notify.note_workflow_change()
returns trigger
language plpgsql
security invoker
set search_path = ''
as $$
begin
    update notify.ent_notification_rule r
    set schedule_changed_at = now(), schedule_error = null
    from former o
    join changed n on n.id = o.id
    where r.notification_workflow_id = n.id
        and (o.publish_status, o.deactivated, o.enterprise_id)
            is distinct from (n.publish_status, n.deactivated, n.enterprise_id);
    return null;
end
$$;

create or replace trigger note_workflow_change
    after update on notify.ent_notification_workflow
    referencing old table as former new table as changed
    for each statement execute function notify.note_workflow_change();

-- The doorbell is emptied by whoever comes by while nobody rings; if somebody does, the next one will.
create or replace function notify.clear_doorbell()
returns void
language plpgsql
security definer
set search_path = ''
set lock_timeout = '10ms'
as $$
begin
    if pg_relation_size('notify.doorbell') > 4 * 1024 * 1024 then
        truncate notify.doorbell;
    end if;
exception
    when lock_not_available then
        return;
end
$$;

-- A listener's proof of life: what it writes here must come back the way that it hears. Whoever sings is rung for.
create or replace function notify.sing(p_listener_id text, p_way text)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_beat bigint;
begin
    if p_way is distinct from 'postgres_changes' then
        raise exception 'this database carries no rings by %', p_way using errcode = 'feature_not_supported';
    end if;
    insert into notify.listener_beat as b (listener_id, way, beat, beaten_at)
    values (p_listener_id, p_way, 1, now())
    on conflict (listener_id, way) do update set beat = b.beat + 1, beaten_at = now()
    returning b.beat into v_beat;
    perform notify.clear_doorbell();
    insert into notify.doorbell (listener_id, ring)
    values (p_listener_id, jsonb_build_object('beat', v_beat));
    return to_jsonb(v_beat);
end
$$;

create or replace function notify.silent_triggers()
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
    select coalesce(
        jsonb_agg(
            jsonb_build_object(
                'what', format('trigger %s of notify.%I does not fire', ringing.trigger, ringing.table_name),
                'mend', case
                    when t.oid is null then 'apply the migrations again: supabase db push --include-all'
                    else format('alter table notify.%I enable trigger %I', ringing.table_name, ringing.trigger)
                end
            )
            order by ringing.table_name, ringing.trigger
        ),
        '[]'
    )
    from (
        values
            ('ent_notification', 'ring_for_inserted'),
            ('ent_notification', 'ring_for_updated'),
            ('ent_notification_rule', 'ring_for_inserted'),
            ('ent_notification_rule', 'ring_for_updated')
    ) as ringing (table_name, trigger)
    join pg_catalog.pg_class c on c.relname = ringing.table_name and c.relnamespace = 'notify'::regnamespace
    left join pg_catalog.pg_trigger t on t.tgrelid = c.oid and t.tgname = ringing.trigger and not t.tgisinternal
    where t.oid is null or t.tgenabled not in ('O', 'A')
$$;

create or replace function notify.unpublished_doorbell()
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
    select coalesce(jsonb_agg(jsonb_build_object('what', flaw.what, 'mend', flaw.mend) order by flaw.what), '[]')
    from pg_catalog.pg_class c
    left join pg_catalog.pg_publication p on p.pubname = 'supabase_realtime'
        and (
            p.puballtables
            or exists (select from pg_catalog.pg_publication_rel r where r.prpubid = p.oid and r.prrelid = c.oid)
            or exists (
                select from pg_catalog.pg_publication_namespace s where s.pnpubid = p.oid and s.pnnspid = c.relnamespace
            )
        )
    left join pg_catalog.pg_publication_rel m on m.prpubid = p.oid and m.prrelid = c.oid
    cross join lateral (
        values
            (
                p.oid is null,
                'notify.doorbell is not in publication supabase_realtime',
                'alter publication supabase_realtime add table notify.doorbell'
            ),
            (
                not p.pubinsert,
                'inserts into notify.doorbell are not published',
                'alter publication supabase_realtime set (publish = ''insert, update, delete, truncate'')'
            ),
            (
                m.prattrs is not null or m.prqual is not null,
                'notify.doorbell is published in part only',
                'alter publication supabase_realtime drop table notify.doorbell; '
                'alter publication supabase_realtime add table notify.doorbell'
            ),
            (
                not has_table_privilege(c.oid, 'select'),
                format('%I may not select from notify.doorbell', current_user),
                format('grant select on notify.doorbell to %I', current_user)
            ),
            (
                c.relrowsecurity,
                'row-level security of notify.doorbell makes Realtime look for rows that are gone',
                'alter table notify.doorbell disable row level security'
            )
    ) as flaw (is_so, what, mend)
    where c.oid = 'notify.doorbell'::regclass and flaw.is_so
$$;

-- As look_out, for listeners that hear rings: what keeps them from coming the way that they hear them.
create or replace function notify.look_out_for(p_enterprise_ids text[], p_way text)
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
    select jsonb_build_object(
        'unread_rules', (
            select coalesce(jsonb_object_agg(enterprise.id, extract(epoch from now() - unread.since)), '{}')
            from (select distinct e.id from unnest(p_enterprise_ids) as e (id)) as enterprise
            cross join lateral (
                select u.changed_at as since
                from notify.unread_rules u
                where u.enterprise_id = enterprise.id
                order by u.changed_at
                limit 1
            ) as unread
        ),
        'flaws', notify.silent_triggers()
            || case p_way when 'postgres_changes' then notify.unpublished_doorbell() else '[]' end
    )
$$;

do $$
declare
    function regprocedure;
    relation regclass;
begin
    for function in
        select p.oid from pg_catalog.pg_proc p
        where p.pronamespace = 'notify'::regnamespace
            and p.proname in (
                'ring', 'ring_for_notifications', 'ring_for_rules', 'clear_doorbell', 'sing', 'look_out_for',
                'silent_triggers', 'unpublished_doorbell'
            )
    loop
        execute format('revoke all on function %s from public, anon, authenticated', function);
        execute format('grant execute on function %s to service_role', function);
    end loop;

    if not exists (
        select from pg_catalog.pg_publication_tables published
        where published.pubname = 'supabase_realtime'
            and published.schemaname = 'notify' and published.tablename = 'doorbell'
    ) then
        alter publication supabase_realtime add table notify.doorbell;
    end if;

    -- Where nobody has written anything yet, nobody hears the tables themselves. Elsewhere listeners of an earlier
    -- release may, or the project's own users: there they stay until somebody takes them out (docs/database.md).
    if not exists (select from notify.ent_notification)
        and not exists (select from notify.ent_notification_rule)
        and not exists (select from notify.listener_canary)
    then
        for relation in
            select r.prrelid
            from pg_catalog.pg_publication p
            join pg_catalog.pg_publication_rel r on r.prpubid = p.oid
            where p.pubname = 'supabase_realtime'
                and r.prrelid in (
                    'notify.ent_notification'::regclass, 'notify.ent_notification_rule'::regclass,
                    'notify.listener_canary'::regclass
                )
        loop
            execute format('alter publication supabase_realtime drop table %s', relation);
        end loop;
    end if;
end
$$;
