-- Schedulers that all enterprises of a shard share: whom a pass has to see to, found by what is due and not by asking each.
-- The contract is docs/database_functions.md; the reasons, docs/decisions/0078.

create index if not exists scheduler_pass_due on notify.scheduler_pass (scheduler, next_due_at);

-- Whose scheduled rows are due, and when the first of the others' will be; for each, one probe of an index.
create or replace function notify.first_scheduled()
returns table (enterprise_id text, scheduled_for timestamptz)
language sql
stable
security invoker
set search_path = ''
set enable_seqscan = off
set jit = off
as $$
    with recursive first (enterprise_id, scheduled_for) as (
        (
            select n.enterprise_id::text, n.scheduled_for
            from notify.ent_notification n
            where n.notification_status = 'PENDING' and n.publish_status = 'PUBLISH' and not n.deactivated
                and n.scheduled_for is not null and n.enterprise_id is not null
            order by n.enterprise_id::text, n.scheduled_for
            limit 1
        )
        union all
        select following.enterprise_id, following.scheduled_for
        from first f
        cross join lateral (
            select n.enterprise_id::text as enterprise_id, n.scheduled_for
            from notify.ent_notification n
            where n.enterprise_id::text > f.enterprise_id
                and n.notification_status = 'PENDING' and n.publish_status = 'PUBLISH' and not n.deactivated
                and n.scheduled_for is not null
            order by n.enterprise_id::text, n.scheduled_for
            limit 1
        ) as following
    )
    select f.enterprise_id, f.scheduled_for from first f
$$;

-- Whom the scheduler of a shard has to see to now, a thousand at most, and when the next instant is; notes that it looked.
create or replace function notify.shared_work(p_scheduler text, p_shard int)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    c_most constant int := 1000;
    v_due text[];
    v_next_due_at timestamptz;
begin
    if p_scheduler = 'cron' then
        select array_agg(due.id)
        into v_due
        from (
            select u.enterprise_id as id from notify.unread_rules u
            union
            select p.enterprise_id
            from notify.scheduler_pass p
            where p.scheduler = 'cron' and p.next_due_at <= now()
            union
            select r.enterprise_id::text
            from notify.ent_notification_rule r
            where r.publish_status = 'PUBLISH' and not r.deactivated and upper(r.trigger_type) = 'CRON'
                and not exists (
                    select
                    from notify.scheduler_pass p
                    where p.scheduler = 'cron' and p.enterprise_id = r.enterprise_id::text
                )
        ) as due
        where due.id ~ '^[A-Za-z0-9_.-]{1,64}$' and notify.shard_of(due.id) = p_shard
            and not exists (select from notify.enterprise e where e.enterprise_id = due.id and not e.served);

        select p.next_due_at
        into v_next_due_at
        from notify.scheduler_pass p
        where p.scheduler = 'cron' and p.next_due_at > now()
            and p.enterprise_id ~ '^[A-Za-z0-9_.-]{1,64}$' and notify.shard_of(p.enterprise_id) = p_shard
            and not exists (select from notify.enterprise e where e.enterprise_id = p.enterprise_id and not e.served)
        order by p.next_due_at
        limit 1;
    elsif p_scheduler = 'scheduled' then
        select
            -- What can never fall due is due at once, as for a sweep.
            array_agg(first.enterprise_id order by first.scheduled_for)
                filter (where first.scheduled_for <= now() or first.scheduled_for >= '9999-12-01 00:00:00+00'),
            min(first.scheduled_for)
                filter (where first.scheduled_for > now() and first.scheduled_for < '9999-12-01 00:00:00+00')
        into v_due, v_next_due_at
        from notify.first_scheduled() as first
        where first.enterprise_id ~ '^[A-Za-z0-9_.-]{1,64}$' and notify.shard_of(first.enterprise_id) = p_shard
            and not exists (
                select from notify.enterprise e where e.enterprise_id = first.enterprise_id and not e.served
            );

        -- Of whom an instant was known at which nothing is due any more: looked at, too.
        update notify.scheduler_pass p
        set last_pass_at = now(), next_due_at = null
        where p.scheduler = 'scheduled' and p.next_due_at <= now()
            and p.enterprise_id not like '//%' and notify.shard_of(p.enterprise_id) = p_shard
            and p.enterprise_id <> all (coalesce(v_due, '{}'));
    else
        raise exception 'there is no scheduler of this name' using errcode = 'invalid_parameter_value';
    end if;

    insert into notify.scheduler_pass (enterprise_id, scheduler, last_pass_at, next_due_at)
    values ('//' || p_shard, p_scheduler, now(), v_next_due_at)
    on conflict (enterprise_id, scheduler)
    do update set last_pass_at = excluded.last_pass_at, next_due_at = excluded.next_due_at;

    return jsonb_build_object(
        'now', now(),
        'due', coalesce(to_jsonb(v_due [1:c_most]), '[]'),
        'has_more', coalesce(cardinality(v_due) > c_most, false),
        'next_due_at', v_next_due_at
    );
