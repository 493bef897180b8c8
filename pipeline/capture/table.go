package capture

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/avro"
	"github.com/evertdb/evert/schema/registry"
)

// A table is one version of a source table, with its topic and its codec.
type table struct {
	*schema.Table
	topic      string
	partitions int
	maxBytes   int // of a record
	policy     Policy
	codec      *avro.Codec
	stopSource bool
	keepRows   bool
	appends    bool  // its topic is append-only
	refused    error // why its schema is refused for good; nil: it is not
	keyID      int   // schema ids of the registry
	valueID    int
}

// table gives the table of a shape, made and announced on first sight.
func (s *Sink) table(ctx context.Context, t *schema.Table) (*table, error) {
	if s.last != nil && s.last.Table == t {
		return s.last, nil
	}
	tab, ok := s.tables[t]
	if !ok {
		var err error
		if tab, err = s.open(ctx, t); err != nil {
			return nil, fmt.Errorf("table %s: %w", t, err)
		}
		s.tables[t], s.topics[tab.topic] = tab, tab
	}
	s.last = tab
	return tab, nil
}

// open makes a table's topic and schemas known before its first row.
func (s *Sink) open(ctx context.Context, t *schema.Table) (*table, error) {
	want := s.wanted(t)
	older := s.topics[want.Name]
	if older != nil && older.String() != t.String() {
		return nil, s.collision(want.Name, older.Table, t)
	}
	if _, taken := s.sides[want.Name]; taken {
		return nil, s.collision(want.Name, t, t)
	}
	tab := &table{Table: t, topic: want.Name, partitions: max(want.Partitions, 1), policy: want.OnOversize, stopSource: want.StopSource, keepRows: want.KeepRows, appends: want.Append}
	if err := s.own(ctx, tab.topic); err != nil {
		return nil, err
	}
	tab.refused = s.register(ctx, tab)
	if tab.refused != nil && !stopsTable(tab.refused) {
		return nil, tab.refused
	}
	if older != nil {
		tab.maxBytes = older.maxBytes
	} else if err := s.ensure(ctx, tab, want); err != nil {
		return nil, err
	}
	switch {
	case !s.isStopped(tab.topic) && tab.refused != nil:
		return tab, s.halt(tab.topic, t, tab.refused)
	case s.changed[tab.topic]:
		return tab, nil // it is told of when that is committed
	case s.isStopped(tab.topic) && older == nil:
		s.stoppedBefore(tab.topic, t)
	}
	s.tellTable(tab.topic, t)
	return tab, nil
}

// stopsTable reports whether a schema is refused for good: its table cannot go on,
// and the others can (K24).
func stopsTable(err error) bool {
	code := pipeline.CodeOf(err)
	return code == codeIncompatible || code == codeKeyChanged
}

func (s *Sink) collision(topic string, a, b *schema.Table) error {
	return &pipeline.Refusal{Code: "TOPIC_COLLISION", Where: "tables " + a.String() + " and " + b.String(),
		What: "both would be written to topic " + topic,
		Mend: "leave one out with exclude_tables, or capture it by a source with another topic_prefix"}
}

// register compiles the codec and gets the schema ids.
func (s *Sink) register(ctx context.Context, tab *table) (err error) {
	tab.codec, err = avro.Compile(tab.Table, avro.Options{
		Topic: tab.topic, Envelope: s.Envelope, Handling: s.Handling, Connector: s.Connector, Version: s.Version, Name: s.Prefix, Database: tab.Database,
	})
	if err != nil {
		return err
	}
	if err := s.checkKey(ctx, tab); err != nil {
		return err
	}
	if tab.keyID, err = s.Registry.Register(ctx, tab.topic+"-key", tab.codec.KeySchema()); err != nil {
		return s.notRegistered(tab, "key", err)
	}
	if tab.valueID, err = s.Registry.Register(ctx, tab.topic+"-value", tab.codec.ValueSchema()); err != nil {
		return s.notRegistered(tab, "value", err)
	}
	s.codecs[tab.valueID] = tab.codec
	return nil
}

