-- Retractions, Novu's answers to them, and replays: together, and row by row where a row refuses its UPDATE. The contract is
-- docs/database_functions.md.

-- The statement itself: retracts all or none.
create or replace function notify.retract_rows(
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

create or replace function notify.retract_notifications(
    p_enterprise_id text, p_notification_ids bigint[], p_reason text
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_id bigint;
    v_one jsonb;
    v_result jsonb;
    v_refused jsonb := '{}';
begin
    set constraints all immediate;
    begin
        v_result := notify.retract_rows(p_enterprise_id, p_notification_ids, p_reason);
    exception
        when others or assert_failure then
            if not notify.update_is_refused(sqlstate) then
                raise;
            end if;
    end;
    if v_result is null then
        v_result := '{"retracted": [], "in_flight": [], "too_late": []}';
        for v_id in select distinct i.id from unnest(p_notification_ids) as i (id) order by i.id loop
            begin
                v_one := notify.retract_rows(p_enterprise_id, array[v_id], p_reason);
                v_result := jsonb_build_object(
                    'retracted', (v_result -> 'retracted') || (v_one -> 'retracted'),
                    'in_flight', (v_result -> 'in_flight') || (v_one -> 'in_flight'),
                    'too_late', (v_result -> 'too_late') || (v_one -> 'too_late')
                );
            exception
                when others or assert_failure then
                    if not notify.update_is_refused(sqlstate) then
                        raise;
                    end if;
                    v_refused := v_refused || jsonb_build_object(v_id, sqlstate);
            end;
        end loop;
    end if;

    return v_result || case when v_refused = '{}' then '{}' else jsonb_build_object('refused', v_refused) end;
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

-- The statement itself: writes all or none.
create or replace function notify.write_cancellations(p_enterprise_id text, p_cancellations jsonb)
returns void
language plpgsql
security invoker
set search_path = ''
as $$
begin
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
end
$$;

create or replace function notify.record_cancellations(p_enterprise_id text, p_cancellations jsonb)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_cancellation jsonb;
    v_refused boolean := false;
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

    set constraints all immediate;
    begin
        perform notify.write_cancellations(p_enterprise_id, p_cancellations);
    exception
        when others or assert_failure then
            if not notify.update_is_refused(sqlstate) then
                raise;
            end if;
            v_refused := true;
    end;
    if v_refused then
        for v_cancellation in
            select c from jsonb_array_elements(p_cancellations) as c order by (c ->> 'id')::bigint
        loop
            begin
                perform notify.write_cancellations(p_enterprise_id, jsonb_build_array(v_cancellation));
            exception
                when others or assert_failure then
                    if not notify.update_is_refused(sqlstate) then
                        raise;
                    end if;
                    perform notify.note_refused_update(
                        p_enterprise_id, (v_cancellation ->> 'id')::bigint, 'cancellation_refused', sqlstate, null
                    );
            end;
        end loop;
    end if;

    select coalesce(jsonb_agg(distinct n.id order by n.id), '[]')
    into v_recorded
    from jsonb_to_recordset(p_cancellations) as c (id bigint)
    join notify.ent_notification n on n.id = c.id
    where n.enterprise_id::text = p_enterprise_id
        and n.notification_status = 'RETRACTED' and n.cancellation is not null;

    return jsonb_build_object('recorded', v_recorded);
end
$$;

-- The statement itself: all or none.
create or replace function notify.replay_rows(p_notification_ids bigint[])
returns void
language sql
security invoker
set search_path = ''
as $$
    -- Transaction id and count of accepted chunks stay: by them Novu and the worker leave out who was served.
    update notify.ent_notification n
    set notification_status = 'PENDING', claim_owner = null, lease_expires_at = null, processed_at = null,
        updated_at = now()
    where n.id = any (p_notification_ids) and n.notification_status = 'FAILED'
$$;

create or replace function notify.replay_notifications(
    p_enterprise_id text, p_since timestamptz, p_code text, p_limit int, p_dry_run boolean default true
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_ids bigint[];
    v_id bigint;
    v_result jsonb;
    v_replayed boolean := false;
    v_refused jsonb := '{}';
begin
    if p_enterprise_id is null or p_limit is null or p_limit not between 1 and 1000 then
        raise exception 'a replay needs an enterprise and a limit of 1 to 1000'
            using errcode = 'invalid_parameter_value';
    end if;

    -- Only what would be sent: as PENDING, a withdrawn row would wait for ever, and one past its time fail again.
    select coalesce(array_agg(chosen.id), '{}') into v_ids
    from (
        select n.id
        from notify.ent_notification n
        where n.notification_status = 'FAILED' and n.enterprise_id::text = p_enterprise_id
            and (p_since is null or n.updated_at >= p_since)
            and (p_code is null or n.error_details ->> 'code' = p_code)
            and n.publish_status = 'PUBLISH' and not n.deactivated
            and (n.deliver_before is null or n.deliver_before > now())
        order by n.updated_at, n.id
        limit p_limit
        for update skip locked
    ) as chosen;

    select coalesce(jsonb_agg(to_jsonb(by_code) order by by_code.code), '[]')
    into v_result
    from (
        select coalesce(left(n.error_details ->> 'code', 100), 'unknown') as code,
            count(*) as failed,
            count(*) filter (where n.id = any (v_ids)) as chosen,
            -- Of these Novu may have taken something: it leaves out what it recognises by the transaction id.
            count(*) filter (
                where n.id = any (v_ids) and (n.transaction_id is not null or n.chunks_sent > 0)
            ) as may_have_reached_novu,
            count(*) filter (where n.publish_status <> 'PUBLISH' or n.deactivated) as inactive,
            count(*) filter (
                where n.publish_status = 'PUBLISH' and not n.deactivated and n.deliver_before <= now()
            ) as past_deliver_before
        from notify.ent_notification n
        where n.notification_status = 'FAILED' and n.enterprise_id::text = p_enterprise_id
            and (p_since is null or n.updated_at >= p_since)
            and (p_code is null or n.error_details ->> 'code' = p_code)
        group by 1
    ) as by_code;

    if not p_dry_run then
        set constraints all immediate;
        begin
            perform notify.replay_rows(v_ids);
            v_replayed := true;
        exception
            when others or assert_failure then
                if not notify.update_is_refused(sqlstate) then
                    raise;
                end if;
        end;
        if not v_replayed then
            foreach v_id in array v_ids loop
                begin
                    perform notify.replay_rows(array[v_id]);
                exception
                    when others or assert_failure then
                        if not notify.update_is_refused(sqlstate) then
                            raise;
                        end if;
                        v_refused := v_refused || jsonb_build_object(v_id, sqlstate);
                        v_ids := array_remove(v_ids, v_id);
                end;
            end loop;
        end if;
    end if;

    return jsonb_build_object('dry_run', p_dry_run, 'codes', v_result, 'notification_ids', to_jsonb(v_ids))
        || case when v_refused = '{}' then '{}' else jsonb_build_object('refused', v_refused) end;
end
$$;

do $$
declare
    function regprocedure;
begin
    for function in
        select p.oid from pg_catalog.pg_proc p
        where p.pronamespace = 'notify'::regnamespace
            and p.proname in ('retract_rows', 'write_cancellations', 'replay_rows')
    loop
        execute format('revoke all on function %s from public, anon, authenticated', function);
        execute format('grant execute on function %s to service_role', function);
    end loop;
end
$$;
