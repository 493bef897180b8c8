//go:build unix

package deploy

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/integration/harness/scene"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

// An instruction is one line of a container file.
type instruction struct{ word, rest string }

func instructions(t *testing.T) (all []instruction) {
	t.Helper()
	text, err := os.ReadFile("../../configs/deploy/Containerfile")
	if err != nil {
		t.Fatal(err)
	}
	known := "FROM WORKDIR COPY RUN USER VOLUME EXPOSE HEALTHCHECK STOPSIGNAL ENTRYPOINT CMD"
	for line := range strings.Lines(string(text)) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if word == "" || word == "#" {
			continue
		}
		if !strings.Contains(" "+known+" ", " "+word+" ") || strings.HasSuffix(rest, `\`) {
			t.Fatalf("not an instruction on a line of its own: %s", line)
		}
		all = append(all, instruction{word, rest})
	}
	return all
}

func find(all []instruction, word string) (last string) {
	for _, i := range all {
		if i.word == word {
			last = i.rest
		}
	}
	return last
}

// args reads an instruction in its form of a list.
func args(t *testing.T, text string) (list []string) {
	t.Helper()
	if at := strings.Index(text, "["); at < 0 || json.Unmarshal([]byte(text[at:]), &list) != nil {
		t.Fatalf("no list of arguments: %s", text)
	}
	return list
}

func TestContainerfileIsSound(t *testing.T) {
	all := instructions(t)
	var bases []string
	for _, i := range all {
		switch i.word {
		case "FROM":
			bases = append(bases, strings.Fields(i.rest)[0])
		case "COPY":
			if strings.Contains(i.rest, "--from=") {
				continue
			}
			files := strings.Fields(i.rest)
			for _, f := range files[:len(files)-1] {
				if _, err := os.Stat(filepath.Join("../..", f)); err != nil {
					t.Errorf("COPY of what is not there: %v", err)
				}
			}
		}
	}
	if len(bases) != 2 || bases[1] != "scratch" || !regexp.MustCompile(`^golang:1\.\d+`).MatchString(bases[0]) {
		t.Errorf("two stages, from a Go of a version and from nothing: %v", bases)
	}
	goMod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^go (1\.\d+)`).FindStringSubmatch(string(goMod))[1]
	if !strings.HasPrefix(bases[0], "golang:"+version) {
		t.Errorf("the image builds with %s, go.mod says go %s", bases[0], version)
	}
	if user := find(all, "USER"); !regexp.MustCompile(`^[1-9]\d*:[1-9]\d*$`).MatchString(user) {
		t.Errorf("USER %s: a number that is not root, since there is no passwd", user)
	}
}

// Each command of the file, run by hand here: the build, the entry point, and
// the health check before, while and after the daemon runs.
func TestContainerfileByHand(t *testing.T) {
	t.Parallel()
	all := instructions(t)
	out := t.TempDir()
	built := false
	for _, i := range all {
		if i.word != "RUN" || strings.HasPrefix(i.rest, "go mod download") { // the lane supply verifies the modules
			continue
		}
		cmd := exec.Command("sh", "-euc", strings.ReplaceAll(i.rest, "/out/", out+"/"))
		cmd.Dir = "../.."
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("RUN %s: %v\n%s", i.rest, err, text)
		}
		built = built || strings.Contains(i.rest, "go build")
	}
	binary := filepath.Join(out, "evert")
	if text, err := exec.Command("file", "-b", binary).Output(); err == nil && !strings.Contains(string(text), "statically linked") {
		t.Errorf("built %v: it needs more than itself: %s", built, text)
	}
	s := scene.New(t, &suite, pgtest.Start(t, pgtest.Options{}), harness.Seed(t), 200, harness.Options{})
	file := s.Write()
	here := func(list []string) []string {
		return strings.Split(strings.ReplaceAll(strings.Join(list, "\x00"), "/etc/evert/evert.yaml", file), "\x00")
	}
	check := here(args(t, find(all, "HEALTHCHECK")))
	if check[0] != "/evert" {
		t.Fatalf("the health check runs %s", check[0])
	}
	healthy := func() int {
		_, _, code := harness.Run(t, binary, check[1:]...)
		return code
	}
	if healthy() == 0 {
		t.Error("healthy before it runs")
	}
	p := harness.Start(t, harness.Launch{Path: binary, Args: here(args(t, find(all, "CMD")))})
	p.Await(t, "the topics", func(line string) bool { return strings.Contains(line, "every table is in its topic") })
	if code := healthy(); code != 0 {
		t.Errorf("exit code %d while it runs", code)
	}
	p.Signal(15)
	if code := p.Wait(t, harness.Patience); code != 0 {
		t.Errorf("exit code %d after STOPSIGNAL", code)
	}
	if healthy() == 0 {
		t.Error("healthy after its end")
	}
}
