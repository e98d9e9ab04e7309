-- Claims: together, and row by row where a row refuses its UPDATE. The parts of a claim are functions of their own, one of
-- which a preview asks as well. The contract is docs/database_functions.md.

-- The statement itself: takes all that are free and fit, or none. Rows that a trigger left as they were are `unchanged`.
create or replace function notify.take_rows(
    p_enterprise_id text, p_notification_ids bigint[], p_claim_owner text, p_lease_seconds int, p_keyed boolean,
    p_uncalled boolean, p_bytes_before bigint,
    out notifications jsonb, out workflow_ids bigint[], out deferred bigint[], out unchanged bigint[], out bytes bigint
)
language plpgsql
security invoker
set search_path = ''
as $$
declare
    -- Bounds what one answer weighs, whoever wrote the rows.
    c_batch_bytes constant bigint := 4 * 1024 * 1024;
    -- Of one payload, and of one row's overrides: PostgreSQL's text has a space after each comma and colon, so what is
    -- longer is longer than the 512 KB that Novu takes without them.
    c_json_bytes constant bigint := 768 * 1024;
    c_recipients_bytes constant bigint := 4 * 1024 * 1024;
    c_recipients constant int := 100000;
    c_channels constant int := 100;
    c_chunks constant int := 1000;
begin
    with free as (
        -- Not more of a value is made into text than will be sent. What is stored in so few bytes is short enough to try.
        select n.id, n.scheduled_for,
            coalesce(n.delivery_key, replace(gen_random_uuid()::text, '-', '')) as delivery_key,
            case
                when pg_column_size(n.payload) <= 8192 or notify.json_bytes(n.payload) <= c_json_bytes
                then n.payload::text
            end as payload,
            case
                when pg_column_size(n.overrides) <= 8192 or notify.json_bytes(n.overrides) <= c_json_bytes
                then n.overrides::text
            end as overrides,
            n.overrides is not null as has_overrides,
            case
                when cardinality(n.recipients) <= c_recipients and octet_length(n.recipients::text) <= c_recipients_bytes
                then n.recipients::text[]
            end as recipients,
            case
                when cardinality(n.channels) > c_channels then jsonb '"too many"' else to_jsonb(n.channels)
            end as channels
        from notify.ent_notification n
        where n.id = any (p_notification_ids)
            and n.enterprise_id::text = p_enterprise_id
            -- What was last sent under a key is left to who knows of keys: but not for ever, should nobody be left.
            and (
                p_keyed or n.notification_status <> 'PROCESSING' or n.transaction_base is null
                or n.processed_at is null or n.processed_at < now() - interval '15 minutes'
            )
            and (
                (n.notification_status = 'PROCESSING' and n.claim_owner = p_claim_owner)
                or (
                    n.publish_status = 'PUBLISH' and not n.deactivated
                    -- One that can never fall due is claimed, so that somebody records why it is not sent.
                    and (
                        n.scheduled_for is null or n.scheduled_for <= now()
                        or n.scheduled_for >= '9999-12-01 00:00:00+00'
                    )
                    and (
                        n.notification_status = 'PENDING'
                        or (
                            n.notification_status = 'PROCESSING'
                            and (
                                n.lease_expires_at is null or n.lease_expires_at <= now()
                                -- No claim of ours lasts so long.
                                or n.lease_expires_at > now() + interval '2 days'
                            )
                        )
                    )
                )
            )
        order by n.id
        for update skip locked
    ),
    judged as (
        select free.id,
            case
                when free.scheduled_for >= '9999-12-01 00:00:00+00'
                then jsonb_build_object('column', 'scheduled_for', 'problem', 'out_of_range')
                when free.payload is null or octet_length(free.payload) > c_json_bytes
                then jsonb_build_object('column', 'payload', 'problem', 'too_large')
                when free.has_overrides and (free.overrides is null or octet_length(free.overrides) > c_json_bytes)
                then jsonb_build_object('column', 'overrides', 'problem', 'too_large')
                when free.recipients is null then jsonb_build_object('column', 'recipients', 'problem', 'too_large')
            end as unreadable,
            free.payload, free.overrides, free.recipients, free.channels, free.delivery_key,
            octet_length(free.payload) + coalesce(octet_length(free.overrides), 0)
                + octet_length(free.recipients::text) as bytes
        from free
    ),
    weighed as (
        select judged.*,
            (p_bytes_before = 0 and row_number() over in_order = 1)
            or p_bytes_before + sum(case when judged.unreadable is null then judged.bytes else 0 end) over in_order
                <= c_batch_bytes as fits
        from judged
        window in_order as (order by judged.id)
    ),
    claimed as (
        update notify.ent_notification n
        set notification_status = 'PROCESSING',
            claim_owner = p_claim_owner,
            lease_expires_at = now() + make_interval(secs => p_lease_seconds),
            attempts = least(greatest(n.attempts, 0), 2147483646) + 1,
            processed_at = now(),
            delivery_key = weighed.delivery_key,
            transaction_base = case
                when not p_keyed then null
                when notify.is_own_base(n.transaction_base, n.delivery_key, p_enterprise_id, n.id) then n.transaction_base
                when notify.is_own_base(n.transaction_id, n.delivery_key, p_enterprise_id, n.id) then n.transaction_id
                -- Claimed, or sent in part, by code without keys: Novu may have it under the id that such code sends.
                when n.notification_status = 'PROCESSING' or n.chunks_sent > 0
                then notify.keyless_base(p_enterprise_id, n.id)
                else 'xnovu.' || weighed.delivery_key
            end,
            -- The claim before this one ended without a word, and may have ended in a call: one of this very run that has
            -- made none is not meant.
            in_doubt_since = case
                when (n.awaits_answer or (n.notification_status = 'PROCESSING' and n.transaction_base is null))
                    and not (p_uncalled and n.claim_owner is not distinct from p_claim_owner)
                then greatest(now() - interval '2 days', least(now(), n.lease_expires_at))
                else n.in_doubt_since
            end,
            awaits_answer = p_keyed,
            updated_at = now()
        from weighed
        where n.id = weighed.id and weighed.fits
        returning n.id, n.attempts, n.chunks_sent, n.deliver_before, n.notification_workflow_id,
            n.transaction_base, n.in_doubt_since, n.doubtful_repeats, n.idempotency_round, n.chunks_beyond,
            weighed.payload, weighed.overrides, weighed.recipients, weighed.channels, weighed.unreadable,
            weighed.bytes,
            n.notification_status = 'PROCESSING' and n.claim_owner = p_claim_owner as is_ours
    )
    select
        coalesce(
            jsonb_agg(
                jsonb_build_object(
                    'id', c.id,
                    'attempts', c.attempts,
                    'chunks_sent', c.chunks_sent,
                    'expired', coalesce(c.deliver_before <= now(), false),
                    'notification_workflow_id', c.notification_workflow_id
                ) || case
                    when p_keyed
                    then jsonb_build_object(
                        'transaction_base', c.transaction_base,
                        'doubt_seconds', case
                            when c.in_doubt_since is not null
                            then extract(
                                epoch from now() - greatest(now() - interval '30 days', least(now(), c.in_doubt_since))
                            )
                        end,
                        'doubtful_repeats', c.doubtful_repeats,
                        'idempotency_round', c.idempotency_round,
                        'chunks_beyond', to_jsonb(c.chunks_beyond [1:c_chunks])
                    )
                    else '{}'
                end || case
                    when c.unreadable is not null then jsonb_build_object('unreadable', c.unreadable)
                    else jsonb_build_object(
                        'payload', c.payload,
                        'recipients', c.recipients,
                        'channels', c.channels,
                        'overrides', c.overrides
                    )
                end
                order by c.id
            ) filter (where c.is_ours),
            '[]'
        ),
        coalesce(array_agg(distinct c.notification_workflow_id) filter (where c.is_ours and c.unreadable is null), '{}'),
        (select coalesce(array_agg(w.id order by w.id), '{}') from weighed w where not w.fits),
        (
            -- Not a join: the planner expects one row, and would compare every row with every other.
            select coalesce(array_agg(each.id), '{}')
            from (
                select ids.id
                from (select w.id from weighed w where w.fits union all select o.id from claimed o where o.is_ours) as ids
                group by ids.id
                having count(*) = 1
            ) as each
        ),
        coalesce(sum(c.bytes) filter (where c.is_ours and c.unreadable is null), 0)
    into notifications, workflow_ids, deferred, unchanged, bytes
    from claimed c;
