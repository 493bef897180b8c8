package configs

import (
	"cmp"
	"math"
	"strconv"
	"strings"
	"time"
)

const (
	cleanupDelete    = "delete"
	retentionSetting = "retention.ms"
)

// IsAppendOnly reports whether the table's topic keeps every change.
func (o *Override) IsAppendOnly() bool { return o.Topic.Cleanup == cleanupDelete }

// IsAppendOnly reports whether the topic of a table, named exactly, keeps every change.
func (s *Source) IsAppendOnly(schema, table string) bool {
	o := s.For(schema, table)
	return o.IsAppendOnly()
}

// Retention is how long records of an append-only topic stay: 0 if the file does not
// say, negative for ever.
func (t *Topic) Retention() time.Duration {
	ms, err := strconv.ParseInt(t.Config[retentionSetting], 10, 64)
	if err != nil || ms > int64(math.MaxInt64/time.Millisecond) {
		return 0
	}
	return time.Duration(ms) * time.Millisecond
}

// checkAppendOnly finds what an append-only topic cannot keep.
func (d *decoder) checkAppendOnly(c *Config, name string, s *Source, p TablePattern) {
	o := s.Overrides[p]
	path := []string{"sources", name, "overrides", d.spelling(name, p)}
	at := func(more ...string) place { return d.at(append(path[:len(path):len(path)], more...)...) }
	where := strings.Join(path, ".")
	if !o.IsAppendOnly() {
		return
	}
	policy := cmp.Or(o.OnOversize, s.OnOversize)
	if schema, table, exact := p.Exact(); exact {
		policy = s.For(schema, table).OnOversize
	}
	if policy == "offload" || policy == "dead_letter" {
		d.add(at("topic", "cleanup"), conflict, where+": an append-only topic says every change by itself, and on_oversize: "+policy+" would leave some out of it",
			"write on_oversize: stop_table, or truncate, below "+where)
	}
	if ms, ok := o.Topic.Config[retentionSetting]; ok && !isRetention(ms) {
		d.add(at("topic", "config", retentionSetting), badValue, where+".topic.config: "+retentionSetting+" is no number of milliseconds", "write one from 1 on, or -1 to keep every record for ever")
	}
	if _, ok := o.Topic.Config["retention.bytes"]; ok && c.Kafka == nil {
		d.add(at("topic", "config", "retention.bytes"), conflict, where+".topic.config: the embedded log deletes records by age alone", "write retention.ms instead")
	}
}

func isRetention(ms string) bool {
	n, err := strconv.ParseInt(ms, 10, 64)
	return err == nil && (n == -1 || n > 0 && n <= int64(math.MaxInt64/time.Millisecond))
}

// checkAppended refuses a sink that cannot be filled from a topic of changes.
func (s *Sink) checkAppended(c *Config, source string, table TablePattern, wrong func(what, mend string)) {
	schema, name, _ := table.Exact()
	if !c.Sources[source].IsAppendOnly(schema, name) {
		return
	}
	what := "table " + source + "." + table.String() + " is append-only (topic: {cleanup: delete}), so that its topic holds changes for a time, and not its rows"
	switch {
	case s.HoldsRows():
		wrong(what, "deliver it to webhook, files or stdout; or remove cleanup from the table's override, and give the table a topic of rows")
	case s.NeedsOldRows():
		wrong(what+"; steps rekey, unnest and drop_unchanged make one change of all those between two cuts, which it is to keep", "write the step below the source")
	case s.Files != nil && s.Files.Format == "avro":
		wrong(what+"; Avro files have no word for a TRUNCATE among them", "write format: jsonl below files")
	}
}
