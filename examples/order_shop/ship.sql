-- The shop at work, once `xnovu novu apply --enterprise dev --yes` has made its workflow at Novu.

insert into shop.purchase (number, customer, url)
values ('A-17', 'customer-7', 'https://shop.example.org/orders/A-17');

update shop.purchase set status = 'shipped' where number = 'A-17';
