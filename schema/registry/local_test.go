package registry_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evertdb/evert/schema/registry"
)

// A topic is a committed log of records in memory. A Store that takes it fences
// the others.
type topic struct {
	mu      sync.Mutex
	records []registry.Record
	writer  *store
}

type store struct {
	topic *topic
	fault func(append func()) error // takes the place of an append
	hides int                       // how many of the newest records Read does not see, until Take
}

func (t *topic) open() *store { return &store{topic: t} }

var errFenced = errors.New("fenced by a newer writer")

func (s *store) Take(context.Context) error {
	s.topic.mu.Lock()
	defer s.topic.mu.Unlock()
	s.topic.writer, s.hides = s, 0
	return nil
}

func (s *store) Read(_ context.Context, from string, fn func(key, value []byte) error) (string, bool, error) {
	s.topic.mu.Lock()
	defer s.topic.mu.Unlock()
	next, _ := strconv.Atoi(from)
	seen := len(s.topic.records) - s.hides
	if next > seen {
		next, from = 0, ""
	}
	for _, r := range s.topic.records[next:seen] {
		if err := fn(r.Key, r.Value); err != nil {
			return from, from == "", err
		}
	}
	return strconv.Itoa(seen), from == "", nil
}

func (s *store) Append(_ context.Context, records ...registry.Record) (string, error) {
	s.topic.mu.Lock()
	defer s.topic.mu.Unlock()
	if s.topic.writer != s {
		return "", errFenced
	}
	write := func() { s.topic.records = append(s.topic.records, records...) }
	if s.fault != nil {
		return "", s.fault(write)
	}
	write()
	return strconv.Itoa(len(s.topic.records)), nil
}

func open(t *testing.T, s registry.Store) *registry.Local {
	t.Helper()
	l, err := registry.Open(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func register(t *testing.T, r registry.Registry, subject, schema string) int {
	t.Helper()
	id, err := r.Register(t.Context(), subject, schema)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func level(t *testing.T, l *registry.Local, subject string, level registry.Level) {
	t.Helper()
	if err := l.Configure(t.Context(), subject, registry.Setting{Level: level}); err != nil {
		t.Fatal(err)
	}
}

// subjects lists those that have a version, sorted.
func subjects(t *testing.T, l *registry.Local) (names []string) {
	t.Helper()
	all, err := l.Versions(t.Context(), "", false)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		names = append(names, v.Subject)
	}
	return slices.Compact(names)
}

// versions maps the numbers of a subject's versions to ids.
func versions(t *testing.T, l *registry.Local, subject string) map[int]int {
	t.Helper()
	all, err := l.Versions(t.Context(), subject, false)
	if err != nil {
		t.Fatal(err)
	}
	ids := map[int]int{}
	for _, v := range all {
		if v.Subject == subject {
			ids[v.Number] = v.ID
		}
	}
	return ids
}

// record is a schema with these fields: `a` required, `b?` optional.
func record(fields ...string) string {
	var parts []string
	for _, f := range fields {
		if name, ok := strings.CutSuffix(f, "?"); ok {
			parts = append(parts, fmt.Sprintf(`{"name":%q,"type":["null","long"],"default":null}`, name))
		} else {
			parts = append(parts, fmt.Sprintf(`{"name":%q,"type":"long"}`, f))
		}
	}
	return `{"type":"record","name":"Value","namespace":"shop","fields":[` + strings.Join(parts, ",") + `]}`
}

func TestIDs(t *testing.T) {
	l := open(t, new(topic).open())
	first := register(t, l, "a-value", record("id"))
	if again := register(t, l, "a-value", record("id")); again != first {
		t.Errorf("the same schema again: id %d, not %d", again, first)
	}
	if other := register(t, l, "b-value", " "+record("id")+"\n"); other != first {
		t.Errorf("the same schema under another subject: id %d, not %d", other, first)
	}
	second := register(t, l, "a-value", record("id", "x?"))
	if second == first {
		t.Error("two schemas have one id")
	}
	withProperty := strings.Replace(record("id", "x?"), `"namespace"`, `"evert.note":1,"namespace"`, 1)
	if third := register(t, l, "a-value", withProperty); third == second {
		t.Error("schemas that differ in a property have one id")
	}
	if diff := cmp.Diff([]string{"a-value", "b-value"}, subjects(t, l)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[int]int{1: 1, 2: 2, 3: 3}, versions(t, l, "a-value")); diff != "" {
		t.Error(diff)
	}
	text, err := l.Schema(t.Context(), second)
	if err != nil || text != record("id", "x?") {
		t.Errorf("schema %d is %q, %v", second, text, err)
	}
	if id, text, err := l.Latest(t.Context(), "a-value"); err != nil || id != 3 || text != withProperty {
		t.Errorf("latest is %d %q, %v", id, text, err)
	}
}

func TestAbsent(t *testing.T) {
	l := open(t, new(topic).open())
	if _, err := l.Schema(t.Context(), 1); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("schema 1 of an empty registry: %v", err)
	}
	if _, _, err := l.Latest(t.Context(), "a"); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("latest of an empty registry: %v", err)
	}
	for _, bad := range []string{"", "{", `{"type":"record"}`, `"nothing"`} {
		if _, err := l.Register(t.Context(), "a", bad); err == nil {
			t.Errorf("schema %q was taken", bad)
		}
	}
	if _, err := l.Register(t.Context(), "", `"long"`); err == nil {
		t.Error("an empty subject was taken")
	}
	if subjects(t, l) != nil {
		t.Errorf("refused schemas left subjects %v", subjects(t, l))
	}
}

