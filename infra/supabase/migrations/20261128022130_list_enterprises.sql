-- What an operator sees of enterprises, one after the other. The contract is docs/database_functions.md.

create or replace function notify.list_enterprises(p_search text, p_after text, p_limit int)
returns jsonb
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
    if p_limit is null or p_limit <= 0 then
        raise exception 'a page has at least one enterprise' using errcode = 'invalid_parameter_value';
    end if;
    return (
        select coalesce(
            jsonb_agg(
                jsonb_build_object(
                    'enterprise_id', page.enterprise_id,
                    'served', page.served,
                    'known_since', page.known_since,
                    'changed_at', page.changed_at,
                    'rules_seen_to_at', notify.readable_instant(cron.last_pass_at),
                    'next_rule_at', notify.readable_instant(cron.next_due_at)
                )
                order by page.enterprise_id
            ),
            '[]'
        )
        from (
            select e.*
            from notify.enterprise e
            where e.enterprise_id > coalesce(p_after, '')
                and strpos(lower(e.enterprise_id), lower(coalesce(p_search, ''))) > 0
            order by e.enterprise_id
            limit p_limit
        ) as page
        left join notify.scheduler_pass cron on cron.enterprise_id = page.enterprise_id and cron.scheduler = 'cron'
    );
end
$$;

revoke all on function notify.list_enterprises(text, text, int) from public, anon, authenticated;
grant execute on function notify.list_enterprises(text, text, int) to service_role;
