-- Which row goes before which: Temporal's priority, 1 to 5, from the row's typ_notification_priority. Kept on the row, so
-- that an event of Realtime carries it. The contract is docs/database.md.

alter table notify.ent_notification add column if not exists delivery_priority smallint;
comment on column notify.ent_notification.delivery_priority is
    '1 goes first, 5 last, null as 3: sort_order of its typ_notification_priority, kept by a trigger.';

-- With its owner's rights: whoever may write a notification need not be allowed to read priorities.
create or replace function notify.note_priority()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
    -- Others are nobody's priorities: an existing project may order its list as it likes.
    new.delivery_priority := (
        select p.sort_order
        from notify.typ_notification_priority p
        where p.id = new.typ_notification_priority_id and p.sort_order between 1 and 5
    );
    return new;
end
$$;

revoke all on function notify.note_priority() from public, anon, authenticated;
grant execute on function notify.note_priority() to service_role;

create or replace trigger note_inserted_priority
    before insert on notify.ent_notification
    for each row
    when (new.typ_notification_priority_id is not null or new.delivery_priority is not null)
    execute function notify.note_priority();

create or replace trigger note_changed_priority
    before update of typ_notification_priority_id, delivery_priority on notify.ent_notification
    for each row
    when (
        new.typ_notification_priority_id is distinct from old.typ_notification_priority_id
        or new.delivery_priority is distinct from old.delivery_priority
    )
    execute function notify.note_priority();

-- What waits already.
update notify.ent_notification n
set delivery_priority = p.sort_order
from notify.typ_notification_priority p
where n.notification_status = 'PENDING'
    and p.id = n.typ_notification_priority_id
    and p.sort_order between 1 and 5
    and n.delivery_priority is distinct from p.sort_order;

-- As the others, written as due_notifications writes it.
create index if not exists ent_notification_urgent
    on notify.ent_notification ((enterprise_id::text), delivery_priority, (id + 0))
    where notification_status = 'PENDING' and publish_status = 'PUBLISH' and not deactivated and delivery_priority < 3;

-- As they were, with priorities.
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
    -- Nothing forbids ids below 1.
    v_after constant bigint := case when p_after_id = 0 then -9223372036854775808 else p_after_id end;
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
                'notification_ids', coalesce(page.ids [1:p_page_size], '{}'),
                'pending', page.pending,
                'expired', page.expired,
                'has_more', coalesce(cardinality(page.ids) > p_page_size, false),
                'next_scheduled_at', coming.scheduled_for,
                'uncancelled', coalesce(waiting.ids, '{}'),
                'priorities', coalesce(page.priorities, '{}'),
                'urgent', coalesce(urgent.rows, '[]')
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
            count(*) filter (where numbered.expired and numbered.position <= p_page_size) as expired,
            jsonb_object_agg(numbered.id, numbered.priority)
                filter (where numbered.priority is not null and numbered.position <= p_page_size) as priorities
        from (
            select due.id, due.expired, due.priority, row_number() over (order by due.id) as position
            from (
                (
                    select n.id + 0 as id, false as expired, n.delivery_priority as priority
                    from notify.ent_notification n
                    where n.enterprise_id::text = enterprise.id
                        and n.notification_status = 'PENDING' and n.publish_status = 'PUBLISH' and not n.deactivated
                        and n.scheduled_for is null
                        and n.id + 0 > v_after
                    order by n.id + 0
                    limit p_page_size + 1
                )
                union all
                (
                    select scheduled.id, false, scheduled.priority
                    from (
                        select n.id, n.delivery_priority as priority
                        from notify.ent_notification n
                        where n.enterprise_id::text = enterprise.id
                            and n.notification_status = 'PENDING' and n.publish_status = 'PUBLISH' and not n.deactivated
                            and n.scheduled_for is not null and n.scheduled_for <= now()
                            and n.id + 0 > v_after
                        offset 0
                    ) as scheduled
                    order by scheduled.id
                    limit p_page_size + 1
                )
                union all
                (
                    -- What can never fall due is due at once: its claim ends it, and says why.
                    select never.id, false, never.priority
                    from (
                        select n.id, n.delivery_priority as priority
                        from notify.ent_notification n
                        where n.enterprise_id::text = enterprise.id
                            and n.notification_status = 'PENDING' and n.publish_status = 'PUBLISH' and not n.deactivated
                            and n.scheduled_for is not null and n.scheduled_for >= '9999-12-01 00:00:00+00'
                            and n.id + 0 > v_after
                        offset 0
                    ) as never
                    order by never.id
                    limit p_page_size + 1
                )
                union all
                (
                    select lapsed.id, true, lapsed.priority
                    from (
                        select n.id, n.delivery_priority as priority
                        from notify.ent_notification n
                        where n.enterprise_id::text = enterprise.id
                            and n.notification_status = 'PROCESSING' and n.publish_status = 'PUBLISH' and not n.deactivated
                            and coalesce(n.lease_expires_at, '-infinity'::timestamptz) <= now()
                            and (n.scheduled_for is null or n.scheduled_for <= now() or n.scheduled_for >= '9999-12-01 00:00:00+00')
                            and n.id + 0 > v_after
                        offset 0
                    ) as lapsed
                    order by lapsed.id
                    limit p_page_size + 1
                )
                union all
                (
                    -- No claim of ours lasts so long: whoever wrote this holds nothing.
                    select endless.id, true, endless.priority
                    from (
                        select n.id, n.delivery_priority as priority
                        from notify.ent_notification n
                        where n.enterprise_id::text = enterprise.id
                            and n.notification_status = 'PROCESSING' and n.publish_status = 'PUBLISH' and not n.deactivated
                            and coalesce(n.lease_expires_at, '-infinity'::timestamptz) > now() + interval '2 days'
                            and (n.scheduled_for is null or n.scheduled_for <= now() or n.scheduled_for >= '9999-12-01 00:00:00+00')
                            and n.id + 0 > v_after
                        offset 0
                    ) as endless
                    order by endless.id
                    limit p_page_size + 1
                )
            ) as due
            order by due.id
            limit p_page_size + 1
        ) as numbered
    ) as page
    -- What is not a page of due rows comes once, with the first page.
    left join lateral (
        select n.scheduled_for
        from notify.ent_notification n
        where p_after_id = 0
            and n.enterprise_id::text = enterprise.id
            and n.notification_status = 'PENDING' and n.publish_status = 'PUBLISH' and not n.deactivated
            and n.scheduled_for is not null and n.scheduled_for > now()
            and n.scheduled_for < '9999-12-01 00:00:00+00'
        order by n.scheduled_for
        limit 1
    ) as coming on true
    left join lateral (
        select array_agg(retracted.id order by retracted.id) as ids
        from (
            select n.id + 0 as id
            from notify.ent_notification n
            where p_after_id = 0
                and n.enterprise_id::text = enterprise.id
                and n.notification_status = 'RETRACTED' and n.cancellation is null
                and (n.transaction_id is not null or n.chunks_sent > 0 or n.lease_expires_at is not null)
                and (
                    n.lease_expires_at is null or n.lease_expires_at <= now()
                    or n.lease_expires_at > now() + interval '2 days'
                )
            order by n.id + 0
            limit p_page_size
        ) as retracted
    ) as waiting on true
    -- Wherever they stand in the backlog: a sweep comes to its end only after all that was before them.
    left join lateral (
        select jsonb_agg(jsonb_build_array(first.id, first.priority) order by first.priority, first.id) as rows
        from (
            select n.id + 0 as id, n.delivery_priority as priority
            from notify.ent_notification n
            where p_after_id = 0
                and n.enterprise_id::text = enterprise.id
                and n.notification_status = 'PENDING' and n.publish_status = 'PUBLISH' and not n.deactivated
                and n.delivery_priority < 3
                and (n.scheduled_for is null or n.scheduled_for <= now())
            order by n.delivery_priority, n.id + 0
            limit p_page_size
        ) as first
    ) as urgent on true
    where page.ids is not null or coming.scheduled_for is not null or waiting.ids is not null;

    return v_due;
