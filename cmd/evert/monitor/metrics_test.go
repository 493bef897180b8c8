package monitor

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded/listener"
)

var update = flag.Bool("update", false, "write golden files anew")

// everything is a collector of which every metric is known: one source streams,
// another copies.
func everything(t *testing.T) *Collector {
	t.Helper()
	streams, copies := newDay(), newDay()
	streams.Events().Opened(pipeline.Resume{At: pipeline.Position{Seq: 7, Native: "0/7"}})
	streams.commit(5, "0/9")
	retained := int64(1 << 20)
	for _, limit := range []int64{2000, 1000} {
		streams.Probed(Probe{End: "0/9", LimitBytes: &limit, RetainedBytes: &retained, Slot: "reserved"})
		streams.pass(time.Second)
	}
	copies.Name = "billing"
	copies.Facts = func() (Facts, bool) {
		return Facts{Connected: true, Copies: []TableCopy{{Table: "public.bills", Rows: 10, Estimate: 40}}}, true
	}
	copies.Events().Opened(pipeline.Resume{})
	copies.pass(time.Second)
	billing := NewSource(copies.Config)
	billing.opened(pipeline.Resume{})
	copies.pass(time.Second)
	var disk Disk
	disk.Sampled(streams.now, 5000, 10000)
	disk.Sampled(streams.now.Add(time.Second), 4000, 10000)
	var readers Readers
	readers.Observed(streams.now, []Reading{{Group: "search", TopicPartition: log.TopicPartition{Topic: "shop.public.orders"},
		Offset: 3, Stable: 9, Oldest: streams.now.Add(-time.Minute), Retention: time.Hour}})
	var certificates Certificates
	certificates.Saw(Certificate{Edge: "kafka", Of: "client", End: streams.now.AddDate(1, 0, 0)}, streams.now)
	var schemas Registry
	schemas.Holds(func() (int, int) { return 3, 4 })
	schemas.Served("GET /subjects", 200)
	schemas.Asked(200, time.Second)
	totals := NewView("totals")
	totals.Epoch(ViewEpoch{RowsIn: 3, RowsOut: 2, Took: time.Second, StateBytes: 100})
	views := func() []ViewStatus {
		s := totals.Status()
		s.Hydration = &Hydration{Rows: 1, Ratio: .5}
		return []ViewStatus{s}
	}
	search := NewSink("search", "opensearch")
	search.Committed(time.Second)
	sinks := func() []SinkStatus {
		s, rows := search.Status(), int64(3)
		letters := 3
		s.Tables = []SinkTable{{Table: "shop.public.orders", Topic: "shop.public.orders", LagRows: &rows}}
		s.LagRows, s.Filling, s.DeadLetters = &rows, &Fill{Rows: 1, Ratio: .5}, &letters
		return []SinkStatus{s}
	}
	return &Collector{Views: views, Meters: []*View{totals}, Sinks: sinks, SinkMeters: []*Sink{search}, Registry: &schemas, Sources: []*Source{streams.Source, billing}, Version: "test", Disk: &disk, Readers: &readers, Certificates: &certificates,
		Kafka:   func() (listener.Stats, bool) { return listener.Stats{Connections: 1, Records: 7}, true },
		Cluster: &ClusterStatus{TransactionVersion: 2}, Stucks: &Stucks{}}
}

func gather(t *testing.T, c *Collector) []*dto.MetricFamily {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	if err := r.Register(c); err != nil {
		t.Fatal(err)
	}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return families
}

func TestMetricsCount(t *testing.T) {
	for _, f := range gather(t, everything(t)) {
		want := map[string]float64{"evert_source_rows_total": 5, "evert_source_transactions_total": 1}[f.GetName()]
		for _, m := range f.GetMetric() {
			if want > 0 && labelsOf(m)["source"] == "shop" && m.GetCounter().GetValue() != want {
				t.Errorf("%s is %v, want %v", f.GetName(), m, want)
			}
		}
	}
}

// What somebody new to Evert needs: a name with our prefix and its unit last, and
// a sentence with that unit.
func TestMetricsExplainThemselves(t *testing.T) {
	for _, f := range gather(t, everything(t)) {
		name, help := f.GetName(), f.GetHelp()
		if !strings.HasPrefix(name, "evert_") || !strings.HasSuffix(help, ".") {
			t.Errorf("%s: %q", name, help)
		}
		for suffix, word := range map[string]string{"_seconds": "econds", "_bytes": "ytes", "_bytes_total": "ytes", "_ratio": "0 to 1"} {
			if strings.HasSuffix(name, suffix) && !strings.Contains(help, word) {
				t.Errorf("%s does not say its unit: %q", name, help)
			}
		}
		if (f.GetType() == dto.MetricType_COUNTER) != strings.HasSuffix(name, "_total") {
			t.Errorf("%s is a %s", name, f.GetType())
		}
	}
}

