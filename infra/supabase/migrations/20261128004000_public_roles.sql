-- An existing project may have default privileges for the public keys' roles: tables that our migrations made after the
-- first ones got them. Take them back, and away from what is made later.

revoke all on schema notify from public, anon, authenticated;
revoke all on all tables in schema notify from public, anon, authenticated;
revoke all on all sequences in schema notify from public, anon, authenticated;

-- Those of this schema. Of defaults that hold for every schema none can be taken back for one: a migration that makes a
-- table revokes them itself, and xnovu doctor looks (notify.public_access).
do $$
declare
    maker regrole;
begin
    for maker in
        select distinct d.defaclrole
        from pg_catalog.pg_default_acl d
        where d.defaclnamespace = 'notify'::regnamespace and pg_has_role(d.defaclrole, 'member')
    loop
        execute format('alter default privileges for role %s in schema notify revoke all on tables from public, anon, authenticated', maker);
        execute format('alter default privileges for role %s in schema notify revoke all on sequences from public, anon, authenticated', maker);
        execute format('alter default privileges for role %s in schema notify revoke all on functions from public, anon, authenticated', maker);
    end loop;
end
$$;

create or replace function notify.public_access()
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
    select coalesce(jsonb_agg(distinct found.name order by found.name), '[]')
    from pg_catalog.pg_roles r
    cross join lateral (
        select 'schema notify' as name
        where has_schema_privilege(r.oid, 'notify', 'usage, create')
        union all
        select case c.relkind when 'S' then 'sequence ' else 'table ' end || c.relname
        from pg_catalog.pg_class c
        where c.relnamespace = 'notify'::regnamespace
            and case
                when c.relkind = 'S' then has_sequence_privilege(r.oid, c.oid, 'usage, select, update')
                when c.relkind in ('r', 'p', 'v', 'm', 'f') then
                    has_table_privilege(r.oid, c.oid, 'select, insert, update, delete, truncate, references, trigger')
                    or has_any_column_privilege(r.oid, c.oid, 'select, insert, update, references')
                else false
            end
    ) found
    where r.rolname in ('anon', 'authenticated')
$$;

revoke all on function notify.public_access() from public, anon, authenticated;
grant execute on function notify.public_access() to service_role;