end
$$;

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
    v_priorities smallint[];
    v_next_due_at timestamptz;
begin
    if p_limit is null or p_limit <= 0 then
        raise exception 'a page has at least one row' using errcode = 'invalid_parameter_value';
    end if;

    -- In order of the index, whatever the statistics say: see due_notifications.
    select array_agg(due.id order by due.scheduled_for, due.id),
        array_agg(due.priority order by due.scheduled_for, due.id)
    into v_ids, v_priorities
    from (
        select n.id + 0 as id, n.scheduled_for, n.delivery_priority as priority
        from notify.ent_notification n
        where n.enterprise_id::text = p_enterprise_id
            and n.notification_status = 'PENDING' and n.publish_status = 'PUBLISH' and not n.deactivated
            and n.scheduled_for is not null and n.scheduled_for <= now()
        order by n.scheduled_for, n.id + 0
        limit p_limit + 1
    ) as due;

    -- What can never fall due is due at once, after all that is: its claim ends it, and says why.
    if coalesce(cardinality(v_ids), 0) <= p_limit then
        select coalesce(v_ids, '{}') || array_agg(never.id order by never.scheduled_for, never.id)
        into v_ids
        from (
            select n.id + 0 as id, n.scheduled_for
            from notify.ent_notification n
            where n.enterprise_id::text = p_enterprise_id
                and n.notification_status = 'PENDING' and n.publish_status = 'PUBLISH' and not n.deactivated
                and n.scheduled_for is not null and n.scheduled_for >= '9999-12-01 00:00:00+00'
            order by n.scheduled_for, n.id + 0
            limit p_limit + 1 - coalesce(cardinality(v_ids), 0)
        ) as never;
    end if;

    select n.scheduled_for
    into v_next_due_at
    from notify.ent_notification n
    where n.enterprise_id::text = p_enterprise_id
        and n.notification_status = 'PENDING' and n.publish_status = 'PUBLISH' and not n.deactivated
        and n.scheduled_for is not null and n.scheduled_for > now()
        and n.scheduled_for < '9999-12-01 00:00:00+00'
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
        'next_due_at', v_next_due_at,
        -- Of what never falls due none is said: it is ended, not sent.
        'priorities', (
            select coalesce(jsonb_object_agg(due.id, due.priority) filter (where due.priority is not null), '{}')
            from unnest(v_ids [1:p_limit], v_priorities [1:p_limit]) as due (id, priority)
            where due.id is not null
        )
    );
end
$$;
