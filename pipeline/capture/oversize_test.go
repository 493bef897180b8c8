//go:build unix

package capture_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/capture"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/avro"
	"github.com/evertdb/evert/schema/registry/registrytest"
)

// small is the largest record of the stories about large ones.
const small = 8 << 10

// onBoth runs a story on a fresh log of each kind, with a small limit.
func onBoth(t *testing.T, p capture.Policy, do func(t *testing.T, s *large)) {
	t.Run("embedded", func(t *testing.T) { do(t, makeLarge(newStory(t), p)) })
	t.Run("kafka", func(t *testing.T) { do(t, makeLarge(tell(t, fakeKafka(t), &registrytest.InMemory{}), p)) })
}

// onAll is onBoth, and Apache Kafka.
func onAll(t *testing.T, p capture.Policy, do func(t *testing.T, s *large)) {
	onBoth(t, p, do)
	t.Run("apache kafka", func(t *testing.T) { do(t, makeLarge(tell(t, apacheKafka(t), &registrytest.InMemory{}), p)) })
}

// large is a story about rows that are too large.
type large struct {
	*story
	seen    []capture.Oversize
	stopped []*pipeline.Refusal
}

func makeLarge(s *story, p capture.Policy) *large {
	l := &large{story: s}
	s.config.RecordBytes, s.config.ValueBytes = small, 100*small
	s.config.Topic = func(*schema.Table) capture.Topic { return capture.Topic{OnOversize: p} }
	s.config.Events.Oversize = func(o capture.Oversize) { l.seen = append(l.seen, o) }
	s.config.Events.Stopped = func(_ string, _ *schema.Table, why *pipeline.Refusal) { l.stopped = append(l.stopped, why) }
	return l
}

// commit commits, and waits until all of it is visible: Kafka decides first, and
// shows the partitions one by one.
func (s *large) commit() {
	s.t.Helper()
	at := s.tx.Position.Seq
	s.story.commit()
	for deadline := time.Now().Add(3 * time.Minute); !s.visible(at); time.Sleep(time.Millisecond) { // the period of asking
		if time.Now().After(deadline) {
			s.t.Fatal("the commit does not become visible")
		}
	}
}

func (s *large) visible(at uint64) bool {
	s.t.Helper()
	fold, err := log.ReadFrontier(context.Background(), s.log, log.FrontierTopic("test", "shop"))
	if err != nil {
		s.t.Fatal(err)
	}
	f, ok := fold.Frontier()
	if !ok || f.Resume.At.Seq != at {
		return false
	}
	for tp, next := range f.Offsets {
		infos, err := s.log.Admin().Topics(context.Background(), tp.Topic)
		if err != nil || len(infos) == 0 || infos[0].Ends[tp.Partition].Stable < next {
			return false
		}
	}
	return true
}

// words is text that does not compress, of n bytes, with characters of up to
// three bytes.
func words(n int) string {
	rng := rand.New(rand.NewPCG(uint64(n), 1))
	var b strings.Builder
	for b.Len() < n-3 {
		b.WriteRune([]rune("abcdefghijk€äöüß")[rng.IntN(16)])
	}
	for b.Len() < n {
		b.WriteByte('x')
	}
	return b.String()
}

func sum(text string) string {
	s := sha256.Sum256([]byte(text))
	return hex.EncodeToString(s[:])
}

// last gives the newest record of a topic, and its row after the change.
func (s *story) last(topic string) (*log.Record, schema.Row) {
	s.t.Helper()
	infos, err := s.log.Admin().Topics(context.Background(), topic)
	if err != nil || len(infos) == 0 {
		s.t.Fatal(infos, err)
	}
	var newest *log.Record
	err = log.Scan(context.Background(), s.log, log.TopicPartition{Topic: topic}, infos[0].Ends[0], func(r *log.Record) error {
		c := *r
		c.Key, c.Value, c.Headers = bytes.Clone(r.Key), bytes.Clone(r.Value), nil
		for _, h := range r.Headers {
			c.Headers = append(c.Headers, log.Header{Key: h.Key, Value: bytes.Clone(h.Value)})
		}
		newest = &c
		return nil
	})
	if err != nil || newest == nil {
		s.t.Fatalf("topic %s: %v, %v", topic, newest, err)
	}
	if newest.Value == nil {
		return newest, nil
	}
	return newest, s.event(newest.Key, newest.Value).After
}

