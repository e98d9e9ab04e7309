-- A second try for whom a notification definitely failed, which Novu does not make: under a transaction id of its own, for the
-- people and channels that failed and nobody else. The contract is docs/database_functions.md.

alter table notify.ent_notification_workflow
    add column if not exists second_tries int not null default 0
        constraint second_tries_are_0_to_10 check (second_tries between 0 and 10),
    add column if not exists second_try_after_seconds int not null default 600
        constraint second_try_after_seconds_is_10_to_86400 check (second_try_after_seconds between 10 and 86400),
    add column if not exists second_try_causes text[] not null default '{provider_error}'
        constraint second_try_causes_are_known check (
            second_try_causes <@ array['provider_error', 'no_address', 'no_integration', 'content', 'unknown']
        );
comment on column notify.ent_notification_workflow.second_tries is
    'How often what definitely failed is sent again to whom it failed for; 0: never.';
comment on column notify.ent_notification_workflow.second_try_after_seconds is
    'How long after it is known that something failed.';
comment on column notify.ent_notification_workflow.second_try_causes is 'For which causes (docs/delivery.md).';

alter table notify.delivery_account
    -- The latest, counted from 1; 0: there has been none.
    add column if not exists second_try int not null default 0,
    -- Chunks are counted on over all tries, so that a count of accepted ones never falls.
    add column if not exists try_first_chunk int not null default 0,
    add column if not exists try_chunks int not null default 0,
    -- How many entries Novu will have of it: one for each event and person.
    add column if not exists try_entries int not null default 0,
    add column if not exists try_by_channel boolean not null default false,
    add column if not exists try_at timestamptz;
create index if not exists delivery_account_try_at on notify.delivery_account (try_at) where try_at is not null;
create index if not exists delivery_account_trying on notify.delivery_account (notification_id)
    where second_try > 0 and not complete;

alter table notify.delivery_fact
    -- The try that this was told of, and the latest that was made for this person in this channel.
    add column if not exists tried int not null default 0,
    add column if not exists awaited int not null default 0;

-- Which try an id is of; ids from before there were keys are of none.
create or replace function notify.second_try_of(p_transaction_id text)
returns int
language sql
immutable
set search_path = ''
as $$
    select coalesce(
        (regexp_match(p_transaction_id, '^xnovu\.[0-9a-f]{32}\.[0-9]{1,9}\.([1-9][0-9]{0,3})$')) [1]::int, 0
    )
$$;

-- An attempt as the row tells of it, with more known of it.
create or replace function notify.with_attempt(p_attempts jsonb, p_number int, p_known jsonb)
returns jsonb
language sql
immutable
set search_path = ''
as $$
    select coalesce(
        jsonb_agg(
            case
                when attempt.value -> 'try' = to_jsonb(p_number) then attempt.value || p_known
                else attempt.value
            end
            order by attempt.place
        ),
        '[]'
    )
    from jsonb_array_elements(p_attempts) with ordinality as attempt (value, place)
    where jsonb_typeof(attempt.value) = 'object'
$$;

-- For whom a notification can be sent again, in which channels, so that nobody gets again what arrived: the channel that
-- failed, where Novu's workflow is kept by `xnovu novu apply` and so runs no step that is not asked for; else all of
-- it (a null channel), for people of whom nothing arrived in any. Recipients in their order.
create or replace function notify.second_try_parts(p_notification_id bigint, p_causes text[])
returns table (channel text, subscriber_ids text[])
language sql
stable
security invoker
set search_path = ''
as $$
    with kept as (
        select coalesce(bool_or(w.workflow_type = 'DYNAMIC' and k.workflow_key is not null), false) as by_channel
        from notify.ent_notification n
        join notify.ent_notification_workflow w on w.id = n.notification_workflow_id
        left join notify.novu_workflow k on k.workflow_key = w.workflow_key
        where n.id = p_notification_id
    ),
    people as (
        select r.id, min(r.place) as place, notify.delivery_person(p_notification_id, r.id) as person
        from notify.ent_notification n
        cross join lateral unnest(n.recipients::text[]) with ordinality as r (id, place)
        where n.id = p_notification_id
        group by r.id
    ),
    failed as (
        select f.channel, f.person
        from notify.delivery_fact f
        -- What an unfinished try may have brought is not definite.
        where f.notification_id = p_notification_id and f.outcome = 2 and f.awaited <= f.tried
            and f.cause = any (p_causes)
    )
    select failed.channel, array_agg(people.id order by people.place)
    from failed
    join people on people.person = failed.person
    where (select kept.by_channel from kept)
    group by failed.channel
    union all
    select null, array_agg(people.id order by people.place)
    from people
    where not (select kept.by_channel from kept)
        and people.person in (select failed.person from failed)
        and not exists (
            select
            from notify.delivery_fact f
            where f.notification_id = p_notification_id and f.person = people.person
                and (f.outcome = 3 or f.awaited > f.tried)
        )
    having count(*) > 0
