-- Rings by broadcast from the database, beside the table: within a millisecond instead of half a second. Which way a ring
-- goes is the listeners' choice. The contract is docs/database.md; the reasons, docs/decisions/0071.

-- As it was, and by realtime.send. What goes wrong with one way costs the other nothing.
create or replace function notify.ring(p_rings jsonb)
returns void
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_ways text[];
    v_ring record;
    v_patient_until timestamptz;
begin
    -- An hour, so that a listener may be restarted without a gap in what its successor hears.
    select array_agg(distinct b.way)
    into v_ways
    from notify.listener_beat b
    where b.beaten_at > now() - interval '1 hour';

    if 'postgres_changes' = any (v_ways) then
        begin
            insert into notify.doorbell (shard, ring)
            select r.key::smallint, r.value from jsonb_each(p_rings) as r;
        exception
            when query_canceled or others then
                raise warning 'a ring by notify.doorbell is lost, its rows will be swept: % (%)', sqlerrm, sqlstate;
        end;
    end if;

    if 'broadcast' = any (v_ways) then
        begin
            v_patient_until := clock_timestamp() + interval '20 milliseconds';
            for v_ring in select r.key, r.value from jsonb_each(p_rings) as r loop
                perform realtime.send(v_ring.value, 'ring', 'xnovu:ring:' || v_ring.key, true);
                -- It keeps to itself that it waited for a lock in vain; the next would do the same.
                exit when clock_timestamp() > v_patient_until;
            end loop;
        exception
            when query_canceled or others then
                raise warning 'a ring by realtime.send is lost, its rows will be swept: % (%)', sqlerrm, sqlstate;
        end;
    end if;
end
$$;

-- Two ways, each of which may wait.
alter function notify.ring_for_notifications() set lock_timeout = '30ms';
alter function notify.ring_for_rules() set lock_timeout = '30ms';

create or replace function notify.sing(p_listener_id text, p_way text)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_beat bigint;
begin
    if p_way is null or p_way not in ('postgres_changes', 'broadcast') then
        raise exception 'no rings are carried by %', p_way using errcode = 'invalid_parameter_value';
    end if;
    insert into notify.listener_beat as b (listener_id, way, beat, beaten_at)
    values (p_listener_id, p_way, 1, now())
    on conflict (listener_id, way) do update set beat = b.beat + 1, beaten_at = now()
    returning b.beat into v_beat;
    if p_way = 'broadcast' then
        perform realtime.send(jsonb_build_object('beat', v_beat), 'beat', 'xnovu:beat:' || p_listener_id, true);
    else
        perform notify.clear_doorbell();
        insert into notify.doorbell (listener_id, ring)
        values (p_listener_id, jsonb_build_object('beat', v_beat));
    end if;
    return to_jsonb(v_beat);
end
$$;

create or replace function notify.unsent_broadcasts()
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
    select coalesce(jsonb_agg(jsonb_build_object('what', flaw.what, 'mend', flaw.mend) order by flaw.what), '[]')
    from pg_catalog.pg_proc p
    join pg_catalog.pg_roles owner on owner.oid = p.proowner
    left join pg_catalog.pg_class m on m.relname = 'messages'
        and m.relnamespace = (select n.oid from pg_catalog.pg_namespace n where n.nspname = 'realtime')
    cross join lateral (
        values
            (
                to_regprocedure('realtime.send(jsonb, text, text, boolean)') is null,
                'there is no function realtime.send: this Realtime sends no broadcasts from the database',
                'restart Realtime, which makes it when it connects; or set FEED=postgres_changes'
            ),
            (
                m.relkind = 'p'
                    and not exists (
                        select
                        from pg_catalog.pg_inherits i
                        join pg_catalog.pg_class c on c.oid = i.inhrelid
                        where i.inhparent = m.oid
                            and c.relname = 'messages_' || to_char(now() at time zone 'UTC', 'YYYY_MM_DD')
                    ),
                'realtime.messages has no partition for today: what is sent is lost',
                'restart Realtime, which makes it when it connects'
            ),
            (
                m.relrowsecurity and not owner.rolbypassrls and not owner.rolsuper and m.relowner <> owner.oid,
                format('row-level security keeps %I, who owns the triggers, from sending', owner.rolname),
                format('alter role %I bypassrls', owner.rolname)
            )
    ) as flaw (is_so, what, mend)
    where p.oid = 'notify.ring_for_notifications()'::regprocedure and flaw.is_so
$$;

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
            || case p_way
                when 'postgres_changes' then notify.unpublished_doorbell()
                when 'broadcast' then notify.unsent_broadcasts()
                else '[]'
            end
    )
$$;

revoke all on function notify.unsent_broadcasts() from public, anon, authenticated;
grant execute on function notify.unsent_broadcasts() to service_role;
