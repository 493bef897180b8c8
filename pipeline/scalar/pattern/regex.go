package pattern

import (
	"regexp"
	"unicode/utf8"

	"github.com/evertdb/evert/pipeline/scalar/fault"
)

// A Regex is a regular expression whose answers are those of Postgres under
// collation C, although another machine finds them.
//
// Whether a text matches does not depend on the machine, as long as the
// expression says the same to both: it is read here, and written anew for package
// regexp. What depends on the rules for choosing among matches is refused: the
// place of a match where a quantifier is not greedy, and what groups captured
// where the text could be read in several ways. Without non-greedy quantifiers
// Postgres finds the longest of the leftmost matches, and so does regexp when
// told to; with only one way to read a match, groups hold what they must.
//
// Refused altogether: backreferences, lookaround, word boundaries, embedded
// options, collating elements.
type Regex struct {
	Groups int // capturing groups

	first *regexp.Regexp // from the start of the text
	later *regexp.Regexp // from further on, where ^ matches nowhere
	lazy  bool           // a quantifier is not greedy
	vague bool           // groups may be read in several ways
}

// maxRegex bounds the length of an expression.
const maxRegex = 10_000

// maxSteps bounds its size with all repeats written out, and so the time of a
// match.
const maxSteps = 2_000

// CompileRegex reads an advanced regular expression; fold makes letters of ASCII
// match in either case.
func CompileRegex(expression []byte, fold bool) (*Regex, error) {
	if len(expression) > maxRegex {
		return nil, fault.Unsupported("the regular expression is longer than %d bytes", maxRegex)
	}
	p := reader{text: []rune(string(expression)), fold: fold}
	tree := p.expression()
	if p.err != nil {
		return nil, p.err
	}
	if tree.size() > maxSteps {
		return nil, fault.Unsupported("the regular expression is too large")
	}
	r := &Regex{Groups: p.groups, lazy: p.lazy}
	var err error
	if r.first, err = compile(tree, `\A`); err != nil {
		return nil, err
	}
	if r.later, err = compile(tree, `[^\x00-\x{10FFFF}]`); err != nil {
		return nil, err
	}
	r.vague = p.groups > 0 && !unambiguous(tree)
	return r, nil
}

func compile(tree *node, start string) (*regexp.Regexp, error) {
	re, err := regexp.Compile("(?s)" + string(tree.write(nil, start)))
	if err != nil {
		return nil, fault.Unsupported("the regular expression is too large")
	}
	re.Longest()
	return re, nil
}

// Match reports whether text holds a match.
func (r *Regex) Match(text []byte) bool { return r.first.Match(text) }

// Exact refuses a Regex whose matches may lie elsewhere in Postgres, or, if groups
// is set, whose groups may hold something else.
func (r *Regex) Exact(groups bool) error {
	if r.lazy {
		return fault.Unsupported("where a regular expression with *?, +?, ?? or {m,n}? matches is not known exactly; use greedy quantifiers and negated classes")
	}
	if groups && r.vague {
		return fault.Unsupported("what the groups of the regular expression capture is not known exactly; write it so that each text can be read in one way")
	}
	return nil
}

// Find gives the places of the first match from offset on and of its groups, as
// regexp does; nil if there is none.
func (r *Regex) Find(text []byte, offset int) []int {
	re := r.first
	if offset > 0 {
		re = r.later
	}
	at := re.FindSubmatchIndex(text[offset:])
	for i := range at {
		if at[i] >= 0 {
			at[i] += offset
		}
	}
	return at
}

// All goes over the matches in the order and with the steps of Postgres: an empty
// match is followed by a search one character further on.
func (r *Regex) All(text []byte, yield func(at []int) bool) {
	for offset := 0; offset <= len(text); {
		at := r.Find(text, offset)
		if at == nil || !yield(at) {
			return
		}
		offset = at[1]
		if at[0] == at[1] {
			if offset == len(text) {
				return
			}
			_, size := utf8.DecodeRune(text[offset:])
			offset += size
		}
	}
}

// Replace puts replacement in the place of the first match, or of all. In it \1 to
// \9 stand for groups, \& for the match and \\ for a backslash.
func (r *Regex) Replace(text, replacement []byte, all bool) []byte {
	out, copied := []byte{}, 0
	r.All(text, func(at []int) bool {
		out = append(out, text[copied:at[0]]...)
		out = expand(out, text, replacement, at)
		copied = at[1]
		return all
	})
	return append(out, text[copied:]...)
}

func expand(dst, text, replacement []byte, at []int) []byte {
	for i := 0; i < len(replacement); i++ {
		c := replacement[i]
		if c != '\\' || i+1 == len(replacement) {
			dst = append(dst, c)
			continue
		}
		switch next := replacement[i+1]; {
		case next == '\\':
			dst = append(dst, '\\')
		case next == '&':
			dst = append(dst, text[at[0]:at[1]]...)
		case next >= '1' && next <= '9':
			if g := 2 * int(next-'0'); g < len(at) && at[g] >= 0 {
				dst = append(dst, text[at[g]:at[g+1]]...)
			}
		default:
			dst = append(dst, '\\')
			continue
		}
		i++
	}
	return dst
}
