//go:build unix

package mends

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/pipeline"
)

// curl is as much of that program as mends use.
func curl(args []string) int {
	set := flag.NewFlagSet("", flag.ContinueOnError)
	method, header, body := set.String("X", "GET", ""), set.String("H", "", ""), set.String("d", "", "")
	if err := set.Parse(args); err != nil || set.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "curl: one address is wanted:", args)
		return 2
	}
	req, err := http.NewRequest(*method, set.Arg(0), strings.NewReader(*body))
	if err != nil {
		fmt.Fprintln(os.Stderr, "curl:", err)
		return 2
	}
	name, value, _ := strings.Cut(*header, ": ")
	req.Header.Set(name, value)
	resp, err := http.DefaultClient.Do(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		fmt.Fprintln(os.Stderr, "curl:", resp, err)
		return 1
	}
	return 0
}

// registryStory is of a schema registry that others changed.
type registryStory struct {
	code  pipeline.Code
	what  string
	path  string // below the registry's address
	value string // that is put there
	exit  int    // of a check
}

func (st *registryStory) name() string { return storyName(st.code, st.what) }

func ofRegistry() []registryStory {
	return []registryStory{
		{"REGISTRY_LEVEL", "of all subjects", "/config", `{"compatibility": "NONE"}`, 0},
		{"REGISTRY_LEVEL", "of one subject", "/config/db.public.t-value", `{"compatibility": "NONE"}`, 0},
		{"REGISTRY_MODE", "read only", "/mode", `{"mode": "READONLY"}`, 3},
	}
}

func TestMendsOfRegistry(t *testing.T) {
	t.Parallel()
	for _, st := range ofRegistry() {
		t.Run(st.name(), func(t *testing.T) {
			t.Parallel()
			s := newRegistryStage(t)
			if curl([]string{"-X", "PUT", "-H", "Content-Type: application/vnd.schemaregistry.v1+json", "-d", st.value, s.registry.URL() + st.path}) != 0 {
				t.Fatal("the registry was not changed")
			}
			out, exit := s.sh("evert check --connect")
			if exit != st.exit {
				t.Fatalf("exit code %d, want %d:\n%s", exit, st.exit, out)
			}
			s.obey(mendOf(t, out, st.code), false)
			if out, exit := s.sh("evert check --connect"); exit != 0 || strings.Contains(out, string(st.code)) {
				t.Fatalf("not mended; exit code %d:\n%s", exit, out)
			}
			s.equal(&story{})
		})
	}
}

// registryStage has its schemas in a registry of its own.
type registryStage struct {
	*stage
	registry *srfake.Registry
}

func newRegistryStage(t *testing.T) *registryStage {
	t.Helper()
	fake := srfake.New()
	t.Cleanup(fake.Close)
	s := newStage(t, pg.server(t), harness.Options{More: "registry: {url: \"" + fake.URL() + "\"}\n"})
	s.caughtUp()
	if out, exit := s.sh("evert check --connect"); exit != 0 || strings.Contains(out, "REGISTRY_") {
		t.Fatalf("nothing is wrong yet, and the exit code is %d:\n%s", exit, out)
	}
	return &registryStage{s, fake}
}

// TestForeignRegistry gives a deployment another registry, which numbers its
// schemas anew.
func TestForeignRegistry(t *testing.T) {
	t.Parallel()
	t.Run("K25 ids of another registry", func(t *testing.T) {
		s := newRegistryStage(t)
		other := srfake.New()
		t.Cleanup(other.Close)
		s.Options.More = "registry: {url: \"" + other.URL() + "\"}\n"
		s.Write()
		out, exit := s.sh("evert check --connect")
		if exit != 3 || !strings.Contains(out, "topic db.public.t: a record at offset 0 has schema id") || !strings.Contains(out, "[REGISTRY_IDS]") {
			t.Errorf("exit code %d:\n%s", exit, out)
		}
	})
}
