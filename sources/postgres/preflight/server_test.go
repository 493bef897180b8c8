package preflight

import (
	"errors"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgvalue"
)

func TestServerIsChecked(t *testing.T) {
	t.Parallel()
	good := Server{Version: 150000, Encoding: "UTF8", WALLevel: "logical", MaxSlots: 10, MaxSenders: 10}
	for code, spoil := range map[pipeline.Code]func(*Server){
		"":               func(*Server) {},
		CodeVersion:      func(f *Server) { f.Version = 110022 },
		CodeStandby:      func(f *Server) { f.inRecovery = true },
		CodeWALLevel:     func(f *Server) { f.WALLevel = "replica" },
		CodeEncoding:     func(f *Server) { f.Encoding = "SQL_ASCII" },
		CodeNoFreeSlot:   func(f *Server) { f.Slots = 10 },
		CodeNoFreeSender: func(f *Server) { f.Senders = 10 },
	} {
		f := good
		spoil(&f)
		if got := pipeline.CodeOf(errors.Join(f.Refusals(pgvalue.Trust, true)...)); got != code {
			t.Errorf("want %s, got %s", code, got)
		}
	}
}
