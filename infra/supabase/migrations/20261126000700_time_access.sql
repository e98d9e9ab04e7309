-- The new tables and functions belong to the service key alone, as the others do.

alter table notify.rule_progress enable row level security;
alter table notify.scheduler_pass enable row level security;

revoke all on table notify.rule_progress, notify.scheduler_pass from public, anon, authenticated;
grant select, insert, update, delete on table notify.rule_progress, notify.scheduler_pass to service_role;

do $$
declare
    function regprocedure;
begin
    for function in
        select p.oid from pg_catalog.pg_proc p
        where p.pronamespace = 'notify'::regnamespace
            and p.proname in (
                'record_outcomes', 'retract_notifications', 'due_notifications', 'cron_rules', 'fire_rules', 'due_scheduled', 'retractions_to_cancel', 'record_cancellations',
                'unaccounted', 'scheduler_passes', 'note_rule_change', 'note_workflow_change'
            )
    loop
        execute format('revoke all on function %s from public, anon, authenticated', function);
        execute format('grant execute on function %s to service_role', function);
    end loop;
end
$$;
