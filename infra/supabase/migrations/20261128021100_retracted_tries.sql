-- What is retracted after a second try is cancelled in all of its tries: each has ids of its own at Novu. The contract is
-- docs/database_functions.md.

alter table notify.delivery_account
    -- How many chunks each second try has, in their order.
    add column if not exists tries_chunks int[] not null default '{}';

-- Of earlier tries together it is known how many chunks they have: each has so many at most.
update notify.delivery_account a
set tries_chunks = array_fill(
        greatest(a.try_first_chunk - (a.persons + 99) / 100, 1), array[a.second_try - 1]
    ) || a.try_chunks
where a.second_try > 0 and a.tries_chunks = '{}';

-- As it was; it notes how many chunks the try has.
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
        tries_chunks = a.tries_chunks || made.chunks::int,
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

-- As it was; second tries are told of.
create or replace function notify.retractions_to_cancel(p_enterprise_id text, p_notification_ids bigint[])
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
    select coalesce(
        jsonb_agg(
            jsonb_build_object(
                'id', n.id,
                'transaction_id', coalesce(
                    -- A longer one no notification of ours and none of Novu's can bear.
                    case when length(n.transaction_id) <= 255 then n.transaction_id end,
                    n.base
                ),
                'recipient_count', (select count(distinct r.id) from unnest(n.recipients::text[]) as r (id)),
                'settled', n.lease_expires_at is null,
                'second_tries', coalesce(
                    (select to_jsonb(a.tries_chunks) from notify.delivery_account a where a.notification_id = n.id), '[]'
                )
            )
            order by n.id
        ),
        '[]'
    )
    from (
        select asked.*, notify.base_of(asked) as base
        from notify.ent_notification asked
        where asked.id = any (p_notification_ids) and asked.enterprise_id::text = p_enterprise_id
            -- Refused Novu's answer, and to be asked for again later.
            and not exists (
                select from notify.refused_update r where r.notification_id = asked.id and r.retry_at > now()
            )
        -- By primary key: after a mass retraction the index of all that wait would be the long way round.
        offset 0
    ) as n
    where n.notification_status = 'RETRACTED' and n.cancellation is null
        and (n.transaction_id is not null or n.chunks_sent > 0 or n.lease_expires_at is not null)
        and (
            n.lease_expires_at is null or n.lease_expires_at <= now() or n.lease_expires_at > now() + interval '2 days'
        )
$$;
