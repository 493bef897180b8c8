package configs

import (
	"errors"
	"io"
	"os"
	"reflect"
	"runtime"
)

// Load reads, checks and completes a configuration file. env looks up variables
// (os.LookupEnv); files named by ${file:} must be readable. Nothing else is
// touched: no connection, no directory. The error is Errors, with every mistake
// of the file, each with a code, a place and a mend, and never a secret.
func Load(path string, env func(string) (string, bool)) (*Config, error) {
	data, mode, err := readFile(path)
	if err != nil {
		ps := &problems{file: path}
		ps.add(place{1, 1}, configRead, "the file cannot be read: "+cause(err).Error(), "name another with -c, or write one with `evert init URL`")
		return nil, ps.err(func(place) string { return "" })
	}
	c, err := parse(path, data, env)
	if err == nil && mode.Perm()&0o044 != 0 && runtime.GOOS != "windows" && holdsSecret(reflect.ValueOf(c)) {
		c.warn("%s holds a secret and can be read by other users: set its mode to 0600, or write ${file:/path}", path)
	}
	return c, err
}

// readFile reads at most what checkBytes accepts, and one byte more.
func readFile(path string) ([]byte, os.FileMode, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, 0, err
	case info.IsDir():
		return nil, 0, errors.New("it is a directory")
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	return data, info.Mode(), err
}

// Parse is Load for text that was read already; name stands in errors.
func Parse(name string, data []byte, env func(string) (string, bool)) (*Config, error) {
	return parse(name, data, env)
}

func parse(name string, data []byte, env func(string) (string, bool)) (*Config, error) {
	ps := &problems{file: name}
	doc := parseDocument(data, ps)
	c := &Config{file: name}
	if doc.root != nil {
		d := &decoder{problems: ps, page: doc.page, env: env, formats: formats(), seen: map[string]place{}, spelled: map[string]string{}, texts: map[string]text{}}
		d.structure(doc.root, reflect.ValueOf(c).Elem(), spot{})
		d.complete(c)
		d.check(c)
	}
	if err := ps.err(doc.page.excerpt); err != nil {
		return nil, err
	}
	return c, nil
}

// Defaults is the configuration of an empty file: what every key outside
// sources, views and sinks is when it is not written.
func Defaults() *Config {
	c := &Config{}
	setDefaults(reflect.ValueOf(c).Elem())
	return c
}

// holdsSecret reports whether a secret stands in the file itself: a password, a
// token or a key, or a URL with a password.
func holdsSecret(v reflect.Value) bool {
	if s, ok := v.Interface().(Secret); ok {
		return s.isLiteral()
	}
	switch v.Kind() {
	case reflect.Pointer:
		return !v.IsNil() && holdsSecret(v.Elem())
	case reflect.Map:
		for _, key := range v.MapKeys() {
			if holdsSecret(v.MapIndex(key)) {
				return true
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			if holdsSecret(v.Index(i)) {
				return true
			}
		}
	case reflect.Struct:
		return structHoldsSecret(v)
	}
	return false
}

func structHoldsSecret(v reflect.Value) bool {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() || f.Type == reflect.TypeFor[TablePattern]() {
			continue
		}
		if s, ok := v.Field(i).Interface().(Secret); ok && f.Tag.Get("yaml") == "url" {
			if s.isLiteral() && literalURLPassword(s) {
				return true
			}
			continue
		}
		if holdsSecret(v.Field(i)) {
			return true
		}
	}
	return false
}

func literalURLPassword(s Secret) bool {
	text, _ := s.Reveal()
	for _, d := range []dialect{postgresDialect(), mysqlDialect()} {
		if u, err := parseURL(text, d); err == nil {
			return !u.Password.IsZero()
		}
	}
	return false
}
