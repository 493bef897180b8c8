package avro

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	hamba "github.com/hamba/avro/v2"
)

// A step reads one field of the envelope, or of the source block within it.
type step struct {
	what field
	cell cell   // of a scalar
	null int8   // of an image
	over *node  // of what is read over
	sub  []step // of the source block
}

// field names what of an Event a step fills.
type field uint8

const (
	fieldOver field = iota // nothing: it is read over
	fieldBefore
	fieldAfter
	fieldSource
	fieldOp
	fieldMillis
	fieldMicros
	fieldNanos
	fieldSnapshot
	fieldSequence
	fieldTxID
	fieldLSN
	fieldXmin
	fieldOrigin
	fieldOriginLSN
	fieldServer
	fieldGTID
	fieldFile
	fieldPos
	fieldRow
)

// envelopeSteps compiles the envelope. Fields it does not know are read over,
// so that Debezium may add some.
func envelopeSteps(outer, image *hamba.RecordSchema) ([]step, error) {
	return compileSteps(outer, func(f *hamba.Field) (step, bool) {
		switch f.Name() {
		case "before", "after":
			return imageStep(f, image)
		case "source":
			block, ok := deref(f.Type()).(*hamba.RecordSchema)
			if !ok {
				return step{}, false
			}
			sub, err := sourceSteps(block)
			return step{what: fieldSource, sub: sub}, err == nil
		case "op":
			return scalar(f, fieldOp, opString)
		}
		return timeStep(f)
	})
}

func imageStep(f *hamba.Field, image *hamba.RecordSchema) (step, bool) {
	if imageOf(f.Type()) != image {
		return step{}, false
	}
	_, null, _ := nullable(deref(f.Type()).(*hamba.UnionSchema))
	if f.Name() == "before" {
		return step{what: fieldBefore, null: null}, true
	}
	return step{what: fieldAfter, null: null}, true
}

func sourceSteps(block *hamba.RecordSchema) ([]step, error) {
	return compileSteps(block, func(f *hamba.Field) (step, bool) {
		switch f.Name() {
		case "snapshot":
			return scalar(f, fieldSnapshot, opString)
		case "sequence":
			return scalar(f, fieldSequence, opString)
		case "origin":
			return scalar(f, fieldOrigin, opString)
		case "txId":
			return scalar(f, fieldTxID, opLong)
		case "lsn":
			return scalar(f, fieldLSN, opLong)
		case "xmin":
			return scalar(f, fieldXmin, opLong)
		case "origin_lsn":
			return scalar(f, fieldOriginLSN, opLong)
		case "server_id":
			return scalar(f, fieldServer, opLong)
		case "gtid":
			return scalar(f, fieldGTID, opString)
		case "file":
			return scalar(f, fieldFile, opString)
		case "pos":
			return scalar(f, fieldPos, opLong)
		case "row":
			return scalar(f, fieldRow, opInt)
		}
		return timeStep(f)
	})
}

func timeStep(f *hamba.Field) (step, bool) {
	switch f.Name() {
	case "ts_ms":
		return scalar(f, fieldMillis, opLong)
	case "ts_us":
		return scalar(f, fieldMicros, opLong)
	case "ts_ns":
		return scalar(f, fieldNanos, opLong)
	}
	return step{}, false
}

// scalar is a step that reads one value, if it lies as it should.
func scalar(f *hamba.Field, what field, want op) (step, bool) {
	c, _, err := cellOf(f.Type())
	return step{what: what, cell: c}, err == nil && c.op == want
}

// compileSteps makes a step of each field; what choose declines is read over.
func compileSteps(record *hamba.RecordSchema, choose func(*hamba.Field) (step, bool)) ([]step, error) {
	steps := make([]step, 0, len(record.Fields()))
	for _, f := range record.Fields() {
		s, ok := choose(f)
		if !ok {
			over, err := newNode(f.Type(), map[string]*node{})
			if err != nil {
				return nil, fmt.Errorf("read schema of %s, field %s: %w", record.FullName(), f.Name(), err)
			}
			s = step{what: fieldOver, over: over}
		}
		steps = append(steps, s)
	}
	return steps, nil
}

// read fills its part of e.
func (s *step) read(r *reader, a *Arena, p *plan, e *Event) {
	switch s.what {
	case fieldBefore:
		if s.present(r) {
			e.Before = p.readRow(r, a)
		}
	case fieldAfter:
		if s.present(r) {
			e.After = p.readRow(r, a)
		}
	case fieldSource:
		e.Origin = a.origin()
		for i := range s.sub {
			s.sub[i].readOrigin(r, a, e.Origin)
		}
	case fieldOver:
		s.over.skip(r, 0)
	default:
		s.readScalar(r, a, e)
	}
}

// present reads the union of an optional row.
func (s *step) present(r *reader) bool {
	branch := r.long()
	if branch != 0 && branch != 1 {
		r.fail(errBranch)
	}
	return r.err == nil && branch != int64(s.null)
}

func (s *step) readScalar(r *reader, a *Arena, e *Event) {
	v := s.cell.read(r, a)
	if v.IsNull() || r.err != nil {
		return
	}
	switch s.what {
	case fieldOp:
		if len(v.Ref()) == 1 {
			e.Op = v.Ref()[0]
		}
	default:
		e.At = finer(e.At, s.what, v.Int())
	}
}

func (s *step) readOrigin(r *reader, a *Arena, o *Origin) {
	if s.what == fieldOver {
		s.over.skip(r, 0)
		return
	}
	v := s.cell.read(r, a)
	if v.IsNull() || r.err != nil {
		return
	}
	switch s.what {
	case fieldSnapshot:
		o.Snapshot = parseSnapshot(v.Ref())
	case fieldSequence:
		o.Postgres.CommitLSN = commitOf(v.Ref())
	case fieldOrigin:
		o.Postgres.Origin = string(v.Ref())
	case fieldTxID:
		o.Postgres.TxID = uint64(v.Int())
	case fieldLSN:
		o.Postgres.LSN = uint64(v.Int())
	case fieldXmin:
		o.Postgres.Xmin = uint64(v.Int())
	case fieldOriginLSN:
		o.Postgres.OriginLSN = uint64(v.Int())
	case fieldServer:
		o.MySQL.Server = uint32(v.Int())
	case fieldGTID:
		o.MySQL.GTID = string(v.Ref())
	case fieldFile:
		o.MySQL.File = string(v.Ref())
	case fieldPos:
		o.MySQL.Pos = uint64(v.Int())
	case fieldRow:
		o.MySQL.Row = uint32(v.Int())
	default:
		o.At = finer(o.At, s.what, v.Int())
	}
}

// finer takes a time in one of three units. Zero milliseconds stand for no
// time, as a source that knows none writes them.
func finer(t time.Time, unit field, n int64) time.Time {
	switch {
	case unit == fieldMillis && n == 0:
		return t
	case unit == fieldMillis:
		return time.UnixMilli(n).UTC()
	case unit == fieldMicros:
		return time.UnixMicro(n).UTC()
	}
	return time.Unix(0, n).UTC()
}

func parseSnapshot(word []byte) Snapshot {
	for i, w := range snapshotWords {
		if string(word) == w {
			return Snapshot(i)
		}
	}
	return Streamed
}

// commitOf reads the first number of `["1","2"]`, 0 if it is null.
func commitOf(sequence []byte) uint64 {
	rest, ok := bytes.CutPrefix(sequence, []byte(`["`))
	if !ok {
		return 0
	}
	end := bytes.IndexByte(rest, '"')
	if end < 0 {
		return 0
	}
	n, err := strconv.ParseUint(string(rest[:end]), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
