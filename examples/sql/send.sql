-- A row, once `xnovu novu apply --enterprise dev --yes` has made its workflow at Novu. Whoever inserts it is done.

insert into notify.ent_notification
    (name, enterprise_id, publish_status, notification_workflow_id, recipients, channels, payload)
select 'receipt 17', 'dev', 'PUBLISH', id, '{ada}', null, '{"name": "Ada", "number": "17"}'
from notify.ent_notification_workflow
where workflow_key = 'dev-receipt'
returning id;