// The committed page lists every metric that a collector describes.
func TestSchemaMetricsAreCurrent(t *testing.T) {
	const path = "../../../configs/monitoring/METRICS.md"
	c := everything(t)
	described := make(chan *prometheus.Desc, 1000)
	c.Describe(described)
	close(described)
	names := map[string]bool{}
	for d := range described {
		_, rest, _ := strings.Cut(d.String(), `fqName: "`)
		name, _, _ := strings.Cut(rest, `"`)
		names[name] = true
	}
	families := gather(t, c)
	if len(names) != len(families) {
		t.Errorf("%d metrics are described, and %d are collected in this test", len(names), len(families))
	}
	page := metricsPage(families)
	if *update {
		if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil || string(have) != page {
		t.Errorf("configs/monitoring/METRICS.md is not current (%v); run: make schema", err)
	}
}

const metricsHead = `# Metrics

<!-- Generated from cmd/evert/monitor by ` + "`make schema`" + `; do not edit. -->

` + "`serve.http` and `serve.health`" + ` serve them under ` + "`/metrics`" + `, beside the Go runtime's and the process's own (` + "`go_…`, `process_…`" + `).
A number that is not known is absent. No label and no help text holds a value of a row or a secret.

| metric | type | labels | meaning |
|---|---|---|---|
`

func metricsPage(families []*dto.MetricFamily) string {
	var b strings.Builder
	b.WriteString(metricsHead)
	for _, f := range families {
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, "`"+l.GetName()+"`")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.GetName(), strings.ToLower(f.GetType().String()), strings.Join(labels, " "), f.GetHelp())
	}
	return b.String()
}

func labelsOf(m *dto.Metric) map[string]string {
	out := map[string]string{}
	for _, l := range m.GetLabel() {
		out[l.GetName()] = l.GetValue()
	}
	return out
}

// X08 a metric's labels are few, and no value of a row gets among them.
func TestMetricsHoldNoRows(t *testing.T) {
	allowed := map[string]bool{"source": true, "state": true, "status": true, "table": true, "component": true, "health": true, "version": true, "group": true, "edge": true, "of": true, "route": true, "class": true, "view": true, "sink": true}
	for _, f := range gather(t, everything(t)) {
		for _, m := range f.GetMetric() {
			for name := range labelsOf(m) {
				if !allowed[name] {
					t.Errorf("%s has a label %s", f.GetName(), name)
				}
			}
		}
	}
}

func TestDiskTrend(t *testing.T) {
	var d Disk
	if _, ok := d.Status(); ok {
		t.Error("known before the first sample")
	}
	began := time.Unix(0, 0)
	for i, step := range []struct {
		free int64
		left float64 // 0: not filling
	}{{1000, 0}, {900, 9}, {700, 700.0 / 150}, {1000, 0}} {
		d.Sampled(began.Add(time.Duration(i)*time.Second), step.free, 2000)
		st, _ := d.Status()
		got := 0.0
		if st.FullSeconds != nil {
			got = *st.FullSeconds
		}
		if got != step.left {
			t.Errorf("sample %d: full in %v s, want %v", i, got, step.left)
		}
	}
	if _, ok := (*Disk)(nil).Status(); ok {
		t.Error("no disk knows something")
	}
}

// A day in the life of a consumer group.
func TestReadersFallBehind(t *testing.T) {
	var r Readers
	now := time.Unix(1_000_000, 0)
	tp := log.TopicPartition{Topic: "t"}
	see := func(offset, stable int64, oldest time.Time) ReaderStatus {
		t.Helper()
		r.Observed(now, []Reading{{Group: "g", TopicPartition: tp, Offset: offset, Stable: stable, Oldest: oldest, Retention: time.Hour}})
		all := r.Status()
		if len(all) != 1 {
			t.Fatalf("%d groups", len(all))
		}
		return all[0]
	}
	if st := see(5, 5, time.Time{}); st.LagSeconds != 0 || st.UnreadRecords != 0 || st.RetentionSeconds != 3600 {
		t.Fatalf("at the end: %+v", st)
	}
	now = now.Add(time.Hour)
	if st := see(5, 6, time.Time{}); st.LagSeconds != 0 || st.UnreadRecords != 0 {
		t.Fatalf("behind a marker alone: %+v", st)
	}
	written := now
	now = now.Add(time.Minute)
	if st := see(5, 9, written); st.LagSeconds != 60 || st.UnreadRecords != 4 {
		t.Fatalf("a minute behind: %+v", st)
	}
	if at, ok := r.Oldest("g", tp, 5); !ok || !at.Equal(written) {
		t.Fatalf("its oldest: %v %v", at, ok)
	}
	now = now.Add(10 * time.Minute)
	if st := see(5, 90, now.Add(-time.Second)); st.LagSeconds != 660 {
		t.Fatalf("stalled, and what it has not read was compacted away: %+v", st)
	}
	if st := see(80, 90, now.Add(-time.Second)); st.LagSeconds != 1 {
		t.Fatalf("it moved: %+v", st)
	}
	if _, ok := r.Oldest("g", tp, 81); ok {
		t.Fatal("knows of an offset that it did not see")
	}
	r.Observed(now, nil)
	if len(r.Status()) != 0 || len((*Readers)(nil).Status()) != 0 {
		t.Fatal("it is gone, and stays")
	}
}

// What an outage of a registry looks like.
func TestRegistryIsReachable(t *testing.T) {
	value := func(r *Registry, name string) (v float64, ok bool) {
		for _, f := range gather(t, &Collector{Registry: r}) {
			if f.GetName() == name {
				return f.GetMetric()[0].GetGauge().GetValue(), true
			}
		}
		return 0, false
	}
	const reachable = "evert_registry_reachable"
	var r Registry
	if _, ok := value(&r, reachable); ok {
		t.Error("known before it was asked")
	}
	for _, step := range []struct {
		status int
		want   float64
	}{{200, 1}, {0, 0}, {409, 1}, {503, 0}, {401, 1}} {
		r.Asked(step.status, time.Second)
		if got, ok := value(&r, reachable); !ok || got != step.want {
			t.Errorf("after status %d: %v %t, want %v", step.status, got, ok, step.want)
		}
	}
	if _, ok := value(&r, "evert_registry_schemas"); ok {
		t.Error("it is not ours, and its size is told")
	}
}
