//go:build unix

package kafkaserver

import (
	"testing"

	"github.com/evertdb/evert/pipeline/loopback/jvm"
)

func TestProperties(t *testing.T) {
	got := properties(map[string]string{"b": "two\nlines", "a": ` \ left`, "c": "x=y:z"})
	want := "a=\\ \\\\ left\nb=two\\nlines\nc=x=y:z\n"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Two nodes share a kept storage if they have the same number, roles and features;
// where their clusters lie is nothing to it.
func TestKeptStorages(t *testing.T) {
	of := func(dir string, id int, controller bool, features map[string]int) string {
		c := &Cluster{dist: Distribution{jvm.Distribution{Home: "/cache"}}, dir: dir, options: Options{Features: features}}
		return (&Node{id: id, cluster: c, broker: true, controller: controller}).keptStorage()
	}
	one := of("/a", 1, true, nil)
	if again := of("/b", 1, true, nil); again != one {
		t.Errorf("%s and %s are of the same", one, again)
	}
	for name, other := range map[string]string{
		"number": of("/a", 2, true, nil), "role": of("/a", 1, false, nil), "features": of("/a", 1, true, map[string]int{"transaction.version": 1}),
	} {
		if other == one {
			t.Errorf("one of another %s is the same", name)
		}
	}
}
