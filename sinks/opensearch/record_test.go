package opensearch

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// With -record, TestRecord asks a running server, which is empty, and writes down
// what it answers for TestAnswers:
//
//	go test ./sinks/opensearch -run TestRecord -record http://127.0.0.1:9200 -record-as elasticsearch-9.2
var (
	recordURL  = flag.String("record", "", "URL of the server whose answers are written down")
	recordName = flag.String("record-as", "", "name of the file below testdata/answers")
)

// A question is one operation of a bulk, and what is done before it.
type question struct {
	name   string
	before []string // METHOD /path body
	query  string   // of the bulk
	bulk   string
}

const recordedMapping = `"mappings":{"dynamic":"strict","properties":{"id":{"type":"long"},"v":{"type":"keyword"}}}`

func questions() []question {
	long := strings.Repeat("x", 40_000)
	index := func(id int, version int, doc string) string {
		return fmt.Sprintf(`{"index":{"_index":"items-1","_id":"%d","version":%d,"version_type":"external"}}`+"\n%s\n", id, version, doc)
	}
	elsewhere := func(index string) string {
		return fmt.Sprintf(`{"index":{"_index":%q,"_id":"1"}}`+"\n{\"id\":1}\n", index)
	}
	return []question{
		{name: "created", before: []string{"PUT /items-1 {" + recordedMapping + "}"}, bulk: index(1, 512, `{"id":1}`)},
		{name: "older than what is there", bulk: index(1, 256, `{"id":1}`)},
		{name: "text where a number belongs", bulk: index(2, 256, `{"id":"secret"}`)},
		{name: "a delete of nothing", bulk: `{"delete":{"_index":"items-1","_id":"3","version":256,"version_type":"external"}}` + "\n"},
		{name: "a disk past its flood stage", before: []string{"PUT /full {}", `PUT /full/_settings {"index.blocks.read_only_allow_delete":true}`}, bulk: elsewhere("full")},
		{name: "a shard that is nowhere", before: []string{`PUT /nowhere?wait_for_active_shards=0 {"settings":{"index.routing.allocation.require._name":"nobody"}}`}, query: "timeout=100ms", bulk: elsewhere("nowhere")},
		{name: "a term that is too long", bulk: index(6, 256, `{"v":"`+long+`"}`)},
		{name: "no alias", query: "require_alias=true", bulk: `{"index":{"_index":"items-1-WRITER-x","_id":"7","version":256,"version_type":"external"}}` + "\n{}\n"},
		{name: "a name that is none", bulk: `{"delete":{"_index":"items-1-WRITER-x","_id":"8","version":256,"version_type":"external"}}` + "\n"},
		{name: "a write block", before: []string{"PUT /blocked {}", `PUT /blocked/_settings {"index.blocks.write":true}`}, bulk: elsewhere("blocked")},
		{name: "a field that is not mapped", bulk: index(10, 256, `{"zz":1}`)},
		{name: "a closed index", before: []string{"PUT /shut {}", "POST /shut/_close"}, bulk: elsewhere("shut")},
	}
}

// recorded is what a server has said, as it lies in a file.
type recorded struct {
	How      string          `json:"how"`
	Server   string          `json:"server"` // none: it is too old
	Info     json.RawMessage `json:"info"`
	Bulk     json.RawMessage `json:"bulk"`
	Verdicts []string        `json:"verdicts"`
}

func TestRecord(t *testing.T) {
	if *recordURL == "" {
		return // an instrument: what it has written is held to by TestAnswers
	}
	r := recorder{T: t, url: strings.TrimSuffix(*recordURL, "/")}
	said := recorded{How: "recorded"}
	if said.Info = r.ask(http.MethodGet, "/", ""); !json.Valid(said.Info) || bytes.Contains(said.Info, []byte(`"error"`)) {
		said.How, said.Info = "recorded; the answer to GET / is put together from that to GET /_nodes", r.composed()
	}
	var items []json.RawMessage
	for _, q := range questions() {
		items = append(items, r.question(q))
	}
	said.Bulk = sure(json.Marshal(map[string]any{"errors": true, "items": items}))
	all := sure(itemsOf(said.Bulk, len(items)))
	for i := range all {
		said.Verdicts = append(said.Verdicts, verdictText(answersOptions(), &all[i], said.Bulk, i))
	}
	who, err := detected(t, said.Info)
	if said.Server = who.name(); err != nil {
		t.Fatal(err)
	}
	text := sure(json.MarshalIndent(said, "", " "))
	if err := os.WriteFile(filepath.Join("testdata", "answers", *recordName+".json"), append(text, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
}

type recorder struct {
	*testing.T
	url string
}

// question gives what the server says of one operation.
func (r recorder) question(q question) json.RawMessage {
	for _, b := range q.before {
		method, rest, _ := strings.Cut(b, " ")
		path, body, _ := strings.Cut(rest, " ")
		if answer := r.ask(method, path, body); bytes.Contains(answer, []byte(`"error"`)) {
			r.Fatalf("%s: %s: %s", q.name, b, answer)
		}
	}
	var told struct{ Items []json.RawMessage }
	answer := r.ask(http.MethodPost, "/_bulk?"+q.query, q.bulk)
	if err := json.Unmarshal(answer, &told); err != nil || len(told.Items) != 1 {
		r.Fatalf("%s: %s", q.name, answer)
	}
	return told.Items[0]
}

func (r recorder) ask(method, path, body string) json.RawMessage {
	q := sure(http.NewRequestWithContext(r.Context(), method, r.url+path, strings.NewReader(body)))
	q.Header.Set("Content-Type", "application/json")
	answer := sure(http.DefaultClient.Do(q))
	defer answer.Body.Close()
	return sure(io.ReadAll(answer.Body))
}

// composed is for a node of Elasticsearch's published jars, among which the one that
// answers GET / is not.
func (r recorder) composed() json.RawMessage {
	var told struct {
		Nodes map[string]struct{ Version string }
	}
	if err := json.Unmarshal(r.ask(http.MethodGet, "/_nodes", ""), &told); err != nil || len(told.Nodes) != 1 {
		r.Fatalf("nodes: %v, %v", told, err)
	}
	for _, n := range told.Nodes {
		return sure(json.Marshal(map[string]any{"version": map[string]any{"number": n.Version}, "tagline": "You Know, for Search"}))
	}
	return nil
}

func sure[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
