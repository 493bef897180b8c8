package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/view/query"
	"github.com/evertdb/evert/pipeline/view/query/querytest"
	"github.com/evertdb/evert/schema"
)

// viewMap is views by name.
type viewMap map[string]*querytest.View

func (m viewMap) Names() []string { return []string{"customers", "gone", "new"} }

func (m viewMap) View(name string) (query.View, bool) {
	v, ok := m[name]
	return v, ok
}

func (m viewMap) Explain(name string) (*Explanation, error) {
	if name == "new" {
		return nil, NotMaintained(name, nil)
	}
	return &Explanation{View: name, Version: "a1", Operators: []Operator{{Number: 1, Does: "scan"}}}, nil
}

// counting is a clock whose positions are numbers.
type counting struct{}

func (counting) Hasten(bool) {}

func (counting) Reached(have, want string) (bool, error) {
	h, err := strconv.Atoi(have)
	if err != nil {
		return false, err
	}
	w, err := strconv.Atoi(want)
	return h >= w, err
}

// someViews are customers, keyed by city and id, at position shop:5, and new,
// which is being filled.
func someViews(t *testing.T) viewMap {
	t.Helper()
	columns := []schema.Column{
		{Name: "id", Type: schema.Type{Kind: schema.KindInt, Name: "bigint", Bits: 64}},
		{Name: "city", Type: schema.Type{Kind: schema.KindText, Name: "text"}, Nullable: true},
		{Name: "spent", Type: schema.Type{Kind: schema.KindDecimal, Name: "numeric"}},
	}
	all := viewMap{}
	for name, key := range map[string][]int{"customers": {0}, "keyed": {1, 0}, "new": {0}} {
		shape, err := query.NewShape(columns, key, [][]int{{2}})
		if err != nil {
			t.Fatal(err)
		}
		if all[name], err = querytest.New(shape, query.NewFeed(1<<20, time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"customers", "keyed"} {
		all[name].Step(epoch(5), []schema.Row{person(1, "Rome", "9007199254740993.10"), person(2, "a/b ?", "NaN"), person(3, "", "3")})
	}
	all["new"].Tell(query.State{Phase: query.Filling, Rows: 10, Of: 40, Left: 30 * time.Second})
	return all
}

func epoch(n int) query.Epoch {
	return query.Epoch{Version: 1, Number: uint64(n), At: query.Vector{"shop": strconv.Itoa(n), "crm": "7"}, Time: time.Unix(0, 0)}
}

func person(id int, city, spent string) schema.Row {
	return schema.Row{schema.Int(int64(id)), schema.Text([]byte(city)), schema.Decimal([]byte(spent))}
}

func viewHandlers(t *testing.T) (Handlers, viewMap) {
	views := someViews(t)
	h := handlers(&fake{})
	h.Views, h.Streams = views, 2
	h.Reads = query.NewReader(query.Config{Clocks: map[string]query.Clock{"shop": counting{}, "crm": counting{}}, WaitTimeout: time.Second})
	t.Cleanup(h.Reads.Close)
	return h, views
}

func TestViewRoutes(t *testing.T) {
	h, views := viewHandlers(t)
	for _, c := range []struct {
		path   string
		status int
		want   string // in the body
	}{
		{"/v1/views", 200, `"state": "hydrating"`},
		{"/v1/views/customers", 200, `"position": "crm:7~shop:5"`},
		{"/v1/views/customers/rows/1", 200, `{"row":{"id":1,"city":"Rome","spent":9007199254740993.10},"position":"crm:7~shop:5","epoch":5,"version":"0000000000000001","as_of":"1970-01-01T00:00:00Z"}`},
		{"/v1/views/customers/rows/9", 404, `"position":"crm:7~shop:5"`},
		{"/v1/views/customers/rows/one", 400, "READ_INVALID"},
		{"/v1/views/customers/rows/1/2", 400, "READ_INVALID"},
		{"/v1/views/customers/rows/1?limit=3", 400, "READ_INVALID"},
		{"/v1/views/keyed/rows/a%2Fb%20%3F/2", 200, `"spent":"NaN"`},
		{"/v1/views/keyed/rows//3", 200, `"id":3`},
		{"/v1/views/keyed/rows/%5CN/3", 404, "NO_SUCH_ROW"},
		{"/v1/views/customers/rows", 200, `],"cursor":null,"position":"crm:7~shop:5"`},
		{"/v1/views/customers/rows?spent=gte.3&order=spent.desc&limit=1", 200, `{"rows":[{"id":2,"city":"a/b ?","spent":"NaN"}],"cursor":"`},
		{"/v1/views/customers/rows?city=eq.Rome", 400, `indexes: [[spent], [city]]`},
		{"/v1/views/customers/rows?a=b;c", 400, "READ_INVALID"},
		{"/v1/views/customers/rows?cursor=x", 410, "CURSOR_GONE"},
		{"/v1/views/customers/rows?wait_for=shop:5", 200, `"id":1`},
		{"/v1/views/customers/rows?wait_for=crm:7~shop:6&timeout=1ms", 504, "WAIT_TIMEOUT"},
		{"/v1/views/customers/rows?wait_for=shop:6&timeout=1", 400, "READ_INVALID"},
		{"/v1/views/new/rows/1", 503, "10 of about 40 rows, 30s left"},
		{"/v1/views/new/changes", 503, "VIEW_NOT_READY"},
		{"/v1/views/nope", 404, "NO_SUCH_VIEW"},
		{"/v1/views/nope/plan", 404, "NO_SUCH_VIEW"},
		{"/v1/views/new/plan", 503, "VIEW_NOT_READY"},
		{"/v1/views/nope/rows", 404, "NO_SUCH_VIEW"},
		{"/v1/views/nope/rows/1", 404, "NO_SUCH_VIEW"},
		{"/v1/views/nope/changes", 404, "NO_SUCH_VIEW"},
	} {
		w := ask(h.HTTP(), c.path)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s: %d %s", c.path, w.Code, w.Body)
		}
		if (w.Code == 200) != json.Valid(w.Body.Bytes()) && w.Code == 200 {
			t.Errorf("%s: no JSON: %s", c.path, w.Body)
		}
		if w.Code == 503 && w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", c.path)
		}
		if strings.Contains(c.path, "customers/rows") && w.Code == 200 && w.Header().Get("Evert-Position") != "crm:7~shop:5" {
			t.Errorf("%s: %v", c.path, w.Header())
		}
	}
	views["customers"].Tell(query.State{Phase: query.Stopped, Why: &pipeline.Refusal{Code: "VIEW_EXPRESSION", Where: "view customers", What: "division by zero", Mend: "nullif"}})
	w := ask(h.HTTP(), "/v1/views/customers/rows/1")
	if w.Code != 200 || w.Header().Get("Evert-Stale") != "VIEW_EXPRESSION" ||
		!strings.Contains(w.Body.String(), `"stale":{"code":"VIEW_EXPRESSION","detail":"view customers: division by zero","mend":"nullif"}`) {
		t.Errorf("I8 a view that has stopped: %d %v %s", w.Code, w.Header(), w.Body)
	}
	h.Views = nil
	if w := ask(h.HTTP(), "/v1/views"); w.Code != 200 || !strings.Contains(w.Body.String(), `"views": []`) {
		t.Errorf("no views: %d %s", w.Code, w.Body)
	}
}

