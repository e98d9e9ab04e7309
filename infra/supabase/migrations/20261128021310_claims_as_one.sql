-- Claims and outcomes of many enterprises as one statement each, where all goes well; every row is bound to the enterprise
-- that it is asked for. Where something does not, each enterprise's by itself, as before. The contract is
-- docs/database_functions.md.

-- As take_rows was, for pairs of an enterprise and an id.
create or replace function notify.take_rows_of(
    p_enterprise_ids text[], p_notification_ids bigint[], p_claim_owner text, p_lease_seconds int, p_keyed boolean,
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
        select n.id, asked.enterprise_id, n.scheduled_for,
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
        from (
            select each.enterprise_id, each.id
            from unnest(p_enterprise_ids, p_notification_ids) as each (enterprise_id, id)
            group by each.enterprise_id, each.id
        ) as asked
        join notify.ent_notification n on n.id = asked.id
        where n.enterprise_id::text = asked.enterprise_id
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
        for update of n skip locked
    ),
    judged as (
        select free.id, free.enterprise_id,
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
                when notify.is_own_base(n.transaction_base, n.delivery_key, weighed.enterprise_id, n.id) then n.transaction_base
                when notify.is_own_base(n.transaction_id, n.delivery_key, weighed.enterprise_id, n.id) then n.transaction_id
                -- Claimed, or sent in part, by code without keys: Novu may have it under the id that such code sends.
                when n.notification_status = 'PROCESSING' or n.chunks_sent > 0
                then notify.keyless_base(weighed.enterprise_id, n.id)
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

create or replace function notify.take_rows(
    p_enterprise_id text, p_notification_ids bigint[], p_claim_owner text, p_lease_seconds int, p_keyed boolean,
    p_uncalled boolean, p_bytes_before bigint,
    out notifications jsonb, out workflow_ids bigint[], out deferred bigint[], out unchanged bigint[], out bytes bigint
)
language sql
security invoker
set search_path = ''
as $$
    select t.notifications, t.workflow_ids, t.deferred, t.unchanged, t.bytes
    from notify.take_rows_of(
        array_fill(p_enterprise_id, array[cardinality(p_notification_ids)]), p_notification_ids, p_claim_owner,
        p_lease_seconds, p_keyed, p_uncalled, p_bytes_before
    ) as t
$$;

-- What a claim's answer holds beside its rows.
create or replace function notify.needed_for(p_enterprise_id text, p_notifications jsonb, p_workflow_ids bigint[])
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
    v_workflows jsonb;
    v_templates record;
    v_novu_channels jsonb;
    v_subscriber_ids text[];
    v_recipients jsonb;
begin
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
    where w.id = any (p_workflow_ids)
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
                from jsonb_array_elements(p_notifications) as n
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
        'workflows', v_workflows,
        'templates', v_templates.templates,
        'templates_withheld', v_templates.withheld,
        'novu_channels', v_novu_channels,
        'recipients', v_recipients
    );
end
$$;

-- As it was; its parts are functions of their own.
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

    return jsonb_build_object('notifications', v_notifications, 'deferred', to_jsonb(v_deferred))
        || notify.needed_for(p_enterprise_id, v_notifications, v_workflow_ids)
        || case when v_refused = '{}' then '{}' else jsonb_build_object('refused', v_refused) end;
end
$$;

