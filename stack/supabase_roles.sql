-- The roles of a Supabase project. As there, migrations run as `postgres`, which is no superuser; `supabase_admin` is.

create role anon nologin noinherit;
create role authenticated nologin noinherit;
create role service_role nologin noinherit bypassrls;
create role authenticator login noinherit;
create role postgres login createdb createrole replication bypassrls;

grant anon, authenticated, service_role to authenticator;
grant anon, authenticated, service_role to postgres with admin option;
grant pg_read_all_data, pg_signal_backend, pg_monitor to postgres;

alter role postgres set search_path to "$user", public, extensions;
alter role authenticator set search_path to "$user", public, extensions;

alter database postgres owner to postgres;
