-- How claims end, or are kept, since rows have keys and may be in doubt. The contract is docs/database_functions.md.

-- Under which id Novu has the row, if it has it and the row itself does not say.
create or replace function notify.base_of(p_row notify.ent_notification)
returns text
language sql
stable
set search_path = ''
as $$
    select case
        when notify.is_own_base(
            p_row.transaction_base, p_row.delivery_key, p_row.enterprise_id::text, p_row.id
        ) then p_row.transaction_base
        else notify.keyless_base(p_row.enterprise_id::text, p_row.id)
    end
$$;

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
        select o.id, o.status, o.transaction_id, o.error_details, coalesce(o.reached_novu, false) as reached_novu,
            case
                when jsonb_typeof(o.error_details -> 'chunks_sent') = 'number'
                then (o.error_details ->> 'chunks_sent')::numeric::int
            end as chunks_sent
        from jsonb_to_recordset(p_outcomes) as o (
            id bigint, status text, transaction_id text, reached_novu boolean, error_details jsonb
        )
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
        -- A row retracted too late says so by its transaction id, and so does one of which Novu may have taken something.
        transaction_id = coalesce(
            outcome.transaction_id,
            case when outcome.reached_novu or n.in_doubt_since is not null then notify.base_of(n) end,
            n.transaction_id
        ),
        awaits_answer = false,
        in_doubt_since = case when outcome.status = 'FAILED' then n.in_doubt_since end,
        chunks_beyond = case when outcome.status = 'FAILED' then n.chunks_beyond end,
        -- Whoever sends it again asks anew, and does not get this answer again.
        idempotency_round = case
            when outcome.status = 'FAILED' then least(n.idempotency_round, 2147483646) + 1
            else n.idempotency_round
        end,
        chunks_sent = greatest(n.chunks_sent, outcome.chunks_sent),
        -- What Novu answered before it took this may not be true of it.
        cancellation = case when outcome.transaction_id is null and not outcome.reached_novu then n.cancellation end,
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