-- Of rows that are sent again: to whom, in which channels, and under which number.
create or replace function notify.tries_of(p_notifications jsonb)
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
    select coalesce(
        jsonb_object_agg(
            a.notification_id,
            jsonb_build_object('number', a.second_try, 'first_chunk', a.try_first_chunk, 'parts', parts.told)
        ),
        '{}'
    )
    from notify.delivery_account a
    join notify.ent_notification n on n.id = a.notification_id
    cross join lateral (
        select jsonb_agg(
            jsonb_build_object('channel', part.channel, 'recipients', part.people) order by part.channel
        ) as told
        from (
            select tried.channel, jsonb_agg(tried.id order by tried.place) as people
            from (
                select case when a.try_by_channel then f.channel end as channel, r.id, min(r.place) as place
                from notify.delivery_fact f
                join lateral unnest(n.recipients::text[]) with ordinality as r (id, place)
                    on notify.delivery_person(a.notification_id, r.id) = f.person
                where f.notification_id = a.notification_id and f.awaited = a.second_try
                group by 1, 2
            ) as tried
            group by tried.channel
        ) as part
    ) as parts
    where a.notification_id in (select (row ->> 'id')::bigint from jsonb_array_elements(p_notifications) as row)
        and a.second_try > 0 and not a.complete and parts.told is not null
$$;

