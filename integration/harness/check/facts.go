//go:build unix

package check

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/integration/harness/workload"
	"github.com/evertdb/evert/pipeline/log"
)

// A Record is what the checks need of one record. Kind is Debezium's letter, or
// 0 for a tombstone.
type Record struct {
	Topic       string
	Offset      int64
	Incarnation uint64
	Seq, Row    uint64
	Key         string
	Ver         int
	Tx          int64
	Kind        byte
}

// owed marks the rows of tombstones for void rows.
const owed = 1 << 40

// Facts are what lies in the topics of a workload.
type Facts struct {
	Records map[log.TopicPartition][]Record
	Cuts    []log.Frontier // every frontier record, in order

	problems *Problems
}

// Gather reads the topics of all tables of the workload. Rows that are wrong by
// themselves go to problems.
func Gather(w *harness.World, problems *Problems) (*Facts, error) {
	f := &Facts{Records: map[log.TopicPartition][]Record{}, problems: problems}
	for _, t := range workload.Tables() {
		if err := w.Tail(harness.Topic(t.Name), func(r harness.Record) error { return f.take(t, r) }); err != nil {
			return nil, err
		}
	}
	return f, f.readCuts(w)
}

func (f *Facts) readCuts(w *harness.World) error {
	l, closeLog, err := w.OpenLog()
	if err != nil {
		return err
	}
	defer closeLog()
	f.Cuts, err = Cuts(context.Background(), l, log.FrontierTopic(w.Deployment(), harness.Prefix))
	return err
}

// Cuts reads every frontier record of a topic that was not compacted yet.
func Cuts(ctx context.Context, l log.Log, topic string) ([]log.Frontier, error) {
	infos, err := l.Admin().Topics(ctx, topic)
	if err != nil {
		return nil, err
	}
	if len(infos) == 0 {
		return nil, fmt.Errorf("topic %s is not there", topic)
	}
	var cuts []log.Frontier
	var fold log.Fold
	err = log.Scan(ctx, l, log.TopicPartition{Topic: topic}, infos[0].Ends[0], func(r *log.Record) error {
		if err := fold.Apply(r); err != nil {
			return err
		}
		now, ok := fold.Frontier()
		if string(r.Key) != log.ResumeKey && r.Value != nil && ok {
			cuts = append(cuts, now.Clone())
		}
		return nil
	})
	return cuts, err
}

// take notes one record and looks whether its row is right by itself.
func (f *Facts) take(t workload.Table, r harness.Record) error {
	rec := Record{Topic: r.Topic, Offset: r.Offset, Key: keyOf(t, r.Key)}
	if r.Position == nil {
		return fmt.Errorf("%s offset %d has no position", r.Topic, r.Offset)
	}
	var err error
	if rec.Incarnation, err = incarnation(r.Position.Incarnation); err != nil {
		return err
	}
	rec.Seq, rec.Row = r.Position.Seq, r.Position.Row
	if r.Op != nil {
		rec.Kind = (*r.Op)[0]
	}
	if r.After != nil {
		rec.Ver, rec.Tx = integer(r.After["ver"]), int64(integer(r.After["tx"]))
	}
	f.verifyRow(t, &rec, r.After)
	f.verifyRow(t, &rec, r.Before)
	if (rec.Kind == 'c' || rec.Kind == 'u' || rec.Kind == 'r') && r.After == nil {
		f.problems.Add("%s offset %d: op %c without a row", r.Topic, r.Offset, rec.Kind)
	}
	tp := log.TopicPartition{Topic: r.Topic, Partition: r.Partition}
	f.Records[tp] = append(f.Records[tp], rec)
	return nil
}

func incarnation(text string) (uint64, error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != 8 {
		return 0, fmt.Errorf("incarnation %q", text)
	}
	return strconv.ParseUint(text, 16, 64)
}

// verifyRow compares the large values with what the row's seed says.
func (f *Facts) verifyRow(t workload.Table, rec *Record, row map[string]json.RawMessage) {
	if !t.Large || row == nil {
		return
	}
	seedText, ok := row["seed"]
	if !ok {
		return // a before-image of the key alone
	}
	seed, _ := strconv.ParseInt(string(seedText), 10, 64)
	body, whole := workload.Body(seed)
	f.verifyValue(rec, "body", row, quoted(body, whole))
	raw, whole := workload.Raw(seed)
	f.verifyValue(rec, "raw", row, quoted(`\x`+raw, whole))
}

func quoted(text string, ok bool) string {
	if !ok {
		return "null"
	}
	b, _ := json.Marshal(text)
	return string(b)
}

func (f *Facts) verifyValue(rec *Record, column string, row map[string]json.RawMessage, want string) {
	got, ok := row[column]
	switch {
	case !ok:
		f.problems.Add("%s offset %d: column %s is missing (I5)", rec.Topic, rec.Offset, column)
	case string(got) != want:
		f.problems.Add("%s offset %d key %s: column %s is %.60s (%d bytes), want %.60s (%d bytes) (I5)",
			rec.Topic, rec.Offset, rec.Key, column, got, len(got), want, len(want))
	}
}

func keyOf(t workload.Table, key map[string]json.RawMessage) string {
	parts := make([]string, len(t.Key))
	for i, column := range t.Key {
		parts[i], _ = Text(key[column])
	}
	return strings.Join(parts, "|")
}

// Text gives a JSON value as the server prints it; ok is false for null and for
// nothing.
func Text(value json.RawMessage) (text string, ok bool) {
	switch {
	case len(value) == 0 || string(value) == "null":
		return "", false
	case value[0] == '"':
		_ = json.Unmarshal(value, &text)
		return text, true
	case string(value) == "true":
		return "t", true
	case string(value) == "false":
		return "f", true
	}
	return string(value), true
}

func integer(value json.RawMessage) int {
	n, _ := strconv.Atoi(string(value))
	return n
}
