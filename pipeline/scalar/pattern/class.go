package pattern

// class reads a bracket expression behind its opening bracket.
func (p *reader) class() *node {
	not := p.accept('^')
	var class []span
	for first := true; ; first = false {
		if p.at >= len(p.text) {
			return p.invalid()
		}
		if !first && p.accept(']') {
			break
		}
		class = append(class, p.member(first)...)
	}
	class = normal(class)
	if p.fold {
		class = folded(class)
	}
	if not {
		class = negated(class)
	}
	return &node{op: opChar, class: class}
}

// member reads one character, range, class name or shorthand.
func (p *reader) member(first bool) []span {
	if p.peek('[') && p.at+1 < len(p.text) {
		switch p.text[p.at+1] {
		case ':':
			return p.named()
		case '.', '=':
			p.refuse("collating elements")
			return nil
		}
	}
	if p.peek('\\') && p.at+1 < len(p.text) {
		switch c := p.text[p.at+1]; c {
		case 'd', 's', 'w':
			p.at += 2
			if p.rangeAhead() {
				p.invalid()
			}
			return shorthand(c)
		case 'D', 'S', 'W':
			p.refuse("complements within a class")
			return nil
		}
	}
	if p.peek('-') && !first && !(p.at+1 < len(p.text) && p.text[p.at+1] == ']') {
		p.invalid() // a hyphen stands first, last, or between two ends
		return nil
	}
	low := p.end()
	if !p.rangeAhead() {
		return []span{{low, low}}
	}
	p.at++
	if p.peek('[') {
		p.refuse("a class as the end of a range")
		return nil
	}
	high := p.end()
	if high < low {
		p.invalid()
	}
	return []span{{low, high}}
}

// rangeAhead reports whether a hyphen comes that is not the last character.
func (p *reader) rangeAhead() bool {
	return p.peek('-') && p.at+1 < len(p.text) && p.text[p.at+1] != ']'
}

// end reads one end of a range.
func (p *reader) end() rune {
	if p.at >= len(p.text) {
		p.invalid()
		return 0
	}
	c := p.text[p.at]
	p.at++
	if c == '\\' {
		return p.escaped()
	}
	return c
}

// named reads [:name:].
func (p *reader) named() []span {
	start := p.at + 2
	for i := start; i+1 < len(p.text); i++ {
		if p.text[i] != ':' || p.text[i+1] != ']' {
			continue
		}
		class := posix(string(p.text[start:i]))
		if class == nil {
			break
		}
		p.at = i + 2
		return class
	}
	p.refuse("that class")
	return nil
}
