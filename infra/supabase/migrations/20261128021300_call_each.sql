-- What a worker asks for several enterprises at about the same time, in one statement: each call is the existing function's
-- work, for one enterprise alone, and what fails in one undoes and holds up no other. The contract is
-- docs/database_functions.md.

create or replace function notify.call_one(p_function text, a jsonb)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
    case p_function
        when 'claim_batch' then
            return notify.claim_batch(
                a ->> 'p_enterprise_id',
                array(select id.value::bigint from jsonb_array_elements_text(a -> 'p_notification_ids') as id),
                a ->> 'p_claim_owner',
                (a ->> 'p_lease_seconds')::int,
                (a ->> 'p_keyed')::boolean,
                (a ->> 'p_uncalled')::boolean
            );
        when 'claim_followed_batch' then
            return notify.claim_followed_batch(
                a ->> 'p_enterprise_id',
                array(select id.value::bigint from jsonb_array_elements_text(a -> 'p_notification_ids') as id),
                a ->> 'p_claim_owner',
                (a ->> 'p_lease_seconds')::int,
                (a ->> 'p_keyed')::boolean,
                (a ->> 'p_uncalled')::boolean
            );
        when 'record_outcomes' then
            return notify.record_outcomes(a ->> 'p_enterprise_id', a ->> 'p_claim_owner', a -> 'p_outcomes');
        when 'record_followed_outcomes' then
            return notify.record_followed_outcomes(
                a ->> 'p_enterprise_id', a ->> 'p_claim_owner', a -> 'p_outcomes',
                (a ->> 'p_look_after_seconds')::double precision
            );
        when 'renew_claims' then
            return notify.renew_claims(
                a ->> 'p_enterprise_id', a ->> 'p_claim_owner', a -> 'p_chunks_sent', (a ->> 'p_lease_seconds')::int
            );
        when 'hold_claims' then
            return notify.hold_claims(
                a ->> 'p_enterprise_id', a ->> 'p_claim_owner', a -> 'p_rows', (a ->> 'p_lease_seconds')::int
            );
        when 'note_delivery_faults' then
            return notify.note_delivery_faults(
                a ->> 'p_enterprise_id',
                a ->> 'p_claim_owner',
                array(select id.value::bigint from jsonb_array_elements_text(a -> 'p_notification_ids') as id),
                a ->> 'p_code'
            );
        else
            raise exception 'this function is not called together with others' using errcode = 'invalid_parameter_value';
    end case;
end
$$;

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
    v_call jsonb;
    v_answer jsonb;
    v_answers jsonb[] := '{}';
    v_bytes bigint := 0;
begin
    for v_call in select call.value from jsonb_array_elements(p_calls) as call loop
        v_answer := null;
        if v_bytes < c_bytes then
            begin
                v_answer := notify.call_one(v_call ->> 'function', v_call -> 'arguments');
                v_bytes := v_bytes + pg_column_size(v_answer);
            exception
                -- Whatever it was, it is told again to who asks for this alone.
                when others or assert_failure then
                    null;
            end;
        end if;
        v_answers := array_append(v_answers, v_answer);
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
        where p.pronamespace = 'notify'::regnamespace and p.proname in ('call_one', 'call_each')
    loop
        execute format('revoke all on function %s from public, anon, authenticated', function);
        execute format('grant execute on function %s to service_role', function);
    end loop;
end
$$;
