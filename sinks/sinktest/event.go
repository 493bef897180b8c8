package sinktest

import (
	"encoding/json"
	"testing"

	"github.com/evertdb/evert/pipeline"
)

// ApplyEvent does to rows what an event of Items says, as pipeline/deliver/event
// writes it.
func ApplyEvent(t testing.TB, rows map[int64]string, event []byte) {
	t.Helper()
	var e struct {
		Op  string
		Key struct{ ID int64 }
		Row *struct{ V *string }
	}
	if err := json.Unmarshal(event, &e); err != nil {
		t.Fatalf("no event: %v: %s", err, event)
	}
	switch {
	case e.Op == "delete" && e.Row == nil:
		delete(rows, e.Key.ID)
	case e.Op == "upsert" && e.Row != nil && e.Row.V == nil:
		rows[e.Key.ID] = "NULL"
	case e.Op == "upsert" && e.Row != nil:
		rows[e.Key.ID] = *e.Row.V
	default:
		t.Fatalf("neither upsert nor delete: %s", event)
	}
}

// Put is the change of a row that is there now.
func Put(id int64, v string) pipeline.Change { return put(id, v) }

// Gone is the change of a row that is gone.
func Gone(id int64) pipeline.Change { return gone(id) }

// Batch is a batch of changes of one transaction, with offsets from 1 on.
func Batch(changes ...pipeline.Change) pipeline.Batch {
	b := batch(1, changes...)
	for i := range b.Changes {
		b.Changes[i].Offset = uint64(i + 1)
	}
	return b
}

// fromOf gives what an event says that it comes from.
func fromOf(t testing.TB, event []byte) string {
	t.Helper()
	var e struct{ From string }
	if err := json.Unmarshal(event, &e); err != nil {
		t.Fatalf("no event: %v: %s", err, event)
	}
	return e.From
}
