package jsonb

import "bytes"

// A jsonb's text is in its normal form, so that a part of it is the part's own
// text: what -> and ->> ask for is found without reading the rest into nodes.

// Field gives the text of a member of an object in normal form; ok is false if
// there is none.
func Field(text, key []byte) (raw []byte, ok bool) {
	p := parser{text: text, binary: true}
	if !p.accept('{') {
		return nil, false
	}
	for p.peek() == '"' {
		name := p.str()
		if !p.accept(':') {
			return nil, false
		}
		p.spaces()
		start := p.at
		p.skip()
		if bytes.Equal(name, key) {
			return text[start:p.at], p.err == nil
		}
		p.accept(',')
		p.spaces()
	}
	return nil, false
}

// Element gives the text of an element of an array in normal form, counted from
// the end if i is negative. A scalar is an array of itself.
func Element(text []byte, i int) (raw []byte, ok bool) {
	p := parser{text: text}
	if p.peek() == '{' {
		return nil, false
	}
	if !p.accept('[') {
		return text, i == 0 || i == -1
	}
	if i < 0 {
		i += p.count()
	}
	for n := 0; i >= 0 && p.peek() != ']' && p.at < len(text); n++ {
		start := p.at
		p.skip()
		if n == i {
			return text[start:p.at], p.err == nil
		}
		p.accept(',')
		p.spaces()
	}
	return nil, false
}

// count counts the elements from here to the end of the array.
func (p parser) count() int {
	n := 0
	for p.peek() != ']' && p.at < len(p.text) {
		p.skip()
		p.accept(',')
		p.spaces()
		n++
	}
	return n
}

// skip goes over one value, by its brackets and quotes.
func (p *parser) skip() {
	for depth := 0; p.at < len(p.text); {
		switch p.text[p.at] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return
			}
			depth--
		case ',':
			if depth == 0 {
				return
			}
		case '"':
			p.skipString()
			continue
		}
		p.at++
	}
}

func (p *parser) skipString() {
	for p.at++; p.at < len(p.text); p.at++ {
		switch p.text[p.at] {
		case '\\':
			p.at++
		case '"':
			p.at++
			return
		}
	}
}

// Unquote gives what ->> shows of a value in normal form: ok is false for null.
func Unquote(raw []byte) (text []byte, ok bool) {
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return nil, false
	case raw[0] == '"':
		p := parser{text: raw}
		return p.str(), true
	}
	return raw, true
}
