-- Several rows for very many people are not claimed together: their answer weighed more than a worker takes, and the rows were
-- claimed, in doubt, and handed over together again, for ever. As it was, but for what recipients weigh.

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
