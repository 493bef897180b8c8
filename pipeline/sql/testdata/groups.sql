SELECT count(*) AS n, sum(total) AS s, avg(total) AS a, min(placed) AS first FROM shop.public.orders
----
view by ()
#1 map count(*) AS n, sum(total) AS s, avg(total) AS a, min(placed) AS first  unique ()
  #2 aggregate all rows; count(*); sum(total); avg(total); min(placed)  unique ()
    #3 scan shop.public.orders (id, total, placed)  unique (id)
----
SELECT city, upper(city) AS up, string_agg(name, ', ' ORDER BY id DESC) AS people, array_agg(id) AS ids, count(DISTINCT vip) AS v
FROM shop.public.customers GROUP BY city HAVING count(*) > 1 AND city <> 'x'
----
view by (city)
#1 map city, upper(city) AS up, string_agg(name, ', ' ORDER BY id DESC) AS people, array_agg(id) AS ids, count(DISTINCT vip) AS v  unique (city)
  #2 filter count(*) > 1  unique (city)
    #3 group by (city); string_agg(name, ', ' ORDER BY id DESC) {order: id DESC}; array_agg(id) {order: id}; count(DISTINCT vip); count(*)  unique (city)
      #4 map city, name, ', ', id, vip  unique (id)
        #5 filter city <> 'x'  unique (id)
          #6 scan shop.public.customers (id, name, city, vip)  unique (id)
----
SELECT DISTINCT state FROM shop.public.orders WHERE total > 5
----
view by (state)
#1 distinct (state)  unique (state)
  #2 map state  rows may repeat
    #3 filter total > 5  unique (id)
      #4 scan shop.public.orders (id, total, state)  unique (id)
----
SELECT date_trunc('month', placed) AS month, count(*) FILTER (WHERE total > 100) AS big FROM shop.public.orders GROUP BY 1
----
view by (month)
#1 map date_trunc('month', placed) AS month, count(*) FILTER (WHERE total > 100) AS big  unique (month)
  #2 group by (date_trunc('month', placed)); count(*) FILTER (WHERE total > 100)  unique (date_trunc('month', placed))
    #3 map date_trunc('month', placed), total > 100  rows may repeat
      #4 scan shop.public.orders (id, total, placed)  unique (id)
----
SELECT o.id, o.total, count(l.line) AS lines FROM shop.public.orders o LEFT JOIN shop.public.lines l ON l.order_id = o.id GROUP BY o.id
----
view by (id)
#1 map o.id AS id, o.total AS total, count(l.line) AS lines  unique (id)
  #2 group by (id, total); count(l.line)  unique (id, total)
    #3 left join (id) = (order_id)  unique (id, line)
      #4 scan shop.public.orders (id, total)  unique (id)
      #5 scan shop.public.lines (order_id, line)  unique (order_id, line)
----
SELECT id, total FROM big_orders UNION ALL SELECT order_id, price FROM shop.public.lines
----
1:1: nothing in the query identifies a row of the result [SQL_KEY]
  mend: name the view's `key`, or select the keys of its tables
----
SELECT id FROM big_orders UNION SELECT order_id FROM shop.public.lines
----
view by (id)
#1 distinct (id)  unique (id)
  #2 union all  rows may repeat
    #3 map id  unique (id)
      #4 map id  unique (id)
        #5 filter total > 100  unique (id)
          #6 scan shop.public.orders (id, total)  unique (id)
    #7 map order_id  rows may repeat
      #8 scan shop.public.lines (order_id, line)  unique (order_id, line)
----
WITH per AS (SELECT order_id, sum(qty) AS q FROM shop.public.lines GROUP BY order_id)
SELECT a.order_id, a.q + b.q AS two FROM per a JOIN per b ON a.order_id = b.order_id WHERE a.order_id = 7
----
view by (order_id)
#1 map a.order_id AS order_id, a.q + b.q AS two  unique (order_id)
  #2 join (order_id) = (order_id)  unique (order_id) (order_id)
    #3 map order_id, sum(qty) AS q  unique (order_id)
      #4 group by (order_id); sum(qty)  unique (order_id)
        #5 filter a.order_id = 7  unique (order_id, line)
          #6 scan shop.public.lines (order_id, line, qty)  unique (order_id, line)
    #7 map order_id, sum(qty) AS q  unique (order_id)
      #8 group by (order_id); sum(qty)  unique (order_id)
        #6 again
