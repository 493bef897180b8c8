package pgvalue

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"
	"unicode/utf8"

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
