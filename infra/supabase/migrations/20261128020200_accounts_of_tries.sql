-- The account of deliveries as it was, and of second tries: what is told of a later try counts more.

create or replace function notify.count_delivery_accounts(p_notification_ids bigint[])
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_changes jsonb;
begin
    with per_channel as (
        select f.notification_id, f.channel,
            count(*) filter (where f.outcome = 3) as sent,
            count(*) filter (where f.outcome = 2) as failed,
            count(*) filter (where f.outcome = 1) as skipped,
            count(*) filter (where f.seen) as seen,
            count(*) filter (where f.read) as read,
            count(*) filter (where f.outcome = 3 or f.awaited <= f.tried) as known,
            (array_agg(f.cause order by f.at, f.cause) filter (where f.outcome = 2)) [1] as cause,
            min(f.at) filter (where f.outcome = 2) as failed_at
        from notify.delivery_fact f
        where f.notification_id = any (p_notification_ids)
        group by f.notification_id, f.channel
    ),
    trying as (
        select f.notification_id,
            jsonb_build_object(
                'sent', count(*) filter (where f.outcome = 3),
                'failed', count(*) filter (where f.outcome = 2 and f.awaited <= f.tried)
            ) as told
        from notify.delivery_fact f
        join notify.delivery_account a on a.notification_id = f.notification_id
        where f.notification_id = any (p_notification_ids) and a.second_try > 0 and f.awaited = a.second_try
        group by f.notification_id
    ),
    counted as (
        select a.notification_id, a.enterprise_id,
            coalesce(sum(c.sent), 0) as sent,
            coalesce(sum(c.failed), 0) as failed,
            coalesce(
                jsonb_object_agg(
                    c.channel,
                    jsonb_build_object(
                        'sent', c.sent, 'failed', c.failed, 'skipped', c.skipped, 'seen', c.seen, 'read', c.read
                    )
                ) filter (where c.channel is not null),
                '{}'
            ) as channels,
            (array_agg(c.cause order by c.failed_at, c.cause) filter (where c.cause is not null)) [1] as cause,
            a.looked_through
                or coalesce(
                    count(c.channel) filter (where c.channel = any (a.channels) and c.known >= a.persons)
                    = cardinality(a.channels),
                    false
                ) as complete
        from notify.delivery_account a
        left join per_channel c on c.notification_id = a.notification_id
        where a.notification_id = any (p_notification_ids)
        group by a.notification_id
    ),
    described as (
        select counted.notification_id, counted.enterprise_id,
            jsonb_build_object(
                'state',
                case
                    when not counted.complete then 'accepted'
                    when counted.sent = 0 then 'undelivered'
                    when counted.failed = 0 then 'delivered'
                    else 'partly'
                end
            )
            || case when counted.channels = '{}' then '{}' else jsonb_build_object('channels', counted.channels) end
            || case when counted.cause is null then '{}' else jsonb_build_object('cause', counted.cause) end as delivery
        from counted
    ),
    planned as (
        -- When it is sent again to whom it failed for, as its workflow says.
        select a.notification_id,
            case
                when counted.complete and counted.failed > 0 and a.second_try < w.second_tries
                    and exists (
                        select
                        from notify.delivery_fact f
                        where f.notification_id = a.notification_id and f.outcome = 2 and f.awaited <= f.tried
                            and f.cause = any (w.second_try_causes)
                    )
                then coalesce(a.try_at, now() + make_interval(secs => w.second_try_after_seconds))
            end as try_at
        from counted
        join notify.delivery_account a on a.notification_id = counted.notification_id
        join notify.ent_notification n on n.id = a.notification_id
        left join notify.ent_notification_workflow w on w.id = n.notification_workflow_id
    ),
    accounts as (
        update notify.delivery_account a
        set complete = counted.complete, state = described.delivery ->> 'state', try_at = planned.try_at,
            state_at = case when a.state = described.delivery ->> 'state' then a.state_at else now() end
        from counted
        join described on described.notification_id = counted.notification_id
        join planned on planned.notification_id = counted.notification_id
        where a.notification_id = counted.notification_id
            and (a.complete, a.state, a.try_at)
                is distinct from (counted.complete, described.delivery ->> 'state', planned.try_at)
    ),
    before as (
        select n.id, n.delivery from notify.ent_notification n where n.id = any (p_notification_ids)
    ),
    written as (
        -- Not updated_at: when it ended is another matter.
        update notify.ent_notification n
        set delivery = known.delivery
        from (
            select d.notification_id,
                d.delivery || case
                    when jsonb_typeof(r.delivery -> 'attempts') = 'array'
                    then jsonb_build_object(
                        'attempts', notify.with_attempt(r.delivery -> 'attempts', a.second_try, coalesce(t.told, '{}'))
                    )
                    else '{}'
                end as delivery
            from described d
            join notify.ent_notification r on r.id = d.notification_id
            join notify.delivery_account a on a.notification_id = d.notification_id
            left join trying t on t.notification_id = d.notification_id
        ) as known
        where n.id = known.notification_id and n.delivery is distinct from known.delivery
        returning n.id, n.delivery
    )
    select jsonb_build_object(
        'states', coalesce(
            (
                select jsonb_agg(to_jsonb(s))
                from (
                    select d.enterprise_id, w.delivery ->> 'state' as state, count(*) as rows
                    from written w
                    join described d on d.notification_id = w.id
                    join before b on b.id = w.id
                    where w.delivery ->> 'state' <> coalesce(b.delivery ->> 'state', 'accepted')
                    group by 1, 2
                    order by 1, 2
                ) s
            ),
            '[]'
        ),
        'messages', coalesce(
            (
                select jsonb_agg(to_jsonb(m))
                from (
                    select d.enterprise_id, channel.name as channel, outcome.name as outcome,
                        sum(
                            notify.delivery_count(w.delivery, channel.name, outcome.name)
                            - notify.delivery_count(b.delivery, channel.name, outcome.name)
                        ) as messages
                    from written w
                    join described d on d.notification_id = w.id
                    join before b on b.id = w.id
                    cross join lateral jsonb_object_keys(coalesce(w.delivery -> 'channels', '{}')) as channel (name)
                    cross join unnest(array['sent', 'failed', 'skipped', 'seen', 'read']) as outcome (name)
                    group by 1, 2, 3
                    order by 1, 2, 3
                ) m
                where m.messages <> 0
            ),
            '[]'
        )
    )
    into v_changes;
    return v_changes;
