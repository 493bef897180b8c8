package intake_test

import (
	"testing"

	"github.com/evertdb/evert/pipeline/intake"
	"github.com/evertdb/evert/pipeline/log"
)

// TestRepeatedChunks tells rows of a copy, and owed tombstones, that a writer which was
// cut off wrote again (I2): their places grow behind the rows of their transaction,
// which a reader may have read up to already.
func TestRepeatedChunks(t *testing.T) {
	const behind = 1 << 62
	p := intake.Places{Incarnation: 7, Since: 5, Last: map[int32]log.Pos{}}
	for i, c := range []struct {
		incarnation, seq, row uint64
		repeated              bool
	}{
		{7, 0, 3, false},          // of the snapshot
		{7, 5, 0, true},           // of the transaction that was read
		{7, 4, behind + 9, true},  // behind an earlier one
		{7, 5, behind + 9, false}, // behind it, later
		{7, 5, behind + 8, true},
		{7, 6, 0, false},
		{7, 5, behind + 10, true},
		{7, 6, behind, false},
		{7, 6, 1, true},
		{6, 9, 0, true},
	} {
		r := log.Record{Headers: []log.Header{{Key: log.PosHeader, Value: log.Pos{Incarnation: c.incarnation, Seq: c.seq, Row: c.row}.Append(nil)}}}
		if got := p.IsRepeated(&r); got != c.repeated {
			t.Errorf("record %d, at %d.%d: repeated %v", i, c.seq, c.row, got)
		}
	}
}