$$;

-- Why a notification cannot be sent again now; null if it can.
create or replace function notify.second_try_hindrance(p_row notify.ent_notification)
returns text
language sql
stable
set search_path = ''
as $$
    select case
        when p_row.notification_status <> 'SENT' then 'not_sent'
        when p_row.publish_status <> 'PUBLISH' or p_row.deactivated then 'inactive'
        when p_row.deliver_before <= now() then 'past_deliver_before'
        -- Its ids say nothing of tries.
        when p_row.transaction_id is distinct from 'xnovu.' || p_row.delivery_key then 'without_key'
    end
$$;

-- Set one notification back to PENDING, for these people and channels alone. The caller has locked row and account.
create or replace function notify.begin_second_try(p_notification_id bigint, p_causes text[], p_by text)
returns boolean
language plpgsql
security invoker
set search_path = ''
as $$
declare
    c_chunk constant int := 100;
    c_attempts_told constant int := 20;
    v_parts jsonb;
    v_first_chunk int;
    v_number int;
begin
    select jsonb_agg(jsonb_build_object('channel', p.channel, 'people', to_jsonb(p.subscriber_ids)))
    into v_parts
    from notify.second_try_parts(p_notification_id, p_causes) as p;
    if v_parts is null then
        return false;
    end if;

    select greatest(n.chunks_sent, (a.persons + c_chunk - 1) / c_chunk), a.second_try + 1
    into v_first_chunk, v_number
    from notify.ent_notification n
    join notify.delivery_account a on a.notification_id = n.id
    where n.id = p_notification_id;

    update notify.delivery_fact f
    set awaited = v_number
    from jsonb_array_elements(v_parts) as part
    where f.notification_id = p_notification_id and f.outcome < 3
        and (part ->> 'channel' is null or f.channel = part ->> 'channel')
        and f.person in (
            select notify.delivery_person(p_notification_id, id)
            from jsonb_array_elements_text(part -> 'people') as each (id)
        );

    update notify.delivery_account a
    set second_try = v_number, try_first_chunk = v_first_chunk, try_chunks = made.chunks, try_entries = made.entries,
        try_by_channel = made.by_channel, try_at = null, complete = false, looked_through = false, state = 'accepted',
        state_at = now(), next_look_at = null,
        -- Novu remembers the new ones from now on.
        opened_at = now()
    from (
        select sum((jsonb_array_length(part -> 'people') + c_chunk - 1) / c_chunk) as chunks,
            sum(jsonb_array_length(part -> 'people')) as entries,
            bool_and(part ->> 'channel' is not null) as by_channel
        from jsonb_array_elements(v_parts) as part
    ) as made
    where a.notification_id = p_notification_id;

    update notify.ent_notification n
    set notification_status = 'PENDING', lease_expires_at = null, processed_at = null, in_doubt_since = null,
        awaits_answer = false, chunks_beyond = null, chunks_sent = v_first_chunk,
        updated_at = now(),
        delivery = case when jsonb_typeof(n.delivery) = 'object' then n.delivery else '{}' end || jsonb_build_object(
            'state', 'accepted',
            'attempts', (
                select coalesce(jsonb_agg(told.value order by told.place), '[]')
                from (
                    select attempt.value, attempt.place
                    from jsonb_array_elements(
                        case when jsonb_typeof(n.delivery -> 'attempts') = 'array' then n.delivery -> 'attempts' else '[]' end
                    ) with ordinality as attempt (value, place)
                    order by attempt.place desc
                    limit c_attempts_told - 1
                ) as told
            ) || jsonb_build_array(
                jsonb_build_object(
                    'try', v_number,
                    'at', to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
                    'by', p_by,
                    'channels', (
                        select jsonb_agg(distinct f.channel)
                        from notify.delivery_fact f
                        where f.notification_id = p_notification_id and f.awaited = v_number
                    ),
                    'messages', (
                        select count(*)
                        from notify.delivery_fact f
                        where f.notification_id = p_notification_id and f.awaited = v_number
                    )
                )
            )
        )
    where n.id = p_notification_id and n.notification_status = 'SENT';
    return true;
