-- What is due, waits or keeps failing, where rows refuse their UPDATE: these rest, count by themselves, and are shown. The
-- contract is docs/database_functions.md.

create or replace function notify.noted_rows(p_enterprise_ids text[])
returns bigint[]
language sql
stable
security invoker
set search_path = ''
as $$
    select coalesce(array_agg(r.notification_id), '{}')
    from notify.refused_update r
    where r.enterprise_id = any (p_enterprise_ids)
$$;

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
    -- Refused their UPDATE, and to be tried again later.
    v_resting constant bigint[] := notify.resting_rows(p_enterprise_ids);
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
                        and n.id + 0 <> all (v_resting)
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
                            and n.id + 0 <> all (v_resting)
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
                            and n.id + 0 <> all (v_resting)
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
                            and n.id + 0 <> all (v_resting)
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
                            and n.id + 0 <> all (v_resting)
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
                and n.id + 0 <> all (v_resting)
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
                and n.id + 0 <> all (v_resting)
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
    -- Refused their UPDATE, and to be tried again later.
    v_resting constant bigint[] := notify.resting_rows(array[p_enterprise_id]);
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
            and n.id + 0 <> all (v_resting)
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
                and n.id + 0 <> all (v_resting)
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
    -- Refused their UPDATE: health tells of them by themselves.
    v_noted constant bigint[] := notify.noted_rows(p_enterprise_ids);
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
        where n.enterprise_id::text = enterprise.id and n.id <> all (v_noted)
            and n.notification_status = 'PENDING' and n.publish_status = 'PUBLISH' and not n.deactivated
            and n.scheduled_for is null
        union all
        select n.created_at, n.updated_at, n.scheduled_for, null
        from notify.ent_notification n
        where n.enterprise_id::text = enterprise.id and n.id <> all (v_noted)
            and n.notification_status = 'PENDING' and n.publish_status = 'PUBLISH' and not n.deactivated
            and n.scheduled_for is not null and n.scheduled_for <= now()
        union all
        select n.created_at, n.updated_at, null, null
        from notify.ent_notification n
        where n.enterprise_id::text = enterprise.id and n.id <> all (v_noted)
            and n.notification_status = 'PENDING' and n.publish_status = 'PUBLISH' and not n.deactivated
            and n.scheduled_for is not null and n.scheduled_for >= '9999-12-01 00:00:00+00'
        union all
        select n.created_at, n.updated_at, n.scheduled_for, n.lease_expires_at
        from notify.ent_notification n
        where n.enterprise_id::text = enterprise.id and n.id <> all (v_noted)
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

