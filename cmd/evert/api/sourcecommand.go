package api

import (
	"context"
	"net/http"
	"net/url"
)

// SourceCommands are what people may do with sources while the daemon runs. The method
// may be called from any goroutine.
type SourceCommands interface {
	// Drain reads a source to its end before its server is upgraded, and returns when it
	// has stopped there; or lets a drained one go on.
	Drain(ctx context.Context, source string, d Drain) (Drained, error)
}

// A Drain is a command to drain a source.
type Drain struct {
	WritersStopped bool `json:"writers_stopped"` // somebody vouches that nobody writes
	UntilShutdown  bool `json:"until_shutdown"`  // it ends with the server, and reads what is written until then
	Cancel         bool `json:"cancel"`          // let it go on on the server that it was drained on
}

// A Drained says where a source was drained, and what is to be done now.
type Drained struct {
	Source   string   `json:"source"`
	Position string   `json:"position,omitempty"` // native; empty: it goes on
	ReadOnly bool     `json:"read_only"`          // its database refuses to be written to
	Next     []string `json:"next,omitempty"`     // in order
}

func (h Handlers) drain(w http.ResponseWriter, r *http.Request) {
	var d Drain
	if !reads(w, r, &d) {
		return
	}
	answer, err := h.Sources.Drain(r.Context(), r.PathValue("source"), d)
	respond(w, answer, err)
}

// Drain sends a drain; it lasts until everything is read, and ends with ctx.
func (c *Client) Drain(ctx context.Context, source string, d Drain) (a Drained, err error) {
	return a, c.call(ctx, http.MethodPost, "/v1/sources/"+url.PathEscape(source)+"/drain", d, &a)
}
