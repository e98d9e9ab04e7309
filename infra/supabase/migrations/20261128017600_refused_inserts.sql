-- Rows that a constraint or a trigger of the project's own refuses to have inserted, by whatever error: a rule's, a caller's.
-- What is kept of the refusal is its SQLSTATE. The contract is docs/database_functions.md.

create or replace function notify.insert_is_refused(p_sqlstate text)
returns boolean
language plpgsql
security invoker
set search_path = ''
as $$
begin
    if notify.fault_passes(p_sqlstate) then
        return false;
    end if;
    -- Where not even no row can be inserted, it is nobody's row that is to blame.
    insert into notify.ent_notification (
        name, notification_rule_id, notification_workflow_id, recipients, payload, overrides, channels, scheduled_for,
        publish_status, business_id, enterprise_id
    )
    select n.name, n.notification_rule_id, n.notification_workflow_id, n.recipients, n.payload, n.overrides, n.channels,
        n.scheduled_for, n.publish_status, n.business_id, n.enterprise_id
    from notify.ent_notification n
    where false;
    return true;
exception
    when others or assert_failure then
        return false;
end
$$;
comment on function notify.insert_is_refused(text) is
    'Whether an INSERT of notifications that failed so is refused to its rows; else it is worth trying again.';

create or replace function notify.rule_update_is_refused(p_sqlstate text)
returns boolean
language plpgsql
security invoker
set search_path = ''
as $$
begin
    if notify.fault_passes(p_sqlstate) then
        return false;
    end if;
    update notify.ent_notification_rule r
    set schedule_error = r.schedule_error, updated_at = r.updated_at
    where false;
    return true;
exception
    when others or assert_failure then
        return false;
end
$$;
comment on function notify.rule_update_is_refused(text) is
    'Whether an UPDATE of a rule that failed so is refused to this rule; else it is worth trying again.';

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
    -- And its SQLSTATE: the text of the project's own trigger may quote anybody.
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
    v_unwritable bigint[] := '{}';
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

    set constraints all immediate;
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
            exception
                when data_exception or program_limit_exceeded then
                    v_error := 'rule_payload.recipients or rule_payload.channels holds what no notification can';
            end;
        end if;
        if v_error is null then
            begin
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
                when others or assert_failure then
                    if not notify.insert_is_refused(sqlstate) then
                        raise;
                    end if;
                    v_error := c_refused || 'SQLSTATE ' || sqlstate;
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
            begin
                update notify.ent_notification_rule r
                set schedule_error = v_error, updated_at = now()
                where r.id = v_firing.id;
            exception
                when others or assert_failure then
                    if not notify.rule_update_is_refused(sqlstate) then
                        raise;
                    end if;
                    v_unwritable := v_unwritable || v_firing.id;
            end;
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
    )
        || case
            when v_unwritable = '{}' then '{}' else jsonb_build_object('unwritable_rules', to_jsonb(v_unwritable))
        end;
end
$$;

create or replace function notify.create_notification(
    p_enterprise_id text,
    p_workflow_key text,
    p_recipients jsonb,
    p_payload jsonb,
    p_overrides jsonb default null,
    p_scheduled_for timestamptz default null,
    p_idempotency_key text default null,
    p_request_hash text default null,
    p_dry_run boolean default false
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_workflow notify.ent_notification_workflow;
    v_typed notify.ent_notification;
    v_request jsonb;
    v_notification_id bigint;
begin
    -- A repeat is answered as the first was, whatever has become of the workflow since.
    v_request := notify.find_trigger_request(p_enterprise_id, p_idempotency_key, p_request_hash);

    if v_request is null then
        select w.* into v_workflow
        from notify.ent_notification_workflow w
        where w.workflow_key = p_workflow_key
            and w.enterprise_id::text = p_enterprise_id
            and w.publish_status = 'PUBLISH' and not w.deactivated;
        if not found then
            return jsonb_build_object('refused', 'workflow_not_found');
        end if;

        begin
            v_typed := jsonb_populate_record(
                null::notify.ent_notification,
                jsonb_build_object('enterprise_id', p_enterprise_id, 'recipients', p_recipients)
            );
        exception
            when data_exception then
                return jsonb_build_object('refused', 'invalid_recipients');
        end;
        -- The key and the row come together or not at all: what this block has done is undone when it fails.
        set constraints all immediate;
        begin
            if p_idempotency_key is not null and not p_dry_run then
                v_request := notify.note_trigger_request(p_enterprise_id, p_idempotency_key, p_request_hash, null);
            end if;
            if not p_dry_run and (v_request is null or not (v_request ->> 'repeated')::boolean) then
                insert into notify.ent_notification (
                    name, notification_workflow_id, recipients, payload, overrides, channels, scheduled_for,
                    publish_status, business_id, enterprise_id
                )
                values (
                    format('trigger %s', gen_random_uuid()), v_workflow.id, v_typed.recipients, p_payload,
                    nullif(p_overrides, 'null'),
                    -- The last as the column's default.
                    coalesce(nullif(v_workflow.default_channels, '{}'), '{IN_APP}'),
                    p_scheduled_for, 'PUBLISH', v_workflow.business_id, v_typed.enterprise_id
                )
                returning id into v_notification_id;
                update notify.trigger_request r
                set notification_id = v_notification_id
                where r.enterprise_id = p_enterprise_id and r.idempotency_key = p_idempotency_key;
            end if;
        exception
            when others or assert_failure then
                if not notify.insert_is_refused(sqlstate) then
                    raise;
                end if;
                return jsonb_build_object('refused', 'refused_by_database');
        end;
    end if;

    if (v_request ->> 'conflict')::boolean then
        return jsonb_build_object('refused', 'idempotency_conflict');
    end if;
    return jsonb_build_object(
        'notification_id', coalesce(v_notification_id, (v_request ->> 'notification_id')::bigint),
        'repeated', coalesce((v_request ->> 'repeated')::boolean, false),
        'due', p_scheduled_for is null or p_scheduled_for <= now()
    );
end
$$;

-- What triggers said until now.
do $$
declare
    v_rule_id bigint;
begin
    for v_rule_id in
        select r.id
        from notify.ent_notification_rule r
        where r.schedule_error ~ '^the database refused the notification: '
            and r.schedule_error !~ '^the database refused the notification: (SQLSTATE [0-9A-Z]{5}|its words were not kept)$'
    loop
        begin
            update notify.ent_notification_rule r
            set schedule_error = 'the database refused the notification: its words were not kept'
            where r.id = v_rule_id;
        exception
            when others or assert_failure then
                -- A rule that takes no update keeps what it holds.
                null;
        end;
    end loop;
end
$$;

do $$
declare
    function regprocedure;
begin
    for function in
        select p.oid from pg_catalog.pg_proc p
        where p.pronamespace = 'notify'::regnamespace
            and p.proname in ('insert_is_refused', 'rule_update_is_refused')
    loop
        execute format('revoke all on function %s from public, anon, authenticated', function);
        execute format('grant execute on function %s to service_role', function);
    end loop;
end
$$;
