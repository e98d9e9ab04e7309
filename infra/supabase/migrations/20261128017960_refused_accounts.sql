-- Of a row that takes no UPDATE, by whatever error of a constraint or trigger of the project's own, no account is kept, and
-- the others' go on. The contract is docs/database_functions.md.

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
    return v_answer;
end
$$;

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
    set constraints all immediate;
    begin
        return notify.count_delivery_accounts(p_notification_ids);
    exception
        when others or assert_failure then
            if not notify.update_is_refused(sqlstate) then
                raise;
            end if;
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

-- The statement itself: says of all these rows whose account is not complete that nobody knows, or of none. Answers what
-- changed.
create or replace function notify.lose_deliveries(p_notification_ids bigint[])
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_unknown jsonb;
begin
    with lost as (
        update notify.ent_notification n
        set delivery = case when jsonb_typeof(n.delivery) = 'object' then n.delivery else '{}' end
            || '{"state": "unknown"}'
        from notify.delivery_account a
        where a.notification_id = any (p_notification_ids) and n.id = a.notification_id and not a.complete and n.delivery is not null
        returning a.enterprise_id
    )
    select coalesce(jsonb_agg(to_jsonb(s)), '[]')
    into v_unknown
    from (select lost.enterprise_id, 'unknown' as state, count(*) as rows from lost group by 1 order by 1) s;
    return v_unknown;
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
        where a.opened_at < now() - make_interval(secs => p_retention_seconds)
            and (p_enterprise_ids is null or a.enterprise_id = any (p_enterprise_ids))
        order by a.notification_id
        limit c_closed_at_once
        for update skip locked
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

revoke all on function notify.lose_deliveries(bigint[]) from public, anon, authenticated;
grant execute on function notify.lose_deliveries(bigint[]) to service_role;
