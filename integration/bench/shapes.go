//go:build unix

package main

import (
	"context"
	"fmt"
)

// A shape is a table whose rows cost more than others.
type shape struct {
	name    string
	columns string // behind the key
	row     string // their values, of number g
}

// shapes are read against pg_recvlogical like the rows of nine columns.
var shapes = []shape{
	{"numeric", "a numeric, b numeric(20,4), c numeric(38,10), d numeric, e bigint, f double precision",
		"g * 1234567.891, g / 3.0, g * 98765432109876.12345, -g / 7.0, g, g / 7.0::float8"},
	{"text", "a text, b text, c text, d varchar(200), e text",
		"repeat('Straße ', 10), 'order number ' || g, repeat(md5(g::text), 4), repeat('y', 150), repeat(md5((g + 1)::text), 8)"},
	{"json", "a jsonb, b json, c jsonb",
		"jsonb_build_object('id', g, 'tags', ARRAY['a', 'b', 'c'], 'amount', g / 3.0, 'who', jsonb_build_object('name', 'customer ' || g, 'mail', md5(g::text))), " +
			"json_build_object('lines', ARRAY[g, g + 1, g + 2], 'note', repeat('z', 40)), to_jsonb(ARRAY[g, g * 2, g * 3])"},
}

func (l *lab) shapes(ctx context.Context, res *results) error {
	for _, s := range shapes {
		if err := l.shaped(ctx, res, s); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

func (l *lab) shaped(ctx context.Context, res *results, s shape) error {
	table := s.name + "s"
	if err := l.sql(ctx, database, "CREATE TABLE "+table+" (id bigint PRIMARY KEY, "+s.columns+")"); err != nil {
		return err
	}
	r, err := l.race(ctx, table, func(first int) error {
		return l.sql(ctx, database, fmt.Sprintf("INSERT INTO %s SELECT g, %s FROM generate_series(%d, %d) g", table, s.row, first, first+transactionRows-1))
	})
	if err != nil {
		return err
	}
	name := "stream of " + s.name + " rows"
	res.rates(name, l.rows, median(r.times), "pg_recvlogical", median(r.limits), 0)
	res.add(name+", processor time", median(r.users).Seconds()*1e6/float64(l.rows), "s per million rows", "user and system")
	res.below(200, name+", peak memory", float64(r.peak)/1e6, "MB", "")
	return nil
}
