-- What the listener asks: which rows nobody rang for, and whether its doorbell works.
-- The contract is docs/database_functions.md.

create or replace function notify.due_notifications(
    p_enterprise_ids text[], p_page_size int, p_after_id bigint default 0
)
returns jsonb
language plpgsql
stable
security invoker
set search_path = ''
set enable_seqscan = off
set jit = off
as $$
declare
    v_due jsonb;
begin
    if p_page_size is null or p_page_size <= 0 then
        raise exception 'a page has at least one row' using errcode = 'invalid_parameter_value';
    end if;

    -- One page for each enterprise, so that nobody's backlog hides another's row; in it one branch for each index.
    -- By state, never by a time cursor: a row that commits late is found all the same.
    --
    -- While statistics lag behind a burst the planner believes that most rows are due, and would read the whole table
    -- in order of the primary key: seconds instead of a millisecond. So the primary key is kept out of its sight by
    -- `id + 0` and `offset 0`, and the two settings above say the rest.
    select coalesce(
        jsonb_agg(
            jsonb_build_object(
                'enterprise_id', enterprise.id,
                'notification_ids', page.ids [1:p_page_size],
                'pending', page.pending,
                'expired', page.expired,
                'has_more', cardinality(page.ids) > p_page_size
            )
            order by enterprise.id
        ),
        '[]'
    )
    into v_due
    from (select distinct e.id from unnest(p_enterprise_ids) as e (id)) as enterprise
    cross join lateral (
        select
            array_agg(numbered.id order by numbered.id) as ids,
            count(*) filter (where not numbered.expired and numbered.position <= p_page_size) as pending,
            count(*) filter (where numbered.expired and numbered.position <= p_page_size) as expired
        from (
            select due.id, due.expired, row_number() over (order by due.id) as position
            from (
                (
                    select n.id + 0 as id, false as expired
                    from notify.ent_notification n
                    where n.enterprise_id::text = enterprise.id
                        and n.notification_status = 'PENDING' and n.publish_status = 'PUBLISH' and not n.deactivated
                        and n.scheduled_for is null
                        and n.id + 0 > p_after_id
                    order by n.id + 0
                    limit p_page_size + 1
                )
                union all
                (
                    select scheduled.id, false
                    from (
                        select n.id
                        from notify.ent_notification n
                        where n.enterprise_id::text = enterprise.id
                            and n.notification_status = 'PENDING' and n.publish_status = 'PUBLISH' and not n.deactivated
                            and n.scheduled_for is not null and n.scheduled_for <= now()
                            and n.id + 0 > p_after_id
                        offset 0
                    ) as scheduled
                    order by scheduled.id
                    limit p_page_size + 1
                )
                union all
                (
                    select lapsed.id, true
                    from (
                        select n.id
                        from notify.ent_notification n
                        where n.enterprise_id::text = enterprise.id
                            and n.notification_status = 'PROCESSING' and n.publish_status = 'PUBLISH' and not n.deactivated
                            and coalesce(n.lease_expires_at, '-infinity'::timestamptz) <= now()
                            and (n.scheduled_for is null or n.scheduled_for <= now())
                            and n.id + 0 > p_after_id
                        offset 0
                    ) as lapsed
                    order by lapsed.id
                    limit p_page_size + 1
                )
            ) as due
            order by due.id
            limit p_page_size + 1
        ) as numbered
    ) as page
    where page.ids is not null;

    return v_due;
end
$$;

create or replace function notify.beat_canary(p_listener_id text)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
    insert into notify.listener_canary as canary (listener_id, beat, beaten_at)
    values (p_listener_id, 1, now())
    on conflict (listener_id) do update set beat = canary.beat + 1, beaten_at = now()
    returning to_jsonb(canary.beat)
$$;