end
$$;

-- As unaccounted, of everybody who is served in these shards: only who has such rows is asked for.
create or replace function notify.unaccounted_in(p_shards int[], p_older_than_seconds int)
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
    select notify.unaccounted(
        array(
            select w.id
            from notify.enterprises_with_work() as w (id)
            where notify.shard_of(w.id) = any (p_shards)
                and not exists (select from notify.enterprise e where e.enterprise_id = w.id and not e.served)
        ),
        p_older_than_seconds
    )
$$;

-- As it was, and the calls of schedulers that many share.
create or replace function notify.call_one(p_function text, a jsonb)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
    case p_function
        when 'claim_batch' then
            return notify.claim_batch(
                a ->> 'p_enterprise_id',
                array(select id.value::bigint from jsonb_array_elements_text(a -> 'p_notification_ids') as id),
                a ->> 'p_claim_owner',
                (a ->> 'p_lease_seconds')::int,
                (a ->> 'p_keyed')::boolean,
                (a ->> 'p_uncalled')::boolean
            );
        when 'claim_followed_batch' then
            return notify.claim_followed_batch(
                a ->> 'p_enterprise_id',
                array(select id.value::bigint from jsonb_array_elements_text(a -> 'p_notification_ids') as id),
                a ->> 'p_claim_owner',
                (a ->> 'p_lease_seconds')::int,
                (a ->> 'p_keyed')::boolean,
                (a ->> 'p_uncalled')::boolean
            );
        when 'record_outcomes' then
            return notify.record_outcomes(a ->> 'p_enterprise_id', a ->> 'p_claim_owner', a -> 'p_outcomes');
        when 'record_followed_outcomes' then
            return notify.record_followed_outcomes(
                a ->> 'p_enterprise_id', a ->> 'p_claim_owner', a -> 'p_outcomes',
                (a ->> 'p_look_after_seconds')::double precision
            );
        when 'renew_claims' then
            return notify.renew_claims(
                a ->> 'p_enterprise_id', a ->> 'p_claim_owner', a -> 'p_chunks_sent', (a ->> 'p_lease_seconds')::int
            );
        when 'hold_claims' then
            return notify.hold_claims(
                a ->> 'p_enterprise_id', a ->> 'p_claim_owner', a -> 'p_rows', (a ->> 'p_lease_seconds')::int
            );
        when 'note_delivery_faults' then
            return notify.note_delivery_faults(
                a ->> 'p_enterprise_id',
                a ->> 'p_claim_owner',
                array(select id.value::bigint from jsonb_array_elements_text(a -> 'p_notification_ids') as id),
                a ->> 'p_code'
            );
        when 'read_cron_rules' then
            return notify.read_cron_rules(a ->> 'p_enterprise_id');
        when 'fire_rules' then
            return notify.fire_rules(
                a ->> 'p_enterprise_id', a -> 'p_firings', (a ->> 'p_next_due_at')::timestamptz
            );
        when 'due_scheduled' then
            return notify.due_scheduled(a ->> 'p_enterprise_id', (a ->> 'p_limit')::int);
        else
            raise exception 'this function is not called together with others' using errcode = 'invalid_parameter_value';
    end case;
end
$$;

do $$
declare
    function regprocedure;
begin
    for function in
        select p.oid from pg_catalog.pg_proc p
        where p.pronamespace = 'notify'::regnamespace
            and p.proname in ('first_scheduled', 'shared_work', 'unaccounted_in')
    loop
        execute format('revoke all on function %s from public, anon, authenticated', function);
        execute format('grant execute on function %s to service_role', function);
    end loop;
end
$$;
