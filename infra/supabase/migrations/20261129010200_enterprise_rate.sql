-- A rate of an enterprise's own: buckets of tokens as Novu's, beside the deployment's. The contract is
-- docs/database_functions.md; the reasons, docs/decisions/0087.

alter table notify.enterprise
    add column if not exists rate_per_second double precision
        constraint enterprise_rate check (rate_per_second between 0.01 and 100000);
comment on column notify.enterprise.rate_per_second is 'Events a second that are sent for it at most. Null: as many as its turns.';

-- Whose bucket: '' the deployment's, '//' and its id an enterprise's own.
alter table notify.novu_rate add column if not exists owner text not null default '';
alter table notify.novu_rate drop constraint if exists novu_rate_pkey;
alter table notify.novu_rate add constraint novu_rate_pkey primary key (owner, category);
comment on table notify.novu_rate is
    'What is left of Novu''s rate and of enterprises'' own, by category, and whether Novu wants to be paid.';

-- Who calls with the arguments of before means the deployment's.
drop function if exists notify.take_novu_tokens(
    text, int, int, double precision, double precision, double precision
);
drop function if exists notify.pause_novu_tokens(text, double precision);
drop function if exists notify.note_novu_payment(text, boolean, double precision);

-- A block of at most `p_needed` tokens, to be used in `wait_seconds`; of none, if Novu takes nothing for so long.
-- As many as `p_spare` more come along while the bucket is more than half full. Whose tokens would have gathered only after
-- `p_within_seconds` is given none, and comes again.
create or replace function notify.take_novu_tokens(
    p_category text,
    p_needed int,
    p_spare int,
    p_per_second double precision,
    p_burst double precision,
    p_probe_seconds double precision,
    p_owner text default '',
    p_within_seconds double precision default null
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

    insert into notify.novu_rate (owner, category, booked_until)
    values (p_owner, p_category, '-infinity')
    on conflict (owner, category) do nothing;
    select * into v_rate from notify.novu_rate r where r.owner = p_owner and r.category = p_category for update;
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
        where r.owner = p_owner and r.category = p_category;
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
    if v_until > v_now + make_interval(secs => p_within_seconds) then
        return jsonb_build_object(
            'granted', 0, 'wait_seconds', extract(epoch from v_until - v_now) - p_within_seconds
        );
    end if;
    update notify.novu_rate r
    set booked_until = v_until, paused_until = null
    where r.owner = p_owner and r.category = p_category;

    return jsonb_build_object(
        'granted', v_granted, 'wait_seconds', greatest(extract(epoch from v_until - v_now), 0)
    );
end
$$;

-- Novu has refused for its rate: nobody asks for so long, and nothing has gathered then.
create or replace function notify.pause_novu_tokens(
    p_category text, p_seconds double precision, p_owner text default ''
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_until constant timestamptz := clock_timestamp() + make_interval(secs => least(greatest(p_seconds, 0), 86400));
begin
    insert into notify.novu_rate as r (owner, category, booked_until, paused_until)
    values (p_owner, p_category, v_until, v_until)
    on conflict (owner, category) do update
    set booked_until = greatest(r.booked_until, v_until),
        paused_until = greatest(r.paused_until, v_until);
    return '{}';
end
$$;

-- Novu wants to be paid, or, with false, takes requests again. While it does, one token is given in `p_probe_seconds`.
create or replace function notify.note_novu_payment(
    p_category text, p_required boolean, p_probe_seconds double precision, p_owner text default ''
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_now constant timestamptz := clock_timestamp();
begin
    insert into notify.novu_rate as r (owner, category, booked_until, unpaid_since, probe_at)
    select p_owner, p_category, '-infinity', v_now, v_now + make_interval(secs => p_probe_seconds)
    where p_required
    on conflict (owner, category) do update
    set unpaid_since = coalesce(r.unpaid_since, excluded.unpaid_since),
        probe_at = case when r.unpaid_since is null then excluded.probe_at else r.probe_at end;
    if not p_required then
        update notify.novu_rate r
        set unpaid_since = null, probe_at = null
        where r.owner = p_owner and r.category = p_category and r.unpaid_since is not null;
    end if;
    return '{}';
end
$$;

-- The bucket goes with the rate.
create or replace function notify.forget_enterprise_rate()
returns trigger
language plpgsql
security invoker
set search_path = ''
as $$
begin
    delete from notify.novu_rate r where r.owner = '//' || old.enterprise_id;
    return null;
end
$$;

create or replace trigger forget_rate_taken_back
    after update of rate_per_second on notify.enterprise
    for each row when (old.rate_per_second is not null and new.rate_per_second is null)
    execute function notify.forget_enterprise_rate();
create or replace trigger forget_rate_deleted
    after delete on notify.enterprise
    for each row when (old.rate_per_second is not null)
    execute function notify.forget_enterprise_rate();

-- The settings of these, or of everybody; who has none of his own is left out.
create or replace function notify.enterprise_settings(p_enterprise_ids text[])
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
    select coalesce(jsonb_object_agg(own.enterprise_id, own.settings), '{}')
    from (
        select
            e.enterprise_id,
            jsonb_strip_nulls(jsonb_build_object('time_zone', e.time_zone, 'rate_per_second', e.rate_per_second)) as settings
        from notify.enterprise e
        where p_enterprise_ids is null or e.enterprise_id = any (p_enterprise_ids)
    ) as own
    where own.settings <> '{}'
$$;

create index if not exists enterprise_with_settings on notify.enterprise (enterprise_id)
    where not served or rate_per_second is not null;

-- For workers, now and then: of whom nothing is to be sent, and what others have of their own that concerns sending.
create or replace function notify.enterprises_told()
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
    select jsonb_build_object(
        'unserved', coalesce(jsonb_agg(e.enterprise_id order by e.enterprise_id) filter (where not e.served), '[]'),
        'settings', coalesce(
            jsonb_object_agg(e.enterprise_id, jsonb_build_object('rate_per_second', e.rate_per_second))
                filter (where e.rate_per_second is not null),
            '{}'
        )
    )
    from notify.enterprise e
    where not e.served or e.rate_per_second is not null
$$;

-- For operators. Only what is named is changed; null takes a setting back. Whoever was not known is from now on.
create or replace function notify.set_enterprise(p_enterprise_id text, p_settings jsonb)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    c_known constant text[] := array['time_zone', 'rate_per_second'];
    v_was jsonb;
    v_is notify.enterprise;
begin
    if p_enterprise_id is null or p_enterprise_id !~ '^[A-Za-z0-9_.-]{1,64}$' then
        raise exception 'an enterprise''s id is 1-64 of letters, digits, ''_'', ''-'', ''.'''
            using errcode = 'invalid_parameter_value';
    end if;
    if jsonb_typeof(p_settings) is distinct from 'object'
        or exists (select from jsonb_object_keys(p_settings) as key where key <> all (c_known))
    then
        raise exception 'settings are an object, of which the members are: %', array_to_string(c_known, ', ')
            using errcode = 'invalid_parameter_value';
    end if;
    insert into notify.enterprise (enterprise_id) values (p_enterprise_id) on conflict (enterprise_id) do nothing;
    select * into v_is from notify.enterprise e where e.enterprise_id = p_enterprise_id for update;
    v_was := notify.enterprise_settings(array[p_enterprise_id]) -> p_enterprise_id;
    v_is := jsonb_populate_record(v_is, p_settings);
    if v_is.rate_per_second not between 0.01 and 100000 then
        raise exception 'a rate is 0.01 to 100000 events a second, and not %', v_is.rate_per_second
            using errcode = 'invalid_parameter_value';
    end if;
    update notify.enterprise e
    set time_zone = v_is.time_zone, rate_per_second = v_is.rate_per_second, changed_at = now()
    where e.enterprise_id = p_enterprise_id
        and (e.time_zone, e.rate_per_second) is distinct from (v_is.time_zone, v_is.rate_per_second);
    return jsonb_build_object(
        'enterprise_id', p_enterprise_id,
        'was', coalesce(v_was, '{}'),
        'settings', coalesce(notify.enterprise_settings(array[p_enterprise_id]) -> p_enterprise_id, '{}')
    );
end
$$;

do $$
declare
    function regprocedure;
begin
    for function in
        select p.oid from pg_catalog.pg_proc p
        where p.pronamespace = 'notify'::regnamespace
            and p.proname in (
                'take_novu_tokens', 'pause_novu_tokens', 'note_novu_payment', 'forget_enterprise_rate', 'enterprises_told'
            )
    loop
        execute format('revoke all on function %s from public, anon, authenticated', function);
        execute format('grant execute on function %s to service_role', function);
    end loop;
end
$$;
