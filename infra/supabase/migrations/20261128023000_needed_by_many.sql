-- What claims of many enterprises need beside their rows, in one statement for all of them: each template, workflow and
-- recipient is bound to the enterprise that it is asked for. The contract is docs/database_functions.md.

-- The active templates that these references, ids or keys, lead to in these enterprises, includes followed; those that fit
-- into so many bytes together. Whoever has none is not told of.
create or replace function notify.templates_reached(p_enterprise_ids text[], p_references text[], p_most_bytes bigint)
returns table (enterprise_id text, templates jsonb, withheld boolean)
language plpgsql
stable
security invoker
set search_path = ''
as $$
#variable_conflict use_column
declare
    -- One more than the renderer takes: it refuses a template of this length as it would refuse the whole.
    c_source_characters constant int := 200001;
    -- Both spellings of an include, `xnovu_render "key"` and `xnovu_render('key'`. Finding one too many (in a comment,
    -- say) is harmless, missing one is not: hence no attempt to parse Liquid. In two steps, because one expression would
    -- take half a second for a template that is nothing but the letter x.
    c_include constant text := 'xnovu_render';
    c_included constant text := $re$^\s*\(?\s*(?:"([^"]+)"|'([^']+)')$re$;
begin
    return query
    with recursive asked as (
        select distinct each.enterprise_id, each.reference
        from unnest(p_enterprise_ids, p_references) as each (enterprise_id, reference)
    ),
    -- By key and by id each for itself, and one by one, whatever the planner expects: with `or`, or a hash, it would read
    -- every template of the table.
    begun (enterprise_id, id) as (
        select asked.enterprise_id, found.id
        from asked
        cross join lateral (
            select t.id
            from notify.ent_notification_template t
            where t.template_key = asked.reference
                and t.enterprise_id::text = asked.enterprise_id and t.publish_status = 'PUBLISH' and not t.deactivated
            offset 0
        ) as found
        union
        select asked.enterprise_id, found.id
        from asked
        cross join lateral (
            select t.id
            from notify.ent_notification_template t
            where t.id = case when asked.reference ~ '^[0-9]{1,18}$' then asked.reference::bigint end
                and t.enterprise_id::text = asked.enterprise_id and t.publish_status = 'PUBLISH' and not t.deactivated
            offset 0
        ) as found
    ),
    reachable (enterprise_id, id) as (
        select begun.enterprise_id, begun.id
        from begun
        -- Not `union all`: a template already reached is not followed again, which is what ends a cycle.
        union
        select named.enterprise_id, included.id
        from (
            select distinct reachable.enterprise_id, coalesce(include.key [1], include.key [2]) as key
            from reachable
            join notify.ent_notification_template t on t.id = reachable.id
            cross join lateral unnest(
                string_to_array(
                    concat_ws(
                        E'\n', left(t.subject_template, c_source_characters), left(t.body_template, c_source_characters)
                    ),
                    c_include
                )
            ) with ordinality as piece (text, number)
            cross join lateral regexp_match(piece.text, c_included) as include (key)
            where piece.number > 1
            -- Once for each template, and not for each that it could include.
            offset 0
        ) as named
        join notify.ent_notification_template included
            on included.template_key = named.key
            and included.enterprise_id::text = named.enterprise_id
            and included.publish_status = 'PUBLISH' and not included.deactivated
    ),
    cut as (
        select reachable.enterprise_id, t.id,
            coalesce(t.template_key, t.id::text) as template_key,
            t.channel_type,
            left(t.subject_template, c_source_characters) as subject_template,
            left(t.body_template, c_source_characters) as body_template
        from reachable
        join notify.ent_notification_template t on t.id = reachable.id
    ),
    weighed as (
        select cut.*,
            sum(
                octet_length(cut.template_key) + octet_length(cut.body_template)
                + coalesce(octet_length(cut.subject_template), 0)
            ) over (order by cut.enterprise_id, cut.id) <= p_most_bytes as fits
        from cut
    )
    select
        w.enterprise_id,
        coalesce(
            jsonb_agg(
                jsonb_build_object(
                    'id', w.id,
                    'template_key', w.template_key,
                    'channel_type', w.channel_type,
                    'subject_template', w.subject_template,
                    'body_template', w.body_template
                )
                order by w.id
            ) filter (where w.fits),
            '[]'
        ),
        bool_or(not w.fits)
    from weighed w
    group by w.enterprise_id;
