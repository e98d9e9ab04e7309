-- What `xnovu novu apply` has made at Novu, and what it reads to know what to make. The contract is
-- docs/database_functions.md.

-- By the Novu environment, of which a database may fill several. No foreign key: what is left of a row that is gone is
-- how its workflow at Novu is known to be ours to take away.
create table if not exists notify.novu_workflow (
    workflow_key text not null,
    environment_id text not null,
    fingerprint text not null,
    novu_updated_at text not null,
    channels text[] not null,
    applied_at timestamptz not null default now(),
    primary key (workflow_key, environment_id)
);

alter table notify.novu_workflow enable row level security;
revoke all on table notify.novu_workflow from public, anon, authenticated;
grant select, insert, update, delete on table notify.novu_workflow to service_role;

create or replace function notify.novu_workflow_rows(
    p_environment_id text, p_enterprise_ids text[], p_static boolean, p_after_id bigint, p_limit int
)
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
    with page as (
        select w.id, w.enterprise_id, w.name, w.workflow_key, w.workflow_type, w.default_channels, w.template_overrides
        from notify.ent_notification_workflow w
        where w.id > p_after_id
            and w.publish_status = 'PUBLISH' and not w.deactivated
            and w.enterprise_id is not null
            and (p_enterprise_ids is null or w.enterprise_id::text = any (p_enterprise_ids))
            and (p_static or w.workflow_type = 'DYNAMIC')
        order by w.id
        limit p_limit
    )
    select coalesce(
        jsonb_agg(
            jsonb_build_object(
                'id', page.id,
                'enterprise_id', page.enterprise_id,
                'name', left(page.name, 129),
                'workflow_key', left(page.workflow_key, 501),
                'workflow_type', page.workflow_type,
                'default_channels',
                case
                    when cardinality(page.default_channels) > 100 then jsonb '"too many"'
                    else to_jsonb(page.default_channels)
                end,
                'template_channels', (
                    select coalesce(jsonb_agg(slot.channel), '[]')
                    from (
                        values
                            ('EMAIL', 'emailTemplateId'), ('IN_APP', 'inAppTemplateId'), ('SMS', 'smsTemplateId'),
                            ('PUSH', 'pushTemplateId'), ('CHAT', 'chatTemplateId')
                    ) as slot (channel, name)
                    where page.template_overrides ->> slot.name is not null
                ),
                'applied', (
                    select jsonb_build_object('fingerprint', k.fingerprint, 'novu_updated_at', k.novu_updated_at)
                    from notify.novu_workflow k
                    where k.workflow_key = page.workflow_key and k.environment_id = p_environment_id
                )
            )
            order by page.id
        ),
        '[]'
    )
    from page
$$;

create or replace function notify.note_novu_workflows(p_environment_id text, p_workflows jsonb)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
    with noted as (
        insert into notify.novu_workflow as k
            (workflow_key, environment_id, fingerprint, novu_updated_at, channels, applied_at)
        select w.workflow_key, p_environment_id, w.fingerprint, w.novu_updated_at, w.channels, now()
        from jsonb_to_recordset(p_workflows) as w (
            workflow_key text, fingerprint text, novu_updated_at text, channels text[]
        )
        -- By key, so that two who note the same workflows wait for each other and do not block.
        order by w.workflow_key
        on conflict (workflow_key, environment_id) do update
        set fingerprint = excluded.fingerprint,
            novu_updated_at = excluded.novu_updated_at,
            channels = excluded.channels,
            applied_at = excluded.applied_at
        returning k.workflow_key
    )
    select jsonb_build_object('noted', (select count(*) from noted))
$$;

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
                and w.enterprise_id is not null and w.workflow_type = 'DYNAMIC'
        )
$$;

create or replace function notify.forget_novu_workflows(p_environment_id text, p_workflow_keys text[])
returns jsonb
language sql
security invoker
set search_path = ''
as $$
    with gone as (
        delete from notify.novu_workflow k
        where k.environment_id = p_environment_id and k.workflow_key = any (p_workflow_keys)
        returning 1
    )
    select jsonb_build_object('forgotten', (select count(*) from gone))
$$;

do $$
declare
    function regprocedure;
begin
    for function in
        select p.oid from pg_catalog.pg_proc p
        where p.pronamespace = 'notify'::regnamespace
            and p.proname in (
                'novu_workflow_rows', 'note_novu_workflows', 'left_novu_workflows', 'forget_novu_workflows'
            )
    loop
        execute format('revoke all on function %s from public, anon, authenticated', function);
        execute format('grant execute on function %s to service_role', function);
    end loop;
end
$$;
