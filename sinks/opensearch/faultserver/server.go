package faultserver

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// A Fault is what happens to one request.
type Fault struct {
	Status int           // answered instead, without any effect; 0: none
	Header http.Header   // of that answer
	Lost   bool          // it has its effect, and the connection breaks before the answer
	Torn   bool          // it has its effect, and half of the answer comes
	Later  bool          // a copy of it arrives again when Late is called
	Item   func(int) int // the status that an item fails with, without an effect; 0: none
}

// A Request is what a script decides by.
type Request struct {
	Method, Path string
	Bulk         bool
	Items        int // operations of a bulk request
	Bytes        int // of the body
}

// A Server is one cluster. Its methods may be called from any goroutine.
type Server struct {
	http *httptest.Server

	mu      sync.Mutex
	script  func(Request) Fault
	indexes map[string]*index
	made    int
	late    []saved
	most    int // bytes of a request that are taken; 0: all
	seen    Counts
	open    map[string]int // by _id, the requests under way that hold it
}

// Counts are what was seen.
type Counts struct {
	Bulks, Items, Refused int
	Largest               int // items of the largest bulk request that was taken
	Overlaps              int // operations on a document that was in another request under way
	Made                  []string
}

type saved struct {
	path string
	body []byte
}

type index struct {
	uuid    string
	aliases map[string]bool
	meta    json.RawMessage
	docs    map[string]*doc
	seq     int64
}

type doc struct {
	version int64
	seq     int64
	source  json.RawMessage // nil: deleted, and its version is remembered
}

// Start starts a server without faults.
func Start() *Server {
	s := &Server{indexes: map[string]*index{}, open: map[string]int{}, script: func(Request) Fault { return Fault{} }}
	s.http = httptest.NewServer(s)
	return s
}

// URL of the server.
func (s *Server) URL() string { return s.http.URL }

// Close ends it.
func (s *Server) Close() { s.http.Close() }

// Script sets what happens to requests from now on. It is called under a lock, and
// calls no method of the server.
func (s *Server) Script(f func(Request) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = f
}

// Limit refuses requests above so many bytes with 413.
func (s *Server) Limit(bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.most = bytes
}

// Counts gives what was seen so far.
func (s *Server) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.seen
	c.Made = slices.Clone(c.Made)
	return c
}

// Late lets every copy that was kept back arrive.
func (s *Server) Late() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.late {
		s.bulk(l.path, l.body, Fault{})
	}
	s.late = nil
}

// Forget lets index.gc_deletes pass: versions of deleted documents are forgotten.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.indexes {
		maps.DeleteFunc(x.docs, func(_ string, d *doc) bool { return d.source == nil })
	}
}

// Drop deletes an index, as a person does.
func (s *Server) Drop(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.indexes, name)
}

// Replace puts another index in the place of one: same name, aliases and documents,
// as a backup that is restored.
func (s *Server) Replace(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made++
	s.indexes[name].uuid = "uuid-" + strconv.Itoa(s.made)
}

// Documents gives what readers of an alias see.
func (s *Server) Documents(alias string) map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]string{}
	for _, x := range s.indexes {
		if !x.aliases[alias] {
			continue
		}
		for id, d := range x.docs {
			if d.source != nil {
				out[id] = string(d.source)
			}
		}
	}
	return out
}

// Indexes gives the names of all.
func (s *Server) Indexes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.indexes))
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := read(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	f, refused := s.decide(r, body)
	if refused {
		maps.Copy(w.Header(), f.Header)
		w.WriteHeader(f.Status)
		fmt.Fprintf(w, `{"error":{"type":"scripted","reason":"as the script says"},"status":%d}`, f.Status)
		return
	}
	status, answer := s.serve(r, body, f)
	if f.Lost {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json")
	if f.Torn {
		w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
		w.WriteHeader(status)
		_, _ = w.Write(answer[:len(answer)/2])
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(status)
	_, _ = w.Write(answer)
}

func read(r *http.Request) ([]byte, error) {
	from := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, err
		}
		from = unpacked
	}
	return io.ReadAll(from)
}

// decide asks the script.
func (s *Server) decide(r *http.Request, body []byte) (f Fault, refused bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := Request{Method: r.Method, Path: r.URL.Path, Bulk: strings.HasSuffix(r.URL.Path, "/_bulk"), Bytes: len(body)}
	if q.Bulk {
		q.Items = len(actions(body))
		s.seen.Bulks++
		s.seen.Items += q.Items
	}
	f = s.script(q)
	if f.Status == 0 && s.most > 0 && len(body) > s.most {
		f.Status = http.StatusRequestEntityTooLarge
	}
	if f.Status != 0 {
		s.seen.Refused++
	}
	if f.Later && q.Bulk {
		s.late = append(s.late, saved{r.URL.Path, bytes.Clone(body)})
	}
	return f, f.Status != 0
}

