package faultserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// operation is one of a bulk request.
type operation struct {
	ID      string `json:"_id"`
	Version int64  `json:"version"`
	Type    string `json:"version_type"`
	verb    string
	source  json.RawMessage
}

// actions reads the lines of a bulk request; nil if they are not well formed.
func actions(body []byte) (list []operation) {
	lines := bytes.Split(bytes.TrimSuffix(body, []byte("\n")), []byte("\n"))
	for i := 0; i < len(lines); i++ {
		var action map[string]operation
		if json.Unmarshal(lines[i], &action) != nil || len(action) != 1 {
			return nil
		}
		for verb, o := range action {
			o.verb = verb
			if verb != "delete" {
				i++
				if i == len(lines) || !json.Valid(lines[i]) {
					return nil
				}
				o.source = bytes.Clone(lines[i])
			}
			list = append(list, o)
		}
	}
	return list
}

// bulk does what a request asks, item by item.
func (s *Server) bulk(path string, body []byte, f Fault) (int, []byte) {
	list := actions(body)
	if list == nil {
		return failed(400, "illegal_argument_exception", "Malformed action/metadata line")
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	x := s.aliased(name)
	s.seen.Largest = max(s.seen.Largest, len(list))
	var out bytes.Buffer
	out.WriteString(`{"took":1,"items":[`)
	for i := range list {
		if i > 0 {
			out.WriteByte(',')
		}
		status, kind, reason := 404, "index_not_found_exception", "no such index ["+name+"]"
		if x != nil {
			status, kind, reason = s.item(x, &list[i], f, i)
		}
		fmt.Fprintf(&out, `{%q:{"status":%d`, list[i].verb, status)
		if kind != "" {
			fmt.Fprintf(&out, `,"error":{"type":%q,"reason":%q}`, kind, reason)
		}
		out.WriteString("}}")
	}
	out.WriteString(`]}`)
	return 200, out.Bytes()
}

// aliased gives the index behind an alias, and none behind an index's own name
// (require_alias).
func (s *Server) aliased(name string) *index {
	if s.indexes[name] != nil {
		return nil
	}
	return s.behind(name)
}

func (s *Server) item(x *index, o *operation, f Fault, i int) (status int, kind, reason string) {
	if f.Item != nil {
		if status := f.Item(i); status != 0 && (status != 400 || o.verb != "delete") { // a delete has no document that could be malformed
			return status, map[int]string{429: "rejected_execution_exception", 503: "unavailable_shards_exception", 400: "mapper_parsing_exception"}[status], "failed to parse field [v] of type [text]. Preview of field's value: 'secret'"
		}
	}
	if o.Type != "external" || o.Version <= 0 {
		return 400, "action_request_validation_exception", "illegal version"
	}
	d := x.docs[o.ID]
	if d != nil && d.version >= o.Version {
		return 409, "version_conflict_engine_exception", fmt.Sprintf("[%s]: version conflict, current version [%d] is higher or equal to the one provided [%d]", o.ID, d.version, o.Version)
	}
	there := d != nil && d.source != nil
	x.docs[o.ID] = &doc{version: o.Version, source: o.source}
	switch {
	case o.verb == "delete" && !there:
		return 404, "", ""
	case o.verb == "delete" || there:
		return 200, "", ""
	}
	return 201, "", ""
}
