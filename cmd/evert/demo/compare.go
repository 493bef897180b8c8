package demo

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/evertdb/evert/cmd/evert/records"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/registry"
)

// A Result is what comparing one topic with its table found.
type Result struct {
	Table   string
	Topic   string
	Records int64 // in the topic
	Rows    int64 // in the table
	Copied  int64 // of the records, those of snapshots
	Twice   int64 // records whose position another record of the topic has
	Differ  int64 // rows that differ, are missing in the topic, or are there too much
}

// Comparison compares topics with tables.
type Comparison struct {
	Shop     Shop
	Log      log.Log
	Registry registry.Registry
	Prefix   string // of the topics

	// Rows gives the rows of a table as records print them; nil: the server prints
	// just that.
	Rows func(ctx context.Context, table string, each func(values [][]byte) error) error
}

// sum stands for a row's text: 16 bytes a row bound the memory of a comparison.
type sum [16]byte

// folded is a topic folded by key: the newest row of each.
type folded struct {
	table   *schema.Table // of the newest record that has a row; nil without one
	rows    map[string]sum
	seen    map[string]bool // positions
	records int64
	copied  int64
	twice   int64
}

// Table folds one table's topic by key and compares the result with the table.
// Nothing is to change in either meanwhile.
func (c *Comparison) Table(ctx context.Context, name string) (Result, error) {
	r := Result{Table: name}
	topic, err := records.Find(ctx, c.Log, name, []string{c.Prefix})
	if err != nil {
		return r, err
	}
	r.Topic = topic.Name
	f, err := c.fold(ctx, topic)
	if err != nil {
		return r, fmt.Errorf("fold %s: %w", topic.Name, err)
	}
	r.Records, r.Copied, r.Twice = f.records, f.copied, f.twice
	return r, c.compare(ctx, f, &r)
}

func (c *Comparison) fold(ctx context.Context, topic log.TopicInfo) (*folded, error) {
	f := &folded{rows: map[string]sum{}, seen: map[string]bool{}}
	decoder := records.NewDecoder(c.Registry)
	return f, records.Follow(ctx, c.Log, topic, true, func(r *log.Record) error {
		f.count(r)
		change, err := decoder.Decode(ctx, r)
		if err != nil {
			return err
		}
		if change.Event.Op == 'r' {
			f.copied++
		}
		f.apply(&change)
		return nil
	}, nil)
}

// count looks whether a record was there before. Its place is its own, but for
// the records that one change of a key makes: those differ in key or in being a
// tombstone.
func (f *folded) count(r *log.Record) {
	f.records++
	place := fmt.Sprintf("%x %x %t", r.Find(log.PosHeader), r.Key, r.Value == nil)
	if f.seen[place] {
		f.twice++
	}
	f.seen[place] = true
}

func (f *folded) apply(c *records.Change) {
	key := keyText(c)
	if c.Tombstone || c.Event.After == nil {
		delete(f.rows, key)
		return
	}
	f.table = c.Table
	f.rows[key] = sumOf(textOf(c.Table, c.Event.After))
}

// keyText gives a key's columns in the order of the key.
func keyText(c *records.Change) string {
	var fields [][]byte
	for _, i := range c.KeyColumns() {
		fields = append(fields, c.Table.Columns[i].Type.AppendText(nil, c.Key[i]))
	}
	return joined(fields)
}

// textOf gives a row as the server prints it; nil is NULL.
func textOf(t *schema.Table, row schema.Row) [][]byte {
	fields := make([][]byte, len(row))
	for i, v := range row {
		if !v.IsNull() {
			fields[i] = t.Columns[i].Type.AppendText([]byte{}, v)
		}
	}
	return fields
}

func joined(fields [][]byte) string {
	var b strings.Builder
	for _, f := range fields {
		fmt.Fprintf(&b, "%d:%s", len(f), f)
	}
	return b.String()
}

func sumOf(fields [][]byte) (s sum) {
	h := sha256.New()
	for _, f := range fields {
		if f == nil {
			h.Write([]byte("-"))
			continue
		}
		fmt.Fprintf(h, "%d:", len(f))
		h.Write(f)
	}
	copy(s[:], h.Sum(nil))
	return s
}

// compare reads the table and takes what agrees out of f.
func (c *Comparison) compare(ctx context.Context, f *folded, r *Result) error {
	read := c.Rows
	if read == nil {
		read = func(ctx context.Context, table string, each func(values [][]byte) error) error {
			return c.printed(ctx, f.table, table, each)
		}
	}
	err := read(ctx, r.Table, func(values [][]byte) error {
		r.Rows++
		f.take(values, r)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read %s: %w", r.Table, err)
	}
	r.Differ += int64(len(f.rows))
	return nil
}

// printed gives a table's rows as the server prints them.
func (c *Comparison) printed(ctx context.Context, t *schema.Table, table string, each func(values [][]byte) error) error {
	db, err := c.Shop.open(ctx)
	if err != nil {
		return err
	}
	defer db.close()
	if _, err := db.exec(ctx, c.Shop.words.session); err != nil {
		return err
	}
	return db.rows(ctx, "SELECT "+c.columns(t)+" FROM "+c.quoted(table), each)
}

func (f *folded) take(values [][]byte, r *Result) {
	if f.table == nil {
		r.Differ++
		return
	}
	var key [][]byte
	for _, i := range f.table.Key {
		key = append(key, values[i])
	}
	text := joined(key)
	if f.rows[text] != sumOf(values) {
		r.Differ++
	}
	delete(f.rows, text)
}

func (c *Comparison) columns(t *schema.Table) string {
	if t == nil {
		return "1"
	}
	names := make([]string, len(t.Columns))
	for i := range t.Columns {
		names[i] = c.Shop.words.quote(t.Columns[i].Name)
	}
	return strings.Join(names, ", ")
}

// quoted writes a table's name, as configuration writes it, for the server.
func (c *Comparison) quoted(table string) string {
	schema, name, _ := strings.Cut(table, ".")
	return c.Shop.words.quote(schema) + "." + c.Shop.words.quote(name)
}
