package avro

import (
	"fmt"
	"strconv"
	"strings"

	hamba "github.com/hamba/avro/v2"
)

// A Definition is a parsed schema, with those it refers to.
type Definition struct{ root hamba.Schema }

// Parse parses a schema. refs are the texts of the schemas whose names it uses
// and does not define, each before those that use it.
func Parse(text string, refs ...string) (*Definition, error) {
	cache := &hamba.SchemaCache{}
	for _, ref := range refs {
		if _, err := parseWith(ref, cache); err != nil {
			return nil, fmt.Errorf("a schema that is referred to: %w", err)
		}
	}
	root, err := parseWith(text, cache)
	if err != nil {
		return nil, err
	}
	return &Definition{root}, nil
}

// A Difference is one reason why a reader's schema does not read what was
// written with another. Kind and Path are those of Avro's own checker for Java,
// which registries show to their users.
type Difference struct {
	Kind   DifferenceKind
	Path   string // JSON pointer into the reader's schema
	Detail string // what is missing or differs
}

func (d Difference) Error() string { return fmt.Sprintf("%s at %s: %s", d.Kind, d.Path, d.Detail) }

// DifferenceKind names a rule of Avro's schema resolution.
type DifferenceKind string

// The rules.
const (
	NameMismatch        DifferenceKind = "NAME_MISMATCH"
	FixedSizeMismatch   DifferenceKind = "FIXED_SIZE_MISMATCH"
	MissingEnumSymbols  DifferenceKind = "MISSING_ENUM_SYMBOLS"
	MissingDefault      DifferenceKind = "READER_FIELD_MISSING_DEFAULT_VALUE"
	TypeMismatch        DifferenceKind = "TYPE_MISMATCH"
	MissingUnionBranch  DifferenceKind = "MISSING_UNION_BRANCH"
	TooLarge            DifferenceKind = "TOO_LARGE"       // the schemas cannot be compared within maxPairs
	AmbiguousFieldAlias DifferenceKind = "AMBIGUOUS_ALIAS" // a field of the reader stands for two of the writer
)

// maxPairs bounds the pairs of types that one comparison looks at (X16).
const maxPairs = 1 << 20

// Reads gives all that keeps a reader with this schema from reading what was
// written with another, by Avro's rules of schema resolution; nothing if it can.
// It may be called by several goroutines.
func (d *Definition) Reads(writer *Definition) []Difference {
	c := &comparison{known: map[pair]*verdict{}}
	found := c.types(deref(d.root), deref(writer.root), nil)
	if len(c.known) >= maxPairs {
		return []Difference{{TooLarge, "/", "the schemas are too large to be compared"}}
	}
	return found
}

// Same reports whether two texts are the same schema to Avro: equal in all that
// decides how bytes are read, whatever their properties, defaults and spelling.
func Same(a, b string) (bool, error) {
	if a == b {
		return true, nil
	}
	x, err := Parse(a)
	if err != nil {
		return false, err
	}
	y, err := Parse(b)
	if err != nil {
		return false, err
	}
	return x.root.Fingerprint() == y.root.Fingerprint(), nil
}

// A comparison walks a reader's and a writer's schema side by side. A pair that
// is met inside itself is taken to agree, as the rest of it decides.
type comparison struct{ known map[pair]*verdict }

type pair struct{ reader, writer hamba.Schema }

type verdict struct{ found []Difference }

// types compares two types; path says where in the reader's schema.
func (c *comparison) types(r, w hamba.Schema, path []string) []Difference {
	r, w = deref(r), deref(w)
	if v, ok := c.known[pair{r, w}]; ok {
		return v.found
	}
	if len(c.known) >= maxPairs {
		return nil
	}
	v := &verdict{}
	c.known[pair{r, w}] = v
	v.found = c.fresh(r, w, path)
	return v.found
}

func (c *comparison) fresh(r, w hamba.Schema, path []string) []Difference {
	switch {
	case w.Type() == hamba.Union:
		return c.writerUnion(r, w.(*hamba.UnionSchema), path)
	case r.Type() == hamba.Union:
		return c.readerUnion(r.(*hamba.UnionSchema), w, path)
	case kind(r) == kind(w):
		return c.alike(r, w, path)
	case promotes(w.Type(), r.Type()):
		return nil
	}
	return at(path, TypeMismatch, fmt.Sprintf("reader type: %s not compatible with writer type: %s", kind(r), kind(w)))
}

// writerUnion: every branch that was written has to be read.
func (c *comparison) writerUnion(r hamba.Schema, w *hamba.UnionSchema, path []string) (all []Difference) {
	for i, branch := range w.Types() {
		branch = deref(branch)
		if r.Type() != hamba.Union {
			all = append(all, c.types(r, branch, path)...)
		} else if found := c.types(r, branch, path); len(found) > 0 {
			all = append(all, lacking(branch, below(path, strconv.Itoa(i)))...)
		}
	}
	return all
}

