-- What the trigger function asks: rows that exist, and rows to be made. The contract is docs/database_functions.md.

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
                'scheduled_for', n.scheduled_for,
                'due', n.scheduled_for is null or n.scheduled_for <= now()
            )
            order by n.id
        ),
        '[]'
    )
    from notify.ent_notification n
    where n.id = any (p_notification_ids) and n.enterprise_id::text = any (p_enterprise_ids)
$$;

create or replace function notify.create_notification(
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
declare
    v_workflow notify.ent_notification_workflow;
    v_typed notify.ent_notification;
    v_request jsonb;
    v_notification_id bigint;
begin
    -- A repeat is answered as the first was, whatever has become of the workflow since.
    v_request := notify.find_trigger_request(p_enterprise_id, p_idempotency_key, p_request_hash);

    if v_request is null then
        select w.* into v_workflow
        from notify.ent_notification_workflow w
        where w.workflow_key = p_workflow_key
            and w.enterprise_id::text = p_enterprise_id
            and w.publish_status = 'PUBLISH' and not w.deactivated;
        if not found then
            return jsonb_build_object('refused', 'workflow_not_found');
        end if;

        -- The key and the row come together or not at all: what this block has done is undone when it fails.
        begin
            v_typed := jsonb_populate_record(
                null::notify.ent_notification,
                jsonb_build_object('enterprise_id', p_enterprise_id, 'recipients', p_recipients)
            );
            if p_idempotency_key is not null and not p_dry_run then
                v_request := notify.note_trigger_request(p_enterprise_id, p_idempotency_key, p_request_hash, null);
            end if;
            if not p_dry_run and (v_request is null or not (v_request ->> 'repeated')::boolean) then
                insert into notify.ent_notification (
                    name, notification_workflow_id, recipients, payload, overrides, channels, scheduled_for,
                    publish_status, business_id, enterprise_id
                )
                values (
                    format('trigger %s', gen_random_uuid()), v_workflow.id, v_typed.recipients, p_payload,
                    nullif(p_overrides, 'null'),
                    -- The last as the column's default.
                    coalesce(nullif(v_workflow.default_channels, '{}'), '{IN_APP}'),
                    p_scheduled_for, 'PUBLISH', v_workflow.business_id, v_typed.enterprise_id
                )
                returning id into v_notification_id;
                update notify.trigger_request r
                set notification_id = v_notification_id
                where r.enterprise_id = p_enterprise_id and r.idempotency_key = p_idempotency_key;
            end if;
        exception
            when data_exception then
                return jsonb_build_object('refused', 'invalid_recipients');
            when integrity_constraint_violation or raise_exception then
                return jsonb_build_object('refused', 'refused_by_database');
        end;
    end if;

    if (v_request ->> 'conflict')::boolean then
        return jsonb_build_object('refused', 'idempotency_conflict');
    end if;
    return jsonb_build_object(
        'notification_id', coalesce(v_notification_id, (v_request ->> 'notification_id')::bigint),
        'repeated', coalesce((v_request ->> 'repeated')::boolean, false),
        'due', p_scheduled_for is null or p_scheduled_for <= now()
    );
end
$$;

-- The new table and functions belong to the service key alone, as the others do.

alter table notify.trigger_request enable row level security;

revoke all on table notify.trigger_request from public, anon, authenticated;
grant select, insert, update, delete on table notify.trigger_request to service_role;

do $$
declare
    function regprocedure;
begin
    for function in
        select p.oid from pg_catalog.pg_proc p
        where p.pronamespace = 'notify'::regnamespace
            and p.proname in (
                'find_trigger_request', 'note_trigger_request', 'notifications_to_trigger', 'create_notification'
            )
    loop
        execute format('revoke all on function %s from public, anon, authenticated', function);
        execute format('grant execute on function %s to service_role', function);
    end loop;
end
$$;
