package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/evertdb/evert/pipeline/handover"
	"github.com/evertdb/evert/sources/postgres/pgsql"
)

// A stream is one replication connection from START_REPLICATION to its end.
// Everything in it but wakeUp belongs to the owner goroutine.
type stream struct {
	source *Source
	a      *assembler
	conn   *pgconn.PgConn
	net    net.Conn
	raw    *shortener    // what comes off the connection
	in     messageReader // of raw

	statusEvery time.Duration
	deadAfter   time.Duration

	told     durableLSN // the last place that the server was told
	toldAt   time.Time
	heardAt  time.Time // when the server last sent anything
	askedAt  time.Time // when it was last asked for an answer
	movedAt  time.Time // when an idle position was last handed over
	urgedAt  time.Time // when the server was last nudged for a reader who waits
	deadline time.Time // of the next read; zero: not set
	waking   atomic.Bool
	received bool
	taken    int64 // bytes read when the server was last found alive by them
}

// A replConn is a replication connection and what it reads from.
type replConn struct {
	*pgconn.PgConn
	in *shortener
}

// start begins to stream behind everything that was handed over.
func (s *Source) startStream(ctx context.Context, conn *replConn) (*stream, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn.in.seek = carriesChanges
	err := pglogrepl.StartReplication(ctx, conn.PgConn, pgsql.QuoteIdent(s.config.Slot), pglogrepl.LSN(s.a.from()), pglogrepl.StartReplicationOptions{
		Mode: pglogrepl.LogicalReplication, PluginArgs: s.pluginArgs(),
	})
	if err != nil {
		return nil, err
	}
	slot, err := s.slotAt(ctx)
	if err != nil {
		return nil, err
	}
	s.a.prove(slot)
	now := time.Now()
	st := &stream{source: s, a: s.a, conn: conn.PgConn, net: conn.Conn(), raw: conn.in, in: messageReader{src: conn.in}, toldAt: now, heardAt: now, movedAt: now}
	st.statusEvery, st.deadAfter = 10*time.Second, time.Minute
	if t := s.senderTimeout; t > 0 {
		st.statusEvery, st.deadAfter = min(t/3, st.statusEvery), t
	}
	return st, nil
}

// pluginArgs asks for transactions in progress where the server can send them, from
// version 16 on for what lets several be read at the same time, and for the form of
// values.
func (s *Source) pluginArgs() []string {
	args := []string{"publication_names " + pgsql.QuoteOption(pgsql.QuoteIdent(s.config.Publication))}
	switch {
	case s.version < 140000 || s.config.NoStreaming:
		args = append(args, "proto_version '1'")
	case s.version < 160000:
		args = append(args, "proto_version '2'", "streaming 'on'")
	default:
		args = append(args, "proto_version '4'", "streaming 'parallel'")
	}
	if s.form != formText {
		args = append(args, "binary 'true'")
	}
	return args
}

// run reads until the connection ends or something is wrong.
func (st *stream) run(ctx context.Context) error {
	st.source.current.Store(st)
	defer st.source.current.Store(nil)
	stop := context.AfterFunc(ctx, st.wakeUp)
	defer stop()
	if err := st.drain(ctx); err != nil {
		return err
	}
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !st.in.buffered() {
			if err := st.pause(); err != nil {
				return err
			}
		}
		kind, body, err := st.in.next()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			st.deadline = time.Time{}
			st.hear()
			continue
		}
		if err != nil {
			return fmt.Errorf("read the replication stream: %w", err)
		}
		if err := st.backend(kind, body); err != nil {
			return err
		}
	}
}

