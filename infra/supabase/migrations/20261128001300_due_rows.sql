-- What is due, although a row holds an instant that cannot be: one scheduled for never is due at once and ends FAILED, a
-- lease without end holds nothing, and an age is reckoned by what can be true. The contract is docs/database_functions.md.

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
                'uncancelled', coalesce(waiting.ids, '{}')
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
                        and n.id + 0 > v_after
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
                            and n.id + 0 > v_after
                        offset 0
                    ) as scheduled
                    order by scheduled.id
                    limit p_page_size + 1
                )
                union all
                (
                    -- What can never fall due is due at once: its claim ends it, and says why.
                    select never.id, false
                    from (
                        select n.id
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
                    select lapsed.id, true
                    from (
                        select n.id
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
                    select endless.id, true
                    from (
                        select n.id
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
    where page.ids is not null or coming.scheduled_for is not null or waiting.ids is not null;

    return v_due;
end
$$;

create or replace function notify.unaccounted(p_enterprise_ids text[], p_older_than_seconds int)
returns jsonb
language plpgsql
stable
security invoker
set search_path = ''
set enable_seqscan = off
set jit = off
as $$
declare
    v_unaccounted jsonb;
begin
    if p_older_than_seconds is null or p_older_than_seconds < 0 then
        raise exception 'an age is not negative' using errcode = 'invalid_parameter_value';
    end if;

    -- Since when a row is due and free: since the last of its being written, its time, and the end of its lease. A
    -- writer who does not keep `updated_at` can make a row look older than it is, never younger.
    select jsonb_build_object(
        'rows', count(*),
        'oldest_age_seconds', greatest(0, coalesce(extract(epoch from now() - min(dated.since)), 0))
    )
    into v_unaccounted
    from (select distinct e.id from unnest(p_enterprise_ids) as e (id)) as enterprise
    cross join lateral (
        select n.created_at, n.updated_at, null::timestamptz as scheduled_for, null::timestamptz as lease_expires_at
        from notify.ent_notification n
        where n.enterprise_id::text = enterprise.id
            and n.notification_status = 'PENDING' and n.publish_status = 'PUBLISH' and not n.deactivated
            and n.scheduled_for is null
        union all
        select n.created_at, n.updated_at, n.scheduled_for, null
        from notify.ent_notification n
        where n.enterprise_id::text = enterprise.id
            and n.notification_status = 'PENDING' and n.publish_status = 'PUBLISH' and not n.deactivated
            and n.scheduled_for is not null and n.scheduled_for <= now()
        union all
        select n.created_at, n.updated_at, null, null
        from notify.ent_notification n
        where n.enterprise_id::text = enterprise.id
            and n.notification_status = 'PENDING' and n.publish_status = 'PUBLISH' and not n.deactivated
            and n.scheduled_for is not null and n.scheduled_for >= '9999-12-01 00:00:00+00'
        union all
        select n.created_at, n.updated_at, n.scheduled_for, n.lease_expires_at
        from notify.ent_notification n
        where n.enterprise_id::text = enterprise.id
            and n.notification_status = 'PROCESSING' and n.publish_status = 'PUBLISH' and not n.deactivated
            and (
                coalesce(n.lease_expires_at, '-infinity'::timestamptz) <= now()
                or coalesce(n.lease_expires_at, '-infinity'::timestamptz) > now() + interval '2 days'
            )
            and (n.scheduled_for is null or n.scheduled_for <= now() or n.scheduled_for >= '9999-12-01 00:00:00+00')
    ) as free
    cross join lateral (
        -- Only what can be true: of a row that bears no such instant nobody knows since when, and it counts as old.
        select coalesce(max(written.instant), '1970-01-01 00:00:00+00') as since
        from unnest(
            array[free.created_at, free.updated_at, free.scheduled_for, free.lease_expires_at]
        ) as written (instant)
        where written.instant between '1970-01-01 00:00:00+00' and now() + interval '1 day'
    ) as dated
    where dated.since <= now() - make_interval(secs => p_older_than_seconds);

    return v_unaccounted;
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
        'next_due_at', v_next_due_at
    );
end
$$;