end
$$;

create or replace function notify.record_delivery(p_facts jsonb, p_looks jsonb default '[]')
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    -- Larger ones are counted when Novu is looked at, not with each event.
    c_counted_at_once constant int := 500;
    v_ids bigint[];
    v_known bigint[];
    v_to_count bigint[];
    v_matched int;
    v_changes jsonb;
begin
    if exists (
        select
        from jsonb_to_recordset(p_facts) as f (
            transaction_id text, subscriber_id text, channel text, outcome text, at timestamptz
        )
        where f.transaction_id is null or f.subscriber_id is null or f.at is null
            or f.channel is null or f.channel not in ('IN_APP', 'EMAIL', 'SMS', 'CHAT', 'PUSH')
            or f.outcome is null or f.outcome not in ('skipped', 'failed', 'sent')
    ) then
        raise exception 'a fact has transaction_id, subscriber_id, at, a channel, and an outcome skipped, failed or sent'
            using errcode = 'invalid_parameter_value';
    end if;

    select coalesce(array_agg(distinct t.notification_id), '{}')
    into v_ids
    from notify.notifications_of_transactions(
        (select array_agg(distinct f ->> 'transaction_id') from jsonb_array_elements(p_facts) as f)
    ) as t;

    -- An event may come before the worker has recorded that the row was sent.
    perform notify.open_delivery_accounts(
        (
            select array_agg(n.id)
            from notify.ent_notification n
            where n.id = any (v_ids)
                and n.notification_status in ('PENDING', 'PROCESSING')
                and not exists (select from notify.delivery_account a where a.notification_id = n.id)
        ),
        null
    );

    -- Rows before their accounts, as whoever records outcomes does.
    perform n.id
    from notify.ent_notification n
    where n.id = any (v_ids) or n.id in (select l.id from jsonb_to_recordset(p_looks) as l (id bigint))
    order by n.id
    for no key update;

    select coalesce(array_agg(locked.notification_id), '{}')
    into v_known
    from (
        select a.notification_id
        from notify.delivery_account a
        where a.notification_id = any (v_ids)
            or a.notification_id in (select l.id from jsonb_to_recordset(p_looks) as l (id bigint))
        order by a.notification_id
        for update
    ) as locked;

    with told as (
        select t.notification_id, f.channel, notify.delivery_person(t.notification_id, f.subscriber_id) as person,
            array_position(array['skipped', 'failed', 'sent'], f.outcome)::smallint as outcome,
            case when f.outcome <> 'sent' then coalesce(left(f.cause, 40), 'unknown') end as cause,
            notify.second_try_of(f.transaction_id) as tried,
            f.at, coalesce(f.seen or f.read, false) as seen, coalesce(f.read, false) as read
        from jsonb_to_recordset(p_facts) as f (
            transaction_id text, subscriber_id text, channel text, outcome text, cause text, at timestamptz,
            seen boolean, read boolean
        )
        join notify.notifications_of_transactions(
            (select array_agg(distinct each ->> 'transaction_id') from jsonb_array_elements(p_facts) as each)
        ) as t on t.transaction_id = f.transaction_id
        join notify.ent_notification n on n.id = t.notification_id
        where t.notification_id = any (v_known)
            -- Novu goes through every step of its workflow: that it left out what nobody asked for is no news.
            and (f.outcome <> 'skipped' or f.channel = any (n.channels::text[]))
            -- What a second try was not made for has no news of it, unless something arrived.
            and (
                f.outcome = 'sent' or notify.second_try_of(f.transaction_id) = 0
                or exists (
                    select
                    from notify.delivery_fact known
                    where known.notification_id = t.notification_id and known.channel = f.channel
                        and known.person = notify.delivery_person(t.notification_id, f.subscriber_id)
                        and known.awaited >= notify.second_try_of(f.transaction_id)
                )
            )
    ),
    ranked as (
        -- Who has it, has it; else the latest try counts, in it the highest outcome, and of two the earlier one: whatever
        -- comes when, and however often, the same remains.
        select told.*,
            row_number() over (
                partition by told.notification_id, told.channel, told.person
                order by told.outcome = 3 desc, case when told.outcome < 3 then told.tried end desc, told.outcome desc,
                    told.at, told.cause, told.tried
            ) as place
        from told
    ),
    merged as (
        select ranked.notification_id, ranked.channel, ranked.person,
            max(ranked.outcome) filter (where ranked.place = 1) as outcome,
            max(ranked.cause) filter (where ranked.place = 1) as cause,
            max(ranked.at) filter (where ranked.place = 1) as at,
            max(ranked.tried) filter (where ranked.place = 1) as tried,
            bool_or(ranked.seen) as seen, bool_or(ranked.read) as read
        from ranked
        group by ranked.notification_id, ranked.channel, ranked.person
    )
    insert into notify.delivery_fact as f (notification_id, channel, person, outcome, cause, at, tried, seen, read)
    select merged.notification_id, merged.channel, merged.person, merged.outcome, merged.cause, merged.at, merged.tried,
        merged.seen, merged.read
    from merged
    order by merged.notification_id, merged.channel, merged.person
    on conflict (notification_id, channel, person) do update
    set (outcome, cause, at, tried) = (
            select it.outcome, it.cause, it.at, it.tried
            from (
                values (f.outcome, f.cause, f.at, f.tried),
                    (excluded.outcome, excluded.cause, excluded.at, excluded.tried)
            ) as it (outcome, cause, at, tried)
            order by it.outcome = 3 desc, case when it.outcome < 3 then it.tried end desc, it.outcome desc, it.at,
                it.cause, it.tried
            limit 1
        ),
        seen = f.seen or excluded.seen,
        read = f.read or excluded.read
    where (
            (excluded.outcome < 3)::int, case when excluded.outcome < 3 then -excluded.tried else 0 end,
            -excluded.outcome, excluded.at, coalesce(excluded.cause, ''), excluded.tried
        ) < (
            (f.outcome < 3)::int, case when f.outcome < 3 then -f.tried else 0 end,
            -f.outcome, f.at, coalesce(f.cause, ''), f.tried
        )
        or (excluded.seen and not f.seen) or (excluded.read and not f.read);
    get diagnostics v_matched = row_count;

    update notify.delivery_account a
    set heard_at = now(),
        next_look_at = case when a.persons > c_counted_at_once and a.next_look_at is null then now() + interval '60 seconds' else a.next_look_at end
    where a.notification_id = any (v_ids) and a.notification_id = any (v_known)
        and (a.heard_at is null or a.persons > c_counted_at_once);

    update notify.delivery_account a
    set looked_through = a.looked_through or l.through,
        next_look_at = now() + make_interval(secs => l.again_after_seconds)
    from jsonb_to_recordset(p_looks) as l (
        id bigint, through boolean, again_after_seconds double precision, second_try int
    )
    where a.notification_id = l.id and a.notification_id = any (v_known)
        -- A look from before a second try was begun says nothing of it.
        and coalesce(l.second_try, 0) = a.second_try;

    select coalesce(array_agg(a.notification_id), '{}')
    into v_to_count
    from notify.delivery_account a
    where a.notification_id = any (v_known)
        and (
            a.persons <= c_counted_at_once
            or a.notification_id in (select l.id from jsonb_to_recordset(p_looks) as l (id bigint))
        );

    v_changes := notify.settle_delivery_accounts(v_to_count);

    -- Whoever is told everything need not ask.
    update notify.delivery_account a
    set next_look_at = null
    where a.notification_id = any (v_to_count) and a.complete and a.next_look_at is not null
        and a.notification_id not in (select l.id from jsonb_to_recordset(p_looks) as l (id bigint));

    return v_changes || jsonb_build_object(
        'new_facts', v_matched,
        'unknown_transactions', (
            select count(distinct f ->> 'transaction_id') from jsonb_array_elements(p_facts) as f
        ) - (
            select count(*)
            from notify.notifications_of_transactions(
                (select array_agg(distinct f ->> 'transaction_id') from jsonb_array_elements(p_facts) as f)
            ) as t
            where t.notification_id = any (v_known)
        )
    );
