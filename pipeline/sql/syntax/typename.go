package syntax

import (
	"slices"
	"strconv"
	"strings"
)

const typeWords = " bigint bit boolean char character dec decimal float int integer interval national nchar numeric real smallint time timestamp varchar "

// typedLiteral reports whether the word it stands on begins type 'string' with a
// type that is a keyword.
func (p *parser) typedLiteral(w string) bool {
	next := p.look(1)
	switch {
	case w == "double":
		return next.word("precision")
	case !strings.Contains(typeWords, " "+w+" "):
		return false
	case next.kind == tokString || next.punct("("):
		return true
	case w == "time" || w == "timestamp":
		return (next.word("with") || next.word("without")) && p.look(2).word("time")
	}
	return next.word("varying") || w == "national" && (next.word("char") || next.word("character"))
}

// typeName reads a type.
func (p *parser) typeName() TypeName {
	t := TypeName{Pos: p.tok.at}
	if p.tok.word("setof") {
		p.unsupported(t.Pos, "SETOF is not supported in views", "")
	}
	p.simpleType(&t)
	switch {
	case p.tok.punct("["):
		p.arrayBounds(&t)
	case p.tok.word("array"):
		p.advance()
		t.Array = true
		if p.tok.punct("[") {
			p.unsupported(p.tok.at, "lengths of arrays are not supported in views: Postgres ignores them", "write type[]")
		}
	}
	return t
}

func (p *parser) arrayBounds(t *TypeName) {
	at := p.tok.at
	p.advance()
	t.Array = true
	if !p.take("]") || p.tok.punct("[") {
		p.unsupported(at, "lengths and further dimensions of array types are not supported in views: Postgres ignores them", "write type[]")
	}
}

// simpleType reads a type without brackets of an array.
func (p *parser) simpleType(t *TypeName) {
	if p.tok.kind == tokName && p.keywordType(t) {
		return
	}
	if !p.tok.namesFunction() {
		p.unexpectedName("a type")
	}
	t.Name = p.dotted([]Name{p.nameToken()}, "a type")
	if len(t.Name) > 2 {
		p.fail(t.Pos, "a type's name has at most two parts", "")
	}
	if p.tok.punct("%") && p.look(1).word("type") {
		p.unsupported(p.tok.at, "%TYPE is not supported in views", "write the type itself")
	}
	t.Mods = p.typeMods()
}

// keywordType reads a type that is a word of the grammar.
func (p *parser) keywordType(t *TypeName) bool {
	word := p.tok.text
	name, mods := keywordTypes(word)
	if name == "" && (word != "double" || !p.look(1).word("precision")) {
		return false
	}
	p.advance()
	switch word {
	case "double":
		p.advance()
		name = "double precision"
	case "national":
		if !p.take("character") {
			p.expect("char", "behind NATIONAL")
		}
		fallthrough
	case "char", "character", "nchar":
		if p.take("varying") {
			name = "character varying"
		}
	case "bit":
		p.unsupported(t.Pos, "bit strings are not supported in views", "")
	}
	t.Keyword, t.Name = true, []Name{{Text: name, Pos: t.Pos}}
	if mods {
		t.Mods = p.typeMods()
	}
	p.finishType(t)
	return true
}

// keywordTypes gives Postgres's name for a type's word, and whether it takes
// modifiers.
func keywordTypes(word string) (name string, mods bool) {
	switch word {
	case "int", "integer":
		return "integer", false
	case "smallint", "bigint", "real", "boolean":
		return word, false
	case "float":
		return "double precision", true
	case "dec", "decimal", "numeric":
		return "numeric", true
	case "char", "character", "nchar", "national":
		return "character", true
	case "varchar":
		return "character varying", true
	case "bit", "time", "timestamp", "interval":
		return word, true
	}
	return "", false
}

// finishType reads what stands behind the modifiers, and settles defaults that
// the grammar has.
func (p *parser) finishType(t *TypeName) {
	name := &t.Name[0].Text
	switch *name {
	case "character":
		if t.Mods == nil {
			t.Mods = []int{1}
		}
	case "double precision":
		p.floatBits(t)
	case "time", "timestamp":
		with := p.takeAll("with", "time", "zone")
		if with {
			*name += " with time zone"
		} else {
			p.takeAll("without", "time", "zone")
			*name += " without time zone"
		}
	case "interval":
		if p.tok.kind == tokName && slices.Contains([]string{"year", "month", "day", "hour", "minute", "second"}, p.tok.text) {
			p.unsupported(p.tok.at, "fields of intervals are not supported in views", "write interval")
		}
	}
	if len(t.Mods) > 1 && *name != "numeric" {
		p.fail(t.Pos, "the type takes one number in brackets", "")
	}
}

// floatBits settles float(n), which is real up to 24 bits.
func (p *parser) floatBits(t *TypeName) {
	if t.Mods == nil {
		return
	}
	switch n := t.Mods[0]; {
	case n < 1 || n > 53:
		p.fail(t.Pos, "float takes between 1 and 53 bits", "write real or double precision")
	case n <= 24:
		t.Name[0].Text = "real"
	}
	t.Mods = nil
}

// typeMods reads (10, 2).
func (p *parser) typeMods() []int {
	if !p.take("(") {
		return nil
	}
	var mods []int
	for {
		sign := 1
		if p.take("-") {
			sign = -1
		}
		n, err := strconv.Atoi(p.tok.text)
		if p.tok.kind != tokInteger || err != nil || n > 1<<30 {
			p.unexpected("expected a number in the brackets of a type")
		}
		p.advance()
		mods = append(mods, sign*n)
		if !p.take(",") {
			break
		}
	}
	p.expect(")", "behind the numbers of a type")
	return mods
}
