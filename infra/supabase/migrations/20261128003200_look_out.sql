-- What a listener asks of the database regularly, because Realtime tells it nothing of it: whose rules no scheduler has
-- read, and whether row changes can reach it at all. The contract is docs/database_functions.md.

create or replace function notify.look_out(p_enterprise_ids text[])
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
    select jsonb_build_object(
        'unread_rules', (
            select coalesce(jsonb_object_agg(enterprise.id, extract(epoch from now() - unread.since)), '{}')
            from (select distinct e.id from unnest(p_enterprise_ids) as e (id)) as enterprise
            cross join lateral (
                select u.changed_at as since
                from notify.unread_rules u
                where u.enterprise_id = enterprise.id
                order by u.changed_at
                limit 1
            ) as unread
        ),
        'flaws', (
            select coalesce(
                jsonb_agg(jsonb_build_object('what', flaw.what, 'mend', flaw.mend) order by relied.name, flaw.what), '[]'
            )
            from (
                values
                    (
                        'ent_notification',
                        array[
                            'id', 'enterprise_id', 'notification_status', 'publish_status', 'deactivated', 'scheduled_for',
                            'transaction_id', 'cancellation'
                        ]
                    ),
                    ('ent_notification_rule', array['id', 'enterprise_id']),
                    ('listener_canary', array['listener_id', 'beat'])
            ) as relied (name, columns)
            join pg_catalog.pg_class c on c.relname = relied.name and c.relnamespace = 'notify'::regnamespace
            left join pg_catalog.pg_publication p on p.pubname = 'supabase_realtime'
                and (
                    p.puballtables
                    or exists (
                        select from pg_catalog.pg_publication_rel r where r.prpubid = p.oid and r.prrelid = c.oid
                    )
                    or exists (
                        select from pg_catalog.pg_publication_namespace s
                        where s.pnpubid = p.oid and s.pnnspid = c.relnamespace
                    )
                )
            left join pg_catalog.pg_publication_rel m on m.prpubid = p.oid and m.prrelid = c.oid
            cross join lateral (
                values
                    (
                        p.oid is null,
                        format('notify.%I is not in publication supabase_realtime', relied.name),
                        format('alter publication supabase_realtime add table notify.%I', relied.name)
                    ),
                    (
                        not (p.pubinsert and p.pubupdate),
                        format('inserts or updates of notify.%I are not published', relied.name),
                        'alter publication supabase_realtime set (publish = ''insert, update, delete, truncate'')'
                    ),
                    (
                        m.prattrs is not null or m.prqual is not null,
                        format('notify.%I is published in part only', relied.name),
                        format(
                            'alter publication supabase_realtime drop table notify.%1$I; '
                            'alter publication supabase_realtime add table notify.%1$I',
                            relied.name
                        )
                    ),
                    (
                        -- A published table without an identity refuses its every UPDATE.
                        c.relreplident = 'n'
                            or c.relreplident in ('d', 'i')
                            and not exists (
                                select from pg_catalog.pg_index i
                                where i.indrelid = c.oid
                                    and case c.relreplident when 'd' then i.indisprimary else i.indisreplident end
                            ),
                        format('notify.%I has no replica identity', relied.name),
                        format('alter table notify.%I replica identity default', relied.name)
                    ),
                    (
                        exists (
                            select from pg_catalog.pg_attribute a
                            where a.attrelid = c.oid and a.attname = any (relied.columns) and not a.attisdropped
                                and not has_column_privilege(c.oid, a.attnum, 'select')
                        ),
                        format('%I may not select from notify.%I', current_user, relied.name),
                        format('grant select on notify.%I to %I', relied.name, current_user)
                    ),
                    (
                        row_security_active(c.oid),
                        format('row-level security keeps rows of notify.%I from %I', relied.name, current_user),
                        format('alter role %I bypassrls', current_user)
                    )
            ) as flaw (is_so, what, mend)
            where flaw.is_so
        )
    )
$$;

-- The new functions belong to the service key alone, as the others do.
do $$
declare
    function regprocedure;
begin
    for function in
        select p.oid from pg_catalog.pg_proc p
        where p.pronamespace = 'notify'::regnamespace
            and p.proname in ('mark_unread_rules', 'read_cron_rules', 'look_out')
    loop
        execute format('revoke all on function %s from public, anon, authenticated', function);
        execute format('grant execute on function %s to service_role', function);
    end loop;
end
$$;
