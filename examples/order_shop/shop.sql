-- A shop with tables of its own. When an order has been shipped, its customer hears of it: by mail, in the app, by SMS, push
-- and chat. The shop's code updates its order and knows nothing of notifications.

create schema if not exists shop;

create table shop.purchase (
    number text primary key,
    customer text not null,
    status text not null default 'placed',
    url text not null
);

-- Whom to reach, and where. A view on the shop's own customers would do as well.
insert into notify.recipient (enterprise_id, subscriber_id, email, phone, first_name, credentials)
values (
    'dev', 'customer-7', 'grace@example.org', '+12025550107', 'Grace',
    '[{"providerId": "fcm", "channel": "PUSH", "deviceTokens": ["a token of the application on her telephone"]},
      {"providerId": "slack", "channel": "CHAT", "webhookUrl": "https://hooks.example.org/her/channel"}]'
);

-- What they hear.
with template as (
    insert into notify.ent_notification_template
        (name, enterprise_id, publish_status, template_key, channel_type, subject_template, body_template)
    values
        ('Shop, mail', 'dev', 'PUBLISH', 'dev-shop-email', 'EMAIL', 'Order {{ number }} is on its way',
         '<p>Look <a href="{{ url }}">where it is</a>.</p>'),
        ('Shop, in-app', 'dev', 'PUBLISH', 'dev-shop-in-app', 'IN_APP', null, 'Order {{ number }} has left us.'),
        ('Shop, SMS', 'dev', 'PUBLISH', 'dev-shop-sms', 'SMS', null, 'Order {{ number }}: {{ url }}'),
        ('Shop, push', 'dev', 'PUBLISH', 'dev-shop-push', 'PUSH', 'On its way', 'Order {{ number }} has left us.'),
        ('Shop, chat', 'dev', 'PUBLISH', 'dev-shop-chat', 'CHAT', null, 'Order {{ number }} has left us.')
    returning id, channel_type::text as channel
)
insert into notify.ent_notification_workflow
    (name, enterprise_id, publish_status, workflow_key, workflow_type, default_channels, template_overrides)
select
    'Shop, shipped', 'dev', 'PUBLISH', 'dev-shop-shipped', 'DYNAMIC', '{EMAIL,IN_APP,SMS,PUSH,CHAT}',
    jsonb_build_object(
        'emailTemplateId', max(id) filter (where channel = 'EMAIL'),
        'inAppTemplateId', max(id) filter (where channel = 'IN_APP'),
        'smsTemplateId', max(id) filter (where channel = 'SMS'),
        'pushTemplateId', max(id) filter (where channel = 'PUSH'),
        'chatTemplateId', max(id) filter (where channel = 'CHAT')
    )
from template;

-- When. The name is unique in its enterprise: an order that is said to be shipped twice notifies once.
create function shop.tell_customer()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
    insert into notify.ent_notification
        (name, enterprise_id, publish_status, notification_workflow_id, recipients, channels, payload)
    select
        'shipped ' || new.number, 'dev', 'PUBLISH', w.id, array[new.customer], null,
        jsonb_build_object('number', new.number, 'url', new.url)
    from notify.ent_notification_workflow w
    where w.workflow_key = 'dev-shop-shipped'
    on conflict (name, enterprise_id) do nothing;
    return null;
end
$$;

create trigger tell_customer
after update of status on shop.purchase
for each row when (new.status = 'shipped' and old.status is distinct from 'shipped')
execute function shop.tell_customer();
