-- A row that names no channel gets its workflow's default channels, as docs/database.md says; the column's default kept
-- it from that. Filled in at the insert, so that code of any age finds channels there.

create or replace function notify.fill_channels()
returns trigger
language plpgsql
-- Whoever may insert a notification need not be allowed to read workflows.
security definer
set search_path = ''
as $$
begin
    select w.default_channels
    into new.channels
    from notify.ent_notification_workflow w
    where w.id = new.notification_workflow_id and w.enterprise_id::text = new.enterprise_id::text;
    if cardinality(new.channels) is null or cardinality(new.channels) = 0 then
        new.channels := '{IN_APP}';
    end if;
    return new;
end
$$;

revoke all on function notify.fill_channels() from public, anon, authenticated;
grant execute on function notify.fill_channels() to service_role;

alter table notify.ent_notification alter column channels drop default;

create or replace trigger fill_channels
    before insert on notify.ent_notification
    for each row
    when (new.channels is null)
    execute function notify.fill_channels();

-- As it was, but for a rule that names no channels.
create or replace function notify.fire_rules(p_enterprise_id text, p_firings jsonb, p_next_due_at timestamptz)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    -- Bounds the answer; the rows beyond it are found like any other.
    c_ids_returned constant int := 1000;
    -- What is larger makes no notification that could be sent.
    c_rule_payload_bytes constant bigint := 5 * 1024 * 1024;
    c_refused constant text := 'the database refused the notification: ';
    v_firing record;
    v_typed notify.ent_notification;
    v_error text;
    v_inserted bigint[];
    v_ids bigint[] := '{}';
    v_instants int := 0;
    v_decided bigint[] := '{}';
    v_through timestamptz[] := '{}';
    v_skipped jsonb;
