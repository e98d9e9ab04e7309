-- What callers who may act for every enterprise ask, and that nothing is promised of one that is paused. The contract is
-- docs/database_functions.md; the reasons, docs/decisions/0079.

create or replace function notify.notifications_to_trigger(p_enterprise_ids text[], p_notification_ids bigint[])
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
    select coalesce(
        jsonb_agg(
            jsonb_build_object(
                'id', n.id,
                'enterprise_id', n.enterprise_id::text,
                'status', n.notification_status,
                'active', n.publish_status = 'PUBLISH' and not n.deactivated,
                'scheduled_for', notify.readable_instant(n.scheduled_for),
                -- One that can never fall due: its claim ends it, and says why.
                'due', n.scheduled_for is null or n.scheduled_for <= now() or n.scheduled_for >= '9999-12-01 00:00:00+00',
                'served', not exists (
                    select from notify.enterprise e where e.enterprise_id = n.enterprise_id::text and not e.served
                )
            )
            order by n.id
        ),
        '[]'
    )
    from notify.ent_notification n
    where n.id = any (p_notification_ids)
        and case
            when p_enterprise_ids is null then n.enterprise_id::text ~ '^[A-Za-z0-9_.-]{1,64}$'
            else n.enterprise_id::text = any (p_enterprise_ids)
        end
$$;

-- As create_notification, and refuses `enterprise_not_served`; a function of its own, as callers of earlier releases do not
-- know that refusal.
create or replace function notify.create_served_notification(
    p_enterprise_id text,
    p_workflow_key text,
    p_recipients jsonb,
    p_payload jsonb,
    p_overrides jsonb default null,
    p_scheduled_for timestamptz default null,
    p_idempotency_key text default null,
    p_request_hash text default null,
    p_dry_run boolean default false
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
    -- A repeat is answered as the first was, whatever has become of the enterprise since.
    if exists (select from notify.enterprise e where e.enterprise_id = p_enterprise_id and not e.served)
        and notify.find_trigger_request(p_enterprise_id, p_idempotency_key, p_request_hash) is null
    then
        return jsonb_build_object('refused', 'enterprise_not_served');
    end if;
    return notify.create_notification(
        p_enterprise_id, p_workflow_key, p_recipients, p_payload, p_overrides, p_scheduled_for, p_idempotency_key,
        p_request_hash, p_dry_run
    );
end
$$;

do $$
declare
    function regprocedure;
begin
    for function in
        select p.oid from pg_catalog.pg_proc p
        where p.pronamespace = 'notify'::regnamespace
            and p.proname in ('notifications_to_trigger', 'create_served_notification')
    loop
        execute format('revoke all on function %s from public, anon, authenticated', function);
        execute format('grant execute on function %s to service_role', function);
    end loop;
end
$$;
