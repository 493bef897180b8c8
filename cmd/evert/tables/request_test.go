package tables

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
)

// rowNamed sends each row to a table that its own text names.
const rowNamed = "    transforms: [{route: {to: \"'things_' || left(v, 1)\", topics: [public.things_*]}}]\n"

func isStopped(s log.TableState) bool { return s.State == log.Stopped }

// TestRowNamedTable tells of a table whose rows name where they go: it is copied again by
// itself and by command, rests, and is found by the name of what it became.
func TestRowNamedTable(t *testing.T) {
	s := tellOfTables(t, rowNamed)
	s.commit(row(pipeline.Create, 1, "a"))
	s.until("shop.public.things_a", isOK)
	a := s.must("shop.public.items", "snapshot")
	if !a.Taken {
		t.Errorf("answered %+v", a)
	}
	s.until("shop.public.things_a", func(s log.TableState) bool { return isOK(s) && s.Asked == a.Copy.ID })
	s.commit(row(pipeline.Create, 2, strings.Repeat("large", 1000)))
	s.until("shop.public.things_l", func(s log.TableState) bool { return isStopped(s) && s.HasTried("RECORD_TOO_LARGE") })
	s.must("shop.public.items", "pause")
	s.commit(row(pipeline.Delete, 2, ""), row(pipeline.Create, 3, "a"))
	s.until("shop.public.things_a", isStopped)
	if how := s.must("shop.public.things_a", ""); how.Table != "shop.public.items" || how.Paused == nil {
		t.Errorf("it is %+v", how)
	}
}

// TestRowNamedTableResumes tells of such a table that rested: it goes on, in the run in
// which it was paused and in another one, in which no row has named a topic yet.
func TestRowNamedTableResumes(t *testing.T) {
	s := tellOfTables(t, rowNamed)
	s.commit(row(pipeline.Create, 1, "a"))
	s.until("shop.public.things_a", isOK)
	for _, restart := range []bool{false, true} {
		s.must("shop.public.items", "pause")
		s.commit(row(pipeline.Update, 1, "also a"))
		s.until("shop.public.things_a", isStopped)
		if restart {
			s.end()
			s.run()
		}
		a := s.must("shop.public.items", "resume")
		s.until("shop.public.things_a", func(s log.TableState) bool { return isOK(s) && s.Asked == a.Copy.ID })
	}
}

// TestRowNamedTopicComesLater tells of a topic that a row names for the first time behind a
// restart, while its table has stopped: rows of it are missing, and it says so (I8), until
// the table is copied again.
func TestRowNamedTopicComesLater(t *testing.T) {
	for _, named := range []bool{true, false} { // another topic before
		s := tellOfTables(t, "    on_table_error: stop_table\n"+rowNamed)
		stopped := "shop.public.items"
		if named {
			stopped = "shop.public.things_a"
			s.commit(row(pipeline.Create, 1, "a"))
			s.until(stopped, isOK)
		}
		s.commit(row(pipeline.Create, 2, "! is no name of a topic"))
		s.until(stopped, isStopped)
		s.passed(s.commit(row(pipeline.Delete, 2, ""), row(pipeline.Create, 3, "c, which is missing")))
		s.end()
		s.run()
		s.commit(row(pipeline.Create, 4, "c"))
		if how := s.until("shop.public.things_c", func(s log.TableState) bool { return s.State != 0 }); !isStopped(how) || how.Why.Code != "TRANSFORM_ROUTE" {
			t.Errorf("rows of it are missing, and it is %+v", how)
		}
		a := s.must("shop.public.items", "snapshot")
		s.until("shop.public.things_c", func(s log.TableState) bool { return isOK(s) && s.Asked == a.Copy.ID })
		s.until(stopped, isOK)
		s.commit(row(pipeline.Create, 5, "d"))
		s.until("shop.public.things_d", isOK)
	}
}

// TestRoutedTableIsCommandedWhileNoneRuns tells of a command by the name that a table's
// rows go to, which nobody could resolve when it was given: its owner reads it.
func TestRoutedTableIsCommandedWhileNoneRuns(t *testing.T) {
	s := tellOfTables(t, "    transforms: [{route: {to: \"'things'\", topics: [public.things]}}]\n")
	s.commit(row(pipeline.Create, 1, "a"))
	s.until("shop.public.things", isOK)
	s.end()
	asked := s.must("shop.public.things", "snapshot")
	s.run()
	s.until("shop.public.things", func(s log.TableState) bool { return isOK(s) && s.Asked == asked.Copy.ID })
	if how := s.must("shop.public.things", ""); how.Copy == nil || how.Copy.ID != asked.Copy.ID || how.Table != "shop.public.items" {
		t.Errorf("it is %+v", how)
	}
	if left, _, _ := s.all.Control.Table("shop.public.things"); left.Copy != nil {
		t.Errorf("left behind: %+v", left)
	}
}

