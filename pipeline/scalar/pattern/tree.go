package pattern

import (
	"fmt"
	"slices"
)

// A node is a part of a regular expression.
type node struct {
	op    op
	class []span  // of a char: what it may be
	parts []*node // of cat, alt, group and repeat
	min   int     // of a repeat
	max   int     // -1 without bound
	group int     // of a group: its number
}

type op uint8

const (
	opEmpty op = iota
	opChar
	opStart
	opEnd
	opCat
	opAlt
	opGroup
	opRepeat
)

// A span is a range of characters, both ends included.
type span struct{ low, high rune }

const lastRune = 0x10FFFF

// size counts the characters of n with all repeats written out.
func (n *node) size() int {
	sum := 1
	for _, p := range n.parts {
		sum = min(sum+p.size(), 1<<20)
	}
	if n.op == opRepeat {
		sum *= max(n.min, n.max, 1)
	}
	return sum
}

// write writes n for package regexp; start stands for the start of the text.
// Matching is by the longest match, so greediness need not be written.
func (n *node) write(dst []byte, start string) []byte {
	switch n.op {
	case opEmpty:
		return append(dst, "(?:)"...)
	case opChar:
		return writeClass(dst, n.class)
	case opStart:
		return append(dst, start...)
	case opEnd:
		return append(dst, `\z`...)
	case opCat:
		for _, p := range n.parts {
			dst = p.write(dst, start)
		}
		return dst
	case opAlt:
		dst = append(dst, "(?:"...)
		for i, p := range n.parts {
			if i > 0 {
				dst = append(dst, '|')
			}
			dst = p.write(dst, start)
		}
		return append(dst, ')')
	case opGroup:
		return append(n.parts[0].write(append(dst, '('), start), ')')
	}
	dst = append(n.parts[0].write(append(dst, "(?:"...), start), ')')
	switch {
	case n.min == 0 && n.max < 0:
		return append(dst, '*')
	case n.min == 1 && n.max < 0:
		return append(dst, '+')
	case n.max < 0:
		return fmt.Appendf(dst, "{%d,}", n.min)
	}
	return fmt.Appendf(dst, "{%d,%d}", n.min, n.max)
}

func writeClass(dst []byte, class []span) []byte {
	if len(class) == 0 {
		return append(dst, `[^\x00-\x{10FFFF}]`...)
	}
	dst = append(dst, '[')
	for _, s := range class {
		dst = fmt.Appendf(dst, `\x{%X}-\x{%X}`, s.low, s.high)
	}
	return append(dst, ']')
}

// normal sorts a class and joins what touches.
func normal(class []span) []span {
	slices.SortFunc(class, func(a, b span) int { return int(a.low - b.low) })
	var out []span
	for _, s := range class {
		if n := len(out); n > 0 && s.low <= out[n-1].high+1 {
			out[n-1].high = max(out[n-1].high, s.high)
			continue
		}
		out = append(out, s)
	}
	return out
}

// negated is every character that is not in a normal class.
func negated(class []span) []span {
	var out []span
	next := rune(0)
	for _, s := range class {
		if s.low > next {
			out = append(out, span{next, s.low - 1})
		}
		next = s.high + 1
	}
	if next <= lastRune {
		out = append(out, span{next, lastRune})
	}
	return out
}

// folded adds the other case of letters of ASCII.
func folded(class []span) []span {
	out := slices.Clone(class)
	for _, s := range class {
		out = append(out, shifted(s, 'a', 'z', 'A'-'a')...)
		out = append(out, shifted(s, 'A', 'Z', 'a'-'A')...)
	}
	return normal(out)
}

// shifted is the part of s between low and high, moved.
func shifted(s span, low, high, by rune) []span {
	from, to := max(s.low, low), min(s.high, high)
	if from > to {
		return nil
	}
	return []span{{from + by, to + by}}
}

func overlap(a, b []span) bool {
	for _, x := range a {
		for _, y := range b {
			if x.low <= y.high && y.low <= x.high {
				return true
			}
		}
	}
	return false
}

// posix gives a class by the name it has between [: and :], for ASCII; nil if
// there is none.
func posix(name string) []span {
	switch name {
	case "alpha":
		return []span{{'A', 'Z'}, {'a', 'z'}}
	case "digit":
		return []span{{'0', '9'}}
	case "alnum":
		return []span{{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}
	case "word":
		return []span{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}
	case "lower":
		return []span{{'a', 'z'}}
	case "upper":
		return []span{{'A', 'Z'}}
	case "space":
		return []span{{'\t', '\r'}, {' ', ' '}}
	case "blank":
		return []span{{'\t', '\t'}, {' ', ' '}}
	case "punct":
		return []span{{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}
	case "xdigit":
		return []span{{'0', '9'}, {'A', 'F'}, {'a', 'f'}}
	case "cntrl":
		return []span{{0, 0x1f}, {0x7f, 0x7f}}
	case "graph":
		return []span{{'!', '~'}}
	case "print":
		return []span{{' ', '~'}}
	}
	return nil
}
