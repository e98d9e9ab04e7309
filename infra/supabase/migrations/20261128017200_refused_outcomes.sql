-- Outcomes, progress and releases of a claim: together, and row by row where a row refuses its UPDATE. The contract is
-- docs/database_functions.md.

-- The statement itself: writes all or none. Answers which rows are still open, because a trigger left them as they were.
create or replace function notify.write_outcomes(p_enterprise_id text, p_claim_owner text, p_outcomes jsonb)
returns bigint[]
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_open bigint[];
begin
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
    ),
    written as (
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
            -- Whoever sends it again asks anew, and does not get this answer again; but not for what Novu has taken.
            idempotency_round = case
                when outcome.status = 'FAILED' and outcome.error_details ->> 'outcome' is distinct from 'sent' then least(n.idempotency_round, 2147483646) + 1
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
        where n.id = open.id
        returning n.id, n.notification_status = 'PROCESSING' or n.lease_expires_at is not null as is_open
    )
    -- Not a join: the planner expects one row, and would compare every row with every other.
    select coalesce(array_agg(each.id), '{}')
    into v_open
    from (
        select ids.id
        from (select open.id from open union all select written.id from written where not written.is_open) as ids
        group by ids.id
        having count(*) = 1
    ) as each;

    return v_open;
end
$$;

-- Of a row that does not take its outcome: FAILED then, with a code, or a note of what it is to say.
create or replace function notify.refuse_outcome(
    p_enterprise_id text, p_claim_owner text, p_outcome jsonb, p_reason text
)
returns void
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_reason text := '00000';
begin
    begin
        if notify.write_outcomes(
            p_enterprise_id,
            p_claim_owner,
            jsonb_build_array(
                jsonb_build_object(
                    'id', p_outcome -> 'id',
                    'status', 'FAILED',
                    'transaction_id', p_outcome -> 'transaction_id',
                    'reached_novu', p_outcome -> 'reached_novu',
                    'error_details', jsonb_strip_nulls(
                        jsonb_build_object(
                            'code', 'outcome_refused',
                            'message', 'the database refused to write how the delivery ended',
                            'outcome', case p_outcome ->> 'status' when 'SENT' then 'sent' else 'failed' end,
                            'refused_code', p_outcome -> 'error_details' -> 'code',
                            'chunks_sent', p_outcome -> 'error_details' -> 'chunks_sent',
                            'sqlstate', p_reason
                        )
                    )
                )
            )
        ) = '{}'
        then
            return;
        end if;
    exception
        when others or assert_failure then
            if not notify.update_is_refused(sqlstate) then
                raise;
            end if;
            v_reason := sqlstate;
    end;
    perform notify.note_refused_update(
        p_enterprise_id, (p_outcome ->> 'id')::bigint, 'outcome_refused', v_reason, p_claim_owner, p_outcome
    );
end
$$;

create or replace function notify.record_outcomes(p_enterprise_id text, p_claim_owner text, p_outcomes jsonb)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_outcome jsonb;
    v_reason text;
    v_open bigint[];
    v_recorded bigint[];
    v_refused jsonb := '{}';
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

    -- What a project has its triggers say at the end of a transaction would be said when nobody can answer any more.
    set constraints all immediate;
    begin
        v_open := notify.write_outcomes(p_enterprise_id, p_claim_owner, p_outcomes);
    exception
        when others or assert_failure then
            if not notify.update_is_refused(sqlstate) then
                raise;
            end if;
    end;
    if v_open is null or v_open <> '{}' then
        for v_outcome in
            select o
            from jsonb_array_elements(p_outcomes) as o
            where v_open is null or (o ->> 'id')::bigint = any (v_open)
            order by (o ->> 'id')::bigint
        loop
            v_reason := '00000';
            begin
                continue when notify.write_outcomes(p_enterprise_id, p_claim_owner, jsonb_build_array(v_outcome)) = '{}';
            exception
                when others or assert_failure then
                    if not notify.update_is_refused(sqlstate) then
                        raise;
                    end if;
                    v_reason := sqlstate;
            end;
            perform notify.refuse_outcome(p_enterprise_id, p_claim_owner, v_outcome, v_reason);
        end loop;
    end if;

    -- Read afterwards, not returned by the update: a repeated call, its first answer lost, gets the same answer.
    select coalesce(array_agg(n.id order by n.id), '{}')
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

    if cardinality(v_recorded) < jsonb_array_length(p_outcomes) then
        select coalesce(
            jsonb_object_agg(
                n.id, jsonb_build_object('sqlstate', coalesce(r.reason, n.error_details ->> 'sqlstate'), 'rests', r.reason is not null)
            ),
            '{}'
        )
        into v_refused
        from jsonb_to_recordset(p_outcomes) as o (id bigint)
        join notify.ent_notification n on n.id = o.id
        left join notify.refused_update r
            on r.notification_id = n.id and r.claim_owner = p_claim_owner and r.code = 'outcome_refused'
        where n.enterprise_id::text = p_enterprise_id
            and n.claim_owner = p_claim_owner
            and n.id <> all (v_recorded)
            and (
                r.reason is not null
                or (
                    n.notification_status = 'FAILED' and n.lease_expires_at is null
                    and n.error_details ->> 'code' = 'outcome_refused'
                )
            );
    end if;

    return jsonb_build_object('recorded', to_jsonb(v_recorded))
        || case when v_refused = '{}' then '{}' else jsonb_build_object('refused', v_refused) end;
