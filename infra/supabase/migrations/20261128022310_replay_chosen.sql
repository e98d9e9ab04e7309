-- A replay of rows by their ids: whose they are does not matter, and each that is not replayed says why. The contract is
-- docs/database_functions.md.

create or replace function notify.replay_chosen(p_notification_ids bigint[], p_dry_run boolean default true)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_rows jsonb;
    v_ids bigint[];
    v_id bigint;
    v_refused jsonb := '{}';
begin
    if coalesce(cardinality(p_notification_ids), 0) not between 1 and 1000 then
        raise exception 'a replay needs 1 to 1000 ids' using errcode = 'invalid_parameter_value';
    end if;

    select jsonb_agg(
            jsonb_build_object(
                'notification_id', chosen.id,
                'enterprise_id', chosen.enterprise_id,
                'status', chosen.notification_status,
                'code', left(chosen.error_details ->> 'code', 100),
                'may_have_reached_novu', chosen.transaction_id is not null or chosen.chunks_sent > 0,
                'hindrance', chosen.hindrance
            )
            order by chosen.id
        ),
        coalesce(array_agg(chosen.id order by chosen.id) filter (where chosen.hindrance is null), '{}')
    into v_rows, v_ids
    from (
        select n.id, n.enterprise_id, n.notification_status, n.error_details, n.transaction_id, n.chunks_sent,
            case
                when n.notification_status <> 'FAILED' then 'not_failed'
                when n.enterprise_id is null then 'nobodys'
                when n.publish_status <> 'PUBLISH' or n.deactivated then 'inactive'
                when n.deliver_before <= now() then 'past_deliver_before'
            end as hindrance
        from notify.ent_notification n
        where n.id = any (p_notification_ids)
        order by n.id
        for update
    ) as chosen;

    if not p_dry_run then
        set constraints all immediate;
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

    return jsonb_build_object(
        'dry_run', p_dry_run,
        'rows', coalesce(v_rows, '[]'),
        'notification_ids', to_jsonb(v_ids),
        'refused', v_refused,
        'missing', (
            select coalesce(jsonb_agg(wanted.id order by wanted.id), '[]')
            from (select distinct unnest(p_notification_ids) as id) as wanted
            where not exists (select from notify.ent_notification n where n.id = wanted.id)
        )
    );
end
$$;

do $$
begin
    revoke all on function notify.replay_chosen(bigint[], boolean) from public, anon, authenticated;
    grant execute on function notify.replay_chosen(bigint[], boolean) to service_role;
end
$$;
