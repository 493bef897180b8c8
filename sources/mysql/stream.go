package mysql

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/evertdb/evert/pipeline"
)

// A stream is one replication connection. The client reads and frames events on a
// goroutine of its own; a budget bounds what it reads ahead. Decoders read their rows.
type stream struct {
	source *Source
	syncer *replication.BinlogSyncer
	events *replication.BinlogStreamer
	budget *budget
	ahead  *decoders

	heard time.Time // when the server last sent anything, or we last had ears for it
	moved time.Time // when an idle place was last handed over
}

// A budget bounds the bytes of row events that were read and not taken yet. While the
// taker waits for an event nothing is held back: an event may be larger than the bound,
// and a compressed transaction is unpacked, and its row events are counted, before it is
// handed over.
type budget struct {
	mu      sync.Mutex
	change  sync.Cond
	bytes   int64
	most    int64
	waiting bool
	closed  bool
}

func newBudget(most int64) *budget {
	b := &budget{most: most}
	b.change.L = &b.mu
	return b
}

var errClosed = errors.New("the stream is closed")

// read counts an event in, waiting for room.
func (b *budget) read(n int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.bytes > b.most && !b.waiting && !b.closed {
		b.change.Wait()
	}
	if b.closed {
		return errClosed
	}
	b.bytes += int64(n)
	return nil
}

// taken counts events out.
func (b *budget) taken(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bytes -= int64(n); b.bytes < 0 {
		b.bytes = 0
	}
	b.change.Broadcast()
}

func (b *budget) wait(waiting bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = waiting
	b.change.Broadcast()
}

func (b *budget) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.change.Broadcast()
}

// startStream begins to read the log behind a place.
func (s *Source) startStream(ctx context.Context, from place) (*stream, error) {
	a, err := s.config.address(ctx)
	if err != nil {
		return nil, err
	}
	st := &stream{source: s, budget: newBudget(s.config.EventBytes), moved: time.Now()}
	conf, err := st.syncing(a)
	if err != nil {
		return nil, err
	}
	st.ahead = newDecoders(&s.config, s.hungers)
	s.a.decoders = st.ahead
	var dump *client.Conn
	var other error
	conf.Option = func(c *client.Conn) error {
		dump = c
		if s.facts.byPosition {
			if other = s.checkServer(c); other != nil {
				return other
			}
		}
		_, err := c.Execute("SET SESSION net_write_timeout = 31536000") // a slow consumer is no dead one (M21)
		return err
	}
	st.syncer = replication.NewBinlogSyncer(conf)
	stop := context.AfterFunc(ctx, st.budget.close)
	err = st.dump(from)
	stop()
	if err != nil {
		st.close()
		if other != nil {
			return nil, other
		}
		return nil, s.explain(explainDial(a, err))
	}
	unbind(dump)
	st.hear() // connecting may have taken longer than a server may be silent
	return st, nil
}

// syncing is what the client library is configured with, but for what it does when it is
// connected.
func (st *stream) syncing(a address) (c replication.BinlogSyncerConfig, err error) {
	s := st.source
	c = replication.BinlogSyncerConfig{
		ServerID: s.config.ServerID, Flavor: mysql.MySQLFlavor, User: a.user, Password: a.password, TLSConfig: a.tls, Localhost: reportedHost,
		DisableRetrySync: true, HeartbeatPeriod: s.heartbeat(), VerifyChecksum: true, EventCacheCount: s.config.EventsAhead, DiscardGTIDSet: true,
		Logger: slog.New(slog.DiscardHandler), // it would log what it is configured with
		Dialer: s.config.dialInTime,
		RowsEventDecodeFunc: func(e *replication.RowsEvent, body []byte) error {
			if err := st.budget.read(len(body)); err != nil {
				return err
			}
			return leaveRows(e, body)
		},
		TableMapOptionalMetaDecodeFunc: func([]byte) error { return nil },
	}
	if s.facts.mariaDB {
		c.Flavor = mysql.MariaDBFlavor
	}
	c.Host, c.Port, err = a.hostPort()
	return c, err
}

// hostPort divides the address; a socket is a host without a port.
func (a address) hostPort() (host string, port uint16, err error) {
	if a.network != "tcp" {
		return a.host, 0, nil
	}
	host, text, err := net.SplitHostPort(a.host)
	if err != nil {
		return "", 0, refuseConfig("the connection string names no host and port")
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return "", 0, refuseConfig("the port of the connection string is no number")
	}
	return host, uint16(n), nil
}

// dump asks for the log behind a place.
func (st *stream) dump(from place) (err error) {
	if p := from.log; !p.isZero() {
		if p.offset > math.MaxUint32 {
			return &pipeline.Refusal{Code: CodeGap, Where: from.String(), What: "a server does not send its log from a position beyond 4 GiB on", Mend: st.source.config.reset()}
		}
		st.events, err = st.syncer.StartSync(mysql.Position{Name: p.file(), Pos: uint32(p.offset)})
		return err
	}
	set, err := from.gtidSet(st.source.facts.mariaDB)
	if err == nil {
		st.events, err = st.syncer.StartSyncGTID(set)
	}
	return err
}

// checkServer looks whether the log will be that of the server which the positions are of.
func (s *Source) checkServer(c *client.Conn) error {
	r, err := c.Execute(identitySQL)
	if err != nil {
		return err
	}
	for i := range r.RowNumber() {
		name, _ := r.GetString(i, 0)
		server, _ := r.GetString(i, 1)
		if !strings.EqualFold(name, "gtid_mode") && server != s.facts.server() {
			return otherServer(&s.config, "the position is "+s.a.set.String()+" of server "+s.facts.server()+", and this is "+server)
		}
	}
	return nil
}

