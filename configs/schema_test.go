package configs

import (
	"bytes"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write golden files and evert.schema.json anew")

// The committed schema is what the structs, their tags and comments say.
func TestSchemaIsCurrent(t *testing.T) {
	want := generateSchema(t)
	if *update {
		if err := os.WriteFile("evert.schema.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(Schema(), want) {
		t.Fatal("evert.schema.json is not current; run: make schema")
	}
}

type object = map[string]any

// generator derives the schema; every struct is one definition.
type generator struct {
	t       *testing.T
	docs    map[string]map[string]string // struct, field → comment
	defs    object
	formats map[string]format
}

func generateSchema(t *testing.T) []byte {
	g := &generator{t, fieldComments(t), object{}, formats()}
	g.defs["reference"] = object{
		"type": "string", "pattern": `\$\{.+\}`,
		"description": "A value taken from the environment or a file: ${VAR}, ${VAR:-default} or ${file:/path}.",
	}
	root := g.structure(reflect.TypeFor[Config]())
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["$id"] = "https://github.com/evertdb/evert/configs/evert.schema.json"
	root["title"] = "Evert"
	root["description"] = "The configuration of one deployment of Evert."
	root["$defs"] = g.defs
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(root); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// fieldComments reads the comments above the fields of this package's structs.
func fieldComments(t *testing.T) map[string]map[string]string {
	out := map[string]map[string]string{}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			s, ok := spec.Type.(*ast.StructType)
			if !ok {
				return true
			}
			out[spec.Name.Name] = map[string]string{}
			for _, field := range s.Fields.List {
				for _, name := range field.Names {
					out[spec.Name.Name][name.Name] = strings.Join(strings.Fields(field.Doc.Text()), " ")
				}
			}
			return true
		})
	}
	return out
}

