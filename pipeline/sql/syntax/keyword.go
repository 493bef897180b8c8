package syntax

import (
	"strings"
	"sync"
)

// A class says where a keyword may stand as a name. Words without a class may
// stand anywhere.
type class uint8

const (
	free     class = iota
	column         // not the name of a function or type
	function       // of functions and types only
	reserved       // no name, unless quoted
)

// The words that Postgres 12 to 18 keep for themselves.
const (
	columnWords = `between bigint bit boolean char character coalesce dec decimal exists extract float greatest grouping
		inout int integer interval json_array json_arrayagg json_exists json_object json_objectagg json_query json_scalar
		json_serialize json_table json_value least merge_action national nchar none normalize nullif numeric out overlay
		position precision real row setof smallint substring time timestamp treat trim values varchar xmlattributes xmlconcat
		xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable`
	functionWords = `authorization binary collation concurrently cross current_schema freeze full ilike inner is isnull join
		left like natural notnull outer overlaps right similar tablesample verbose`
	reservedWords = `all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create
		current_catalog current_date current_role current_time current_timestamp current_user default deferrable desc distinct
		do else end except false fetch for foreign from grant group having in initially intersect into lateral leading limit
		localtime localtimestamp not null offset on only or order placing primary references returning select session_user some
		symmetric system_user table then to trailing true union unique user using variadic when where window with`
	// asWords need AS in front of them when they name a column of the result.
	asWords = `array as char character create day except fetch filter for from grant group having hour intersect into isnull
		limit minute month notnull offset on order over overlaps precision returning second to union varying where window with
		within without year`
)

type keywords struct {
	classes map[string]class
	needAs  map[string]bool
}

// words is built once and never changed.
var words = sync.OnceValue(func() keywords {
	k := keywords{classes: map[string]class{}, needAs: map[string]bool{}}
	for c, list := range map[class]string{column: columnWords, function: functionWords, reserved: reservedWords} {
		for _, w := range strings.Fields(list) {
			k.classes[w] = c
		}
	}
	for _, w := range strings.Fields(asWords) {
		k.needAs[w] = true
	}
	return k
})

func classOf(word string) class { return words().classes[word] }

// The places a name can have.

// namesColumn: a column, table or alias.
func (t *token) namesColumn() bool {
	return t.kind == tokQuoted || t.kind == tokName && classOf(t.text) <= column
}

// namesFunction: a function or type.
func (t *token) namesFunction() bool {
	c := classOf(t.text)
	return t.kind == tokQuoted || t.kind == tokName && (c == free || c == function)
}

// namesAnything: behind AS or a dot.
func (t *token) namesAnything() bool { return t.kind == tokQuoted || t.kind == tokName }

// namesBare: a result column without AS.
func (t *token) namesBare() bool {
	return t.kind == tokQuoted || t.kind == tokName && !words().needAs[t.text]
}

// Quote writes a name so that it reads back: quoted if it is a keyword with a
// class, or is not lower case.
func Quote(name string) string {
	plain := name != "" && classOf(name) == free && !words().needAs[name]
	for i := 0; i < len(name) && plain; i++ {
		c := name[i]
		plain = c == '_' || c >= 'a' && c <= 'z' || i > 0 && (c >= '0' && c <= '9' || c == '$')
	}
	if plain {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}