end
$$;

create or replace function notify.take_delivery_looks(
    p_reader text, p_enterprise_ids text[], p_limit int, p_retention_seconds double precision, p_lease_seconds double precision
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    c_closed_at_once constant int := 500;
    v_scope constant text := coalesce(array_to_string(p_enterprise_ids, ','), '*');
    v_looks jsonb;
    v_closed bigint[];
    v_id bigint;
    v_unknown jsonb;
    v_next double precision;
begin
    insert into notify.delivery_reader as r (scope, holder, held_until)
    values (v_scope, p_reader, now() + make_interval(secs => p_lease_seconds))
    on conflict (scope) do update
    set holder = excluded.holder, held_until = excluded.held_until
    where r.holder = excluded.holder or r.held_until <= now();
    if not found then
        return jsonb_build_object('mine', false);
    end if;

    -- Novu has forgotten these. What is known stays on the row; whom it concerns is forgotten here too.
    select coalesce(array_agg(old.notification_id), '{}')
    into v_closed
    from (
        select a.notification_id
        from notify.delivery_account a
        join notify.ent_notification n on n.id = a.notification_id
        where a.opened_at < now() - make_interval(secs => p_retention_seconds)
            and (p_enterprise_ids is null or a.enterprise_id = any (p_enterprise_ids))
            -- Who a second try is for is known here alone.
            and n.notification_status not in ('PENDING', 'PROCESSING')
        order by a.notification_id
        limit c_closed_at_once
        for update of n, a skip locked
    ) as old;
    set constraints all immediate;
    begin
        v_unknown := notify.lose_deliveries(v_closed);
    exception
        when others or assert_failure then
            if not notify.update_is_refused(sqlstate) then
                raise;
            end if;
    end;
    if v_unknown is null then
        v_unknown := '[]';
        foreach v_id in array v_closed loop
            begin
                v_unknown := v_unknown || notify.lose_deliveries(array[v_id]);
            exception
                when others or assert_failure then
                    -- What it says already stays.
                    if not notify.update_is_refused(sqlstate) then
                        raise;
                    end if;
            end;
        end loop;
    end if;
    delete from notify.delivery_account a where a.notification_id = any (v_closed);

    with due as (
        select a.notification_id
        from notify.delivery_account a
        where a.next_look_at <= now() and (p_enterprise_ids is null or a.enterprise_id = any (p_enterprise_ids))
        order by a.next_look_at
        limit p_limit
        for update skip locked
    ),
    taken as (
        update notify.delivery_account a
        set next_look_at = now() + make_interval(secs => p_lease_seconds)
        from due
        where a.notification_id = due.notification_id
        returning a.*
    )
    select coalesce(
        jsonb_agg(
            jsonb_build_object(
                'id', t.notification_id,
                'enterprise_id', t.enterprise_id,
                'transaction_id', n.transaction_id,
                'persons', t.persons,
                'second_try', t.second_try,
                'try_chunks', t.try_chunks,
                'try_entries', t.try_entries,
                'age_seconds', extract(epoch from now() - t.opened_at),
                'complete', t.complete,
                'unread', notify.delivery_count(n.delivery, 'IN_APP', 'sent')
                    > notify.delivery_count(n.delivery, 'IN_APP', 'read')
            )
            order by t.opened_at, t.notification_id
        ),
        '[]'
    )
    into v_looks
    from taken t
    join notify.ent_notification n on n.id = t.notification_id
    where n.transaction_id is not null;

    select extract(epoch from min(a.next_look_at) - now())
    into v_next
    from notify.delivery_account a
    where a.next_look_at is not null and (p_enterprise_ids is null or a.enterprise_id = any (p_enterprise_ids));

    return jsonb_build_object(
        'mine', true,
        'looks', v_looks,
        'closed', cardinality(v_closed),
        'states', v_unknown,
        'next_look_in_seconds', v_next,
        'unheard_seconds', (
            select coalesce(extract(epoch from now() - min(a.opened_at)), 0)
            from notify.delivery_account a
            where a.heard_at is null and (p_enterprise_ids is null or a.enterprise_id = any (p_enterprise_ids))
        )
    );
end
$$;