end
$$;

-- The same for several, each by itself: one that takes no UPDATE holds up no other. Answers which of them were begun.
create or replace function notify.begin_second_tries_of(p_notification_ids bigint[], p_causes text[], p_by text)
returns bigint[]
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_row notify.ent_notification;
    v_causes text[];
    v_begun bigint[] := '{}';
begin
    set constraints all immediate;
    for v_row in
        select n.* from notify.ent_notification n where n.id = any (p_notification_ids) order by n.id for update skip locked
    loop
        select coalesce(p_causes, w.second_try_causes)
        into v_causes
        from notify.delivery_account a
        left join notify.ent_notification_workflow w on w.id = v_row.notification_workflow_id
        where a.notification_id = v_row.id and a.complete and a.state in ('partly', 'undelivered')
            and (p_causes is not null or a.second_try < w.second_tries)
        for update of a;
        begin
            if v_causes is not null and notify.second_try_hindrance(v_row) is null
                and notify.begin_second_try(v_row.id, v_causes, p_by)
            then
                v_begun := v_begun || v_row.id;
            end if;
        exception
            when others or assert_failure then
                if not notify.update_is_refused(sqlstate) then
                    raise;
                end if;
        end;
        update notify.delivery_account a set try_at = null where a.notification_id = v_row.id and a.try_at is not null;
    end loop;
    return v_begun;
end
$$;

-- What is due by the workflows' own settings, begun by whoever asks Novu's activity.
create or replace function notify.begin_second_tries(p_reader text, p_enterprise_ids text[], p_limit int)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_begun bigint[];
    v_withdrawn bigint[];
begin
    if not exists (
        select
        from notify.delivery_reader r
        where r.scope = coalesce(array_to_string(p_enterprise_ids, ','), '*') and r.holder = p_reader and r.held_until > now()
    ) then
        return jsonb_build_object('begun', '[]'::jsonb);
    end if;

    v_begun := notify.begin_second_tries_of(
        (
            select array_agg(due.notification_id)
            from (
                select a.notification_id
                from notify.delivery_account a
                where a.try_at <= now() and (p_enterprise_ids is null or a.enterprise_id = any (p_enterprise_ids))
                order by a.try_at
                limit p_limit
            ) as due
        ),
        null,
        'workflow'
    );

    -- Retracted before anything of it was sent: nothing more will be heard.
    with withdrawn as (
        update notify.delivery_account a
        set looked_through = true
        from notify.ent_notification n
        where a.second_try > 0 and not a.complete and a.next_look_at is null
            and (p_enterprise_ids is null or a.enterprise_id = any (p_enterprise_ids))
            and n.id = a.notification_id and n.notification_status = 'RETRACTED' and n.lease_expires_at is null
        returning a.notification_id
    )
    select array_agg(withdrawn.notification_id) into v_withdrawn from withdrawn;
    if v_withdrawn is not null then
        perform notify.settle_delivery_accounts(v_withdrawn);
    end if;

    return jsonb_build_object(
        'begun', coalesce(
            (
                select jsonb_agg(to_jsonb(b))
                from (
                    select a.enterprise_id, count(*) as rows
                    from notify.delivery_account a
                    where a.notification_id = any (v_begun)
                    group by a.enterprise_id
                    order by a.enterprise_id
                ) as b
            ),
            '[]'
        )
    );
end
$$;