// drain handles what the connection's own reader took beyond the answer to
// START_REPLICATION.
func (st *stream) drain(ctx context.Context) error {
	for st.conn.Frontend().ReadBufferLen() > 0 {
		msg, err := st.receive(ctx)
		if err != nil {
			return err
		}
		st.heardAt = time.Now()
		switch msg := msg.(type) {
		case *pgproto3.CopyData:
			err = st.frame(msg.Data)
		case *pgproto3.ErrorResponse:
			err = pgconn.ErrorResponseToPgError(msg)
		case *pgproto3.NoticeResponse:
			err = st.heed(msg)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// receive reads one message by the connection's own reader. Of one that has come in
// part the rest is waited for as run waits, no longer than the server is heard.
func (st *stream) receive(ctx context.Context) (pgproto3.BackendMessage, error) {
	for {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err := st.pause(); err != nil {
			return nil, err
		}
		msg, err := st.conn.Frontend().Receive()
		switch {
		case err == nil:
			return msg, nil
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return nil, fmt.Errorf("read the replication stream: %w", err)
		}
		st.deadline = time.Time{}
		st.hear()
	}
}

// pause is what happens whenever the next read may have to wait: what is
// gathered goes out, the server is answered, and the wait is bounded.
func (st *stream) pause() error {
	if !st.a.open {
		if err := st.a.flush(); err != nil {
			return err
		}
	}
	if err := st.notices(); err != nil {
		return err
	}
	if err := st.step(); err != nil {
		return err
	}
	if err := st.moveOn(); err != nil {
		return err
	}
	if err := st.beat(); err != nil {
		return err
	}
	return st.bound(time.Now())
}

// bound sees to it that the next read waits for a tick at most. Moving the
// deadline costs as much as decoding a row, so it is left where it is while it is
// no nearer than half a tick.
func (st *stream) bound(now time.Time) error {
	tick := st.tick()
	if left := st.deadline.Sub(now); left < tick/2 || left > tick {
		st.deadline = now.Add(tick)
		if err := st.net.SetReadDeadline(st.deadline); err != nil {
			return err
		}
	}
	if st.waking.Swap(false) { // it may have come before the deadline was set, and would wait it out
		st.deadline = time.Time{}
		return st.net.SetReadDeadline(time.Unix(1, 0))
	}
	return nil
}

// tick is how long a read may wait.
func (st *stream) tick() time.Duration {
	tick := min(st.idleInterval(), st.statusEvery, st.source.copying.within())
	if st.source.drains() {
		tick = min(tick, askEvery)
	}
	return tick
}

func (st *stream) idleInterval() time.Duration {
	if st.source.hasty.Load() {
		return min(st.source.config.IdleInterval, 250*time.Millisecond)
	}
	return st.source.config.IdleInterval
}

// notices acts on what the poller found, once all before that was read.
func (st *stream) notices() error {
	if st.a.open || st.a.block != nil || st.a.leaveOut > 0 {
		return nil
	}
	if due := st.source.notices.due(st.a.idleTo); due != nil {
		return st.a.heed(due)
	}
	return nil
}

// moveOn hands over an idle position now and then, when nothing else waits (P04).
func (st *stream) moveOn() error {
	if st.a.idleTo <= st.a.atLSN || !st.a.quiet() || time.Since(st.movedAt) < st.idleInterval() {
		return nil
	}
	if waiting, _ := st.source.queue.Fill(); waiting > 0 {
		return nil
	}
	st.movedAt = time.Now()
	return st.a.moveOn()
}

// beat answers the server when that is due, asks whether it is still there, and
// ends a connection on which nothing comes any more (P31, P32).
func (st *stream) beat() error {
	now := time.Now()
	silent := now.Sub(st.heardAt)
	if silent > st.deadAfter {
		return fmt.Errorf("the server has sent nothing for %s", silent.Round(time.Second))
	}
	ask := now.Sub(st.askedAt) >= st.deadAfter/3 && silent > st.deadAfter/2 ||
		st.source.hasty.Load() && now.Sub(st.askedAt) >= st.idleInterval() ||
		(st.source.copying.waits() || st.source.drains()) && now.Sub(st.askedAt) >= askEvery
	durable := st.confirmed()
	if !ask && durable == st.told && now.Sub(st.toldAt) < st.statusEvery {
		return nil
	}
	if ask {
		st.askedAt = now
		st.urge(now)
	}
	return st.tell(durable, now, ask)
}

// confirmed is the place that the server may be told.
func (st *stream) confirmed() durableLSN {
	if p := st.a.proof; p.held {
		return min(st.source.durable(), durableLSN(p.slot))
	}
	return st.source.durable()
}

// urge nudges the server for a reader who waits: what he waits for may lie before log
// that no commit flushes, such as what readers write who tidy up a page.
func (st *stream) urge(now time.Time) {
	if st.source.hasty.Load() && st.a.quiet() && now.Sub(st.urgedAt) >= nextNudge {
		st.urgedAt = now
		st.source.copying.nudge()
	}
}

// tell sends one status. The place is what is durable and never what was
// received (P06).
func (st *stream) tell(durable durableLSN, now time.Time, ask bool) error {
	if err := st.net.SetWriteDeadline(now.Add(st.deadAfter)); err != nil {
		return err
	}
	if _, err := st.net.Write(statusMessage(durable, now, ask)); err != nil {
		return fmt.Errorf("answer the server: %w", err)
	}
	st.told, st.toldAt = durable, now
	st.source.stats.told(durable)
	return nil
}

// hear notes that a part of a message came: a large row may take longer than any
// time-out.
func (st *stream) hear() {
	if st.raw.taken != st.taken {
		st.taken, st.heardAt = st.raw.taken, time.Now()
	}
}

func (st *stream) backend(kind byte, body []byte) error {
	st.heardAt = time.Now()
	switch kind {
	case 'd':
		return st.frame(body)
	case 'E':
		var msg pgproto3.ErrorResponse
		if err := msg.Decode(body); err != nil {
			return fmt.Errorf("the server ends the stream with an error that cannot be read: %w", err)
		}
		return pgconn.ErrorResponseToPgError(&msg)
	case 'c':
		return errors.New("the server ends the stream")
	case 'C':
		return st.shutDown()
	case 'N':
		return st.notice(body)
	}
	return nil // parameter changes
}

// notice reads what the server says beside its answers.
func (st *stream) notice(body []byte) error {
	var msg pgproto3.NoticeResponse
	if err := msg.Decode(body); err != nil {
		return fmt.Errorf("the server sends a notice that cannot be read: %w", err)
	}
	return st.heed(&msg)
}

// heed heeds a server's warning. Postgres 18 and newer skip a publication that
// did not exist at the present place of the log with no more than a warning, and
// every change with it; older ones end the stream with an error (P34).
func (st *stream) heed(msg *pgproto3.NoticeResponse) error {
	if msg.SeverityUnlocalized == "WARNING" && msg.Code == "55000" && strings.Contains(msg.Message, st.source.config.Publication) {
		return publicationGone(&st.source.config)
	}
	return nil
}

func (st *stream) frame(data []byte) error {
	f, err := parseFrame(data)
	if err != nil {
		return err
	}
	if !st.received {
		st.received = true
		st.source.stats.connected()
	}
	if f.kind == 'k' {
		return st.keepalive(f)
	}
	if len(f.payload) == 0 {
		return nil // in place of an origin that is gone, before version 15
	}
	if err := st.notices(); err != nil {
		return err
	}
	if !st.a.open && st.source.separate.Load() {
		if err := st.a.flush(); err != nil { // what came before must not share a batch with what comes
			return err
		}
	}
	if err := st.a.message(f.start, f.payload); err != nil {
		return fmt.Errorf("at %s of the log: %w", f.start, err)
	}
	if st.a.block == nil {
		release(st.a.asides.in(f.payload)) // of a row that nobody wants
	}
	st.source.stats.read(f.start, f.clock)
	if !st.a.open && st.a.out != nil && st.a.out.Full(st.source.config.BatchRows, st.source.config.BatchBytes) {
		if err := st.a.flush(); err != nil {
			return err
		}
	}
	return st.step()
}

// step does what is due between two reads.
func (st *stream) step() error {
	if err := st.source.copying.step(); err != nil {
		return err
	}
	return st.drainStep()
}

// keepalive: the server has sent everything before f.end that there is for us.
func (st *stream) keepalive(f frame) error {
	st.source.stats.serverEnd(f.end, f.clock)
	if st.a.block == nil && !st.a.open {
		if err := st.a.passed(f.end); err != nil {
			return err
		}
		st.a.idle(f.end, f.clock)
	}
	if f.replyNow {
		return st.tell(st.confirmed(), time.Now(), false)
	}
	return nil
}

// wakeUp ends a waiting read, so that an acknowledgement goes out at once. It may
// be called by any goroutine.
func (st *stream) wakeUp() {
	st.waking.Store(true)
	_ = st.net.SetReadDeadline(time.Unix(1, 0)) // a closed connection needs no waking
}

// busy answers the server if that is due, although nothing is read now: not
// listening is not silence (P31).
func (st *stream) busy() error {
	st.heardAt = time.Now()
	return st.beat()
}

// emit hands a batch to the queue, answering the server as long as that takes.
// After an error the batch is still the caller's.
func (st *stream) emit(ctx context.Context, b *handover.Batch) error {
	if err := st.busy(); err != nil {
		return err
	}
	h, stop := st.heartbeat()
	defer stop()
	err := st.source.queue.PutBeating(ctx, b, h)
	st.heardAt = time.Now()
	return err
}

// waitFor waits for done, answering the server meanwhile.
func (st *stream) waitFor(ctx context.Context, done <-chan struct{}) error {
	if err := st.busy(); err != nil {
		return err
	}
	h, stop := st.heartbeat()
	defer stop()
	err := h.Wait(ctx, done)
	st.heardAt = time.Now()
	return err
}

// heartbeat answers the server at each acknowledgement and each interval.
func (st *stream) heartbeat() (h handover.Heartbeat, stop func()) {
	timer := time.NewTimer(st.statusEvery)
	return handover.Heartbeat{
		Due:  func() <-chan time.Time { return timer.C },
		Wake: st.source.acked,
		Beat: func() error {
			timer.Reset(st.statusEvery)
			return st.busy()
		},
	}, func() { timer.Stop() }
}