func TestClientReadsRows(t *testing.T) {
	h, _ := viewHandlers(t)
	h.Token = func() (string, error) { return "sesame", nil }
	server := httptest.NewServer(h.HTTP())
	defer server.Close()
	c, err := DialURL(server.URL+"/any/path", "sesame")
	if err != nil {
		t.Fatal(err)
	}
	row, err := c.Row(t.Context(), "keyed", []string{"a/b ?", "2"}, url.Values{"wait_for": {"shop:5"}})
	if err != nil || row.Position != "crm:7~shop:5" || row.Epoch != 5 {
		t.Fatalf("%+v %v", row, err)
	}
	fields, err := row.Columns()
	if err != nil || len(fields) != 3 || fields[0].Name != "id" || string(fields[2].Value) != `"NaN"` {
		t.Fatalf("%s %v", fields, err)
	}
	for _, x := range []struct {
		key  []string
		want pipeline.Code
	}{
		{[]string{"..", "2"}, query.CodeNoRow}, {[]string{".", "2"}, query.CodeNoRow}, {[]string{"", "3"}, ""}, {[]string{"Rome", ""}, query.CodeRequest},
	} {
		if _, err := c.Row(t.Context(), "keyed", x.key, nil); pipeline.CodeOf(err) != x.want {
			t.Errorf("%q: %v", x.key, err)
		}
	}
	other, err := DialURL(server.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Row(t.Context(), "customers", []string{"1"}, nil); pipeline.CodeOf(err) != CodeUnauthorized {
		t.Errorf("without the token: %v", err)
	}
	for _, bad := range []string{"localhost:8380", "ftp://x", "http://", "::"} {
		if _, err := DialURL(bad, ""); err == nil {
			t.Errorf("%q is taken for a URL", bad)
		}
	}
}

// A server that gives a request little time still lets one wait that asked to,
// and keeps a stream open.
func TestDeadlinesOfWaitsAndStreams(t *testing.T) {
	h, views := viewHandlers(t)
	h.Requests = 1
	server := httptest.NewUnstartedServer(h.HTTP())
	server.Config.ReadTimeout, server.Config.WriteTimeout = 100*time.Millisecond, 100*time.Millisecond
	server.Start()
	defer server.Close()
	resp, err := http.Get(server.URL + "/v1/views/customers/rows/1?wait_for=shop:6&timeout=400ms")
	if err != nil || resp.StatusCode != http.StatusGatewayTimeout {
		t.Fatalf("%v %v", resp, err)
	}
	_ = resp.Body.Close()

	s := listen(t, server.URL, "")
	defer s.stop()
	if got := s.until("epoch"); strings.Count(got, "event: row\n") != 3 || !strings.Contains(got, `data: {"position":"crm:7~shop:5"}`) {
		t.Fatalf("the rows: %s", got)
	}
	resp, err = http.Get(server.URL + "/v1/views/customers/rows/1?wait_for=shop:6&timeout=400ms") // meanwhile the deadlines pass
	if err != nil || resp.StatusCode != http.StatusGatewayTimeout {
		t.Fatalf("I9 a stream holds the one place of requests: %v %v", resp, err)
	}
	_ = resp.Body.Close()
	views["customers"].Step(epoch(6), []schema.Row{person(1, "Oslo", "1")}, schema.Row{schema.Int(3)})
	want := "event: change\ndata: {\"key\":{\"id\":1},\"row\":{\"id\":1,\"city\":\"Oslo\",\"spent\":1}}\n\n" +
		"event: change\ndata: {\"key\":{\"id\":3},\"row\":null}\n\n" +
		"id: 0000000000000001-6\nevent: epoch\ndata: {\"position\":\"crm:7~shop:6\"}\n\n"
	if got := s.until("epoch"); got != want {
		t.Fatalf("the changes: %s", got)
	}

	again := listen(t, server.URL, "0000000000000001-5")
	defer again.stop()
	if got := again.until("epoch"); got != "retry: 1000\n\n"+want {
		t.Fatalf("resumed: %s", got)
	}
	resp, err = http.Get(server.URL + "/v1/views/customers/changes")
	if err != nil || resp.StatusCode != http.StatusServiceUnavailable {
		t.Fatalf("I9 a third of two streams: %v %v", resp, err)
	}
	_ = resp.Body.Close()
}

// An ear listens to a stream.
type ear struct {
	stop  context.CancelFunc
	lines *bufio.Reader
	t     *testing.T
}

func listen(t *testing.T, url, last string) *ear {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/v1/views/customers/changes", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Last-Event-ID", last)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatal(fmt.Sprint(resp.Status, resp.Header))
	}
	return &ear{stop, bufio.NewReader(resp.Body), t}
}

// until gives what comes up to and with an event.
func (e *ear) until(event string) string {
	e.t.Helper()
	var b strings.Builder
	for last := false; ; {
		line, err := e.lines.ReadString('\n')
		if err != nil {
			e.t.Fatalf("%v after %s", err, b.String())
		}
		b.WriteString(line)
		last = last || line == "event: "+event+"\n"
		if last && line == "\n" {
			return b.String()
		}
	}
}
