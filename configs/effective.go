package configs

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

// YAML prints the effective configuration: what was written and every default,
// with Redacted for each secret. Without secrets it loads again to the same.
func (c *Config) YAML() ([]byte, error) {
	return yaml.MarshalWithOptions(printable(reflect.ValueOf(c).Elem()), yaml.IndentSequence(true))
}

// printable turns a value into what the library prints in a fixed order; nil
// leaves it out.
func printable(v reflect.Value) any {
	switch x := v.Interface().(type) {
	case Secret:
		return orNil(x.String())
	case TablePattern:
		return orNil(x.String())
	case Text:
		return orNil(x.Value)
	case time.Duration:
		return formatDuration(x)
	case Size:
		return x.String()
	case Rate:
		if x == 0 {
			return nil
		}
		return x.String()
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return printable(v.Elem())
	case reflect.Struct:
		return printableStruct(v)
	case reflect.Map:
		return printableMap(v)
	case reflect.Slice:
		return printableSlice(v)
	case reflect.String:
		return orNil(v.String())
	case reflect.Int:
		if v.Int() == 0 {
			return nil
		}
	}
	return v.Interface()
}

func orNil(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func printableStruct(v reflect.Value) any {
	out := yaml.MapSlice{}
	for _, key := range orderOf(v.Type()) {
		field := v.FieldByIndex(fieldsOf(v.Type())[key].Index)
		if value := printable(field); value != nil && (field.Kind() != reflect.Struct || !isEmpty(value)) {
			out = append(out, yaml.MapItem{Key: key, Value: value})
		}
	}
	return out
}

func isEmpty(value any) bool {
	m, ok := value.(yaml.MapSlice)
	return ok && len(m) == 0
}

func printableMap(v reflect.Value) any {
	if v.Len() == 0 {
		return nil
	}
	items := map[string]any{}
	for _, key := range v.MapKeys() {
		items[nameOfKey(key)] = printable(v.MapIndex(key))
	}
	out := yaml.MapSlice{}
	for _, name := range sortedKeys(items) {
		out = append(out, yaml.MapItem{Key: name, Value: items[name]})
	}
	return out
}

// nameOfKey is the key of a map as it is written.
func nameOfKey(key reflect.Value) string {
	if p, ok := key.Interface().(TablePattern); ok {
		return p.String()
	}
	return key.String()
}

func printableSlice(v reflect.Value) any {
	if v.Len() == 0 {
		return nil
	}
	out := make([]any, v.Len())
	for i := range out {
		out[i] = printable(v.Index(i))
	}
	return slices.Clip(out)
}

// String prints the effective configuration, for logs.
func (c *Config) String() string {
	b, err := c.YAML()
	if err != nil {
		return "configuration of " + c.file
	}
	return strings.TrimSpace(string(b))
}