end
$$;

-- The statement itself. Answers the rows that are this owner's, and those of them that a trigger left as they were.
create or replace function notify.renew_rows(
    p_enterprise_id text, p_claim_owner text, p_chunks_sent jsonb, p_lease_seconds int,
    out held bigint[], out unchanged bigint[]
)
language plpgsql
security invoker
set search_path = ''
as $$
begin
    with mine as (
        select n.id, progress.value::int as chunks_sent
        from jsonb_each_text(p_chunks_sent) as progress
        join notify.ent_notification n on n.id = progress.key::bigint
        where n.enterprise_id::text = p_enterprise_id
            and n.claim_owner = p_claim_owner
            and n.notification_status = 'PROCESSING'
        order by n.id
        for update of n
    ),
    renewed as (
        update notify.ent_notification n
        set lease_expires_at = now() + make_interval(secs => p_lease_seconds),
            chunks_sent = greatest(n.chunks_sent, mine.chunks_sent),
            updated_at = now()
        from mine
        where n.id = mine.id
        returning n.id
    )
    select (select coalesce(array_agg(mine.id order by mine.id), '{}') from mine),
        (
            select coalesce(array_agg(each.id order by each.id), '{}')
            from (
                select ids.id
                from (select mine.id from mine union all select renewed.id from renewed) as ids
                group by ids.id
                having count(*) = 1
            ) as each
        )
    into held, unchanged;
end
$$;

