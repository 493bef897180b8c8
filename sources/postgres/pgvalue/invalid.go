package pgvalue

import "unicode/utf8"

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
