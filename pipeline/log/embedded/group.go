package embedded

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/evertdb/evert/pipeline/log"
)

// groups are the groups of this process, which is the only one: their members
// live and die with it, and only the committed offsets lie in Pebble.
type groups struct {
	log *Log

	mu     sync.Mutex // held over a commit with inputs: nobody loses a partition meanwhile
	closed bool
	byName map[string]*group
}

// A group shares out the partitions of its members' topics, in turn. A
// partition moves in steps: it is revoked, its holder releases it, it is
// assigned to the next.
type group struct {
	members []*member // in the order of joining
	holders map[log.TopicPartition]*member
	revoked map[log.TopicPartition]bool // and not yet released
	number  int                         // of members so far, for their names
	changes int32                       // of assignments so far: the generations
}

// member is a log.Membership.
type member struct {
	groups *groups
	group  *group
	topics []string
	events chan log.Event
	wake   chan struct{} // of one: something is in pending
	left   chan struct{} // closed when the member left

	// Under groups.mu:
	generation log.Generation
	pending    []log.Event
}

func (s *groups) join(name string, topics []string) (log.Membership, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, log.ErrClosed
	}
	if s.byName == nil {
		s.byName = map[string]*group{}
	}
	g := s.byName[name]
	if g == nil {
		g = &group{holders: map[log.TopicPartition]*member{}, revoked: map[log.TopicPartition]bool{}}
		s.byName[name] = g
	}
	g.number++
	m := &member{
		groups: s, group: g, topics: slices.Clone(topics),
		events: make(chan log.Event), wake: make(chan struct{}, 1), left: make(chan struct{}),
		generation: log.Generation{Group: name, Member: fmt.Sprintf("%s-%d", name, g.number)},
	}
	g.members = append(g.members, m)
	s.log.tasks.Go(m.deliver)
	s.share(g)
	return m, nil
}

// rebalance shares out anew in all groups, when topics came or went.
func (s *groups) rebalance() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.byName {
		s.share(g)
	}
}

// share revokes what is to move and assigns what is free. mu is held.
func (s *groups) share(g *group) {
	want := s.plan(g)
	for _, p := range sortedPartitions(g.holders) {
		if want[p] == g.holders[p] || g.revoked[p] {
			continue
		}
		g.revoked[p] = true
		g.holders[p].tell(log.Revoked, p)
	}
	for _, p := range sortedPartitions(want) {
		if g.holders[p] == nil {
			g.holders[p] = want[p]
			g.renew(want[p])
			want[p].tell(log.Assigned, p)
		}
	}
}

// plan deals out partitions in turn, among the members that want their topic.
func (s *groups) plan(g *group) map[log.TopicPartition]*member {
	want, turn := map[log.TopicPartition]*member{}, 0
	for _, tp := range s.log.partitions() {
		var takers []*member
		for _, m := range g.members {
			if slices.Contains(m.topics, tp.Topic) {
				takers = append(takers, m)
			}
		}
		if len(takers) > 0 {
			want[tp] = takers[turn%len(takers)]
			turn++
		}
	}
	return want
}

// renew gives a member whose assignment changed a new generation.
func (g *group) renew(m *member) {
	g.changes++
	m.generation.ID = g.changes
}

// partitions gives all partitions of the log in order.
func (l *Log) partitions() (all []log.TopicPartition) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range l.sortedTopics() {
		for _, p := range t.parts {
			all = append(all, p.tp)
		}
	}
	return all
}

func sortedPartitions(m map[log.TopicPartition]*member) []log.TopicPartition {
	return slices.SortedFunc(maps.Keys(m), comparePartitions)
}

// commit does a writer's last job if the generation of its inputs still holds
// all their partitions, with their offsets in the same batch (I1, K05).
func (s *groups) commit(in *log.Inputs, j job) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.check(in); err != nil {
		return err
	}
	for tp, to := range in.Offsets {
		if err := j.batch.Set(groupKey(in.Generation.Group, tp), int64Value(to), nil); err != nil {
			return err
		}
	}
	return j.do(s.log)
}

func (s *groups) check(in *log.Inputs) error {
	g := s.byName[in.Generation.Group]
	if g == nil {
		return fmt.Errorf("group %q has no members: %w", in.Generation.Group, log.ErrFenced)
	}
	at := slices.IndexFunc(g.members, func(m *member) bool { return m.generation == in.Generation })
	if at < 0 {
		return fmt.Errorf("generation %d of %s is over: %w", in.Generation.ID, in.Generation.Member, log.ErrFenced)
	}
	for tp := range in.Offsets {
		if g.holders[tp] != g.members[at] {
			return fmt.Errorf("%s does not hold %s: %w", in.Generation.Member, tp, log.ErrFenced)
		}
	}
	return nil
}

// tell queues an event, joined with the one before it if that is of its kind.
func (m *member) tell(kind log.EventKind, p log.TopicPartition) {
	if n := len(m.pending); n > 0 && m.pending[n-1].Kind == kind {
		m.pending[n-1].Partitions = append(m.pending[n-1].Partitions, p)
	} else {
		m.pending = append(m.pending, log.Event{Kind: kind, Partitions: []log.TopicPartition{p}})
	}
	m.signal()
}

func (m *member) signal() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// deliver hands out events until the member leaves or the log ends.
func (m *member) deliver() {
	defer close(m.events)
	var ev log.Event
	for {
		var events chan log.Event // nil while there is nothing to hand out
		if ev.Kind == 0 {
			ev = m.take()
		}
		if ev.Kind != 0 {
			events = m.events
		}
		select {
		case events <- ev:
			ev = log.Event{}
		case <-m.wake:
		case <-m.left:
			return
		case <-m.groups.log.closing:
			return
		}
	}
}

// take gives the event that is next, with no Kind if there is none.
func (m *member) take() log.Event {
	m.groups.mu.Lock()
	defer m.groups.mu.Unlock()
	if len(m.pending) == 0 {
		return log.Event{}
	}
	ev := m.pending[0]
	m.pending = m.pending[1:]
	return ev
}

// Events tells of partitions; see log.Membership.
func (m *member) Events() <-chan log.Event { return m.events }

// Generation is the fence of the present assignment; see log.Membership.
func (m *member) Generation() log.Generation {
	m.groups.mu.Lock()
	defer m.groups.mu.Unlock()
	return m.generation
}

// Release lets revoked partitions go to others; see log.Membership.
func (m *member) Release(ps []log.TopicPartition) error {
	m.groups.mu.Lock()
	defer m.groups.mu.Unlock()
	for _, p := range ps {
		if m.group.holders[p] == m && m.group.revoked[p] {
			m.group.free(p)
		}
	}
	m.group.renew(m)
	m.groups.share(m.group)
	return nil
}

func (g *group) free(p log.TopicPartition) {
	delete(g.holders, p)
	delete(g.revoked, p)
}

// Close leaves the group; see log.Membership.
func (m *member) Close() error {
	m.groups.mu.Lock()
	defer m.groups.mu.Unlock()
	at := slices.Index(m.group.members, m)
	if at < 0 {
		return nil
	}
	close(m.left)
	m.group.members = slices.Delete(m.group.members, at, at+1)
	for p, holder := range m.group.holders {
		if holder == m {
			m.group.free(p)
		}
	}
	m.groups.share(m.group)
	return nil
}

// close lets nobody join any more. Members end with the log.
func (s *groups) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}
