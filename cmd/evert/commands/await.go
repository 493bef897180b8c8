package commands

import (
	"context"
	"time"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/terminal"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
)

// How often is asked how far a copy is, and how often that is said.
const (
	copyPoll = 250 * time.Millisecond
	copySay  = 5 * time.Second
)

// AwaitCopy waits until the copy that was asked for is whole, and says now and then how
// far it is. Its error says why it will not be, or that somebody commanded another.
func AwaitCopy(ctx context.Context, client *api.Client, asked api.TableAnswer, say func(format string, args ...any)) (api.TableAnswer, error) {
	tick := time.NewTicker(copyPoll)
	defer tick.Stop()
	for said := time.Now(); ; {
		now, err := client.TableCommand(ctx, asked.Table, api.TableCommand{})
		switch {
		case err != nil:
			return now, err
		case now.Copy == nil || asked.Copy == nil || now.Copy.ID != asked.Copy.ID:
			return now, &pipeline.Refusal{Code: api.CodeBadRequest, Where: "table " + asked.Table, What: "somebody has commanded something else meanwhile", Mend: "evert status"}
		case now.Ended && now.Problem == nil: // a table without a row that goes anywhere
			now.Changed = true
			return now, nil
		case now.Ended:
			return now, &pipeline.Refusal{Code: now.Problem.Code, Where: "table " + now.Table, What: "its copy was not begun: " + now.Problem.Text, Mend: "evert status   # why, and what mends it"}
		case now.Begun && now.State == log.OK.String():
			now.Changed = true
			return now, nil
		case now.Begun && now.State == log.Stopped.String():
			return now, stoppedAgain(&now)
		}
		if time.Since(said) > copySay && now.Rows != nil {
			said = time.Now()
			say("table %s: %s", asked.Table, terminal.RowsCopied(*now.Rows, now.Total))
		}
		select {
		case <-ctx.Done():
			return now, context.Cause(ctx)
		case <-tick.C:
		}
	}
}

func stoppedAgain(now *api.TableAnswer) error {
	r := &pipeline.Refusal{Code: "TABLE_STOPPED", Where: "table " + now.Table, What: "it has stopped while it was copied", Mend: "evert status   # why, and what mends it"}
	if p := now.Problem; p != nil && p.Code != "" {
		r.Code, r.What = p.Code, "it has stopped while it was copied: "+p.Text
	}
	return r
}
