//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver"
)

// A kafkaLane measures stream and snapshot into one broker of Apache Kafka,
// beside a bare producer of the same bytes into the same broker.
type kafkaLane struct {
	*lab
	brokers []string
	broker  int // its pid
}

// A share is the processor time that each of those took who share the machine.
type share struct{ client, postgres, broker time.Duration }

// shared runs something and tells what the servers took of the processors meanwhile.
func (k *kafkaLane) shared(run func() (client time.Duration, err error)) (s share, err error) {
	before, err := k.servers()
	if err != nil {
		return s, err
	}
	if s.client, err = run(); err != nil {
		return s, err
	}
	after, err := k.servers()
	s.postgres, s.broker = after.postgres-before.postgres, after.broker-before.broker
	return s, err
}

// servers gives what they took since they were started.
func (k *kafkaLane) servers() (s share, err error) {
	if s.postgres, err = harness.Processor(k.postgres.PID()); err != nil {
		return s, err
	}
	s.broker, err = harness.Processor(k.broker)
	return s, err
}

// own gives the time that this process took of the processors.
func own() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // knows RUSAGE_SELF
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// kafka starts a broker and measures. A broker that cannot be had fails the run.
func (l *lab) kafka(ctx context.Context, res *results) error {
	d, err := kafkaserver.Fetch(ctx)
	if err != nil {
		return fmt.Errorf("%w\n  mend: %s", err, kafkaserver.InstallHint())
	}
	c, err := kafkaserver.Start(ctx, d, kafkaserver.Options{Heap: "1g"})
	if err != nil {
		return err
	}
	defer c.Close()
	k := &kafkaLane{lab: l, brokers: c.Brokers(), broker: c.Node(1).PID()}
	for _, part := range []func(context.Context, *results) error{k.stream, k.snapshot, k.latency} {
		if err := part(ctx, res); err != nil {
			return err
		}
	}
	return nil
}

// stream writes the WAL first, and then reads it by turns with the producer.
func (k *kafkaLane) stream(ctx context.Context, res *results) error {
	const table = "kafka_orders"
	ours, err := k.deployments(ctx, "kstream", table)
	if err != nil {
		return err
	}
	for _, d := range ours {
		if _, err := d.catchUp(ctx); err != nil { // makes slot and publication
			return err
		}
		if err := k.sql(ctx, database, "SELECT pg_create_logical_replication_slot('limit_"+d.name+"', 'pgoutput')"); err != nil {
			return err
		}
	}
	for first := 1; first <= k.rows; first += transactionRows {
		if err := k.insert(ctx, table, first, transactionRows); err != nil {
			return err
		}
	}
	return k.byTurns(ctx, res, "stream to Kafka", table, ours, func(d *deployment) error {
		_, err := k.receive(ctx, "limit_"+d.name, "evert_"+d.name+"_db")
		return err
	})
}

func (k *kafkaLane) snapshot(ctx context.Context, res *results) error {
	const table = "kafka_copied"
	ours, err := k.deployments(ctx, "kcopy", table)
	if err != nil {
		return err
	}
	if err := k.insert(ctx, table, 1, k.rows); err != nil {
		return err
	}
	if err := k.sql(ctx, database, "VACUUM ANALYZE "+table); err != nil {
		return err
	}
	return k.byTurns(ctx, res, "snapshot to Kafka", table, ours, func(*deployment) error {
		_, err := k.copy(ctx, table)
		return err
	})
}

// deployments makes an empty table, and one deployment for each measurement.
func (k *kafkaLane) deployments(ctx context.Context, name, table string) (ds []*deployment, err error) {
	if err := k.table(ctx, table); err != nil {
		return nil, err
	}
	for i := range k.repeats {
		d, err := k.deployment(fmt.Sprintf("%s%d", name, i), table, k.brokers...)
		if err != nil {
			return nil, err
		}
		ds = append(ds, d)
	}
	return ds, nil
}

