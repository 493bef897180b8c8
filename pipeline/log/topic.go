package log

import (
	"strings"
	"time"
)

// A TopicSpec says what a topic has to be.
type TopicSpec struct {
	Name       string
	Partitions int32             // 1 if 0
	Compact    bool              // compacted by key; else records are deleted by age
	Retention  time.Duration     // of tombstones if compacted, else of records; 0 is the log's default of 7 days; negative is for ever
	MinLag     time.Duration     // compaction leaves younger records alone; 0 is the log's default of 1 hour
	MaxBytes   int               // the largest record; 0 is the log's default of 16 MiB
	Settings   map[string]string // further settings by Kafka's names; the embedded log ignores what it does not know
	ID         string            // the identity the topic must have, if it is known (K13)
}

// A TopicInfo says what a topic is.
type TopicInfo struct {
	TopicSpec
	Ends    []Ends // by partition
	Markers bool   // the end of a transaction takes an offset, behind its last record of each partition
}

// Ends are the bounds of a partition.
type Ends struct {
	Start  int64 // the oldest offset a record can have
	Stable int64 // the end of what is committed
}

// TableTopic names the topic of a source table.
func TableTopic(prefix, schema, table string) string {
	return Sanitize(prefix + "." + schema + "." + table)
}

// FrontierTopic names the frontier topic of a source.
func FrontierTopic(deployment, source string) string {
	return "__evert." + deployment + ".frontier." + source
}

// SchemasTopic names the topic of the embedded registry.
func SchemasTopic(deployment string) string { return "__evert." + deployment + ".schemas" }

// ControlTopic names the topic of commands to a running deployment.
func ControlTopic(deployment string) string { return "__evert." + deployment + ".control" }

// maxTopicName is the longest name Kafka takes.
const maxTopicName = 249

// Sanitize replaces what may not stand in a topic's name by _, as Debezium
// does. Two names can become one: whoever makes topics checks for that.
func Sanitize(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
			return r
		}
		return '_'
	}, name)
	return name[:min(len(name), maxTopicName)]
}
