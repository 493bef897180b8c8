//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/pipeline/document"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/sinks/opensearch"
	"github.com/evertdb/evert/sinks/opensearch/opensearchserver"
)

// opensearch delivers rows of nine columns to a node of OpenSearch by a stage, and
// beside it sends the same lines by a loader that does nothing else: requests of the
// same size, as many at the same time, into an index of the same mapping.
func (l *lab) opensearch(ctx context.Context, res *results) error {
	d, err := opensearchserver.Fetch(ctx)
	if err != nil {
		return fmt.Errorf("%w\n  mend: %s", err, opensearchserver.InstallHint())
	}
	n, err := opensearchserver.Start(ctx, d, opensearchserver.Options{Heap: "1g", Fast: true})
	if err != nil {
		return err
	}
	defer n.Close()
	s := &search{url: n.URL(), rows: l.rows / 2, options: opensearch.DefaultOptions()}
	if _, err := s.deliver(ctx, "warm"); err != nil { // the virtual machine compiles what both run
		return err
	}
	if _, err := s.load(ctx, "warm", "warmer"); err != nil {
		return err
	}
	var ours, bare []time.Duration
	for i := range l.repeats {
		took, err := s.load(ctx, "warm", fmt.Sprintf("bare%d", i))
		if err != nil {
			return err
		}
		bare = append(bare, took)
		if took, err = s.deliver(ctx, fmt.Sprintf("ours%d", i)); err != nil {
			return err
		}
		ours = append(ours, took)
	}
	res.rates("documents into OpenSearch", s.rows, median(ours), "a bare bulk loader", median(bare), 0.6)
	whole, err := l.path(ctx, "searched", s.rows, func(i int) string { return fmt.Sprintf("opensearch: {url: %q, index: path%d}", s.url, i) })
	if err != nil {
		return err
	}
	res.rates("topic into OpenSearch, by the binary", s.rows, whole, "a bare bulk loader", median(bare), 0.4)
	return nil
}

// search is a node, and what goes into it.
type search struct {
	url     string
	rows    int
	options opensearch.Options
}

var searchTable = &schema.Table{Database: "bench", Schema: "public", Name: "orders", Version: 1, Key: []int{0}, Columns: []schema.Column{
	{Name: "id", Type: schema.Type{Kind: schema.KindInt, Name: "bigint", Bits: 64}},
	{Name: "customer", Type: schema.Type{Kind: schema.KindInt, Name: "integer", Bits: 32}},
	{Name: "state", Type: schema.Type{Kind: schema.KindText, Name: "text"}},
	{Name: "title", Type: schema.Type{Kind: schema.KindText, Name: "text"}},
	{Name: "amount", Type: schema.Type{Kind: schema.KindDecimal, Name: "numeric(12,2)", Precision: 12, Scale: 2}},
	{Name: "paid", Type: schema.Type{Kind: schema.KindBool, Name: "boolean"}},
	{Name: "placed", Type: schema.Type{Kind: schema.KindTimestamp, Name: "timestamp with time zone", Zoned: true}},
	{Name: "weight", Type: schema.Type{Kind: schema.KindFloat, Name: "double precision", Bits: 64}},
	{Name: "note", Type: schema.Type{Kind: schema.KindText, Name: "text"}},
}}

func searchRow(i int) schema.Row {
	states := []string{"open", "paid", "sent"}
	return schema.Row{
		schema.Int(int64(i)), schema.Int(int64(i % 1000)), schema.Text([]byte(states[i%3])), schema.Text(fmt.Appendf(nil, "order number %d", i)),
		schema.Decimal(fmt.Appendf(nil, "%d.%02d", i%1000, i%100)), schema.Bool(i%2 == 0), schema.Timestamp(700_000_000_000_000 + int64(i)*1_000_000),
		schema.Float(float64(i) / 7), schema.Text([]byte(strings.Repeat("x", 20))),
	}
}

// deliver runs a stage over all rows, with the limits that a sink has by default, as a
// fill; both sides end with a refresh.
func (s *search) deliver(ctx context.Context, index string) (time.Duration, error) {
	o := s.options
	o.URL, o.Index, o.Owner, o.Topic = s.url, index, "bench/"+index, "orders"
	from := &rowSource{left: s.rows}
	from.prepare()
	limits := pipeline.DefaultLimits()
	limits.Rows, limits.Bytes = 10_000, 8<<20
	start := time.Now()
	err := (&pipeline.Stage{Source: from, Sink: opensearch.New(o), Limits: limits}).Run(ctx)
	return time.Since(start), err
}

