-- A row that whoever makes it also starts rings nobody: a listener would start it a second time. The contract is
-- docs/database_functions.md; the reasons, docs/decisions/0091.

-- As it was, but for the one row of a caller who starts it. What the project's own triggers make of it rings.
create or replace trigger ring_for_inserted
    after insert on notify.ent_notification
    referencing new table as changed
    for each statement
    when (pg_trigger_depth() > 0 or current_setting('xnovu.started_by_caller', true) is distinct from 'on')
    execute function notify.ring_for_notifications();

-- As create_served_notification, for a caller who starts the row as soon as he knows its id. Should he not come to that,
-- a sweep finds it. One that is for later rings as ever: sweeps do not look ahead, and its instant is to be kept.
create or replace function notify.create_started_notification(
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
    v_answer jsonb;
begin
    if p_scheduled_for is null or p_scheduled_for <= now() then
        perform set_config('xnovu.started_by_caller', 'on', true);
    end if;
    v_answer := notify.create_served_notification(
        p_enterprise_id, p_workflow_key, p_recipients, p_payload, p_overrides, p_scheduled_for, p_idempotency_key,
        p_request_hash, p_dry_run
    );
    perform set_config('xnovu.started_by_caller', 'off', true);
    return v_answer;
end
$$;

do $$
declare
    function regprocedure;
begin
    for function in
        select p.oid from pg_catalog.pg_proc p
        where p.pronamespace = 'notify'::regnamespace and p.proname = 'create_started_notification'
    loop
        execute format('revoke all on function %s from public, anon, authenticated', function);
        execute format('grant execute on function %s to service_role', function);
    end loop;
end
$$;
