-- How many requests this project's workers may make of Novu, shared by all of them: a bucket of tokens for each of Novu's
-- categories, given away in blocks. The contract is docs/database_functions.md.

create table if not exists notify.novu_rate (
    category text primary key check (category in ('trigger', 'configuration', 'global')),
    -- The bucket, told by one instant: it is full if that is long past, empty if it is now, and given away if it is ahead.
    booked_until timestamptz not null,
    paused_until timestamptz,
    unpaid_since timestamptz,
    probe_at timestamptz
)
-- Every block rewrites a row: within its page, without touching the index.
with (fillfactor = 20);
comment on table notify.novu_rate is 'What is left of Novu''s rate, by category, and whether Novu wants to be paid.';

alter table notify.novu_rate enable row level security;
revoke all on table notify.novu_rate from public, anon, authenticated;
grant select, insert, update, delete on table notify.novu_rate to service_role;

-- A block of at most `p_needed` tokens, to be used in `wait_seconds`; of none, if Novu takes nothing for so long.
-- As many as `p_spare` more come along while the bucket is more than half full.
create or replace function notify.take_novu_tokens(
    p_category text,
    p_needed int,
    p_spare int,
    p_per_second double precision,
    p_burst double precision,
    p_probe_seconds double precision
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    -- Blocks given away ahead last so long, and each is half of what is left of it at most, one token at least: however
    -- many workers there are, none waits long behind the others' blocks.
    c_ahead_seconds constant double precision := 1;
    v_now timestamptz;
    v_rate notify.novu_rate;
    v_from timestamptz;
    v_most int;
    v_granted int;
    v_until timestamptz;
begin
    if (
        p_needed between 1 and 1000000 and p_spare between 0 and 1000000 and p_probe_seconds between 0 and 86400
        and p_per_second between 0.001 and 1e9 and p_burst between 1 and 1e9
    ) is not true
    then
        raise exception 'tokens are whole, and are taken at a rate and a burst that are positive'
            using errcode = 'invalid_parameter_value';
    end if;

    insert into notify.novu_rate (category, booked_until)
    values (p_category, '-infinity')
    on conflict (category) do nothing;
    select * into v_rate from notify.novu_rate r where r.category = p_category for update;
    -- Of the moment when it is our turn.
    v_now := clock_timestamp();

    if v_rate.unpaid_since is not null then
        if v_rate.probe_at > v_now then
            return jsonb_build_object(
                'granted', 0,
                'wait_seconds', extract(epoch from v_rate.probe_at - v_now),
                'unpaid_since', v_rate.unpaid_since
            );
        end if;
        update notify.novu_rate r
        set probe_at = v_now + make_interval(secs => p_probe_seconds)
        where r.category = p_category;
        return jsonb_build_object('granted', 1, 'wait_seconds', 0, 'unpaid_since', v_rate.unpaid_since);
    end if;
    if v_rate.paused_until > v_now then
        return jsonb_build_object('granted', 0, 'wait_seconds', extract(epoch from v_rate.paused_until - v_now));
    end if;

    v_from := greatest(v_rate.booked_until, v_now - make_interval(secs => least(p_burst / p_per_second, 86400)));
    v_most := least(
        ceil(p_per_second * (c_ahead_seconds - greatest(extract(epoch from v_from - v_now), 0)) / 2), 1000000
    );
    v_granted := least(p_needed, greatest(v_most, 1));
    if extract(epoch from v_now - v_from) * p_per_second >= v_granted + p_spare + p_burst / 2 then
        v_granted := v_granted + p_spare;
    end if;
    v_until := v_from + make_interval(secs => v_granted / p_per_second);
    update notify.novu_rate r set booked_until = v_until, paused_until = null where r.category = p_category;

    return jsonb_build_object(
        'granted', v_granted, 'wait_seconds', greatest(extract(epoch from v_until - v_now), 0)
    );
end
$$;

-- Novu has refused for its rate: nobody asks for so long, and nothing has gathered then.
create or replace function notify.pause_novu_tokens(p_category text, p_seconds double precision)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_until constant timestamptz := clock_timestamp() + make_interval(secs => least(greatest(p_seconds, 0), 86400));
begin
    insert into notify.novu_rate as r (category, booked_until, paused_until)
    values (p_category, v_until, v_until)
    on conflict (category) do update
    set booked_until = greatest(r.booked_until, v_until),
        paused_until = greatest(r.paused_until, v_until);
    return '{}';
end
$$;

-- Novu wants to be paid, or, with false, takes requests again. While it does, one token is given in `p_probe_seconds`.
create or replace function notify.note_novu_payment(
    p_category text, p_required boolean, p_probe_seconds double precision
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_now constant timestamptz := clock_timestamp();
begin
    insert into notify.novu_rate as r (category, booked_until, unpaid_since, probe_at)
    select p_category, '-infinity', v_now, v_now + make_interval(secs => p_probe_seconds)
    where p_required
    on conflict (category) do update
    set unpaid_since = coalesce(r.unpaid_since, excluded.unpaid_since),
        probe_at = case when r.unpaid_since is null then excluded.probe_at else r.probe_at end;
    if not p_required then
        update notify.novu_rate r
        set unpaid_since = null, probe_at = null
        where r.category = p_category and r.unpaid_since is not null;
    end if;
    return '{}';
end
$$;

do $$
declare
    function regprocedure;
begin
    for function in
        select p.oid from pg_catalog.pg_proc p
        where p.pronamespace = 'notify'::regnamespace
            and p.proname in ('take_novu_tokens', 'pause_novu_tokens', 'note_novu_payment')
    loop
        execute format('revoke all on function %s from public, anon, authenticated', function);
        execute format('grant execute on function %s to service_role', function);
    end loop;
end
$$;