----
SELECT sum(total) AS s, string_agg(DISTINCT state COLLATE "C", ',') AS states FROM shop.public.orders WHERE 1 = 1 AND total BETWEEN 1 AND 2 + 3
----
view by ()
#1 map sum(total) AS s, string_agg(DISTINCT state COLLATE "C", ',') AS states  unique ()
  #2 aggregate all rows; sum(total); string_agg(DISTINCT state COLLATE "C", ',') {order: state}  unique ()
    #3 map total, state, ','  rows may repeat
      #4 filter total >= 1 AND total <= 2 + 3  unique (id)
        #5 scan shop.public.orders (id, total, state)  unique (id)
----
SELECT o.id, o.note, count(l.line) AS n FROM shop.public.orders o LEFT JOIN shop.public.lines l ON l.order_id = o.id GROUP BY o.id HAVING o.note IS NOT NULL
----
view by (id)
#1 map o.id AS id, o.note AS note, count(l.line) AS n  unique (id)
  #2 filter o.note IS NOT NULL  unique (id)
    #3 left join (id) = (id)  unique (id)
      #4 group by (id); count(l.line)  unique (id)
        #5 left join (id) = (order_id)  unique (id, line)
          #6 scan shop.public.orders (id, note)  unique (id)
          #7 scan shop.public.lines (order_id, line)  unique (order_id, line)
      #6 again
----
SELECT c.id AS customer_id, c.name, c.city, count(o.id) AS orders, coalesce(sum(o.total), 0) AS spent,
       jsonb_agg(jsonb_build_object('id', o.id, 'total', o.total) ORDER BY o.id)
         FILTER (WHERE o.id IS NOT NULL) AS history
FROM shop.public.customers c LEFT JOIN shop.public.orders o ON o.customer_id = c.id
GROUP BY c.id, c.name, c.city
----
view by (customer_id)
#1 map c.id AS customer_id, c.name AS name, c.city AS city, count(o.id) AS orders, COALESCE(sum(o.total), 0) AS spent, jsonb_agg(jsonb_build_object('id', o.id, 'total', o.total) ORDER BY o.id) FILTER (WHERE o.id IS NOT NULL) AS history  unique (customer_id)
  #2 group by (c.id, c.name, c.city); count(o.id); sum(o.total); jsonb_agg(jsonb_build_object('id', o.id, 'total', o.total) ORDER BY o.id) FILTER (WHERE o.id IS NOT NULL) {order: o.id}  unique (id, name, city)
    #3 map c.id, c.name, c.city, o.id, o.total, CASE WHEN o.id IS NOT NULL THEN jsonb_build_object('id', o.id, 'total', o.total) END, o.id IS NOT NULL  unique (c.id, o.id)
      #4 left join (id) = (customer_id)  unique (id, id)
        #5 scan shop.public.customers (id, name, city)  unique (id)
        #6 scan shop.public.orders (id, customer_id, total)  unique (id)
----
WITH doc AS (
  SELECT order_id, jsonb_agg(jsonb_build_object('line', line, 'sku', sku, 'qty', qty) ORDER BY line) AS lines
  FROM shop.public.lines GROUP BY order_id)
SELECT o.id, jsonb_build_object('id', o.id, 'customer', c.name, 'lines', coalesce(d.lines, '[]')) AS document
FROM shop.public.orders o JOIN shop.public.customers c ON c.id = o.customer_id LEFT JOIN doc d ON d.order_id = o.id
----
view by (id)
#1 map o.id AS id, jsonb_build_object('id', o.id, 'customer', c.name, 'lines', COALESCE(d.lines, '[]')) AS document  unique (id)
  #2 left join (id) = (order_id)  unique (id)
    #3 map id, name  unique (id)
      #4 join (customer_id) = (id)  unique (id)
        #5 scan shop.public.orders (id, customer_id)  unique (id)
        #6 scan shop.public.customers (id, name)  unique (id)
    #7 map order_id, jsonb_agg(jsonb_build_object('line', line, 'sku', sku, 'qty', qty) ORDER BY line) AS lines  unique (order_id)
      #8 group by (order_id); jsonb_agg(jsonb_build_object('line', line, 'sku', sku, 'qty', qty) ORDER BY line) {order: line}  unique (order_id)
        #9 map order_id, jsonb_build_object('line', line, 'sku', sku, 'qty', qty), line  unique (order_id, line)
          #10 scan shop.public.lines (order_id, line, sku, qty)  unique (order_id, line)
