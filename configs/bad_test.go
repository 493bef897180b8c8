package configs

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evertdb/evert/pipeline"
)

const badFiles = "testdata/bad.txt"

// badEnv is the environment of the bad files.
func badEnv(name string) (string, bool) {
	v, ok := map[string]string{
		"SECRET":  "hunter2 is no good value for anything",
		"OFFLOAD": "offload",
		"EMPTY":   "",
	}[name]
	return v, ok
}

// badCase is one file of the corpus and its golden errors, written as
//
//	-- 001 title --
//	name: shop
//	-- errors --
//	evert.yaml:1:1: …
type badCase struct{ title, file, want string }

func readCorpus(t *testing.T) (head string, cases []badCase) {
	data, err := os.ReadFile(badFiles)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split("\n"+string(data), "\n-- ")
	for i := 1; i+1 < len(parts); i += 2 {
		title, file, _ := strings.Cut(parts[i], " --\n")
		_, want, _ := strings.Cut(parts[i+1]+"\n", " --\n")
		cases = append(cases, badCase{title, file + "\n", want})
	}
	if n := len(cases); n < 150 {
		t.Fatalf("the corpus holds %d files, fewer than 150", n)
	}
	cases[len(cases)-1].want = strings.TrimSuffix(cases[len(cases)-1].want, "\n")
	return strings.TrimPrefix(parts[0], "\n"), cases
}

// O06 bad config: every file of the corpus gives its golden errors. X14: none of
// them gives a secret away.
func TestBadFiles(t *testing.T) {
	head, cases := readCorpus(t)
	out := head + "\n"
	for _, c := range cases {
		t.Run("O06 "+c.title, func(t *testing.T) {
			got := badFile(t, []byte(c.file))
			if diff := cmp.Diff(c.want, got); diff != "" && !*update {
				t.Errorf("errors differ (-want +got):\n%s", diff)
			}
			out += "-- " + c.title + " --\n" + c.file + "-- errors --\n" + got
		})
	}
	if *update {
		if err := os.WriteFile(badFiles, []byte(out), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// badFile gives the errors of a file and checks what holds for all of them.
func badFile(t *testing.T, data []byte) string {
	_, err := Parse("evert.yaml", data, badEnv)
	var list Errors
	if !errors.As(err, &list) {
		t.Fatalf("the file was taken: %v", err)
	}
	text := err.Error() + "\n"
	if secret := "hunter"; strings.Contains(strings.ReplaceAll(text, "/nope/hunter", ""), secret) {
		t.Errorf("X14 the errors hold a secret:\n%s", text)
	}
	lines := strings.Count(string(data), "\n") + 1
	for i, p := range list {
		checkProblem(t, p, lines)
		if i > 0 && (p.Line < list[i-1].Line || p.Line == list[i-1].Line && p.Column < list[i-1].Column) {
			t.Errorf("%v stands behind %v", p, list[i-1])
		}
	}
	return text
}

func checkProblem(t *testing.T, p *Problem, lines int) {
	t.Helper()
	if p.Line < 1 || p.Line > lines || p.Column < 1 || p.Code == "" || p.Mend == "" || pipeline.CodeOf(p) != p.Code {
		t.Errorf("the problem lacks place, code or mend: %+v", p)
	}
	for _, c := range Codes() {
		if c.Code == p.Code && c.Text != "" {
			return
		}
	}
	t.Errorf("the code %s is not explained", p.Code)
}