// notRegistered tells a schema that the topic's readers could not read from a
// registry that does not answer.
func (s *Sink) notRegistered(tab *table, part string, err error) error {
	switch {
	case errors.Is(err, registry.ErrUnregistered):
		return &pipeline.Refusal{Code: "SCHEMA_UNREGISTERED", Where: "subject " + tab.topic + "-" + part, What: "its schema is not registered, and registry.auto_register is false",
			Mend: "evert schemas export --dir schemas   # then register schemas/" + tab.topic + "-" + part + ".avsc under this subject; or set registry.auto_register: true"}
	case errors.Is(err, registry.ErrRefused):
		return &pipeline.Refusal{Code: "REGISTRY_MODE", Where: "subject " + tab.topic + "-" + part, What: "the registry takes no schemas", Err: err,
			Mend: "give evert the right to register, and the subject the mode READWRITE: PUT {\"mode\": \"READWRITE\"} to the registry's /mode"}
	case !errors.Is(err, registry.ErrIncompatible):
		return fmt.Errorf("register the %s schema: %w", part, err)
	}
	return &pipeline.Refusal{Code: codeIncompatible, Where: "topic " + tab.topic, What: "the registry does not take its new " + part + " schema", Err: err,
		Mend: s.mendOf(codeIncompatible, tab.Table)}
}

// checkKey refuses another key schema than the topic has: it would move keys to
// other bytes, and so to other partitions and past compaction (K26). One that was
// registered since this process began was compared then: a registry that is gone
// does not keep a table from going on (K23).
func (s *Sink) checkKey(ctx context.Context, tab *table) error {
	if registry.Knows(s.Registry, tab.topic+"-key", tab.codec.KeySchema()) {
		return nil
	}
	_, text, err := s.Registry.Latest(ctx, tab.topic+"-key")
	if errors.Is(err, registry.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look up the key schema: %w", err)
	}
	if avro.Equal(text, tab.codec.KeySchema()) { // a registry may spell it anew
		return nil
	}
	return &pipeline.Refusal{Code: codeKeyChanged, Where: "topic " + tab.topic,
		What: "the columns of the table's key, or their types, changed; the key schema of a topic never changes",
		Mend: s.mendOf(codeKeyChanged, tab.Table)}
}

// ensure makes or verifies the topic and notes from where its rows count.
func (s *Sink) ensure(ctx context.Context, tab *table, want Topic) error {
	had, known := s.next.Tables[tab.topic]
	if had.ID != "" && had.Append != want.Append {
		return s.cleanupChanged(tab, had.Append)
	}
	spec := want.Spec()
	infos, err := s.Log.Admin().Ensure(ctx, spec)
	if err != nil {
		return s.named(err)
	}
	tab.maxBytes = infos[0].MaxBytes
	s.ensured(spec, infos[0])
	if had.ID != "" {
		return nil
	}
	for p, ends := range infos[0].Ends {
		s.next.Offsets[log.TopicPartition{Topic: tab.topic, Partition: int32(p)}] = ends.Stable
	}
	state := s.newState(infos[0], want.Append)
	state.Tried, state.Asked = had.Tried, had.Asked
	if want.Append {
		if state.Why, err = s.leftGap(ctx, infos[0]); err != nil {
			return err
		}
	}
	switch why, missing := s.missing(tab.Table); {
	case s.joins(tab, &state):
	case known && had.State != log.OK: // it was given up before it had a topic
		state.State, state.Why = had.State, since(had.Why, state.Why)
	case missing:
		state.State, state.Why = log.Stopped, since(why, state.Why)
	}
	s.set(tab.topic, state)
	if state.Owed {
		s.owe(tab.topic)
	}
	return nil
}

// named writes the source's name into the mend of a log, which does not know it.
// Whoever wraps an error fixes its text, so this comes first.
func (s *Sink) named(err error) error {
	var r *pipeline.Refusal
	if errors.As(err, &r) {
		r.Mend = strings.ReplaceAll(r.Mend, "reset SOURCE ", "reset "+s.Source+" ")
	}
	return err
}

// newState is the state of a table whose rows begin now: what lies in the topic
// already was left by a snapshot that did not end, or from before a reset.
func (s *Sink) newState(info log.TopicInfo, appends bool) log.TableState {
	state := log.TableState{State: log.OK, ID: info.ID, Append: appends}
	for _, ends := range info.Ends {
		state.From = append(state.From, ends.Stable)
		if ends.Start < ends.Stable && !appends {
			state.Owed = true
		}
	}
	return state
}
