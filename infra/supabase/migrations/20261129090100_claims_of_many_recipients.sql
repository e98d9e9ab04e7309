-- A row for a hundred thousand people is claimed in a tenth of a second, not in seconds: jsonb_agg takes forty microseconds for
-- each member of an array within what it gathers, to_jsonb of an array next to nothing. Otherwise as they were; the contract
-- is docs/database_functions.md. And several such rows are not claimed together: their answer weighed more than a worker
-- takes, and they were claimed, in doubt, and handed over together again, for ever.

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
                -- Each takes the caller an object besides its letters.
                + octet_length(free.recipients::text) + 40 * coalesce(cardinality(free.recipients), 0) as bytes
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
            to_jsonb(array_agg(
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
            ) filter (where c.is_ours)),
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
        select coalesce(to_jsonb(array_agg(n.value)), '[]')
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
            coalesce(
                to_jsonb(array_agg(taken.value order by taken.id) filter (where taken.id is not null)), '[]'
            ) as notifications,
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

-- As it was; each row is read once.
create or replace function notify.recipients_of(p_enterprise_id text, p_subscriber_ids text[])
returns jsonb
language plpgsql
stable
security invoker
set search_path = ''
as $$
declare
    c_bytes constant int := 8192;
    v_known jsonb;
begin
    select coalesce(
        jsonb_object_agg(
            known.subscriber_id,
            case when octet_length(known.text) <= c_bytes then known.text end
        ),
        '{}'
    )
    into v_known
    from (
        select r.subscriber_id::text as subscriber_id,
            case
                when pg_column_size(r) <= 4 * c_bytes
                then (
                    jsonb_build_object(
                        'email', w.row -> 'email',
                        'phone', w.row -> 'phone',
                        'first_name', w.row -> 'first_name',
                        'last_name', w.row -> 'last_name',
                        'avatar', w.row -> 'avatar',
                        'locale', w.row -> 'locale',
                        'timezone', w.row -> 'timezone',
                        'data', w.row -> 'data'
                    ) || case
                        when hashed.credentials_hash is distinct from k.credentials_hash
                        then jsonb_build_object(
                            'credentials', w.row -> 'credentials', 'credentials_hash', hashed.credentials_hash
                        )
                        else '{}'
                    end
                )::text
            end as text
        from notify.recipient r
        cross join lateral (
            -- Once for each: without the offset it would be made anew for every member that is read of it.
            select case when pg_column_size(r) <= 4 * c_bytes then to_jsonb(r) end as row
            offset 0
        ) as w
        cross join lateral (
            select encode(sha256(convert_to(nullif(nullif(w.row -> 'credentials', 'null'), '[]')::text, 'UTF8')), 'hex')
                as credentials_hash
        ) as hashed
        left join notify.recipient_kept k
            on k.enterprise_id = p_enterprise_id and k.subscriber_id = r.subscriber_id::text
            and hashed.credentials_hash is not null
        where r.enterprise_id::text = p_enterprise_id
            and r.subscriber_id::text = any (p_subscriber_ids)
    ) as known;

    return jsonb_build_object('known', v_known);
exception
    -- What the view says wrongly it will say again; what passes (a lock, a lost connection) is for the caller to repeat.
    when syntax_error_or_access_rule_violation or data_exception or cardinality_violation
        or external_routine_exception or feature_not_supported or raise_exception
    then
        return jsonb_build_object('known', jsonb '{}', 'fault', sqlstate);
end
$$;
