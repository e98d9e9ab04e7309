-- What the tables hold, anybody may have written. These say what of it a reader outside PostgreSQL can take: one value
-- that it cannot must not make a whole answer unreadable.

-- Some programs know no instant before year 1 or after 9999, in any time zone; and neither infinity.
create or replace function notify.readable_instant(p_instant timestamptz)
returns timestamptz
language sql
immutable
security invoker
set search_path = ''
as $$
    select case
        when p_instant > '9999-12-01 00:00:00+00' then '9999-12-01 00:00:00+00'
        when p_instant < '0001-02-01 00:00:00+00' then '0001-02-01 00:00:00+00'
        else p_instant
    end
$$;
comment on function notify.readable_instant(timestamptz) is 'The nearest instant that every reader knows.';

create or replace function notify.json_bytes(p_value jsonb)
returns bigint
language plpgsql
immutable
security invoker
set search_path = ''
as $$
begin
    return octet_length(p_value::text);
exception
    -- Text longer than PostgreSQL can make: written with escapes, a value can be six times as long as it is stored.
    when program_limit_exceeded or internal_error then
        return 2147483647;
end
$$;
comment on function notify.json_bytes(jsonb) is 'How long the value is as text; never fails.';

-- For small values that travel as JSON: readers' recursion and their integers have an end.
create or replace function notify.unreadable_json(p_value jsonb, p_most_bytes int)
returns text
language sql
immutable
security invoker
set search_path = ''
as $$
    select case
        when notify.json_bytes(p_value) > p_most_bytes then format('is larger than %s KB', p_most_bytes / 1024)
        when jsonb_path_exists(p_value, '$.**{100}') then 'nests deeper than 100'
        when p_value::text ~ '[0-9]{150}[0-9]{150}' then 'holds a number of 300 digits'
    end
$$;
comment on function notify.unreadable_json(jsonb, int) is 'Why not every reader can take the value; null if it can.';
