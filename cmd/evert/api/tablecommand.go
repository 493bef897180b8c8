package api

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/evertdb/evert/cmd/evert/monitor"
	"github.com/evertdb/evert/pipeline/control"
)

// TableCommands are what people may do with tables while the daemon runs. The method
// may be called from any goroutine.
type TableCommands interface {
	// TableCommand has a table, named as source.schema.table, copied again, lets it
	// rest, or lets it go on; or only says how it is.
	TableCommand(ctx context.Context, table string, c TableCommand) (TableAnswer, error)
}

// A TableCommand is one thing to do with a table.
type TableCommand struct {
	Command string `json:"command"` // snapshot, pause, resume; empty: nothing
	By      string `json:"by"`      // user@host
}

// A TableAnswer is what holds for a table from then on, and how it is.
type TableAnswer struct {
	Table   string           `json:"table"`
	Paused  *control.Given   `json:"paused"`            // null: it is not
	Copy    *control.Request `json:"copy"`              // the last one that people asked for
	Changed bool             `json:"changed"`           // false: it was so before
	Taken   bool             `json:"taken"`             // the source has taken the copy on
	Begun   bool             `json:"begun"`             // and it has begun
	Ended   bool             `json:"ended,omitempty"`   // and it is not going to, in this run of the source
	State   string           `json:"state,omitempty"`   // copying, ok, stopped; empty: not known here
	Rows    *int64           `json:"rows,omitempty"`    // copied so far
	Total   int64            `json:"total,omitempty"`   // of about so many
	Problem *monitor.Problem `json:"problem,omitempty"` // why it has stopped
}

func (h Handlers) tableCommand(w http.ResponseWriter, r *http.Request) {
	var c TableCommand
	if !reads(w, r, &c) {
		return
	}
	answer, err := h.Tables.TableCommand(r.Context(), r.PathValue("table"), c)
	respond(w, answer, err)
}

// tablePatience is how long a command of a table may take: the source has to take it on.
const tablePatience = time.Minute

// TableCommand sends a command.
func (c *Client) TableCommand(ctx context.Context, table string, t TableCommand) (a TableAnswer, err error) {
	ctx, cancel := context.WithTimeout(ctx, tablePatience)
	defer cancel()
	return a, c.call(ctx, http.MethodPost, "/v1/tables/"+url.PathEscape(table)+"/control", t, &a)
}
