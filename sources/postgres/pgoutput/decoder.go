package pgoutput

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// MaxColumns is the largest number of columns in a tuple that any Postgres
// sends (MaxTupleAttributeNumber); more is a broken message.
const MaxColumns = 1664

// A Decoder decodes the messages of one stream, in order. The zero Decoder is
// ready. What its fields hold is valid until the next Decode and only if the
// message was of that kind. It is not safe for concurrent use.
type Decoder struct {
	XID      uint32 // transaction of the last message if it came inside a stream block, else 0
	Tx       TxMessage
	Row      Row
	Relation RelationMessage
	Type     TypeMessage
	Truncate TruncateMessage
	Message  LogicalMessage
	Origin   OriginMessage

	streaming bool // between Stream Start and Stream Stop

	old, new []Column // backing store of Row
	cols     []RelationColumn
	rels     []uint32
}

// Reset forgets the stream: the next message is the first of a new one.
func (d *Decoder) Reset() { d.streaming = false }

// Streaming says whether the stream stands between Stream Start and Stream Stop.
func (d *Decoder) Streaming() bool { return d.streaming }

// Decode decodes one message. It never panics, whatever the bytes.
func (d *Decoder) Decode(msg []byte) (Kind, error) {
	if len(msg) == 0 {
		return 0, fmt.Errorf("pgoutput: empty message")
	}
	kind := Kind(msg[0])
	r := reader{b: msg[1:]}
	d.XID = 0
	if d.streaming && kind.carriesXID() {
		d.XID = r.uint32()
	}
	if !d.decode(kind, &r) {
		return kind, fmt.Errorf("pgoutput: unknown message %q", msg[0])
	}
	if r.bad {
		return kind, fmt.Errorf("pgoutput: message %q of %d bytes is cut short or malformed", msg[0], len(msg))
	}
	if len(r.b) > 0 {
		return kind, fmt.Errorf("pgoutput: message %q has %d bytes too many", msg[0], len(r.b))
	}
	return kind, d.track(kind)
}

// DecodeIn decodes a message that was kept from a stream block, transaction id
// and all, whatever the decoder's own stream is doing. Only messages of which
// CarriesXID is true can be kept so.
func (d *Decoder) DecodeIn(msg []byte) (Kind, error) {
	was := d.streaming
	d.streaming = true
	kind, err := d.Decode(msg)
	d.streaming = was
	return kind, err
}

// carriesXID says which messages name their transaction inside a stream block.
func (k Kind) carriesXID() bool {
	switch k {
	case Relation, Type, Insert, Update, Delete, Truncate, Message:
		return true
	}
	return false
}

// CarriesXID says which messages name their transaction inside a stream block.
func (k Kind) CarriesXID() bool { return k.carriesXID() }

// track follows the stream blocks, which never nest.
func (d *Decoder) track(kind Kind) error {
	switch kind {
	case StreamStart:
		if d.streaming {
			return fmt.Errorf("pgoutput: Stream Start inside a stream block")
		}
		d.streaming = true
	case StreamStop:
		if !d.streaming {
			return fmt.Errorf("pgoutput: Stream Stop outside a stream block")
		}
		d.streaming = false
	case Begin, Commit, StreamCommit, StreamAbort, BeginPrepare, Prepare,
		CommitPrepared, RollbackPrepared, StreamPrepare:
		if d.streaming {
			return fmt.Errorf("pgoutput: message %q inside a stream block", byte(kind))
		}
	}
	return nil
}

func (d *Decoder) decode(kind Kind, r *reader) bool {
	switch kind {
	case Insert:
		d.insert(r)
	case Update:
		d.update(r)
	case Delete:
		d.delete(r)
	case Begin:
		d.Tx = TxMessage{LSN: r.uint64(), Time: r.int64(), XID: r.uint32()}
	case Commit:
		d.Tx = TxMessage{Flags: r.byte(), LSN: r.uint64(), EndLSN: r.uint64(), Time: r.int64()}
	case Origin:
		d.Origin = OriginMessage{LSN: r.uint64(), Name: r.cstring()}
	case Relation:
		d.relation(r)
	case Type:
		d.Type = TypeMessage{ID: r.uint32(), Namespace: r.cstring(), Name: r.cstring()}
	case Truncate:
		d.truncate(r)
	case Message:
		d.message(r)
	default:
		return d.decodeStream(kind, r)
	}
	return true
}

func (d *Decoder) decodeStream(kind Kind, r *reader) bool {
	switch kind {
	case StreamStart:
		d.Tx = TxMessage{XID: r.uint32(), First: r.byte()}
	case StreamStop:
		d.Tx = TxMessage{}
	case StreamCommit:
		d.Tx = TxMessage{XID: r.uint32(), Flags: r.byte(), LSN: r.uint64(), EndLSN: r.uint64(), Time: r.int64()}
	case StreamAbort:
		d.streamAbort(r)
	case BeginPrepare:
		d.Tx = TxMessage{LSN: r.uint64(), EndLSN: r.uint64(), Time: r.int64(), XID: r.uint32(), GID: r.cstring()}
	case Prepare, CommitPrepared, StreamPrepare:
		d.Tx = TxMessage{Flags: r.byte(), LSN: r.uint64(), EndLSN: r.uint64(), Time: r.int64(), XID: r.uint32(), GID: r.cstring()}
	case RollbackPrepared:
		d.Tx = TxMessage{
			Flags: r.byte(), LSN: r.uint64(), EndLSN: r.uint64(),
			Time: r.int64(), Time2: r.int64(), XID: r.uint32(), GID: r.cstring(),
		}
	default:
		return false
	}
	return true
}

