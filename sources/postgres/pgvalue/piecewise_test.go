package pgvalue

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/arena"
)

// P45: a text that is not UTF-8 becomes the same piece by piece as at once.
func TestInvalidTextPieceByPiece(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 3))
	words := []string{"a", "ü", "日", "😀", "\xfc", "\xe6\x97", "\xf0\x9f", "\x80", "\xff", "\xed\xa0\x80"}
	for range 300 {
		var text []byte
		for range rng.IntN(12) {
			text = append(text, words[rng.IntN(len(words))]...)
		}
		ok, err := IsUTF8(iotest.OneByteReader(bytes.NewReader(text)))
		if err != nil || ok != utf8.Valid(text) {
			t.Fatalf("seed %d: %q is UTF-8: %v, %v", seed, text, ok, err)
		}
		for _, i := range []Invalid{Latin1, Replace} {
			r := Reader{Arena: new(arena.Bytes), Invalid: i}
			got, err := io.ReadAll(i.Reader(iotest.OneByteReader(bytes.NewReader(text))))
			if want := r.utf8(text); !ok && (err != nil || !bytes.Equal(got, want)) {
				t.Fatalf("seed %d: %q becomes %q with %d, want %q: %v", seed, text, got, i, want, err)
			}
		}
	}
}

// A bit string is the same digits piece by piece as at once.
func TestBitsPieceByPiece(t *testing.T) {
	for _, n := range []int{0, 1, 7, 8, 9, 32 << 10, 32<<10 + 1, 100_003} {
		sent := be.AppendUint32(nil, uint32(n))
		for i := range (n + 7) / 8 {
			sent = append(sent, byte(i*37))
		}
		r := Reader{Arena: new(arena.Bytes)}
		want, err := r.bits(sent)
		if err != nil {
			t.Fatal(err)
		}
		b, err := BitReader(bytes.NewReader(sent), int64(len(sent)))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(iotest.HalfReader(b)); err != nil || !bytes.Equal(got, want.Ref()) {
			t.Errorf("%d bits are printed as %d: %v", n, len(got), err)
		}
		if _, err := BitReader(bytes.NewReader(sent), int64(len(sent))+1); err == nil {
			t.Errorf("%d bits in a byte more are taken", n)
		}
	}
}