func (g *generator) structure(t reflect.Type) object {
	properties, required := object{}, []string{}
	for _, key := range orderOf(t) {
		f := fieldsOf(t)[key]
		doc := g.docs[t.Name()][f.Name]
		if doc == "" {
			g.t.Errorf("%s.%s has no comment", t.Name(), f.Name)
		}
		p := g.typed(f.Type, f.Tag)
		p["description"] = doc
		if text := f.Tag.Get("default"); text != "" {
			p["default"] = jsonDefault(f.Type, text)
		}
		properties[key] = p
		if f.Tag.Get("required") != "" {
			required = append(required, key)
		}
	}
	out := object{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

func jsonDefault(t reflect.Type, text string) any {
	switch t.Kind() {
	case reflect.Bool:
		return text == "true"
	case reflect.Int:
		n, _ := parseInt(text)
		return n
	}
	return text
}

// typed gives the schema of a value; a default or description may be added.
func (g *generator) typed(t reflect.Type, tag reflect.StructTag) object {
	switch t {
	case reflect.TypeFor[Secret]():
		return object{"type": "string", "minLength": 1}
	case reflect.TypeFor[Text]():
		return g.text(tag)
	case reflect.TypeFor[TablePattern]():
		return orReference(object{"type": "string", "pattern": tableSchemaPattern})
	case reflect.TypeFor[time.Duration]():
		return orReference(object{"type": "string", "pattern": `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`})
	case reflect.TypeFor[Size]():
		return orReference(object{"type": "string", "pattern": `^[0-9]+(B|KiB|MiB|GiB|TiB)$`})
	case reflect.TypeFor[Rate]():
		return orReference(object{"type": "string", "pattern": `^[0-9]+(B|KiB|MiB|GiB|TiB)/s$`})
	case reflect.TypeFor[From]():
		return object{"anyOf": []any{g.text(tag), object{"type": "array", "minItems": 1, "maxItems": maxTables, "uniqueItems": true, "items": g.text(tag)}}}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return g.typed(t.Elem(), tag)
	case reflect.Struct:
		if _, ok := g.defs[t.Name()]; !ok {
			g.defs[t.Name()] = object{} // ends recursion
			g.defs[t.Name()] = g.structure(t)
		}
		return object{"$ref": "#/$defs/" + t.Name()}
	case reflect.Map:
		return g.dictionary(t, tag)
	case reflect.Slice:
		return object{"type": "array", "minItems": 1, "uniqueItems": true, "items": g.typed(t.Elem(), tag)}
	case reflect.Bool:
		return orReference(object{"type": "boolean"})
	case reflect.Int:
		lo, hi := boundsOf(t, tag)
		return orReference(object{"type": "integer", "minimum": lo, "maximum": hi})
	}
	return g.text(tag)
}

const tableSchemaPattern = `^("([^"]|"")+"|[^." \t]+)\.("([^"]|"")+"|[^." \t]+)$`

func (g *generator) text(tag reflect.StructTag) object {
	if list := tag.Get("enum"); list != "" {
		return orReference(object{"enum": strings.Split(list, ",")})
	}
	out := object{"type": "string", "minLength": 1}
	if p := g.formats[tag.Get("format")].pattern; p != "" {
		out["pattern"] = p
		return orReference(out)
	}
	return out
}

func (g *generator) dictionary(t reflect.Type, tag reflect.StructTag) object {
	names := object{}
	if t.Key() == reflect.TypeFor[TablePattern]() {
		names["pattern"] = tableSchemaPattern
	} else if p := g.formats[tag.Get("keys")].pattern; p != "" {
		names["pattern"] = p
	}
	item := g.typed(t.Elem(), "")
	if keys := tag.Get("keys"); keys == "setting" || keys == "os-setting" {
		item = object{"type": []string{"string", "number", "boolean"}}
	}
	out := object{"type": "object", "propertyNames": names, "additionalProperties": item}
	if tag.Get("required") != "" {
		out["minProperties"] = 1
	}
	return out
}

func orReference(s object) object {
	return object{"anyOf": []any{s, object{"$ref": "#/$defs/reference"}}}
}

// Every default and bound of the tags parses, and defaults lie within bounds.
func TestTagsAreSound(t *testing.T) {
	walkTypes(reflect.TypeFor[Config](), "", func(path string, s reflect.Type) {
		for _, key := range orderOf(s) {
			f := fieldsOf(s)[key]
			if f.Type.Kind() != reflect.Int && f.Type.Kind() != reflect.Int64 {
				checkTextTags(t, path+"."+key, f)
				continue
			}
			for _, name := range []string{"default", "min", "max"} {
				text := f.Tag.Get(name)
				if _, err := parseBound(f.Type, text); text != "" && err != nil {
					t.Errorf("%s.%s: %s %q: %v", path, key, name, text, err)
				}
			}
			lo, hi := boundsOf(f.Type, f.Tag)
			if f.Tag.Get("min") == "" || f.Tag.Get("max") == "" {
				t.Errorf("%s.%s has no bounds", path, key)
			}
			if d := f.Tag.Get("default"); d != "" {
				if x, _ := parseBound(f.Type, d); x < lo || x > hi {
					t.Errorf("%s.%s: default %s lies out of bounds", path, key, d)
				}
			}
		}
	})
}

func checkTextTags(t *testing.T, path string, f reflect.StructField) {
	known := formats()
	for _, name := range []string{"format", "keys"} {
		if text := f.Tag.Get(name); text != "" && known[text].ok == nil {
			t.Errorf("%s: %s %q is not known", path, name, text)
		}
	}
	list, def := f.Tag.Get("enum"), f.Tag.Get("default")
	if list != "" && def != "" && !strings.Contains(","+list+",", ","+def+",") {
		t.Errorf("%s: default %q is not among %s", path, def, list)
	}
	if f.Type.Kind() == reflect.String && list == "" && f.Tag.Get("format") == "" {
		t.Errorf("%s has neither enum nor format", path)
	}
}
