-- A notification retracted after something of it reached Novu: Novu is asked to cancel, and its answer stored.
--
-- The rule that makes a row tell its story: `transaction_id` is not null if and only if Novu took something of it, or
-- may have. What nobody can know, because a claim lapsed without a report, counts as "may have".

alter table notify.ent_notification add column if not exists cancellation jsonb;
comment on column notify.ent_notification.cancellation is
    'What Novu answered when asked to cancel, after the row was retracted. Null: not asked, or sent again since.';

-- Rows in this index wait for their cancellation; an answer takes them out.
create index if not exists ent_notification_uncancelled
    on notify.ent_notification ((enterprise_id::text), (id + 0))
    where notification_status = 'RETRACTED' and cancellation is null
        and (transaction_id is not null or chunks_sent > 0 or lease_expires_at is not null);

create or replace function notify.record_outcomes(p_enterprise_id text, p_claim_owner text, p_outcomes jsonb)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_recorded jsonb;
begin
    if exists (
        select
        from jsonb_to_recordset(p_outcomes) as o (id bigint, status text, transaction_id text, error_details jsonb)
        where o.id is null
            or o.status is null
            or o.status not in ('SENT', 'FAILED')
            or (o.status = 'SENT' and o.transaction_id is null)
            or (o.status = 'FAILED' and jsonb_typeof(o.error_details) is distinct from 'object')
    ) then
        raise exception 'an outcome is SENT with a transaction_id, or FAILED with an object error_details'
            using errcode = 'invalid_parameter_value';
    end if;

    with outcome as (
        select o.id, o.status, o.transaction_id, o.error_details,
            case
                when jsonb_typeof(o.error_details -> 'chunks_sent') = 'number'
                then (o.error_details ->> 'chunks_sent')::numeric::int
            end as chunks_sent
        from jsonb_to_recordset(p_outcomes) as o (id bigint, status text, transaction_id text, error_details jsonb)
    ),
    open as (
        select n.id
        from notify.ent_notification n
        where n.id in (select outcome.id from outcome)
            and n.enterprise_id::text = p_enterprise_id
            and n.claim_owner = p_claim_owner
            and n.lease_expires_at is not null
            and n.notification_status in ('PROCESSING', 'RETRACTED')
        order by n.id
        for update
    )
    update notify.ent_notification n
    set notification_status = case
            when n.notification_status = 'RETRACTED' then n.notification_status
            when outcome.status = 'SENT' then 'SENT'
            else 'FAILED'
        end,
        -- A row retracted too late says so by its transaction id.
        transaction_id = coalesce(outcome.transaction_id, n.transaction_id),
        chunks_sent = greatest(n.chunks_sent, outcome.chunks_sent),
        -- What Novu answered before it took this may not be true of it.
        cancellation = case when outcome.transaction_id is null then n.cancellation end,
        error_details = case
            when n.notification_status = 'RETRACTED' then n.error_details
            when outcome.status = 'FAILED' then
                outcome.error_details || jsonb_build_object('attempts', n.attempts, 'lastAttempt', now())
        end,
        lease_expires_at = null,
        updated_at = now()
    from open
    join outcome on outcome.id = open.id
    where n.id = open.id;

    -- Read afterwards, not returned by the update: a repeated call, its first answer lost, gets the same answer.
    select coalesce(jsonb_agg(n.id order by n.id), '[]')
    into v_recorded
    from jsonb_to_recordset(p_outcomes) as o (id bigint, status text, transaction_id text, error_details jsonb)
    join notify.ent_notification n on n.id = o.id
    where n.enterprise_id::text = p_enterprise_id
        and n.claim_owner = p_claim_owner
        and n.lease_expires_at is null
        and case o.status
            when 'SENT' then n.notification_status in ('SENT', 'RETRACTED') and n.transaction_id = o.transaction_id
            else
                n.notification_status = 'FAILED'
                and n.error_details @> (o.error_details - array['attempts', 'lastAttempt'])
        end;

    return jsonb_build_object('recorded', v_recorded);
end
$$;