// serve does what was asked.
func (s *Server) serve(r *http.Request, body []byte, f Fault) (int, []byte) {
	if strings.HasSuffix(r.URL.Path, "/_bulk") {
		s.enter(body, 1)
		defer s.enter(body, -1)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	name, verb := parts[0], ""
	if len(parts) > 1 {
		verb = parts[1]
	}
	switch {
	case name == "":
		return 200, []byte(`{"version":{"distribution":"opensearch","number":"2.19.1"}}`)
	case name == "_aliases":
		return s.alias(body)
	case verb == "_bulk":
		return s.bulk(r.URL.Path, body, f)
	case verb == "_doc":
		return s.document(r, name, parts[2], body)
	case verb == "_refresh":
		return 200, []byte(`{}`)
	case verb == "_settings" && r.Method == http.MethodGet:
		return s.settings(name)
	case verb == "_settings":
		return 200, []byte(`{"acknowledged":true}`)
	case verb == "_mapping":
		return s.widen(name, body)
	case r.Method == http.MethodPut:
		return s.create(name, body)
	case r.Method == http.MethodDelete:
		delete(s.indexes, name)
		return 200, []byte(`{"acknowledged":true}`)
	}
	return s.describe(name)
}

// enter notes which documents a request under way holds, and counts those that
// another one holds at the same time.
func (s *Server) enter(body []byte, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	mine := map[string]bool{}
	for _, a := range actions(body) {
		mine[a.ID] = true
	}
	for id := range mine {
		if n > 0 && s.open[id] > 0 {
			s.seen.Overlaps++
		}
		s.open[id] += n
	}
}

func failed(status int, kind, reason string) (int, []byte) {
	text, _ := json.Marshal(map[string]any{"status": status, "error": map[string]string{"type": kind, "reason": reason}})
	return status, text
}

func (s *Server) behind(name string) *index {
	if x := s.indexes[name]; x != nil {
		return x
	}
	for _, x := range s.indexes {
		if x.aliases[name] {
			return x
		}
	}
	return nil
}

func (s *Server) create(name string, body []byte) (int, []byte) {
	if s.behind(name) != nil {
		return failed(400, "resource_already_exists_exception", "index ["+name+"] already exists")
	}
	var asked struct {
		Aliases  map[string]any
		Mappings struct {
			Meta json.RawMessage `json:"_meta"`
		}
	}
	if err := json.Unmarshal(body, &asked); err != nil {
		return failed(400, "parse_exception", err.Error())
	}
	s.made++
	x := &index{uuid: "uuid-" + strconv.Itoa(s.made), aliases: map[string]bool{}, meta: asked.Mappings.Meta, docs: map[string]*doc{}}
	for alias := range asked.Aliases {
		x.aliases[alias] = true
	}
	s.indexes[name] = x
	s.seen.Made = append(s.seen.Made, name)
	return 200, []byte(`{"acknowledged":true}`)
}

func (s *Server) widen(name string, body []byte) (int, []byte) {
	var asked struct {
		Meta json.RawMessage `json:"_meta"`
	}
	if err := json.Unmarshal(body, &asked); err != nil || s.indexes[name] == nil {
		return failed(404, "index_not_found_exception", "no such index")
	}
	s.indexes[name].meta = asked.Meta
	return 200, []byte(`{"acknowledged":true}`)
}

func (s *Server) settings(name string) (int, []byte) {
	x := s.behind(name)
	if x == nil {
		return failed(404, "index_not_found_exception", "no such index")
	}
	return 200, fmt.Appendf(nil, `{%q:{"settings":{"index":{"uuid":%q}}}}`, name, x.uuid)
}

// describe answers a look at names with wildcards.
func (s *Server) describe(names string) (int, []byte) {
	out := map[string]any{}
	for _, name := range strings.Split(names, ",") {
		prefix, wild := strings.CutSuffix(name, "*")
		for own, x := range s.indexes {
			if own == name || x.aliases[name] || wild && strings.HasPrefix(own, prefix) {
				out[own] = map[string]any{
					"aliases":  x.aliases,
					"mappings": map[string]any{"_meta": x.meta},
					"settings": map[string]any{"index": map[string]any{"uuid": x.uuid}},
				}
			}
		}
	}
	text, _ := json.Marshal(out)
	return 200, text
}

// alias does all actions, or none.
func (s *Server) alias(body []byte) (int, []byte) {
	var asked struct {
		Actions []map[string]struct{ Index, Alias string }
	}
	if err := json.Unmarshal(body, &asked); err != nil {
		return failed(400, "parse_exception", err.Error())
	}
	for _, a := range asked.Actions {
		for _, on := range a {
			if s.indexes[on.Index] == nil {
				return failed(404, "index_not_found_exception", "no such index ["+on.Index+"]")
			}
		}
		if on, ok := a["remove"]; ok && !s.indexes[on.Index].aliases[on.Alias] {
			return failed(404, "aliases_not_found_exception", "aliases missing")
		}
	}
	for _, a := range asked.Actions {
		for verb, on := range a {
			switch verb {
			case "add":
				s.indexes[on.Index].aliases[on.Alias] = true
			case "remove":
				delete(s.indexes[on.Index].aliases, on.Alias)
			case "remove_index":
				delete(s.indexes, on.Index)
			}
		}
	}
	return 200, []byte(`{"acknowledged":true}`)
}

// document is a read or a conditional write of one document.
func (s *Server) document(r *http.Request, name, id string, body []byte) (int, []byte) {
	x := s.behind(name)
	if x == nil {
		return failed(404, "index_not_found_exception", "no such index ["+name+"]")
	}
	d := x.docs[id]
	if r.Method == http.MethodGet {
		if d == nil {
			return 404, []byte(`{"found":false}`)
		}
		return 200, fmt.Appendf(nil, `{"found":true,"_seq_no":%d,"_primary_term":1,"_source":%s}`, d.seq, d.source)
	}
	want := r.URL.Query().Get("if_seq_no")
	if d == nil && want != "" || d != nil && want != strconv.FormatInt(d.seq, 10) {
		return failed(409, "version_conflict_engine_exception", "version conflict, required seqNo ["+want+"]")
	}
	x.seq++
	x.docs[id] = &doc{version: 1, seq: x.seq, source: bytes.Clone(body)}
	return 200, fmt.Appendf(nil, `{"_seq_no":%d,"_primary_term":1}`, x.seq)
}
