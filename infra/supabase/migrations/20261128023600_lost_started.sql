-- As it was, and when each had started: of those that were lost one after the other, each stands for the one before it.
-- The contract is docs/database_functions.md.

create or replace function notify.lost_components(p_max_age_seconds double precision)
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
    select coalesce(
        jsonb_agg(
            jsonb_build_object(
                'component_id', lost.component_id,
                'component', lost.component,
                'host', left(coalesce(lost.report -> 'process' ->> 'host', ''), 100),
                'pid', case when lost.report -> 'process' ->> 'pid' ~ '^[0-9]{1,9}$' then (lost.report -> 'process' ->> 'pid')::int end,
                'started_at', left(lost.report -> 'process' ->> 'started_at', 40),
                'reported_at', lost.reported_at,
                'silent_seconds', greatest(0, extract(epoch from now() - lost.reported_at)),
                'enterprise_ids', (
                    select coalesce(jsonb_agg(heard.id order by heard.id), '[]')
                    from jsonb_object_keys(
                        case when jsonb_typeof(lost.report -> 'listener' -> 'enterprises') = 'object'
                            then lost.report -> 'listener' -> 'enterprises' else '{}' end
                    ) as heard (id)
                    where heard.id ~ '^[A-Za-z0-9_.-]{1,64}$'
                ),
                -- Of a listener of everybody, which names few.
                'shards', case
                    when lost.report -> 'listener' -> 'serves_everybody' = 'true'
                        and jsonb_typeof(lost.report -> 'listener' -> 'shards') = 'array'
                        then (
                            select coalesce(jsonb_agg(heard.shard order by heard.shard), '[]')
                            from (
                                select each::int as shard
                                from jsonb_array_elements_text(lost.report -> 'listener' -> 'shards') as each
                                where each ~ '^[0-9]{1,2}$'
                            ) as heard
                        )
                    else '[]'
                end
            )
            order by lost.reported_at desc, lost.component_id
        ),
        '[]'
    )
    from (
        select h.*
        from notify.component_heartbeat h
        where h.reported_at < now() - make_interval(secs => p_max_age_seconds)
            and h.reported_at >= now() - interval '1 day'
            and jsonb_typeof(h.report) = 'object'
            and notify.unreadable_json(h.report, 4 * 1024 * 1024) is null
        order by h.reported_at desc
        limit 20
    ) as lost
$$;
