package binlogvalue

import (
	"fmt"
	"sync"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/evertdb/evert/schema/arena"
)

// Charsets are the character sets that columns can be read with, by the servers'
// names. Those of Unicode are there from the beginning; of the others the server is
// asked, since no library agrees with it on all of them. Any goroutine may use them; a set
// that was added does not change.
type Charsets struct {
	mu     sync.RWMutex
	byName map[string]*Charset
}

// NewCharsets has what needs no server.
func NewCharsets() *Charsets {
	return &Charsets{byName: map[string]*Charset{
		"utf8mb4": {form: formUTF8}, "utf8mb3": {form: formUTF8}, "utf8": {form: formUTF8}, "ascii": {form: formASCII},
		"ucs2": {form: formUTF16}, "utf16": {form: formUTF16}, "utf16le": {form: formUTF16LE}, "utf32": {form: formUTF32}, "gb18030": {form: formGB18030},
	}}
}

// Add makes a character set known.
func (c *Charsets) Add(name string, s *Charset) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byName[name] = s
}

func (c *Charsets) find(name string) *Charset {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.byName[name]
}

// Knows reports whether texts of a character set can be read.
func (c *Charsets) Knows(name string) bool { return c.find(name) != nil }

// Decode gives b, in the named character set, in UTF-8.
func (c *Charsets) Decode(name string, b []byte) ([]byte, error) {
	if name == "" || name == "binary" {
		return b, nil
	}
	s := c.find(name)
	if s == nil {
		return nil, fmt.Errorf("character set %s is not known", name)
	}
	return s.utf8(b, &arena.Bytes{})
}

type form uint8

const (
	formTable form = iota
	formUTF8
	formASCII
	formUTF16
	formUTF16LE
	formUTF32
	formGB18030
)

// A Charset turns a column's bytes into UTF-8: by an algorithm, or by a table of the
// characters of one, two and three bytes. The zero Charset is an empty table.
type Charset struct {
	form   form
	single [256]rune
	pairs  []rune // by both bytes; nil: none
	triple map[uint32]rune
}

// Set makes a character of one to three bytes known.
func (s *Charset) Set(b []byte, r rune) {
	switch len(b) {
	case 1:
		s.single[b[0]] = known(r)
	case 2:
		if s.pairs == nil {
			s.pairs = make([]rune, 1<<16)
		}
		s.pairs[big(b)] = known(r)
	case 3:
		if s.triple == nil {
			s.triple = map[uint32]rune{}
		}
		s.triple[uint32(big(b))] = known(r)
	}
}

// known tells the character 0 from none.
func known(r rune) rune {
	if r == 0 {
		return -1
	}
	return r
}

// utf8 gives b in UTF-8. Bytes that the character set does not have are an error: a
// text is never changed in silence.
func (s *Charset) utf8(b []byte, a *arena.Bytes) ([]byte, error) {
	var out []byte
	ok := true
	switch s.form {
	case formUTF8:
		out, ok = b, utf8.Valid(b)
	case formASCII:
		out, ok = b, isASCII(b)
	case formUTF16:
		out, ok = fromUTF16(b, 0, a)
	case formUTF16LE:
		out, ok = fromUTF16(b, 1, a)
	case formUTF32:
		out, ok = fromUTF32(b, a)
	case formGB18030:
		out, ok = fromGB18030(b, a)
	default:
		out, ok = s.lookUp(b, a)
	}
	if !ok {
		return nil, ErrCharset
	}
	return out, nil
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

// lookUp takes the shortest character that is known: none begins another.
func (s *Charset) lookUp(b []byte, a *arena.Bytes) ([]byte, bool) {
	out := a.Alloc(3 * len(b))[:0]
	for len(b) > 0 {
		r, n := s.single[b[0]], 1
		if r == 0 && len(b) > 1 && s.pairs != nil {
			r, n = s.pairs[int(b[0])<<8|int(b[1])], 2
		}
		if r == 0 && len(b) > 2 {
			r, n = s.triple[uint32(big(b[:3]))], 3
		}
		if r == 0 {
			return nil, false
		}
		out = utf8.AppendRune(out, max(r, 0))
		b = b[n:]
	}
	return out, true
}

// fromUTF16 reads units whose high byte comes first, or with swap last.
func fromUTF16(b []byte, swap int, a *arena.Bytes) ([]byte, bool) {
	if len(b)%2 != 0 {
		return nil, false
	}
	out := a.Alloc(3 * len(b) / 2)[:0]
	for i := 0; i < len(b); i += 2 {
		r := rune(b[i+swap])<<8 | rune(b[i+1-swap])
		if utf16.IsSurrogate(r) {
			if i += 2; i >= len(b) {
				return nil, false
			}
			r = utf16.DecodeRune(r, rune(b[i+swap])<<8|rune(b[i+1-swap]))
			if r == utf8.RuneError {
				return nil, false
			}
		}
		out = utf8.AppendRune(out, r)
	}
	return out, true
}

func fromUTF32(b []byte, a *arena.Bytes) ([]byte, bool) {
	if len(b)%4 != 0 {
		return nil, false
	}
	out := a.Alloc(len(b))[:0]
	for i := 0; i < len(b); i += 4 {
		r := rune(int32(big(b[i : i+4])))
		if !utf8.ValidRune(r) {
			return nil, false
		}
		out = utf8.AppendRune(out, r)
	}
	return out, true
}

var gb18030Decoders = sync.Pool{New: func() any { return simplifiedchinese.GB18030.NewDecoder() }}

func fromGB18030(b []byte, a *arena.Bytes) ([]byte, bool) {
	out := a.Alloc(3*len(b) + utf8.UTFMax)
	d := gb18030Decoders.Get().(*encoding.Decoder)
	defer gb18030Decoders.Put(d)
	d.Reset()
	n, used, err := d.Transform(out, b, true)
	if err != nil || used < len(b) {
		return nil, false
	}
	for i := 0; i < n; {
		r, size := utf8.DecodeRune(out[i:n])
		if r == utf8.RuneError {
			return nil, false
		}
		i += size
	}
	return out[:n:n], true
}
