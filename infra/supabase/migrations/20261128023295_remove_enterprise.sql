-- An enterprise goes: it rests, what its schedulers knew is taken away, and it is forgotten as soon as nothing of it is left.
-- The contract is docs/database_functions.md; the reasons, docs/decisions/0084.

-- Safe to repeat. Rows of the project's own tables are left as they are: they are not ours to delete.
create or replace function notify.remove_enterprise(p_enterprise_id text)
returns jsonb
language plpgsql
security invoker
set search_path = ''
set enable_seqscan = off
set jit = off
as $$
declare
    c_most constant int := 1000;
    v_was jsonb;
    v_left jsonb;
    v_forgotten boolean;
begin
    v_was := notify.serve_enterprise(p_enterprise_id, false) -> 'was';
    delete from notify.scheduler_pass p where p.enterprise_id = p_enterprise_id;
    delete from notify.unread_rules u where u.enterprise_id = p_enterprise_id;

    select jsonb_build_object(
        'waiting_rows', (
            select count(*)
            from (
                (
                    select from notify.ent_notification n
                    where n.enterprise_id::text = p_enterprise_id
                        and n.notification_status = 'PENDING' and n.publish_status = 'PUBLISH' and not n.deactivated
                        and n.scheduled_for is null
                    limit c_most
                )
                union all
                (
                    select from notify.ent_notification n
                    where n.enterprise_id::text = p_enterprise_id
                        and n.notification_status = 'PENDING' and n.publish_status = 'PUBLISH' and not n.deactivated
                        and n.scheduled_for is not null
                    limit c_most
                )
                union all
                (
                    select from notify.ent_notification n
                    where n.enterprise_id::text = p_enterprise_id
                        and n.notification_status = 'PROCESSING' and n.publish_status = 'PUBLISH' and not n.deactivated
                    limit c_most
                )
                limit c_most
            ) as waiting
        ),
        'rules', (select count(*) from notify.ent_notification_rule r where r.enterprise_id::text = p_enterprise_id),
        'workflows', (select count(*) from notify.ent_notification_workflow w where w.enterprise_id::text = p_enterprise_id),
        'templates', (select count(*) from notify.ent_notification_template t where t.enterprise_id::text = p_enterprise_id)
    )
    into v_left;
    -- As long as something makes it known, the row that says that it is not served has to stay.
    v_forgotten := not exists (select from jsonb_each_text(v_left) as part where part.value <> '0');
    if v_forgotten then
        delete from notify.enterprise e where e.enterprise_id = p_enterprise_id;
    end if;
    return jsonb_build_object(
        'enterprise_id', p_enterprise_id, 'was', v_was, 'forgotten', v_forgotten, 'left', v_left
    );
end
$$;

revoke all on function notify.remove_enterprise(text) from public, anon, authenticated;
grant execute on function notify.remove_enterprise(text) to service_role;
