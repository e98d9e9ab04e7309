-- A key to Novu of an enterprise's own, by reference: the name of the variable that holds it where workers run. The contract
-- is docs/database_functions.md; the reasons, docs/decisions/0087.

alter table notify.enterprise
    add column if not exists novu_key_name text
        constraint enterprise_novu_key_name check (novu_key_name ~ '^NOVU_SECRET_KEY__[A-Z0-9_]{1,64}$'),
    add column if not exists novu_key_before text;
comment on column notify.enterprise.novu_key_name is
    'The variable that holds its key to Novu where workers run. Null: the deployment''s key.';
comment on column notify.enterprise.novu_key_before is
    'What novu_key_name was before: what was sent then is asked about, and cancelled, there too. Empty: the deployment''s.';

create index if not exists enterprise_told on notify.enterprise (enterprise_id)
    where not served or rate_per_second is not null or novu_key_name is not null or novu_key_before is not null;
drop index if exists notify.enterprise_with_settings;

-- Another key, another environment of Novu's: what was sent is in the former one, and credentials are to be given anew.
create or replace function notify.note_novu_key_change()
returns trigger
language plpgsql
security invoker
set search_path = ''
as $$
begin
    delete from notify.recipient_kept k where k.enterprise_id = new.enterprise_id;
    new.novu_key_before := case tg_op when 'UPDATE' then coalesce(old.novu_key_name, '') else '' end;
    return new;
end
$$;

create or replace trigger note_novu_key_changed
    before update of novu_key_name on notify.enterprise
    for each row when (old.novu_key_name is distinct from new.novu_key_name)
    execute function notify.note_novu_key_change();
create or replace trigger note_novu_key_inserted
    before insert on notify.enterprise
    for each row when (new.novu_key_name is not null)
    execute function notify.note_novu_key_change();

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
            jsonb_strip_nulls(
                jsonb_build_object(
                    'time_zone', e.time_zone, 'rate_per_second', e.rate_per_second,
                    'novu_key_name', e.novu_key_name
                )
            ) as settings
        from notify.enterprise e
        where p_enterprise_ids is null or e.enterprise_id = any (p_enterprise_ids)
    ) as own
    where own.settings <> '{}'
$$;

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
            jsonb_object_agg(
                e.enterprise_id,
                jsonb_build_object(
                    'rate_per_second', e.rate_per_second,
                    'novu_key_name', e.novu_key_name,
                    'novu_key_before', e.novu_key_before
                )
            )
                filter (where (e.rate_per_second, e.novu_key_name, e.novu_key_before) is distinct from (null, null, null)),
            '{}'
        )
    )
    from notify.enterprise e
    where not e.served or e.rate_per_second is not null or e.novu_key_name is not null or e.novu_key_before is not null
$$;

-- For operators. Only what is named is changed; null takes a setting back. Whoever was not known is from now on.
create or replace function notify.set_enterprise(p_enterprise_id text, p_settings jsonb)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    c_known constant text[] := array['time_zone', 'rate_per_second', 'novu_key_name'];
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
    if v_is.novu_key_name !~ '^NOVU_SECRET_KEY__[A-Z0-9_]{1,64}$' then
        raise exception 'the name of a variable is meant, NOVU_SECRET_KEY__ and 1-64 of A-Z, 0-9, ''_'', and never a key'
            using errcode = 'invalid_parameter_value';
    end if;
    update notify.enterprise e
    set time_zone = v_is.time_zone, rate_per_second = v_is.rate_per_second, novu_key_name = v_is.novu_key_name,
        changed_at = now()
    where e.enterprise_id = p_enterprise_id
        and (e.time_zone, e.rate_per_second, e.novu_key_name)
            is distinct from (v_is.time_zone, v_is.rate_per_second, v_is.novu_key_name);
    return jsonb_build_object(
        'enterprise_id', p_enterprise_id,
        'was', coalesce(v_was, '{}'),
        'settings', coalesce(notify.enterprise_settings(array[p_enterprise_id]) -> p_enterprise_id, '{}')
    );
end
$$;

revoke all on function notify.note_novu_key_change() from public, anon, authenticated;
grant execute on function notify.note_novu_key_change() to service_role;