func (s *story) event(key, wire []byte) avro.Event {
	s.t.Helper()
	_, keySchema := s.body(key)
	value, valueSchema := s.body(wire)
	codec, err := avro.ParseCodec(keySchema, valueSchema)
	if err != nil {
		s.t.Fatal(err)
	}
	e, err := codec.DecodeValue(value, &avro.Arena{})
	if err != nil {
		s.t.Fatal(err)
	}
	return e
}

func header[T any](t *testing.T, r *log.Record, key string) (v T) {
	t.Helper()
	text := r.Find(key)
	if text == nil {
		t.Fatalf("the record has no header %s", key)
	}
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// policies has what is promised by each.
func policies() map[capture.Policy]func(t *testing.T, s *large, bio string) {
	return map[capture.Policy]func(t *testing.T, s *large, bio string){
		capture.StopTable:  checkStopped,
		capture.Truncate:   checkCut,
		capture.Offload:    checkOffloaded,
		capture.DeadLetter: checkBuried,
	}
}

// factors are sizes of a row in shares of the limit.
var factors = []float64{0.9, 1, 1.1, 20}

// TestOversize writes rows around the limit by each policy, on both logs. What
// fits goes as it is; of what does not, all that is promised is there; and
// whatever happens to the table, the others go on (I8).
func TestOversize(t *testing.T) {
	for policy, check := range policies() {
		for _, f := range factors {
			t.Run(fmt.Sprintf("K03 %s, %g of the limit", policy, f), func(t *testing.T) {
				onAll(t, policy, func(t *testing.T, s *large) {
					bio := words(int(f * small))
					s.open()
					s.write(read(orders, order(1, 1)), read(people, person(1, "Ada", "short")))
					s.part()
					s.commit()
					s.write(create(people, person(2, "Bo", bio)), create(orders, order(2, 2)))
					s.commit()
					s.write(create(orders, order(3, 3)))
					s.commit()
					if _, row := s.last(ordersTopic); row[0].Int() != 3 {
						t.Errorf("the other table ends with %v", row)
					}
					if fits := f < 0.95; fits {
						if _, row := s.last(peopleTopic); string(row[2].Ref()) != bio || len(s.seen)+len(s.stopped) != 0 {
							t.Errorf("a row that fits: %d bytes, told %v %v", len(row[2].Ref()), s.seen, s.stopped)
						}
						return
					}
					check(t, s, bio)
				})
			})
		}
	}
}

func checkStopped(t *testing.T, s *large, _ string) {
	if len(s.stopped) != 1 || s.stopped[0].Code != "RECORD_TOO_LARGE" || strings.Contains(s.stopped[0].Error(), "Bo") {
		t.Errorf("told %v", s.stopped)
	}
	s.want(peopleTopic, `0 (1) r +(1,Ada,short) @0.1`)
	f := s.frontier()
	if f.Tables[peopleTopic].State != log.Stopped || f.Tables[ordersTopic].State != log.OK {
		t.Errorf("the frontier says %v", f.Tables)
	}
	s.open()
	s.write(create(people, person(4, "Cy", "short")), create(orders, order(4, 4)))
	s.commit()
	if _, row := s.last(peopleTopic); row[0].Int() != 1 {
		t.Errorf("a stopped table was written: %v", row)
	}
	if code := s.stopped[len(s.stopped)-1].Code; code != "RECORD_TOO_LARGE" {
		t.Errorf("after a restart it is told as %s", code)
	}
}

func checkCut(t *testing.T, s *large, bio string) {
	r, row := s.last(peopleTopic)
	cut := header[[]log.Cut](t, r, log.CutHeader)
	if len(cut) != 1 || cut[0] != (log.Cut{Row: "after", Column: "bio", Bytes: int64(len(bio)), SHA256: sum(bio)}) {
		t.Errorf("the header says %+v", cut)
	}
	got := string(row[2].Ref())
	if !strings.HasPrefix(bio, got) || len(got) < small*7/10 || string(row[1].Ref()) != "Bo" || strings.ContainsRune(got, '\uFFFD') {
		t.Errorf("%d bytes of %d are left", len(got), len(bio))
	}
	if len(s.seen) != 1 || s.seen[0].Policy != capture.Truncate || s.seen[0].Topic != peopleTopic {
		t.Errorf("told %+v", s.seen)
	}
}

func checkOffloaded(t *testing.T, s *large, bio string) {
	r, row := s.last(peopleTopic)
	if string(row[2].Ref()) != "__debezium_unavailable_value" || string(row[1].Ref()) != "Bo" {
		t.Errorf("the row is %s %s", row[1].Ref(), row[2].Ref())
	}
	values, err := log.Restore(context.Background(), s.log, r)
	if err != nil || string(values["bio"]) != bio {
		t.Errorf("restored %d bytes of %d, %v", len(values["bio"]), len(bio), err)
	}
	if f := s.frontier(); f.Offsets[log.TopicPartition{Topic: peopleTopic + ".offload"}] == 0 || !f.Tables[peopleTopic].Offloaded {
		t.Errorf("the frontier says %v of %v", f.Offsets, f.Tables)
	}
}

func checkBuried(t *testing.T, s *large, bio string) {
	r, row := s.last(peopleTopic)
	if row != nil {
		t.Fatalf("no tombstone: %v", row)
	}
	at := header[log.Chunked](t, r, log.DeadLetterHeader)
	wire, err := log.ReadChunked(context.Background(), s.log, at)
	if err != nil {
		t.Fatal(err)
	}
	wantPieces(t, s.log, at, wire)
	if e := s.event(r.Key, wire); string(e.After[2].Ref()) != bio || e.Op != 'c' || at.Topic != peopleTopic+".dlq" {
		t.Errorf("the dead letter is %c with %d bytes in %s", e.Op, len(e.After[2].Ref()), at.Topic)
	}
	dead, _ := lastRaw(t, s, peopleTopic+".dlq")
	if string(dead.Find("evert-reason")) != "RECORD_TOO_LARGE" || string(dead.Find("evert-topic")) != peopleTopic || dead.Find(log.PosHeader) == nil {
		t.Errorf("the dead letter's headers are %v", dead.Headers)
	}
}

// wantPieces reads a value piece by piece. Pieces that do not make one up are told of at
// its end.
func wantPieces(t *testing.T, l log.Log, at log.Chunked, want []byte) {
	t.Helper()
	read := func(at log.Chunked) ([]byte, error) {
		r, err := log.OpenChunked(context.Background(), l, at)
		if err != nil {
			return nil, err
		}
		defer r.Close()
		return io.ReadAll(r)
	}
	if got, err := read(at); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes of %d are read piece by piece: %v", len(got), len(want), err)
	}
	at.Chunks--
	if _, err := read(at); !errors.Is(err, log.ErrSuperseded) {
		t.Errorf("a piece less is read: %v", err)
	}
}

