-- A person is taken out of rows, rules and addresses. The contract is docs/database_functions.md; the reasons, decision 96.

-- The text without these words. A short one would be found in everything.
create or replace function notify.erased_text(p_text text, p_terms text[])
returns text
language plpgsql
immutable
set search_path = ''
as $$
declare
    c_shortest constant int := 6;
    v_text text := p_text;
    v_term text;
begin
    if p_text = any (p_terms) then
        return '[erased]';
    end if;
    foreach v_term in array p_terms loop
        if length(v_term) >= c_shortest and strpos(lower(v_text), lower(v_term)) > 0 then
            v_text := regexp_replace(
                v_text,
                '(?<![[:alnum:]])' || regexp_replace(v_term, '([^[:alnum:]])', '\\\1', 'g') || '(?![[:alnum:]])',
                '[erased]', 'gi'
            );
        end if;
    end loop;
    return v_text;
end
$$;

-- The same of every text and name in it.
create or replace function notify.erased_json(p_value jsonb, p_terms text[])
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
    case jsonb_typeof(p_value)
        when 'object' then
            return (
                select coalesce(
                    jsonb_object_agg(notify.erased_text(o.key, p_terms), notify.erased_json(o.value, p_terms)), '{}'
                )
                from jsonb_each(p_value) as o
            );
        when 'array' then
            return (
                select coalesce(jsonb_agg(notify.erased_json(a.value, p_terms) order by a.place), '[]')
                from jsonb_array_elements(p_value) with ordinality as a (value, place)
            );
        when 'string' then
            return to_jsonb(notify.erased_text(p_value #>> '{}', p_terms));
        when 'number' then
            -- A telephone number or an id that was written without quotes.
            if length(p_value #>> '{}') >= 6 and p_value #>> '{}' = any (p_terms) then
                return '"[erased]"';
            end if;
            return p_value;
        else
            return p_value;
    end case;
end
$$;

-- Whether a text, or JSON as text, may hold one of these: what is to be looked at closely.
create or replace function notify.may_name(p_text text, p_terms text[])
returns boolean
language sql
immutable
set search_path = ''
as $$
    select exists (
        select from unnest(p_terms) as t (term)
        where strpos(lower(p_text), lower(substr(to_json(t.term)::text, 2, length(to_json(t.term)::text) - 2))) > 0
    )
$$;

-- One row, which the caller has locked unless this is a dry run. Who is taken out leaves a stand-in at the same place: to
-- whom a row has gone is counted by places.
create or replace function notify.erase_from_notification(
    p_row notify.ent_notification, p_subscriber_id text, p_terms text[], p_dry_run boolean
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    c_stand_in constant text := '00000000-0000-0000-0000-';
    v_recipients text[] := p_row.recipients::text[];
    v_is_recipient boolean := coalesce(p_subscriber_id = any (p_row.recipients::text[]), false);
    v_stand_in text;
    v_alone boolean;
    -- Such a payload is never sent, and too deep to be gone through.
    v_too_deep boolean := jsonb_path_exists(p_row.payload, '$.**{201}');
    v_new record;
    v_in_content boolean;
    v_facts int;
    v_requests int;
    v_in_flight boolean := p_row.notification_status in ('PROCESSING', 'RETRACTED') and p_row.claim_owner is not null
        and p_row.cancellation is null and p_row.lease_expires_at > now()
        and p_row.lease_expires_at <= now() + interval '2 days';
    v_to_retract boolean;
begin
    if v_is_recipient then
        v_stand_in := c_stand_in || lpad((array_position(v_recipients, p_subscriber_id))::text, 12, '0');
        v_recipients := array_replace(v_recipients, p_subscriber_id, v_stand_in);
    end if;
    v_alone := v_is_recipient and not exists (
        select from unnest(v_recipients) as r (id) where not starts_with(r.id, c_stand_in)
    );
    v_to_retract := v_alone and p_row.notification_status in ('PENDING', 'PROCESSING');

    select
        (jsonb_populate_record(p_row, jsonb_build_object('recipients', v_recipients))).recipients as recipients,
        case
            when v_alone then '{}'
            when v_too_deep and notify.may_name(p_row.payload::text, p_terms) then '{}'
            when notify.may_name(p_row.payload::text, p_terms) then notify.erased_json(p_row.payload, p_terms)
            else p_row.payload
        end as payload,
        case
            when v_alone then null
            when jsonb_path_exists(p_row.overrides, '$.**{201}') and notify.may_name(p_row.overrides::text, p_terms)
            then null
            when notify.may_name(p_row.overrides::text, p_terms) then notify.erased_json(p_row.overrides, p_terms)
            else p_row.overrides
        end as overrides,
        notify.erased_json(p_row.error_details, p_terms) as error_details,
        case
            -- By a rule's name its instant is known, and fires once.
            when p_row.notification_rule_id is not null then p_row.name
            when v_alone then 'erased ' || p_row.id
            when notify.erased_text(p_row.name, p_terms) <> p_row.name then 'erased ' || p_row.id
            else p_row.name
        end as name,
        case when not v_alone then notify.erased_text(p_row.description, p_terms) end as description,
        notify.erased_text(p_row.retraction_reason, p_terms) as retraction_reason,
        case
            when not v_alone
            then (
                select array_agg(notify.erased_text(t.tag, p_terms) order by t.place)
                from unnest(p_row.tags) with ordinality as t (tag, place)
            )
        end as tags
    into v_new;
    v_in_content := (
        v_new.payload, v_new.overrides, v_new.error_details, v_new.name, v_new.description, v_new.retraction_reason,
        v_new.tags
    ) is distinct from (
        p_row.payload, p_row.overrides, p_row.error_details, p_row.name, p_row.description, p_row.retraction_reason,
        nullif(p_row.tags, '{}')
    );

    select count(*) into v_facts
    from notify.delivery_fact f
    where f.notification_id = p_row.id and f.person = notify.delivery_person(p_row.id, p_subscriber_id);
    select count(*) into v_requests
    from notify.trigger_request r
    where r.notification_id = p_row.id
        and (
            v_is_recipient and r.request_hash <> 'erased'
            or notify.erased_text(r.idempotency_key, p_terms) <> r.idempotency_key
        );

    if not p_dry_run then
        if v_in_flight and (v_is_recipient or v_in_content) then
            -- A worker has it in its memory: what is for this person alone is taken back, the rest waits until it is done.
            if v_to_retract then
                perform notify.retract_rows(p_row.enterprise_id::text, array[p_row.id], 'erased');
            end if;
        else
            if v_is_recipient or v_in_content then
                update notify.ent_notification n
                set recipients = v_new.recipients, payload = v_new.payload, overrides = v_new.overrides,
                    error_details = v_new.error_details, name = v_new.name, description = v_new.description,
                    tags = v_new.tags,
                    notification_status = case
                        when v_to_retract then 'RETRACTED' else n.notification_status
                    end,
                    retracted_at = case when v_to_retract then now() else n.retracted_at end,
                    retraction_reason = case when v_to_retract then 'erased' else v_new.retraction_reason end,
                    -- What is repeated is another body from now on, for which Novu would refuse the same key.
                    idempotency_round = least(n.idempotency_round, 2147483646)
                        + case when n.awaits_answer or n.in_doubt_since is not null then 1 else 0 end
                where n.id = p_row.id;
            end if;
            if v_facts > 0 then
                if v_is_recipient then
                    update notify.delivery_fact f
                    set person = notify.delivery_person(p_row.id, v_stand_in),
                        -- Not to be tried a second time.
                        outcome = case when f.outcome = 2 then 1 else f.outcome end,
                        cause = case when f.outcome = 2 then 'cancelled' else f.cause end
                    where f.notification_id = p_row.id
                        and f.person = notify.delivery_person(p_row.id, p_subscriber_id)
                        and not exists (
                            select from notify.delivery_fact other
                            where other.notification_id = f.notification_id and other.channel = f.channel
                                and other.person = notify.delivery_person(p_row.id, v_stand_in)
                        );
                end if;
                delete from notify.delivery_fact f
                where f.notification_id = p_row.id and f.person = notify.delivery_person(p_row.id, p_subscriber_id);
            end if;
            if v_requests > 0 then
                -- Whoever repeats the request is told that it was another one, and nothing is made anew.
                update notify.trigger_request r
                set request_hash = 'erased',
                    idempotency_key = case
                        when notify.erased_text(r.idempotency_key, p_terms) = r.idempotency_key then r.idempotency_key
                        else 'erased ' || gen_random_uuid()
                    end
                where r.notification_id = p_row.id;
            end if;
        end if;
    end if;

    return jsonb_build_object(
        'recipient', v_is_recipient, 'content', v_in_content, 'facts', v_facts, 'requests', v_requests,
        'in_flight', v_in_flight and (v_is_recipient or v_in_content), 'to_retract', v_to_retract,
        -- Novu may have it on its queue still.
        'sent_as', case
            when v_is_recipient and p_row.processed_at > now() - interval '15 minutes'
                and (p_row.transaction_id is not null or p_row.in_doubt_since is not null or p_row.awaits_answer)
            then coalesce(notify.base_of(p_row), p_row.transaction_id)
        end
    );
end
$$;

-- A portion of the table: the next p_limit rows, whosever they are. Safe to repeat.
create or replace function notify.erase_from_notifications(
    p_enterprise_id text, p_subscriber_id text, p_terms text[], p_after_id bigint, p_limit int,
    p_dry_run boolean default true
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_through bigint;
    v_examined int;
    v_ids bigint[];
    v_id bigint;
    v_row notify.ent_notification;
    v_found jsonb;
    v_all jsonb := '[]';
    v_busy jsonb := '[]';
    v_refused jsonb := '{}';
    v_terms text[] := p_terms || p_subscriber_id;
begin
    if p_enterprise_id is null or coalesce(trim(p_subscriber_id), '') = '' or p_terms is null
        or p_limit is null or p_limit not between 1 and 10000
    then
        raise exception 'an erasure needs an enterprise, a subscriber, terms, and a limit of 1 to 10000'
            using errcode = 'invalid_parameter_value';
    end if;

    select max(page.id), count(*) into v_through, v_examined
    from (
        select n.id from notify.ent_notification n where n.id > p_after_id order by n.id limit p_limit
    ) as page;

    select coalesce(array_agg(n.id order by n.id), '{}') into v_ids
    from notify.ent_notification n
    where n.id > p_after_id and n.id <= v_through and n.enterprise_id::text = p_enterprise_id
        and (
            p_subscriber_id = any (n.recipients::text[])
            or notify.may_name(
                concat_ws(
                    ' ', n.payload::text, n.overrides::text, n.error_details::text, to_json(n.name)::text,
                    to_json(n.description)::text, to_json(n.retraction_reason)::text, to_json(n.tags)::text
                ),
                v_terms
            )
            or exists (
                select from notify.delivery_fact f
                where f.notification_id = n.id and f.person = notify.delivery_person(n.id, p_subscriber_id)
            )
            or exists (
                select from notify.trigger_request r
                where r.notification_id = n.id and notify.may_name(to_json(r.idempotency_key)::text, v_terms)
            )
        );

    set constraints all immediate;
    foreach v_id in array v_ids loop
        if p_dry_run then
            select n.* into v_row from notify.ent_notification n where n.id = v_id;
        else
            select n.* into v_row from notify.ent_notification n where n.id = v_id for update skip locked;
            if not found then
                v_busy := v_busy || to_jsonb(v_id);
                continue;
            end if;
        end if;
        begin
            v_found := notify.erase_from_notification(v_row, p_subscriber_id, v_terms, p_dry_run);
            if v_found ->> 'recipient' = 'true' or v_found ->> 'content' = 'true'
                or v_found ->> 'facts' <> '0' or v_found ->> 'requests' <> '0'
            then
                v_all := v_all || (v_found || jsonb_build_object('id', v_id));
            end if;
        exception
            when others or assert_failure then
                if not notify.update_is_refused(sqlstate) then
                    raise;
                end if;
                v_refused := v_refused || jsonb_build_object(v_id, sqlstate);
        end;
    end loop;

    return jsonb_build_object(
        'through', v_through, 'has_more', v_examined = p_limit, 'found', v_all, 'busy', v_busy, 'refused', v_refused
    );
end
$$;

-- Safe to repeat. A rule that has nobody left rests: it could not fire.
create or replace function notify.erase_from_rules(
    p_enterprise_id text, p_subscriber_id text, p_terms text[], p_dry_run boolean default true
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_rule record;
    v_payload jsonb;
    v_name text;
    v_description text;
    v_empty boolean;
    v_found bigint[] := '{}';
    v_deactivated bigint[] := '{}';
    v_refused jsonb := '{}';
    v_terms text[] := p_terms || p_subscriber_id;
begin
    set constraints all immediate;
    for v_rule in
        select r.id, r.rule_payload, r.name, r.description, r.deactivated
        from notify.ent_notification_rule r
        where r.enterprise_id::text = p_enterprise_id
            and notify.may_name(
                concat_ws(' ', r.rule_payload::text, to_json(r.name)::text, to_json(r.description)::text),
                v_terms
            )
        order by r.id
        for update
    loop
        v_payload := v_rule.rule_payload;
        v_empty := false;
        if jsonb_typeof(v_payload -> 'recipients') = 'array' and v_payload -> 'recipients' @> to_jsonb(p_subscriber_id) then
            v_payload := jsonb_set(v_payload, '{recipients}', (v_payload -> 'recipients') - p_subscriber_id);
            v_empty := v_payload -> 'recipients' = '[]';
        end if;
        v_payload := case
            when jsonb_typeof(v_payload) = 'object'
            then notify.erased_json(v_payload - 'recipients', v_terms) || jsonb_strip_nulls(
                jsonb_build_object('recipients', v_payload -> 'recipients')
            )
            else notify.erased_json(v_payload, v_terms)
        end;
        v_name := notify.erased_text(v_rule.name, v_terms);
        v_description := notify.erased_text(v_rule.description, v_terms);
        if (v_payload, v_name, v_description)
            is not distinct from (v_rule.rule_payload, v_rule.name, v_rule.description)
        then
            continue;
        end if;
        v_found := v_found || v_rule.id;
        if v_empty and not v_rule.deactivated then
            v_deactivated := v_deactivated || v_rule.id;
        end if;
        if not p_dry_run then
            begin
                update notify.ent_notification_rule r
                set rule_payload = v_payload, deactivated = r.deactivated or v_empty, description = v_description,
                    name = case when v_name = r.name then r.name else 'erased ' || r.id end, updated_at = now()
                where r.id = v_rule.id;
            exception
                when others or assert_failure then
                    if not notify.rule_update_is_refused(sqlstate) then
                        raise;
                    end if;
                    v_refused := v_refused || jsonb_build_object(v_rule.id, sqlstate);
            end;
        end if;
    end loop;
    return jsonb_build_object(
        'found', to_jsonb(v_found), 'deactivated', to_jsonb(v_deactivated), 'refused', v_refused
    );
end
$$;

-- Safe to repeat. A view in the table's place is the project's own: it is told of, and left.
create or replace function notify.erase_recipient(
    p_enterprise_id text, p_subscriber_id text, p_dry_run boolean default true
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_is_view boolean;
    v_addresses int;
    v_credentials int;
    v_others text[];
begin
    select c.relkind <> 'r' and c.relkind <> 'p' into v_is_view
    from pg_catalog.pg_class c where c.oid = 'notify.recipient'::regclass;
    select count(*) into v_addresses
    from notify.recipient r
    where r.enterprise_id::text = p_enterprise_id and r.subscriber_id::text = p_subscriber_id;
    select count(*) into v_credentials
    from notify.recipient_kept k
    where k.enterprise_id = p_enterprise_id and k.subscriber_id = p_subscriber_id;
    select coalesce(array_agg(each.enterprise_id order by each.enterprise_id), '{}') into v_others
    from (
        select k.enterprise_id from notify.recipient_kept k
        where k.subscriber_id = p_subscriber_id and k.enterprise_id <> p_enterprise_id
        union
        select r.enterprise_id::text from notify.recipient r
        where r.subscriber_id::text = p_subscriber_id and r.enterprise_id::text <> p_enterprise_id
        limit 20
    ) as each;
    if not p_dry_run then
        if not v_is_view then
            delete from notify.recipient r
            where r.enterprise_id::text = p_enterprise_id and r.subscriber_id::text = p_subscriber_id;
        end if;
        delete from notify.recipient_kept k
        where k.enterprise_id = p_enterprise_id and k.subscriber_id = p_subscriber_id;
    end if;
    return jsonb_build_object(
        'addresses', v_addresses, 'credentials', v_credentials, 'is_view', v_is_view, 'others', to_jsonb(v_others)
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
                'erased_text', 'erased_json', 'may_name', 'erase_from_notification', 'erase_from_notifications',
                'erase_from_rules', 'erase_recipient'
            )
    loop
        execute format('revoke all on function %s from public, anon, authenticated', function);
        execute format('grant execute on function %s to service_role', function);
    end loop;
end
$$;
