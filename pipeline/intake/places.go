package intake

import "github.com/evertdb/evert/pipeline/log"

// Places tell rows that were there before: on a cluster without whole
// transactions a writer that was cut off may have written them again (I2). They
// are those of one topic. One goroutine uses them.
type Places struct {
	Incarnation uint64            // of the topic: rows of another are never new
	Since       uint64            // the transaction that was read up to, of this incarnation; 0: none
	Last        map[int32]log.Pos // of the newest row that is not of a snapshot, by partition; not nil
}

// streamedRows is above every row of a transaction: places beyond it belong to
// chunks of a table that is copied again and to tombstones that are owed, which may
// follow the transaction for as long as it is the last one.
const streamedRows = 1 << 62

// IsRepeated reports whether the record's row was there before, and notes its
// place if not. The rows of a snapshot, which are numbered apart, are not looked
// at.
func (p *Places) IsRepeated(r *log.Record) bool {
	pos, err := log.ParsePos(r.Find(log.PosHeader))
	if err != nil {
		return false // a foreign writer's
	}
	if pos.Incarnation != p.Incarnation {
		return true
	}
	if pos.Seq == 0 {
		return false
	}
	last := p.Last[r.Partition]
	if pos.Seq < p.Since || pos.Seq == p.Since && pos.Row < streamedRows || pos.Seq < last.Seq || pos.Seq == last.Seq && pos.Row < last.Row {
		return true
	}
	p.Last[r.Partition] = pos
	return false
}
