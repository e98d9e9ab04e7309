-- What every database of a Supabase project has before its first migration. Run in template1, so that each new
-- database has it, and in `postgres`.

create schema if not exists extensions;
grant usage on schema public, extensions to postgres, anon, authenticated, service_role;
alter schema public owner to postgres;
alter schema extensions owner to postgres;

alter default privileges for role postgres in schema public
    grant all on tables to anon, authenticated, service_role;
alter default privileges for role postgres in schema public
    grant all on sequences to anon, authenticated, service_role;
alter default privileges for role postgres in schema public
    grant all on functions to anon, authenticated, service_role;

create publication supabase_realtime;
alter publication supabase_realtime owner to postgres;
