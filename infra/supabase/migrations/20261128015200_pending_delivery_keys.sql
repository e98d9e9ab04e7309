-- Rows that wait to be sent get their key now, so that a copy of this database will know it. Locks these rows, one by
-- one; all others get none: what is sent keeps the id it was sent under.

do $$
begin
    update notify.ent_notification
    set delivery_key = replace(gen_random_uuid()::text, '-', '')
    where notification_status = 'PENDING' and delivery_key is null;
exception
    -- A constraint or trigger of the project's own refuses some row: then each gets its key when it is claimed.
    when integrity_constraint_violation or raise_exception then
        raise notice 'rows that wait get their delivery_key when they are claimed: %', sqlerrm;
end
$$;
