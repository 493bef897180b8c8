package deadletter_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/pipeline/deliver/deadletter"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded"
	"github.com/evertdb/evert/pipeline/log/kafka"
)

const table = "shop.public.orders"

// world is a log with a table topic of some rows in it.
type world struct {
	*testing.T
	log log.Log
	now time.Time
	lag time.Duration // of compaction
}

func newWorld(t *testing.T) *world {
	l, err := embedded.Open(embedded.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	w := &world{T: t, log: l, now: time.Now(), lag: -1}
	w.fill()
	return w
}

// fill writes rows 0 to 9, the last of which is a tombstone.
func (w *world) fill() {
	w.Helper()
	if _, err := w.log.Admin().Ensure(w.Context(), log.TopicSpec{Name: table, Partitions: 1, Compact: true, MinLag: w.lag}); err != nil {
		w.Fatal(err)
	}
	for i := range 10 {
		r := record(i, fmt.Appendf(nil, "row %d", i))
		if i == 9 {
			r.Value = nil
		}
		w.append(r)
	}
}

func record(key int, value []byte) log.Record {
	pos := log.Pos{Incarnation: 0xABC, Seq: uint64(key)}
	return log.Record{TopicPartition: log.TopicPartition{Topic: table}, Key: fmt.Appendf(nil, "key %d", key), Value: value, Headers: []log.Header{{Key: log.PosHeader, Value: pos.Append(nil)}}}
}

func (w *world) append(recs ...log.Record) {
	w.Helper()
	writer, err := w.log.Writer(w.Context(), "capture")
	if err != nil {
		w.Fatal(err)
	}
	defer writer.Close()
	if err := errors.Join(writer.Append(w.Context(), recs...), writer.Commit(w.Context(), nil)); err != nil {
		w.Fatal(err)
	}
}

// queue makes a queue as a new process would.
func (w *world) queue(c deadletter.Config) *deadletter.Queue {
	c.Log, c.Deployment, c.Sink, c.Now = w.log, "shop", "hook", func() time.Time { return w.now }
	q := deadletter.New(c)
	w.Cleanup(func() { q.Close() })
	return q
}

func place(offset int64) deliver.Place { return deliver.Place{Topic: table, Offset: offset} }

func rejection(offset int64) deliver.Rejection {
	return deliver.Rejection{Place: place(offset), Why: &pipeline.Refusal{Code: "HOOK_REJECTED", Where: "somewhere", What: "the system says no", Mend: "mend it"}}
}

// letters lists what lies there as offset=attempt.
func (w *world) letters() string {
	w.Helper()
	list, err := deadletter.List(w.Context(), w.log, deadletter.Topic("shop", "hook"))
	if err != nil {
		w.Fatal(err)
	}
	var all []string
	for _, l := range list {
		all = append(all, fmt.Sprintf("%d=%d", l.Place.Offset, l.Attempt))
	}
	return strings.Join(all, " ")
}

func (w *world) want(letters string) {
	w.Helper()
	if got := w.letters(); got != letters {
		w.Errorf("letters %q, want %q", got, letters)
	}
}

// versions counts the records of the topic, tombstones too.
func (w *world) versions() (n int) {
	w.Helper()
	infos, err := w.log.Admin().Topics(w.Context(), deadletter.Topic("shop", "hook"))
	if err != nil || len(infos) != 1 {
		w.Fatal(infos, err)
	}
	err = log.Scan(w.Context(), w.log, log.TopicPartition{Topic: infos[0].Name}, infos[0].Ends[0], func(*log.Record) error { n++; return nil })
	if err != nil {
		w.Fatal(err)
	}
	return n
}

func TestOnce(t *testing.T) {
	t.Run("R09 a rejected record is kept once, however often it is read again", func(t *testing.T) {
		w := newWorld(t)
		for range 3 { // processes that died before their place was kept
			q := w.queue(deadletter.Config{Keep: true})
			if err := q.Reject(t.Context(), rejection(3), rejection(5)); err != nil {
				t.Fatal(err)
			}
			if err := q.Reject(t.Context(), rejection(3)); err != nil {
				t.Fatal(err)
			}
			if n, known := q.Count(); n != 2 || !known {
				t.Errorf("%d letters", n)
			}
		}
		w.want("3=1 5=1")
		if n := w.versions(); n != 2 {
			t.Errorf("%d records were written", n)
		}
	})
}

// TestLetter keeps the bytes of a record as they are.
func TestLetter(t *testing.T) {
	w := newWorld(t)
	w.append(record(4, []byte("newer")))
	if err := w.log.Admin().Compact(t.Context(), table); err != nil {
		t.Fatal(err)
	}
	q := w.queue(deadletter.Config{Keep: true})
	if err := q.Reject(t.Context(), rejection(3), rejection(4), rejection(9)); err != nil {
		t.Fatal(err)
	}
	for offset, want := range map[int64]deadletter.Letter{
		3: {Held: deadletter.Record, Key: []byte("key 3"), Value: []byte("row 3"), Incarnation: "0000000000000abc"},
		4: {Held: deadletter.Superseded},
		9: {Held: deadletter.Tombstone, Key: []byte("key 9"), Incarnation: "0000000000000abc"},
	} {
		got, ok, err := deadletter.Get(t.Context(), w.log, deadletter.Topic("shop", "hook"), place(offset))
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		if got.Held != want.Held || string(got.Key) != string(want.Key) || string(got.Value) != string(want.Value) || got.Incarnation != want.Incarnation {
			t.Errorf("offset %d: %+v", offset, got)
		}
		if got.Code != "HOOK_REJECTED" || got.What != "the system says no" || got.Sink != "hook" || !got.At.Equal(w.now) || got.Place != place(offset) {
			t.Errorf("offset %d: %+v", offset, got)
		}
	}
	owner, err := log.Owners(t.Context(), w.log, deadletter.Topic("shop", "hook"))
	if who := owner[deadletter.Topic("shop", "hook")]; err != nil || who.String() != "sink hook of deployment shop" {
		t.Errorf("it belongs to %v, %v", who, err)
	}
}

// TestStop keeps what was skipped by hand and nothing else.
func TestStop(t *testing.T) {
	w := newWorld(t)
	q := w.queue(deadletter.Config{Skips: func(p deliver.Place) bool { return p == place(2) }})
	err := q.Reject(t.Context(), rejection(2), rejection(3), rejection(4))
	var halt *deliver.Halt
	if !errors.As(err, &halt) || halt.Place != place(3) || pipeline.CodeOf(err) != "HOOK_REJECTED" {
		t.Fatalf("stops with %v", err)
	}
	w.want("2=1")
	l, _, err := deadletter.Get(t.Context(), w.log, deadletter.Topic("shop", "hook"), place(2))
	if err != nil || l.Code != deadletter.CodeSkipped || !strings.Contains(l.What, "HOOK_REJECTED") {
		t.Errorf("the letter says %s: %s, %v", l.Code, l.What, err)
	}
}

// TestReplay counts attempts, and takes letters away.
func TestReplay(t *testing.T) {
	w := newWorld(t)
	q := w.queue(deadletter.Config{Keep: true})
	if err := q.Reject(t.Context(), rejection(1), rejection(2)); err != nil {
		t.Fatal(err)
	}
	rejected, err := w.queue(deadletter.Config{}).Replaying(func() error { return nil })
	if err != nil || len(rejected) != 0 {
		t.Fatal(rejected, err)
	}
	rejected, err = q.Replaying(func() error { return q.Reject(t.Context(), rejection(1)) })
	if err != nil || len(rejected) != 1 || !rejected[place(1)] {
		t.Fatal(rejected, err)
	}
	w.want("1=2 2=1")
	list, err := deadletter.List(t.Context(), w.log, deadletter.Topic("shop", "hook"))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.queue(deadletter.Config{}).Forget(t.Context(), list[1].ID); err != nil {
		t.Fatal(err)
	}
	w.want("1=2")
	if _, ok, err := deadletter.Get(t.Context(), w.log, deadletter.Topic("shop", "hook"), place(2)); ok || err != nil {
		t.Errorf("the letter is there: %v", err)
	}
}

func TestRetention(t *testing.T) {
	t.Run("X21 letters are removed when they are old", func(t *testing.T) {
		w := newWorld(t)
		if err := w.queue(deadletter.Config{}).Sweep(t.Context()); err != nil { // nothing to do, and no topic is made
			t.Fatal(err)
		}
		if infos, err := w.log.Admin().Topics(t.Context(), deadletter.Topic("shop", "hook")); err != nil || len(infos) != 0 {
			t.Errorf("a topic was made: %v, %v", infos, err)
		}
		keep := deadletter.Config{Keep: true, Retention: 24 * time.Hour}
		if err := w.queue(keep).Reject(t.Context(), rejection(1)); err != nil {
			t.Fatal(err)
		}
		w.now = w.now.Add(20 * time.Hour)
		q := w.queue(keep)
		if err := q.Reject(t.Context(), rejection(2)); err != nil {
			t.Fatal(err)
		}
		w.want("1=1 2=1")
		w.now = w.now.Add(5 * time.Hour)
		if err := q.Reject(t.Context(), rejection(3)); err != nil {
			t.Fatal(err)
		}
		w.want("2=1 3=1")
		w.now = w.now.Add(48 * time.Hour)
		if err := w.queue(keep).Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.want("")
	})
}

// TestTopicMadeAnew tells that a record is a letter of its own when its topic was
// deleted and made again, while the queue lives on.
func TestTopicMadeAnew(t *testing.T) {
	w := newWorld(t)
	q := w.queue(deadletter.Config{Keep: true})
	if err := q.Reject(t.Context(), rejection(1)); err != nil {
		t.Fatal(err)
	}
	if err := w.log.Admin().Delete(t.Context(), table); err != nil {
		t.Fatal(err)
	}
	w.fill()
	if err := q.Reject(t.Context(), rejection(1)); err != nil {
		t.Fatal(err)
	}
	w.want("1=1 1=1")
	list, err := deadletter.List(t.Context(), w.log, deadletter.Topic("shop", "hook"))
	if err != nil || len(list) != 2 {
		t.Fatal(list, err)
	}
	older, newer := list[0], list[1]
	if infos, err := w.log.Admin().Topics(t.Context(), table); err != nil || older.OfTopic() == infos[0].ID {
		older, newer = newer, older
	}
	if err := q.Forget(t.Context(), older.ID); err != nil {
		t.Fatal(err)
	}
	if l, ok, err := deadletter.Get(t.Context(), w.log, deadletter.Topic("shop", "hook"), place(1)); !ok || err != nil || l.ID != newer.ID {
		t.Errorf("the letter of the present topic: %v, %v, %v", l.ID, ok, err)
	}
}

func TestFull(t *testing.T) {
	t.Run("S16 a full topic stops the sink, and loses nothing", func(t *testing.T) {
		w := newWorld(t)
		q := w.queue(deadletter.Config{Keep: true, Most: 2})
		err := q.Reject(t.Context(), rejection(1), rejection(2), rejection(3))
		if pipeline.CodeOf(err) != deadletter.CodeFull {
			t.Fatalf("goes on with %v", err)
		}
		w.want("1=1 2=1")
		if err := q.Reject(t.Context(), rejection(2)); err != nil { // it lies there
			t.Error(err)
		}
	})
}

// TestDenied keeps letters in a cluster that lets us read the table, and not write
// the topic of dead letters, until an administrator allows it.
func TestDenied(t *testing.T) {
	t.Run("S16 a topic that is denied by its ACL stops the sink", func(t *testing.T) {
		allow := func(r kmsg.ACLResourceType, name string, pattern kmsg.ACLResourcePatternType) kfake.ACL {
			return kfake.ACL{Principal: "User:evert", Resource: r, Name: name, Pattern: pattern, Operation: kmsg.ACLOperationAll, Allow: true}
		}
		rights := []kfake.ACL{
			allow(kmsg.ACLResourceTypeTopic, table, kmsg.ACLResourcePatternTypeLiteral), allow(kmsg.ACLResourceTypeTopic, "__evert.", kmsg.ACLResourcePatternTypePrefixed),
			allow(kmsg.ACLResourceTypeTransactionalId, "*", kmsg.ACLResourcePatternTypeLiteral), allow(kmsg.ACLResourceTypeGroup, "*", kmsg.ACLResourcePatternTypeLiteral),
			allow(kmsg.ACLResourceTypeCluster, "kafka-cluster", kmsg.ACLResourcePatternTypeLiteral),
		}
		denied := append(rights, kfake.ACL{Principal: "User:evert", Resource: kmsg.ACLResourceTypeTopic, Name: deadletter.Topic("shop", "hook"),
			Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: kmsg.ACLOperationWrite})
		allowed := append(rights, allow(kmsg.ACLResourceTypeTopic, deadletter.Topic("shop", "hook"), kmsg.ACLResourcePatternTypeLiteral))
		for _, acls := range [][]kfake.ACL{rights, denied, allowed} {
			c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.EnableACLs(), kfake.User("PLAIN", "evert", "pw", acls...))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			l, err := kafka.Open(t.Context(), kafka.Config{Brokers: c.ListenAddrs(), Deployment: "shop", RetryFor: time.Second, SessionTimeout: 6 * time.Second,
				SASL: &kafka.SASL{Mechanism: "plain", Credentials: func(context.Context) (string, string, error) { return "evert", "pw", nil }}})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			w := &world{T: t, log: l, now: time.Now()}
			w.fill()
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			err = w.queue(deadletter.Config{Keep: true}).Reject(ctx, rejection(3))
			cancel()
			if len(acls) == len(allowed) && acls[len(acls)-1].Allow {
				if err != nil {
					t.Errorf("with the right: %v", err)
				}
				w.want("3=1")
				continue
			}
			if pipeline.CodeOf(err) != deadletter.CodeUnwritten {
				t.Errorf("goes on with %v", err)
			}
		}
	})
}
