package tables

import (
	"context"
	"errors"
	"time"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/commands"
	"github.com/evertdb/evert/cmd/evert/monitor"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline/control"
	"github.com/evertdb/evert/pipeline/log"
)

// Commands are what people may do with the tables of a daemon.
type Commands struct {
	File    *configs.Config
	Topics  log.Log
	Control *control.Follower
	Running func(source string) *Tables // of the stage that runs; nil if none does
}

// takePatience is how long a source is waited for that is to take a copy on.
const takePatience = 20 * time.Second

// TableCommand implements api.TableCommands.
func (c *Commands) TableCommand(ctx context.Context, name string, command api.TableCommand) (api.TableAnswer, error) {
	at, err := commands.TableAt(c.File, name)
	if err != nil {
		return api.TableAnswer{}, err
	}
	here := c.Running(at.Source)
	if at.Table, err = here.origin(at.Table); err != nil {
		return api.TableAnswer{}, err
	}
	if command.Command == "" {
		return c.how(ctx, at, here), nil
	}
	if command.Command != "pause" && here != nil {
		if err := here.copyable(at.Table); err != nil {
			return api.TableAnswer{}, err
		}
	}
	answer, err := commands.ToTable(ctx, c.File, c.Topics, at.String(), command)
	if err == nil {
		err = c.Control.Look(ctx)
	}
	if err == nil && here != nil {
		here.wants(at.Table) // so that it rests from the next batch on
	}
	if err != nil || here == nil || command.Command == "pause" || answer.Copy == nil {
		return answer, err
	}
	waiting, cancel := context.WithTimeout(ctx, takePatience)
	defer cancel()
	err = here.taken(waiting, at.Table, answer.Copy.ID)
	answer.Taken = err == nil
	if errors.Is(err, errNotTaken) {
		err = nil // the command stands
	}
	return answer, err
}

// how says how a table is.
func (c *Commands) how(ctx context.Context, at commands.TableName, here *Tables) api.TableAnswer {
	_ = c.Control.Look(ctx) // what is known is said otherwise
	holds, _, _ := c.Control.Table(at.String())
	answer := api.TableAnswer{Table: at.String(), Paused: holds.Paused, Copy: holds.Copy}
	if here == nil {
		return answer
	}
	here.mu.Lock()
	defer here.mu.Unlock()
	written := here.written(at.Table)
	answer.Begun = answer.Copy != nil && begun(written, answer.Copy.ID)
	if answer.Copy != nil && !answer.Begun {
		why, over := here.over[request{at.Table, answer.Copy.ID}]
		if answer.Ended = over; why != nil {
			answer.Problem = monitor.ProblemOf(why, here.Monitor.Now())
		}
	}
	for _, s := range written {
		if answer.State == "" || s.State != log.OK {
			answer.State = s.State.String()
		}
		if s.Why.Code != "" && s.State == log.Stopped && answer.Problem == nil {
			answer.Problem = &monitor.Problem{Code: s.Why.Code, Text: s.Why.Text, At: s.Why.At}
		}
	}
	if n := here.counts[at.Table]; n != nil {
		rows := n.Rows // the stage goes on counting
		answer.Rows = &rows
	}
	return answer
}
