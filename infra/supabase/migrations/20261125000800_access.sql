-- Only the service key reaches schema `notify`: payloads and recipients are personal data.

do $$
declare
    relation regclass;
    enum_schema regnamespace;
    function regprocedure;
begin
    -- Two locks: no grant for the public keys, and row-level security without a policy should someone add one.
    for relation in
        select c.oid from pg_catalog.pg_class c
        where c.relnamespace = 'notify'::regnamespace and c.relkind in ('r', 'p')
    loop
        execute format('alter table %s enable row level security', relation);
    end loop;

    -- The enums' schema: REST casts what it inserts to the column's type, by name.
    for enum_schema in
        select distinct t.typnamespace
        from pg_catalog.pg_type t
        where t.typtype = 'e'
            and t.typname in ('notification_status', 'publish_status', 'notification_channel_type', 'notification_workflow_type')
            and t.typnamespace::regnamespace::text in ('notify', 'shared_types')
    loop
        execute format('grant usage on schema %s to service_role', enum_schema);
    end loop;

    -- PostgreSQL lets PUBLIC execute every new function, and no default privilege of one schema can take that back.
    for function in
        select p.oid from pg_catalog.pg_proc p
        where p.pronamespace = 'notify'::regnamespace
            and p.proname in (
                'claim_notifications', 'renew_claims', 'release_claims', 'beat_canary'
            )
    loop
        execute format('revoke all on function %s from public, anon, authenticated', function);
        execute format('grant execute on function %s to service_role', function);
    end loop;
end
$$;

revoke all on schema notify from public, anon, authenticated;
revoke all on all tables in schema notify from public, anon, authenticated;
revoke all on all sequences in schema notify from public, anon, authenticated;

grant usage on schema notify to service_role;
grant select, insert, update, delete on all tables in schema notify to service_role;
grant usage, select on all sequences in schema notify to service_role;

alter default privileges in schema notify grant select, insert, update, delete on tables to service_role;
alter default privileges in schema notify grant usage, select on sequences to service_role;
alter default privileges in schema notify grant execute on functions to service_role;