end
$$;

-- The active templates that these references, ids or keys, lead to, includes followed; those that fit into so many bytes.
create or replace function notify.reachable_templates(
    p_enterprise_id text, p_references text[], p_most_bytes bigint, out templates jsonb, out withheld boolean
)
language plpgsql
stable
security invoker
set search_path = ''
as $$
declare
    -- One more than the renderer takes: it refuses a template of this length as it would refuse the whole.
    c_source_characters constant int := 200001;
    -- Both spellings of an include, `xnovu_render "key"` and `xnovu_render('key'`. Finding one too many (in a comment,
    -- say) is harmless, missing one is not: hence no attempt to parse Liquid. In two steps, because one expression would
    -- take half a second for a template that is nothing but the letter x.
    c_include constant text := 'xnovu_render';
    c_included constant text := $re$^\s*\(?\s*(?:"([^"]+)"|'([^']+)')$re$;
begin
    with recursive reachable (id) as (
        select t.id
        from notify.ent_notification_template t
        where t.enterprise_id::text = p_enterprise_id
            and t.publish_status = 'PUBLISH' and not t.deactivated
            and (
                t.template_key = any (p_references)
                or t.id in (select r::bigint from unnest(p_references) as r where r ~ '^[0-9]{1,18}$')
            )
        -- Not `union all`: a template already reached is not followed again, which is what ends a cycle.
        union
        select included.id
        from (
            select distinct coalesce(include.key [1], include.key [2]) as key
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
            and included.enterprise_id::text = p_enterprise_id
            and included.publish_status = 'PUBLISH' and not included.deactivated
    ),
    cut as (
        select t.id,
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
            ) over (order by cut.id) <= p_most_bytes as fits
        from cut
    )
    select
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
        coalesce(bool_or(not w.fits), false)
    into templates, withheld
    from weighed w;