// byTurns lets Evert catch up, then the producer write what Evert wrote, and then
// the producer and, beside it, a reader of the same rows that throws them away:
// the broker and the database share the machine, and no pipeline between them is
// faster than both at once.
func (k *kafkaLane) byTurns(ctx context.Context, res *results, what, table string, ours []*deployment, read func(*deployment) error) error {
	var alone, both, times, wholes []time.Duration
	var mine, theirs []share
	var peak int64
	var played int
	for _, d := range ours {
		var c cost
		m, err := k.shared(func() (_ time.Duration, err error) { c, err = d.catchUp(ctx); return c.user, err })
		if err != nil {
			return err
		}
		t, err := record(ctx, k.brokers, d.name+".public."+table, "__evert."+d.name+".frontier.db")
		if err != nil {
			return err
		}
		if t.rows != k.rows {
			return fmt.Errorf("%s: the topic has %d rows, the table %d", what, t.rows, k.rows)
		}
		limit, _, err := k.play(ctx, t, "bare-"+d.name, func() error { return nil })
		if err != nil {
			return err
		}
		beside, b, err := k.play(ctx, t, "beside-"+d.name, func() error { return read(d) })
		if err != nil {
			return err
		}
		alone, both = append(alone, limit), append(both, beside)
		mine, theirs = append(mine, m), append(theirs, b)
		times, wholes, peak = append(times, t.took), append(wholes, c.elapsed), max(peak, c.peak)
		played = len(t.transactions)
		if err := d.drop(ctx); err != nil {
			return err
		}
	}
	res.compare(what, k.rows, median(times), "from the first record to the last commit", "bare producer beside a reader", median(both), 0.7)
	res.add(what+", whole process", float64(k.rows)/median(wholes).Seconds(), "rows/s", fmt.Sprintf("%s; ratio %.2f, and the producer is made before its time begins", wholeProcess, median(both).Seconds()/median(wholes).Seconds()))
	res.add(what+", bare producer alone", float64(k.rows)/median(alone).Seconds(), "rows/s", fmt.Sprintf("ratio %.2f; no database to read from", median(alone).Seconds()/median(times).Seconds()))
	k.shares(res, what, mine, fmt.Sprintf("Evert; %d transactions", played))
	k.shares(res, what+", bare producer beside a reader", theirs, "producer and reader")
	res.below(200, what+", peak memory", float64(peak)/1e6, "MB", "")
	return nil
}

// play is that of a tape, with what it took of the processors.
func (k *kafkaLane) play(ctx context.Context, t *tape, name string, beside func() error) (took time.Duration, s share, err error) {
	s, err = k.shared(func() (time.Duration, error) {
		before := own()
		took, err = t.play(ctx, k.brokers, name, beside)
		return own() - before, err
	})
	return took, s, err
}

// shares adds what each took of the processors.
func (k *kafkaLane) shares(res *results, what string, all []share, client string) {
	each := func(of func(share) time.Duration) float64 {
		var ds []time.Duration
		for _, s := range all {
			ds = append(ds, of(s))
		}
		return median(ds).Seconds() * 1e6 / float64(k.rows)
	}
	res.add(what+", processor time", each(func(s share) time.Duration { return s.client }), "s per million rows", client)
	res.add(what+", processor time of Postgres", each(func(s share) time.Duration { return s.postgres }), "s per million rows", "")
	res.add(what+", processor time of the broker", each(func(s share) time.Duration { return s.broker }), "s per million rows", "")
}

// latency commits one row at a time on an idle server, and then one transaction
// at a time without Evert.
func (k *kafkaLane) latency(ctx context.Context, res *results) error {
	const table, probes = "kafka_idle", 100
	if err := k.table(ctx, table); err != nil {
		return err
	}
	d, err := k.deployment("kidle", table, k.brokers...)
	if err != nil {
		return err
	}
	daemon := exec.CommandContext(ctx, k.evert, "run", "-c", d.config())
	if err := daemon.Start(); err != nil {
		return err
	}
	ours, err := k.commits(ctx, d, table, probes)
	_ = daemon.Process.Signal(syscall.SIGTERM)
	if err := errors.Join(err, daemon.Wait()); err != nil {
		return err
	}
	theirs, err := k.bareCommits(ctx, probes)
	if err != nil {
		return err
	}
	res.add("Kafka idle latency, median", ours.Seconds()*1000, "ms", fmt.Sprintf("from commit in the database to commit in the log; %.1f times a bare transaction's", ours.Seconds()/theirs.Seconds()))
	res.add("Kafka bare transaction, median", theirs.Seconds()*1000, "ms", "two records in two topics and their commit")
	return nil
}

// commits gives the median that the daemon itself measures.
func (k *kafkaLane) commits(ctx context.Context, d *deployment, table string, n int) (time.Duration, error) {
	streaming := func() bool {
		s, err := harness.StatusOf(ctx, d.data())
		return err == nil && s.State == "streaming"
	}
	if err := await(ctx, streaming); err != nil {
		return 0, err
	}
	conn, err := pgx.Connect(ctx, k.postgres.URL(database))
	if err != nil {
		return 0, err
	}
	defer conn.Close(ctx)
	for i := range n {
		idle(ctx)
		if err := insertOne(ctx, conn, table, i+1); err != nil {
			return 0, err
		}
	}
	var s harness.Status
	err = await(ctx, func() bool {
		s, err = harness.StatusOf(ctx, d.data())
		return err == nil && s.Totals.Rows >= uint64(n)
	})
	return time.Duration(s.Latency.Delivery50 * float64(time.Second)), err
}

func (k *kafkaLane) bareCommits(ctx context.Context, n int) (time.Duration, error) {
	p, err := newBare(ctx, k.brokers, "bare-idle")
	if err != nil {
		return 0, err
	}
	defer p.cl.Close()
	row := &kgo.Record{Key: make([]byte, 12), Value: make([]byte, 240)}
	var took []time.Duration
	for range n {
		idle(ctx)
		began := time.Now()
		if err := p.transaction(ctx, []*kgo.Record{row}, &kgo.Record{Key: []byte("1"), Value: make([]byte, 60)}); err != nil {
			return 0, err
		}
		took = append(took, time.Since(began))
	}
	return median(took), nil
}
