package opensearch

import (
	"crypto/sha256"
	"encoding/hex"
	"unicode/utf8"

	"github.com/evertdb/evert/schema"
)

// mostID is the longest _id in bytes.
const mostID = 512

// appendID appends the _id of the document of a row: the texts of its key's values
// as the source prints them, joined by "/". Inside them "%" is written %25 and "/"
// is %2F; an empty text is %E and NULL is %N. What is longer than 512 bytes, or is
// not UTF-8, is %sha256: and the hash of all that in hexadecimal. So two keys never
// have the same _id.
func appendID(dst []byte, t *schema.Table, row schema.Row) []byte {
	start := len(dst)
	for i, at := range t.Key {
		if i > 0 {
			dst = append(dst, '/')
		}
		dst = appendSegment(dst, &t.Columns[at].Type, row[at])
	}
	if id := dst[start:]; len(id) > mostID || !utf8.Valid(id) {
		sum := sha256.Sum256(id)
		dst = hex.AppendEncode(append(dst[:start], "%sha256:"...), sum[:])
	}
	return dst
}

func appendSegment(dst []byte, t *schema.Type, v schema.Value) []byte {
	if v.IsNull() {
		return append(dst, "%N"...)
	}
	start := len(dst)
	dst = t.AppendText(dst, v)
	if len(dst) == start {
		return append(dst, "%E"...)
	}
	return escape(dst, start)
}

// escape rewrites what stands behind start; mostly it is as it has to be.
func escape(dst []byte, start int) []byte {
	for i := start; i < len(dst); i++ {
		if dst[i] != '%' && dst[i] != '/' {
			continue
		}
		text := append([]byte(nil), dst[i:]...)
		dst = dst[:i]
		for _, c := range text {
			switch c {
			case '%':
				dst = append(dst, "%25"...)
			case '/':
				dst = append(dst, "%2F"...)
			default:
				dst = append(dst, c)
			}
		}
		return dst
	}
	return dst
}
