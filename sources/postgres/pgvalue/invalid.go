package pgvalue

import (
	"errors"
	"io"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
)

// Invalid says what becomes of a text that is not UTF-8, which only a database
// without an encoding (SQL_ASCII) can hold.
type Invalid uint8

// The policies. Trust is for every other database: the server has checked.
const (
	Trust   Invalid = iota // every text is UTF-8
	Latin1                 // the whole text is read as ISO 8859-1
	Replace                // each byte that fits nothing becomes U+FFFD
)

// utf8 gives b as UTF-8 in the arena.
func (r *Reader) utf8(b []byte) []byte {
	if r.Invalid == Trust || utf8.Valid(b) {
		return r.Arena.Copy(b)
	}
	out := make([]byte, 0, 2*len(b))
	for len(b) > 0 {
		c, n := rune(b[0]), 1
		if r.Invalid == Replace {
			c, n = utf8.DecodeRune(b)
		}
		out = utf8.AppendRune(out, c)
		b = b[n:]
	}
	return r.Arena.Copy(out)
}

// Reader gives a text that is not UTF-8 as UTF-8, piece by piece: what utf8 makes of
// it. With Trust it is as it is.
func (i Invalid) Reader(r io.Reader) io.Reader {
	switch i {
	case Latin1:
		return charmap.ISO8859_1.NewDecoder().Reader(r)
	case Replace:
		return transform.NewReader(r, runes.ReplaceIllFormed())
	}
	return r
}

// IsUTF8 reports whether all that r has is UTF-8. It reads no further than to where
// that is decided.
func IsUTF8(r io.Reader) (bool, error) {
	_, err := io.Copy(io.Discard, transform.NewReader(r, encoding.UTF8Validator))
	if errors.Is(err, encoding.ErrInvalidUTF8) {
		return false, nil
	}
	return err == nil, err
}
