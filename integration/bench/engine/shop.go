package engine

import (
	"math/rand/v2"

	"github.com/evertdb/evert/schema"
)

// A Change is what a transaction does to one row.
type Change struct {
	Table int        // place in Tables
	Row   schema.Row // the row as it is now; nil: it is gone
	Key   schema.Row // its primary key
	New   bool       // it was not there before
}

// Options choose a shop.
type Options struct {
	Seed  uint64
	Parts float64 // P; 1 is 1.3 million rows
	Zipf  bool    // what is changed is drawn by Zipf's law
}

// Shop is the rows of a shop as its transactions leave them. One goroutine uses
// it.
type Shop struct {
	opt       Options
	rng       *rand.Rand
	customers int64
	orders    []*order // alive, in no order
	versions  []uint32 // of customers
	nextOrder int64
	nextLine  int64
	zipf      *rand.Zipf
}

// order is an order that is there.
type order struct {
	id       int64
	customer int64
	version  uint32
	lines    []line
}

type line struct {
	id      int64
	n       int
	version uint32
}

// The size of a shop of one part.
const (
	partCustomers = 50_000
	partOrders    = 250_000
	linesPerOrder = 4
	hotOrders     = 10_000 // of a hot customer
	hotShare      = 10     // percent of the orders
	zipfExponent  = 1.1
)

// New makes a shop with all its first rows; Load gives them.
func New(o Options) *Shop {
	s := &Shop{opt: o, rng: rand.New(rand.NewPCG(o.Seed, 0xb1))}
	s.customers = max(int64(o.Parts*partCustomers), 10)
	s.versions = make([]uint32, s.customers)
	n := max(int(o.Parts*partOrders), 50)
	for range n {
		s.add(s.firstCustomer(n))
	}
	s.zipf = rand.NewZipf(s.rng, zipfExponent, 1, uint64(n-1))
	return s
}

// firstCustomer draws whose a first order is.
func (s *Shop) firstCustomer(orders int) int64 {
	if s.rng.IntN(100) < hotShare {
		return 1 + s.rng.Int64N(int64(1+orders*hotShare/100/hotOrders))
	}
	return s.anyCustomer()
}

func (s *Shop) anyCustomer() int64 { return 1 + s.rng.Int64N(s.customers) }

// add makes an order of one to seven lines.
func (s *Shop) add(customer int64) *order {
	s.nextOrder++
	o := &order{id: s.nextOrder, customer: customer}
	for n := range 1 + s.rng.IntN(2*linesPerOrder-1) {
		s.nextLine++
		o.lines = append(o.lines, line{id: s.nextLine, n: n + 1})
	}
	s.orders = append(s.orders, o)
	return o
}

// Load gives the rows as they are: all customers, then all orders, then all
// lines, each in the order of their keys before anything was changed.
func (s *Shop) Load(yield func(Change) bool) {
	for id := int64(1); id <= s.customers; id++ {
		if !yield(s.customer(id)) {
			return
		}
	}
	for _, o := range s.orders {
		if !yield(insert(Orders, orderRow(o, o.version))) {
			return
		}
	}
	for _, o := range s.orders {
		for i := range o.lines {
			if !yield(insert(Lines, o.row(i))) {
				return
			}
		}
	}
}

func (o *order) row(i int) schema.Row {
	l := &o.lines[i]
	return lineRow(l.id, o.id, l.n, l.version)
}

func (s *Shop) customer(id int64) Change { return insert(Customers, customerRow(id, s.versions[id-1])) }

func insert(table int, row schema.Row) Change {
	return Change{Table: table, Row: row, Key: row[:1:1], New: true}
}

func update(table int, row schema.Row) Change { return Change{Table: table, Row: row, Key: row[:1:1]} }

func remove(table int, id int64) Change {
	return Change{Table: table, Key: schema.Row{schema.Int(id)}}
}
