package api

import (
	"context"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/control"
)

// someTables remember what they were told.
type someTables struct {
	table   string
	command TableCommand
	err     error
}

func (s *someTables) TableCommand(_ context.Context, table string, c TableCommand) (TableAnswer, error) {
	s.table, s.command = table, c
	return TableAnswer{Table: table, Copy: &control.Request{ID: "r"}, Changed: true, State: "copying"}, s.err
}

// TestTableCommand takes a command over the socket, there and back, whatever stands in
// the table's name.
func TestTableCommand(t *testing.T) {
	tables := &someTables{}
	h := handlers(&fake{})
	h.Tables = tables
	c := dialHandlers(t, h)
	for _, name := range []string{"shop.public.orders", `shop."a/b"."c d?%"`} {
		a, err := c.TableCommand(t.Context(), name, TableCommand{Command: "snapshot", By: "ann@box"})
		if err != nil || a.Table != name || a.Copy.ID != "r" || a.State != "copying" || tables.table != name || tables.command != (TableCommand{"snapshot", "ann@box"}) {
			t.Errorf("%s: %+v, %v, %+v", name, a, err, tables)
		}
	}
	tables.err = &pipeline.Refusal{Code: "NO_SUCH_TABLE", What: "there is none"}
	if _, err := c.TableCommand(t.Context(), "x.y.z", TableCommand{}); pipeline.CodeOf(err) != "NO_SUCH_TABLE" {
		t.Errorf("refused: %v", err)
	}
}
