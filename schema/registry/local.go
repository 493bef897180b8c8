package registry

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/evertdb/evert/schema/avro"
)

// A Store is the compacted topic in which Local keeps its records.
type Store interface {
	// Load calls fn with every committed record, in order, up to the end that is
	// stable when it is called. A nil value is a tombstone. fn does not keep the
	// bytes. An error of fn ends it and is returned.
	Load(ctx context.Context, fn func(key, value []byte) error) error

	// Append returns when the record is committed. It fails if another writer has
	// taken over since the last Load; after any other error the record may be
	// there or not. Another Load settles both, if the Store can take over again.
	Append(ctx context.Context, key, value []byte) error
}

// Local is the registry inside the process. It is the only writer of its topic:
// the Store sees to that.
type Local struct {
	store Store

	writing sync.Mutex // held while an id is given out, over the append
	unsure  bool       // by writing: the end of the last append is unknown

	mu    sync.RWMutex
	state *state // by mu; what the topic says
}

// Open reads the topic to its end.
func Open(ctx context.Context, store Store) (*Local, error) {
	l := &Local{store: store}
	return l, l.reload(ctx)
}

// reload reads everything anew.
func (l *Local) reload(ctx context.Context) error {
	fresh := newState()
	if err := l.store.Load(ctx, fresh.apply); err != nil {
		return fmt.Errorf("registry: read its topic: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state = fresh
	return nil
}

// Register implements Registry. Concurrent calls for one schema give one id.
func (l *Local) Register(ctx context.Context, subject, schema string) (int, error) {
	print, err := fingerprintOf(schema)
	if err != nil {
		return 0, fmt.Errorf("registry: register under %s: %w", subject, err)
	}
	l.mu.RLock()
	id, ok := l.state.find(subject, print)
	l.mu.RUnlock()
	if ok {
		return id, nil
	}
	l.writing.Lock()
	defer l.writing.Unlock()
	id, err = l.register(ctx, subject, schema, print)
	if err != nil && l.unsure { // most often: another process read the topic and so took it over
		id, err = l.register(ctx, subject, schema, print)
	}
	if err != nil {
		return 0, fmt.Errorf("registry: register under %s: %w", subject, err)
	}
	return id, nil
}

// register adds a version. The caller holds writing, so that nobody else
// changes the state meanwhile.
func (l *Local) register(ctx context.Context, subject, schema string, print fingerprint) (int, error) {
	if subject == "" {
		return 0, fmt.Errorf("a schema needs a subject")
	}
	if err := avro.Check(schema); err != nil {
		return 0, err
	}
	if err := l.settle(ctx); err != nil {
		return 0, err
	}
	s := l.state // written only under writing
	if id, ok := s.find(subject, print); ok {
		return id, nil
	}
	if err := s.level(subject).check(schema, s.live(subject)); err != nil {
		return 0, err
	}
	id, number := s.idFor(print), s.nextVersion(subject)
	key, value, err := encode(
		recordKey{Keytype: keySchema, Subject: &subject, Version: number, Magic: 1},
		schemaValue{Subject: subject, Version: number, ID: id, Schema: schema})
	if err != nil {
		return 0, err
	}
	return id, l.commit(ctx, key, value)
}

// settle reads the topic anew if the end of the last append is unknown.
func (l *Local) settle(ctx context.Context) error {
	if !l.unsure {
		return nil
	}
	if err := l.reload(ctx); err != nil {
		return err
	}
	l.unsure = false
	return nil
}

// commit appends a record and, once it is committed, takes it into the state.
func (l *Local) commit(ctx context.Context, key, value []byte) error {
	l.unsure = true
	if err := l.store.Append(ctx, key, value); err != nil {
		return fmt.Errorf("append to the registry's topic: %w", err)
	}
	l.unsure = false
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.apply(key, value)
}

// Schema implements Registry. An id that is not known is looked for in the topic
// once more, without taking that over: another process may have given it out.
func (l *Local) Schema(ctx context.Context, id int) (string, error) {
	if text, ok := l.text(id); ok {
		return text, nil
	}
	if err := l.follow(ctx); err != nil {
		return "", err
	}
	if text, ok := l.text(id); ok {
		return text, nil
	}
	return "", fmt.Errorf("registry: schema %d: %w", id, ErrNotFound)
}

func (l *Local) text(id int) (string, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	text, ok := l.state.texts[id]
	return text, ok
}

// A follower is a Store that can be read beside its writer.
type follower interface {
	// Read calls fn as Load does, and fences nobody.
	Read(ctx context.Context, fn func(key, value []byte) error) error
}

// follow takes in what others wrote, if the store can be read so.
func (l *Local) follow(ctx context.Context) error {
	store, ok := l.store.(follower)
	if !ok {
		return nil
	}
	l.writing.Lock()
	defer l.writing.Unlock()
	fresh := newState()
	if err := store.Read(ctx, fresh.apply); err != nil {
		return fmt.Errorf("registry: read its topic: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state = fresh
	return nil
}

// Latest implements Registry.
func (l *Local) Latest(_ context.Context, subject string) (int, string, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	v, ok := l.state.latest(subject)
	if !ok {
		return 0, "", fmt.Errorf("registry: latest of %s: %w", subject, ErrNotFound)
	}
	return v.id, l.state.texts[v.id], nil
}

// Delete implements Registry.
func (l *Local) Delete(ctx context.Context, subject string) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	err := l.remove(ctx, subject)
	if err != nil && l.unsure {
		err = l.remove(ctx, subject)
	}
	if err != nil {
		return fmt.Errorf("registry: delete %s: %w", subject, err)
	}
	return nil
}

// remove deletes up to the newest version. The caller holds writing.
func (l *Local) remove(ctx context.Context, subject string) error {
	if err := l.settle(ctx); err != nil {
		return err
	}
	newest, ok := l.state.latest(subject)
	if !ok {
		return nil
	}
	key, value, err := encode(recordKey{Keytype: keyDeleteSubject, Subject: &subject}, deleteValue{Subject: subject, Version: newest.number})
	if err != nil {
		return err
	}
	return l.commit(ctx, key, value)
}

// Subjects lists the subjects that have a version, sorted.
func (l *Local) Subjects() []string {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var names []string
	for name := range l.state.subjects {
		if _, ok := l.state.latest(name); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Versions maps the numbers of a subject's versions to ids.
func (l *Local) Versions(subject string) map[int]int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	versions := map[int]int{}
	for _, v := range l.state.subjects[subject] {
		if !v.deleted {
			versions[v.number] = v.id
		}
	}
	return versions
}

// Level gives what a subject's new schema owes; an empty subject asks for the
// default.
func (l *Local) Level(subject string) Level {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.state.level(subject)
}

// SetLevel changes it, for one subject or, with an empty one, by default.
func (l *Local) SetLevel(ctx context.Context, subject string, level Level) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.settle(ctx); err != nil {
		return err
	}
	name := &subject
	if subject == "" {
		name = nil
	}
	key, value, err := encode(recordKey{Keytype: keyConfig, Subject: name},
		configValue{Subject: name, CompatibilityLevel: string(level)})
	if err != nil {
		return err
	}
	return l.commit(ctx, key, value)
}
