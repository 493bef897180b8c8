package mysql

import (
	"encoding/binary"
	"errors"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/arena"
)

// A rowsEvent is a row event taken apart as far as its rows.
type rowsEvent struct {
	op      pipeline.Op
	table   uint64 // the id of the Table_map
	columns int
	before  []byte // bitmap of the columns in the first image of each row
	after   []byte // of an update: in the second
	rows    []byte // images, one after the other
}

var errRows = errors.New("a row event that cannot be read")

// rowsOp gives what a row event does; ok is false for another event, or for one of a
// form that is not read.
func rowsOp(t replication.EventType) (op pipeline.Op, ok bool) {
	switch t {
	case replication.WRITE_ROWS_EVENTv1, replication.WRITE_ROWS_EVENTv2, replication.MARIADB_WRITE_ROWS_COMPRESSED_EVENT_V1:
		return pipeline.Create, true
	case replication.UPDATE_ROWS_EVENTv1, replication.UPDATE_ROWS_EVENTv2, replication.MARIADB_UPDATE_ROWS_COMPRESSED_EVENT_V1:
		return pipeline.Update, true
	case replication.DELETE_ROWS_EVENTv1, replication.DELETE_ROWS_EVENTv2, replication.MARIADB_DELETE_ROWS_COMPRESSED_EVENT_V1:
		return pipeline.Delete, true
	}
	return 0, false
}

// isCompressed reports whether the rows of an event are packed (M14).
func isCompressed(t replication.EventType) bool {
	return t >= replication.MARIADB_WRITE_ROWS_COMPRESSED_EVENT_V1 && t <= replication.MARIADB_DELETE_ROWS_COMPRESSED_EVENT_V1
}

// hasExtra reports whether an event is of version 2, with extra data.
func hasExtra(t replication.EventType) bool {
	return t >= replication.WRITE_ROWS_EVENTv2 && t <= replication.DELETE_ROWS_EVENTv2
}

// rowsTable gives the table's id of a row event's body.
func rowsTable(body []byte) (uint64, error) {
	if len(body) < 8 {
		return 0, errRows
	}
	return uint64(binary.LittleEndian.Uint32(body)) | uint64(binary.LittleEndian.Uint16(body[4:]))<<32, nil
}

// parse takes a row event apart.
func (e *rowsEvent) parse(t replication.EventType, body []byte) error {
	if err := e.head(t, body); err != nil || !isCompressed(t) {
		return err
	}
	return e.unpack()
}

// head takes it apart up to its rows, which may be compressed.
//
//	id u48 | flags u16 | version 2: u16 length with itself, extra data | packed count | bitmap | update: bitmap | rows
func (e *rowsEvent) head(t replication.EventType, body []byte) (err error) {
	op, ok := rowsOp(t)
	if !ok {
		return errRows
	}
	e.op = op
	if e.table, err = rowsTable(body); err != nil {
		return err
	}
	rest := body[8:]
	if hasExtra(t) {
		if len(rest) < 2 {
			return errRows
		}
		n := int(binary.LittleEndian.Uint16(rest))
		if n < 2 || n > len(rest) {
			return errRows
		}
		rest = rest[n:]
	}
	n, rest, ok := packed(rest)
	size := int(n+7) / 8
	if !ok || n > 1<<16 || len(rest) < 2*size && (op == pipeline.Update || len(rest) < size) {
		return errRows
	}
	e.columns, e.before, rest = int(n), rest[:size], rest[size:]
	if op == pipeline.Update {
		e.after, rest = rest[:size], rest[size:]
	}
	e.rows = rest
	return nil
}

// unpack takes the rows of a compressed event out of it.
func (e *rowsEvent) unpack() (err error) {
	if _, ok := unpackedSize(e.rows); !ok {
		return errRows
	}
	e.rows, err = mysql.DecompressMariadbData(e.rows)
	return err
}

// unpackedSize is how large the rows of a compressed event are.
//
//	u8 whose lower three bits are the length of the size | size, the highest byte first | zlib
func unpackedSize(rest []byte) (size uint64, ok bool) {
	if len(rest) == 0 || len(rest) < 1+int(rest[0]&7) {
		return 0, false
	}
	for _, b := range rest[1 : 1+rest[0]&7] {
		size = size<<8 | uint64(b)
	}
	return size, size <= maxEvent
}

// maxEvent is more than a server makes an event of (max_allowed_packet).
const maxEvent = 1 << 30

// row reads the one or two images of the row that data begins with, and gives what follows
// it. What an update does not repeat it does not change: an unknown value of the new row is
// that of the old one (M05). Values refer to data and to what the arenas hand out.
func (e *rowsEvent) row(sh *shape, data []byte, rows *arena.Rows, bytes *arena.Bytes) (before, after schema.Row, rest []byte, err error) {
	n := len(sh.columns)
	first := rows.Row(n)
	if rest, err = sh.codec.Row(first, e.before, data, bytes); err != nil {
		return nil, nil, nil, err
	}
	switch e.op {
	case pipeline.Create:
		return nil, first, rest, nil
	case pipeline.Delete:
		return first, nil, rest, nil
	}
	after = rows.Row(n)
	if rest, err = sh.codec.Row(after, e.after, rest, bytes); err != nil {
		return nil, nil, nil, err
	}
	for i := range after {
		if !after[i].IsKnown() {
			after[i] = first[i]
		}
	}
	return first, after, rest, nil
}

// leaveRows is what the client does with a row event: nothing but what its parser
// asks, whether a statement ends here. The rows are read by whoever knows their table.
func leaveRows(e *replication.RowsEvent, body []byte) error {
	if len(body) < 8 {
		return errRows
	}
	e.Flags = binary.LittleEndian.Uint16(body[6:])
	return nil
}

// A framing knows whether events end in a checksum, as the last format description
// said; the client has verified it by then (M15).
type framing struct{ checksum int }

func (f *framing) note(e *replication.BinlogEvent) {
	d, ok := e.Event.(*replication.FormatDescriptionEvent)
	if !ok {
		return
	}
	f.checksum = 0
	if d.ChecksumAlgorithm == replication.BINLOG_CHECKSUM_ALG_CRC32 {
		f.checksum = replication.BinlogChecksumLength
	}
}

// body is an event without header and checksum.
func (f *framing) body(e *replication.BinlogEvent) []byte {
	b := e.RawData
	if len(b) < replication.EventHeaderSize+f.checksum {
		return nil
	}
	return b[replication.EventHeaderSize : len(b)-f.checksum]
}

// rowBytes is what the budget has counted for an event: its body if it has rows, and those
// within a compressed transaction.
func (f *framing) rowBytes(e *replication.BinlogEvent) (n int) {
	switch v := e.Event.(type) {
	case *replication.RowsEvent:
		n = len(f.body(e))
	case *replication.TransactionPayloadEvent:
		for _, inner := range v.Events {
			n += (&framing{}).rowBytes(inner)
		}
	}
	return n
}
