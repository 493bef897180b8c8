package query_test

import (
	"flag"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline/view/query"
	"github.com/evertdb/evert/schema"
)

var update = flag.Bool("update", false, "write the golden files anew")

// testdata/queries.txt holds parameters, each after "? ", and behind them the
// rows or the refusal that they are answered with.
func TestQueriesGolden(t *testing.T) {
	const file = "testdata/queries.txt"
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	v := newView(t, customers(t, []int{1}, []int{3}, []int{2, 3}, []int{2, 1}))
	v.Step(at(1), []schema.Row{
		customer(1, "Ada", "London", "10.00"), customer(2, "Bob", "London", "9.5"), customer(3, "Cy", "Paris", "10"),
		customer(4, "", "Paris", "-3"), customer(5, "Eve", "", ""), customer(6, "Ada", "Rome", "1e2"[:1]+"00.5"),
		customer(7, "ada", "Paris", "NaN"), customer(8, "Ö, \"x\" (y)", "Rome", "10.001"),
	})
	r := query.NewReader(query.Config{})
	defer r.Close()
	var got strings.Builder
	for line := range strings.Lines(string(want)) {
		switch {
		case strings.HasPrefix(line, "#"), line == "\n":
			got.WriteString(line)
		case strings.HasPrefix(line, "? "):
			got.WriteString(line)
			answer(t, &got, r, v, strings.TrimSpace(line[2:]))
		}
	}
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	} else if got.String() != string(want) {
		t.Errorf("the answers are others; see the difference with -update. Got:\n%s", got.String())
	}
	r.Close()
	if n := v.Open.Load(); n != 0 {
		t.Errorf("%d snapshots were left open", n)
	}
}

func answer(t *testing.T, out *strings.Builder, r *query.Reader, v query.View, params string) {
	q, err := url.ParseQuery(params)
	if err != nil {
		t.Fatalf("%s: %v", params, err)
	}
	a, err := r.Rows(t.Context(), "customers", v, q, query.Wait{})
	if err != nil {
		out.WriteString("  " + strings.ReplaceAll(err.Error(), "\n", "\n  ") + "\n")
		return
	}
	for _, row := range a.Rows {
		out.WriteString("  " + strings.Split(string(row), `,"history"`)[0] + "\n")
	}
	if a.Cursor != "" {
		out.WriteString("  …\n")
	}
}
