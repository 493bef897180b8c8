//go:build unix

package mysqlroad

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/integration/harness/check"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded"
	"github.com/evertdb/evert/pipeline/log/kafka"
)

// openLog opens the deployment's log beside a daemon that does not run.
func (c *capture) openLog() log.Log {
	c.Helper()
	if len(c.brokers) == 0 {
		l, err := embedded.Open(embedded.Config{Dir: filepath.Join(c.data(), "log"), ReadOnly: true, LockWait: 10 * time.Second})
		if err != nil {
			c.Fatal(err)
		}
		c.Cleanup(func() { _ = l.Close() })
		return l
	}
	l, err := kafka.Open(c.Context(), kafka.Config{Brokers: c.brokers, Deployment: c.database, Topics: kafka.Topics{Manage: kafka.Never}})
	if err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() { _ = l.Close() })
	return l
}

// A books is what the topics of a ledger hold below a cut.
type books struct {
	*ledger
	records map[log.TopicPartition][]harness.Record
	read    map[log.TopicPartition]int // records below the last cut
	void    string                     // which records counted for nothing at the last cut

	balances map[string]int64
	entries  map[string]entry
}

type entry struct {
	transfer    string
	part, parts int64
	delta       int64
}

var ledgerTables = []string{"accounts", "entries"}

func (l *ledger) topic(table string) string { return "db." + l.database + "." + table }

// whole folds the topics at every cut and adds up: balances against entries, and of each
// transfer its parts. It gives the number of cuts at which both tables were complete.
func (l *ledger) whole() (sound int) {
	l.Helper()
	b := &books{ledger: l, records: map[log.TopicPartition][]harness.Record{}}
	for _, table := range ledgerTables {
		for _, r := range l.records(table) {
			tp := log.TopicPartition{Topic: r.Topic, Partition: r.Partition}
			b.records[tp] = append(b.records[tp], r)
		}
	}
	cuts, err := check.Cuts(context.Background(), l.openLog(), log.FrontierTopic(l.database, "db"))
	if err != nil {
		l.Fatal(err)
	}
	var seq uint64
	for i := range cuts {
		if cuts[i].Resume.At.Seq < seq {
			l.Errorf("cut %d goes back from %d to %d (seed %d)", cuts[i].Number, seq, cuts[i].Resume.At.Seq, l.seed)
		}
		seq = cuts[i].Resume.At.Seq
		if !b.moveTo(&cuts[i]) {
			continue
		}
		sound++
		if err := b.addUp(); err != nil {
			l.Fatalf("cut %d at %s: %v (seed %d)", cuts[i].Number, cuts[i].Resume.At, err, l.seed)
		}
	}
	return sound
}

// moveTo folds up to a cut, and reports whether both tables are complete there.
func (b *books) moveTo(cut *log.Frontier) bool {
	void := fmt.Sprint(cut.Incarnation)
	complete := !cut.Resume.At.IsZero()
	for _, table := range ledgerTables {
		state, ok := cut.Tables[b.topic(table)]
		complete = complete && ok && state.State == log.OK
		void += fmt.Sprint(state.From)
	}
	if !complete {
		return false
	}
	if void != b.void {
		b.void, b.read, b.balances, b.entries = void, map[log.TopicPartition]int{}, map[string]int64{}, map[string]entry{}
	}
	for _, tp := range slices.SortedFunc(keysOf(b.records), func(x, y log.TopicPartition) int { return int(x.Partition - y.Partition) }) {
		records := b.records[tp]
		for ; b.read[tp] < len(records) && records[b.read[tp]].Offset < cut.Offsets[tp]; b.read[tp]++ {
			b.take(tp, cut, &records[b.read[tp]])
		}
	}
	return true
}

func keysOf[K comparable, V any](m map[K]V) func(yield func(K) bool) {
	return func(yield func(K) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// take folds a record, unless it counts for nothing.
func (b *books) take(tp log.TopicPartition, cut *log.Frontier, r *harness.Record) {
	from := cut.Tables[tp.Topic].From
	if int(tp.Partition) < len(from) && r.Offset < from[tp.Partition] {
		return
	}
	id := value(r.Key["id"])
	if tp.Topic == b.topic("accounts") {
		if b.balances[id] = number(r.After["balance"]); r.After == nil {
			delete(b.balances, id)
		}
		return
	}
	b.entries[id] = entry{value(r.After["transfer"]), number(r.After["part"]), number(r.After["parts"]), number(r.After["delta"])}
	if r.After == nil {
		delete(b.entries, id)
	}
}

func number(v json.RawMessage) int64 {
	n, _ := strconv.ParseInt(string(v), 10, 64)
	return n
}

// addUp says what does not add up.
func (b *books) addUp() error {
	var balances, deltas int64
	for _, n := range b.balances {
		balances += n
	}
	parts, wanted := map[string]map[int64]bool{}, map[string]int64{}
	for _, e := range b.entries {
		deltas += e.delta
		if wanted[e.transfer] = e.parts; parts[e.transfer] == nil {
			parts[e.transfer] = map[int64]bool{}
		}
		if parts[e.transfer][e.part] {
			return fmt.Errorf("part %d of transfer %s is there twice", e.part, e.transfer)
		}
		parts[e.transfer][e.part] = true
	}
	if len(b.balances) != b.accounts || balances != deltas {
		return fmt.Errorf("%d accounts hold %d, %d entries say %d", len(b.balances), balances, len(b.entries), deltas)
	}
	for transfer, n := range wanted {
		if int64(len(parts[transfer])) != n {
			return fmt.Errorf("transfer %s has %d of its %d parts", transfer, len(parts[transfer]), n)
		}
	}
	return nil
}