end
$$;

-- Of a row that cannot be claimed: FAILED then, with a code, or a note that it rests.
create or replace function notify.refuse_claim(
    p_enterprise_id text, p_notification_id bigint, p_claim_owner text, p_reason text
)
returns void
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_reason text := '00000';
begin
    begin
        perform
        from notify.ent_notification n
        where n.id = p_notification_id and n.enterprise_id::text = p_enterprise_id
            and (
                n.notification_status = 'PENDING'
                or (
                    n.notification_status = 'PROCESSING'
                    and (
                        n.claim_owner = p_claim_owner or n.lease_expires_at is null or n.lease_expires_at <= now()
                        or n.lease_expires_at > now() + interval '2 days'
                    )
                )
            )
        for update skip locked;
        if not found then
            return;
        end if;
        update notify.ent_notification n
        set notification_status = 'FAILED',
            error_details = jsonb_build_object(
                'code', 'claim_refused',
                'message', 'the database refused to have the row claimed',
                'sqlstate', p_reason,
                'attempts', n.attempts,
                'lastAttempt', now()
            ),
            -- An earlier claim that ended without a word may have sent it.
            transaction_id = coalesce(
                n.transaction_id,
                case
                    when n.notification_status = 'PROCESSING' or n.chunks_sent > 0 or n.in_doubt_since is not null
                    then notify.base_of(n)
                end
            ),
            claim_owner = p_claim_owner,
            lease_expires_at = null,
            updated_at = now()
        where n.id = p_notification_id and n.enterprise_id::text = p_enterprise_id;
        perform
        from notify.ent_notification n
        where n.id = p_notification_id and n.notification_status not in ('PENDING', 'PROCESSING');
        if found then
            delete from notify.refused_update r where r.notification_id = p_notification_id;
            return;
        end if;
    exception
        when others or assert_failure then
            if not notify.update_is_refused(sqlstate) then
                raise;
            end if;
            v_reason := sqlstate;
    end;
    perform notify.note_refused_update(p_enterprise_id, p_notification_id, 'claim_refused', v_reason, p_claim_owner);
end
$$;

-- What rests, of these rows: an outcome whose time has come is tried again, in place of the delivery. Answers which of the
-- rows are not to be claimed.
create or replace function notify.rows_to_rest(p_enterprise_id text, p_notification_ids bigint[], p_claim_owner text)
returns bigint[]
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_noted notify.refused_update;
    v_resting bigint[] := '{}';