create or replace function notify.claim_followed_batch(
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
    v_answer constant jsonb := notify.claim_batch(
        p_enterprise_id, p_notification_ids, p_claim_owner, p_lease_seconds, p_keyed, p_uncalled
    );
begin
    return v_answer || jsonb_build_object('second_tries', notify.tries_of(v_answer -> 'notifications'));
end
$$;

-- As they were; without p_enterprise_id each outcome names its own.
create or replace function notify.write_outcomes(p_enterprise_id text, p_claim_owner text, p_outcomes jsonb)
returns bigint[]
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_open bigint[];
begin
    with outcome as (
        select coalesce(p_enterprise_id, o.enterprise_id) as enterprise_id, o.id, o.status, o.transaction_id, o.error_details, coalesce(o.reached_novu, false) as reached_novu,
            case
                when jsonb_typeof(o.error_details -> 'chunks_sent') = 'number'
                then (o.error_details ->> 'chunks_sent')::numeric::int
            end as chunks_sent
        from jsonb_to_recordset(p_outcomes) as o (
            enterprise_id text, id bigint, status text, transaction_id text, reached_novu boolean, error_details jsonb
        )
    ),
    open as (
        select n.id
        from notify.ent_notification n
        where (n.id, n.enterprise_id::text) in (select outcome.id, outcome.enterprise_id from outcome)
            and n.claim_owner = p_claim_owner
            and n.lease_expires_at is not null
            and n.notification_status in ('PROCESSING', 'RETRACTED')
        order by n.id
        for update
    ),
    written as (
        update notify.ent_notification n
        set notification_status = case
                when n.notification_status = 'RETRACTED' then n.notification_status
                when outcome.status = 'SENT' then 'SENT'
                else 'FAILED'
            end,
            -- A row retracted too late says so by its transaction id, and so does one of which Novu may have taken something.
            transaction_id = coalesce(
                outcome.transaction_id,
                case when outcome.reached_novu or n.in_doubt_since is not null then notify.base_of(n) end,
                n.transaction_id
            ),
            awaits_answer = false,
            in_doubt_since = case when outcome.status = 'FAILED' then n.in_doubt_since end,
            chunks_beyond = case when outcome.status = 'FAILED' then n.chunks_beyond end,
            -- Whoever sends it again asks anew, and does not get this answer again; but not for what Novu has taken.
            idempotency_round = case
                when outcome.status = 'FAILED' and outcome.error_details ->> 'outcome' is distinct from 'sent' then least(n.idempotency_round, 2147483646) + 1
                else n.idempotency_round
            end,
            chunks_sent = greatest(n.chunks_sent, outcome.chunks_sent),
            -- What Novu answered before it took this may not be true of it.
            cancellation = case when outcome.transaction_id is null and not outcome.reached_novu then n.cancellation end,
            error_details = case
                when n.notification_status = 'RETRACTED' then n.error_details
                when outcome.status = 'FAILED' then
                    outcome.error_details || jsonb_build_object('attempts', n.attempts, 'lastAttempt', now())
            end,
            lease_expires_at = null,
            updated_at = now()
        from open
        join outcome on outcome.id = open.id
        where n.id = open.id
        returning n.id, n.notification_status = 'PROCESSING' or n.lease_expires_at is not null as is_open
    )
    -- Not a join: the planner expects one row, and would compare every row with every other.
    select coalesce(array_agg(each.id), '{}')
    into v_open
    from (
        select ids.id
        from (select open.id from open union all select written.id from written where not written.is_open) as ids
        group by ids.id
        having count(*) = 1
    ) as each;

    return v_open;
end
$$;

create or replace function notify.record_outcomes(p_enterprise_id text, p_claim_owner text, p_outcomes jsonb)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_outcome jsonb;
    v_reason text;
    v_open bigint[];
    v_recorded bigint[];
    v_refused jsonb := '{}';
begin
    if exists (
        select
        from jsonb_to_recordset(p_outcomes) as o (id bigint, status text, transaction_id text, error_details jsonb)
        where o.id is null
            or o.status is null
            or o.status not in ('SENT', 'FAILED')
            or (o.status = 'SENT' and o.transaction_id is null)
            or (o.status = 'FAILED' and jsonb_typeof(o.error_details) is distinct from 'object')
    ) then
        raise exception 'an outcome is SENT with a transaction_id, or FAILED with an object error_details'
            using errcode = 'invalid_parameter_value';
    end if;

    -- What a project has its triggers say at the end of a transaction would be said when nobody can answer any more.
    set constraints all immediate;
    begin
        v_open := notify.write_outcomes(p_enterprise_id, p_claim_owner, p_outcomes);
    exception
        when others or assert_failure then
            if not notify.update_is_refused(sqlstate) then
                raise;
            end if;
    end;
    if v_open is null or v_open <> '{}' then
        for v_outcome in
            select o
            from jsonb_array_elements(p_outcomes) as o
            where v_open is null or (o ->> 'id')::bigint = any (v_open)
            order by (o ->> 'id')::bigint
        loop
            v_reason := '00000';
            begin
                continue when notify.write_outcomes(p_enterprise_id, p_claim_owner, jsonb_build_array(v_outcome)) = '{}';
            exception
                when others or assert_failure then
                    if not notify.update_is_refused(sqlstate) then
                        raise;
                    end if;
                    v_reason := sqlstate;
            end;
            perform notify.refuse_outcome(
                coalesce(p_enterprise_id, v_outcome ->> 'enterprise_id'), p_claim_owner, v_outcome, v_reason
            );
        end loop;
    end if;

    -- Read afterwards, not returned by the update: a repeated call, its first answer lost, gets the same answer.
    select coalesce(array_agg(n.id order by n.id), '{}')
    into v_recorded
    from jsonb_to_recordset(p_outcomes) as o (
        enterprise_id text, id bigint, status text, transaction_id text, error_details jsonb
    )
    join notify.ent_notification n on n.id = o.id
    where n.enterprise_id::text = coalesce(p_enterprise_id, o.enterprise_id)
        and n.claim_owner = p_claim_owner
        and n.lease_expires_at is null
        and case o.status
            when 'SENT' then n.notification_status in ('SENT', 'RETRACTED') and n.transaction_id = o.transaction_id
            else
                n.notification_status = 'FAILED'
                and n.error_details @> (o.error_details - array['attempts', 'lastAttempt'])
        end;

    if cardinality(v_recorded) < jsonb_array_length(p_outcomes) then
        select coalesce(
            jsonb_object_agg(
                n.id, jsonb_build_object('sqlstate', coalesce(r.reason, n.error_details ->> 'sqlstate'), 'rests', r.reason is not null)
            ),
            '{}'
        )
        into v_refused
        from jsonb_to_recordset(p_outcomes) as o (enterprise_id text, id bigint)
        join notify.ent_notification n on n.id = o.id
        left join notify.refused_update r
            on r.notification_id = n.id and r.claim_owner = p_claim_owner and r.code = 'outcome_refused'
        where n.enterprise_id::text = coalesce(p_enterprise_id, o.enterprise_id)
            and n.claim_owner = p_claim_owner
            and n.id <> all (v_recorded)
            and (
                r.reason is not null
                or (
                    n.notification_status = 'FAILED' and n.lease_expires_at is null
                    and n.error_details ->> 'code' = 'outcome_refused'
                )
            );
    end if;

    return jsonb_build_object('recorded', to_jsonb(v_recorded))
        || case when v_refused = '{}' then '{}' else jsonb_build_object('refused', v_refused) end;
end
$$;

-- Several claims that differ in whose they are alone, none of which an earlier one of the same run preceded. Null: they are
-- to be made one after the other.
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
    v_claim record;
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

    for v_claim in
        select claim.value ->> 'p_enterprise_id' as enterprise_id,
            coalesce(jsonb_agg(taken.value order by taken.id) filter (where taken.id is not null), '[]') as notifications,
            coalesce(
                array_agg(distinct (taken.value ->> 'notification_workflow_id')::bigint)
                    filter (where taken.id is not null and not taken.value ? 'unreadable'),
                '{}'
            ) as workflow_ids,
            coalesce(array_agg(asked.id order by asked.id) filter (where asked.id = any (v_taken.deferred)), '{}') as deferred,
            array_agg(asked.id) as ids
        from unnest(p_claims) with ordinality as claim (value, place)
        cross join lateral (
            select id.value::bigint as id from jsonb_array_elements_text(claim.value -> 'p_notification_ids') as id
        ) as asked
        left join (
            select (n.value ->> 'id')::bigint as id, n.value from jsonb_array_elements(v_taken.notifications) as n
        ) as taken on taken.id = asked.id
        group by claim.place, claim.value
        order by claim.place
    loop
        v_answer := jsonb_build_object('notifications', v_claim.notifications, 'deferred', to_jsonb(v_claim.deferred))
            || notify.needed_for(v_claim.enterprise_id, v_claim.notifications, v_claim.workflow_ids);
        if p_followed then
            v_answer := v_answer || jsonb_build_object(
                'second_tries',
                case
                    when v_tries = '{}' then '{}'
                    else (
                        select coalesce(jsonb_object_agg(t.key, t.value), '{}')
                        from jsonb_each(v_tries) as t
                        where t.key::bigint = any (v_claim.ids)
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

-- Several records of outcomes that differ in whose they are alone.
create or replace function notify.record_as_one(p_records jsonb[], p_followed boolean)
returns jsonb[]
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_outcomes jsonb;
    v_answer jsonb;
begin
    select jsonb_agg(outcome.value || jsonb_build_object('enterprise_id', record.value -> 'p_enterprise_id'))
    into v_outcomes
    from unnest(p_records) as record (value)
    cross join lateral jsonb_array_elements(record.value -> 'p_outcomes') as outcome;
    v_answer := case
        when p_followed
        then notify.record_followed_outcomes(
            null, p_records [1] ->> 'p_claim_owner', v_outcomes, (p_records [1] ->> 'p_look_after_seconds')::double precision
        )
        else notify.record_outcomes(null, p_records [1] ->> 'p_claim_owner', v_outcomes)
    end;
    return (
        select array_agg(
            jsonb_build_object('recorded', each.recorded)
            || case when each.refused is null then '{}' else jsonb_build_object('refused', each.refused) end
            order by each.place
        )
        from (
            select record.place,
                coalesce(jsonb_agg(o.value -> 'id' order by (o.value ->> 'id')::bigint) filter (where r.id is not null), '[]')
                    as recorded,
                jsonb_object_agg(o.value ->> 'id', v_answer -> 'refused' -> (o.value ->> 'id'))
                    filter (where v_answer -> 'refused' ? (o.value ->> 'id')) as refused
            from unnest(p_records) with ordinality as record (value, place)
            cross join lateral jsonb_array_elements(record.value -> 'p_outcomes') as o
            left join (
                select known.id::bigint as id from jsonb_array_elements_text(v_answer -> 'recorded') as known (id)
            ) as r on r.id = (o.value ->> 'id')::bigint
            group by record.place
        ) as each
    );
end
$$;

-- As it was; claims, and records of outcomes, that differ in whose they are alone are first tried as one.
create or replace function notify.call_each(p_calls jsonb)
returns jsonb
language plpgsql
security invoker
set search_path = ''
-- Another's lock on one enterprise's row is not waited for by the others.
set lock_timeout = '500ms'
as $$
declare
    -- Bounds what one answer weighs: what comes after so much is asked for by itself.
    c_bytes constant bigint := 3 * 1024 * 1024;
    v_alike record;
    v_together jsonb[];
    v_call jsonb;
    v_place int;
    v_answer jsonb;
    v_answers jsonb[] := array_fill(null::jsonb, array[jsonb_array_length(p_calls)]);
    v_bytes bigint := 0;
begin
    for v_alike in
        select alike.function, alike.arguments, alike.places
        from (
            select call.value ->> 'function' as function,
                array_agg(call.value -> 'arguments' order by call.place) as arguments,
                array_agg(call.place order by call.place) as places,
                array_agg(row.ids) as ids
            from jsonb_array_elements(p_calls) with ordinality as call (value, place)
            cross join lateral (
                select jsonb_agg(o.value -> 'id') as ids
                from jsonb_array_elements(call.value -> 'arguments' -> 'p_outcomes') as o
                union all
                select call.value -> 'arguments' -> 'p_notification_ids'
            ) as row
            where row.ids <> '[]'
                and call.value ->> 'function' in (
                    'claim_batch', 'claim_followed_batch', 'record_outcomes', 'record_followed_outcomes'
                )
                and call.value -> 'arguments' -> 'p_uncalled' is distinct from 'true'
            group by 1, (call.value -> 'arguments') - array['p_enterprise_id', 'p_notification_ids', 'p_outcomes']
        ) as alike
        where cardinality(alike.places) > 1
            -- Who asks for another's row is to be told that it is not his.
            and not exists (
                select
                from unnest(alike.ids) as asked (ids)
                cross join lateral jsonb_array_elements(asked.ids) as id
                group by id.value
                having count(*) > 1
            )
    loop
        begin
            v_together := case
                when v_alike.function like 'claim%'
                then notify.claim_as_one(v_alike.arguments, v_alike.function = 'claim_followed_batch')
                else notify.record_as_one(v_alike.arguments, v_alike.function = 'record_followed_outcomes')
            end;
            for v_place in 1..coalesce(cardinality(v_together), 0) loop
                v_answers[v_alike.places[v_place]] := v_together[v_place];
                v_bytes := v_bytes + pg_column_size(v_together[v_place]);
            end loop;
        exception
            -- Of one of them, or of all: who met it finds out below.
            when others or assert_failure then
                null;
        end;
    end loop;

    v_place := 0;
    for v_call in select call.value from jsonb_array_elements(p_calls) as call loop
        v_place := v_place + 1;
        if v_answers[v_place] is null and v_bytes < c_bytes then
            begin
                v_answer := notify.call_one(v_call ->> 'function', v_call -> 'arguments');
                v_answers[v_place] := v_answer;
                v_bytes := v_bytes + pg_column_size(v_answer);
            exception
                -- Whatever it was, it is told again to who asks for this alone.
                when others or assert_failure then
                    null;
            end;
        end if;
    end loop;
    return to_jsonb(v_answers);
end
$$;

do $$
declare
    function regprocedure;
begin
    for function in
        select p.oid from pg_catalog.pg_proc p
        where p.pronamespace = 'notify'::regnamespace
            and p.proname in ('take_rows_of', 'needed_for', 'tries_of', 'claim_as_one', 'record_as_one')
    loop
        execute format('revoke all on function %s from public, anon, authenticated', function);
        execute format('grant execute on function %s to service_role', function);
    end loop;
end
$$;
