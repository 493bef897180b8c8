package log_test

import (
	"fmt"
	"maps"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
)

// TestFrontier writes random frontier records, with parts between them, as a
// source would, over several rounds of the 256 slots; compacts the topic at
// random; and folds what is left. The newest state must come out whole (I3; K16
// compaction destroys history).
func TestFrontier(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := writeFrontiers(t, rapid.IntRange(1, 700).Draw(t, "records"))
		left := compact(t, w.records)
		var fold log.Fold
		for i := range left {
			if err := fold.Apply(&left[i]); err != nil {
				t.Fatal(err)
			}
		}
		got, ok := fold.Frontier()
		if !ok || !reflect.DeepEqual(*got, w.newest) {
			t.Fatalf("%v: folded\n%+v\nwant\n%+v", ok, got, w.newest)
		}
		part, ok := fold.Part()
		if ok != w.partial || ok && !reflect.DeepEqual(*part, w.part) {
			t.Fatalf("%v: part\n%+v\nwant %v\n%+v", ok, part, w.partial, w.part)
		}
	})
}

// written is a frontier topic and what it says in the end.
type written struct {
	records []log.Record
	newest  log.Frontier
	part    log.Frontier
	partial bool
}

func writeFrontiers(t *rapid.T, n int) written {
	var w written
	next := log.Frontier{Incarnation: 7, Offsets: log.Offsets{}, Tables: map[string]log.TableState{}}
	for i := range n {
		next = next.Clone()
		next.Number = uint64(i)
		step(t, &next)
		if i > 0 && rapid.IntRange(0, 9).Draw(t, "part") == 0 {
			next.Resume.Rows = 5
			w.part, w.partial = next.Clone(), true
			w.records = append(w.records, log.Record{Key: []byte(log.ResumeKey), Value: next.AppendPart(nil)})
			if rapid.Bool().Draw(t, "end") && i == n-1 {
				return w
			}
			next.Resume.Rows = 0
		}
		var since *log.Frontier
		if i > 0 {
			since = &w.newest
		}
		w.records = append(w.records, log.Record{Key: next.Key(), Value: next.AppendRecord(nil, since)})
		w.newest, w.partial = next.Clone(), false
	}
	return w
}

// step changes some offsets, and now and then a table's state.
func step(t *rapid.T, f *log.Frontier) {
	f.Resume = pipeline.Resume{At: pipeline.Position{Seq: f.Number + 1, Native: fmt.Sprintf("0/%X", f.Number)}, State: []byte("s")}
	f.Time = time.UnixMicro(int64(f.Number) + 1).UTC()
	topic := fmt.Sprint("shop.t", rapid.IntRange(0, 4).Draw(t, "topic"))
	f.Offsets[log.TopicPartition{Topic: topic, Partition: int32(rapid.IntRange(0, 2).Draw(t, "partition"))}] += 3
	if rapid.IntRange(0, 20).Draw(t, "state") == 0 {
		f.Tables[topic] = log.TableState{State: log.OK, Generation: uint32(f.Number), From: []int64{1, int64(f.Number)}, ID: "id", Owed: f.Number%2 == 0, Append: f.Number%5 == 0}
		if rapid.Bool().Draw(t, "stopped") {
			s := f.Tables[topic]
			s.State, s.Why = log.Stopped, log.Stop{Code: "UNKNOWN_VALUE", Text: "a text", At: time.UnixMicro(int64(f.Number) + 5).UTC()}
			s.Tried, s.Asked, s.Why.Routed = "UNKNOWN_VALUE OTHER", fmt.Sprint("ask", f.Number), f.Number%3 == 0
			f.Tables[topic] = s
		}
	}
}

// compact drops records below a random place that have a newer one of their key.
func compact(t *rapid.T, records []log.Record) []log.Record {
	end := rapid.IntRange(0, len(records)).Draw(t, "compacted to")
	last := map[string]int{}
	for i := range records {
		last[string(records[i].Key)] = i
	}
	var left []log.Record
	for i := range records {
		if i >= end || last[string(records[i].Key)] == i {
			left = append(left, records[i])
		}
	}
	return left
}