end
$$;

-- As it was: of one enterprise.
create or replace function notify.reachable_templates(
    p_enterprise_id text, p_references text[], p_most_bytes bigint, out templates jsonb, out withheld boolean
)
language sql
stable
security invoker
set search_path = ''
as $$
    select coalesce(t.templates, '[]'), coalesce(t.withheld, false)
    from (values (p_enterprise_id)) as asked (enterprise_id)
    left join notify.templates_reached(
        array_fill(p_enterprise_id, array[coalesce(cardinality(p_references), 0)]), p_references, p_most_bytes
    ) as t on t.enterprise_id = asked.enterprise_id
$$;

-- What the answers to these claims hold beside their rows, in order: whose each is, its rows, and its workflows' ids.
create or replace function notify.needed_for_each(p_enterprise_ids text[], p_notifications jsonb[], p_workflow_ids jsonb[])
returns jsonb[]
language plpgsql
security invoker
set search_path = ''
as $$
declare
    c_channels constant int := 100;
    c_templates_bytes constant bigint := 8 * 1024 * 1024;
    c_name_characters constant int := 500;
    -- Of one workflow's schema; a larger one is told of, and refused.
    c_schema_bytes constant bigint := 64 * 1024;
    -- So many different recipients come with the answer, at 8 KB each; of more the caller asks by pages.
    c_recipients_along constant int := 500;
    v_needed jsonb[];
    v_with_recipients text[];
    v_place int;
    v_subscriber_ids text[];
