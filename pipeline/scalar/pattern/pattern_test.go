package pattern_test

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/evertdb/evert/pipeline/scalar/pattern"
)

// A LIKE pattern matches what the same pattern written as a regular expression
// does.
func TestLikeIsARegularExpression(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.StringMatching(`([%_abä]|\\[%_\\a])*`).Draw(t, "pattern")
		text := rapid.StringMatching(`[abä%_\\]*`).Draw(t, "text")
		var re strings.Builder
		for rest := []rune(p); len(rest) > 0; rest = rest[1:] {
			switch rest[0] {
			case '%':
				re.WriteString(".*")
			case '_':
				re.WriteString(".")
			case '\\':
				rest = rest[1:]
				re.WriteString(regexp.QuoteMeta(string(rest[0])))
			default:
				re.WriteString(regexp.QuoteMeta(string(rest[0])))
			}
		}
		want := regexp.MustCompile(`(?s)\A` + re.String() + `\z`).MatchString(text)
		l, err := pattern.CompileLike([]byte(p), pattern.Options{})
		if err != nil || l.Match([]byte(text)) != want {
			t.Fatalf("%q LIKE %q: want %t, %v", text, p, want, err)
		}
	})
}

// Which expressions are known to what degree.
func TestRegexDegrees(t *testing.T) {
	for expression, want := range map[string]string{
		`(\d+)-(\d+)`: "groups", `^([^@]+)@([^@]+)$`: "groups", `(a|b)c`: "groups", `x(y)?z`: "groups", `^(\d{4})-(\d{2})`: "groups",
		`(a*)(a*)`: "places", `(.*)x(.*)`: "places", `(a|ab)(c|bcd)`: "places", `(a)+`: "places", `(a*)*`: "places",
		`a+b*`: "groups", `a+?`: "match", `(a|b)*?c`: "match",
		`(?=a)`: "refused", `\ma`: "refused", `(a)\1`: "refused", `***:a`: "refused", `[[.a.]]`: "refused", `(?i)a`: "refused",
		`a**`: "wrong", `(a`: "wrong", `a)`: "wrong", `[b-a]`: "wrong", `a{2,1}`: "wrong", `*`: "wrong", `a{256}`: "wrong", `\`: "wrong",
	} {
		r, err := pattern.CompileRegex([]byte(expression), false)
		have := "groups"
		switch {
		case err != nil && strings.Contains(err.Error(), "2201B"):
			have = "wrong"
		case err != nil:
			have = "refused"
		case r.Exact(false) != nil:
			have = "match"
		case r.Exact(true) != nil:
			have = "places"
		}
		if have != want {
			t.Errorf("%s: %s, want %s (%v)", expression, have, want, err)
		}
	}
}
