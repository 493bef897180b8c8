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
)

// Traffic is people using the shop.
type Traffic struct {
	Shop    Shop
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
	c, err := t.Shop.open(ctx)
	if err != nil {
		return ended(ctx, err)
	}
	defer c.close()
	p := &person{conn: c, words: &t.Shop.words, rand: rand.New(rand.NewPCG(t.Seed, uint64(number)))}
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
		if deadlocked(err) {
			continue // as people do
		}
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
	conn      conn
	words     *words
	rand      *rand.Rand
	customers int64
	products  int64
	orders    []int64 // placed by this person and not deleted: the newest 1000, the newest last
}

func (p *person) look(ctx context.Context) (err error) {
	if p.customers, err = number(ctx, p.conn, "SELECT count(*) FROM customers"); err != nil {
		return err
	}
	p.products, err = number(ctx, p.conn, "SELECT count(*) FROM products")
	return err
}

// act does one transaction and gives the number of rows that it changed.
func (p *person) act(ctx context.Context) (changed int64, err error) {
	do, w := p.choose(), &work{person: p}
	err = within(ctx, p.conn, func() error { return do(w, ctx) })
	return w.changed, err
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
	changed int64
}

func (w *work) exec(ctx context.Context, sql string, args ...any) error {
	changed, err := w.conn.exec(ctx, sql, args...)
	w.changed += changed
	return err
}

func (w *work) customer() int64 { return 1 + w.rand.Int64N(w.customers) }
func (w *work) sku() string     { return fmt.Sprintf("P%05d", 1+w.rand.Int64N(w.products)) }

// place orders one to five things: a transaction over three tables.
func (w *work) place(ctx context.Context) error {
	id, err := number(ctx, w.conn, w.words.place, w.customer(), w.rand.IntN(10))
	if err != nil {
		return err
	}
	w.changed++
	for line := range 1 + w.rand.IntN(5) {
		if err := w.exec(ctx, w.words.line, id, line+1, 1+w.rand.IntN(3), w.sku()); err != nil {
			return err
		}
	}
	w.orders = append(w.orders, id)
	if over := len(w.orders) - 1000; over > 0 {
		w.orders = w.orders[over:]
	}
	return w.exec(ctx, w.words.total, id, id)
}

// advance moves an order along.
func (w *work) advance(ctx context.Context) error {
	if len(w.orders) == 0 {
		return w.place(ctx)
	}
	status := []string{"paid", "packed", "shipped", "delivered"}[w.rand.IntN(4)]
	return w.exec(ctx, w.words.advance, status, w.orders[w.rand.IntN(len(w.orders))])
}

// move changes a customer's city and leaves the long notes alone.
func (w *work) move(ctx context.Context) error {
	city := []string{"Oslo", "Wien", "Łódź", "Nantes", "Zürich", "東京"}[w.rand.IntN(6)]
	customer := w.customer()
	return w.exec(ctx, w.words.move, city, w.rand.IntN(50), customer)
}

// note writes notes too long for their row, or none.
func (w *work) note(ctx context.Context) error {
	if w.rand.IntN(4) == 0 {
		return w.exec(ctx, w.words.forget, w.customer())
	}
	customer := w.customer()
	return w.exec(ctx, w.words.note, w.text(2500), customer)
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
	sku := w.sku()
	return w.exec(ctx, w.words.reprice, []string{"0.9", "1.1"}[w.rand.IntN(2)], sku)
}

// cancel deletes an order and with it its lines.
func (w *work) cancel(ctx context.Context) error {
	if len(w.orders) < 2 {
		return w.place(ctx)
	}
	id := w.orders[0]
	w.orders = w.orders[1:]
	if err := w.exec(ctx, w.words.cancel[0], id); err != nil {
		return err
	}
	return w.exec(ctx, w.words.cancel[1], id)
}

func (w *work) join(ctx context.Context) error {
	name := fmt.Sprintf("Guest %x", w.rand.Uint32())
	return w.exec(ctx, w.words.join, name, strings.ReplaceAll(strings.ToLower(name), " ", ".")+"@example.com")
}

// renumber gives a line another number: its key changes.
func (w *work) renumber(ctx context.Context) error {
	if len(w.orders) == 0 {
		return w.place(ctx)
	}
	return w.exec(ctx, w.words.renumber, w.orders[w.rand.IntN(len(w.orders))])
}

// hesitate takes back half of what it does.
func (w *work) hesitate(ctx context.Context) error {
	if err := w.exec(ctx, w.words.vip, w.customer()); err != nil {
		return err
	}
	before := w.changed
	if _, err := w.conn.exec(ctx, "SAVEPOINT half"); err != nil {
		return err
	}
	if err := w.move(ctx); err != nil {
		return err
	}
	w.changed = before
	_, err := w.conn.exec(ctx, "ROLLBACK TO SAVEPOINT half")
	return err
}
