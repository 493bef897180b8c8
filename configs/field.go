package configs

import (
	"math"
	"reflect"
	"strings"
	"time"
)

// fieldsOf gives the fields of a struct by their keys.
func fieldsOf(t reflect.Type) map[string]reflect.StructField {
	out := map[string]reflect.StructField{}
	for i := range t.NumField() {
		if key := t.Field(i).Tag.Get("yaml"); key != "" {
			out[key] = t.Field(i)
		}
	}
	return out
}

// orderOf gives the keys of a struct in the order of its fields.
func orderOf(t reflect.Type) []string {
	var out []string
	for i := range t.NumField() {
		if key := t.Field(i).Tag.Get("yaml"); key != "" {
			out = append(out, key)
		}
	}
	return out
}

// setDefaults fills the fields of a struct whose tags name a default, and the
// structs inside it.
func setDefaults(v reflect.Value) {
	for i := range v.NumField() {
		f, field := v.Type().Field(i), v.Field(i)
		if f.Tag.Get("yaml") == "" {
			continue
		}
		if field.Kind() == reflect.Struct && !isScalarType(field.Type()) {
			setDefaults(field)
		} else if text := f.Tag.Get("default"); text != "" {
			setDefault(field, text)
		}
	}
}

// setDefault parses the text of a tag; a test parses them all.
func setDefault(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		v.SetBool(text == "true")
	default:
		x, _ := parseBound(v.Type(), text)
		v.SetInt(x)
	}
}

// parseBound reads a number of a tag in the units of its field.
func parseBound(t reflect.Type, text string) (int64, error) {
	switch t {
	case reflect.TypeFor[time.Duration]():
		x, err := parseDuration(text)
		return int64(x), err
	case reflect.TypeFor[Size]():
		x, err := ParseSize(text)
		return int64(x), err
	case reflect.TypeFor[Rate]():
		x, err := ParseRate(text)
		return int64(x), err
	}
	return parseInt(text)
}

// boundsOf reads min and max of a tag.
func boundsOf(t reflect.Type, tag reflect.StructTag) (lo, hi int64) {
	lo, hi = 0, math.MaxInt64
	if text := tag.Get("min"); text != "" {
		lo, _ = parseBound(t, text)
	}
	if text := tag.Get("max"); text != "" {
		hi, _ = parseBound(t, text)
	}
	return lo, hi
}

// walkTypes visits every struct of the grammar with the path that leads to it;
// names chosen by the user stand as <name>.
func walkTypes(t reflect.Type, path string, visit func(path string, t reflect.Type)) {
	switch {
	case isScalarType(t):
	case t.Kind() == reflect.Pointer, t.Kind() == reflect.Slice:
		walkTypes(t.Elem(), path, visit)
	case t.Kind() == reflect.Map:
		walkTypes(t.Elem(), path+".<name>", visit)
	case t.Kind() == reflect.Struct:
		visit(path, t)
		for _, key := range orderOf(t) {
			walkTypes(fieldsOf(t)[key].Type, strings.TrimPrefix(path+"."+key, "."), visit)
		}
	}
}

// keyWords are all keys of the grammar.
func keyWords() map[string]bool {
	out := map[string]bool{}
	walkTypes(reflect.TypeFor[Config](), "", func(_ string, t reflect.Type) {
		for _, key := range orderOf(t) {
			out[key] = true
		}
	})
	return out
}

// homeOf gives the first place of the grammar at which a key is known.
func homeOf(key string) string {
	home := ""
	walkTypes(reflect.TypeFor[Config](), "", func(path string, t reflect.Type) {
		if _, ok := fieldsOf(t)[key]; ok && home == "" {
			if home = path; path == "" {
				home = "the file itself"
			}
		}
	})
	return home
}

// exampleOf is a value to be printed in a mend.
func exampleOf(t reflect.Type, key string) string {
	switch t {
	case reflect.TypeFor[time.Duration]():
		return "10s"
	case reflect.TypeFor[Size]():
		return "64MiB"
	case reflect.TypeFor[Rate]():
		return "50MiB/s"
	case reflect.TypeFor[Secret]():
		return `"${` + strings.ToUpper(key) + `}"`
	case reflect.TypeFor[TablePattern]():
		return "public.orders"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return exampleOf(t.Elem(), key)
	case reflect.Slice:
		if key == "key" {
			return "[id]"
		}
		return "[" + exampleOf(t.Elem(), key) + "]"
	case reflect.Map:
		return "{shop: {…}}"
	case reflect.Struct:
		if known := orderOf(t); len(known) > 0 {
			return "{" + known[0] + ": …}"
		}
		return "{}"
	case reflect.Bool:
		return "true"
	case reflect.Int:
		return "1"
	}
	return exampleText(key)
}

func exampleText(key string) string {
	switch key {
	case "name":
		return "shop"
	case "brokers":
		return "kafka-1:9092"
	case "key", "cert", "ca":
		return "/etc/evert/" + key + ".pem"
	case "mechanism":
		return "scram-sha-512"
	}
	return "…"
}

// nearest gives the word with the least edit distance, or "" if none is near.
func nearest(word string, known []string) string {
	best, least := "", max(len(word)/3, 1)+1
	for _, k := range known {
		if d := distance(strings.ToLower(word), k); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance counts insertions, deletions, substitutions and swaps of neighbours.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return math.MaxInt32
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
