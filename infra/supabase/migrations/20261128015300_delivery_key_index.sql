-- Writers wait while the table is read once: a second or so for a million rows. Rows without a key are left out.

create unique index if not exists ent_notification_delivery_key
    on notify.ent_notification (delivery_key)
    where delivery_key is not null;
