-- One partial index for each way a row can be due, so that asking "is anything due?" costs an empty probe however
-- many rows were sent before or are scheduled for later. A row leaves these indexes when it is sent.
-- Expressions and predicates must be written as due_notifications writes them, or the planner cannot use the index;
-- that function also says why `id + 0`.

create index if not exists ent_notification_pending_unscheduled
    on notify.ent_notification ((enterprise_id::text), (id + 0))
    where notification_status = 'PENDING' and publish_status = 'PUBLISH' and not deactivated and scheduled_for is null;

create index if not exists ent_notification_pending_scheduled
    on notify.ent_notification ((enterprise_id::text), scheduled_for)
    where notification_status = 'PENDING' and publish_status = 'PUBLISH' and not deactivated and scheduled_for is not null;

-- A PROCESSING row without a lease was claimed before leases existed: it counts as long expired.
create index if not exists ent_notification_leases
    on notify.ent_notification ((enterprise_id::text), (coalesce(lease_expires_at, '-infinity'::timestamptz)))
    where notification_status = 'PROCESSING' and publish_status = 'PUBLISH' and not deactivated;
