-- Rows scheduled for later: which are due now, earliest first, and when the next will be.
-- The contract is docs/database_functions.md.

create or replace function notify.due_scheduled(p_enterprise_id text, p_limit int)
returns jsonb
language plpgsql
security invoker
set search_path = ''
set enable_seqscan = off
set jit = off
as $$
declare
    v_ids bigint[];
    v_next_due_at timestamptz;
begin
    if p_limit is null or p_limit <= 0 then
        raise exception 'a page has at least one row' using errcode = 'invalid_parameter_value';
    end if;

    -- In order of the index, whatever the statistics say: see due_notifications.
    select array_agg(due.id order by due.scheduled_for, due.id)
    into v_ids
    from (
        select n.id + 0 as id, n.scheduled_for
        from notify.ent_notification n
        where n.enterprise_id::text = p_enterprise_id
            and n.notification_status = 'PENDING' and n.publish_status = 'PUBLISH' and not n.deactivated
            and n.scheduled_for is not null and n.scheduled_for <= now()
        order by n.scheduled_for, n.id + 0
        limit p_limit + 1
    ) as due;

    select n.scheduled_for
    into v_next_due_at
    from notify.ent_notification n
    where n.enterprise_id::text = p_enterprise_id
        and n.notification_status = 'PENDING' and n.publish_status = 'PUBLISH' and not n.deactivated
        and n.scheduled_for is not null and n.scheduled_for > now()
    order by n.scheduled_for
    limit 1;

    insert into notify.scheduler_pass (enterprise_id, scheduler, last_pass_at, next_due_at)
    values (p_enterprise_id, 'scheduled', now(), v_next_due_at)
    on conflict (enterprise_id, scheduler)
    do update set last_pass_at = excluded.last_pass_at, next_due_at = excluded.next_due_at;

    return jsonb_build_object(
        'now', now(),
        'due', coalesce(to_jsonb(v_ids [1:p_limit]), '[]'),
        'has_more', coalesce(cardinality(v_ids) > p_limit, false),
        'next_due_at', v_next_due_at
    );
end
$$;
