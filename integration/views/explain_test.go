//go:build unix

package views

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/pipeline/loopback"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const golden = "testdata/explain"

// TestExplain compares what `evert explain` prints with testdata/explain: without a
// daemon; with one that filled the view and followed three transactions; and when
// the file has another definition than the daemon.
func TestExplain(t *testing.T) {
	t.Parallel()
	s := newStory(t, ownServer(t), harness.Options{HTTP: freeAddress(t)})
	s.views["spent"], s.extra["spent"] = `SELECT o.id, o.n, count(s.id) AS sales, sum(s.cents) AS cents
		FROM db.public.other AS o LEFT JOIN db.public.sales AS s ON s.cents = o.n GROUP BY o.id, o.n`, "key: [id]\nindexes: [[cents]]"
	s.defined()
	var shown strings.Builder
	show := func(title string, args ...string) {
		t.Helper()
		fmt.Fprintf(&shown, "== %s\n%s\n", title, s.masked(s.evert(append([]string{"explain", "-c", s.Write()}, args...)...)))
	}
	show("no daemon", "spent")
	s.start()
	s.same("spent")
	show("it was filled", "spent")
	for _, sql := range []string{
		"INSERT INTO sales VALUES (1001, 's1', 3), (1002, 's2', 4), (1003, 's3', 90)", // two of them meet a row
		"UPDATE other SET n = n + 1 WHERE id = 7",                                     // five sales leave it, five come
		"DELETE FROM sales WHERE cents = 3",
	} {
		s.SQL(s.Database, sql)
		s.same("spent")
	}
	show("it followed", "spent")
	show("another one is asked by its address", "spent", "--server", "http://"+s.Options.HTTP)
	s.views["spent"] = strings.Replace(s.views["spent"], "LEFT JOIN", "JOIN", 1)
	s.defined()
	show("the file has another definition", "spent")

	if *update {
		if err := os.WriteFile(golden, []byte(shown.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), shown.String()); diff != "" {
		t.Errorf("go test ./integration/views -run TestExplain -update\n%s", diff)
	}
	s.explainedAsJSON()
	s.end()
}

// explainedAsJSON checks the figures of -o json against each other.
func (s *story) explainedAsJSON() {
	s.Helper()
	type flow struct {
		In     int64   `json:"in"`
		Out    int64   `json:"out"`
		FanOut float64 `json:"fan_out"`
	}
	var e struct {
		Following *flow
		Operators []struct {
			Number    int
			Inputs    []int
			Following *flow
		}
	}
	if err := json.Unmarshal([]byte(s.evert("explain", "-c", s.Write(), "spent", "--server", "http://"+s.Options.HTTP, "-o", "json")), &e); err != nil {
		s.Fatal(err)
	}
	if e.Following == nil || e.Following.In == 0 || e.Following.FanOut != float64(e.Following.Out)/float64(e.Following.In) {
		s.Fatalf("the view followed %+v", e.Following)
	}
	for _, o := range e.Operators {
		came := int64(0)
		for _, in := range o.Inputs {
			came += e.Operators[in-1].Following.Out
		}
		if len(o.Inputs) > 0 && o.Following.In != came {
			s.Errorf("operator %d took %d rows, and its inputs gave %d", o.Number, o.Following.In, came)
		}
	}
}

// evert runs a verb, which has to end well.
func (s *story) evert(args ...string) string {
	s.Helper()
	out, errs, code := harness.Run(s, s.Evert(s), args...)
	if code != 0 {
		s.Fatalf("evert %v: exit code %d\n%s%s", args, code, out, errs)
	}
	return out
}

var varies = regexp.MustCompile(`version [0-9a-f]{32}|state [0-9.]+ [KM]?i?B|epoch \d+ at db:[0-9A-F/]+`)

// masked hides what is another at each run.
func (s *story) masked(text string) string {
	text = strings.ReplaceAll(text, s.Deployment(), "DEPLOYMENT")
	return varies.ReplaceAllStringFunc(text, func(found string) string {
		word, _, _ := strings.Cut(found, " ")
		return word + " …"
	})
}

// freeAddress is still free when the daemon comes to it.
func freeAddress(t *testing.T) string {
	t.Helper()
	port, err := loopback.Take()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(port.Close)
	return port.Address()
}