create or replace function notify.renew_claims(
    p_enterprise_id text, p_claim_owner text, p_chunks_sent jsonb, p_lease_seconds int
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_id bigint;
    v_held bigint[];
    v_unchanged bigint[];
    v_refused jsonb := '{}';
    v_renewed record;
begin
    if p_lease_seconds is null or p_lease_seconds <= 0 then
        raise exception 'a claim needs a positive lease' using errcode = 'invalid_parameter_value';
    end if;

    set constraints all immediate;
    begin
        select r.held, r.unchanged
        into v_held, v_unchanged
        from notify.renew_rows(p_enterprise_id, p_claim_owner, p_chunks_sent, p_lease_seconds) as r;
    exception
        when others or assert_failure then
            if not notify.update_is_refused(sqlstate) then
                raise;
            end if;
    end;
    if v_held is null then
        v_held := '{}';
        v_unchanged := '{}';
        for v_id in select p.key::bigint from jsonb_object_keys(p_chunks_sent) as p (key) order by 1 loop
            begin
                select r.held, r.unchanged
                into v_renewed
                from notify.renew_rows(
                    p_enterprise_id, p_claim_owner, jsonb_build_object(v_id, p_chunks_sent -> v_id::text), p_lease_seconds
                ) as r;
                v_held := v_held || v_renewed.held;
                v_unchanged := v_unchanged || v_renewed.unchanged;
            exception
                when others or assert_failure then
                    if not notify.update_is_refused(sqlstate) then
                        raise;
                    end if;
                    v_held := v_held || v_id;
                    v_refused := v_refused || jsonb_build_object(v_id, sqlstate);
            end;
        end loop;
    end if;
    -- They are this owner's, who goes on with them: a note holds them in place of the lease.
    perform notify.note_refused_update(
        p_enterprise_id, r.id, 'renewal_refused', r.reason, p_claim_owner, p_retry_after_seconds => p_lease_seconds
    )
    from (
        select r.key::bigint as id, r.value as reason from jsonb_each_text(v_refused) as r
        union all
        select u.id, '00000' from unnest(v_unchanged) as u (id)
    ) as r;

    return jsonb_build_object('held', to_jsonb(v_held));
end
$$;

-- The statement itself. Answers the rows that are this owner's, and those of them that a trigger left as they were.
create or replace function notify.hold_rows(
    p_enterprise_id text, p_claim_owner text, p_rows jsonb, p_lease_seconds int, out held bigint[], out unchanged bigint[]
)
language plpgsql
security invoker
set search_path = ''
as $$
begin
    with mine as (
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
        set lease_expires_at = now() + make_interval(secs => coalesce(mine.put_off_seconds, p_lease_seconds)),
            -- Put off: nobody's, and free when its time has come.
            claim_owner = case when mine.put_off_seconds is null then n.claim_owner end,
            chunks_sent = greatest(n.chunks_sent, mine.chunks_sent),
            chunks_beyond = coalesce(mine.chunks_beyond, n.chunks_beyond),
            awaits_answer = not coalesce(mine.answered, false),
            in_doubt_since = case when mine.in_doubt then now() else n.in_doubt_since end,
            doubtful_repeats = least(n.doubtful_repeats, 2147483646) + case when mine.repeated then 1 else 0 end,
            idempotency_round = least(n.idempotency_round, 2147483646) + case when mine.refused then 1 else 0 end,
            updated_at = now()
        from mine
        where n.id = mine.id
        returning n.id
    )
    select (select coalesce(array_agg(mine.id order by mine.id), '{}') from mine),
        (
            select coalesce(array_agg(each.id order by each.id), '{}')
            from (
                select ids.id
                from (select mine.id from mine union all select kept.id from kept) as ids
                group by ids.id
                having count(*) = 1
            ) as each
        )
    into held, unchanged;
end
$$;

create or replace function notify.hold_claims(
    p_enterprise_id text, p_claim_owner text, p_rows jsonb, p_lease_seconds int
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_row jsonb;
    v_held bigint[];
    v_unchanged bigint[];
    v_refused jsonb := '{}';
    v_kept record;
begin
    if p_lease_seconds is null or p_lease_seconds <= 0 then
        raise exception 'a claim needs a positive lease' using errcode = 'invalid_parameter_value';
    end if;

    set constraints all immediate;
    begin
        select h.held, h.unchanged
        into v_held, v_unchanged
        from notify.hold_rows(p_enterprise_id, p_claim_owner, p_rows, p_lease_seconds) as h;
    exception
        when others or assert_failure then
            if not notify.update_is_refused(sqlstate) then
                raise;
            end if;
    end;
    if v_held is null then
        v_held := '{}';
        v_unchanged := '{}';
        for v_row in select r from jsonb_array_elements(p_rows) as r order by (r ->> 'id')::bigint loop
            begin
                select h.held, h.unchanged
                into v_kept
                from notify.hold_rows(p_enterprise_id, p_claim_owner, jsonb_build_array(v_row), p_lease_seconds) as h;
                v_held := v_held || v_kept.held;
                v_unchanged := v_unchanged || v_kept.unchanged;
            exception
                when others or assert_failure then
                    if not notify.update_is_refused(sqlstate) then
                        raise;
                    end if;
                    v_held := v_held || (v_row ->> 'id')::bigint;
                    v_refused := v_refused || jsonb_build_object(v_row ->> 'id', sqlstate);
            end;
        end loop;
    end if;
    -- As renew_claims does; one that was to be put off is nobody's until then.
    perform notify.note_refused_update(
        p_enterprise_id, r.id, 'renewal_refused', coalesce(v_refused ->> r.id::text, '00000'), p_claim_owner,
        p_retry_after_seconds => greatest(1, coalesce(r.put_off_seconds, p_lease_seconds))::int
    )
    from jsonb_to_recordset(p_rows) as r (id bigint, put_off_seconds double precision)
    where v_refused ? r.id::text or r.id = any (v_unchanged);

    return jsonb_build_object('held', to_jsonb(v_held));
end
$$;

-- The statement itself. Answers the rows that are free.
create or replace function notify.release_rows(p_enterprise_id text, p_claim_owner text, p_notification_ids bigint[])
returns bigint[]
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_released bigint[];
begin
    with held as (
        select n.id
        from notify.ent_notification n
        where n.id = any (p_notification_ids)
            and n.enterprise_id::text = p_enterprise_id
            and n.claim_owner = p_claim_owner
            and n.notification_status = 'PROCESSING'
        order by n.id
        for update
    ),
    released as (
        update notify.ent_notification n
        set notification_status = 'PENDING',
            claim_owner = null,
            lease_expires_at = null,
            processed_at = null,
            updated_at = now()
        from held
        where n.id = held.id
        returning n.id
    )
    select coalesce(array_agg(r.id order by r.id), '{}') into v_released from released r;

    return v_released;
end
$$;

create or replace function notify.release_claims(
    p_enterprise_id text, p_claim_owner text, p_notification_ids bigint[]
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_id bigint;
    v_released bigint[];
begin
    set constraints all immediate;
    begin
        v_released := notify.release_rows(p_enterprise_id, p_claim_owner, p_notification_ids);
    exception
        when others or assert_failure then
            if not notify.update_is_refused(sqlstate) then
                raise;
            end if;
    end;
    if v_released is null then
        v_released := '{}';
        for v_id in select distinct i.id from unnest(p_notification_ids) as i (id) order by i.id loop
            begin
                v_released := v_released || notify.release_rows(p_enterprise_id, p_claim_owner, array[v_id]);
            exception
                when others or assert_failure then
                    -- It stays claimed until its lease has lapsed.
                    if not notify.update_is_refused(sqlstate) then
                        raise;
                    end if;
            end;
        end loop;
    end if;

    return jsonb_build_object('released', to_jsonb(v_released));
end
$$;

do $$
declare
    function regprocedure;
begin
    for function in
        select p.oid from pg_catalog.pg_proc p
        where p.pronamespace = 'notify'::regnamespace
            and p.proname in ('write_outcomes', 'refuse_outcome', 'renew_rows', 'hold_rows', 'release_rows')
    loop
        execute format('revoke all on function %s from public, anon, authenticated', function);
        execute format('grant execute on function %s to service_role', function);
    end loop;
end
$$;
