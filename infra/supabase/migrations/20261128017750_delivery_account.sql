-- What became of a notification after Novu took it: per channel how many people it was sent to, failed for, was left out
-- for, who saw and read it. No subscriber id, address or text is kept. The contract is docs/database_functions.md.

alter table notify.ent_notification add column if not exists delivery jsonb;
comment on column notify.ent_notification.delivery is
    'What became of it at Novu: state, counts per channel, first cause. Null: nobody keeps account of it.';

create table if not exists notify.delivery_account (
    notification_id bigint primary key references notify.ent_notification (id) on delete cascade,
    enterprise_id text not null,
    persons int not null,
    -- Whoever is to have it in these channels is accounted for; null: only Novu knows the channels.
    channels text[],
    opened_at timestamptz not null default now(),
    heard_at timestamptz,
    looked_through boolean not null default false,
    complete boolean not null default false,
    state text not null default 'accepted',
    state_at timestamptz not null default now(),
    next_look_at timestamptz
);
comment on table notify.delivery_account is
    'Notifications whose delivery is followed: when Novu is to be asked next, and what is known to be complete.';
create index if not exists delivery_account_next_look on notify.delivery_account (next_look_at)
    where next_look_at is not null;
create index if not exists delivery_account_state_at on notify.delivery_account (state_at, notification_id)
    where state <> 'accepted';
create index if not exists delivery_account_opened on notify.delivery_account (opened_at);
create index if not exists delivery_account_unheard on notify.delivery_account (opened_at)
    where heard_at is null;

-- One person in one channel. The person is a hash that differs from row to row: it tells a repeated event from a new one,
-- and leads back only to whoever is among the row's own recipients.
create table if not exists notify.delivery_fact (
    notification_id bigint not null references notify.delivery_account (notification_id) on delete cascade,
    channel text not null,
    person bytea not null,
    -- 1 skipped, 2 failed, 3 sent: the highest that was told counts, so that order and repetition do not.
    outcome smallint not null check (outcome between 1 and 3),
    cause text,
    at timestamptz not null,
    seen boolean not null default false,
    read boolean not null default false,
    primary key (notification_id, channel, person)
);
comment on table notify.delivery_fact is 'What is known of one person, by a hash, in one channel of one notification.';

create table if not exists notify.delivery_reader (
    scope text primary key,
    holder text not null,
    held_until timestamptz not null
);
comment on table notify.delivery_reader is 'Which worker asks Novu''s activity endpoint: one at a time, within one rate.';

create or replace function notify.delivery_person(p_notification_id bigint, p_subscriber_id text)
returns bytea
language sql
immutable
set search_path = ''
as $$
    select substr(sha256(convert_to(p_notification_id::text || ':' || p_subscriber_id, 'UTF8')), 1, 16)
$$;