// readerUnion: one branch has to read it.
func (c *comparison) readerUnion(r *hamba.UnionSchema, w hamba.Schema, path []string) []Difference {
	for _, branch := range r.Types() {
		if len(c.types(branch, w, path)) == 0 {
			return nil
		}
	}
	return lacking(w, path)
}

func lacking(w hamba.Schema, path []string) []Difference {
	return at(path, MissingUnionBranch, "reader union lacking writer type: "+kind(w))
}

// alike compares two types of one kind.
func (c *comparison) alike(r, w hamba.Schema, path []string) []Difference {
	switch r := r.(type) {
	case *hamba.ArraySchema:
		return c.types(r.Items(), w.(*hamba.ArraySchema).Items(), below(path, "items"))
	case *hamba.MapSchema:
		return c.types(r.Values(), w.(*hamba.MapSchema).Values(), below(path, "values"))
	case *hamba.FixedSchema:
		return append(names(r, w.(hamba.NamedSchema), path), sizes(r, w.(*hamba.FixedSchema), path)...)
	case *hamba.EnumSchema:
		return append(names(r, w.(hamba.NamedSchema), path), symbols(r, w.(*hamba.EnumSchema), path)...)
	case *hamba.RecordSchema:
		return append(names(r, w.(hamba.NamedSchema), path), c.fields(r, w.(*hamba.RecordSchema), path)...)
	}
	return nil
}

// names: the unqualified names agree, or an alias of the reader is the writer's
// full name.
func names(r, w hamba.NamedSchema, path []string) []Difference {
	if r.Name() == w.Name() {
		return nil
	}
	for _, alias := range r.(interface{ Aliases() []string }).Aliases() {
		if alias == w.FullName() {
			return nil
		}
	}
	return at(below(path, "name"), NameMismatch, "expected: "+w.FullName())
}

func sizes(r, w *hamba.FixedSchema, path []string) []Difference {
	if r.Size() == w.Size() {
		return nil
	}
	return at(below(path, "size"), FixedSizeMismatch, fmt.Sprintf("expected: %d, found: %d", w.Size(), r.Size()))
}

// symbols: the reader knows all that were written, or has a default for them.
func symbols(r, w *hamba.EnumSchema, path []string) []Difference {
	if r.HasDefault() {
		return nil
	}
	known := map[string]bool{}
	for _, s := range r.Symbols() {
		known[s] = true
	}
	var missing []string
	for _, s := range w.Symbols() {
		if !known[s] {
			missing = append(missing, s)
		}
	}
	if missing == nil {
		return nil
	}
	return at(below(path, "symbols"), MissingEnumSymbols, "["+strings.Join(missing, ", ")+"]")
}

// fields: each of the reader's was written, or has a default.
func (c *comparison) fields(r, w *hamba.RecordSchema, path []string) (all []Difference) {
	written := map[string]*hamba.Field{}
	for _, f := range w.Fields() {
		written[f.Name()] = f
	}
	for i, f := range r.Fields() {
		here := below(path, "fields", strconv.Itoa(i))
		switch sources := sourcesOf(f, written); {
		case len(sources) > 1:
			all = append(all, at(here, AmbiguousFieldAlias, f.Name())...)
		case len(sources) == 1:
			all = append(all, c.types(f.Type(), sources[0].Type(), below(here, "type"))...)
		case !f.HasDefault():
			all = append(all, at(here, MissingDefault, f.Name())...)
		}
	}
	return all
}

// sourcesOf gives the written fields that have the name or an alias of f.
func sourcesOf(f *hamba.Field, written map[string]*hamba.Field) (found []*hamba.Field) {
	if w := written[f.Name()]; w != nil {
		found = append(found, w)
	}
	for _, alias := range f.Aliases() {
		if w := written[alias]; w != nil && (len(found) == 0 || found[0] != w) {
			found = append(found, w)
		}
	}
	return found
}

// promotes lists what a reader takes of another primitive type.
func promotes(writer, reader hamba.Type) bool {
	switch writer {
	case hamba.Int:
		return reader == hamba.Long || reader == hamba.Float || reader == hamba.Double
	case hamba.Long:
		return reader == hamba.Float || reader == hamba.Double
	case hamba.Float:
		return reader == hamba.Double
	case hamba.String:
		return reader == hamba.Bytes
	case hamba.Bytes:
		return reader == hamba.String
	}
	return false
}

// kind names a type as Avro for Java does, to which an error is a record.
func kind(s hamba.Schema) string {
	if s.Type() == hamba.Error {
		return "RECORD"
	}
	return strings.ToUpper(string(s.Type()))
}

func at(path []string, kind DifferenceKind, detail string) []Difference {
	return []Difference{{kind, "/" + strings.Join(path, "/"), detail}}
}

// below gives a path of its own.
func below(path []string, more ...string) []string {
	return append(path[:len(path):len(path)], more...)
}
