package opensearch

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// A server is what answers: the kind, and its version.
type server struct {
	elastic      bool
	number       string
	major, minor int
}

// name is what people call it.
func (s server) name() string {
	if s.elastic {
		return "Elasticsearch " + s.number
	}
	return "OpenSearch " + s.number
}

// detect asks who is there, once, and refuses what is too old to write to safely.
func (c *client) detect(ctx context.Context) (server, error) {
	var told struct {
		Version struct {
			Number       string `json:"number"`
			Distribution string `json:"distribution"`
		} `json:"version"`
	}
	a, err := c.send(ctx, http.MethodGet, "/", asJSON, nil)
	if err != nil || a.busy() {
		return server{}, c.o.exhausted(a, err) // whoever opens tries again
	}
	if err := a.decode(&told); err != nil {
		return server{}, c.o.refuse(codeVersion, "what answers is no OpenSearch and no Elasticsearch", "correct opensearch.url")
	}
	if !a.ok() {
		return server{}, c.o.wrong("ask for the version", a)
	}
	s := server{elastic: told.Version.Distribution != "opensearch", number: told.Version.Number}
	major, rest, _ := strings.Cut(s.number, ".")
	minor, _, _ := strings.Cut(rest, ".")
	s.major, _ = strconv.Atoi(major)
	s.minor, _ = strconv.Atoi(minor)
	// Requests that name an alias which is not there make an index of older ones
	// (require_alias came with 7.10).
	if s.major == 0 || s.elastic && (s.major < 7 || s.major == 7 && s.minor < 10) {
		return s, c.o.refuse(codeVersion, fmt.Sprintf("%s is not delivered to", s.name()), "use OpenSearch 1.0, Elasticsearch 7.10, or a newer one")
	}
	return s, nil
}

// wrong is the error of an answer that is not well.
func (o *Options) wrong(doing string, a *answer) error {
	if a.kind() == "cluster_block_exception" {
		return o.refuse(codeBlocked, doing+": the index, or the cluster, is blocked for writing",
			fmt.Sprintf(`find out who blocked it and why (a full disk does), then: PUT /%s-*/_settings {"index.blocks.write": null, "index.blocks.read_only": null, "index.blocks.read_only_allow_delete": null}`, o.Index))
	}
	switch a.status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return o.denied(a)
	case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect, http.StatusSeeOther:
		return o.refuse(codeAnswer, fmt.Sprintf("%s: HTTP %d leads elsewhere, which is not followed", doing, a.status), "write the cluster's own address in opensearch.url")
	}
	return o.odd(doing, a)
}

// unknown is the error of an operation that nothing is known about.
func (o *Options) unknown(it *item) error {
	a := &answer{status: it.Status}
	if it.Error != nil {
		a.body, _ = json.Marshal(map[string]any{"error": map[string]string{"type": it.Error.Type}})
	}
	return o.wrong("write documents", a)
}
