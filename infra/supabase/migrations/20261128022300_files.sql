-- Workflows, templates and rules as files: what `xnovu export`, `apply` and the lists read, and what `apply` writes, an
-- enterprise in one piece. The contract is docs/database_functions.md.

create or replace function notify.file_rows(
    p_enterprise_ids text[], p_kind text, p_whole boolean, p_after_id bigint, p_limit int
)
returns jsonb
language plpgsql
stable
security invoker
set search_path = ''
as $$
declare
    v_rows jsonb;
begin
    case p_kind
        when 'template' then
            select jsonb_agg(
                jsonb_build_object(
                    'id', t.id, 'enterprise_id', t.enterprise_id, 'name', t.name, 'description', t.description,
                    'template_key', t.template_key, 'channel_type', t.channel_type,
                    'subject_template', case when p_whole then t.subject_template end,
                    'body_template', case when p_whole then t.body_template end,
                    'variables_description', case when p_whole then t.variables_description::text end,
                    'category', c.code, 'publish_status', t.publish_status, 'deactivated', t.deactivated
                )
                order by t.id
            ) into v_rows
            from (
                select it.*
                from notify.ent_notification_template it
                where it.id > p_after_id and it.enterprise_id is not null
                    and (p_enterprise_ids is null or it.enterprise_id::text = any (p_enterprise_ids))
                order by it.id
                limit p_limit
            ) as t
            left join notify.typ_notification_category c on c.id = t.typ_notification_category_id;
        when 'workflow' then
            select jsonb_agg(
                jsonb_build_object(
                    'id', w.id, 'enterprise_id', w.enterprise_id, 'name', w.name, 'description', w.description,
                    'workflow_key', w.workflow_key, 'workflow_type', w.workflow_type,
                    'default_channels', w.default_channels,
                    'payload_schema', case when p_whole then w.payload_schema::text end,
                    'control_schema', case when p_whole then w.control_schema::text end,
                    'template_overrides', case when p_whole then w.template_overrides::text end,
                    'category', c.code, 'publish_status', w.publish_status, 'deactivated', w.deactivated
                )
                order by w.id
            ) into v_rows
            from (
                select it.*
                from notify.ent_notification_workflow it
                where it.id > p_after_id and it.enterprise_id is not null
                    and (p_enterprise_ids is null or it.enterprise_id::text = any (p_enterprise_ids))
                order by it.id
                limit p_limit
            ) as w
            left join notify.typ_notification_category c on c.id = w.typ_notification_category_id;
        when 'rule' then
            select jsonb_agg(
                jsonb_build_object(
                    'id', r.id, 'enterprise_id', r.enterprise_id, 'name', r.name, 'description', r.description,
                    'workflow', w.workflow_key, 'trigger_type', r.trigger_type,
                    'trigger_config', left(r.trigger_config::text, 100000),
                    'rule_payload', case when p_whole then r.rule_payload::text end,
                    'schedule_error', r.schedule_error,
                    'publish_status', r.publish_status, 'deactivated', r.deactivated
                )
                order by r.id
            ) into v_rows
            from (
                select it.*
                from notify.ent_notification_rule it
                where it.id > p_after_id and it.enterprise_id is not null
                    and (p_enterprise_ids is null or it.enterprise_id::text = any (p_enterprise_ids))
                order by it.id
                limit p_limit
            ) as r
            -- Of another enterprise it counts as absent.
            left join notify.ent_notification_workflow w
                on w.id = r.notification_workflow_id and w.enterprise_id = r.enterprise_id;
        else
            raise exception 'p_kind is template, workflow or rule' using errcode = 'invalid_parameter_value';
    end case;
    return coalesce(v_rows, '[]');
end
$$;

-- Equal as long as nobody has written what files hold. What the scheduler writes on rules is none of it.
create or replace function notify.files_seen(p_enterprise_id text)
returns text
language sql
stable
security invoker
set search_path = ''
as $$
    select md5(
        concat_ws(
            '/',
            (
                select md5(string_agg(to_jsonb(t)::text, ',' order by t.id))
                from notify.ent_notification_template t
                where t.enterprise_id::text = p_enterprise_id
            ),
            '/',
            (
                select md5(string_agg(to_jsonb(w)::text, ',' order by w.id))
                from notify.ent_notification_workflow w
                where w.enterprise_id::text = p_enterprise_id
            ),
            '/',
            (
                select md5(
                    string_agg((to_jsonb(r) - 'schedule_error' - 'updated_at')::text, ',' order by r.id)
                )
                from notify.ent_notification_rule r
                where r.enterprise_id::text = p_enterprise_id
            )
        )
    )
