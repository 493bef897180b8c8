package configs

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// decoder fills structs from nodes by their tags and gathers every mistake.
type decoder struct {
	*problems
	page    *page
	env     func(string) (string, bool)
	formats map[string]format
	seen    map[string]place
	spelled map[string]string // overrides as they are written, by path and canonical name
	texts   map[string]text   // where values of several lines stand, by path
}

// spot is where decoding stands.
type spot struct {
	path []string
	at   place // of the key, for values that are missing
	tag  reflect.StructTag
}

func (s spot) name() string { return strings.Join(s.path, ".") }

func (s spot) below(key string, at place, tag reflect.StructTag) spot {
	return spot{append(slices.Clone(s.path), key), at, tag}
}

// last is the innermost key; elements of lists have that of their list.
func (s spot) last() string {
	if len(s.path) == 0 {
		return ""
	}
	return s.path[len(s.path)-1]
}

// value decodes n into v, whose tag lies in s.
func (d *decoder) value(n *node, v reflect.Value, s spot) {
	if n.kind == nullNode {
		d.add(s.at, emptyValue, quoteName(s.name())+" has no value", "give it one, or leave the key out")
		return
	}
	switch {
	case isScalarType(v.Type()):
		d.scalar(n, v, s)
	case v.Kind() == reflect.Pointer:
		p := reflect.New(v.Type().Elem())
		d.value(n, p.Elem(), s)
		v.Set(p)
	case v.Kind() == reflect.Struct:
		d.structure(n, v, s)
	case v.Kind() == reflect.Map:
		d.dictionary(n, v, s)
	case v.Type() == reflect.TypeFor[From]() && n.kind != sequenceNode:
		one := reflect.New(v.Type().Elem()).Elem()
		d.value(n, one, s)
		v.Set(reflect.Append(v, one))
	case v.Kind() == reflect.Slice:
		d.list(n, v, s)
	}
}

// isScalarType reports whether a field is written as a single value.
func isScalarType(t reflect.Type) bool {
	switch t {
	case reflect.TypeFor[Secret](), reflect.TypeFor[TablePattern](), reflect.TypeFor[Text]():
		return true
	}
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int64:
		return true
	}
	return false
}

// want reports a node of the wrong kind.
func (d *decoder) want(n *node, kind nodeKind, s spot, example string) bool {
	if n.kind == kind {
		return true
	}
	name := quoteName(s.name())
	if s.name() == "" {
		name = "the file"
	}
	d.add(n.at, wrongType, fmt.Sprintf("%s is %v, and must be %v", name, n.kind, kind), example)
	return false
}

// structure decodes a mapping with known keys.
func (d *decoder) structure(n *node, v reflect.Value, s spot) {
	setDefaults(v)
	if !d.want(n, mappingNode, s, "write "+exampleOf(v.Type(), s.last())) {
		return
	}
	fields := fieldsOf(v.Type())
	read := map[string]bool{}
	for _, e := range n.entries {
		f, ok := fields[e.key]
		if !ok {
			d.unknown(e, v.Type(), s)
			continue
		}
		d.page.show(e.at, e.key)
		if read[e.key] {
			d.duplicate(e, s)
			continue
		}
		read[e.key] = true
		below := s.below(e.key, e.at, f.Tag)
		d.note(below, e)
		d.value(e.value, v.FieldByIndex(f.Index), below)
	}
	for _, key := range orderOf(v.Type()) {
		if f := fields[key]; f.Tag.Get("required") != "" && !read[key] {
			d.missing(key, n, s, f)
		}
	}
}

func (d *decoder) missing(key string, n *node, s spot, f reflect.StructField) {
	at, in := s.at, quoteName(s.name())+" has no "+key
	if len(s.path) == 0 {
		at, in = n.at, "the file has no "+key
	}
	d.add(at, missingKey, in, "add "+key+": "+exampleOf(f.Type, key))
}

func (d *decoder) duplicate(e entry, s spot) {
	d.add(e.at, duplicateKey, fmt.Sprintf("the key %s stands twice in %s", quoteName(e.key), placeName(s)), "remove one of them")
}

func placeName(s spot) string {
	if len(s.path) == 0 {
		return "the file"
	}
	return quoteName(s.name())
}

// unknown reports a key with the nearest known one, or where else it belongs.
func (d *decoder) unknown(e entry, t reflect.Type, s spot) {
	if e.bare {
		d.add(e.at, unknownKey, "a word without a colon stands in "+placeName(s), "write key: value; put a value that holds a comma in quotes")
		return
	}
	if strings.ContainsAny(e.key, "@/ ") || len(e.key) > 60 || len(d.problems.list) > maxProblems {
		d.add(e.at, unknownKey, "a key of "+placeName(s)+" is not known", "keys here are "+strings.Join(orderOf(t), ", "))
		return
	}
	d.page.show(e.at, e.key)
	what := fmt.Sprintf("the key %s is not known in %s", quoteName(e.key), placeName(s))
	if near := nearest(e.key, orderOf(t)); near != "" {
		d.add(e.at, unknownKey, what+"; the nearest known key is "+near, "write "+near)
		return
	}
	if home := homeOf(e.key); home != "" {
		d.add(e.at, unknownKey, what, "it is a key of "+home+"; keys here are "+strings.Join(orderOf(t), ", "))
		return
	}
	mend := "remove it; nothing can stand here"
	if known := orderOf(t); len(known) > 0 {
		mend = "keys here are " + strings.Join(known, ", ")
	}
	d.add(e.at, unknownKey, what, mend)
}

