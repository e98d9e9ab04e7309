-- The doorbell: row changes of these tables reach the listener through Supabase Realtime.

do $$
declare
    relation regclass;
begin
    if not exists (select from pg_catalog.pg_publication where pubname = 'supabase_realtime') then
        create publication supabase_realtime;
    end if;

    -- Whole tables, no column list and no row filter: Realtime's decoder (wal2json) knows neither. What is to be
    -- received is said in the subscription.
    for relation in
        select wanted::regclass
        from unnest(array['notify.ent_notification', 'notify.ent_notification_rule', 'notify.listener_canary']) as wanted
        where not exists (
            select from pg_catalog.pg_publication_tables published
            where published.pubname = 'supabase_realtime'
                and format('%I.%I', published.schemaname, published.tablename)::regclass = wanted::regclass
        )
    loop
        execute format('alter publication supabase_realtime add table %s', relation);
    end loop;

    -- The primary key is identity enough (the default): the listener selects only the columns that route and the
    -- worker reads the row itself. REPLICA IDENTITY FULL would write every payload into the WAL once more with each
    -- change of status. NOTHING, however, would make every published UPDATE fail.
    for relation in
        select c.oid from pg_catalog.pg_class c
        where c.relnamespace = 'notify'::regnamespace
            and c.relname in ('ent_notification', 'ent_notification_rule', 'listener_canary')
            and c.relreplident = 'n'
    loop
        execute format('alter table %s replica identity default', relation);
    end loop;
end
$$;
