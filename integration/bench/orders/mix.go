package orders

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// A Mix makes transactions over the tables, as SQL: in a hundred, 40 new orders
// of one to seven lines, 25 changes of an order's state, 15 of a line's quantity,
// 8 lines deleted, 5 customers changed, of which one in a thousand is a hot one,
// 5 orders given to another customer, 1 key change and 1 order deleted with its
// lines. Which rows is chosen by a Zipf distribution of 1.1, but for what goes:
// else the rows that everybody changes would soon be gone.
type Mix struct {
	size Size
	rng  *rand.Rand
	next int // the next order's id
	old  *rand.Zipf
	who  *rand.Zipf
}

// NewMix makes the mix of a seed; mixes of different seeds make different orders.
func NewMix(s Size, seed uint64) *Mix {
	rng := rand.New(rand.NewPCG(seed, 11))
	return &Mix{size: s, rng: rng, next: int(seed) * 100_000_000,
		old: rand.NewZipf(rng, 1.1, 1, uint64(s.Orders-1)), who: rand.NewZipf(rng, 1.1, 1, uint64(s.Customers-1))}
}

// Next is one transaction.
func (m *Mix) Next() string {
	order, customer := 1+int(m.old.Uint64()), 1+int(m.who.Uint64())
	any := 1 + m.rng.IntN(m.size.Orders)
	line := 1 + m.rng.IntN(max(1, m.size.Lines/m.size.Orders))
	switch n := m.rng.IntN(100); {
	case n < 40:
		return m.place(customer)
	case n < 65:
		return fmt.Sprintf("UPDATE orders SET state = '%s' WHERE id = %d", []string{"paid", "sent", "back", "cancelled"}[m.rng.IntN(4)], order)
	case n < 80:
		return fmt.Sprintf("UPDATE lines SET quantity = %d WHERE order_id = %d AND line = %d", 1+m.rng.IntN(9), order, line)
	case n < 88:
		return fmt.Sprintf("DELETE FROM lines WHERE order_id = %d AND line = %d", any, line)
	case n < 93:
		return fmt.Sprintf("UPDATE customers SET credit = %d WHERE id = %d", m.rng.IntN(1000), customer)
	case n < 98:
		return fmt.Sprintf("UPDATE orders SET customer_id = %d WHERE id = %d", customer, order)
	case n < 99:
		m.next++
		return fmt.Sprintf("UPDATE orders SET id = %d WHERE id = %d", m.next, any)
	}
	return fmt.Sprintf("DELETE FROM lines WHERE order_id = %[1]d; DELETE FROM orders WHERE id = %[1]d", any)
}

func (m *Mix) place(customer int) string {
	m.next++
	var b strings.Builder
	fmt.Fprintf(&b, "INSERT INTO orders VALUES (%d, %d, 'new', timestamptz '2025-01-01 00:00Z' + %d * interval '1 minute', '%070d'); INSERT INTO lines VALUES ",
		m.next, customer, m.next%100_000, m.next)
	n := 1 + m.rng.IntN(7)
	for line := range n {
		if line > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "(%d, %d, %d, %d, %d.%02d, '%030d')", m.next, line+1, m.rng.IntN(50), 1+m.rng.IntN(9), m.rng.IntN(100), m.rng.IntN(100), line)
	}
	return b.String()
}