// note remembers where a key stands, for the checks behind decoding.
func (d *decoder) note(s spot, e entry) { d.seen[strings.Join(s.path, "\x00")] = e.at }

// at gives the place of a key, or of the nearest one above it that was written.
func (d *decoder) at(path ...string) place {
	for n := len(path); n > 0; n-- {
		if p, ok := d.seen[strings.Join(path[:n], "\x00")]; ok {
			return p
		}
	}
	return place{1, 1}
}

// dictionary decodes a mapping whose keys are names.
func (d *decoder) dictionary(n *node, v reflect.Value, s spot) {
	if !d.want(n, mappingNode, s, "write names below it, each with its keys") {
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	if len(n.entries) == 0 && s.tag.Get("required") != "" {
		d.add(s.at, emptyValue, quoteName(s.name())+" is empty", "name at least one")
	}
	read := map[any]bool{}
	for _, e := range n.entries {
		key, ok := d.mapKey(e, v.Type().Key(), s)
		if !ok {
			continue
		}
		if !secretWord(e.key) {
			d.page.show(e.at, e.key)
		}
		if read[key.Interface()] {
			d.duplicate(e, s)
			continue
		}
		read[key.Interface()] = true
		below := s.below(e.key, e.at, `format:"text"`)
		d.note(below, e)
		item := reflect.New(v.Type().Elem()).Elem()
		d.value(e.value, item, below)
		if column, ok := item.Interface().(*Column); ok && column != nil {
			column.at = text{page: d.page, begins: e.at}
		}
		if item.Kind() != reflect.Pointer || e.value.kind == mappingNode {
			v.SetMapIndex(key, item)
		}
	}
}

// mapKey checks a name and gives it as the map's key type.
func (d *decoder) mapKey(e entry, t reflect.Type, s spot) (reflect.Value, bool) {
	open := !looksSecret(e.key) && len(e.key) <= 80 && s.tag.Get("keys") != "setting"
	if open {
		d.page.show(e.at, e.key)
	}
	if t == reflect.TypeFor[TablePattern]() {
		p, err := ParseTable(e.key)
		if err != nil {
			d.add(e.at, badTable, "a key of "+placeName(s)+" is not a table: "+err.Error(), tableMend)
			return reflect.Value{}, false
		}
		if name := s.name() + "." + p.String(); d.spelled[name] == "" {
			d.spelled[name] = e.key
		}
		return reflect.ValueOf(p), true
	}
	if f := d.formats[s.tag.Get("keys")]; !f.ok(e.key) {
		d.add(e.at, f.code, "a key of "+placeName(s)+" is not a name: "+f.rule, f.mend)
		return reflect.Value{}, false
	}
	return reflect.ValueOf(e.key).Convert(t), true
}

const tableMend = `write schema.table, as in public.orders, public.* or shop."Odd name"`

// list decodes a sequence; a list that is written out is not empty.
func (d *decoder) list(n *node, v reflect.Value, s spot) {
	if !d.want(n, sequenceNode, s, "write ["+strings.Trim(exampleOf(v.Type(), s.last()), "[]")+"]") {
		return
	}
	if len(n.items) == 0 {
		d.add(n.at, emptyValue, quoteName(s.name())+" is an empty list", "name at least one, or leave the key out")
	}
	out := reflect.MakeSlice(v.Type(), len(n.items), len(n.items))
	for i, item := range n.items {
		below := s
		if item.at.line > 0 {
			below.at = item.at
		}
		d.value(item, out.Index(i), below)
		if step, ok := out.Index(i).Addr().Interface().(*Transform); ok {
			step.at = text{page: d.page, begins: below.at}
		}
	}
	if d.twice(n, out, s) {
		return
	}
	v.Set(out)
}

// twice reports an element that stands in a list a second time.
func (d *decoder) twice(n *node, out reflect.Value, s spot) bool {
	found := false
	read := map[any]bool{}
	for i := range out.Len() {
		if !out.Index(i).Comparable() || out.Index(i).IsZero() {
			continue
		}
		element := out.Index(i).Interface()
		if read[element] {
			d.add(n.items[i].at, duplicateKey, "an element stands twice in "+quoteName(s.name()), "remove one of them")
			found = true
		}
		read[element] = true
	}
	return found
}

// quoteName prints a path or key that the file's author chose.
func quoteName(name string) string {
	for _, r := range name {
		if r < ' ' || r == 0x7f {
			return strconv.Quote(name)
		}
	}
	return name
}
