-- A workflow that became STATIC is still used: it is left by nobody.

create or replace function notify.left_novu_workflows(p_environment_id text)
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
    select coalesce(jsonb_agg(k.workflow_key order by k.workflow_key), '[]')
    from notify.novu_workflow k
    where k.environment_id = p_environment_id
        and not exists (
            select 1
            from notify.ent_notification_workflow w
            where w.workflow_key = k.workflow_key
                and w.publish_status = 'PUBLISH' and not w.deactivated
                and w.enterprise_id is not null
        )
$$;
