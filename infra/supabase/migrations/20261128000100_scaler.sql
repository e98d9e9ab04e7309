-- What the autoscale function remembers from tick to tick, and who of several ticks at once may act.

create table if not exists notify.scaler (
    pool text primary key check (pool <> ''),
    version bigint not null default 0,
    memory jsonb,
    held_until timestamptz not null default '-infinity',
    updated_at timestamptz not null default now()
);
comment on table notify.scaler is
    'One row for each worker pool that is scaled. version rises with every tick that begins: a tick that was overtaken '
    'can write no memory. held_until: while it is to come, one tick acts and no other begins.';

alter table notify.scaler enable row level security;
revoke all on table notify.scaler from public, anon, authenticated;
grant select, insert, update, delete on table notify.scaler to service_role;

create or replace function notify.begin_scaler_tick(p_pool text, p_hold_seconds double precision)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_begun jsonb;
begin
    if coalesce(p_pool, '') = '' or p_hold_seconds is null or p_hold_seconds <= 0 then
        raise exception 'a pool, and a positive number of seconds' using errcode = 'invalid_parameter_value';
    end if;
    insert into notify.scaler (pool) values (p_pool) on conflict (pool) do nothing;
    -- Of two at once the second waits for the first's row, and then sees it held.
    update notify.scaler s
    set version = s.version + 1,
        held_until = clock_timestamp() + make_interval(secs => p_hold_seconds),
        updated_at = clock_timestamp()
    where s.pool = p_pool and s.held_until <= clock_timestamp()
    returning jsonb_build_object('begun', true, 'version', s.version, 'memory', s.memory, 'now', clock_timestamp())
    into v_begun;
    return coalesce(v_begun, jsonb_build_object('begun', false));
end
$$;

create or replace function notify.end_scaler_tick(p_pool text, p_version bigint, p_memory jsonb)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
    with ended as (
        update notify.scaler s
        set memory = coalesce(p_memory, s.memory), held_until = '-infinity', updated_at = clock_timestamp()
        where s.pool = p_pool and s.version = p_version and s.held_until > '-infinity'
        returning 1
    )
    select jsonb_build_object('ended', exists (select from ended))
$$;

do $$
declare
    function regprocedure;
begin
    for function in
        select p.oid from pg_catalog.pg_proc p
        where p.pronamespace = 'notify'::regnamespace and p.proname in ('begin_scaler_tick', 'end_scaler_tick')
    loop
        execute format('revoke all on function %s from public, anon, authenticated', function);
        execute format('grant execute on function %s to service_role', function);
    end loop;
end
$$;
