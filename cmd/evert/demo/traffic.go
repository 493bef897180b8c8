package demo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// Traffic is people using the shop.
type Traffic struct {
	URL     string
	Seed    uint64
	Rate    float64 // transactions per second, all workers together
	Workers int     // connections; 2 if 0

	transactions atomic.Int64
	changes      atomic.Int64
}

// Count gives how many transactions were committed, and rows changed in them.
func (t *Traffic) Count() (transactions, changes int64) {
	return t.transactions.Load(), t.changes.Load()
}

// Run works until ctx ends (nil) or a statement fails.
func (t *Traffic) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	workers := max(t.Workers, 1)
	if t.Workers == 0 {
		workers = 2
	}
	errs := make([]error, workers)
	var wait sync.WaitGroup
	for i := range errs {
		wait.Go(func() {
			defer cancel()
			errs[i] = t.work(ctx, i, t.Rate/float64(workers))
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

// work is one connection's traffic.
func (t *Traffic) work(ctx context.Context, number int, rate float64) error {
	c, err := pgx.Connect(ctx, t.URL)
	if err != nil {
		return ended(ctx, err)
	}
	defer c.Close(context.WithoutCancel(ctx))
	p := &person{conn: c, rand: rand.New(rand.NewPCG(t.Seed, uint64(number)))}
	if err := p.look(ctx); err != nil {
		return ended(ctx, err)
	}
	tick := time.NewTicker(time.Duration(float64(time.Second) / rate))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		changed, err := p.act(ctx)
		if err != nil {
			return ended(ctx, err)
		}
		t.transactions.Add(1)
		t.changes.Add(changed)
	}
}

// ended drops an error that only says that the traffic was told to stop.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("the shop: %w", err)
}

// A person uses one connection. What is random comes from the seed; what the
// person looks up, from the database.
type person struct {
	conn      *pgx.Conn
	rand      *rand.Rand
	customers int
	products  int
	orders    []int64 // placed by this person and not deleted: the newest 1000, the newest last
}

func (p *person) look(ctx context.Context) error {
	return p.conn.QueryRow(ctx, "SELECT (SELECT count(*) FROM customers), (SELECT count(*) FROM products)").Scan(&p.customers, &p.products)
}

// act does one transaction and gives the number of rows that it changed.
func (p *person) act(ctx context.Context) (changed int64, err error) {
	do := p.choose()
	err = pgx.BeginFunc(ctx, p.conn, func(tx pgx.Tx) error {
		w := &work{person: p, tx: tx}
		if err := do(w, ctx); err != nil {
			return err
		}
		changed = w.changed
		return nil
	})
	return changed, err
}

type action = func(w *work, ctx context.Context) error

// choose weighs what people do in a shop.
func (p *person) choose() action {
	weights := []struct {
		share int
		do    action
	}{
		{34, (*work).place}, {24, (*work).advance}, {12, (*work).move}, {6, (*work).note}, {7, (*work).reprice},
		{6, (*work).cancel}, {4, (*work).join}, {3, (*work).renumber}, {4, (*work).hesitate},
	}
	draw := p.rand.IntN(100)
	for _, w := range weights {
		if draw -= w.share; draw < 0 {
			return w.do
		}
	}
	return (*work).place
}

// work is one transaction of a person.
type work struct {
	*person
	tx      pgx.Tx
	changed int64
}

func (w *work) exec(ctx context.Context, sql string, args ...any) error {
	tag, err := w.tx.Exec(ctx, sql, args...)
	w.changed += tag.RowsAffected()
	return err
}

func (w *work) customer() int64 { return int64(1 + w.rand.IntN(w.customers)) }
func (w *work) sku() string     { return fmt.Sprintf("P%05d", 1+w.rand.IntN(w.products)) }

// place orders one to five things: a transaction over three tables.
func (w *work) place(ctx context.Context) error {
	var id int64
	err := w.tx.QueryRow(ctx, "INSERT INTO orders (customer_id, deliver_on) VALUES ($1, current_date + $2::int) RETURNING id",
		w.customer(), w.rand.IntN(10)).Scan(&id)
	if err != nil {
		return err
	}
	w.changed++
	for line := range 1 + w.rand.IntN(5) {
		if err := w.exec(ctx, "INSERT INTO order_lines SELECT $1, $2, sku, $3, price FROM products WHERE sku = $4",
			id, line+1, 1+w.rand.IntN(3), w.sku()); err != nil {
			return err
		}
	}
	w.orders = append(w.orders, id)
	if over := len(w.orders) - 1000; over > 0 {
		w.orders = w.orders[over:]
	}
	return w.exec(ctx, "UPDATE orders SET total = (SELECT coalesce(sum(quantity * price), 0) FROM order_lines WHERE order_id = $1) WHERE id = $1", id)
}

// advance moves an order along.
func (w *work) advance(ctx context.Context) error {
	if len(w.orders) == 0 {
		return w.place(ctx)
	}
	status := []string{"paid", "packed", "shipped", "delivered"}[w.rand.IntN(4)]
	return w.exec(ctx, "UPDATE orders SET status = $2::text::order_status WHERE id = $1", w.orders[w.rand.IntN(len(w.orders))], status)
}

// move changes a customer's city and leaves the long notes alone.
func (w *work) move(ctx context.Context) error {
	city := []string{"Oslo", "Wien", "Łódź", "Nantes", "Zürich", "東京"}[w.rand.IntN(6)]
	return w.exec(ctx, "UPDATE customers SET city = $2, credit = credit + $3 WHERE id = $1", w.customer(), city, w.rand.IntN(50))
}

// note writes notes too long for their row, or none.
func (w *work) note(ctx context.Context) error {
	if w.rand.IntN(4) == 0 {
		return w.exec(ctx, "UPDATE customers SET notes = NULL WHERE id = $1", w.customer())
	}
	return w.exec(ctx, "UPDATE customers SET notes = $2, tags = tags || 'noted'::text WHERE id = $1 AND cardinality(tags) < 8", w.customer(), w.text(2500))
}

// text is so many letters that do not compress well.
func (w *work) text(n int) string {
	var b strings.Builder
	for b.Len() < n {
		fmt.Fprintf(&b, "%016x ", w.rand.Uint64())
	}
	return b.String()
}

func (w *work) reprice(ctx context.Context) error {
	return w.exec(ctx, "UPDATE products SET price = round(price * $2::numeric, 2) + 0.01, changed_at = clock_timestamp() WHERE sku = $1",
		w.sku(), []string{"0.9", "1.1"}[w.rand.IntN(2)])
}

// cancel deletes an order and with it its lines.
func (w *work) cancel(ctx context.Context) error {
	if len(w.orders) < 2 {
		return w.place(ctx)
	}
	id := w.orders[0]
	w.orders = w.orders[1:]
	if err := w.exec(ctx, "DELETE FROM order_lines WHERE order_id = $1", id); err != nil {
		return err
	}
	return w.exec(ctx, "DELETE FROM orders WHERE id = $1", id)
}

func (w *work) join(ctx context.Context) error {
	name := fmt.Sprintf("Guest %x", w.rand.Uint32())
	return w.exec(ctx, "INSERT INTO customers (name, email, city, preferences) VALUES ($1, $2, NULL, '{\"guest\": true}')",
		name, strings.ReplaceAll(strings.ToLower(name), " ", ".")+"@example.com")
}

// renumber gives a line another number: its key changes.
func (w *work) renumber(ctx context.Context) error {
	if len(w.orders) == 0 {
		return w.place(ctx)
	}
	return w.exec(ctx, "UPDATE order_lines SET line = line + 100 WHERE order_id = $1 AND line = 1", w.orders[w.rand.IntN(len(w.orders))])
}

// hesitate takes back half of what it does.
func (w *work) hesitate(ctx context.Context) error {
	if err := w.exec(ctx, "UPDATE customers SET vip = NOT vip WHERE id = $1", w.customer()); err != nil {
		return err
	}
	before := w.changed
	err := pgx.BeginFunc(ctx, w.tx, func(inner pgx.Tx) error {
		half := &work{person: w.person, tx: inner}
		if err := half.move(ctx); err != nil {
			return err
		}
		return errSecondThoughts
	})
	w.changed = before
	if errors.Is(err, errSecondThoughts) {
		return nil
	}
	return err
}

var errSecondThoughts = errors.New("second thoughts")
