-- Which row a transaction id at Novu belongs to: for who comes from a message and asks what became of it.

create or replace function notify.notification_of_key(p_delivery_key text)
returns bigint
language sql
stable
security invoker
set search_path = ''
as $$
    select n.id from notify.ent_notification n where n.delivery_key = p_delivery_key
$$;

revoke all on function notify.notification_of_key(text) from public, anon, authenticated;
grant execute on function notify.notification_of_key(text) to service_role;