$$;

-- What files of this enterprise may refer to beside themselves, and keys that others hold where a key is unique.
create or replace function notify.file_surroundings(
    p_enterprise_id text, p_workflow_keys text[], p_template_keys text[]
)
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
    with single as (
        select a.attname::text as name
        from pg_catalog.pg_index i
        join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
        where i.indrelid in (
            'notify.ent_notification_workflow'::regclass, 'notify.ent_notification_template'::regclass
        )
            and i.indisunique and i.indnkeyatts = 1 and i.indpred is null
    )
    select jsonb_build_object(
        'categories', (
            select coalesce(jsonb_agg(c.code order by c.code), '[]')
            from notify.typ_notification_category c
            where c.code is not null
                and (c.enterprise_id is null or c.enterprise_id::text = p_enterprise_id)
        ),
        'taken_workflow_keys', (
            select coalesce(jsonb_agg(w.workflow_key order by w.workflow_key), '[]')
            from notify.ent_notification_workflow w
            where w.workflow_key = any (p_workflow_keys) and w.enterprise_id::text is distinct from p_enterprise_id
                and exists (select from single where single.name = 'workflow_key')
        ),
        'taken_template_keys', (
            select coalesce(jsonb_agg(t.template_key order by t.template_key), '[]')
            from notify.ent_notification_template t
            where t.template_key = any (p_template_keys) and t.enterprise_id::text is distinct from p_enterprise_id
                and exists (select from single where single.name = 'template_key')
        )
    )
$$;

-- One change: the row's columns as given, the others as they are.
create or replace function notify.apply_file(p_enterprise_id text, p_kind text, p_id bigint, p_columns jsonb)
returns bigint
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_columns jsonb := p_columns;
    v_id bigint;
begin
    if v_columns ? 'category' then
        v_columns := v_columns || jsonb_build_object(
            'typ_notification_category_id',
            (select c.id from notify.typ_notification_category c where c.code = p_columns ->> 'category')
        );
    end if;
    if v_columns ? 'workflow' then
        v_columns := v_columns || jsonb_build_object(
            'notification_workflow_id',
            (
                select w.id
                from notify.ent_notification_workflow w
                where w.enterprise_id::text = p_enterprise_id and w.workflow_key = p_columns ->> 'workflow'
            )
        );
    end if;
    if p_id is null then
        v_columns := v_columns || jsonb_build_object('enterprise_id', p_enterprise_id);
    end if;
    case p_kind
        when 'template' then
            if p_id is null then
                insert into notify.ent_notification_template (
                    enterprise_id, name, description, template_key, channel_type, subject_template, body_template,
                    variables_description, typ_notification_category_id, publish_status, deactivated
                )
                select n.enterprise_id, n.name, n.description, n.template_key, n.channel_type, n.subject_template,
                    n.body_template, n.variables_description, n.typ_notification_category_id, n.publish_status,
                    n.deactivated
                from jsonb_populate_record(null::notify.ent_notification_template, v_columns) as n
                returning id into v_id;
            else
                update notify.ent_notification_template as t
                set (
                    name, description, template_key, channel_type, subject_template, body_template,
                    variables_description, typ_notification_category_id, publish_status, deactivated, updated_at
                ) = (
                    select n.name, n.description, n.template_key, n.channel_type, n.subject_template, n.body_template,
                        n.variables_description, n.typ_notification_category_id, n.publish_status, n.deactivated,
                        now()
                    from jsonb_populate_record(t, v_columns) as n
                )
                where t.id = p_id and t.enterprise_id::text = p_enterprise_id
                returning t.id into v_id;
            end if;
        when 'workflow' then
            if p_id is null then
                insert into notify.ent_notification_workflow (
                    enterprise_id, name, description, workflow_key, workflow_type, default_channels, payload_schema,
                    control_schema, template_overrides, typ_notification_category_id, publish_status, deactivated
                )
                select n.enterprise_id, n.name, n.description, n.workflow_key, n.workflow_type, n.default_channels,
                    n.payload_schema, n.control_schema, n.template_overrides, n.typ_notification_category_id,
                    n.publish_status, n.deactivated
                from jsonb_populate_record(null::notify.ent_notification_workflow, v_columns) as n
                returning id into v_id;
            else
                update notify.ent_notification_workflow as w
                set (
                    name, description, workflow_key, workflow_type, default_channels, payload_schema, control_schema,
                    template_overrides, typ_notification_category_id, publish_status, deactivated, updated_at
                ) = (
                    select n.name, n.description, n.workflow_key, n.workflow_type, n.default_channels,
                        n.payload_schema, n.control_schema, n.template_overrides, n.typ_notification_category_id,
                        n.publish_status, n.deactivated, now()
                    from jsonb_populate_record(w, v_columns) as n
                )
                where w.id = p_id and w.enterprise_id::text = p_enterprise_id
                returning w.id into v_id;
            end if;
        when 'rule' then
            if p_id is null then
                insert into notify.ent_notification_rule (
                    enterprise_id, name, description, notification_workflow_id, trigger_type, trigger_config,
                    rule_payload, publish_status, deactivated
                )
                select n.enterprise_id, n.name, n.description, n.notification_workflow_id, n.trigger_type,
                    n.trigger_config, n.rule_payload, n.publish_status, n.deactivated
                from jsonb_populate_record(null::notify.ent_notification_rule, v_columns) as n
                returning id into v_id;
            else
                update notify.ent_notification_rule as r
                set (
                    name, description, notification_workflow_id, trigger_type, trigger_config, rule_payload,
                    publish_status, deactivated, updated_at
                ) = (
                    select n.name, n.description, n.notification_workflow_id, n.trigger_type, n.trigger_config,
                        n.rule_payload, n.publish_status, n.deactivated, now()
                    from jsonb_populate_record(r, v_columns) as n
                )
                where r.id = p_id and r.enterprise_id::text = p_enterprise_id
                returning r.id into v_id;
            end if;
        else
            raise exception 'kind is template, workflow or rule' using errcode = 'invalid_parameter_value';
    end case;
    if v_id is null then
        raise exception 'the row was not written' using errcode = 'no_data_found';
    end if;
    return v_id;