create or replace function notify.health_observation(
    p_enterprise_ids text[], p_recent_seconds double precision, p_failures int
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
    v_most constant int := 1000;
    v_observation jsonb;
    -- Refused their UPDATE: retried_deliveries tells of them.
    v_noted constant bigint[] := notify.noted_rows(p_enterprise_ids);
begin
    if p_recent_seconds is null or p_recent_seconds <= 0 or p_failures is null or p_failures < 0 then
        raise exception 'recent is a positive number of seconds, failures a count'
            using errcode = 'invalid_parameter_value';
    end if;

    -- Due rows are found as due_notifications finds them, and dated as unaccounted dates them; a thousand of each kind
    -- are enough to know how late an enterprise is: the lowest ids are, all but always, the oldest.
    select jsonb_build_object(
        'due', coalesce(
            (
                select jsonb_agg(
                    jsonb_build_object(
                        'enterprise_id', enterprise.id,
                        'rows', free.rows,
                        'oldest_age_seconds', greatest(0, coalesce(extract(epoch from now() - free.since), 0))
                    )
                    order by enterprise.id
                )
                from (select distinct e.id from unnest(p_enterprise_ids) as e (id)) as enterprise
                cross join lateral (
                    select least(count(*), v_most) as rows, min(dated.since) as since
                    from (
                        (
                            select n.created_at, n.updated_at, null::timestamptz as scheduled_for, null::timestamptz as lease_expires_at
                            from notify.ent_notification n
                            where n.enterprise_id::text = enterprise.id and n.id <> all (v_noted)
                                and n.notification_status = 'PENDING' and n.publish_status = 'PUBLISH' and not n.deactivated
                                and n.scheduled_for is null
                            order by n.id + 0
                            limit v_most
                        )
                        union all
                        (
                            select n.created_at, n.updated_at, n.scheduled_for, null
                            from notify.ent_notification n
                            where n.enterprise_id::text = enterprise.id and n.id <> all (v_noted)
                                and n.notification_status = 'PENDING' and n.publish_status = 'PUBLISH' and not n.deactivated
                                and n.scheduled_for is not null and n.scheduled_for <= now()
                            order by n.scheduled_for
                            limit v_most
                        )
                        union all
                        (
                            select n.created_at, n.updated_at, null, null
                            from notify.ent_notification n
                            where n.enterprise_id::text = enterprise.id and n.id <> all (v_noted)
                                and n.notification_status = 'PENDING' and n.publish_status = 'PUBLISH' and not n.deactivated
                                and n.scheduled_for is not null and n.scheduled_for >= '9999-12-01 00:00:00+00'
                            order by n.scheduled_for
                            limit v_most
                        )
                        union all
                        (
                            select n.created_at, n.updated_at, n.scheduled_for, n.lease_expires_at
                            from notify.ent_notification n
                            where n.enterprise_id::text = enterprise.id and n.id <> all (v_noted)
                                and n.notification_status = 'PROCESSING' and n.publish_status = 'PUBLISH' and not n.deactivated
                                and coalesce(n.lease_expires_at, '-infinity'::timestamptz) <= now()
                                and (n.scheduled_for is null or n.scheduled_for <= now() or n.scheduled_for >= '9999-12-01 00:00:00+00')
                            order by coalesce(n.lease_expires_at, '-infinity'::timestamptz)
                            limit v_most
                        )
                        union all
                        (
                            select n.created_at, n.updated_at, n.scheduled_for, n.lease_expires_at
                            from notify.ent_notification n
                            where n.enterprise_id::text = enterprise.id and n.id <> all (v_noted)
                                and n.notification_status = 'PROCESSING' and n.publish_status = 'PUBLISH' and not n.deactivated
                                and coalesce(n.lease_expires_at, '-infinity'::timestamptz) > now() + interval '2 days'
                                and (n.scheduled_for is null or n.scheduled_for <= now() or n.scheduled_for >= '9999-12-01 00:00:00+00')
                            order by coalesce(n.lease_expires_at, '-infinity'::timestamptz)
                            limit v_most
                        )
                    ) as due
                    cross join lateral (
                        -- Only what can be true: of a row that bears no such instant nobody knows since when, and it counts as old.
                        select coalesce(max(written.instant), '1970-01-01 00:00:00+00') as since
                        from unnest(
                            array[due.created_at, due.updated_at, due.scheduled_for, due.lease_expires_at]
                        ) as written (instant)
                        where written.instant between '1970-01-01 00:00:00+00' and now() + interval '1 day'
                    ) as dated
                ) as free
            ),
            '[]'
        ),
        'passes', coalesce(
            (
                select jsonb_agg(
                    jsonb_build_object(
                        'enterprise_id', p.enterprise_id,
                        'scheduler', p.scheduler,
                        'last_pass_at', notify.readable_instant(p.last_pass_at),
                        'overdue_seconds',
                        greatest(0, coalesce(extract(epoch from now() - notify.readable_instant(p.next_due_at)), 0))
                    )
                    order by p.enterprise_id, p.scheduler
                )
                from notify.scheduler_pass p
                where p.enterprise_id = any (p_enterprise_ids)
            ),
            '[]'
        ),
        -- The predicate is written as ended_notifications writes it, for the index that serves both.
        'recent', (
            select jsonb_build_object(
                'seconds', p_recent_seconds,
                'sent', count(*) filter (where n.notification_status = 'SENT'),
                'failed', count(*) filter (where n.notification_status = 'FAILED'),
                'latency_p50_seconds', percentile_cont(0.5) within group (order by taken.seconds),
                'latency_p95_seconds', percentile_cont(0.95) within group (order by taken.seconds)
            )
            from notify.ent_notification n
            -- Only of rows sent at the first attempt: one that was published later, or sent again, was not due since
            -- its creation, and percentiles leave nulls out.
            cross join lateral (
                select case
                    when n.notification_status = 'SENT' and n.attempts = 1
                        and greatest(n.created_at, n.scheduled_for)
                            between '1970-01-01 00:00:00+00' and now() + interval '1 day'
                        then greatest(0, extract(epoch from n.updated_at - greatest(n.created_at, n.scheduled_for)))
                end as seconds
            ) as taken
            where coalesce(n.notification_status in ('SENT', 'FAILED', 'RETRACTED'), false)
                and n.updated_at >= now() - make_interval(secs => p_recent_seconds)
                -- What claims to end later has ended at no time that counts as recent, nor as the latest.
                and n.updated_at <= now() + interval '1 day'
                and n.enterprise_id::text = any (p_enterprise_ids)
        ),
        'failures', coalesce(
            (
                select jsonb_agg(
                    jsonb_build_object(
                        'notification_id', latest.id,
                        'enterprise_id', latest.enterprise_id,
                        'code', coalesce(latest.code, 'unknown'),
                        'failed_at', notify.readable_instant(latest.failed_at)
                    )
                    order by latest.failed_at desc, latest.id desc
                )
                from (
                    select failed.*
                    from (select distinct e.id from unnest(p_enterprise_ids) as e (id)) as enterprise
                    cross join lateral (
                        select
                            n.id, n.enterprise_id::text as enterprise_id, n.updated_at as failed_at,
                            left(n.error_details ->> 'code', 100) as code
                        from notify.ent_notification n
                        where n.enterprise_id::text = enterprise.id and n.notification_status = 'FAILED'
                            and n.updated_at <= now() + interval '1 day'
                        order by n.updated_at desc
                        limit p_failures
                    ) as failed
                    order by failed.failed_at desc, failed.id desc
                    limit p_failures
                ) as latest
            ),
            '[]'
        )
    )
    into v_observation;

    return v_observation;
end
$$;

create or replace function notify.retried_deliveries(p_enterprise_ids text[])
returns jsonb
language plpgsql
security invoker
set search_path = ''
set enable_seqscan = off
set jit = off
as $$
declare
    v_most constant int := 1000;
    v_retried jsonb;
begin
    -- What is settled by now is no longer of interest. Another may be clearing away the same: let it.
    delete from notify.delivery_fault f
    where f.notification_id in (
        select stale.notification_id
        from notify.delivery_fault stale
        left join notify.ent_notification n
            on n.id = stale.notification_id
            and n.notification_status = 'PROCESSING'
            and n.claim_owner = stale.claim_owner
        where n.id is null
        order by stale.notification_id
        limit v_most
        for update of stale skip locked
    );

    delete from notify.refused_update r
    where r.notification_id in (
        select noted.notification_id
        from notify.refused_update noted
        left join notify.ent_notification n
            on n.id = noted.notification_id
            and case noted.code
                when 'cancellation_refused' then n.notification_status = 'RETRACTED' and n.cancellation is null
                when 'claim_refused' then n.notification_status in ('PENDING', 'PROCESSING')
                else n.notification_status = 'PROCESSING' and n.claim_owner = noted.claim_owner
            end
        where n.id is null
        order by noted.notification_id
        limit v_most
        for update of noted skip locked
    );

    select coalesce(
        jsonb_agg(
            jsonb_build_object(
                'enterprise_id', enterprise.id,
                'code', retried.code,
                'rows', retried.rows,
                'oldest_age_seconds', greatest(0, extract(epoch from now() - retried.since))
            )
            order by enterprise.id, retried.code
        ),
        '[]'
    )
    into v_retried
    from (select distinct e.id from unnest(p_enterprise_ids) as e (id)) as enterprise
    cross join lateral (
        select each.code, count(*) as rows, min(each.since) as since
        from (
            (
                select f.code, f.since
                from notify.delivery_fault f
                join notify.ent_notification n on n.id = f.notification_id
                where f.enterprise_id = enterprise.id
                    and n.notification_status = 'PROCESSING' and n.claim_owner = f.claim_owner
                order by f.since
                limit v_most
            )
            union all
            (
                -- A claim that has just been made may well be the last one that is needed.
                select 'worker_lost', n.processed_at
                from notify.ent_notification n
                where n.enterprise_id::text = enterprise.id
                    and n.notification_status = 'PROCESSING' and n.attempts > 3
                    and n.processed_at < now() - interval '5 seconds' and isfinite(n.processed_at)
                    and not exists (select from notify.delivery_fault f where f.notification_id = n.id)
                        and not exists (select from notify.refused_update r where r.notification_id = n.id)
                limit v_most
            )
            union all
            (
                select r.code, r.since
                from notify.refused_update r
                where r.enterprise_id = enterprise.id
                order by r.retry_at
                limit v_most
            )
        ) as each
        group by each.code
    ) as retried;

    return v_retried;
end
$$;

revoke all on function notify.noted_rows(text[]) from public, anon, authenticated;
grant execute on function notify.noted_rows(text[]) to service_role;
