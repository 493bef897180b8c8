package pgoutput

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

// text builds a tuple out of words: NULL, UNCHANGED, or a value sent as text.
func text(words ...string) []Column {
	var cols []Column
	for _, w := range words {
		switch w {
		case "NULL":
			cols = append(cols, Column{Kind: Null})
		case "UNCHANGED":
			cols = append(cols, Column{Kind: Unchanged})
		default:
			cols = append(cols, Column{Kind: Text, Data: []byte(w)})
		}
	}
	return cols
}

// samples has one or more of every message, the stream blocks in order.
func samples() [][]byte {
	var out [][]byte
	add := func(kind Kind, d Decoder) { out = append(out, Append(nil, kind, &d)) }
	add(Begin, Decoder{Tx: TxMessage{LSN: 0x16B3748, Time: 7e14, XID: 731}})
	add(Origin, Decoder{Origin: OriginMessage{LSN: 9, Name: []byte("other")}})
	add(Type, Decoder{Type: TypeMessage{ID: 16400, Namespace: []byte("public"), Name: []byte("mood")}})
	add(Relation, Decoder{Relation: RelationMessage{ID: 16384, Namespace: []byte("public"), Name: []byte("orders"), Identity: 'd',
		Columns: []RelationColumn{{Flags: 1, Name: []byte("id"), OID: 20, TypMod: -1}, {Name: []byte("note"), OID: 25, TypMod: -1}}}})
	add(Insert, Decoder{Row: Row{Relation: 16384, New: text("1", "hello")}})
	add(Update, Decoder{Row: Row{Relation: 16384, New: text("1", "UNCHANGED")}})
	add(Update, Decoder{Row: Row{Relation: 16384, OldKind: OldKey, Old: text("1", "NULL"), New: text("2", "UNCHANGED")}})
	add(Update, Decoder{Row: Row{Relation: 16384, OldKind: OldFull, Old: text("1", "a"), New: text("1", "b")}})
	add(Delete, Decoder{Row: Row{Relation: 16384, OldKind: OldKey, Old: text("1", "NULL")}})
	add(Insert, Decoder{Row: Row{Relation: 16384, New: []Column{{Kind: Binary, Data: []byte{0, 0, 0, 1}}}}})
	add(Truncate, Decoder{Truncate: TruncateMessage{Options: 3, Relations: []uint32{16384, 16390}}})
	add(Message, Decoder{Message: LogicalMessage{Flags: 1, LSN: 12, Prefix: []byte("beat"), Content: []byte("x\x00y")}})
	add(Commit, Decoder{Tx: TxMessage{LSN: 0x16B3748, EndLSN: 0x16B3778, Time: 7e14}})
	add(StreamStart, Decoder{Tx: TxMessage{XID: 740, First: 1}})
	add(Insert, Decoder{XID: 741, Row: Row{Relation: 16384, New: text("5", "streamed")}})
	add(StreamStop, Decoder{})
	add(StreamAbort, Decoder{Tx: TxMessage{XID: 740, SubXID: 741}})
	add(StreamAbort, Decoder{Tx: TxMessage{XID: 740, SubXID: 741, HasLSN: true, LSN: 77, Time: 5}})
	add(StreamCommit, Decoder{Tx: TxMessage{XID: 740, LSN: 88, EndLSN: 99, Time: 5}})
	gid := []byte("gid-1")
	add(BeginPrepare, Decoder{Tx: TxMessage{LSN: 1, EndLSN: 2, Time: 3, XID: 4, GID: gid}})
	add(Prepare, Decoder{Tx: TxMessage{LSN: 1, EndLSN: 2, Time: 3, XID: 4, GID: gid}})
	add(CommitPrepared, Decoder{Tx: TxMessage{LSN: 1, EndLSN: 2, Time: 3, XID: 4, GID: gid}})
	add(RollbackPrepared, Decoder{Tx: TxMessage{LSN: 1, EndLSN: 2, Time: 3, Time2: 9, XID: 4, GID: gid}})
	add(StreamPrepare, Decoder{Tx: TxMessage{LSN: 1, EndLSN: 2, Time: 3, XID: 4, GID: gid}})
	return out
}