// lastRaw is last without decoding.
func lastRaw(t *testing.T, s *large, topic string) (newest log.Record, n int) {
	t.Helper()
	infos, err := s.log.Admin().Topics(context.Background(), topic)
	if err != nil || len(infos) == 0 {
		t.Fatal(infos, err)
	}
	err = log.Scan(context.Background(), s.log, log.TopicPartition{Topic: topic}, infos[0].Ends[0], func(r *log.Record) error {
		newest = *r
		newest.Headers = nil
		for _, h := range r.Headers {
			newest.Headers = append(newest.Headers, log.Header{Key: h.Key, Value: bytes.Clone(h.Value)})
		}
		n++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return newest, n
}

// The old row of an update or delete goes before anything else: no policy is
// needed for that, and the new row stays whole.
func TestOversizeOldRow(t *testing.T) {
	onBoth(t, capture.StopTable, func(t *testing.T, s *large) {
		half := words(small * 6 / 10)
		s.open()
		s.write(create(people, person(1, "Ada", half)), update(people, person(1, "Ada", half), person(1, "Eve", half)))
		s.commit()
		r, row := s.last(peopleTopic)
		if string(row[1].Ref()) != "Eve" || string(row[2].Ref()) != half || s.event(r.Key, r.Value).Before != nil {
			t.Errorf("the row is %s", row[1].Ref())
		}
		if cut := header[[]log.Cut](t, r, log.CutHeader); len(cut) != 1 || cut[0] != (log.Cut{Row: "before"}) {
			t.Errorf("the header says %+v", cut)
		}
		if len(s.stopped) != 0 {
			t.Errorf("stopped: %v", s.stopped)
		}
	})
}

// I6: a snapshot and the stream cut a row alike, and a value of the log that may
// have been cut is not taken for the whole one: the source is asked again.
func TestCutAgain(t *testing.T) {
	onAll(t, capture.Truncate, func(t *testing.T, s *large) {
		bio := words(3 * small)
		there := true
		s.config.Reread = func(context.Context, *pipeline.Change) (schema.Row, error) {
			if !there {
				return nil, nil
			}
			return person(1, "Ada", bio), nil
		}
		s.open()
		s.write(read(people, person(1, "Ada", bio)))
		s.part()
		s.commit()
		_, first := s.last(peopleTopic)
		s.write(update(people, nil, person(1, "Eve", "?")))
		s.commit()
		r, again := s.last(peopleTopic)
		if string(again[1].Ref()) != "Eve" || !again[2].Identical(first[2]) {
			t.Errorf("cut to %d and %d bytes", len(first[2].Ref()), len(again[2].Ref()))
		}
		if cut := header[[]log.Cut](t, r, log.CutHeader); cut[0].SHA256 != sum(bio) {
			t.Errorf("the header says %+v", cut)
		}
		there = false // deleted meanwhile: the change that says so follows
		s.write(update(people, nil, person(1, "Fay", "?")))
		s.commit()
		r, again = s.last(peopleTopic)
		if cut := header[[]log.Cut](t, r, log.CutHeader); string(again[1].Ref()) != "Fay" || cut[0] != (log.Cut{Row: "after", Column: "bio"}) {
			t.Errorf("the header says %+v", cut)
		}
	})
}

// A value in pieces is put together where it is filled from, and its pieces go
// when the row changes, shrinks or is deleted.
func TestOffloadedLife(t *testing.T) {
	onAll(t, capture.Offload, func(t *testing.T, s *large) {
		side := peopleTopic + ".offload"
		restored := func() string {
			t.Helper()
			r, _ := s.last(peopleTopic)
			values, err := log.Restore(context.Background(), s.log, r)
			if err != nil {
				t.Fatal(err)
			}
			return string(values["bio"])
		}
		left := func() int { return len(living(t, s, side)) }
		bio, shorter := words(5*small), words(2*small)
		s.open()
		s.write(create(people, person(1, "Ada", bio)))
		s.commit()
		many := left()
		s.open() // a restart knows that there are pieces
		s.write(update(people, nil, person(1, "Eve", "?")))
		s.commit()
		if restored() != bio || left() != many {
			t.Errorf("after an update beside it: %d pieces, were %d", left(), many)
		}
		s.write(update(people, nil, person(1, "Eve", shorter)))
		s.commit()
		if restored() != shorter || left() >= many {
			t.Errorf("after a shorter value: %d pieces, were %d", left(), many)
		}
		s.write(update(people, nil, person(1, "Eve", "short")), create(people, person(2, "Bo", bio)))
		s.commit()
		if left() != many {
			t.Errorf("after a short value and another row: %d pieces, want %d", left(), many)
		}
		s.write(remove(people, person(2, "?", "?")))
		s.commit()
		if left() != 0 {
			t.Errorf("after the delete: %d pieces", left())
		}
	})
}

// living gives the keys of a topic whose newest record is no tombstone.
func living(t *testing.T, s *large, topic string) map[string]bool {
	t.Helper()
	keys := map[string]bool{}
	infos, err := s.log.Admin().Topics(context.Background(), topic)
	if err != nil || len(infos) == 0 {
		t.Fatal(infos, err)
	}
	err = log.Scan(context.Background(), s.log, log.TopicPartition{Topic: topic}, infos[0].Ends[0], func(r *log.Record) error {
		if keys[string(r.Key)] = true; r.Value == nil {
			delete(keys, string(r.Key))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// A dead letter's row comes back with the first change that fits.
func TestBuriedLife(t *testing.T) {
	onAll(t, capture.DeadLetter, func(t *testing.T, s *large) {
		s.config.Reread = func(context.Context, *pipeline.Change) (schema.Row, error) { return nil, nil }
		s.open()
		s.write(create(people, person(1, "Ada", "short")))
		s.commit()
		s.write(update(people, nil, person(1, "Ada", words(2*small))))
		s.commit()
		if _, row := s.last(peopleTopic); row != nil {
			t.Errorf("the old row still stands: %v", row)
		}
		s.write(update(people, nil, person(1, "Eve", "?"))) // the row is gone from the database; its delete follows
		s.commit()
		s.write(update(people, nil, person(1, "Eve", "short again")))
		s.commit()
		if _, row := s.last(peopleTopic); row == nil || string(row[2].Ref()) != "short again" {
			t.Errorf("the row did not come back: %v", row)
		}
	})
}

// A single value has a bound of its own.
func TestLargeValue(t *testing.T) {
	onBoth(t, capture.Truncate, func(t *testing.T, s *large) {
		s.config.ValueBytes = 1000
		s.open()
		bio := words(1500)
		s.write(create(people, person(1, "Ada", bio)))
		s.commit()
		r, row := s.last(peopleTopic)
		if n := len(row[2].Ref()); n > 1000 || n < 997 || header[[]log.Cut](t, r, log.CutHeader)[0].SHA256 != sum(bio) {
			t.Errorf("%d bytes are left", n)
		}
	})
}

// K03 limit changed at run time: one that is raised or lowered in the file counts
// from the next start; one that is lowered on the cluster ends the sink, and the
// next one follows the policy.
func TestLimitChanged(t *testing.T) {
	onBoth(t, capture.Truncate, func(t *testing.T, s *large) {
		bio := words(2 * small)
		for n, limit := range []int{small, 4 * small, small} {
			s.config.RecordBytes = limit
			s.open()
			s.write(create(people, person(n, "Ada", bio)))
			s.commit()
			r, row := s.last(peopleTopic)
			if whole := string(row[2].Ref()) == bio; whole != (limit > small) || whole == (r.Find(log.CutHeader) != nil) {
				t.Errorf("K03 limit of %d: %d bytes are left", limit, len(row[2].Ref()))
			}
		}
	})
	t.Run("on a fake cluster", func(t *testing.T) {
		c, err := kfake.NewCluster(kfake.NumBrokers(1))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		limitLowered(t, kafkaOver(t, c.ListenAddrs(), "test"), c.ListenAddrs())
	})
	t.Run("on apache kafka", func(t *testing.T) {
		limitLowered(t, apacheKafka(t), real.Cluster(t).Brokers())
	})
}

func limitLowered(t *testing.T, l log.Log, brokers []string) {
	s := makeLarge(tell(t, l, &registrytest.InMemory{}), capture.Truncate)
	s.config.RecordBytes = 16 << 20
	s.open()
	s.write(create(people, person(1, "Ada", "short")))
	s.commit()
	lower(t, brokers, peopleTopic, small)
	bio := words(2 * small)
	var err error
	for began := time.Now(); err == nil; { // a broker agrees first, and applies it in a moment
		if time.Since(began) > 3*time.Minute {
			t.Fatal("K03 the old limit still counts")
		}
		if err = s.tryWrite(create(people, person(2, "Bo", bio))); err == nil {
			err = s.sink.Commit(context.Background(), pipeline.Resume{At: s.tx.Position})
		}
	}
	if pipeline.CodeOf(err) != "" {
		t.Fatalf("K03 the new limit is final: %v", err)
	}
	s.open()
	s.write(create(people, person(2, "Bo", bio)))
	s.commit()
	if r, _ := s.last(peopleTopic); header[[]log.Cut](t, r, log.CutHeader)[0].SHA256 != sum(bio) {
		t.Error("K03 the new limit does not count")
	}
}

func lower(t *testing.T, brokers []string, topic string, bytes int) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	value := fmt.Sprint(bytes)
	_, err = kadm.NewClient(cl).AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "max.message.bytes", Value: &value}}, topic)
	if err != nil {
		t.Fatal(err)
	}
}
