package engine

import "github.com/evertdb/evert/schema"

// The tables, as places in Tables.
const (
	Customers = iota
	Orders
	Lines
)

// The columns that code has to name.
const (
	OrderCustomer = 1
	LineOrder     = 1
)

// Tables are the tables of the shop, in an order in which rows may be inserted.
func Tables() []*schema.Table {
	id := schema.Type{Kind: schema.KindInt, Name: "bigint", Bits: 64}
	whole := schema.Type{Kind: schema.KindInt, Name: "integer", Bits: 32}
	text := schema.Type{Kind: schema.KindText, Name: "text"}
	money := schema.Type{Kind: schema.KindDecimal, Name: "numeric(10,2)", Precision: 10, Scale: 2}
	date := schema.Type{Kind: schema.KindDate, Name: "date"}
	at := schema.Type{Kind: schema.KindTimestamp, Name: "timestamp with time zone", Precision: 6, Zoned: true}
	return []*schema.Table{
		table("customers", col("id", id), col("name", text), col("city", text), col("email", text), col("since", date), col("notes", text)),
		table("orders", col("id", id), col("customer_id", id), col("status", text), col("placed", at), col("shipping", money), col("note", text)),
		table("lines", col("id", id), col("order_id", id), col("n", whole), col("product", text), col("category", text), col("qty", whole), col("price", money)),
	}
}

func table(name string, cols ...schema.Column) *schema.Table {
	return &schema.Table{Database: "shop", Schema: "public", Name: name, Version: 1, Columns: cols, Key: []int{0}}
}

func col(name string, t schema.Type) schema.Column {
	c := schema.Column{Name: name, Type: t}
	if t.Kind == schema.KindText {
		c.Collation = schema.Collation{Name: "C", Provider: "c", Deterministic: true}
	}
	return c
}
