package kafka

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/evertdb/evert/pipeline/log"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Member implements log.Membership as a member of a consumer group that fetches
// nothing: its client only joins, heartbeats and leaves.
//
//	rebalance ─► Revoked ─► Release ─► Assigned at the next owner
//	                │ no Release within the session timeout
//	                └─► the group goes on; the generation fences who did not
type Member struct {
	log    *Log
	cl     *kgo.Client
	cancel context.CancelFunc // ends all requests of cl
	group  string             // with the deployment before it
	events chan log.Event
	closed chan struct{}
	once   sync.Once

	mu       sync.Mutex
	held     map[log.TopicPartition]bool // revoked, not yet released
	released chan struct{}               // closed when held is empty
}

var _ log.Membership = (*Member)(nil)

// eventsAhead is how many events may wait for their reader; a rebalance waits
// for room after that.
const eventsAhead = 8

// Join takes part in the group <deployment>.<group>. The first event tells of
// the first partitions.
func (l *Log) Join(ctx context.Context, group string, topics []string) (log.Membership, error) {
	if err := l.mayJoin(ctx, l.groupName(group)); err != nil {
		return nil, err
	}
	m := &Member{
		log: l, group: l.groupName(group), events: make(chan log.Event, eventsAhead),
		closed: make(chan struct{}), held: map[log.TopicPartition]bool{},
	}
	alive, cancel := context.WithCancel(context.Background())
	cl, err := l.client(
		kgo.WithContext(alive),
		kgo.ConsumerGroup(m.group), kgo.ConsumeTopics(topics...), kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.SessionTimeout(l.cfg.SessionTimeout), kgo.RebalanceTimeout(l.cfg.SessionTimeout),
		kgo.HeartbeatInterval(min(l.cfg.SessionTimeout/10, 3*time.Second)),
		kgo.DisableAutoCommit(), kgo.ConsumeStartOffset(kgo.NewOffset().AtEnd()), kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()),
		kgo.OnPartitionsAssigned(func(ctx context.Context, cl *kgo.Client, ps map[string][]int32) {
			cl.PauseFetchTopics(topics...)
			m.tell(ctx, log.Assigned, list(ps))
		}),
		kgo.OnPartitionsRevoked(func(ctx context.Context, _ *kgo.Client, ps map[string][]int32) { m.revoke(ctx, list(ps)) }),
		kgo.OnPartitionsLost(func(ctx context.Context, _ *kgo.Client, ps map[string][]int32) { m.tell(ctx, log.Lost, list(ps)) }),
	)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("join group %s: %w", m.group, err)
	}
	cl.PauseFetchTopics(topics...)
	m.cl, m.cancel = cl, cancel
	return m, nil
}

// mayJoin asks as a member that nobody knows. A client that lacks the right to
// the group would try for ever and tell no one (I8).
func (l *Log) mayJoin(ctx context.Context, group string) error {
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group, req.MemberID, req.Generation = group, "nobody", -1
	resp, err := req.RequestWith(ctx, l.cl)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if isDenied(err) {
		return l.cfg.denied("Read", err, group)
	}
	return nil // what else may be wrong, the membership gets over
}

func (l *Log) groupName(group string) string { return l.cfg.Deployment + "." + group }

func list(ps map[string][]int32) (tps []log.TopicPartition) {
	for topic, partitions := range ps {
		for _, p := range partitions {
			tps = append(tps, log.TopicPartition{Topic: topic, Partition: p})
		}
	}
	return tps
}

// tell sends an event, unless the membership ends first.
func (m *Member) tell(ctx context.Context, kind log.EventKind, ps []log.TopicPartition) {
	if len(ps) == 0 {
		return
	}
	select {
	case m.events <- log.Event{Kind: kind, Partitions: ps}:
	case <-m.closed:
	case <-ctx.Done():
	}
}

// revoke waits until the work on ps has stopped. The client goes on with its
// heartbeats meanwhile.
func (m *Member) revoke(ctx context.Context, ps []log.TopicPartition) {
	if len(ps) == 0 {
		return
	}
	released := m.hold(ps)
	m.tell(ctx, log.Revoked, ps)
	limit := time.NewTimer(m.log.cfg.SessionTimeout)
	defer limit.Stop()
	select {
	case <-released:
	case <-limit.C:
	case <-m.closed:
	case <-ctx.Done():
	}
}

func (m *Member) hold(ps []log.TopicPartition) <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.held)
	for _, p := range ps {
		m.held[p] = true
	}
	m.released = make(chan struct{})
	return m.released
}

// Events tells of partitions given and taken. Those of one rebalance may come in
// several events.
func (m *Member) Events() <-chan log.Event { return m.events }

// Generation is the fence of the present assignment. It changes with every
// rebalance of the group, also when this member keeps its partitions.
func (m *Member) Generation() log.Generation {
	member, id := m.cl.GroupMetadata()
	return log.Generation{Group: strings.TrimPrefix(m.group, m.log.cfg.Deployment+"."), Member: member, ID: id}
}

// Release lets a rebalance go on.
func (m *Member) Release(ps []log.TopicPartition) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	before := len(m.held)
	for _, p := range ps {
		delete(m.held, p)
	}
	if before > 0 && len(m.held) == 0 {
		close(m.released)
	}
	return nil
}

// Close leaves the group, without waiting for a Release, and ends the events.
// If the cluster does not hear of it within closeTimeout, the session timeout
// tells it.
func (m *Member) Close() error {
	m.once.Do(func() {
		close(m.closed)
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		_ = m.cl.LeaveGroupContext(ctx) // Close alone would leave without bound
		m.cancel()                      // and wait for the requests that are under way
		m.cl.Close()
		close(m.events)
	})
	return nil
}
