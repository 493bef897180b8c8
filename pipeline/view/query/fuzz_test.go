package query_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/view/query"
	"github.com/evertdb/evert/schema"
)

// FuzzRows asks for whatever a URL can hold: the answer is rows or a refusal with
// a code and a mend, and a refusal repeats no value.
func FuzzRows(f *testing.F) {
	for _, q := range []string{
		"id=eq.1", "name=in.(a,%22b,c%22)&order=name.desc", "spent=gte.1&spent=lt.NaN", "order=city,name&limit=3", "cursor=x.1",
		"history=is.null", "name=not.is.null", "%22limit%22=eq.1", "id=in.()", "id=in.(,)", "name=eq.&city=eq.", "=", "order=", "limit=-0",
	} {
		f.Add(q)
	}
	v := newView(f, customers(f, []int{1}, []int{3}, []int{2, 1}))
	v.Step(at(1), []schema.Row{customer(1, "a", "b", "1"), customer(2, "", "", ""), customer(3, "c", "b", "NaN")})
	r := query.NewReader(query.Config{Cursors: 4})
	f.Fuzz(func(t *testing.T, text string) {
		q, err := url.ParseQuery(text)
		if err != nil {
			return
		}
		a, err := r.Rows(t.Context(), "v", v, q, query.Wait{})
		if err == nil {
			if len(a.Rows) > 3 {
				t.Errorf("%d rows of 3", len(a.Rows))
			}
			return
		}
		if pipeline.CodeOf(err) == "" || strings.Contains(err.Error(), "damaged") {
			t.Fatalf("no refusal: %v", err)
		}
		for name, values := range q {
			for _, value := range values {
				_, operand, _ := strings.Cut(value, ".")
				if len(operand) > 12 && name != "order" && strings.Contains(err.Error(), operand) {
					t.Errorf("X09 the refusal repeats the value of %q: %v", name, err)
				}
			}
		}
	})
}
