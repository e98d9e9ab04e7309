-- record_outcomes for a worker that has account kept: in the same transaction it is begun for the rows that are sent. What a
-- constraint or trigger of the project's own refuses there costs the account, and never the outcome.

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
        when integrity_constraint_violation or data_exception or raise_exception or triggered_data_change_violation then
            foreach v_id in array v_sent loop
                begin
                    perform notify.follow_notifications(array[v_id], p_look_after_seconds);
                exception
                    when integrity_constraint_violation or data_exception or raise_exception
                        or triggered_data_change_violation
                    then
                        null;
                end;
            end loop;
    end;
    return v_answer;
end
$$;

create or replace function notify.follow_notifications(p_notification_ids bigint[], p_look_after_seconds double precision)
returns void
language plpgsql
security invoker
set search_path = ''
as $$
begin
    update notify.ent_notification n
    set delivery = '{"state": "accepted"}'
    where n.id = any (p_notification_ids) and n.delivery is null;
    perform notify.open_delivery_accounts(p_notification_ids, p_look_after_seconds);
end
$$;

-- The tables and functions belong to the service key alone, as the others do.
alter table notify.delivery_account enable row level security;
alter table notify.delivery_fact enable row level security;
alter table notify.delivery_reader enable row level security;
revoke all on table notify.delivery_account, notify.delivery_fact, notify.delivery_reader from public, anon, authenticated;
grant select, insert, update, delete on table notify.delivery_account, notify.delivery_fact, notify.delivery_reader
    to service_role;

do $$
declare
    function regprocedure;
begin
    for function in
        select p.oid from pg_catalog.pg_proc p
        where p.pronamespace = 'notify'::regnamespace
            and p.proname in (
                'delivery_person', 'delivery_count', 'notifications_of_transactions', 'open_delivery_accounts',
                'count_delivery_accounts', 'settle_delivery_accounts', 'follow_notifications',
                'record_delivery', 'take_delivery_looks', 'record_followed_outcomes'
            )
    loop
        execute format('revoke all on function %s from public, anon, authenticated', function);
        execute format('grant execute on function %s to service_role', function);
    end loop;
end
$$;
