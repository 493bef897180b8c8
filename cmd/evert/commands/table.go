package commands

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/capture"
	"github.com/evertdb/evert/pipeline/control"
	"github.com/evertdb/evert/pipeline/log"
)

// CodeNoTable says that a source captures no such table.
const CodeNoTable pipeline.Code = "NO_SUCH_TABLE"

// codeSkipTable says that a row of a table is not skipped.
const codeSkipTable pipeline.Code = "TABLE_NOT_SKIPPED"

// IsTable tells the name of a table, source.schema.table, from that of a sink.
func IsTable(name string) bool { return strings.Contains(name, ".") }

// A TableName is a table of a source.
type TableName struct {
	Source, Table string // schema.table
}

func (p TableName) String() string { return p.Source + "." + p.Table }

// TableAt finds the table of a name in the file.
func TableAt(c *configs.Config, name string) (TableName, error) {
	source, rest, _ := strings.Cut(name, ".")
	s := c.Sources[source]
	if s == nil {
		return TableName{}, &pipeline.Refusal{Code: CodeNoTable, Where: name, What: fmt.Sprintf("there is no source %q", source),
			Mend: fmt.Sprintf("name a table as SOURCE.SCHEMA.TABLE, of one of %v", slices.Sorted(maps.Keys(c.Sources)))}
	}
	p, err := configs.ParseTable(rest)
	if err != nil {
		return TableName{}, &pipeline.Refusal{Code: CodeNoTable, Where: name, What: "it is no name of a table", Err: err, Mend: "name it as SOURCE.SCHEMA.TABLE"}
	}
	schema, table, exact := p.Exact()
	if !exact || !s.Writes(schema, table) {
		return TableName{}, &pipeline.Refusal{Code: CodeNoTable, Where: "source " + source, What: "it captures no table " + p.String(),
			Mend: "evert status   # which tables it captures"}
	}
	return TableName{source, p.String()}, nil
}

// ToTable writes a command into the control topic.
func ToTable(ctx context.Context, c *configs.Config, l log.Log, name string, command api.TableCommand) (api.TableAnswer, error) {
	at, err := TableAt(c, name)
	if err != nil {
		return api.TableAnswer{}, err
	}
	given := control.Given{At: time.Now().UTC().Truncate(time.Millisecond), By: command.By}
	holds, err := control.ChangeTable(ctx, l, c.Name, control.Entry{Command: command.Command, Table: at.String(), By: command.By}, func(t *control.Table) error {
		return applyTableCommand(t, at, command.Command, given)
	})
	answer := api.TableAnswer{Table: at.String(), Paused: holds.Paused, Copy: holds.Copy, Changed: err == nil}
	if errors.Is(err, errSame) {
		err = nil
	}
	return answer, err
}

func applyTableCommand(t *control.Table, at TableName, command string, given control.Given) error {
	again := &control.Request{ID: rand.Text(), Given: given}
	switch command {
	case "pause":
		if t.Paused != nil {
			return errSame
		}
		t.Paused = &given
	case "resume":
		if t.Paused == nil {
			return errSame
		}
		t.Paused, t.Copy = nil, again
	case "snapshot":
		if t.Paused != nil {
			return &pipeline.Refusal{Code: capture.CodePaused, Where: "table " + at.String(), What: "it was paused by " + t.Paused.By + ", so it is not copied",
				Mend: "evert resume " + at.String() + "   # copies it again"}
		}
		t.Copy = again
	default:
		return &pipeline.Refusal{Code: api.CodeBadRequest, What: "there is no such command to a table", Mend: "use the `evert` of the same version as the daemon"}
	}
	return nil
}

// NotSkipped says why a row of a table is not skipped.
func NotSkipped(name string) error {
	return &pipeline.Refusal{Code: codeSkipTable, Where: "table " + name,
		What: "a topic is what its table is, so no row of it is left out: every view and sink would be without it, and nobody would know",
		Mend: "on_oversize: dead_letter   # below the source's overrides, for rows that are too large; whatever else stopped it: evert snapshot " + name}
}
