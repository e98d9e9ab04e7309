-- Not one of the migrations: for projects that have outgrown one table (docs/scale.md, decision 103). Makes
-- notify.ent_notification, with all it holds, a table of sixteen partitions by hash of enterprise_id. In one transaction,
-- under a lock that keeps writers off for as long as copying takes. Again on its own result it does nothing.
--
-- PostgreSQL 17 or newer; enterprise_id text, which a fresh project has; no row without one.

do $$
declare
    c_partitions constant int := 16;
    -- What refers to a notification by its id, and knows whose it is: both together are the key of a partitioned table.
    c_followers constant text[] := array['delivery_account', 'trigger_request'];
    v_old constant regclass := 'notify.ent_notification';
    v_key constant smallint := (
        select a.attnum from pg_catalog.pg_attribute a
        where a.attrelid = 'notify.ent_notification'::regclass and a.attname = 'enterprise_id'
    );
    v_number bigint;
    v_name text;
    v_text text;
    v_texts text[] := '{}';
    v_functions text[];
    v_owner text;
begin
    if (select c.relkind = 'p' from pg_catalog.pg_class c where c.oid = v_old) then
        raise notice 'notify.ent_notification is partitioned already';
        return;
    end if;
    if current_setting('server_version_num')::int < 170000 then
        raise exception 'a partitioned table with an identity column needs PostgreSQL 17 or newer'
            using errcode = 'feature_not_supported';
    end if;
    if (
        select a.atttypid <> 'text'::regtype from pg_catalog.pg_attribute a
        where a.attrelid = v_old and a.attname = 'enterprise_id'
    ) then
        raise exception 'enterprise_id is not text: functions read enterprise_id::text, which would not tell the partition'
            using errcode = 'feature_not_supported';
    end if;
    lock table notify.ent_notification in access exclusive mode;
    select count(*) into v_number from notify.ent_notification n where n.enterprise_id is null;
    if v_number > 0 then
        raise exception '% notifications have no enterprise_id, and belong to no partition: delete them, or give them one', v_number
            using errcode = 'not_null_violation';
    end if;
    select string_agg(k.conrelid::regclass::text, ', ') into v_name
    from pg_catalog.pg_constraint k
    where k.confrelid = v_old
        and k.conrelid <> all (select format('notify.%I', follower)::regclass from unnest(c_followers) as follower);
    if v_name is not null then
        raise exception 'foreign keys of % refer to notifications by id alone, which is no key of a partitioned table', v_name
            using errcode = 'feature_not_supported';
    end if;

    -- What is to be made anew, in the words that PostgreSQL has for it, while the names are still those of old.
    select coalesce(array_agg(pg_catalog.pg_get_functiondef(p.oid)), '{}') into v_functions
    from pg_catalog.pg_proc p
    where p.oid in (
        select d.objid
        from pg_catalog.pg_depend d
        where d.classid = 'pg_catalog.pg_proc'::regclass
            and d.refobjid in (
                select t.oid from pg_catalog.pg_type t
                where t.typrelid = v_old
                    or t.typelem = (select c.reltype from pg_catalog.pg_class c where c.oid = v_old)
            )
    );
    select v_texts || coalesce(
        array_agg(
            case
                -- A unique key of a partitioned table holds what chooses the partition.
                when i.indisunique and v_key <> all (i.indkey::smallint[])
                then replace(pg_catalog.pg_get_indexdef(i.indexrelid), '(' || key.columns || ')', '(' || key.columns || ', enterprise_id)')
                else pg_catalog.pg_get_indexdef(i.indexrelid)
            end
        ),
        '{}'
    )
    into v_texts
    from pg_catalog.pg_index i
    cross join lateral (
        select string_agg(pg_catalog.pg_get_indexdef(i.indexrelid, place, false), ', ' order by place) as columns
        from generate_series(1, i.indnkeyatts) as place
    ) as key
    where i.indrelid = v_old
        and not exists (select from pg_catalog.pg_constraint k where k.conindid = i.indexrelid and k.conrelid = v_old);
    select v_texts || coalesce(
        array_agg(format('alter table notify.ent_notification add constraint %I %s', k.conname, pg_catalog.pg_get_constraintdef(k.oid))
            order by k.conname),
        '{}'
    )
    into v_texts
    from pg_catalog.pg_constraint k
    where k.conrelid = v_old and k.contype in ('u', 'f');
    select v_texts || coalesce(array_agg(pg_catalog.pg_get_triggerdef(t.oid) order by t.tgname), '{}')
    into v_texts
    from pg_catalog.pg_trigger t
    where t.tgrelid = v_old and not t.tgisinternal;
    select v_texts || coalesce(
        array_agg(
            format('create policy %I on notify.ent_notification as %s for %s to %s', p.policyname, p.permissive, p.cmd,
                (select string_agg(case r when 'public' then r else quote_ident(r) end, ', ') from unnest(p.roles::text[]) as r))
            || coalesce(format(' using (%s)', p.qual), '') || coalesce(format(' with check (%s)', p.with_check), '')
        ),
        '{}'
    )
    into v_texts
    from pg_catalog.pg_policies p
    where p.schemaname = 'notify' and p.tablename = 'ent_notification';
    select v_texts || coalesce(
        array_agg(format('grant %s on notify.ent_notification to %s', a.privilege_type,
            case a.grantee when 0 then 'public' else a.grantee::regrole::text end)),
        '{}'
    )
    into v_texts
    from pg_catalog.pg_class c
    cross join lateral aclexplode(c.relacl) as a
    where c.oid = v_old and a.grantee <> c.relowner;
    select v_texts || coalesce(
        array_agg(format('alter publication %I add table notify.ent_notification', p.pubname))
            || array_agg(format('alter publication %I set (publish_via_partition_root = true)', p.pubname)),
        '{}'
    )
    into v_texts
    from pg_catalog.pg_publication_rel r
    join pg_catalog.pg_publication p on p.oid = r.prpubid
    where r.prrelid = v_old;
    v_texts := v_texts || format('comment on table notify.ent_notification is %L', pg_catalog.obj_description(v_old));
    select c.relowner::regrole::text into v_owner from pg_catalog.pg_class c where c.oid = v_old;

    -- Out of the way.
    for v_text in
        select format('alter table %s drop constraint %I', k.conrelid::regclass, k.conname)
        from pg_catalog.pg_constraint k where k.confrelid = v_old
    loop
        execute v_text;
    end loop;
    for v_text in
        select format('alter index notify.%I rename to %I', c.relname, left(c.relname, 55) || '_before')
        from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid where i.indrelid = v_old
    loop
        execute v_text;
    end loop;
    alter table notify.ent_notification rename to ent_notification_before;
    alter sequence notify.ent_notification_id_seq rename to ent_notification_id_seq_before;

    create table notify.ent_notification (
        like notify.ent_notification_before
        including defaults including constraints including identity including storage including comments including generated
    ) partition by hash (enterprise_id);
    execute format('alter table notify.ent_notification owner to %s', v_owner);
    for v_number in 0..c_partitions - 1 loop
        execute format(
            'create table notify.ent_notification_%s partition of notify.ent_notification for values with (modulus %s, remainder %s)',
            lpad(v_number::text, 2, '0'), c_partitions, v_number
        );
        -- What is granted and allowed is so of the whole: nobody is to get at a partition beside it.
        execute format('alter table notify.ent_notification_%s owner to %s', lpad(v_number::text, 2, '0'), v_owner);
        execute format('alter table notify.ent_notification_%s enable row level security', lpad(v_number::text, 2, '0'));
        execute format(
            'revoke all on notify.ent_notification_%s from public, anon, authenticated, service_role', lpad(v_number::text, 2, '0')
        );
    end loop;
    alter table notify.ent_notification enable row level security;
    revoke all on notify.ent_notification from public, anon, authenticated;

    insert into notify.ent_notification overriding system value select * from notify.ent_notification_before;
    perform pg_catalog.setval(
        pg_catalog.pg_get_serial_sequence('notify.ent_notification', 'id')::regclass,
        s.last_value, s.is_called
    )
    from notify.ent_notification_id_seq_before s;

    alter table notify.ent_notification add constraint ent_notification_pkey primary key (id, enterprise_id);
    foreach v_name in array c_followers loop
        v_texts := v_texts || format(
            'alter table notify.%I add constraint %I foreign key (notification_id, enterprise_id)'
            ' references notify.ent_notification (id, enterprise_id) on delete cascade',
            v_name, v_name || '_notification_id_fkey'
        );
    end loop;
    foreach v_text in array v_texts loop
        execute v_text;
    end loop;

    -- Functions of a row are of the new table's rows from now on; who may call them stays as it was.
    for v_name, v_text in
        select format('drop function %s', p.oid::regprocedure),
            (
                select string_agg(
                    format('grant execute on function %s to %s',
                        replace(p.oid::regprocedure::text, 'ent_notification_before', 'ent_notification'),
                        case a.grantee when 0 then 'public' else a.grantee::regrole::text end
                    ), '; '
                )
                from aclexplode(p.proacl) as a where a.grantee <> p.proowner
            )
        from pg_catalog.pg_proc p
        where p.proargtypes::oid[] && array[(select c.reltype from pg_catalog.pg_class c where c.oid = v_old)]
    loop
        execute v_name;
        v_functions := v_functions || format(
            'revoke all on function %s from public, anon, authenticated, service_role',
            replace(substr(v_name, 15), 'ent_notification_before', 'ent_notification')
        ) || coalesce(v_text, '');
    end loop;
    foreach v_text in array v_functions loop
        continue when v_text = '';
        execute v_text;
    end loop;
    drop table notify.ent_notification_before;
end
$$;

notify pgrst, 'reload schema';
