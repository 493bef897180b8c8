package binlogvalue

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/arena"
)

// read reads one value of one column from the hex of its bytes.
func read(c Column, zero ZeroPolicy, data string) (schema.Value, *Codec, error) {
	codec, err := Compile([]Column{c}, testCharsets(), zero)
	if err != nil {
		return schema.Value{}, nil, err
	}
	b, err := hex.DecodeString(strings.ReplaceAll(data, " ", ""))
	if err != nil {
		return schema.Value{}, nil, err
	}
	row := make(schema.Row, 1)
	rest, err := codec.Row(row, []byte{1}, append([]byte{0}, b...), &arena.Bytes{})
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes are left", len(rest))
	}
	return row[0], codec, err
}

// testCharsets has a few characters of sets that a server would be asked for.
func testCharsets() *Charsets {
	c := NewCharsets()
	latin1, gbk := &Charset{}, &Charset{}
	latin1.Set([]byte{0xe9}, 'é')
	latin1.Set([]byte{0x80}, '€')
	gbk.Set([]byte{0xd6, 0xd0}, '中')
	c.Add("latin1", latin1)
	c.Add("gbk", gbk)
	return c
}

// What a value's bytes in the log are, and what they are read as.
func TestValues(t *testing.T) {
	for _, c := range []struct {
		name   string
		column Column
		data   string
		want   string // the value's text as Evert prints it; or an error's
	}{
		{"a negative mediumint", Column{Type: Int24}, "feffff", "-2"},
		{"M26 the greatest bigint unsigned", Column{Type: LongLong, Unsigned: true}, "ffffffffffffffff", "18446744073709551615"},
		{"M26 an int unsigned above the signed ones", Column{Type: Long, Unsigned: true}, "ffffffff", "4294967295"},
		{"M28 a year of 0", Column{Type: Year}, "00", "0"},
		{"M28 bit(12) is the lowest byte first", Column{Type: Bit, Size: 12}, "0a bc", `\xbc0a`},
		{"M28 bit(1)", Column{Type: Bit, Size: 1}, "01", "t"},
		{"M28 the longest time", Column{Type: Time2, Precise: 6}, "b46efb 0f423f", "838:59:59.999999"},
		{"M28 a time of -1 second and a half", Column{Type: Time2, Precise: 1}, "7ffffe ce", "-00:00:01.5"},
		{"M28 minutes that no time has", Column{Type: Time2}, "800f00", "a time that the type cannot hold"},
		{"M28 a time of before 5.6", Column{Type: Time}, "39 30 00", "01:23:45"},
		{"a datetime of before 5.6", Column{Type: Datetime}, "75c5aa8b68120000", "2024-02-29 12:34:45"},
		{"decimal(14,4)", Column{Type: NewDecimal, Precise: 14, Scale: 4}, "810dfb38d204d2", "1234567890.1234"},
		{"the same below zero", Column{Type: NewDecimal, Precise: 14, Scale: 4}, "7ef204c72dfb2d", "-1234567890.1234"},
		{"a decimal of a digit group above 999999999", Column{Type: NewDecimal, Precise: 9}, "ffffffff", errDecimal.Error()},
		{"M27 the empty value of an enum", Column{Type: Enum, Size: 1, Labels: []string{"a"}, Charset: "utf8mb4"}, "00", ""},
		{"M27 a label that the enum does not have", Column{Type: Enum, Size: 1, Labels: []string{"a"}, Charset: "utf8mb4"}, "02", "label 2 of an enum that has 1"},
		{"M27 a set", Column{Type: Set, Size: 1, Labels: []string{"a", "b", "c"}, Charset: "utf8mb4"}, "05", "a,c"},
		{"M27 a label that the set does not have", Column{Type: Set, Size: 1, Labels: []string{"a"}, Charset: "utf8mb4"}, "02", "label 2 of a set that has 1"},
		{"M29 binary(4) without its zeros", Column{Type: String, Size: 4}, "01 61", `\x61000000`},
		{"M29 a uuid without its zeros", Column{Type: String, Size: 16, Special: UUID}, "02 1234", "12340000-0000-0000-0000-000000000000"},
		{"M30 latin1", Column{Type: Varchar, Size: 10, Charset: "latin1", MaxLen: 1}, "02 e980", "é€"},
		{"M30 gbk", Column{Type: Varchar, Size: 10, Charset: "gbk", MaxLen: 2}, "02 d6d0", "中"},
		{"M30 a byte that gbk does not have", Column{Type: Varchar, Size: 10, Charset: "gbk", MaxLen: 2}, "01 ff", ErrCharset.Error()},
		{"M30 ucs2", Column{Type: Varchar, Size: 10, Charset: "ucs2", MaxLen: 2}, "02 00e9", "é"},
		{"M30 utf16le", Column{Type: Varchar, Size: 10, Charset: "utf16le", MaxLen: 4}, "02 e900", "é"},
		{"M30 utf32", Column{Type: Varchar, Size: 10, Charset: "utf32", MaxLen: 4}, "04 0001f600", "😀"},
		{"M30 utf32 above Unicode", Column{Type: Varchar, Size: 10, Charset: "utf32", MaxLen: 4}, "04 00110000", ErrCharset.Error()},
		{"M30 gb18030", Column{Type: Varchar, Size: 10, Charset: "gb18030", MaxLen: 4}, "06 d6d0 8130 8130", "中\u0080"},
		{"M30 utf16 with a surrogate pair", Column{Type: Varchar, Size: 10, Charset: "utf16", MaxLen: 4}, "04 d83dde00", "😀"},
		{"M30 utf16 with half a pair", Column{Type: Varchar, Size: 10, Charset: "utf16", MaxLen: 4}, "02 d83d", ErrCharset.Error()},
		{"M30 bytes that are no UTF-8", Column{Type: Varchar, Size: 10, Charset: "utf8mb4", MaxLen: 4}, "02 c328", ErrCharset.Error()},
		{"M30 a character set that is not known", Column{Type: Varchar, Size: 10, Charset: "geostd8"}, "00", "character set geostd8 is not known"},
		{"M32 a compressed column", Column{Type: VarcharCompressed, Size: 101, Charset: "utf8mb4", MaxLen: 4}, "04 00616263", "abc"},
		{"M32 one by zlib", Column{Type: BlobCompressed, Size: 1}, "0d 8103 789c4b4c4a0600 024d0127", `\x616263`},
		{"M32 one with another checksum", Column{Type: BlobCompressed, Size: 1}, "0d 8103 789c4b4c4a0600 024d0128", errInflate.Error()},
		{"M32 one that is longer than it says", Column{Type: BlobCompressed, Size: 1}, "0d 8102 789c4b4c4a0600 024d0127", errInflate.Error()},
		{"M32 one that is shorter than it says", Column{Type: BlobCompressed, Size: 1}, "0f 83200000 789c4b4c4a0600 024d0127", errInflate.Error()},
		{"M32 one of a method that is not known", Column{Type: BlobCompressed, Size: 1}, "03 910161", errInflate.Error()},
		{"M32 a point without an SRID", Column{Type: Geometry, Size: 1}, "19 00000000 0101000000 000000000000f03f 0000000000000040", `\x0101000000000000000000f03f0000000000000040`},
		{"M32 a point with one", Column{Type: Geometry, Size: 1}, "19 e6100000 0101000000 000000000000f03f 0000000000000040", `\x0101000020e6100000000000000000f03f0000000000000040`},
		{"M32 a geometry that ends early", Column{Type: Geometry, Size: 1}, "02 0000", errGeometry.Error()},
		{"M31 a JSON document of nothing", Column{Type: JSON, Size: 4}, "00000000", "null"},
		{"M31 a JSON container that is larger than its value", Column{Type: JSON, Size: 4}, "05000000 00 0100 ff00", errJSON.Error()},
		{"an image that ends early", Column{Type: Long}, "0102", errShort.Error()},
		{"a string that ends early", Column{Type: Blob, Size: 2}, "0500 61", errShort.Error()},
		{"a type that is not known", Column{Type: 99}, "00", "type 99 of the binary log is not known"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.column.Name = "c"
			v, _, err := read(c.column, ZeroNull, c.data)
			if err != nil {
				if !strings.HasSuffix(err.Error(), c.want) || c.want == "" {
					t.Fatalf("got %v, want %s", err, c.want)
				}
				return
			}
			typ, err := c.column.schemaType()
			if err != nil {
				t.Fatal(err)
			}
			if got := string(typ.AppendText(nil, v)); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// A date that the calendar does not have, by column and policy.
func TestZeroDates(t *testing.T) {
	const null, epoch, refused = "null", "the epoch", "refused"
	for _, c := range []struct {
		policy   ZeroPolicy
		nullable bool
		want     string
	}{
		{ZeroNull, true, null}, {ZeroNull, false, refused},
		{ZeroEpoch, true, null}, {ZeroEpoch, false, epoch},
		{ZeroStop, true, refused}, {ZeroStop, false, refused},
	} {
		for name, in := range map[string]struct {
			column Column
			data   string
		}{
			"0000-00-00":          {Column{Type: Date}, "000000"},
			"2024-00-15":          {Column{Type: Date}, "0fd00f"},
			"2023-02-29":          {Column{Type: Date}, "5dce0f"},
			"0000-00-00 00:00:00": {Column{Type: Datetime2}, "8000000000"},
			"a timestamp of 0":    {Column{Type: Timestamp2}, "00000000"},
		} {
			t.Run(fmt.Sprintf("M25 %s policy %d nullable %v", name, c.policy, c.nullable), func(t *testing.T) {
				in.column.Nullable = c.nullable
				v, codec, err := read(in.column, c.policy, in.data)
				got := null
				switch {
				case errors.Is(err, ErrZeroDate):
					got = refused
				case err != nil:
					t.Fatal(err)
				case v.Kind() == schema.KindDate && v.Int() == 0, v.Kind() == schema.KindTimestamp && v.Int() == -schema.UnixEpoch2000:
					got = epoch
				case !v.IsNull():
					t.Fatalf("got %v", v)
				}
				if got != c.want {
					t.Errorf("got %s, want %s", got, c.want)
				}
				if counted := codec.Zeros() == 1; counted != (got != refused) {
					t.Errorf("counted %d", codec.Zeros())
				}
			})
		}
	}
}

// A row of which the log holds some columns: the others are unknown, not NULL.
func TestPartialImage(t *testing.T) {
	t.Run("M05 a column without a bit is unknown", func(t *testing.T) {
		codec, err := Compile([]Column{{Type: Long}, {Type: Tiny}, {Type: Short}}, testCharsets(), ZeroNull)
		if err != nil {
			t.Fatal(err)
		}
		row := make(schema.Row, 3)
		rest, err := codec.Row(row, []byte{0b101}, []byte{0b10, 7, 0, 0, 0, 0xee}, &arena.Bytes{})
		if err != nil || len(rest) != 1 || row[0].Int() != 7 || row[1].IsKnown() || !row[2].IsNull() {
			t.Errorf("got %v, %d bytes left, %v", row, len(rest), err)
		}
	})
}

// I9 A compressed value is counted as what it is unpacked, also where it is so large that its
// length is not believed; and where there is no room for it, it is not unpacked.
func TestInflatedIsCounted(t *testing.T) {
	for _, size := range []int{3, inflatedAtOnce, inflatedAtOnce + 1, 5*inflatedAtOnce + 7} {
		t.Run(fmt.Sprintf("M32 %d bytes", size), func(t *testing.T) {
			want := bytes.Repeat([]byte("abc"), size/3+1)[:size]
			b := packed(t, want)
			a := &arena.Bytes{Most: 10 + size}
			copy(a.Alloc(10), "0123456789")
			got, err := inflate(b, a)
			if err != nil || !bytes.Equal(got, want) || a.Used() != 10+size || a.Room() != 0 {
				t.Errorf("got %d bytes, %v; %d are used, there is room for %d", len(got), err, a.Used(), a.Room())
			}
			a.Reset()
			a.Most = size - 1
			if _, err := inflate(b, a); err != errRoom || a.Used() != 0 {
				t.Errorf("a byte too many: %v, %d are used", err, a.Used())
			}
		})
	}
}

// packed is a value as MariaDB packs it.
func packed(t *testing.T, b []byte) []byte {
	t.Helper()
	out := bytes.NewBuffer(binary.BigEndian.AppendUint32([]byte{0x84}, uint32(len(b))))
	w := zlib.NewWriter(out)
	_, err := w.Write(b)
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// workedOut are rows of one value each, of types whose values are worked out.
func workedOut() map[string]struct {
	column Column
	data   string
} {
	return map[string]struct {
		column Column
		data   string
	}{
		"int":                  {Column{Type: Long}, "07000000"},
		"bigint unsigned":      {Column{Type: LongLong, Unsigned: true}, "ffffffffffffffff"},
		"varchar":              {Column{Type: Varchar, Size: 20, Charset: "utf8mb4", MaxLen: 4}, "03616263"},
		"latin1":               {Column{Type: Varchar, Size: 20, Charset: "latin1", MaxLen: 1}, "02e980"},
		"gbk":                  {Column{Type: Varchar, Size: 10, Charset: "gbk", MaxLen: 2}, "02d6d0"},
		"gb18030":              {Column{Type: Varchar, Size: 10, Charset: "gb18030", MaxLen: 4}, "06d6d081308130"},
		"utf16":                {Column{Type: Varchar, Size: 10, Charset: "utf16", MaxLen: 4}, "04d83dde00"},
		"utf32":                {Column{Type: Varchar, Size: 10, Charset: "utf32", MaxLen: 4}, "040001f600"},
		"decimal":              {Column{Type: NewDecimal, Precise: 14, Scale: 4}, "810dfb38d204d2"},
		"datetime":             {Column{Type: Datetime2, Precise: 6}, "99b27ac8a0000001"},
		"timestamp":            {Column{Type: Timestamp2}, "65000000"},
		"time":                 {Column{Type: Time2, Precise: 6}, "b46efb0f423f"},
		"double":               {Column{Type: Double}, "000000000000f03f"},
		"bit":                  {Column{Type: Bit, Size: 12}, "0abc"},
		"enum":                 {Column{Type: Enum, Size: 1, Labels: []string{"a"}, Charset: "utf8mb4"}, "01"},
		"set":                  {Column{Type: Set, Size: 1, Labels: []string{"a", "b", "c"}, Charset: "utf8mb4"}, "05"},
		"binary":               {Column{Type: String, Size: 4}, "0161"},
		"uuid":                 {Column{Type: String, Size: 16, Special: UUID}, "021234"},
		"inet6":                {Column{Type: String, Size: 16, Special: INET6}, "021234"},
		"geometry":             {Column{Type: Geometry, Size: 1}, "19e61000000101000000000000000000f03f0000000000000040"},
		"json of a string":     {Column{Type: JSON, Size: 4}, "030000000c0178"},
		"json of a double":     {Column{Type: JSON, Size: 4}, "090000000b182d4454fb210940"},
		"json of a decimal":    {Column{Type: JSON, Size: 4}, "07000000" + "0ff6" + "04" + "0402" + "8c22"},
		"json of an object":    {Column{Type: JSON, Size: 4}, "0d000000" + "00" + "01000c00" + "0b000100" + "050100" + "61"},
		"compressed, as it is": {Column{Type: VarcharCompressed, Size: 101, Charset: "utf8mb4", MaxLen: 4}, "0400616263"},
		"compressed by zlib":   {Column{Type: BlobCompressed, Size: 1}, "0d8103" + "789c4b4c4a0600024d0127"},
		"compressed, raw":      {Column{Type: BlobCompressed, Size: 1}, "078903" + "4b4c4a0600"},
	}
}

// Values of a row take no memory of their own, whatever their types are.
func TestNoAllocation(t *testing.T) {
	for name, c := range workedOut() {
		t.Run(name, func(t *testing.T) {
			row, codec, data := c.column.oneOf(t, c.data)
			a := &arena.Bytes{}
			if n := testing.AllocsPerRun(100, func() {
				a.Reset()
				if _, err := codec.Row(row, []byte{1}, data, a); err != nil {
					t.Fatal(err)
				}
			}); n > 0 {
				t.Errorf("%v allocations a value", n)
			}
		})
	}
}

// BenchmarkValue is what a value of each of these types takes.
func BenchmarkValue(b *testing.B) {
	for name, c := range workedOut() {
		b.Run(name, func(b *testing.B) {
			row, codec, data := c.column.oneOf(b, c.data)
			a := &arena.Bytes{}
			b.ReportAllocs()
			for b.Loop() {
				a.Reset()
				if _, err := codec.Row(row, []byte{1}, data, a); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// oneOf makes a table of one column and an image of a row.
func (c Column) oneOf(t testing.TB, value string) (schema.Row, *Codec, []byte) {
	t.Helper()
	codec, err := Compile([]Column{c}, testCharsets(), ZeroNull)
	if err != nil {
		t.Fatal(err)
	}
	data, err := hex.DecodeString("00" + value)
	if err != nil {
		t.Fatal(err)
	}
	return make(schema.Row, 1), codec, data
}
