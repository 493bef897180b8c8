package configs

import "reflect"

// Changes names the settings in which another configuration differs, by their paths, in
// the order of the reference; no value and no secret. Where a setting stands in its file
// does not count, and neither do contents of files that it names.
func (c *Config) Changes(other *Config) []string {
	return changes("", reflect.ValueOf(c).Elem(), reflect.ValueOf(other).Elem())
}

func changes(path string, a, b reflect.Value) []string {
	switch x := a.Interface().(type) {
	case Text:
		return changedIf(path, x.Value != b.Interface().(Text).Value)
	case Secret, TablePattern:
		return changedIf(path, !reflect.DeepEqual(a.Interface(), b.Interface()))
	}
	switch a.Kind() {
	case reflect.Pointer:
		if !a.IsNil() && !b.IsNil() {
			return changes(path, a.Elem(), b.Elem())
		}
		return changedIf(path, a.IsNil() != b.IsNil())
	case reflect.Struct:
		return changesOfStruct(path, a, b)
	case reflect.Map:
		return changesOfMap(path, a, b)
	case reflect.Slice:
		return changedIf(path, !sameItems(a, b))
	}
	return changedIf(path, !reflect.DeepEqual(a.Interface(), b.Interface()))
}

func changedIf(path string, changed bool) []string {
	if changed {
		return []string{path}
	}
	return nil
}

func changesOfStruct(path string, a, b reflect.Value) (out []string) {
	for _, key := range orderOf(a.Type()) {
		field := fieldsOf(a.Type())[key].Index
		out = append(out, changes(joined(path, key), a.FieldByIndex(field), b.FieldByIndex(field))...)
	}
	return out
}

func changesOfMap(path string, a, b reflect.Value) (out []string) {
	names := map[string]reflect.Value{}
	for _, key := range append(a.MapKeys(), b.MapKeys()...) {
		names[nameOfKey(key)] = key
	}
	for _, name := range sortedKeys(names) {
		x, y := a.MapIndex(names[name]), b.MapIndex(names[name])
		if x.IsValid() && y.IsValid() {
			out = append(out, changes(joined(path, name), x, y)...)
		} else {
			out = append(out, joined(path, name))
		}
	}
	return out
}

func sameItems(a, b reflect.Value) bool {
	if a.Len() != b.Len() {
		return false
	}
	for i := range a.Len() {
		if changes(".", a.Index(i), b.Index(i)) != nil {
			return false
		}
	}
	return true
}

func joined(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
