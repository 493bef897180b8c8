package show

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/metrics"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/evertdb/evert/cmd/evert/cli"
	"github.com/evertdb/evert/cmd/evert/databases"
	"github.com/evertdb/evert/cmd/evert/demo"
	"github.com/evertdb/evert/cmd/evert/exit"
	"github.com/evertdb/evert/cmd/evert/monitor"
	"github.com/evertdb/evert/cmd/evert/terminal"
	"github.com/evertdb/evert/schema"
)

// demoFlags are how the demo is run.
type demoFlags struct {
	source    string
	keep      string
	span      time.Duration
	rate      float64
	customers int
	seed      uint64
	yes       bool
}

// Verb is demo. start starts the daemon over the file that the demo wrote.
func Verb(a *cli.App, start Start) *cobra.Command {
	var f demoFlags
	c := &cobra.Command{
		Use:   "demo",
		Short: "Show Evert on a throw-away Postgres or MariaDB with a shop under traffic",
		Long: `Start a throw-away Postgres, fill it with a small shop, let people order, pay and cancel in
it, capture it all, and keep views of it current. A client reads what it has just written.
At the end every topic is folded by key and compared with its table, every view with its SQL
in Postgres, and the search index with its view; if they differ, the exit code is 1.
A Postgres that is installed here is used; else one question is asked before a pinned
bundle is fetched into your cache. With --source mariadb it is a MariaDB that is installed
here, and views are compared with what their operators make of its rows. Nothing is installed, root is not needed, and everything
is removed at the end, also after Ctrl-C, unless --keep names a directory for it.`,
		RunE: func(*cobra.Command, []string) error { return run(a, start, f) },
	}
	c.Flags().StringVar(&f.source, "source", "postgres", "the database: postgres or mariadb")
	c.Flags().StringVar(&f.keep, "keep", "", "directory for file, topics and database; they stay, and the next demo goes on with them")
	c.Flags().DurationVar(&f.span, "for", 0, "end after so long; without it Ctrl-C ends the demo")
	c.Flags().Float64Var(&f.rate, "rate", 80, "transactions per second in the shop")
	c.Flags().IntVar(&f.customers, "customers", demo.DefaultCustomers, "in the shop when it opens, each with four orders")
	c.Flags().Uint64Var(&f.seed, "seed", 1, "of the traffic")
	c.Flags().BoolVarP(&f.yes, "yes", "y", false, "fetch Postgres without asking if none is found")
	return c
}

// show is a demo that runs.
type show struct {
	*cli.App
	demoFlags
	start   Start
	dir     string
	server  io.Closer
	shop    demo.Shop
	url     string
	daemon  *Daemon
	log     *os.File
	traffic *demo.Traffic
	own     *demo.OwnWrites
	head    string
	live    bool
	filled  bool // by an earlier demo
	rates   []float64
}

func run(a *cli.App, start Start, f demoFlags) (err error) {
	if f.rate <= 0 || f.rate > 10_000 {
		return exit.Usage(fmt.Errorf("--rate %v: it is above 0, and 10000 at most", f.rate))
	}
	if f.customers < 100 || f.customers > 1_000_000 {
		return exit.Usage(fmt.Errorf("--customers %d: it is 100 at least, and 1000000 at most", f.customers))
	}
	if f.span < 0 {
		return exit.Usage(fmt.Errorf("--for %s: it is 0, for no end, or more", f.span))
	}
	if f.source != "postgres" && f.source != "mariadb" {
		return exit.Usage(fmt.Errorf("--source %s: it is postgres or mariadb", f.source))
	}
	if f.source == "mariadb" && f.keep != "" {
		return exit.Usage(errors.New("--keep: a MariaDB is not kept; leave it out, or take --source postgres"))
	}
	ctx, stop := signal.NotifyContext(a.Ctx, syscall.SIGPIPE, syscall.SIGHUP) // nobody reads on: clean up as after Ctrl-C
	defer stop()
	s := &show{App: a, start: start, demoFlags: f, live: terminal.IsTerminal(a.Out)}
	defer func() { err = errors.Join(err, s.cleanUp()) }()
	steps := []func(context.Context) error{s.place, s.startServer, s.openShop, s.writeURL, s.startDaemon, s.openOwnWrites}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
	return s.run(ctx)
}

