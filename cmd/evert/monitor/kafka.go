package monitor

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/evertdb/evert/pipeline/log/embedded/listener"
)

// kafkaGauge is one number of serve.kafka.
type kafkaGauge struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*listener.Stats) float64
}

// kafkaGauges are the numbers of serve.kafka.
func kafkaGauges() []kafkaGauge {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("evert_kafka_listener_"+name, help, nil, nil)
	}
	return []kafkaGauge{
		{desc("open_connections", "Connections of Kafka clients to serve.kafka that are open."), prometheus.GaugeValue, func(s *listener.Stats) float64 { return float64(s.Connections) }},
		{desc("requests_total", "Requests of Kafka clients answered since the daemon started."), prometheus.CounterValue, func(s *listener.Stats) float64 { return float64(s.Requests) }},
		{desc("refused_total", "Times since the daemon started that a Kafka client did not get what it asked for: groups, writes, wrong tokens, connections above the limit, malformed bytes."), prometheus.CounterValue, func(s *listener.Stats) float64 { return float64(s.Refused) }},
		{desc("records_total", "Records sent to Kafka clients since the daemon started, with those that a client skips."), prometheus.CounterValue, func(s *listener.Stats) float64 { return float64(s.Records) }},
		{desc("bytes_total", "Bytes sent to Kafka clients since the daemon started."), prometheus.CounterValue, func(s *listener.Stats) float64 { return float64(s.Bytes) }},
	}
}

func (c *Collector) collectKafka(ch chan<- prometheus.Metric) {
	if c.Kafka == nil {
		return
	}
	st, ok := c.Kafka()
	if !ok {
		return
	}
	for _, g := range kafkaGauges() {
		ch <- prometheus.MustNewConstMetric(g.desc, g.kind, g.value(&st))
	}
}