end
$$;

-- All changes of an enterprise, or none.
create or replace function notify.apply_files(p_enterprise_id text, p_seen text, p_changes jsonb)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_change jsonb;
    v_position bigint := 0;
    v_ids jsonb := '[]';
    v_constraint text;
begin
    -- Of two at once the second waits, and then sees what the first has written.
    perform pg_advisory_xact_lock(hashtextextended('xnovu apply ' || p_enterprise_id, 0));
    perform from notify.ent_notification_template t where t.enterprise_id::text = p_enterprise_id
        order by t.id for update;
    perform from notify.ent_notification_workflow w where w.enterprise_id::text = p_enterprise_id
        order by w.id for update;
    perform from notify.ent_notification_rule r where r.enterprise_id::text = p_enterprise_id
        order by r.id for update;
    if notify.files_seen(p_enterprise_id) is distinct from p_seen then
        return jsonb_build_object('changed_meanwhile', true);
    end if;
    begin
        set constraints all immediate;
        for v_change, v_position in
            select it.value, it.ordinality from jsonb_array_elements(p_changes) with ordinality as it
            order by it.ordinality
        loop
            v_ids := v_ids || to_jsonb(
                notify.apply_file(
                    p_enterprise_id, v_change ->> 'kind', (v_change ->> 'id')::bigint, v_change -> 'columns'
                )
            );
        end loop;
    exception
        when others or assert_failure then
            -- What passes is to be repeated, and is nobody's row.
            if left(sqlstate, 2) in ('08', '25', '40', '53', '57', '58') or sqlstate = '55P03' then
                raise;
            end if;
            get stacked diagnostics v_constraint = constraint_name;
            return jsonb_build_object(
                'refused',
                jsonb_build_object('position', v_position, 'sqlstate', sqlstate, 'constraint', v_constraint)
            );
    end;
    return jsonb_build_object('ids', v_ids);
end
$$;

do $$
declare
    function regprocedure;
begin
    for function in
        select p.oid from pg_catalog.pg_proc p
        where p.pronamespace = 'notify'::regnamespace
            and p.proname in ('file_rows', 'files_seen', 'file_surroundings', 'apply_file', 'apply_files')
    loop
        execute format('revoke all on function %s from public, anon, authenticated', function);
        execute format('grant execute on function %s to service_role', function);
    end loop;
end
$$;
