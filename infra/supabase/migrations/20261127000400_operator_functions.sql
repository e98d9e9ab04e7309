-- What an operator asks: where one notification stands, what has ended lately, what failed and shall be tried again, and
-- whether the database is as XNovu needs it. None returns a payload or a recipient. The contract is
-- docs/database_functions.md.

-- "What ended lately" reads a few pages, however many ended before. The predicate is wrapped in a coalesce so that it
-- serves ended_notifications alone, which writes it the same way: statistics from before a burst would make the planner
-- take a small index of SENT rows for the short way to a batch's rows, and by the end of the burst it is the long one.
create index if not exists ent_notification_ended
    on notify.ent_notification (updated_at, id)
    where coalesce(notification_status in ('SENT', 'FAILED', 'RETRACTED'), false);

create index if not exists ent_notification_failed
    on notify.ent_notification ((enterprise_id::text), updated_at)
    where notification_status = 'FAILED';

create or replace function notify.trace_notification(p_notification_id bigint)
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
    select jsonb_build_object(
        'now', now(),
        'id', n.id,
        'enterprise_id', n.enterprise_id::text,
        'status', n.notification_status,
        'publish_status', n.publish_status,
        'deactivated', n.deactivated,
        'created_at', n.created_at,
        'updated_at', n.updated_at,
        'processed_at', n.processed_at,
        'scheduled_for', n.scheduled_for,
        'deliver_before', n.deliver_before,
        'retracted_at', n.retracted_at,
        'lease_expires_at', n.lease_expires_at,
        'claim_owner', n.claim_owner,
        'attempts', n.attempts,
        'chunks_sent', n.chunks_sent,
        'transaction_id', n.transaction_id,
        'recipient_count', (select count(distinct r.id) from unnest(n.recipients::text[]) as r (id)),
        'error_details', n.error_details,
        'cancellation', n.cancellation,
        'rule_id', n.notification_rule_id,
        'workflow', (
            select jsonb_build_object(
                'key', w.workflow_key,
                'active', w.publish_status = 'PUBLISH' and not w.deactivated,
                'same_enterprise', coalesce(w.enterprise_id::text = n.enterprise_id::text, false)
            )
            from notify.ent_notification_workflow w
            where w.id = n.notification_workflow_id
        )
    )
    from notify.ent_notification n
    where n.id = p_notification_id
$$;

create or replace function notify.ended_notifications(
    p_since timestamptz, p_after_id bigint, p_enterprise_id text, p_limit int
)
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
    select jsonb_build_object(
        'now', now(),
        'has_more', count(*) > p_limit,
        'ended', coalesce(
            jsonb_agg(
                jsonb_build_object(
                    'id', e.id,
                    'enterprise_id', e.enterprise_id::text,
                    'status', e.notification_status,
                    'code', e.error_details ->> 'code',
                    'attempts', e.attempts,
                    'transaction_id', e.transaction_id,
                    'at', e.updated_at
                )
                order by e.updated_at, e.id
            ) filter (where e.place <= p_limit),
            '[]'
        )
    )
    from (
        select n.*, row_number() over (order by n.updated_at, n.id) as place
        from notify.ent_notification n
        where coalesce(n.notification_status in ('SENT', 'FAILED', 'RETRACTED'), false)
            and (n.updated_at, n.id) > (coalesce(p_since, now()), coalesce(p_after_id, 0))
            and (p_enterprise_id is null or n.enterprise_id::text = p_enterprise_id)
        order by n.updated_at, n.id
        limit p_limit + 1
    ) as e
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
    v_result jsonb;
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
        select coalesce(n.error_details ->> 'code', 'unknown') as code,
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
        -- Transaction id and count of accepted chunks stay: by them Novu and the worker leave out who was served.
        update notify.ent_notification n
        set notification_status = 'PENDING', claim_owner = null, lease_expires_at = null, processed_at = null,
            updated_at = now()
        where n.id = any (v_ids) and n.notification_status = 'FAILED';
    end if;

    return jsonb_build_object('dry_run', p_dry_run, 'codes', v_result, 'notification_ids', to_jsonb(v_ids));
end
$$;

create or replace function notify.self_check()
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
    select jsonb_build_object(
        'now', clock_timestamp(),
        'functions', (
            select coalesce(jsonb_agg(distinct p.proname order by p.proname), '[]')
            from pg_catalog.pg_proc p
            where p.pronamespace = 'notify'::regnamespace and has_function_privilege(p.oid, 'execute')
        ),
        'tables', (
            select coalesce(
                jsonb_object_agg(
                    c.relname,
                    jsonb_build_object(
                        'published', p.pubname is not null and coalesce(p.pubinsert and p.pubupdate, false),
                        'column_list', m.prattrs is not null,
                        'row_filter', m.prqual is not null,
                        -- A published table without one refuses its every UPDATE.
                        'identity', c.relreplident = 'f'
                            or (
                                c.relreplident in ('d', 'i')
                                and exists (
                                    select from pg_catalog.pg_index i
                                    where i.indrelid = c.oid
                                        and case c.relreplident when 'd' then i.indisprimary else i.indisreplident end
                                )
                            ),
                        'row_level_security', c.relrowsecurity
                    )
                ),
                '{}'
            )
            from pg_catalog.pg_class c
            left join pg_catalog.pg_publication p on p.pubname = 'supabase_realtime'
                and (
                    p.puballtables
                    or exists (
                        select from pg_catalog.pg_publication_rel r where r.prpubid = p.oid and r.prrelid = c.oid
                    )
                    or exists (
                        select from pg_catalog.pg_publication_namespace s
                        where s.pnpubid = p.oid and s.pnnspid = c.relnamespace
                    )
                )
            left join pg_catalog.pg_publication_rel m on m.prpubid = p.oid and m.prrelid = c.oid
            where c.relnamespace = 'notify'::regnamespace
                and c.relname in ('ent_notification', 'ent_notification_rule', 'listener_canary')
        )
    )
$$;

-- The new functions belong to the service key alone, as the others do.
do $$
declare
    function regprocedure;
begin
    for function in
        select p.oid from pg_catalog.pg_proc p
        where p.pronamespace = 'notify'::regnamespace
            and p.proname in ('trace_notification', 'ended_notifications', 'replay_notifications', 'self_check')
    loop
        execute format('revoke all on function %s from public, anon, authenticated', function);
        execute format('grant execute on function %s to service_role', function);
    end loop;
end
$$;