create or replace function notify.retract_notifications(
    p_enterprise_id text, p_notification_ids bigint[], p_reason text
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_result jsonb;
begin
    with asked as (
        select n.id,
            -- A row that is SENT without a transaction id has nothing to be cancelled by, and RETRACTED it could not
            -- say any more that it was sent.
            not (n.notification_status = 'SENT' and n.transaction_id is null) as can_be_retracted,
            n.notification_status <> 'RETRACTED' as is_new,
            (n.notification_status = 'PROCESSING' or (n.notification_status = 'RETRACTED' and n.cancellation is null))
                and n.lease_expires_at is not null as in_flight,
            n.notification_status = 'SENT' or n.transaction_id is not null or n.chunks_sent > 0 as reached_novu
        from notify.ent_notification n
        where n.id = any (p_notification_ids) and n.enterprise_id::text = p_enterprise_id
        order by n.id
        for update
    ),
    retracted as (
        -- The claim stays open: its owner may be past recall, and then stores the transaction id.
        update notify.ent_notification n
        set notification_status = 'RETRACTED',
            retracted_at = now(),
            retraction_reason = p_reason,
            cancellation = null,
            updated_at = now()
        from asked
        where n.id = asked.id and asked.can_be_retracted and asked.is_new
    )
    select jsonb_build_object(
        'retracted', coalesce(jsonb_agg(a.id order by a.id) filter (where a.can_be_retracted), '[]'),
        'in_flight', coalesce(jsonb_agg(a.id order by a.id) filter (where a.in_flight), '[]'),
        'too_late', coalesce(jsonb_agg(a.id order by a.id) filter (where a.reached_novu and not a.in_flight), '[]')
    )
    into v_result
    from asked a;

    return v_result;
end
$$;

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
                'transaction_id', n.transaction_id,
                'recipient_count', (select count(distinct r.id) from unnest(n.recipients::text[]) as r (id)),
                'settled', n.lease_expires_at is null
            )
            order by n.id
        ),
        '[]'
    )
    from (
        select asked.*
        from notify.ent_notification asked
        where asked.id = any (p_notification_ids) and asked.enterprise_id::text = p_enterprise_id
        -- By primary key: after a mass retraction the index of all that wait would be the long way round.
        offset 0
    ) as n
    where n.notification_status = 'RETRACTED' and n.cancellation is null
        and (n.transaction_id is not null or n.chunks_sent > 0 or n.lease_expires_at is not null)
        and (n.lease_expires_at is null or n.lease_expires_at <= now())
$$;

create or replace function notify.record_cancellations(p_enterprise_id text, p_cancellations jsonb)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_recorded jsonb;
begin
    if exists (
        select
        from jsonb_to_recordset(p_cancellations) as c (id bigint, transaction_id text, cancellation jsonb)
        where c.id is null or c.transaction_id is null or jsonb_typeof(c.cancellation) is distinct from 'object'
    ) then
        raise exception 'a cancellation has an id, a transaction_id and an object cancellation'
            using errcode = 'invalid_parameter_value';
    end if;

    with asked as (
        select c.id, c.transaction_id, c.cancellation
        from jsonb_to_recordset(p_cancellations) as c (id bigint, transaction_id text, cancellation jsonb)
    ),
    found as (
        select n.id, n.notification_status, n.cancellation, n.transaction_id, n.chunks_sent, n.lease_expires_at
        from notify.ent_notification n
        where n.id in (select asked.id from asked) and n.enterprise_id::text = p_enterprise_id
        order by n.id
        for update
    )
    update notify.ent_notification n
    set cancellation = jsonb_build_object('at', now()) || asked.cancellation,
        -- Of a claim that lapsed nobody knows whether Novu took it: from here on the row says that it may have.
        transaction_id = coalesce(found.transaction_id, asked.transaction_id),
        updated_at = now()
    from found
    join asked on asked.id = found.id
    where n.id = found.id
        and found.notification_status = 'RETRACTED' and found.cancellation is null
        and (found.transaction_id is not null or found.chunks_sent > 0 or found.lease_expires_at is not null)
        and (found.lease_expires_at is null or found.lease_expires_at <= now())
        -- Settled since Novu was asked: Novu may have taken it after its answer, and is asked again.
        and not (found.lease_expires_at is null and asked.cancellation @> '{"settled": false}');

    select coalesce(jsonb_agg(distinct n.id order by n.id), '[]')
    into v_recorded
    from jsonb_to_recordset(p_cancellations) as c (id bigint)
    join notify.ent_notification n on n.id = c.id
    where n.enterprise_id::text = p_enterprise_id
        and n.notification_status = 'RETRACTED' and n.cancellation is not null;

    return jsonb_build_object('recorded', v_recorded);
end
$$;