begin
    with asked as (
        select each.place, each.enterprise_id, each.workflow_ids
        from unnest(p_enterprise_ids, p_workflow_ids) with ordinality as each (enterprise_id, workflow_ids, place)
    ),
    workflow as materialized (
        select asked.place, asked.enterprise_id, w.id, w.workflow_key, w.workflow_type,
            case
                when cardinality(w.default_channels) > c_channels then jsonb '"too many"'
                else to_jsonb(w.default_channels)
            end as default_channels,
            (
                select coalesce(jsonb_object_agg(slot.name, left(slot.reference, c_name_characters + 1)), '{}')
                from (
                    select wanted.name, w.template_overrides ->> wanted.name as reference
                    from unnest(
                        array['emailTemplateId', 'inAppTemplateId', 'smsTemplateId', 'pushTemplateId', 'chatTemplateId']
                    ) as wanted (name)
                ) as slot
                where slot.reference is not null
            ) as templates,
            case
                when w.payload_schema is null then '{}'
                when pg_column_size(w.payload_schema) > c_schema_bytes
                    or notify.json_bytes(w.payload_schema) > c_schema_bytes
                then jsonb_build_object('payload_schema', 'too large')
                else jsonb_build_object('payload_schema', jsonb_build_object('text', w.payload_schema::text))
            end as payload_schema
        from asked
        cross join lateral jsonb_array_elements_text(asked.workflow_ids) as wanted (id)
        join notify.ent_notification_workflow w on w.id = wanted.id::bigint
        where w.enterprise_id::text = asked.enterprise_id
            and w.publish_status = 'PUBLISH' and not w.deactivated
    ),
    templates as (
        select t.enterprise_id, t.templates, t.withheld
        from notify.templates_reached(
            (select array_agg(w.enterprise_id order by w.id, slot.key) from workflow w, jsonb_each_text(w.templates) as slot),
            (select array_agg(slot.value order by w.id, slot.key) from workflow w, jsonb_each_text(w.templates) as slot),
            c_templates_bytes
        ) as t
    ),
    told as (
        select w.place,
            jsonb_object_agg(
                w.id,
                jsonb_build_object(
                    'workflow_key', left(w.workflow_key, c_name_characters + 1),
                    'workflow_type', w.workflow_type,
                    'default_channels', w.default_channels,
                    'templates', w.templates
                ) || w.payload_schema
            ) as workflows,
            -- Of workflows that `xnovu novu apply` keeps: what it last gave them, in whichever environment.
            jsonb_object_agg(w.id, known.channels) filter (where known.channels is not null) as novu_channels
        from workflow w
        left join lateral (
            select k.channels
            from notify.novu_workflow k
            where w.workflow_type = 'DYNAMIC' and k.workflow_key = left(w.workflow_key, c_name_characters + 1)
            order by k.applied_at desc
            limit 1
        ) as known on true
        group by w.place
    )
    select array_agg(
        jsonb_build_object(
            'workflows', coalesce(told.workflows, '{}'),
            'templates', coalesce(templates.templates, '[]'),
            'templates_withheld', coalesce(templates.withheld, false),
            'novu_channels', coalesce(told.novu_channels, '{}'),
            'recipients', jsonb '{"known": {}}'
        )
        order by asked.place
    )
    into v_needed
    from asked
    left join told on told.place = asked.place
    left join templates on templates.enterprise_id = asked.enterprise_id;

    -- A project that keeps no addresses pays for one look.
    begin
        select array_agg(each.enterprise_id)
        into v_with_recipients
        from (select distinct asked.enterprise_id from unnest(p_enterprise_ids) as asked (enterprise_id)) as each
        where exists (select from notify.recipient r where r.enterprise_id::text = each.enterprise_id);
    exception
        -- Of one of them, or of all: recipients_of says whose.
        when syntax_error_or_access_rule_violation or data_exception or cardinality_violation
            or external_routine_exception or feature_not_supported or raise_exception
        then
            v_with_recipients := p_enterprise_ids;
    end;
    for v_place in 1..cardinality(p_enterprise_ids) loop
        continue when p_enterprise_ids [v_place] = any (v_with_recipients) is not true;
        select array_agg(wanted.id)
        into v_subscriber_ids
        from (
            select distinct subscriber.id
            from jsonb_array_elements(p_notifications [v_place]) as n
            cross join lateral jsonb_array_elements_text(n.value -> 'recipients') as subscriber (id)
            limit c_recipients_along + 1
        ) as wanted;
        -- Null: ask recipients_of.
        v_needed [v_place] := v_needed [v_place] || jsonb_build_object(
            'recipients',
            case
                when cardinality(v_subscriber_ids) <= c_recipients_along
                then notify.recipients_of(p_enterprise_ids [v_place], v_subscriber_ids)
            end
        );
    end loop;
    return v_needed;
end
$$;

-- As it was: of one claim.
create or replace function notify.needed_for(p_enterprise_id text, p_notifications jsonb, p_workflow_ids bigint[])
returns jsonb
language sql
security invoker
set search_path = ''
as $$
    select (notify.needed_for_each(array[p_enterprise_id], array[p_notifications], array[to_jsonb(p_workflow_ids)])) [1]
$$;

-- As it was, but what the claims need is asked for together.
create or replace function notify.claim_as_one(p_claims jsonb[], p_followed boolean)
returns jsonb[]
language plpgsql
security invoker
set search_path = ''
as $$
declare
    -- Beyond the rows, which take_rows_of bounds; more is claimed one by one.
    c_bytes constant bigint := 8 * 1024 * 1024;
    v_ids bigint[];
    v_enterprise_ids text[];
    v_taken record;
    v_claims record;
    v_needed jsonb[];
    v_place int;
    v_tries jsonb;
    v_answer jsonb;
    v_answers jsonb[] := '{}';
    v_bytes bigint := 0;
