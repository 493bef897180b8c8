package monitor

import "github.com/prometheus/client_golang/prometheus"

// A Collector turns the status of the sources into metrics at each scrape, so
// that both always say the same.
type Collector struct {
	Sources []*Source
	Version string
	LogFull func() bool // the log has no room; may be nil

	Certificates *Certificates // may be nil
}

// A gauge is one number of a source's status; ok is false when it is not known.
type gauge struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(s *SourceStatus) (v float64, ok bool)
}

func sourceDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("evert_source_"+name, help, append([]string{"source"}, labels...), nil)
}

// gauges are the numbers of one source.
func gauges() []gauge {
	counter := func(name, help string, get func(*SourceStatus) uint64) gauge {
		return gauge{sourceDesc(name, help), prometheus.CounterValue,
			func(s *SourceStatus) (float64, bool) { return float64(get(s)), true }}
	}
	level := func(name, help string, get func(*SourceStatus) (float64, bool)) gauge {
		return gauge{sourceDesc(name, help), prometheus.GaugeValue, get}
	}
	return []gauge{
		counter("rows_total", "Rows committed to the log.", func(s *SourceStatus) uint64 { return s.Totals.Rows }),
		counter("bytes_total", "Rough size of the rows committed to the log.", func(s *SourceStatus) uint64 { return s.Totals.Bytes }),
		counter("transactions_total", "Source transactions committed to the log.", func(s *SourceStatus) uint64 { return s.Totals.Transactions }),
		counter("parts_total", "Commits inside a source transaction too large for one commit.", func(s *SourceStatus) uint64 { return s.Totals.Parts }),
		counter("commits_total", "Commits to the log.", func(s *SourceStatus) uint64 { return s.Totals.Commits }),
		counter("restarts_total", "Times the source was made anew after a failure.", func(s *SourceStatus) uint64 { return s.Restarts }),
		level("pending_rows", "Rows written and not yet committed.", func(s *SourceStatus) (float64, bool) { return float64(s.PendingRows), true }),
		level("queue_fill_ratio", "How full the fullest queue of the source is.", func(s *SourceStatus) (float64, bool) { return s.QueueFillRatio, true }),
		level("progress_age_seconds", "Time since rows were last written or anything was committed.", func(s *SourceStatus) (float64, bool) { return s.ProgressAgeSeconds, true }),
		level("lag_seconds", "Age of what is committed, by the source's clock.", func(s *SourceStatus) (float64, bool) { return known(s.LagSeconds) }),
		level("lag_bytes", "Bytes of the server's log between what is acknowledged and its end.", ofServer(func(v *ServerStatus) (float64, bool) { return float64(v.LagBytes), true })),
		level("retained_bytes", "Bytes of its log that the server keeps for the source.", ofServer(func(v *ServerStatus) (float64, bool) { return knownInt(v.RetainedBytes) })),
		level("limit_bytes", "Bytes that may still be written before the server drops what the source needs.", ofServer(func(v *ServerStatus) (float64, bool) { return knownInt(v.LimitBytes) })),
		level("limit_seconds", "Time until then at the present rate of writes.", ofServer(func(v *ServerStatus) (float64, bool) { return known(v.LimitSeconds) })),
		level("snapshot_ratio", "Copied share of the estimated rows; absent when no snapshot runs.", ofCopy(func(c *CopyProgress) (float64, bool) { return c.Share(), true })),
		level("snapshot_left_seconds", "Estimated time until the snapshot is complete.", ofCopy(func(c *CopyProgress) (float64, bool) { return known(c.LeftSeconds) })),
		level("ready", "1 when the topics hold a complete cut.", func(s *SourceStatus) (float64, bool) { return bit(s.Ready), true }),
	}
}

func ofServer(get func(*ServerStatus) (float64, bool)) func(*SourceStatus) (float64, bool) {
	return func(s *SourceStatus) (float64, bool) {
		if s.Server == nil || s.Server.At.IsZero() {
			return 0, false
		}
		return get(s.Server)
	}
}

func ofCopy(get func(*CopyProgress) (float64, bool)) func(*SourceStatus) (float64, bool) {
	return func(s *SourceStatus) (float64, bool) {
		if s.Snapshot == nil {
			return 0, false
		}
		return get(s.Snapshot)
	}
}

func known(v *float64) (float64, bool) {
	if v == nil {
		return 0, false
	}
	return *v, true
}

func knownInt(v *int64) (float64, bool) {
	if v == nil {
		return 0, false
	}
	return float64(*v), true
}

func bit(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func stateDesc() *prometheus.Desc {
	return sourceDesc("state", "1 for the state that the source is in, 0 for the others.", "state")
}

func tableDesc() *prometheus.Desc {
	return sourceDesc("table_rows_total", "Rows written for one table, in commits and not yet.", "table")
}

func healthDesc() *prometheus.Desc {
	return prometheus.NewDesc("evert_health", "1 for the present judgement: ok, degraded or red.", []string{"health"}, nil)
}

func fullDesc() *prometheus.Desc {
	return prometheus.NewDesc("evert_log_full", "1 while the disk of the embedded log is full and capture pauses.", nil, nil)
}

func buildDesc() *prometheus.Desc {
	return prometheus.NewDesc("evert_build_info", "1, with the version as a label.", []string{"version"}, nil)
}

// Describe lists the metrics.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, g := range gauges() {
		ch <- g.desc
	}
	for _, s := range c.Sources {
		ch <- s.commits.Desc()
		ch <- s.deliveries.Desc()
	}
	ch <- stateDesc()
	ch <- tableDesc()
	ch <- healthDesc()
	ch <- fullDesc()
	ch <- buildDesc()
	ch <- certificateDesc()
}

// Collect reads the sources.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	all := make([]SourceStatus, len(c.Sources))
	for i, s := range c.Sources {
		all[i] = s.Status()
		collectSource(ch, &all[i])
		ch <- s.commits
		ch <- s.deliveries
	}
	light, full := Judge(all).Light, c.LogFull != nil && c.LogFull()
	if full {
		light = Red
	}
	ch <- prometheus.MustNewConstMetric(fullDesc(), prometheus.GaugeValue, bit(full))
	for _, l := range []Light{OK, Degraded, Red} {
		ch <- prometheus.MustNewConstMetric(healthDesc(), prometheus.GaugeValue, bit(l == light), string(l))
	}
	c.Certificates.collect(ch)
	ch <- prometheus.MustNewConstMetric(buildDesc(), prometheus.GaugeValue, 1, c.Version)
}

func collectSource(ch chan<- prometheus.Metric, s *SourceStatus) {
	for _, g := range gauges() {
		if v, ok := g.value(s); ok {
			ch <- prometheus.MustNewConstMetric(g.desc, g.kind, v, s.Name)
		}
	}
	for _, state := range States() {
		ch <- prometheus.MustNewConstMetric(stateDesc(), prometheus.GaugeValue, bit(state == s.State), s.Name, string(state))
	}
	for _, t := range s.Tables {
		ch <- prometheus.MustNewConstMetric(tableDesc(), prometheus.CounterValue, float64(t.Rows), s.Name, t.Table)
	}
}