// An array is the same element by element as at once, and what is none is none.
func TestArraysElementByElement(t *testing.T) {
	for _, c := range []struct {
		elem  Op
		texts []string
	}{
		{Int4, []string{"{}", "{1,-2,NULL}", "{1", "{1,}", "{,}", "{1}}", "{1}x", "", "x", "[0:0]={1}", "{{1},{2}}", "{1,{2}}", "{a}", `{"1"}`}},
		{Text, []string{`{a,"b c","","NULL","x\"y","p\\q","{}",NULL,"a,b"}`, `{"a`, `{"a"`, `{"a"b}`, `{a"b}`, `{a\b}`, `{"a\`, `{ü,日}`}},
		{Bytea, []string{`{"\\x00ff","\\x"}`, `{"\\x0"}`}},
		{Numeric, []string{`{1.50,NaN}`, `{1.}`}},
	} {
		for _, text := range c.texts {
			codec := Codec{Op: Array, Elem: c.elem}
			r := Reader{Arena: new(arena.Bytes)}
			want, wantErr := r.Text(codec, []byte(text))
			got, ok, err := r.ReadArray(codec, false, iotest.OneByteReader(bytes.NewReader([]byte(text))), 1<<20)
			if (err == nil) != (wantErr == nil) || errors.Is(err, ShapeError{}) != errors.Is(wantErr, ShapeError{}) || err == nil && (!ok || !got.Identical(want)) {
				t.Errorf("%s: got %v, %v, want %v, %v", text, got, err, want, wantErr)
			}
			got, err = elements(codec, false, []byte(text))
			if (err == nil) != (wantErr == nil) || err == nil && !got.Identical(want) {
				t.Errorf("%s: its elements are %v, %v, want %v, %v", text, got, err, want, wantErr)
			}
		}
	}
	for _, sent := range [][]byte{
		arraySent(), arraySent([]byte("a"), nil, []byte("")), arraySent([]byte("a"))[:21], append(arraySent([]byte("a")), 'x'), arraySent([]byte("a"))[:15], {0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 25}, {0, 0},
	} {
		codec := Codec{Op: Array, Elem: Text}
		r := Reader{Arena: new(arena.Bytes)}
		want, wantErr := r.Binary(codec, sent)
		got, ok, err := r.ReadArray(codec, true, iotest.OneByteReader(bytes.NewReader(sent)), 1<<20)
		if (err == nil) != (wantErr == nil) || errors.Is(err, ShapeError{}) != errors.Is(wantErr, ShapeError{}) || err == nil && (!ok || !got.Identical(want)) {
			t.Errorf("%q: got %v, %v, want %v, %v", sent, got, err, want, wantErr)
		}
		got, err = elements(codec, true, sent)
		if (err == nil) != (wantErr == nil) || err == nil && !got.Identical(want) {
			t.Errorf("%q: its elements are %v, %v, want %v, %v", sent, got, err, want, wantErr)
		}
	}
}

// elements is the array of those that are given one by one, of which some were asked for
// before.
func elements(c Codec, binaryForm bool, sent []byte) (schema.Value, error) {
	r := Reader{}
	for range r.Elements(c, binaryForm, bytes.NewReader(sent)) {
		break
	}
	var all []schema.Value
	for v, err := range r.Elements(c, binaryForm, iotest.OneByteReader(bytes.NewReader(sent))) {
		if err != nil {
			return schema.Value{}, err
		}
		all = append(all, v.Clone())
	}
	return schema.Array(schema.AppendArray(nil, all...)), nil
}

// arraySent is an array of texts as array_send has it.
func arraySent(elements ...[]byte) []byte {
	if len(elements) == 0 {
		return make([]byte, 12)
	}
	b := be.AppendUint32([]byte{0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 25}, uint32(len(elements)))
	b = be.AppendUint32(b, 1)
	for _, e := range elements {
		if e == nil {
			b = be.AppendUint32(b, 1<<32-1)
			continue
		}
		b = append(be.AppendUint32(b, uint32(len(e))), e...)
	}
	return b
}

// endless is the beginning of an array, and then one element after the other.
func endless(head, element string) io.Reader {
	return io.MultiReader(strings.NewReader(head), strings.NewReader(strings.Repeat(element, 64<<20/len(element))))
}

// P26: of an array that is too large no more is in memory than it may take: neither of
// many elements nor of one.
func TestLargeArraysAreNotHeld(t *testing.T) {
	const most = 1 << 20
	for what, c := range map[string]struct {
		elem   Op
		binary bool
		sent   io.Reader
	}{
		"texts":            {Text, false, endless("{", `"sixteen letters.",`)},
		"one text":         {Text, false, endless(`{"`, "sixteen letters.")},
		"one bare text":    {Text, false, endless(`{`, "sixteen_letters.")},
		"numbers":          {Int8, false, endless("{", "1,")},
		"bytes":            {Bytea, false, endless("{", `"\\x00112233445566",`)},
		"one byte string":  {Bytea, false, endless(`{"\\x`, "00")},
		"texts, binary":    {Text, true, endless("\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x19\x7f\xff\xff\xff\x00\x00\x00\x01", "\x00\x00\x00\x04abcd")},
		"one text, binary": {Text, true, endless("\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x19\x7f\xff\xff\xff\x00\x00\x00\x01", "\x7f\xff\xff\x00")},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r := Reader{Arena: new(arena.Bytes)}
		_, ok, err := r.ReadArray(Codec{Op: Array, Elem: c.elem}, c.binary, c.sent, most)
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; ok || err != nil || took > 120*most {
			t.Errorf("%s: ok %v, %v, %d MiB were allocated", what, ok, err, took>>20)
		}
	}
}

// P26: of an array of 64 MiB that is read element by element one is in memory at a time.
func TestElementsAreNotHeld(t *testing.T) {
	sent := endless("{", `"sixteen letters.",`)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r, count, last := Reader{}, 0, error(nil)
	for _, err := range r.Elements(Codec{Op: Array, Elem: Text}, false, sent) {
		count++
		last = err
	}
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; last == nil || count < 3_000_000 || took > 1<<20 {
		t.Errorf("%d elements, %v, %d KiB were allocated", count, last, took>>10)
	}
}