begin
    select array_agg(id.value::bigint order by id.value::bigint),
        array_agg(claim.value ->> 'p_enterprise_id' order by id.value::bigint)
    into v_ids, v_enterprise_ids
    from unnest(p_claims) as claim (value)
    cross join lateral jsonb_array_elements_text(claim.value -> 'p_notification_ids') as id;
    perform from notify.refused_update r where r.notification_id = any (v_ids) limit 1;
    if found then
        return null;
    end if;

    set constraints all immediate;
    select t.*
    into v_taken
    from notify.take_rows_of(
        v_enterprise_ids, v_ids, p_claims [1] ->> 'p_claim_owner', (p_claims [1] ->> 'p_lease_seconds')::int,
        (p_claims [1] ->> 'p_keyed')::boolean, false, 0
    ) as t;
    if v_taken.unchanged <> '{}' then
        raise exception 'rows stay as they are' using errcode = 'triggered_data_change_violation';
    end if;
    v_tries := case when p_followed then notify.tries_of(v_taken.notifications) end;

    select array_agg(each.enterprise_id order by each.place) as enterprise_ids,
        array_agg(each.notifications order by each.place) as notifications,
        array_agg(each.workflow_ids order by each.place) as workflow_ids,
        array_agg(each.deferred order by each.place) as deferred,
        array_agg(each.ids order by each.place) as ids
    into v_claims
    from (
        select claim.place, claim.value ->> 'p_enterprise_id' as enterprise_id,
            coalesce(jsonb_agg(taken.value order by taken.id) filter (where taken.id is not null), '[]') as notifications,
            coalesce(
                jsonb_agg(distinct taken.value -> 'notification_workflow_id')
                    filter (where taken.id is not null and not taken.value ? 'unreadable'),
                '[]'
            ) as workflow_ids,
            coalesce(jsonb_agg(asked.id order by asked.id) filter (where asked.id = any (v_taken.deferred)), '[]') as deferred,
            jsonb_agg(asked.id::text) as ids
        from unnest(p_claims) with ordinality as claim (value, place)
        cross join lateral (
            select id.value::bigint as id from jsonb_array_elements_text(claim.value -> 'p_notification_ids') as id
        ) as asked
        left join (
            select (n.value ->> 'id')::bigint as id, n.value from jsonb_array_elements(v_taken.notifications) as n
        ) as taken on taken.id = asked.id
        group by claim.place, claim.value
    ) as each;
    v_needed := notify.needed_for_each(v_claims.enterprise_ids, v_claims.notifications, v_claims.workflow_ids);

    for v_place in 1..cardinality(p_claims) loop
        if (v_needed [v_place] ->> 'templates_withheld')::boolean then
            raise exception 'too much for one answer' using errcode = 'program_limit_exceeded';
        end if;
        v_answer := jsonb_build_object(
            'notifications', v_claims.notifications [v_place], 'deferred', v_claims.deferred [v_place]
        ) || v_needed [v_place];
        if p_followed then
            v_answer := v_answer || jsonb_build_object(
                'second_tries',
                case
                    when v_tries = '{}' then '{}'
                    else (
                        select coalesce(jsonb_object_agg(t.key, t.value), '{}')
                        from jsonb_each(v_tries) as t
                        where v_claims.ids [v_place] ? t.key
                    )
                end
            );
        end if;
        v_bytes := v_bytes + pg_column_size(v_answer);
        if v_bytes > c_bytes then
            raise exception 'too much for one answer' using errcode = 'program_limit_exceeded';
        end if;
        v_answers := array_append(v_answers, v_answer);
    end loop;
    return v_answers;
end
$$;

do $$
declare
    function regprocedure;
begin
    for function in
        select p.oid from pg_catalog.pg_proc p
        where p.pronamespace = 'notify'::regnamespace and p.proname in ('templates_reached', 'needed_for_each')
    loop
        execute format('revoke all on function %s from public, anon, authenticated', function);
        execute format('grant execute on function %s to service_role', function);
    end loop;
end
$$;
