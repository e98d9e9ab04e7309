-- The tables of the recordings, and a few more.
create type mood as enum ('happy', 'sad');

create table kitchen (
    id uuid primary key default gen_random_uuid(),
    enterprise_id uuid,
    t text,
    j jsonb,
    ts timestamptz default now(),
    ta text[],
    ua uuid[],
    i8 int8,
    n numeric,
    b bool,
    nul text,
    e mood,
    i4 int4,
    f8 float8,
    d date,
    by bytea,
    tsn timestamp,
    js json
);

create table notify (
    id bigint generated always as identity primary key,
    enterprise_id text,
    state text default 'new',
    payload jsonb,
    created_at timestamptz default now()
);

create table notpub (id int primary key);

create table fullident (id int primary key, enterprise_id text, v text);
alter table fullident replica identity full;

create table withrls (id int primary key, v text);
alter table withrls enable row level security;

create table owned (id int primary key, owner text);
alter table owned enable row level security;
create policy own_rows on owned for select to authenticated
    using (owner = current_setting('request.jwt.claims', true)::jsonb ->> 'sub');

create table hidden (id int primary key, v text);
create table keyless (v text);
create table documents (id int primary key, body json);

grant select on kitchen, notify, notpub, fullident, withrls, owned, keyless, documents to anon, authenticated, service_role;
grant select (v) on hidden to anon;

alter publication supabase_realtime add table kitchen, notify, fullident, withrls, owned, hidden, keyless, documents;