// A lendingCopier takes requests in its source's place: answer says what comes of each.
type lendingCopier struct {
	pipeline.Copier
	mu     sync.Mutex
	ids    []string
	answer func(c pipeline.Copier, r pipeline.CopyRequest, n int) error
}

func (l *lendingCopier) Copy(_ context.Context, r pipeline.CopyRequest) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ids = append(l.ids, r.ID)
	return l.answer(l.Copier, r, len(l.ids))
}

func (s *tableStory) lend(answer func(c pipeline.Copier, r pipeline.CopyRequest, n int) error) *lendingCopier {
	t := s.tables
	l := &lendingCopier{Copier: t.copier, answer: answer}
	t.change(func() { t.copier = l })
	return l
}

// TestRequestThatNeverBegins tells of a source that takes a request on and then gives the
// table up: who waits is told, and on_table_error acts for the table again.
func TestRequestThatNeverBegins(t *testing.T) {
	s := tellOfTables(t, "")
	s.commit(row(pipeline.Create, 1, "small"))
	s.until(itemsTopic, isOK)
	s.known("public.items", isOK)
	lent := s.lend(func(pipeline.Copier, pipeline.CopyRequest, int) error { return nil })
	tables := s.tables
	if a := s.must("shop.public.items", "snapshot"); !a.Taken || !tables.IsBusy() {
		t.Fatalf("answered %+v, busy %v", a, tables.IsBusy())
	}
	gone := pipeline.Batch{Stopped: []pipeline.TableStop{{Table: tables.tables["public.items"], Why: &pipeline.Refusal{Code: "GIVEN_UP", What: "it has no key"}}}}
	if _, err := tables.Apply(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	if tables.IsBusy() {
		t.Error("a run until it is caught up never ends")
	}
	if how := s.must("shop.public.items", ""); !how.Ended || how.Begun || how.Problem == nil || how.Problem.Code != "GIVEN_UP" {
		t.Errorf("it is %+v", how)
	}
	s.commit(row(pipeline.Create, 2, strings.Repeat("large", 1000)))
	s.known("public.items", isStopped)
	for {
		tables.mu.Lock()
		id, moved := tables.asked["public.items"].id, tables.moved
		tables.mu.Unlock()
		if strings.HasPrefix(id, "error/RECORD_TOO_LARGE/") {
			break
		}
		<-moved
	}
	lent.mu.Lock()
	defer lent.mu.Unlock()
	if len(lent.ids) != 2 {
		t.Errorf("asked for %v", lent.ids)
	}
}

// TestCopyThatIsStoppedInstead tells of a copy that the source begins, and whose table
// stops instead.
func TestCopyThatIsStoppedInstead(t *testing.T) {
	s := tellOfTables(t, "    on_table_error: stop_table\n")
	s.commit(row(pipeline.Create, 1, "small"))
	s.until(itemsTopic, isOK)
	s.known("public.items", isOK)
	s.lend(func(pipeline.Copier, pipeline.CopyRequest, int) error { return nil })
	a, tables := s.must("shop.public.items", "snapshot"), s.tables
	table := tables.tables["public.items"]
	tables.change(func() { tables.passes(&pipeline.TableCopy{Table: table, ID: a.Copy.ID}) })
	if how := s.must("shop.public.items", ""); how.Ended || !tables.IsBusy() {
		t.Errorf("it is %+v", how)
	}
	tables.State(itemsTopic, table, log.TableState{State: log.Stopped, Why: log.Stop{Code: "SCHEMA_INCOMPATIBLE", Text: "refused", At: a.Copy.At}})
	if how := s.must("shop.public.items", ""); !how.Ended || how.Problem.Code != "SCHEMA_INCOMPATIBLE" || tables.IsBusy() {
		t.Errorf("it is %+v", how)
	}
}

// TestPassingErrorOfCopy tells of a server that has no connection to spare, twice.
func TestPassingErrorOfCopy(t *testing.T) {
	s := tellOfTables(t, "    reconnect_max: 1s\n")
	s.commit(row(pipeline.Create, 1, "small"))
	s.until(itemsTopic, isOK)
	s.known("public.items", isOK)
	s.lend(func(c pipeline.Copier, r pipeline.CopyRequest, n int) error {
		if n < 3 {
			return errors.New("sorry, too many clients already")
		}
		return c.Copy(context.Background(), r)
	})
	a := s.must("shop.public.items", "snapshot")
	if !a.Taken {
		t.Errorf("answered %+v", a)
	}
	s.until(itemsTopic, func(s log.TableState) bool { return isOK(s) && s.Asked == a.Copy.ID })
}
