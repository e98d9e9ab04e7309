-- How a notification ends: sent, failed or retracted. The contract is docs/database_functions.md.

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
        select o.id, o.status, o.transaction_id, o.error_details
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
        select n.id, n.notification_status, n.lease_expires_at
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
            updated_at = now()
        from asked
        where n.id = asked.id and asked.notification_status in ('PENDING', 'PROCESSING', 'FAILED')
    )
    select jsonb_build_object(
        'retracted', coalesce(jsonb_agg(a.id order by a.id) filter (where a.notification_status <> 'SENT'), '[]'),
        'in_flight', coalesce(
            jsonb_agg(a.id order by a.id) filter (
                where a.notification_status = 'PROCESSING'
                    or (a.notification_status = 'RETRACTED' and a.lease_expires_at is not null)
            ),
            '[]'
        ),
        'too_late', coalesce(jsonb_agg(a.id order by a.id) filter (where a.notification_status = 'SENT'), '[]')
    )
    into v_result
    from asked a;

    return v_result;
end
$$;
