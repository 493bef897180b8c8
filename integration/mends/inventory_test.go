//go:build unix

package mends

import (
	"bufio"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/pipeline"
)

// covered gives the stories of each code.
func covered() map[pipeline.Code][]string {
	by := map[pipeline.Code][]string{}
	add := func(name string, codes ...pipeline.Code) {
		for _, c := range codes {
			if !slices.Contains(by[c], name) {
				by[c] = append(by[c], name)
			}
		}
	}
	for _, st := range stories() {
		add(st.name(), st.codes()...)
	}
	for _, st := range ofKafka() {
		add(st.name(), st.codes...)
	}
	for _, st := range ofServer() {
		add(st.name(), st.code)
	}
	for _, st := range ofRegistry() {
		add(st.name(), st.code)
	}
	for _, st := range ofChecks() {
		add(st.name(), st.code)
	}
	for _, st := range ofVerbs() {
		add(st.name(), st.code)
	}
	return by
}

// TestEveryCodeHasItsLine compares the catalogue with testdata/codes.txt, and
// that with the stories. A code whose mends say nothing to run is `prose`; one
// with something to run names what runs it: `story`, or a script of cmd/evert in
// which the mend stands.
func TestEveryCodeHasItsLine(t *testing.T) {
	t.Parallel()
	lines, stories := golden(t), covered()
	for _, code := range catalogue(t) {
		how, ok := lines[code]
		delete(lines, code)
		script, isScript := strings.CutPrefix(how, "script ")
		other, isOther := strings.CutPrefix(how, "as ")
		beside, isBeside := strings.CutPrefix(how, "beside ")
		switch {
		case !ok:
			t.Errorf("%s has no line in testdata/codes.txt: tell a story that runs its mend, or write `prose` if it has nothing to run", code)
		case how == "story" && len(stories[code]) == 0:
			t.Errorf("no story runs the mend of %s", code)
		case how == "prose" && len(stories[code]) > 0:
			t.Errorf("%s is no prose: %v", code, stories[code])
		case isScript && !harness.Contains(filepath.Join("../../cmd/evert/testdata/script", script), string(code)):
			t.Errorf("%s does not stand in the script %s", code, script)
		case isOther && len(stories[pipeline.Code(other)]) == 0:
			t.Errorf("%s is as %s, which has no story", code, other)
		case isBeside && !namedIn(beside):
			t.Errorf("%s: no test is as %q says", code, how)
		case how != "story" && how != "prose" && !isScript && !isOther && !isBeside:
			t.Errorf("%s: %q is neither story, nor prose, nor a script, nor another code, nor a test beside the code", code, how)
		}
	}
	for code := range maps.Keys(lines) {
		t.Errorf("%s stands in testdata/codes.txt and not in the catalogue", code)
	}
}

// namedIn reports whether a file, from the root, has a word: "FILE WORD".
func namedIn(place string) bool {
	file, word, ok := strings.Cut(place, " ")
	return ok && harness.Contains(filepath.Join("../..", file), word)
}

// catalogue asks the binary.
func catalogue(t *testing.T) (codes []pipeline.Code) {
	t.Helper()
	out, _, exit := harness.Run(t, suite.Evert(t), "help", "codes", "-o", "json")
	var entries []struct{ Code pipeline.Code }
	if err := json.Unmarshal([]byte(out), &entries); err != nil || exit != 0 || len(entries) == 0 {
		t.Fatalf("exit code %d, %v: %s", exit, err, out)
	}
	for _, e := range entries {
		codes = append(codes, e.Code)
	}
	return codes
}

func golden(t *testing.T) map[pipeline.Code]string {
	t.Helper()
	f, err := os.Open("testdata/codes.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := map[pipeline.Code]string{}
	for s := bufio.NewScanner(f); s.Scan(); {
		if code, how, ok := strings.Cut(s.Text(), " "); ok && code != "#" {
			lines[pipeline.Code(code)] = strings.TrimSpace(how)
		}
	}
	return lines
}
