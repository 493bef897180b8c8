package engine

import (
	"fmt"
	"math/rand/v2"

	"github.com/evertdb/evert/schema"
)

// Rows follow from a number and a version: to write one again nothing but these
// has to be remembered.
func rowRand(table int, id int64, version uint32) *rand.Rand {
	return rand.New(rand.NewPCG(uint64(table)<<56|uint64(version), uint64(id)))
}

var (
	cities     = []string{"Amsterdam", "Berlin", "Chennai", "Dakar", "Edinburgh", "Fes", "Graz", "Hanoi"}
	statuses   = []string{"placed", "paid", "packed", "sent", "delivered", "returned"}
	categories = []string{"books", "garden", "kitchen", "music", "office", "sports", "tools", "toys"}
)

func one(r *rand.Rand, from []string) schema.Value { return textOf(from[r.IntN(len(from))]) }

func textOf(s string) schema.Value { return schema.Text([]byte(s)) }

// words are n bytes that look like text.
func words(r *rand.Rand, n int) schema.Value {
	b := make([]byte, n)
	for i := range b {
		b[i] = "etaoinshrdlu cmfwyp"[r.IntN(19)]
	}
	return schema.Text(b)
}

func money(r *rand.Rand, below int) schema.Value {
	cents := r.IntN(below * 100)
	return schema.Decimal(fmt.Appendf(nil, "%d.%02d", cents/100, cents%100))
}

func customerRow(id int64, version uint32) schema.Row {
	r := rowRand(Customers, id, version)
	return schema.Row{
		schema.Int(id), textOf(fmt.Sprintf("Customer %d.%d", id, version)), one(r, cities),
		textOf(fmt.Sprintf("customer.%d@example.org", id)), schema.Date(15_000 + r.Int32N(5000)), words(r, 80),
	}
}

// placedFrom is 2024-01-01, and orders are of the ninety days after.
const placedFrom = 8766 * schema.MicrosPerDay

func orderRow(o *order, version uint32) schema.Row {
	r := rowRand(Orders, o.id, 0)
	placed := placedFrom + r.Int64N(90*schema.MicrosPerDay/1000)*1000
	shipping, note := money(r, 20), words(r, 60)
	status := statuses[(int(o.id)+int(version))%len(statuses)]
	return schema.Row{schema.Int(o.id), schema.Int(o.customer), textOf(status), schema.Timestamp(placed), shipping, note}
}

func lineRow(id, order int64, n int, version uint32) schema.Row {
	r := rowRand(Lines, id, 0)
	product, category, price := fmt.Sprintf("product %d", r.IntN(5000)), one(r, categories), money(r, 500)
	qty := 1 + rowRand(Lines, id, version+1).Int64N(9)
	return schema.Row{schema.Int(id), schema.Int(order), schema.Int(int64(n)), textOf(product), category, schema.Int(qty), price}
}
