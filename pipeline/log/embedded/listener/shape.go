package listener

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The bodies of requests come from anybody, and kmsg believes what they say of
// themselves: an array of a million elements is allocated before its first one
// is read, and a field of four billion tags is looped over though no byte is
// left. So every body is measured first against the shape of its kind, and kmsg
// sees only what holds what it claims (X18). Tagged fields are left out on the
// way: nothing that is answered here depends on one.
//
// A shape is text, in the order of the protocol's fields:
//
//	1 2 4 8 16   a field of so many bytes
//	s  b         a string, bytes; nullable or not
//	[ … ]        an array of what is inside
//	t            tagged fields, in flexible versions
//	>=7:x  <13:x x from, or below, these versions only; both may stand before one x

// node is one field of a shape at one version.
type node struct {
	kind byte   // '#': size bytes; 's', 'b', 't'; '[': of
	size int    // the fewest bytes that it takes
	of   []node // the fields of an element
}

// body is the shape of one kind of request at one version.
type body struct {
	nodes    []node
	flexible bool
}

var errBody = errors.New("the request is not what it claims to be")

// compile reads a shape for one version.
func compile(text string, version int16, flexible bool) (body, error) {
	c := compiler{words: strings.Fields(text), version: version, flexible: flexible}
	nodes, err := c.fields(false)
	return body{nodes, flexible}, err
}

type compiler struct {
	words    []string
	version  int16
	flexible bool
}

func (c *compiler) fields(inside bool) (nodes []node, err error) {
	for len(c.words) > 0 {
		word := c.words[0]
		c.words = c.words[1:]
		if word == "]" && inside {
			return nodes, nil
		}
		wanted, rest, err := c.guard(word)
		if err != nil {
			return nil, err
		}
		n, err := c.field(rest)
		if err != nil {
			return nil, err
		}
		if wanted && (n.kind != 't' || c.flexible) {
			nodes = append(nodes, n)
		}
	}
	if inside {
		return nil, errors.New("an array without an end")
	}
	return nodes, nil
}

// guard takes the conditions off a word.
func (c *compiler) guard(word string) (wanted bool, rest string, err error) {
	wanted = true
	for {
		condition, after, ok := strings.Cut(word, ":")
		if !ok {
			return wanted, word, nil
		}
		number, below := strings.CutPrefix(condition, "<")
		limit, err := strconv.Atoi(strings.TrimPrefix(number, ">="))
		if err != nil {
			return false, "", fmt.Errorf("condition %q: %w", condition, err)
		}
		wanted = wanted && (int(c.version) < limit) == below
		word = after
	}
}

func (c *compiler) field(word string) (node, error) {
	switch word {
	case "[":
		of, err := c.fields(true)
		return node{'[', c.prefix(4), of}, err
	case "s":
		return node{'s', c.prefix(2), nil}, nil
	case "b":
		return node{'b', c.prefix(4), nil}, nil
	case "t":
		return node{'t', 1, nil}, nil
	}
	size, err := strconv.Atoi(word)
	return node{'#', size, nil}, err
}

// prefix is the size of a length before what it counts.
func (c *compiler) prefix(classic int) int {
	if c.flexible {
		return 1
	}
	return classic
}

// measurer goes over a body and writes it anew without its tags.
type measurer struct {
	flexible bool
	rest     []byte
	out      []byte
	left     int // elements that arrays may still have
}

// measure checks src against the shape and appends it to dst without its tagged
// fields; all arrays together may have so many elements.
func (b body) measure(dst, src []byte, elements int) ([]byte, error) {
	m := measurer{b.flexible, src, dst, elements}
	if !m.fields(b.nodes) || len(m.rest) > 0 {
		return dst, errBody
	}
	return m.out, nil
}

func (m *measurer) fields(nodes []node) bool {
	for i := range nodes {
		if !m.field(&nodes[i]) {
			return false
		}
	}
	return true
}

func (m *measurer) field(n *node) bool {
	switch n.kind {
	case '#':
		return m.take(n.size)
	case 's':
		return m.counted(2)
	case 'b':
		return m.counted(4)
	case 't':
		m.out = append(m.out, 0)
		var ok bool
		m.rest, ok = skipTags(m.rest)
		return ok
	}
	return m.array(n.of)
}

// take passes over n bytes and keeps them.
func (m *measurer) take(n int) bool {
	if n < 0 || n > len(m.rest) {
		return false
	}
	m.out = append(m.out, m.rest[:n]...)
	m.rest = m.rest[n:]
	return true
}

// counted passes over a length, of so many bytes in classic versions, and what
// it counts.
func (m *measurer) counted(classic int) bool {
	n, ok := m.length(classic)
	return ok && m.take(max(n, 0))
}

func (m *measurer) array(of []node) bool {
	n, ok := m.length(4)
	least := 0
	for i := range of {
		least += of[i].size
	}
	if !ok || n > m.left || n > len(m.rest)/max(least, 1) {
		return false
	}
	m.left -= max(n, 0)
	for range n {
		if !m.fields(of) {
			return false
		}
	}
	return true
}

// length reads a length, -1 for null, and keeps its bytes.
func (m *measurer) length(classic int) (n int, ok bool) {
	if m.flexible {
		v, size := binary.Uvarint(m.rest)
		if size <= 0 || v > 1<<31 {
			return 0, false
		}
		return int(v) - 1, m.take(size)
	}
	if len(m.rest) < classic {
		return 0, false
	}
	if classic == 2 {
		n = int(int16(binary.BigEndian.Uint16(m.rest)))
	} else {
		n = int(int32(binary.BigEndian.Uint32(m.rest)))
	}
	return n, n >= -1 && m.take(classic)
}

// skipTags passes over tagged fields.
func skipTags(b []byte) (rest []byte, ok bool) {
	count, size := binary.Uvarint(b)
	if size <= 0 || count > uint64(len(b)) {
		return nil, false
	}
	b = b[size:]
	for range count {
		if _, size = binary.Uvarint(b); size <= 0 {
			return nil, false
		}
		b = b[size:]
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) {
			return nil, false
		}
		b = b[size+int(n):]
	}
	return b, true
}
