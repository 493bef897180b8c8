package outlets

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"path/filepath"

	"strings"

	"github.com/evertdb/evert/cmd/evert/steps"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/view"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/registry"
)

// PlaceOf is where a sink stands, but for what takes its rejected rows.
func PlaceOf(c *configs.Config, name string, logger *slog.Logger, topics log.Log, schemas registry.Registry) Place {
	p := Place{Config: c, Name: name, Topics: TopicsOf(c, c.Sinks[name]), Dir: filepath.Join(c.DataDir, "sinks", name), Log: logger, Rejects: deliver.Stop{}}
	p.Table = func(ctx context.Context) (*schema.Table, error) {
		_, t, err := deliver.Shape(ctx, schemas, p.Topics[0])
		return t, err
	}
	p.Keeper = func() deliver.Keeper { return deliver.NewKeeper(topics, c.Name, name) }
	return p
}

// TopicsOf names the topics of the view or tables that a sink delivers.
func TopicsOf(c *configs.Config, s *configs.Sink) (topics []string) {
	source, tables, ok := s.Tables()
	if !ok {
		return []string{view.Topic(c.Name, s.From[0])}
	}
	for _, t := range tables {
		schemaName, table, _ := t.Exact()
		topics = append(topics, log.TableTopic(c.Sources[source].TopicPrefix, schemaName, table))
	}
	return topics
}

// OwnerOf says whose frontier a sink goes by.
func OwnerOf(s *configs.Sink) (of, owner string) {
	if source, _, ok := s.Tables(); ok {
		return "source " + source, source
	}
	return "view " + s.From[0], log.ViewOwner(s.From[0])
}

// Definition says what a sink's system is filled from and how.
func Definition(s *configs.Sink, c Connector, topics []string) string {
	transforms, err := json.Marshal(s.Transforms)
	if err != nil {
		panic(err) // texts and numbers always have a JSON form
	}
	sum := sha256.Sum256([]byte(strings.Join(topics, "\x00") + "\x00" + c.Shape(s) + "\x00" + string(transforms) + steps.MaskKeys(s.Transforms)))
	return hex.EncodeToString(sum[:16])
}