func TestEveryMessageRoundTrips(t *testing.T) {
	var d Decoder
	for _, msg := range samples() {
		kind, err := d.Decode(msg)
		if err != nil {
			t.Fatalf("%q: %v", msg[0], err)
		}
		if again := Append(nil, kind, &d); !bytes.Equal(again, msg) {
			t.Errorf("%q: decoded and encoded again\n got %x\nwant %x", msg[0], again, msg)
		}
	}
}

func TestEveryCutIsAnError(t *testing.T) {
	for _, msg := range samples() {
		for n := range msg {
			var d Decoder
			d.streaming = Kind(msg[0]) == StreamStop
			if len(msg) == 25 && n == 9 && msg[0] == byte(StreamAbort) {
				continue // that is a whole Stream Abort of protocol 2
			}
			if _, err := d.Decode(msg[:n]); err == nil && n < len(msg) {
				t.Errorf("%q cut to %d of %d bytes was accepted", msg[0], n, len(msg))
			}
		}
		var d Decoder
		d.streaming = Kind(msg[0]) == StreamStop
		if _, err := d.Decode(append(bytes.Clone(msg), 0)); err == nil {
			t.Errorf("%q with a byte too many was accepted", msg[0])
		}
	}
}

// The bytes as the protocol documents them, written out by hand: they hold
// Decode to the documentation and not only to Append.
func TestMessagesWrittenOut(t *testing.T) {
	var d Decoder
	for _, c := range []struct{ name, hex, want string }{
		{"begin", "42000000000153e4a80002b9f8a4f0e9a0000002dd", "xid 733 lsn 153E4A8"},
		{"insert", "490000400d4e0003740000000131740000000168" + "6e", "rel 16397: 1|h|NULL"},
		{"update with unchanged toast", "550000400d4e0003740000000131" + "75" + "740000000278" + "79", "rel 16397: 1|UNCHANGED|xy"},
	} {
		msg, err := hex.DecodeString(c.hex)
		if err != nil {
			t.Fatal(err)
		}
		kind, err := d.Decode(msg)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got := describe(kind, &d); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

func describe(kind Kind, d *Decoder) string {
	if kind == Begin {
		return fmt.Sprintf("xid %d lsn %X", d.Tx.XID, d.Tx.LSN)
	}
	var words []string
	for _, c := range d.Row.New {
		switch c.Kind {
		case Null:
			words = append(words, "NULL")
		case Unchanged:
			words = append(words, "UNCHANGED")
		default:
			words = append(words, string(c.Data))
		}
	}
	return fmt.Sprintf("rel %d: %s", d.Row.Relation, strings.Join(words, "|"))
}

func TestStreamBlocksDoNotNest(t *testing.T) {
	start := Append(nil, StreamStart, &Decoder{Tx: TxMessage{XID: 1}})
	stop := Append(nil, StreamStop, &Decoder{})
	begin := Append(nil, Begin, &Decoder{Tx: TxMessage{XID: 2}})
	for name, msgs := range map[string][][]byte{
		"start in a block":     {start, start},
		"stop outside a block": {stop},
		"begin in a block":     {start, begin},
	} {
		var d Decoder
		var err error
		for _, m := range msgs {
			_, err = d.Decode(m)
		}
		if err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, msg := range samples() {
		f.Add(msg, false)
		f.Add(msg, true)
	}
	f.Fuzz(func(t *testing.T, msg []byte, streaming bool) {
		d := Decoder{streaming: streaming}
		kind, err := d.Decode(msg)
		if room := cap(d.old)*32 + cap(d.new)*32 + cap(d.cols)*40 + cap(d.rels)*4; room > 4*len(msg)+1<<20 {
			t.Fatalf("%d bytes of input took %d bytes", len(msg), room)
		}
		if err != nil || (d.XID == 0 && streaming && kind.carriesXID()) {
			return
		}
		if again := Append(nil, kind, &d); !bytes.Equal(again, msg) {
			t.Fatalf("decode and append differ\n in %x\nout %x", msg, again)
		}
	})
}

func BenchmarkDecodeInsert9(b *testing.B) {
	msg := Append(nil, Insert, &Decoder{Row: Row{Relation: 16384, New: text(
		"1000001", "4711", "3", "1999.99", "2026-11-22 10:00:00.123456+00", "t", "some text of a row", "NULL", "2f1e6a52-6d6b-4b52-a3a5-8a6f7d0a0b11")}})
	var d Decoder
	b.SetBytes(int64(len(msg)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Decode(msg); err != nil {
			b.Fatal(err)
		}
	}
}