// run shows the traffic until it is over, then compares.
func (s *show) run(ctx context.Context) error {
	s.suggest()
	limit, cancel := context.WithCancel(ctx)
	if s.span > 0 {
		limit, cancel = context.WithTimeout(ctx, s.span)
	}
	defer cancel()
	began := time.Now()
	s.traffic = &demo.Traffic{Shop: s.shop, Seed: s.seed, Rate: s.rate}
	ended := make(chan error, 2)
	for _, run := range []func(context.Context) error{s.traffic.Run, s.own.Run} {
		go func() {
			defer cancel()
			ended <- run(limit)
		}()
	}
	s.watch(limit, began)
	if err := errors.Join(<-ended, <-ended); err != nil {
		return err
	}
	return s.compare(context.WithoutCancel(ctx), time.Since(began))
}

// compare waits until the topics hold what was committed, and compares them
// with the tables, and the views with their SQL.
func (s *show) compare(ctx context.Context, took time.Duration) error {
	s.tell("comparing every topic with its table")
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	s.daemon.Views.CaughtUp(ctx)
	if err := s.own.Once(ctx); err != nil { // also a short demo has read a write
		return err
	}
	if err := s.catchUp(ctx); err != nil {
		return err
	}
	sum := s.summary(took)
	var err error
	if sum.Results, err = s.compareTopics(ctx); err != nil {
		return err
	}
	if sum.Views, err = s.compareViews(ctx); err != nil {
		return err
	}
	if sum.Index, err = s.compareIndex(ctx); err != nil {
		return err
	}
	fmt.Fprint(s.Out, "\n"+sum.String())
	s.sayGoodbye()
	return sum.Wrong()
}

// compareTopics folds every topic and compares it with its table.
func (s *show) compareTopics(ctx context.Context) (all []demo.Result, err error) {
	comparison := demo.Comparison{Shop: s.shop, Log: s.daemon.Topics, Registry: s.daemon.Registry, Prefix: "shop"}
	if s.source == "mariadb" {
		comparison.Rows = s.sourceRows
	}
	for _, table := range s.shop.Tables() {
		r, err := comparison.Table(ctx, table)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

// sourceRows gives a table's rows with the texts of the values that the source reads:
// MariaDB prints some otherwise than records do, such as times with a zone.
func (s *show) sourceRows(ctx context.Context, name string, each func(values [][]byte) error) error {
	source := s.daemon.Source.Database().(databases.Pinner)
	tables, err := source.Tables(ctx)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(tables, func(t *schema.Table) bool { return t.Schema+"."+t.Name == name })
	if at < 0 {
		return fmt.Errorf("%s is not captured", name)
	}
	p, err := source.Pin(ctx)
	if err != nil {
		return err
	}
	defer p.Close()
	texts := make([][]byte, len(tables[at].Columns))
	return p.Rows(ctx, tables[at], func(r databases.Row) error {
		for i, v := range r.Values {
			texts[i] = nil
			if !v.IsNull() {
				texts[i] = tables[at].Columns[i].Type.AppendText([]byte{}, v)
			}
		}
		return each(texts)
	})
}

// summary is what is known without looking into the topics.
func (s *show) summary(took time.Duration) demo.Summary {
	sum := demo.Summary{Style: s.Style(s.Out), Head: s.head, Product: s.shop.Product, Took: took, Source: s.daemon.Source.Monitor.Status(),
		Rates: s.rates[max(0, len(s.rates)-40):], Memory: heldMemory(), Own: s.own.Count()}
	if s.live {
		sum.Columns = terminal.Columns(s.Out)
	}
	if !s.filled && sum.Source.State == monitor.Streaming {
		sum.Copied = sum.Source.Since.Sub(s.daemon.Began)
	}
	sum.Transactions, sum.Changes = s.committed()
	return sum
}

// committed counts what was done in the shop, by its people and by the client that
// reads its own writes.
func (s *show) committed() (transactions, changes int64) {
	transactions, changes = s.traffic.Count()
	own := s.own.Count()
	return transactions + own.Commits, changes + own.Changes
}

// heldMemory is what the Go runtime has of the machine's memory, in bytes.
func heldMemory() int64 {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples)
	return int64(samples[0].Value.Uint64() - samples[1].Value.Uint64())
}

// catchUp waits until all that the server has committed by now is in the topics.
func (s *show) catchUp(ctx context.Context) error {
	end, err := s.daemon.Source.Database().End(ctx)
	if err != nil {
		return err
	}
	reached := s.daemon.Source.Database().Source()
	for {
		if at := s.daemon.Source.Monitor.Position().At.Native; at != "" {
			if ok, err := reached.Reached(at, end); err != nil || ok {
				return err
			}
		}
		select {
		case <-ctx.Done():
			problem := ""
			if p := s.daemon.Source.Monitor.Status().Problem; p != nil {
				problem = ": " + p.Text
			}
			return errors.New("the topics did not catch up with the database" + problem)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
