package monitor

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// A gauge is one number of a source's status; ok is false when it is not known.
type gauge struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(s *SourceStatus) (v float64, ok bool)
}

func sourceDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("evert_source_"+name, help, append([]string{"source"}, labels...), nil)
}

// sourceGauges are the numbers of one source.
func sourceGauges() []gauge {
	counter := func(name, help string, get func(*SourceStatus) uint64) gauge {
		return gauge{sourceDesc(name, help), prometheus.CounterValue,
			func(s *SourceStatus) (float64, bool) { return float64(get(s)), true }}
	}
	level := func(name, help string, get func(*SourceStatus) (float64, bool)) gauge {
		return gauge{sourceDesc(name, help), prometheus.GaugeValue, get}
	}
	return []gauge{
		counter("rows_total", "Rows committed to the log since the daemon started.", func(s *SourceStatus) uint64 { return s.Totals.Rows }),
		counter("bytes_total", "Rough size in bytes of the rows committed to the log since the daemon started.", func(s *SourceStatus) uint64 { return s.Totals.Bytes }),
		counter("transactions_total", "Source transactions committed to the log since the daemon started.", func(s *SourceStatus) uint64 { return s.Totals.Transactions }),
		counter("parts_total", "Commits inside a source transaction too large for one commit.", func(s *SourceStatus) uint64 { return s.Totals.Parts }),
		counter("commits_total", "Commits to the log since the daemon started.", func(s *SourceStatus) uint64 { return s.Totals.Commits }),
		counter("restarts_total", "Times the source was made anew after a failure.", func(s *SourceStatus) uint64 { return s.Restarts }),
		level("pending_rows", "Rows written and not yet committed.", func(s *SourceStatus) (float64, bool) { return float64(s.PendingRows), true }),
		level("queue_fill_ratio", "How full the fullest queue of the source is, 0 to 1.", func(s *SourceStatus) (float64, bool) { return s.QueueFillRatio, true }),
		level("progress_age_seconds", "Seconds since rows were last written or anything was committed.", func(s *SourceStatus) (float64, bool) { return s.ProgressAgeSeconds, true }),
		level("lag_seconds", "Age of what is committed, in seconds by the source's clock.", func(s *SourceStatus) (float64, bool) { return known(s.LagSeconds) }),
		level("ready", "1 when the topics hold a complete cut or another daemon captures and this one stands by, else 0.", func(s *SourceStatus) (float64, bool) { return bit(s.Ready), true }),
		level("ahead", "1 while the server's end lies ahead of what is committed, 0 while it does not.", ofServer(func(v *ServerStatus) (float64, bool) { return bit(v.Ahead), true })),
		level("lag_bytes", "Bytes of the server's log between what is acknowledged and its end.", ofServer(func(v *ServerStatus) (float64, bool) { return float64(v.LagBytes), true })),
		level("retained_bytes", "Bytes of its log that the server keeps for the source.", ofServer(func(v *ServerStatus) (float64, bool) { return knownInt(v.RetainedBytes) })),
		level("limit_bytes", "Bytes that may still be written before the server drops what the source needs; absent without a limit.", ofServer(func(v *ServerStatus) (float64, bool) { return knownInt(v.LimitBytes) })),
		level("limit_seconds", "Seconds until the server drops what the source needs, if it goes on as over the last 10 minutes; absent while that does not come nearer.", ofServer(func(v *ServerStatus) (float64, bool) { return known(v.LimitSeconds) })),
		level("snapshot_ratio", "Copied share of the estimated rows, 0 to 1; absent when no snapshot runs.", ofCopy(func(c *CopyProgress) (float64, bool) { return c.Share(), true })),
		level("snapshot_left_seconds", "Estimated seconds until the snapshot is complete.", ofCopy(func(c *CopyProgress) (float64, bool) { return known(c.LeftSeconds) })),
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

// What has labels of its own, or belongs to no source.
func stateDesc() *prometheus.Desc {
	return sourceDesc("state", "1 for the state that the source is in, 0 for the others: "+stateWords()+".", "state")
}

func stateWords() string {
	words := make([]string, 0, len(States()))
	for _, s := range States() {
		words = append(words, string(s))
	}
	return strings.Join(words, ", ")
}

func slotDesc() *prometheus.Desc {
	return sourceDesc("slot_status", "1 for what the server says of the log that it keeps for the source, 0 for the rest: "+
		strings.Join(SlotStatuses(), ", ")+". Absent where it says nothing.", "status")
}

func tableDesc() *prometheus.Desc {
	return sourceDesc("table_rows_total", "Rows written for one table since the daemon started, in commits and not yet.", "table")
}

func oversizedDesc() *prometheus.Desc {
	return sourceDesc("table_oversized_total", "Rows of one table since the daemon started that were too large for its topic and followed on_oversize.", "table")
}

func stoppedDesc() *prometheus.Desc {
	return sourceDesc("table_stopped", "1 while the table has stopped and its changes are not written, else 0.", "table")
}

func componentDesc() *prometheus.Desc {
	return prometheus.NewDesc("evert_component_up", "1 while the component runs or stands by, 0 while it waits to be tried again or for somebody to mend what it says.", []string{"component"}, nil)
}

func healthDesc() *prometheus.Desc {
	return prometheus.NewDesc("evert_health", "1 for the present judgement (ok, degraded or red), 0 for the others.", []string{"health"}, nil)
}

func fullDesc() *prometheus.Desc {
	return prometheus.NewDesc("evert_log_full", "1 while the disk of the embedded log is full and capture pauses, else 0.", nil, nil)
}

func diskFreeDesc() *prometheus.Desc {
	return prometheus.NewDesc("evert_data_dir_free_bytes", "Bytes free on the disk of data_dir.", nil, nil)
}

func diskSizeDesc() *prometheus.Desc {
	return prometheus.NewDesc("evert_data_dir_size_bytes", "Size of the disk of data_dir, in bytes.", nil, nil)
}

func diskLeftDesc() *prometheus.Desc {
	return prometheus.NewDesc("evert_data_dir_full_seconds", "Seconds until the disk of data_dir is full if it goes on as over the last 10 minutes; absent while it does not fill.", nil, nil)
}

func readerLagDesc() *prometheus.Desc {
	return prometheus.NewDesc("evert_reader_lag_seconds", "Seconds by which a consumer group is behind on the table topics, on the partition where it is furthest behind. A cluster tells of the groups that Evert's user may describe. Readers of serve.kafka keep their offsets themselves, and nothing is known of them.", []string{"group"}, nil)
}

func readerUnreadDesc() *prometheus.Desc {
	return prometheus.NewDesc("evert_reader_unread_records", "Offsets of the table topics that a consumer group has not read; gaps and markers count.", []string{"group"}, nil)
}

func readerRetentionDesc() *prometheus.Desc {
	return prometheus.NewDesc("evert_reader_retention_seconds", "The smallest delete.retention.ms of the topics that a consumer group reads, in seconds: a reader further behind has to begin anew.", []string{"group"}, nil)
}

func buildDesc() *prometheus.Desc {
	return prometheus.NewDesc("evert_build_info", "1, with the version as a label.", []string{"version"}, nil)
}