// register · close · open → the same ids, and the next one goes on.
func TestRestart(t *testing.T) {
	log := new(topic)
	before := open(t, log.open())
	a, b := register(t, before, "a", record("id")), register(t, before, "b", record("id", "x"))
	level(t, before, "a", registry.None)

	after := open(t, log.open())
	if id := register(t, after, "a", record("id")); id != a {
		t.Errorf("id %d after a restart, %d before", id, a)
	}
	if id := register(t, after, "a", record("other")); id != b+1 {
		t.Errorf("the next id is %d after %d", id, b)
	}
	for subject, want := range map[string]registry.Level{"a": registry.None, "b": registry.Backward} {
		if got, err := after.Setting(t.Context(), subject, true); err != nil || got.Level != want {
			t.Errorf("the level of %s is %s, %v", subject, got.Level, err)
		}
	}
}

// Two registries on one topic: whoever writes takes it over, and knows then all
// that the other one wrote. No id is given out twice.
func TestSecondWriter(t *testing.T) {
	log := new(topic)
	one, two := open(t, log.open()), open(t, log.open())
	if log.writer != nil {
		t.Fatal("a registry that only reads took the topic over")
	}
	level(t, one, "", registry.None)
	ids := map[int]bool{}
	for i := range 20 {
		r := one
		if i%2 == 1 {
			r = two
		}
		if id := register(t, r, fmt.Sprint("s", i%3), record(fmt.Sprint("f", i), "id?")); ids[id] || id != i+1 {
			t.Fatalf("registration %d got id %d", i, id)
		} else {
			ids[id] = true
		}
	}
}

// A topic that seems to end before what was appended to it is not believed when
// the next id is given out.
func TestShorterTopic(t *testing.T) {
	s := new(topic).open()
	l := open(t, s)
	first := register(t, l, "a", `"long"`)
	s.hides = 1
	if _, _, err := l.Latest(t.Context(), "a"); !errors.Is(err, registry.ErrNotFound) {
		t.Fatalf("the topic does not hide what it should: %v", err)
	}
	if second := register(t, l, "a", `["null","long"]`); second == first {
		t.Errorf("id %d was given out twice", second)
	}
}

// An append that fails may have been committed. Only the log is believed.
func TestUnknownOutcome(t *testing.T) {
	for _, written := range []bool{true, false} {
		t.Run(fmt.Sprintf("written %t", written), func(t *testing.T) {
			log := new(topic)
			s := log.open()
			l := open(t, s)
			s.fault = func(write func()) error {
				if written {
					write()
				}
				return errors.New("connection lost")
			}
			id, err := l.Register(t.Context(), "a", record("id"))
			if written != (err == nil) || written && id != 1 {
				t.Fatalf("id %d, %v: the topic was not asked again, or not believed", id, err)
			}
			if _, err := l.Schema(t.Context(), 1); written != (err == nil) {
				t.Errorf("a schema that is lost is served, or one that is there is not: %v", err)
			}
			s.fault = nil
			if id = register(t, l, "b", record("other")); written && id != 2 || !written && id != 1 {
				t.Errorf("id %d", id)
			}
			register(t, l, "a", record("id"))
			if again := open(t, log.open()); !maps.Equal(versions(t, again, "a"), versions(t, l, "a")) {
				t.Errorf("versions %v before a restart, %v after", versions(t, l, "a"), versions(t, again, "a"))
			}
		})
	}
}

func TestConcurrentRegister(t *testing.T) {
	log := new(topic)
	l := open(t, log.open())
	ids := make([]int, 32)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() { ids[i], _ = l.Register(t.Context(), fmt.Sprint("subject", i%4), record("id")) })
	}
	wg.Wait()
	for i, id := range ids {
		if id != 1 {
			t.Errorf("call %d got id %d", i, id)
		}
	}
	if len(log.records) != 4 {
		t.Errorf("%d records for 4 subjects", len(log.records))
	}
}