-- The state in which an attempt leaves rows that it has neither sent nor refused, or in which it is about to call.
create or replace function notify.hold_claims(
    p_enterprise_id text, p_claim_owner text, p_rows jsonb, p_lease_seconds int
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_held jsonb;
begin
    if p_lease_seconds is null or p_lease_seconds <= 0 then
        raise exception 'a claim needs a positive lease' using errcode = 'invalid_parameter_value';
    end if;

    with held as (
        select n.id, row.chunks_sent, row.chunks_beyond, row.answered, row.in_doubt, row.repeated, row.refused,
            row.put_off_seconds
        from jsonb_to_recordset(p_rows) as row (
            id bigint, chunks_sent int, chunks_beyond int[], answered boolean, in_doubt boolean, repeated boolean,
            refused boolean, put_off_seconds double precision
        )
        join notify.ent_notification n on n.id = row.id
        where n.enterprise_id::text = p_enterprise_id
            and n.claim_owner = p_claim_owner
            and n.notification_status = 'PROCESSING'
        order by n.id
        for update of n
    ),
    kept as (
        update notify.ent_notification n
        set lease_expires_at = now() + make_interval(secs => coalesce(held.put_off_seconds, p_lease_seconds)),
            -- Put off: nobody's, and free when its time has come.
            claim_owner = case when held.put_off_seconds is null then n.claim_owner end,
            chunks_sent = greatest(n.chunks_sent, held.chunks_sent),
            chunks_beyond = coalesce(held.chunks_beyond, n.chunks_beyond),
            awaits_answer = not coalesce(held.answered, false),
            in_doubt_since = case when held.in_doubt then now() else n.in_doubt_since end,
            doubtful_repeats = least(n.doubtful_repeats, 2147483646) + case when held.repeated then 1 else 0 end,
            idempotency_round = least(n.idempotency_round, 2147483646) + case when held.refused then 1 else 0 end,
            updated_at = now()
        from held
        where n.id = held.id
        returning n.id
    )
    select coalesce(jsonb_agg(k.id order by k.id), '[]') into v_held from kept k;

    return jsonb_build_object('held', v_held);
end
$$;

create or replace function notify.trace_notification(p_notification_id bigint)
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
    select jsonb_build_object(
        'now', now(),
        'id', n.id,
        'enterprise_id', n.enterprise_id::text,
        'status', n.notification_status,
        'publish_status', n.publish_status,
        'deactivated', n.deactivated,
        'created_at', notify.readable_instant(n.created_at),
        'updated_at', notify.readable_instant(n.updated_at),
        'processed_at', notify.readable_instant(n.processed_at),
        'scheduled_for', notify.readable_instant(n.scheduled_for),
        'deliver_before', notify.readable_instant(n.deliver_before),
        'retracted_at', notify.readable_instant(n.retracted_at),
        'lease_expires_at', notify.readable_instant(n.lease_expires_at),
        'claim_owner', left(n.claim_owner, 1000),
        'attempts', n.attempts,
        'chunks_sent', n.chunks_sent,
        'transaction_id', left(n.transaction_id, 1000),
        'transaction_base', left(n.transaction_base, 1000),
        'in_doubt_since', notify.readable_instant(n.in_doubt_since),
        'doubtful_repeats', n.doubtful_repeats,
        'recipient_count', (select count(distinct r.id) from unnest(n.recipients::text[]) as r (id)),
        'error_details', case
            when notify.unreadable_json(n.error_details, 64 * 1024) is null then n.error_details
            else jsonb_build_object(
                'code', left(n.error_details ->> 'code', 100),
                'message', 'error_details ' || notify.unreadable_json(n.error_details, 64 * 1024)
            )
        end,
        'cancellation', case when notify.unreadable_json(n.cancellation, 64 * 1024) is null then n.cancellation end,
        'rule_id', n.notification_rule_id,
        'workflow', (
            select jsonb_build_object(
                'key', left(w.workflow_key, 1000),
                'active', w.publish_status = 'PUBLISH' and not w.deactivated,
                'same_enterprise', coalesce(w.enterprise_id::text = n.enterprise_id::text, false)
            )
            from notify.ent_notification_workflow w
            where w.id = n.notification_workflow_id
        )
    )
    from notify.ent_notification n
    where n.id = p_notification_id
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
                'transaction_id', coalesce(
                    -- A longer one no notification of ours and none of Novu's can bear.
                    case when length(n.transaction_id) <= 255 then n.transaction_id end,
                    n.base
                ),
                'recipient_count', (select count(distinct r.id) from unnest(n.recipients::text[]) as r (id)),
                'settled', n.lease_expires_at is null
            )
            order by n.id
        ),
        '[]'
    )
    from (
        select asked.*, notify.base_of(asked) as base
        from notify.ent_notification asked
        where asked.id = any (p_notification_ids) and asked.enterprise_id::text = p_enterprise_id
        -- By primary key: after a mass retraction the index of all that wait would be the long way round.
        offset 0
    ) as n
    where n.notification_status = 'RETRACTED' and n.cancellation is null
        and (n.transaction_id is not null or n.chunks_sent > 0 or n.lease_expires_at is not null)
        and (
            n.lease_expires_at is null or n.lease_expires_at <= now() or n.lease_expires_at > now() + interval '2 days'
        )
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
        where c.id is null or jsonb_typeof(c.cancellation) is distinct from 'object'
    ) then
        raise exception 'a cancellation has an id and an object cancellation'
            using errcode = 'invalid_parameter_value';
    end if;

    with asked as (
        select c.id, c.transaction_id, c.cancellation
        from jsonb_to_recordset(p_cancellations) as c (id bigint, transaction_id text, cancellation jsonb)
    ),
    found as (
        select n.id, n.notification_status, n.cancellation, n.transaction_id, n.chunks_sent, n.lease_expires_at,
            n.transaction_base, notify.base_of(n) as base
        from notify.ent_notification n
        where n.id in (select asked.id from asked) and n.enterprise_id::text = p_enterprise_id
        order by n.id
        for update
    )
    update notify.ent_notification n
    set cancellation = jsonb_build_object('at', now()) || asked.cancellation,
        -- Of a claim that lapsed nobody knows whether Novu took it: from here on the row says that it may have.
        transaction_id = coalesce(
            found.transaction_id,
            -- What code without keys says of itself is right of what such code has claimed.
            case when found.transaction_base is null then asked.transaction_id end,
            found.base
        ),
        updated_at = now()
    from found
    join asked on asked.id = found.id
    where n.id = found.id
        and found.notification_status = 'RETRACTED' and found.cancellation is null
        and (found.transaction_id is not null or found.chunks_sent > 0 or found.lease_expires_at is not null)
        and (
            found.lease_expires_at is null or found.lease_expires_at <= now()
            or found.lease_expires_at > now() + interval '2 days'
        )
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

do $$
declare
    function regprocedure;
begin
    for function in
        select p.oid from pg_catalog.pg_proc p
        where p.pronamespace = 'notify'::regnamespace
            and p.proname in (
                'base_of', 'hold_claims', 'record_outcomes', 'trace_notification', 'retractions_to_cancel',
                'record_cancellations'
            )
    loop
        execute format('revoke all on function %s from public, anon, authenticated', function);
        execute format('grant execute on function %s to service_role', function);
    end loop;
end
$$;