// explainDial tells a connection that could not be made from an answer of the server.
func explainDial(a address, err error) error {
	if code := serverCode(err); code != 0 && code != mysql.ER_ACCESS_DENIED_ERROR {
		return plain(err)
	}
	return explainConnect(a, err)
}

// heartbeat is how often an idle server says that it is alive.
func (s *Source) heartbeat() time.Duration { return min(s.config.DeadAfter/4, 5*time.Second) }

func (st *stream) close() {
	st.budget.close()
	st.syncer.Close()
	st.ahead.close()
	st.source.a.decoders = nil
}

// run takes events until the connection ends or something is wrong. What is gathered
// goes out whenever nothing more has arrived.
func (st *stream) run(ctx context.Context) error {
	for {
		if err := st.takeAll(st.events.DumpEvents()); err != nil {
			return err
		}
		e, err := st.next(ctx)
		if err != nil {
			return err
		}
		if e != nil {
			if err := st.take(e); err != nil {
				return err
			}
		}
	}
}

// takeAll takes events in their order, while rows of those behind are read.
func (st *stream) takeAll(events []*replication.BinlogEvent) error {
	st.ahead.look(st.source.a.framing, events)
	for _, e := range events {
		if err := st.take(e); err != nil {
			return err
		}
	}
	return nil
}

func (st *stream) take(e *replication.BinlogEvent) error {
	defer st.hear() // a consumer that took its time is no server that is silent (M21)
	if n := st.source.a.framing.rowBytes(e); n > 0 {
		st.budget.taken(n)
	}
	if err := st.source.a.event(e); err != nil {
		return err
	}
	if st.source.a.open {
		return nil
	}
	if st.source.separate.Load() {
		if err := st.source.a.flush(); err != nil {
			return err
		}
	}
	return st.source.copies.step()
}

func (st *stream) hear() { st.heard = st.source.config.Now() }

// rest hands over what is gathered, between two events.
func (st *stream) rest() error {
	began := st.source.config.Now()
	defer func() { st.heard = st.heard.Add(st.source.config.Now().Sub(began)) }()
	a := st.source.a
	if !a.open {
		if err := a.flush(); err != nil {
			return err
		}
		if err := st.source.copies.step(); err != nil {
			return err
		}
	}
	if time.Since(st.moved) < st.source.idleEvery() {
		return nil
	}
	st.moved = time.Now()
	return a.moveOn()
}

// next waits for an event for a while, after what is gathered went out.
func (st *stream) next(ctx context.Context) (*replication.BinlogEvent, error) {
	if err := st.rest(); err != nil {
		return nil, err
	}
	if silent := st.source.config.Now().Sub(st.heard); silent > st.source.config.DeadAfter {
		return nil, fmt.Errorf("the server said nothing for %s", silent.Round(time.Millisecond))
	}
	every := st.source.idleEvery()
	st.budget.wait(true)
	defer st.budget.wait(false)
	wait, cancel := context.WithTimeout(ctx, every)
	defer cancel()
	st.source.copies.bell.listen(cancel)
	defer st.source.copies.bell.listen(nil)
	e, err := st.events.GetEvent(wait)
	if err != nil && wait.Err() != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, nil
	}
	if err != nil {
		return nil, st.source.explain(err)
	}
	return e, nil
}

// idleEvery is how often an idle source moves on.
func (s *Source) idleEvery() time.Duration {
	if s.hasty.Load() {
		return min(s.config.IdleInterval, 250*time.Millisecond)
	}
	return s.config.IdleInterval
}

// errTaken is an error of the server that says that another reader has our server_id.
var errTaken = errors.New("another reader replicates under the same server_id")

// explain turns what the server says while it streams into a refusal, if a person has
// to act; other errors pass with a new connection.
func (s *Source) explain(err error) error {
	text := err.Error()
	if strings.Contains(text, "checksum") { // what lies in the log is damaged, or the way to it (M15)
		return &pipeline.Refusal{Code: CodeEvent, Where: "behind " + s.a.set.String(), What: "an event of the log does not match its checksum", Mend: s.config.reset("try again, in case that it was damaged on its way")}
	}
	switch serverCode(err) {
	case 1236, 1373, 4052:
	default:
		return plain(err)
	}
	switch {
	case strings.Contains(text, "server_uuid/server_id") || strings.Contains(text, "same server_id"):
		return fmt.Errorf("%w (%d)", errTaken, s.config.ServerID)
	case strings.Contains(text, "Could not find GTID state") || strings.Contains(text, "Could not find first log file") ||
		strings.Contains(text, "purged") || strings.Contains(text, "does not exist"):
		return purgedRefusal(&s.config, s.a.set.String())
	case strings.Contains(text, "not in the master's binlog") || strings.Contains(text, "more GTIDs than") || strings.Contains(text, "diverged") || strings.Contains(text, "impossible position"):
		return otherServer(&s.config, "the server does not have the transactions before "+s.a.set.String())
	case strings.Contains(text, "max_allowed_packet") || strings.Contains(text, "bogus data"): // MySQL 9 tells damage from size
		return &pipeline.Refusal{
			Code: CodeEvent, Where: "behind " + s.a.set.String(),
			What: "an event of the log is larger than the server sends (max_allowed_packet), or its log is damaged: then what it takes for an event's length is none",
			Mend: "SET GLOBAL max_allowed_packet = 1073741824; SET GLOBAL slave_max_allowed_packet = 1073741824;",
		}
	}
	return plain(err)
}
