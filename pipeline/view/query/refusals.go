package query

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
)

// The codes of reads that are refused.
const (
	CodeRequest  pipeline.Code = "READ_INVALID"
	CodeIndex    pipeline.Code = "INDEX_NEEDED"
	CodeNoRow    pipeline.Code = "NO_SUCH_ROW"
	CodeCursor   pipeline.Code = "CURSOR_GONE"
	CodeTimeout  pipeline.Code = "WAIT_TIMEOUT"
	CodeNotReady pipeline.Code = "VIEW_NOT_READY"
	CodeSlow     pipeline.Code = "STREAM_TOO_SLOW"
	CodeOld      pipeline.Code = "VIEW_OLD_VERSION"
)

// badRequest refuses what a client asked for. Neither text may hold a value.
func badRequest(what, mend string) error {
	return &pipeline.Refusal{Code: CodeRequest, What: what, Mend: mend}
}

// noOrder refuses a column whose values cannot be kept in order.
func noOrder(c *schema.Column) error {
	return badRequest(fmt.Sprintf("column %q of type %s has no order: nothing can be filtered or ordered by it", c.Name, c.Type.Name), "filter and order by other columns")
}

func noRow() error {
	return &pipeline.Refusal{Code: CodeNoRow, What: "the view has no row with this key", Mend: "if it was committed just now, add wait_for with the position behind the commit"}
}

func cursorGone() error {
	return &pipeline.Refusal{Code: CodeCursor, What: "the cursor has ended: it was not used for serve.cursor_ttl, gave way to newer ones, or is from before a restart",
		Mend: "read again from the first page, without cursor"}
}

// notReached says that what is read, a view or something else, has not come to
// what was waited for.
func notReached(of string, waited time.Duration, at Vector) error {
	where := "nothing yet"
	if len(at) > 0 {
		where = at.String()
	}
	return &pipeline.Refusal{Code: CodeTimeout, Where: of, Mend: "ask again with the same wait_for; `evert status` shows how far the source is behind",
		What: fmt.Sprintf("the position of wait_for was not reached within %s; it is at %s", waited, where)}
}

// notReady says why a view cannot be read at all.
func notReady(view string, s State) error {
	r := &pipeline.Refusal{Code: CodeNotReady, Where: "view " + view, What: "it cannot be read yet: " + progress(s),
		Mend: "ask again; `evert status` shows the progress"}
	if s.Why != nil {
		r.Err, r.Mend = stated(s.Why), s.Why.Mend
	}
	return r
}

// stated is a refusal without its mend, to stand within another.
func stated(r *pipeline.Refusal) error {
	text, _, _ := strings.Cut(r.Error(), "\n")
	return errors.New(text)
}

func progress(s State) string {
	if s.Phase != Filling {
		return "it is " + s.Phase.String()
	}
	text := "it fills for the first time"
	if s.Of > 0 {
		text += fmt.Sprintf(", %d of about %d rows", s.Rows, s.Of)
	}
	if s.Left > 0 {
		text += fmt.Sprintf(", %s left", s.Left.Round(time.Second))
	}
	return text
}

// noProgress refuses to wait for a view that has stopped.
func noProgress(view string, s State, at Vector) error {
	r := &pipeline.Refusal{Code: CodeTimeout, Where: "view " + view, What: "it has stopped at " + at.String() + " and does not come to the position of wait_for",
		Mend: "read without wait_for to see its last rows, and mend the view: `evert status` says why it stopped"}
	if s.Why != nil {
		r.Err, r.Mend = stated(s.Why), s.Why.Mend
	}
	return r
}

// ofBefore says that rows are of an earlier definition.
func ofBefore() *pipeline.Refusal {
	return &pipeline.Refusal{Code: CodeOld, What: "the view has another definition now, which is being built; this is the one before, as it was when that began",
		Mend: "wait for the new one with wait_for and a position of now; `evert status` shows how far it is"}
}

func tooSlow() error {
	return &pipeline.Refusal{Code: CodeSlow, What: "the client took the changes more slowly than they came, and what it still needed is no longer held",
		Mend: "read faster, or raise limits.stream_bytes; connect anew for all rows"}
}

// damaged is an error of the state itself, which the one who maintains the view
// comes to as well, and deals with.
func damaged(what string) error { return fmt.Errorf("the state of the view is damaged: %s", what) }
