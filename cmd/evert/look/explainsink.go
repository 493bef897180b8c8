package look

import (
	"encoding/json"
	"strings"

	"github.com/evertdb/evert/cmd/evert/outlets"
	"github.com/evertdb/evert/cmd/evert/terminal"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/pipeline/log"
)

// sinkExplained is what `evert explain SINK` prints: what the file says of it.
type sinkExplained struct {
	Sink       string `json:"sink"`
	Kind       string `json:"kind"`
	From       string `json:"from"`
	Topic      string `json:"topic"`
	Frontier   string `json:"frontier"`
	Owned      string `json:"owned_by"` // the topic by which one daemon owns it
	Transforms int    `json:"transforms"`
	Atomic     bool   `json:"atomic"`
	Definition string `json:"definition"` // when it changes, the system is filled anew
}

func explainedSink(c *configs.Config, name string) (*sinkExplained, error) {
	s := c.Sinks[name]
	kind, connector, err := outlets.KindOf(outlets.Connectors(), name, s)
	if err != nil {
		return nil, err
	}
	topics := outlets.TopicsOf(c, s)
	_, owner := outlets.OwnerOf(s)
	return &sinkExplained{Sink: name, Kind: kind, From: s.From.String(), Topic: strings.Join(topics, ", "), Frontier: log.FrontierTopic(c.Name, owner), Owned: deliver.Topic(c.Name, name),
		Transforms: len(s.Transforms), Atomic: connector.Atomic, Definition: outlets.Definition(s, connector, topics)}, nil
}

func (a verbs) explainSink(c *configs.Config, name string) error {
	e, err := explainedSink(c, name)
	if err != nil {
		return err
	}
	if a.JSON() {
		out := json.NewEncoder(a.Out)
		out.SetIndent("", "  ")
		return out.Encode(e)
	}
	commits := "row by row, each idempotent by its place in the topic"
	if e.Atomic {
		commits = "whole transactions of the source"
	}
	t := terminal.Table{Style: a.Style(a.Out)}
	t.Add("sink", e.Sink+", "+e.Kind)
	t.Add("from", e.From)
	t.Add("reads", e.Topic)
	t.Add("up to", "the newest sound cut of "+e.Frontier)
	t.Add("transforms", terminal.Count(int64(e.Transforms)))
	t.Add("commits", commits)
	t.Add("owned by", e.Owned)
	t.Add("definition", e.Definition)
	return t.Write(a.Out)
}
