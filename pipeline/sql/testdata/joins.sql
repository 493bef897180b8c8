SELECT c.id AS customer_id, c.name, c.city, count(o.id) AS orders, coalesce(sum(o.total), 0) AS spent
FROM shop.public.customers c LEFT JOIN shop.public.orders o ON o.customer_id = c.id AND o.state = 'paid'
WHERE c.vip
GROUP BY c.id, c.name, c.city
----
view by (customer_id)
#1 map c.id AS customer_id, c.name AS name, c.city AS city, count(o.id) AS orders, COALESCE(sum(o.total), 0) AS spent  unique (customer_id)
  #2 group by (id, name, city); count(o.id); sum(o.total)  unique (id, name, city)
    #3 left join (id) = (customer_id)  unique (id, id)
      #4 map id, name, city  unique (id)
        #5 filter c.vip  unique (id)
          #6 scan shop.public.customers (id, name, city, vip)  unique (id)
      #7 map id, total, o.customer_id AS customer_id  unique (id)
        #8 filter o.state = 'paid'  unique (id)
          #9 scan shop.public.orders (id, customer_id, total, state)  unique (id)
----
SELECT o.id, c.name, l.line, l.qty * l.price AS amount
FROM shop.public.orders o, shop.public.customers c, shop.public.lines l
WHERE l.order_id = o.id AND c.id = o.customer_id AND o.total > 10 AND c.city = 'Berlin' AND l.qty < o.total
----
view by (id, line)
#1 map o.id AS id, c.name AS name, l.line AS line, l.qty * l.price AS amount  unique (id, line)
  #2 join (id) = (order_id) and l.qty < o.total  unique (order_id, line) (id, line)
    #3 map id, total, name  unique (id)
      #4 join (customer_id) = (id)  unique (id)
        #5 filter o.total > 10  unique (id)
          #6 scan shop.public.orders (id, customer_id, total)  unique (id)
        #7 map name, c.id AS id  unique (id)
          #8 filter c.city = 'Berlin'  unique (id)
            #9 scan shop.public.customers (id, name, city)  unique (id)
    #10 scan shop.public.lines (order_id, line, qty, price)  unique (order_id, line)
----
SELECT t.customer_id, t.spent, c.name FROM order_totals t JOIN shop.public.customers c ON c.id = t.customer_id WHERE t.customer_id > 5
----
view by (customer_id)
#1 map t.customer_id AS customer_id, t.spent AS spent, c.name AS name  unique (customer_id)
  #2 join (customer_id) = (id)  unique (customer_id) (id)
    #3 map customer_id, sum(total) AS spent  unique (customer_id)
      #4 group by (customer_id); sum(total)  unique (customer_id)
        #5 map customer_id, total  rows may repeat
          #6 filter total > 100 AND t.customer_id > 5  unique (id)
            #7 scan shop.public.orders (id, customer_id, total)  unique (id)
    #8 scan shop.public.customers (id, name)  unique (id)
----
SELECT a.id, b.id AS other FROM shop.public.orders a JOIN shop.public.orders b USING (customer_id) WHERE a.id < b.id
----
view by (id, other)
#1 map a.id AS id, b.id AS other  unique (id, other)
  #2 join (customer_id) = (customer_id) and a.id < b.id  unique (id, id)
    #3 scan shop.public.orders (id, customer_id)  unique (id)
    #3 again
----
SELECT c.id, o.id AS order_id FROM shop.public.orders o RIGHT JOIN shop.public.customers c ON c.id = o.customer_id WHERE o.total IS NULL AND c.vip
----
view by (id, order_id)
#1 map c.id AS id, o.id AS order_id  unique (id, order_id)
  #2 filter o.total IS NULL  unique (id, id)
    #3 left join (id) = (customer_id)  unique (id, id)
      #4 map id  unique (id)
        #5 filter c.vip  unique (id)
          #6 scan shop.public.customers (id, vip)  unique (id)
      #7 scan shop.public.orders (id, customer_id, total)  unique (id)
----
SELECT o.id, o.total, t.n FROM shop.public.orders o JOIN (SELECT count(*) AS n FROM shop.public.orders) AS t ON TRUE
----
view by (id)
#1 map o.id AS id, o.total AS total, t.n AS n  unique (id)
  #2 join (1) = (1)  unique (id)
    #3 map id, total, 1  unique (id)
      #4 scan shop.public.orders (id, total)  unique (id)
    #5 map n, 1  unique ()
      #6 map count(*) AS n  unique ()
        #7 aggregate all rows; count(*)  unique ()
          #4 again
----
SELECT l.order_id, l.line, c.id FROM shop.public.lines l JOIN shop.public.customers c ON l.qty = c.id + 1 AND c.code = l.sku
----
view by (order_id, line, id)
#1 map l.order_id AS order_id, l.line AS line, c.id AS id  unique (order_id, line, id)
  #2 join (qty, sku) = (c.id + 1, c.code)  unique (order_id, line, id)
    #3 scan shop.public.lines (order_id, line, sku, qty)  unique (order_id, line)
    #4 map id, c.id + 1, c.code  unique (id)
      #5 scan shop.public.customers (id, code)  unique (id)
----
SELECT x.id, z.id AS zid, y.id AS yid FROM shop.public.orders x, crm.public.people y, shop.public.customers z WHERE x.customer_id = z.id AND y.age = z.id AND (x.total > 5 OR z.vip)
----
view by (id, yid)
#1 map x.id AS id, z.id AS zid, y.id AS yid  unique (id, yid)
  #2 join (id) = (y.age)  unique (id, id)
    #3 map id, id  unique (id)
      #4 join (customer_id) = (id) and x.total > 5 OR z.vip  unique (id)
        #5 scan shop.public.orders (id, customer_id, total)  unique (id)
        #6 scan shop.public.customers (id, vip)  unique (id)
    #7 map id, y.age  unique (id)
      #8 scan crm.public.people (id, age)  unique (id)
