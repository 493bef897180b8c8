package monitor

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/evertdb/evert/pipeline/log/embedded/listener"
)

// A Collector turns what is known into metrics at each scrape, so that metrics
// and status always say the same. Labels are names out of the file and of the
// database's tables; no value of a row, no URL and no text of an error is among
// them.
type Collector struct {
	Sources []*Source
	Version string
	LogFull func() bool    // the log has no room; may be nil
	Disk    *Disk          // of data_dir; may be nil
	Readers *Readers       // of the table topics; may be nil
	Cluster *ClusterStatus // nil for the embedded log

	Certificates *Certificates // may be nil
	Stucks       *Stucks       // may be nil: of a log that has none
	Registry     *Registry     // may be nil

	Kafka func() (st listener.Stats, ok bool) // what serve.kafka served; may be nil

	Views  func() []ViewStatus // nil: there are none
	Meters []*View             // theirs

	Sinks      func() []SinkStatus // nil: there are none
	SinkMeters []*Sink             // theirs
}

// Describe lists the metrics.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, g := range sourceGauges() {
		ch <- g.desc
	}
	for _, s := range c.Sources {
		ch <- s.commits.Desc()
		ch <- s.deliveries.Desc()
	}
	for _, desc := range append(registryDescs(), stateDesc, slotDesc, tableDesc, oversizedDesc, stoppedDesc, componentDesc, healthDesc, fullDesc,
		diskFreeDesc, diskSizeDesc, diskLeftDesc, readerLagDesc, readerUnreadDesc, readerRetentionDesc, certificateDesc, transactionVersionDesc, stuckDesc, buildDesc) {
		ch <- desc()
	}
	for _, g := range kafkaGauges() {
		ch <- g.desc
	}
	c.describeViews(ch)
	c.describeSinks(ch)
}

// Collect reads what there is.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	all := make([]SourceStatus, len(c.Sources))
	for i, s := range c.Sources {
		all[i] = s.Status()
		collectSource(ch, &all[i])
		ch <- s.commits
		ch <- s.deliveries
	}
	health := Judge(all)
	c.collectViews(ch, &health)
	c.collectSinks(ch, &health)
	light, full := health.Light, c.LogFull != nil && c.LogFull()
	if len(c.Stucks.List()) > 0 {
		light = worse(light, Degraded)
	}
	if full {
		light = Red
	}
	level(ch, fullDesc(), bit(full))
	level(ch, componentDesc(), bit(!full), "log")
	for _, l := range []Light{OK, Degraded, Red} {
		level(ch, healthDesc(), bit(l == light), string(l))
	}
	level(ch, buildDesc(), 1, c.Version)
	c.Certificates.collect(ch)
	collectDisk(ch, c.Disk)
	collectReaders(ch, c.Readers)
	c.collectKafka(ch)
	collectCluster(ch, c.Cluster)
	c.Stucks.collect(ch)
	c.Registry.collect(ch)
}

func level(ch chan<- prometheus.Metric, desc *prometheus.Desc, v float64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, v, labels...)
}

func collectSource(ch chan<- prometheus.Metric, s *SourceStatus) {
	for _, g := range sourceGauges() {
		if v, ok := g.value(s); ok {
			ch <- prometheus.MustNewConstMetric(g.desc, g.kind, v, s.Name)
		}
	}
	level(ch, componentDesc(), bit(s.Up()), "source "+s.Name)
	for _, state := range States() {
		level(ch, stateDesc(), bit(state == s.State), s.Name, string(state))
	}
	if s.Server != nil && s.Server.Slot != "" {
		for _, status := range SlotStatuses() {
			level(ch, slotDesc(), bit(status == s.Server.Slot), s.Name, status)
		}
	}
	for _, t := range s.Tables {
		ch <- prometheus.MustNewConstMetric(tableDesc(), prometheus.CounterValue, float64(t.Rows), s.Name, t.Table)
		ch <- prometheus.MustNewConstMetric(oversizedDesc(), prometheus.CounterValue, float64(t.Oversized), s.Name, t.Table)
		level(ch, stoppedDesc(), bit(t.State == "stopped"), s.Name, t.Table)
	}
}

func collectDisk(ch chan<- prometheus.Metric, d *Disk) {
	st, ok := d.Status()
	if !ok {
		return
	}
	level(ch, diskFreeDesc(), float64(st.FreeBytes))
	level(ch, diskSizeDesc(), float64(st.SizeBytes))
	if st.FullSeconds != nil {
		level(ch, diskLeftDesc(), *st.FullSeconds)
	}
}

func collectReaders(ch chan<- prometheus.Metric, r *Readers) {
	for _, st := range r.Status() {
		level(ch, readerLagDesc(), st.LagSeconds, st.Group)
		level(ch, readerUnreadDesc(), float64(st.UnreadRecords), st.Group)
		if st.RetentionSeconds > 0 {
			level(ch, readerRetentionDesc(), st.RetentionSeconds, st.Group)
		}
	}
}
