package captures

import (
	"github.com/evertdb/evert/cmd/evert/databases"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/capture"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/avro"
)

// Handling gives a source's settings in the words of the codec.
func Handling(h configs.Handling) avro.Handling {
	return avro.Handling{
		Decimal:  map[string]avro.Decimal{"double": avro.DecimalDouble, "string": avro.DecimalString}[h.Decimal],
		Interval: map[string]avro.Interval{"numeric": avro.IntervalNumeric}[h.Interval],
		HStore:   map[string]avro.HStore{"map": avro.HStoreMap}[h.HStore],
		Binary:   map[string]avro.Binary{"base64": avro.Base64, "base64-url-safe": avro.Base64URL, "hex": avro.BinaryHex}[h.Binary],
		Time: map[string]avro.Time{
			"adaptive_time_microseconds": avro.AdaptiveMicroseconds, "microseconds": avro.Microseconds, "nanoseconds": avro.Nanoseconds,
			"connect": avro.Connect, "isostring": avro.ISOString,
		}[h.Time],
	}
}

// Envelope gives a source's envelope in the words of the codec.
func Envelope(e configs.Envelope) avro.Envelope {
	if e == configs.EnvelopeRow {
		return avro.Row
	}
	return avro.Debezium
}

func oversizePolicy(word string) capture.Policy {
	for _, p := range []capture.Policy{capture.Truncate, capture.Offload, capture.DeadLetter} {
		if p.String() == word {
			return p
		}
	}
	return capture.StopTable
}

// topic says what the file says of one table's topic.
func (c *Capture) topic(t *schema.Table) capture.Topic {
	return TableTopic(c.File, c.name, databases.TableName{Schema: t.Schema, Name: t.Name})
}

// TableTopic says what the file says of the topic of one table of a source.
func TableTopic(config *configs.Config, source string, t databases.TableName) capture.Topic {
	settings := config.Sources[source].For(t.Schema, t.Name)
	own := settings.Topic
	topic := capture.Topic{Partitions: own.Partitions, Settings: own.Config, OnOversize: oversizePolicy(settings.OnOversize),
		StopSource: settings.OnTableError == configs.StopSource, KeepRows: settings.OnTruncate == configs.StopTable,
		Append: settings.IsAppendOnly(), Retention: own.Retention()}
	if n := int(config.Limits.RecordBytes); n > capture.DefaultRecordBytes {
		topic.MaxBytes = n
	}
	if topic.Partitions == 0 && config.Kafka != nil {
		topic.Partitions = config.Kafka.Topics.Partitions
	}
	return topic
}

func (c *Capture) limits() pipeline.Limits {
	s, l := c.File.Sources[c.name], pipeline.DefaultLimits()
	l.Interval, l.Rows, l.Bytes = s.CommitInterval, s.MaxCommitRows, int(s.MaxCommitBytes)
	l.Quiet = s.CommitInterval / 25
	l.Copying = max(l.Copying, s.CommitInterval)
	l.Drain = c.File.Limits.DrainTimeout
	if k := c.File.Kafka; k != nil {
		l.Timeout = k.TransactionTimeout / 2
	}
	return l
}