-- A count on a row; 0 for whatever else somebody has written there.
create or replace function notify.delivery_count(p_delivery jsonb, p_channel text, p_outcome text)
returns numeric
language sql
immutable
set search_path = ''
as $$
    select case
        when jsonb_typeof(p_delivery #> array['channels', p_channel, p_outcome]) = 'number'
        then (p_delivery #>> array['channels', p_channel, p_outcome])::numeric
        else 0
    end
$$;

-- Which notification a transaction id belongs to: xnovu.<key>[.<chunk>[.<try>]]; or, from before there were keys,
-- xnovu.<enterprise>[~].<row>[.<chunk>]. Where an enterprise's id ends in a number two readings of these are possible; the
-- row itself tells which is right.
create or replace function notify.notifications_of_transactions(p_transaction_ids text[])
returns table (transaction_id text, notification_id bigint)
language sql
stable
security invoker
set search_path = ''
as $$
    with asked as (
        select distinct t.id,
            (regexp_match(t.id, '^xnovu\.([0-9a-f]{32})(?:\.[0-9]{1,9}){0,2}$')) [1] as key,
            regexp_match(t.id, '^(xnovu\.(.+)\.([0-9]{1,18}))$') as parts
        from unnest(p_transaction_ids) as t (id)
        where length(t.id) <= 300
    ),
    readings as (
        select asked.id, asked.parts [1] as base, asked.parts [3]::bigint as row_id
        from asked
        where asked.parts is not null
        union all
        select asked.id, 'xnovu.' || asked.parts [2], (regexp_match(asked.parts [2], '\.([0-9]{1,18})$')) [1]::bigint
        from asked
        where asked.parts [2] ~ '.\.[0-9]{1,18}$'
    ),
    found as (
        select asked.id, n.id as notification_id, 1 as place
        from asked
        join notify.ent_notification n on n.delivery_key = asked.key and n.delivery_key is not null
        where n.claim_owner is not null
        union all
        select r.id, n.id, case when n.transaction_id is null then 3 else 2 end
        from readings r
        join notify.ent_notification n on n.id = r.row_id
        where r.base in (n.transaction_id, n.transaction_base)
            or (
                n.transaction_id is null and n.transaction_base is null and n.claim_owner is not null
                and r.base in (
                    'xnovu.' || n.enterprise_id::text || '.' || n.id, 'xnovu.' || n.enterprise_id::text || '~.' || n.id
                )
            )
    )
    select distinct on (found.id) found.id, found.notification_id
    from found
    order by found.id, found.place
$$;

-- Begin to keep account of rows that Novu took; of those that are followed already, look again.
create or replace function notify.open_delivery_accounts(p_notification_ids bigint[], p_look_after_seconds double precision)
returns void
language sql
security invoker
set search_path = ''
as $$
    insert into notify.delivery_account as a (notification_id, enterprise_id, persons, channels, next_look_at)
    select n.id, n.enterprise_id::text,
        (select count(distinct r.id) from unnest(n.recipients::text[]) as r (id)),
        case when w.workflow_type = 'DYNAMIC' then (select array_agg(distinct c.name) from unnest(n.channels::text[]) as c (name)) end,
        now() + make_interval(secs => p_look_after_seconds)
    from notify.ent_notification n
    left join notify.ent_notification_workflow w on w.id = n.notification_workflow_id
    where n.id = any (p_notification_ids) and n.enterprise_id is not null
    order by n.id
    on conflict (notification_id) do update
    set next_look_at = excluded.next_look_at
    where excluded.next_look_at is not null and not a.complete
$$;

-- Counts anew what is known of these notifications, and writes it to their rows where it says something new. The accounts
-- are locked by the caller. Answers what changed, as counts.
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
            count(*) as known,
            (array_agg(f.cause order by f.at, f.cause) filter (where f.outcome = 2)) [1] as cause,
            min(f.at) filter (where f.outcome = 2) as failed_at
        from notify.delivery_fact f
        where f.notification_id = any (p_notification_ids)
        group by f.notification_id, f.channel
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
    accounts as (
        update notify.delivery_account a
        set complete = counted.complete, state = described.delivery ->> 'state',
            state_at = case when a.state = described.delivery ->> 'state' then a.state_at else now() end
        from counted
        join described on described.notification_id = counted.notification_id
        where a.notification_id = counted.notification_id
            and (a.complete, a.state) is distinct from (counted.complete, described.delivery ->> 'state')
    ),
    before as (
        select n.id, n.delivery from notify.ent_notification n where n.id = any (p_notification_ids)
    ),
    written as (
        -- Not updated_at: when it ended is another matter.
        update notify.ent_notification n
        set delivery = described.delivery
            || case
                when jsonb_typeof(n.delivery -> 'attempts') = 'array'
                then jsonb_build_object('attempts', n.delivery -> 'attempts')
                else '{}'
            end
        from described
        where n.id = described.notification_id
            and case when jsonb_typeof(n.delivery) = 'object' then n.delivery - 'attempts' end
                is distinct from described.delivery
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

-- The same; of a row that takes no UPDATE of ours, because of a constraint or a trigger of the project's own, no account is
-- kept any more, and the others are settled.
create or replace function notify.settle_delivery_accounts(p_notification_ids bigint[])
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_middle constant int := cardinality(p_notification_ids) / 2;
    v_first jsonb;
    v_second jsonb;
begin
    begin
        return notify.count_delivery_accounts(p_notification_ids);
    exception
        when integrity_constraint_violation or data_exception or raise_exception or triggered_data_change_violation then
            if cardinality(p_notification_ids) = 1 then
                delete from notify.delivery_account a where a.notification_id = any (p_notification_ids);
                return jsonb '{"states": [], "messages": []}';
            end if;
    end;
    v_first := notify.settle_delivery_accounts(p_notification_ids [:v_middle]);
    v_second := notify.settle_delivery_accounts(p_notification_ids [v_middle + 1:]);
    return jsonb_build_object(
        'states', v_first -> 'states' || (v_second -> 'states'),
        'messages', v_first -> 'messages' || (v_second -> 'messages')
    );
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
    ),
    merged as (
        select told.notification_id, told.channel, told.person,
            (array_agg(told.outcome order by told.outcome desc, told.at, told.cause)) [1] as outcome,
            (array_agg(told.cause order by told.outcome desc, told.at, told.cause)) [1] as cause,
            (array_agg(told.at order by told.outcome desc, told.at, told.cause)) [1] as at,
            bool_or(told.seen) as seen, bool_or(told.read) as read
        from told
        group by told.notification_id, told.channel, told.person
    )
    insert into notify.delivery_fact as f (notification_id, channel, person, outcome, cause, at, seen, read)
    select merged.notification_id, merged.channel, merged.person, merged.outcome, merged.cause, merged.at, merged.seen, merged.read
    from merged
    order by merged.notification_id, merged.channel, merged.person
    on conflict (notification_id, channel, person) do update
    -- The higher outcome counts, of two the earlier one: whatever comes when, the same remains.
    set (outcome, cause, at) = (
            select it.outcome, it.cause, it.at
            from (values (f.outcome, f.cause, f.at), (excluded.outcome, excluded.cause, excluded.at)) as it (outcome, cause, at)
            order by it.outcome desc, it.at, it.cause
            limit 1
        ),
        seen = f.seen or excluded.seen,
        read = f.read or excluded.read
    where (-excluded.outcome, excluded.at, coalesce(excluded.cause, '')) < (-f.outcome, f.at, coalesce(f.cause, ''))
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
    from jsonb_to_recordset(p_looks) as l (id bigint, through boolean, again_after_seconds double precision)
    where a.notification_id = l.id and a.notification_id = any (v_known);

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
        where a.opened_at < now() - make_interval(secs => p_retention_seconds)
            and (p_enterprise_ids is null or a.enterprise_id = any (p_enterprise_ids))
        order by a.notification_id
        limit c_closed_at_once
        for update skip locked
    ) as old;
    with lost as (
        update notify.ent_notification n
        set delivery = case when jsonb_typeof(n.delivery) = 'object' then n.delivery else '{}' end
            || '{"state": "unknown"}'
        from notify.delivery_account a
        where a.notification_id = any (v_closed) and n.id = a.notification_id and not a.complete and n.delivery is not null
        returning a.enterprise_id
    )
    select coalesce(jsonb_agg(to_jsonb(s)), '[]')
    into v_unknown
    from (select lost.enterprise_id, 'unknown' as state, count(*) as rows from lost group by 1 order by 1) s;
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