begin
    for v_noted in
        select r.*
        from notify.refused_update r
        where r.notification_id = any (p_notification_ids) and r.enterprise_id = p_enterprise_id
            and r.code <> 'cancellation_refused'
        order by r.notification_id
    loop
        if not exists (
            select
            from notify.ent_notification n
            where n.id = v_noted.notification_id
                and (
                    (
                        n.notification_status = 'PROCESSING' and n.claim_owner = v_noted.claim_owner
                        and n.lease_expires_at is not null
                    )
                    or (v_noted.code = 'claim_refused' and n.notification_status in ('PENDING', 'PROCESSING'))
                )
        ) then
            -- Somebody has set the row anew: what was noted is not of its present life.
            delete from notify.refused_update r where r.notification_id = v_noted.notification_id;
        elsif v_noted.code = 'outcome_refused' then
            -- Novu has been asked already, whatever a claim could still do.
            v_resting := v_resting || v_noted.notification_id;
            if v_noted.retry_at <= now() then
                perform notify.record_outcomes(
                    p_enterprise_id, v_noted.claim_owner, jsonb_build_array(v_noted.outcome)
                );
                delete from notify.refused_update r
                where r.notification_id = v_noted.notification_id
                    and exists (
                        select
                        from notify.ent_notification n
                        where n.id = r.notification_id and n.notification_status <> 'PROCESSING'
                    );
            end if;
        elsif v_noted.retry_at > now()
            and not (v_noted.code = 'renewal_refused' and v_noted.claim_owner = p_claim_owner)
        then
            v_resting := v_resting || v_noted.notification_id;
        end if;
    end loop;
    return v_resting;
end
$$;

create or replace function notify.claim_batch(
    p_enterprise_id text,
    p_notification_ids bigint[],
    p_claim_owner text,
    p_lease_seconds int,
    p_keyed boolean default false,
    p_uncalled boolean default false
)
returns jsonb
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
    v_ids bigint[] := p_notification_ids;
    v_id bigint;
    v_noted boolean;
    v_taken record;
    v_pieces jsonb[] := '{}';
    v_bytes bigint := 0;
    v_refused jsonb := '{}';
    v_notifications jsonb;
    v_deferred bigint[] := '{}';
    v_workflow_ids bigint[] := '{}';
    v_workflows jsonb;
    v_templates record;
    v_novu_channels jsonb;
    v_subscriber_ids text[];
    v_recipients jsonb;