// streamAbort is 8 bytes long, or 24 with `streaming 'parallel'` of protocol 4.
func (d *Decoder) streamAbort(r *reader) {
	d.Tx = TxMessage{XID: r.uint32(), SubXID: r.uint32()}
	if len(r.b) > 0 {
		d.Tx.HasLSN = true
		d.Tx.LSN = r.uint64()
		d.Tx.Time = r.int64()
	}
}

// I: relation uint32 · 'N' · tuple
func (d *Decoder) insert(r *reader) {
	rel := r.uint32()
	if r.byte() != 'N' {
		r.bad = true
		return
	}
	d.new = r.tuple(d.new[:0])
	d.Row = Row{Relation: rel, New: d.new}
}

// U: relation uint32 · ('K' | 'O' · tuple)? · 'N' · tuple
func (d *Decoder) update(r *reader) {
	d.Row = Row{Relation: r.uint32()}
	mark := r.byte()
	if mark == 'K' || mark == 'O' {
		d.old = r.tuple(d.old[:0])
		d.Row.OldKind, d.Row.Old = OldKind(mark), d.old
		mark = r.byte()
	}
	if mark != 'N' {
		r.bad = true
		return
	}
	d.new = r.tuple(d.new[:0])
	d.Row.New = d.new
}

// D: relation uint32 · 'K' | 'O' · tuple
func (d *Decoder) delete(r *reader) {
	d.Row = Row{Relation: r.uint32()}
	mark := r.byte()
	if mark != 'K' && mark != 'O' {
		r.bad = true
		return
	}
	d.old = r.tuple(d.old[:0])
	d.Row.OldKind, d.Row.Old = OldKind(mark), d.old
}

// R: id uint32 · namespace · name · identity byte · n uint16 · n × (flags byte · name · type uint32 · typmod int32)
func (d *Decoder) relation(r *reader) {
	d.Relation = RelationMessage{ID: r.uint32(), Namespace: r.cstring(), Name: r.cstring(), Identity: r.byte()}
	n := int(r.uint16())
	d.cols = d.cols[:0]
	if n > MaxColumns {
		r.bad = true
	}
	for i := 0; i < n && !r.bad; i++ {
		d.cols = append(d.cols, RelationColumn{
			Flags: r.byte(), Name: r.cstring(), OID: r.uint32(), TypMod: int32(r.uint32()),
		})
	}
	d.Relation.Columns = d.cols
}

// T: n uint32 · options byte · n × relation uint32
func (d *Decoder) truncate(r *reader) {
	n := int64(r.uint32())
	d.Truncate = TruncateMessage{Options: r.byte()}
	if n*4 != int64(len(r.b)) {
		r.bad = true
		return
	}
	d.rels = d.rels[:0]
	for ; n > 0; n-- {
		d.rels = append(d.rels, r.uint32())
	}
	d.Truncate.Relations = d.rels
}

// M: flags byte · LSN uint64 · prefix · length uint32 · content
func (d *Decoder) message(r *reader) {
	d.Message = LogicalMessage{Flags: r.byte(), LSN: r.uint64(), Prefix: r.cstring()}
	d.Message.Content = r.take(int64(r.uint32()))
}

// A reader takes fields off the front of a message. After the first field that
// does not fit, bad is set and every later field is zero.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) byte() byte {
	if len(r.b) < 1 {
		return r.short()
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *reader) uint16() uint16 {
	if len(r.b) < 2 {
		return uint16(r.short())
	}
	v := binary.BigEndian.Uint16(r.b)
	r.b = r.b[2:]
	return v
}

func (r *reader) uint32() uint32 {
	if len(r.b) < 4 {
		return uint32(r.short())
	}
	v := binary.BigEndian.Uint32(r.b)
	r.b = r.b[4:]
	return v
}

func (r *reader) uint64() uint64 {
	if len(r.b) < 8 {
		return uint64(r.short())
	}
	v := binary.BigEndian.Uint64(r.b)
	r.b = r.b[8:]
	return v
}

func (r *reader) int64() int64 { return int64(r.uint64()) }

func (r *reader) short() byte {
	r.bad, r.b = true, nil
	return 0
}

// cstring is a string that ends with a zero byte.
func (r *reader) cstring() []byte {
	i := bytes.IndexByte(r.b, 0)
	if i < 0 {
		r.short()
		return nil
	}
	v := r.b[:i:i]
	r.b = r.b[i+1:]
	return v
}

func (r *reader) take(n int64) []byte {
	if n > int64(len(r.b)) {
		r.short()
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

// tuple appends the columns of one tuple to dst.
//
//	n uint16 · n × ( 'n' | 'u' | 't' · length uint32 · bytes | 'b' · length uint32 · bytes )
//
// It is written out flat: it runs once per row and costs most of the decoder.
func (r *reader) tuple(dst []Column) []Column {
	n := int(r.uint16())
	if n > MaxColumns || r.bad {
		r.bad = true
		return dst
	}
	b := r.b
	for ; n > 0; n-- {
		if len(b) == 0 {
			r.short()
			return dst
		}
		kind := ColumnKind(b[0])
		b = b[1:]
		switch kind {
		case Text, Binary:
			if len(b) < 4 {
				r.short()
				return dst
			}
			size := int64(binary.BigEndian.Uint32(b))
			if size > int64(len(b)-4) {
				r.short()
				return dst
			}
			dst = append(dst, Column{Kind: kind, Data: b[4 : 4+size : 4+size]})
			b = b[4+size:]
		case Null, Unchanged:
			dst = append(dst, Column{Kind: kind})
		default:
			r.short()
			return dst
		}
	}
	r.b = b
	return dst
}
