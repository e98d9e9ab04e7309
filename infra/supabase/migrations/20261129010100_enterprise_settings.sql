-- What an enterprise is told for itself, beside whether it is served: so far the time zone of rules that name none.
-- The contract is docs/database_functions.md; the reasons, docs/decisions/0087.

alter table notify.enterprise
    add column if not exists time_zone text
        constraint enterprise_time_zone check (time_zone ~ '^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$' and length(time_zone) <= 64);
comment on column notify.enterprise.time_zone is 'IANA name: the zone of CRON rules that name none. Null: UTC.';

-- Whoever writes the column, by whatever road: a zone that is none is refused.
create or replace function notify.check_enterprise()
returns trigger
language plpgsql
security invoker
set search_path = ''
as $$
begin
    if new.time_zone is not null
        and not exists (select from pg_catalog.pg_timezone_names z where z.name = new.time_zone)
    then
        raise exception 'there is no time zone %; names are IANA''s, such as Europe/Berlin', quote_literal(left(new.time_zone, 64))
            using errcode = 'invalid_parameter_value';
    end if;
    return new;
end
$$;

create or replace trigger check_enterprise
    before insert or update of time_zone on notify.enterprise
    for each row when (new.time_zone is not null)
    execute function notify.check_enterprise();

-- A rule that says no zone has a new schedule, as if it had been changed itself: its instants count from now on, its
-- scheduler is told, and listeners are rung for.
create or replace function notify.reschedule_enterprise()
returns trigger
language plpgsql
security invoker
set search_path = ''
as $$
begin
    update notify.ent_notification_rule r
    set schedule_changed_at = now(), schedule_error = null
    where r.enterprise_id::text = case tg_op when 'DELETE' then old.enterprise_id else new.enterprise_id end
        and upper(r.trigger_type) = 'CRON'
        and case when jsonb_typeof(r.trigger_config) = 'object' then r.trigger_config ->> 'timezone' end is null;
    return null;
end
$$;

create or replace trigger reschedule_changed
    after update of time_zone on notify.enterprise
    for each row when (old.time_zone is distinct from new.time_zone)
    execute function notify.reschedule_enterprise();
create or replace trigger reschedule_inserted
    after insert on notify.enterprise
    for each row when (new.time_zone is not null)
    execute function notify.reschedule_enterprise();
create or replace trigger reschedule_deleted
    after delete on notify.enterprise
    for each row when (old.time_zone is not null)
    execute function notify.reschedule_enterprise();

-- The settings of these, or of everybody; who has none of his own is left out.
create or replace function notify.enterprise_settings(p_enterprise_ids text[])
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
    select coalesce(
        jsonb_object_agg(e.enterprise_id, jsonb_strip_nulls(jsonb_build_object('time_zone', e.time_zone))), '{}'
    )
    from notify.enterprise e
    where (p_enterprise_ids is null or e.enterprise_id = any (p_enterprise_ids)) and e.time_zone is not null
$$;

-- For operators. Only what is named is changed; null takes a setting back. Whoever was not known is from now on.
create or replace function notify.set_enterprise(p_enterprise_id text, p_settings jsonb)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    c_known constant text[] := array['time_zone'];
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
    update notify.enterprise e
    set time_zone = v_is.time_zone, changed_at = now()
    where e.enterprise_id = p_enterprise_id and e.time_zone is distinct from v_is.time_zone;
    return jsonb_build_object(
        'enterprise_id', p_enterprise_id,
        'was', coalesce(v_was, '{}'),
        'settings', coalesce(notify.enterprise_settings(array[p_enterprise_id]) -> p_enterprise_id, '{}')
    );
end
$$;

-- As it was, with the zone of rules that name none.
create or replace function notify.read_cron_rules(p_enterprise_id text)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
    delete from notify.unread_rules u
    where u.id in (
        select m.id from notify.unread_rules m where m.enterprise_id = p_enterprise_id for update skip locked
    );
    return notify.cron_rules(p_enterprise_id) || jsonb_build_object(
        'time_zone', (select e.time_zone from notify.enterprise e where e.enterprise_id = p_enterprise_id)
    );
end
$$;

-- As it was, with the zone of rules that name none.
create or replace function notify.trace_rule(p_rule_id bigint)
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
    select jsonb_build_object(
        'rule', jsonb_build_object(
            'enterprise_id', r.enterprise_id::text,
            'trigger_type', left(r.trigger_type, 100),
            'trigger_config', case when unreadable.reason is null then r.trigger_config end,
            'unreadable', 'trigger_config ' || unreadable.reason,
            'schedule_error', left(r.schedule_error, 1000),
            'notification_workflow_id', r.notification_workflow_id,
            'publish_status', r.publish_status,
            'deactivated', r.deactivated
        ),
        'time_zone', (select e.time_zone from notify.enterprise e where e.enterprise_id = r.enterprise_id::text),
        'workflow', (
            select jsonb_build_object(
                'enterprise_id', w.enterprise_id::text, 'publish_status', w.publish_status, 'deactivated', w.deactivated
            )
            from notify.ent_notification_workflow w
            where w.id = r.notification_workflow_id
        )
    )
    from notify.ent_notification_rule r
    cross join lateral (select notify.unreadable_json(r.trigger_config, 64 * 1024) as reason) as unreadable
    where r.id = p_rule_id
$$;

-- As it was, with their settings.
create or replace function notify.list_enterprises(p_search text, p_after text, p_limit int)
returns jsonb
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
    if p_limit is null or p_limit <= 0 then
        raise exception 'a page has at least one enterprise' using errcode = 'invalid_parameter_value';
    end if;
    return (
        select coalesce(
            jsonb_agg(
                jsonb_build_object(
                    'enterprise_id', page.enterprise_id,
                    'served', page.served,
                    'known_since', page.known_since,
                    'changed_at', page.changed_at,
                    'rules_seen_to_at', notify.readable_instant(cron.last_pass_at),
                    'next_rule_at', notify.readable_instant(cron.next_due_at),
                    'settings', coalesce(
                        notify.enterprise_settings(array[page.enterprise_id]) -> page.enterprise_id, '{}'
                    )
                )
                order by page.enterprise_id
            ),
            '[]'
        )
        from (
            select e.enterprise_id, e.served, e.known_since, e.changed_at
            from notify.enterprise e
            where e.enterprise_id > coalesce(p_after, '')
                and strpos(lower(e.enterprise_id), lower(coalesce(p_search, ''))) > 0
            order by e.enterprise_id
            limit p_limit
        ) as page
        left join notify.scheduler_pass cron on cron.enterprise_id = page.enterprise_id and cron.scheduler = 'cron'
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
            and p.proname in ('check_enterprise', 'reschedule_enterprise', 'enterprise_settings', 'set_enterprise')
    loop
        execute format('revoke all on function %s from public, anon, authenticated', function);
        execute format('grant execute on function %s to service_role', function);
    end loop;
end
$$;