begin
    if p_claim_owner is null or p_claim_owner = '' or p_lease_seconds is null or p_lease_seconds <= 0 then
        raise exception 'a claim needs an owner and a positive lease' using errcode = 'invalid_parameter_value';
    end if;

    perform from notify.refused_update r where r.notification_id = any (p_notification_ids) limit 1;
    v_noted := found;
    if v_noted then
        select array_agg(i.id)
        into v_ids
        from unnest(p_notification_ids) as i (id)
        where i.id <> all (notify.rows_to_rest(p_enterprise_id, p_notification_ids, p_claim_owner));
    end if;

    -- What a project has its triggers say at the end of a transaction would be said when nobody can answer any more.
    set constraints all immediate;
    begin
        select t.*
        into v_taken
        from notify.take_rows(p_enterprise_id, v_ids, p_claim_owner, p_lease_seconds, p_keyed, p_uncalled, 0) as t;
        v_notifications := v_taken.notifications;
        v_workflow_ids := v_taken.workflow_ids;
        v_deferred := v_taken.deferred;
        select coalesce(jsonb_object_agg(u.id, '00000'), '{}') into v_refused from unnest(v_taken.unchanged) as u (id);
    exception
        when others or assert_failure then
            if not notify.update_is_refused(sqlstate) then
                raise;
            end if;
    end;
    if v_notifications is null then
        for v_id in select distinct i.id from unnest(v_ids) as i (id) order by i.id loop
            begin
                select t.*
                into v_taken
                from notify.take_rows(
                    p_enterprise_id, array[v_id], p_claim_owner, p_lease_seconds, p_keyed, p_uncalled, v_bytes
                ) as t;
                v_pieces := array_append(v_pieces, v_taken.notifications);
                v_workflow_ids := v_workflow_ids || v_taken.workflow_ids;
                v_deferred := v_deferred || v_taken.deferred;
                v_bytes := v_bytes + v_taken.bytes;
                if v_taken.unchanged <> '{}' then
                    v_refused := v_refused || jsonb_build_object(v_id, '00000');
                end if;
            exception
                when others or assert_failure then
                    if not notify.update_is_refused(sqlstate) then
                        raise;
                    end if;
                    v_refused := v_refused || jsonb_build_object(v_id, sqlstate);
            end;
        end loop;
        select coalesce(jsonb_agg(n.value), '[]')
        into v_notifications
        from unnest(v_pieces) with ordinality as piece (rows, place)
        cross join lateral jsonb_array_elements(piece.rows) as n;
    end if;
    if v_refused <> '{}' then
        perform notify.refuse_claim(p_enterprise_id, r.key::bigint, p_claim_owner, r.value)
        from jsonb_each_text(v_refused) as r;
    end if;
    if v_noted then
        -- Claimed after all.
        delete from notify.refused_update r
        where r.code = 'claim_refused'
            and r.notification_id in (select (n ->> 'id')::bigint from jsonb_array_elements(v_notifications) as n);
    end if;

    select
        coalesce(
            jsonb_object_agg(
                w.id,
                jsonb_build_object(
                    'workflow_key', left(w.workflow_key, c_name_characters + 1),
                    'workflow_type', w.workflow_type,
                    'default_channels',
                    case
                        when cardinality(w.default_channels) > c_channels then jsonb '"too many"'
                        else to_jsonb(w.default_channels)
                    end,
                    'templates', (
                        select coalesce(jsonb_object_agg(slot.name, left(slot.reference, c_name_characters + 1)), '{}')
                        from (
                            select wanted.name, w.template_overrides ->> wanted.name as reference
                            from unnest(
                                array[
                                    'emailTemplateId', 'inAppTemplateId', 'smsTemplateId', 'pushTemplateId', 'chatTemplateId'
                                ]
                            ) as wanted (name)
                        ) as slot
                        where slot.reference is not null
                    )
                ) || case
                    when w.payload_schema is null then '{}'
                    when pg_column_size(w.payload_schema) > c_schema_bytes
                        or notify.json_bytes(w.payload_schema) > c_schema_bytes
                    then jsonb_build_object('payload_schema', 'too large')
                    else jsonb_build_object('payload_schema', jsonb_build_object('text', w.payload_schema::text))
                end
            ),
            '{}'
        )
    into v_workflows
    from notify.ent_notification_workflow w
    where w.id = any (v_workflow_ids)
        and w.enterprise_id::text = p_enterprise_id
        and w.publish_status = 'PUBLISH' and not w.deactivated;

    select t.*
    into v_templates
    from notify.reachable_templates(
        p_enterprise_id,
        (
            select array_agg(distinct slot.value)
            from jsonb_each(v_workflows) as w
            cross join lateral jsonb_each_text(w.value -> 'templates') as slot
        ),
        c_templates_bytes
    ) as t;

    -- Of workflows that `xnovu novu apply` keeps: what it last gave them, in whichever environment.
    select coalesce(jsonb_object_agg(w.key, known.channels), '{}')
    into v_novu_channels
    from jsonb_each(v_workflows) as w
    cross join lateral (
        select k.channels
        from notify.novu_workflow k
        where k.workflow_key = w.value ->> 'workflow_key'
        order by k.applied_at desc
        limit 1
    ) as known
    where w.value ->> 'workflow_type' = 'DYNAMIC';

    -- Null: ask recipients_of. A project that keeps no addresses pays for one look.
    v_recipients := jsonb '{"known": {}}';
    begin
        perform from notify.recipient r where r.enterprise_id::text = p_enterprise_id limit 1;
        if found then
            select array_agg(wanted.id)
            into v_subscriber_ids
            from (
                select distinct subscriber.id
                from jsonb_array_elements(v_notifications) as n
                cross join lateral jsonb_array_elements_text(n.value -> 'recipients') as subscriber (id)
                limit c_recipients_along + 1
            ) as wanted;
            v_recipients := case
                when cardinality(v_subscriber_ids) <= c_recipients_along
                then notify.recipients_of(p_enterprise_id, v_subscriber_ids)
            end;
        end if;
    exception
        when syntax_error_or_access_rule_violation or data_exception or cardinality_violation
            or external_routine_exception or feature_not_supported or raise_exception
        then
            v_recipients := jsonb_build_object('known', jsonb '{}', 'fault', sqlstate);
    end;

    return jsonb_build_object(
        'notifications', v_notifications,
        'deferred', to_jsonb(v_deferred),
        'workflows', v_workflows,
        'templates', v_templates.templates,
        'templates_withheld', v_templates.withheld,
        'novu_channels', v_novu_channels,
        'recipients', v_recipients
    ) || case when v_refused = '{}' then '{}' else jsonb_build_object('refused', v_refused) end;
end
$$;

do $$
declare
    function regprocedure;
begin
    for function in
        select p.oid from pg_catalog.pg_proc p
        where p.pronamespace = 'notify'::regnamespace
            and p.proname in ('take_rows', 'reachable_templates', 'refuse_claim', 'rows_to_rest')
    loop
        execute format('revoke all on function %s from public, anon, authenticated', function);
        execute format('grant execute on function %s to service_role', function);
    end loop;
end
$$;