func TestLevels(t *testing.T) {
	first, second := record("id"), record("id", "x?")
	tests := []struct {
		level    registry.Level
		versions []string
		next     string
		ok       bool
	}{
		{registry.Backward, []string{first}, second, true},
		{registry.Backward, []string{first}, record("id", "y"), false},              // no default for old records
		{registry.Backward, []string{second, first}, record("id", "x"), false},      // neither latest has x
		{registry.Backward, []string{record("x", "id"), first}, record("id"), true}, // fields may go
		{registry.Forward, []string{first}, record("id", "y"), true},                // old readers ignore y
		{registry.Forward, []string{first}, record("y"), false},                     // old readers need id
		{registry.Full, []string{first}, second, true},                              //
		{registry.Full, []string{first}, record("id", "y"), false},                  //
		{registry.None, []string{first}, `"string"`, true},                          //
		{registry.Backward, []string{first}, `"string"`, false},                     //
		{registry.Backward, []string{record("id", "x"), record("id")}, record("id", "x?"), true},
		{registry.ForwardTransitive, []string{record("id", "x?"), record("id", "x")}, record("id", "x"), true},
		{registry.ForwardTransitive, []string{record("id", "x"), record("id", "x?")}, record("id"), false},
		{registry.Forward, []string{record("id", "x"), record("id", "x?")}, record("id", "z"), true},
	}
	for i, test := range tests {
		t.Run(fmt.Sprintf("%d %s", i, test.level), func(t *testing.T) {
			l := open(t, new(topic).open())
			level(t, l, "", registry.None)
			for _, v := range test.versions {
				register(t, l, "a", v)
			}
			level(t, l, "a", test.level)
			_, err := l.Register(t.Context(), "a", test.next)
			if test.ok && err != nil || !test.ok && !errors.Is(err, registry.ErrIncompatible) {
				t.Errorf("register: %v", err)
			}
		})
	}
}

// A subject that was deleted takes any schema; what its ids meant they still mean.
func TestDelete(t *testing.T) {
	log := new(topic)
	l := open(t, log.open())
	register(t, l, "orders-key", `"long"`)
	for range 2 { // the second time there is nothing to delete
		if err := l.Delete(t.Context(), "orders-key"); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := l.Latest(t.Context(), "orders-key"); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("latest of a deleted subject: %v", err)
	}
	if id := register(t, l, "orders-key", `"bytes"`); id != 2 {
		t.Errorf("id %d", id)
	}
	again := open(t, log.open())
	for id, want := range map[int]string{1: `"long"`, 2: `"bytes"`} {
		if text, err := again.Schema(t.Context(), id); err != nil || text != want {
			t.Errorf("schema %d is %s, %v", id, text, err)
		}
	}
}