-- Those of an enterprise whose delivery failed, by hand; a dry run says what would be done, and changes nothing.
create or replace function notify.replay_undelivered(
    p_enterprise_id text, p_since timestamptz, p_causes text[], p_limit int, p_dry_run boolean default true
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_causes constant text[] := coalesce(
        p_causes, array['provider_error', 'no_address', 'no_integration', 'content', 'unknown']
    );
    v_ids bigint[];
    v_messages jsonb;
    v_left_out jsonb;
    v_begun bigint[];
begin
    if p_enterprise_id is null or p_limit is null or p_limit not between 1 and 1000 then
        raise exception 'a replay needs an enterprise and a limit of 1 to 1000'
            using errcode = 'invalid_parameter_value';
    end if;

    with failing as materialized (
        select a.notification_id, a.state_at
        from notify.delivery_account a
        where a.enterprise_id = p_enterprise_id and a.complete and a.state in ('partly', 'undelivered')
            and (p_since is null or a.state_at >= p_since)
            and exists (
                select
                from notify.delivery_fact f
                where f.notification_id = a.notification_id and f.outcome = 2 and f.cause = any (v_causes)
            )
        order by a.state_at, a.notification_id
        limit 10000
    ),
    judged as materialized (
        select failing.notification_id, failing.state_at,
            coalesce(
                notify.second_try_hindrance(n),
                case
                    when not exists (select from notify.second_try_parts(failing.notification_id, v_causes))
                    then 'would_repeat_what_arrived'
                end
            ) as hindrance
        from failing
        join notify.ent_notification n on n.id = failing.notification_id
    ),
    chosen as (
        select judged.notification_id
        from judged
        where judged.hindrance is null
        order by judged.state_at, judged.notification_id
        limit p_limit
    )
    select
        (select coalesce(array_agg(chosen.notification_id order by chosen.notification_id), '{}') from chosen),
        coalesce(
            (
                select jsonb_agg(to_jsonb(m))
                from (
                    select coalesce(p.channel, 'ALL') as channel, count(distinct chosen.notification_id) as rows,
                        sum(cardinality(p.subscriber_ids)) as people
                    from chosen
                    cross join lateral notify.second_try_parts(chosen.notification_id, v_causes) as p
                    group by 1
                    order by 1
                ) as m
            ),
            '[]'
        ),
        coalesce(
            (
                select jsonb_object_agg(l.hindrance, l.rows)
                from (
                    select coalesce(judged.hindrance, 'beyond_limit') as hindrance, count(*) as rows
                    from judged
                    where judged.notification_id not in (select chosen.notification_id from chosen)
                    group by 1
                ) as l
            ),
            '{}'
        )
    into v_ids, v_messages, v_left_out;

    if not p_dry_run then
        v_begun := notify.begin_second_tries_of(v_ids, v_causes, 'hand');
        if v_begun <> v_ids then
            v_left_out := v_left_out || jsonb_build_object('refused', cardinality(v_ids) - cardinality(v_begun));
        end if;
        v_ids := v_begun;
    end if;
    return jsonb_build_object(
        'dry_run', p_dry_run, 'messages', v_messages, 'left_out', v_left_out, 'notification_ids', to_jsonb(v_ids)
    );
end
$$;

-- claim_batch; of rows that are sent again it says to whom, in which channels, and under which number.
create or replace function notify.claim_followed_batch(
    p_enterprise_id text,
    p_notification_ids bigint[],
    p_claim_owner text,
    p_lease_seconds int,
    p_keyed boolean default false,
    p_uncalled boolean default false
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_answer constant jsonb := notify.claim_batch(
        p_enterprise_id, p_notification_ids, p_claim_owner, p_lease_seconds, p_keyed, p_uncalled
    );
    v_tries jsonb;
begin
    select jsonb_object_agg(
        a.notification_id,
        jsonb_build_object('number', a.second_try, 'first_chunk', a.try_first_chunk, 'parts', parts.told)
    )
    into v_tries
    from notify.delivery_account a
    join notify.ent_notification n on n.id = a.notification_id
    cross join lateral (
        select jsonb_agg(
            jsonb_build_object('channel', part.channel, 'recipients', part.people) order by part.channel
        ) as told
        from (
            select tried.channel, jsonb_agg(tried.id order by tried.place) as people
            from (
                select case when a.try_by_channel then f.channel end as channel, r.id, min(r.place) as place
                from notify.delivery_fact f
                join lateral unnest(n.recipients::text[]) with ordinality as r (id, place)
                    on notify.delivery_person(a.notification_id, r.id) = f.person
                where f.notification_id = a.notification_id and f.awaited = a.second_try
                group by 1, 2
            ) as tried
            group by tried.channel
        ) as part
    ) as parts
    where a.notification_id in (select (row ->> 'id')::bigint from jsonb_array_elements(v_answer -> 'notifications') as row)
        and a.second_try > 0 and not a.complete and parts.told is not null;
    return v_answer || jsonb_build_object('second_tries', coalesce(v_tries, '{}'));
end
$$;

-- A second try that is refused leaves the row SENT, as it was, and says why. What of it may have reached Novu is not tried
-- again.
create or replace function notify.end_refused_tries(p_outcomes jsonb)
returns void
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_ids bigint[];
begin
    if p_outcomes is null then
        return;
    end if;
    select array_agg(a.notification_id)
    into v_ids
    from (
        select a.notification_id
        from jsonb_to_recordset(p_outcomes) as o (id bigint)
        join notify.ent_notification n on n.id = o.id
        join notify.delivery_account a on a.notification_id = o.id
        where n.notification_status = 'FAILED' and a.second_try > 0 and not a.complete
        for update of a
    ) as a;
    if v_ids is null then
        return;
    end if;

    update notify.delivery_fact f
    set awaited = f.tried
    from notify.delivery_account a, jsonb_to_recordset(p_outcomes) as o (id bigint, reached_novu boolean, error_details jsonb)
    where f.notification_id = any (v_ids) and a.notification_id = f.notification_id and o.id = f.notification_id
        and f.awaited = a.second_try
        and case
            when jsonb_typeof(o.error_details -> 'chunks_sent') = 'number'
            then (o.error_details ->> 'chunks_sent')::numeric <= a.try_first_chunk and not o.error_details ? 'chunks_beyond'
            else not coalesce(o.reached_novu, false)
        end;
    begin
        update notify.ent_notification n
        set notification_status = 'SENT', error_details = null,
            delivery = n.delivery || case
                when jsonb_typeof(n.delivery -> 'attempts') = 'array'
                then jsonb_build_object(
                    'attempts', notify.with_attempt(
                        n.delivery -> 'attempts', a.second_try, jsonb_build_object('refused', left(n.error_details ->> 'code', 100))
                    )
                )
                else '{}'
            end
        from notify.delivery_account a
        where n.id = any (v_ids) and a.notification_id = n.id;
    exception
        -- It stays FAILED where the project refuses it.
        when others or assert_failure then
            if not notify.update_is_refused(sqlstate) then
                raise;
            end if;
    end;
    update notify.delivery_account a set looked_through = true where a.notification_id = any (v_ids);
    perform notify.settle_delivery_accounts(v_ids);
end
$$;

-- As it was; second tries end here too.
create or replace function notify.record_followed_outcomes(
    p_enterprise_id text, p_claim_owner text, p_outcomes jsonb, p_look_after_seconds double precision
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_answer constant jsonb := notify.record_outcomes(p_enterprise_id, p_claim_owner, p_outcomes);
    v_sent bigint[];
    v_id bigint;
begin
    select coalesce(array_agg(o.id), '{}')
    into v_sent
    from jsonb_to_recordset(p_outcomes) as o (id bigint, status text)
    where o.status = 'SENT' and v_answer -> 'recorded' @> to_jsonb(o.id);

    begin
        perform notify.follow_notifications(v_sent, p_look_after_seconds);
    exception
        when others or assert_failure then
            if not notify.update_is_refused(sqlstate) then
                raise;
            end if;
            foreach v_id in array v_sent loop
                begin
                    perform notify.follow_notifications(array[v_id], p_look_after_seconds);
                exception
                    when others or assert_failure then
                        if not notify.update_is_refused(sqlstate) then
                            raise;
                        end if;
                end;
            end loop;
    end;
    perform notify.end_refused_tries(
        (
            select jsonb_agg(o)
            from jsonb_array_elements(p_outcomes) as o
            where o ->> 'status' = 'FAILED' and v_answer -> 'recorded' @> (o -> 'id')
        )
    );
    return v_answer;
end
$$;

do $$
declare
    function regprocedure;
begin
    for function in
        select p.oid from pg_catalog.pg_proc p
        where p.pronamespace = 'notify'::regnamespace
            and p.proname in (
                'second_try_of', 'with_attempt', 'second_try_parts', 'second_try_hindrance', 'begin_second_try',
                'begin_second_tries_of', 'begin_second_tries', 'replay_undelivered', 'claim_followed_batch',
                'end_refused_tries'
            )
    loop
        execute format('revoke all on function %s from public, anon, authenticated', function);
        execute format('grant execute on function %s to service_role', function);
    end loop;
end
$$;