// rowSource gives rows that are there already.
type rowSource struct {
	left    int
	batches []pipeline.Batch
}

const searchBatch = 2000

func (r *rowSource) prepare() {
	for first := 0; first < r.left; first += searchBatch {
		b := pipeline.Batch{Tables: []*schema.Table{searchTable}}
		for i := first; i < min(first+searchBatch, r.left); i++ {
			b.Changes = append(b.Changes, pipeline.Change{Table: searchTable, Op: pipeline.Update, After: searchRow(i), Offset: uint64(i)})
			b.Bytes += 100
		}
		b.End = &pipeline.Resume{State: []byte("filling")}
		if first+searchBatch >= r.left {
			b.End.At = pipeline.Position{Seq: 1, Native: "whole"}
		}
		r.batches = append(r.batches, b)
	}
}

func (r *rowSource) Open(context.Context, pipeline.Resume) error  { return nil }
func (r *rowSource) Ack(context.Context, pipeline.Position) error { return nil }
func (r *rowSource) Reached(string, string) (bool, error)         { return false, nil }
func (r *rowSource) Close() error                                 { return nil }
func (r *rowSource) Next(context.Context) (b pipeline.Batch, err error) {
	if len(r.batches) == 0 {
		return b, io.EOF
	}
	b, r.batches = r.batches[0], r.batches[1:]
	return b, nil
}

// load sends the same lines, into an index made as the one of like was.
func (s *search) load(ctx context.Context, like, index string) (time.Duration, error) {
	if err := s.copyIndex(ctx, like+"-1", index); err != nil {
		return 0, err
	}
	requests := s.requests()
	work := make(chan []byte, len(requests))
	for _, r := range requests {
		work <- r
	}
	close(work)
	start := time.Now()
	errs := make([]error, s.options.Requests)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() {
			for body := range work {
				if errs[i] == nil {
					errs[i] = s.bulk(ctx, index, body)
				}
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return 0, err
		}
	}
	_, err := s.send(ctx, http.MethodPost, "/"+index+"/_refresh", "application/json", nil)
	return time.Since(start), err
}

// requests are bodies of bulk requests, as large as those of the target.
func (s *search) requests() (list [][]byte) {
	encoder := document.New(searchTable.Columns)
	var body []byte
	rows := 0
	for i := range s.rows {
		place := deliver.Place{Offset: int64(i)}
		body = fmt.Appendf(body, `{"index":{"_id":"%d","version":%d,"version_type":"external"}}`+"\n", i, place.Version())
		body = append(encoder.Append(body, searchRow(i)), '\n')
		if rows++; rows == s.options.BulkRows || len(body) >= s.options.BulkBytes || i == s.rows-1 {
			list, body, rows = append(list, body), nil, 0
		}
	}
	return list
}

func (s *search) bulk(ctx context.Context, index string, body []byte) error {
	answer, err := s.send(ctx, http.MethodPost, "/"+index+"/_bulk?filter_path=errors", "application/x-ndjson", body)
	if err == nil && !bytes.Contains(answer, []byte(`"errors":false`)) {
		err = fmt.Errorf("the bare loader: %s", answer)
	}
	return err
}

// copyIndex makes an index with the mapping and the settings of a fill.
func (s *search) copyIndex(ctx context.Context, from, to string) error {
	text, err := s.send(ctx, http.MethodGet, "/"+from+"/_mapping", "application/json", nil)
	if err != nil {
		return err
	}
	var was map[string]struct{ Mappings json.RawMessage }
	if err := json.Unmarshal(text, &was); err != nil {
		return err
	}
	body := fmt.Sprintf(`{"settings": {"index": {"refresh_interval": "-1", "gc_deletes": "10m"}}, "mappings": %s}`, was[from].Mappings)
	_, err = s.send(ctx, http.MethodPut, "/"+to, "application/json", []byte(body))
	return err
}

func (s *search) send(ctx context.Context, method, path, form string, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, s.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", form)
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err == nil && a.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %d %s", method, path, a.StatusCode, text)
	}
	return text, err
}