// TestFrontierRecord writes records as they are on the wire, and reads them back: one
// without the story of a table is as releases before it wrote and read it.
func TestFrontierRecord(t *testing.T) {
	at := time.UnixMicro(1_000_000).UTC()
	f := log.Frontier{Number: 3, Incarnation: 9, Resume: pipeline.Resume{At: pipeline.Position{Seq: 7, Native: "0/7"}, State: []byte{}}, Offsets: log.Offsets{{Topic: "a", Partition: 1}: 70},
		Tables: map[string]log.TableState{"a": {State: log.OK, Generation: 2, From: []int64{4, 5}, ID: "id", Owed: true}}}
	const plain = "0101030000000000000009" + "0703302f37" + "0000" + "00" + "0101610146" + "010161" + "12" + "02" + "026964" + "020405"
	check := func(want string) {
		t.Helper()
		b := f.AppendRecord(nil, nil)
		if got := fmt.Sprintf("%x", b); got != want {
			t.Errorf("the record is\n%s\nwant\n%s", got, want)
		}
		if back, err := log.ParseFrontier(b); err != nil || !reflect.DeepEqual(back, f) {
			t.Errorf("it is read as\n%+v, %v\nwant\n%+v", back, err, f)
		}
	}
	check(plain)
	f.Tables["b"] = log.TableState{State: log.Stopped, From: []int64{1}, Why: log.Stop{Code: "X", Text: "y", At: at}, Tried: "X Z", Asked: "r"}
	check("0201" + "030000000000000009" + "0703302f37" + "0000" + "00" + "0101610146" + "020161" + "12" + "02" + "026964" + "020405" + "0000000000" +
		"0162" + "03" + "00" + "00" + "0101" + "0158" + "0179" + "80897a" + "0358205a" + "0172")
	f.Tables = map[string]log.TableState{"b": {State: log.Stopped, From: []int64{1}, Why: log.Stop{Code: "X", Text: "y", At: at, Routed: true}}}
	check("0301" + "030000000000000009" + "0703302f37" + "0000" + "00" + "0101610146" + "010162" + "03" + "00" + "00" + "0101" + "0158" + "0179" + "80897a" + "00" + "00" + "01")
	f.Tables = map[string]log.TableState{"b": {State: log.OK, From: []int64{1}, Append: true}}
	check("0101" + "030000000000000009" + "0703302f37" + "0000" + "00" + "0101610146" + "010162" + "0a" + "00" + "00" + "0101")
}

// TestFrontierGarbage tells that damaged records are errors, whatever is cut off
// or changed.
func TestFrontierGarbage(t *testing.T) {
	f := log.Frontier{Number: 3, Incarnation: 9, Offsets: log.Offsets{{Topic: "a", Partition: 1}: 70}, Tables: map[string]log.TableState{"a": {State: log.OK, From: []int64{4}, Why: log.Stop{Code: "X"}}}}
	whole := f.AppendRecord(nil, nil)
	for n := range whole {
		if err := new(log.Fold).Apply(&log.Record{Key: f.Key(), Value: whole[:n]}); err == nil {
			t.Errorf("the first %d of %d bytes are taken for a frontier record", n, len(whole))
		}
	}
	part := f.AppendPart(nil)
	for n := range part {
		if err := new(log.Fold).Apply(&log.Record{Key: []byte(log.ResumeKey), Value: part[:n]}); err == nil {
			t.Errorf("the first %d of %d bytes are taken for a resume record", n, len(part))
		}
	}
}

func FuzzFold(f *testing.F) {
	front := log.Frontier{Offsets: log.Offsets{{Topic: "a"}: 7}, Tables: map[string]log.TableState{"a": {State: log.OK}}}
	f.Add([]byte("k"), front.AppendRecord(nil, nil))
	f.Add([]byte(log.ResumeKey), front.AppendPart(nil))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		var fold log.Fold
		_ = fold.Apply(&log.Record{Key: key, Value: value})
	})
}

func TestPos(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := log.Pos{Incarnation: rapid.Uint64().Draw(t, "incarnation"), Seq: rapid.Uint64().Draw(t, "seq"), Row: rapid.Uint64().Draw(t, "row")}
		b := want.Append(nil)
		if got, err := log.ParsePos(b); err != nil || got != want {
			t.Fatalf("%+v came back as %+v, %v", want, got, err)
		}
		for n := range b {
			if _, err := log.ParsePos(b[:n]); err == nil {
				t.Fatalf("%d of %d bytes are taken for a place", n, len(b))
			}
		}
	})
}

// TestSanitize gives topic names as Debezium makes them.
func TestSanitize(t *testing.T) {
	want := map[string]string{
		"shop.public.orders":  "shop.public.orders",
		"shop.public.Größe x": "shop.public.Gr__e_x",
		"a/b:c\"d":            "a_b_c_d",
	}
	got := map[string]string{}
	for name := range want {
		got[name] = log.Sanitize(name)
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	if long := log.Sanitize(string(make([]byte, 400))); len(long) != 249 {
		t.Errorf("%d bytes", len(long))
	}
}
