package configs

import (
	"errors"
	"os"
	"testing"
)

// O06, X19: whatever the file, loading ends without a panic, in a Config or in
// errors that each have a place in the file, a code and a mend.
func FuzzLoad(f *testing.F) {
	if data, err := os.ReadFile("testdata/sections.yaml"); err == nil {
		f.Add(data)
	}
	for _, s := range []string{"", "a: &a [*a]", "a: {b: [c:1]}", "? - a\n: b", "a: |\n x\n\ty", "a: [\n1,\n]", "\"a\": 'b'", "a: ${B:-${C}}", "%YAML 1.2\n---\na: b", "a:\n- b\n-\tc", "{a: [b:c:d]}", "- - - a", "\rs", "a: 1\rb: 2"} {
		f.Add([]byte(s))
		f.Add([]byte(one("postgres://evert@localhost/shop") + s))
	}
	env := envOf(map[string]string{"B": "b"})
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("f", data, env)
		if err == nil {
			if _, err := c.YAML(); err != nil {
				t.Errorf("the effective configuration: %v", err)
			}
			return
		}
		var list Errors
		if !errors.As(err, &list) || len(list) == 0 || c != nil {
			t.Fatalf("%v is no list of errors", err)
		}
		lines := len(newPage(data).lines)
		for _, p := range list {
			if p.Line > lines {
				t.Errorf("line %d of %d", p.Line, lines)
			}
			checkProblem(t, p, lines)
		}
	})
}