// The records are Confluent's, also where somebody else wrote them.
func TestRecords(t *testing.T) {
	log := new(topic)
	l := open(t, log.open())
	register(t, l, "shop.public.orders-value", `"long"`)
	level(t, l, "shop.public.orders-value", registry.Full)
	level(t, l, "", registry.None)
	want := []string{
		`{"keytype":"SCHEMA","subject":"shop.public.orders-value","version":1,"magic":1}`,
		`{"subject":"shop.public.orders-value","version":1,"id":1,"schema":"\"long\"","deleted":false}`,
		`{"keytype":"CONFIG","subject":"shop.public.orders-value","magic":0}`,
		`{"subject":"shop.public.orders-value","compatibilityLevel":"FULL"}`,
		`{"keytype":"CONFIG","subject":null,"magic":0}`,
		`{"compatibilityLevel":"NONE"}`,
	}
	var got []string
	for _, r := range log.records {
		got = append(got, string(r.Key), string(r.Value))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestForeignRecords(t *testing.T) {
	log := new(topic)
	add := func(key, value string) {
		r := registry.Record{Key: []byte(key), Value: []byte(value)}
		if value == "" {
			r.Value = nil
		}
		log.records = append(log.records, r)
	}
	add(`{"keytype":"NOOP","magic":0}`, "")
	add(`{"keytype":"SCHEMA","subject":"a","version":1,"magic":1}`, `{"subject":"a","version":1,"id":7,"schema":"\"long\"","deleted":false,"guid":"x"}`)
	add(`{"keytype":"SCHEMA","subject":"a","version":2,"magic":1}`, `{"subject":"a","version":2,"id":9,"schema":"\"double\"","deleted":false}`)
	add(`{"keytype":"SCHEMA","subject":"b","version":1,"magic":1}`, `{"subject":"b","version":1,"id":8,"schema":"\"int\"","deleted":false}`)
	add(`{"keytype":"DELETE_SUBJECT","subject":"b","magic":0}`, `{"subject":"b","version":1}`)
	add(`{"keytype":"SCHEMA","subject":"a","version":2,"magic":1}`, "")
	l := open(t, log.open())
	if diff := cmp.Diff([]string{"a"}, subjects(t, l)); diff != "" {
		t.Error(diff)
	}
	if id, _, err := l.Latest(t.Context(), "a"); err != nil || id != 7 {
		t.Errorf("latest is %d, %v", id, err)
	}
	if text, err := l.Schema(t.Context(), 8); err != nil || text != `"int"` {
		t.Errorf("records written under a deleted subject are unreadable: %q, %v", text, err)
	}
	if id := register(t, l, "c", `"string"`); id != 10 {
		t.Errorf("the next id is %d: one that was given out before", id)
	}
	if id := register(t, l, "b", `"string"`); id != 10 {
		t.Errorf("id %d", id)
	}
	if diff := cmp.Diff(map[int]int{2: 10}, versions(t, l, "b")); diff != "" {
		t.Error(diff)
	}
}

// K25: an id that means two schemas is never served.
func TestDamagedTopic(t *testing.T) {
	for name, value := range map[string]string{
		"two meanings": `{"subject":"b","version":1,"id":1,"schema":"\"int\""}`,
		"no id":        `{"subject":"b","version":1,"schema":"\"int\""}`,
		"no JSON":      `{`,
		"protobuf":     `{"subject":"b","version":1,"id":2,"schemaType":"PROTOBUF","schema":"x"}`,
	} {
		log := new(topic)
		register(t, open(t, log.open()), "a", `"long"`)
		log.records = append(log.records, registry.Record{Key: []byte(`{"keytype":"SCHEMA","subject":"b","version":1,"magic":1}`), Value: []byte(value)})
		if _, err := registry.Open(t.Context(), log.open()); err == nil {
			t.Errorf("%s: the topic was opened", name)
		}
	}
}

// Two registries on one topic, as of a daemon that stands by: ids that the other
// gave out since are found, and the other goes on.
func TestFollow(t *testing.T) {
	log := new(topic)
	standby := open(t, log.open())
	owner := open(t, log.open())
	id := register(t, owner, "a", record("id"))
	if text, err := standby.Schema(t.Context(), id); err != nil || text == "" {
		t.Fatalf("schema %d: %q, %v", id, text, err)
	}
	if _, err := standby.Schema(t.Context(), id+1); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("an id that nobody gave out: %v", err)
	}
	register(t, owner, "b", record("other"))
}

// K25: the id of a version that is deleted for good never comes again, whatever
// compaction leaves of it.
func TestK25IDsNeverComeAgain(t *testing.T) {
	t.Run("K25 after a permanent deletion, a compaction and a restart", func(t *testing.T) {
		log := new(topic)
		l := open(t, log.open())
		register(t, l, "a", `"long"`)
		gone := register(t, l, "b", `"string"`)
		for _, permanent := range []bool{false, true} {
			if _, err := l.DeleteSubject(t.Context(), "b", permanent); err != nil {
				t.Fatal(err)
			}
		}
		log.compact()
		again := open(t, log.open())
		if _, err := again.Schema(t.Context(), gone); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("schema %d: %v", gone, err)
		}
		if id := register(t, again, "c", `"bytes"`); id != gone+1 {
			t.Errorf("id %d after %d", id, gone)
		}
	})
}

// compact leaves the newest record of each key, and no tombstone.
func (t *topic) compact() {
	t.mu.Lock()
	defer t.mu.Unlock()
	newest := map[string]int{}
	for i, r := range t.records {
		newest[string(r.Key)] = i
	}
	var left []registry.Record
	for i, r := range t.records {
		if newest[string(r.Key)] == i && r.Value != nil {
			left = append(left, r)
		}
	}
	t.records = left
}

// A writer that is taken over time and again decides anew each time.
func TestContendedWriter(t *testing.T) {
	log := new(topic)
	l := open(t, log.open())
	level(t, l, "", registry.None)
	var wg sync.WaitGroup
	var mu sync.Mutex
	ids := map[int]string{}
	for d := range 3 {
		r := open(t, log.open())
		wg.Go(func() {
			for i := range 10 {
				text := record(fmt.Sprintf("f%d_%d", d, i))
				id, err := r.Register(t.Context(), "a", text)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if old, ok := ids[id]; ok {
					t.Errorf("id %d is %s and %s", id, old, text)
				}
				ids[id] = text
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(ids) != 30 || len(versions(t, l, "a")) != 30 {
		t.Errorf("%d ids, %d versions of 30", len(ids), len(versions(t, l, "a")))
	}
}