begin
    if exists (
        select
        from jsonb_to_recordset(p_firings) as f (
            rule_id bigint, decided_through timestamptz, expected_fired_through timestamptz
        )
        group by f.rule_id
        having f.rule_id is null
            or count(*) > 1
            or bool_or(f.decided_through is null or f.expected_fired_through is null)
    ) then
        raise exception 'a firing has a rule_id of its own, decided_through and expected_fired_through'
            using errcode = 'invalid_parameter_value';
    end if;

    -- Locked first and read afterwards: a statement that waits for a lock still sees the other tables as they were.
    perform
    from notify.ent_notification_rule r
    where r.id in (select f.rule_id from jsonb_to_recordset(p_firings) as f (rule_id bigint))
        and r.enterprise_id::text = p_enterprise_id
    order by r.id
    for no key update;

    for v_firing in
        select r.id, r.notification_workflow_id, r.business_id, r.rule_payload, r.schedule_error,
            coalesce(f.instants, '{}') as instants,
            -- Never backwards, and never past the clock that says what is due.
            greatest(f.expected_fired_through, least(f.decided_through, now())) as decided_through,
            f.error
        from jsonb_to_recordset(p_firings) as f (
            rule_id bigint, instants timestamptz[], decided_through timestamptz, expected_fired_through timestamptz,
            error text
        )
        join notify.ent_notification_rule r on r.id = f.rule_id
        join notify.ent_notification_workflow w on w.id = r.notification_workflow_id
        left join notify.rule_progress p on p.rule_id = r.id
        where r.enterprise_id::text = p_enterprise_id
            and r.publish_status = 'PUBLISH' and not r.deactivated and upper(r.trigger_type) = 'CRON'
            and w.enterprise_id::text = p_enterprise_id
            and w.publish_status = 'PUBLISH' and not w.deactivated
            and greatest(p.fired_through, r.schedule_changed_at) = f.expected_fired_through
        order by r.id
    loop
        v_error := case
            when notify.json_bytes(v_firing.rule_payload) > c_rule_payload_bytes then 'rule_payload is larger than 5 MB'
            when jsonb_typeof(v_firing.rule_payload) is distinct from 'object' then
                'rule_payload must be an object'
            when jsonb_typeof(v_firing.rule_payload -> 'recipients') is distinct from 'array'
                or v_firing.rule_payload -> 'recipients' = '[]'
                or jsonb_path_exists(
                    v_firing.rule_payload,
                    'strict $.recipients[*] ? (@.type() != "string" || @ like_regex "^\\s*$")'
                )
            then 'rule_payload.recipients must be an array of subscriber ids, at least one'
            when jsonb_typeof(v_firing.rule_payload -> 'payload') <> 'object' then
                'rule_payload.payload must be an object'
            when jsonb_typeof(v_firing.rule_payload -> 'overrides') not in ('object', 'null') then
                'rule_payload.overrides must be an object'
        end;

        if v_error is null then
            -- What one rule's row holds, or what an existing project's own checks make of it, must not stop the others.
            begin
                v_typed := jsonb_populate_record(
                    null::notify.ent_notification,
                    jsonb_build_object(
                        'enterprise_id', p_enterprise_id,
                        'recipients', v_firing.rule_payload -> 'recipients',
                        'channels', v_firing.rule_payload -> 'channels',
                        'overrides', nullif(v_firing.rule_payload -> 'overrides', 'null')
                    )
                );
                with inserted as (
                    insert into notify.ent_notification (
                        name, notification_rule_id, notification_workflow_id, recipients, payload, overrides, channels,
                        publish_status, business_id, enterprise_id
                    )
                    select
                        format(
                            'rule %s at %s', v_firing.id,
                            to_char(i.instant at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
                        ),
                        v_firing.id, v_firing.notification_workflow_id, v_typed.recipients,
                        coalesce(v_firing.rule_payload -> 'payload', '{}'), v_typed.overrides,
                        -- Null: the workflow's default channels.
                        v_typed.channels,
                        'PUBLISH', v_firing.business_id, v_typed.enterprise_id
                    from unnest(v_firing.instants) as i (instant)
                    order by i.instant
                    -- The name is the lock: one instant of one rule, one row, whoever fires it and however often.
                    on conflict (name, enterprise_id) do nothing
                    returning id
                )
                select coalesce(array_agg(inserted.id), '{}') into v_inserted from inserted;
                v_ids := v_ids || v_inserted;
                v_instants := v_instants + cardinality(v_firing.instants);
            exception
                when data_exception or program_limit_exceeded then
                    v_error := 'rule_payload.recipients or rule_payload.channels holds what no notification can';
                when integrity_constraint_violation or raise_exception then
                    v_error := left(c_refused || sqlerrm, 300);
            end;
        end if;
        -- Only another attempt can tell whether it still would.
        if v_error is null and v_firing.instants = '{}' and starts_with(v_firing.schedule_error, c_refused) then
            v_error := v_firing.schedule_error;
        end if;

        v_decided := v_decided || v_firing.id;
        v_through := v_through || v_firing.decided_through;
        v_error := coalesce(v_firing.error, v_error);
        if v_error is distinct from v_firing.schedule_error then
            update notify.ent_notification_rule r
            set schedule_error = v_error, updated_at = now()
            where r.id = v_firing.id;
        end if;
    end loop;

    insert into notify.rule_progress as p (rule_id, fired_through)
    select d.rule_id, d.fired_through
    from unnest(v_decided, v_through) as d (rule_id, fired_through)
    on conflict (rule_id) do update set fired_through = excluded.fired_through;

    insert into notify.scheduler_pass (enterprise_id, scheduler, last_pass_at, next_due_at)
    values (p_enterprise_id, 'cron', now(), p_next_due_at)
    on conflict (enterprise_id, scheduler)
    do update set last_pass_at = excluded.last_pass_at, next_due_at = excluded.next_due_at;

    select coalesce(jsonb_agg(f.rule_id order by f.rule_id), '[]')
    into v_skipped
    from jsonb_to_recordset(p_firings) as f (rule_id bigint)
    where f.rule_id <> all (v_decided);

    return jsonb_build_object(
        'fired', cardinality(v_ids),
        'already_fired', v_instants - cardinality(v_ids),
        'skipped_rules', v_skipped,
        'notification_ids', to_jsonb(v_ids [1:c_ids_returned])
    );
end
$$;
